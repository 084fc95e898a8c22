// Command notices writes THIRD_PARTY_NOTICES: the licence of every module
// that is linked into the command, and of every package that its pages are made
// with.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "notices:", err)
		os.Exit(1)
	}
}

// module is what the go command says of one.
type module struct {
	Path, Version, Dir string
	Main               bool
}

func run() error {
	modules, err := linked()
	if err != nil {
		return err
	}
	works, err := assets()
	if err != nil {
		return err
	}
	for i, m := range modules {
		texts, err := licences(m.Dir)
		if err != nil {
			return fmt.Errorf("%s: %w", m.Path, err)
		}
		works = slices.Insert(works, i, work{m.Path + " " + m.Version, texts})
	}
	var out bytes.Buffer
	out.WriteString("Upkeep is made with the works of others, under the licences below.\n\n")
	for _, w := range works {
		fmt.Fprintf(&out, "  %s\n", w.name)
	}
	for _, w := range works {
		fmt.Fprintf(&out, "\n%[1]s\n%[2]s\n%[1]s\n\n%[3]s\n", strings.Repeat("=", 78), w.name, w.texts)
	}
	return os.WriteFile("THIRD_PARTY_NOTICES", out.Bytes(), 0o644)
}

// work is something of others with its licences.
type work struct{ name, texts string }

// assets returns the packages that make assets unpacked.
func assets() ([]work, error) {
	files, err := filepath.Glob("internal/web/console/asset/packed/*.licence")
	if err == nil && len(files) == 0 {
		err = errors.New("the assets of the pages are not there: run make assets")
	}
	var works []work
	for _, file := range files {
		text, rerr := os.ReadFile(file)
		err = errors.Join(err, rerr)
		works = append(works, work{strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".licence"), "_", " "), string(text)})
	}
	return works, err
}

// linked returns the modules that packages of the command come from, by path.
// What only tests or tools of a dependency need is not among them.
func linked() ([]module, error) {
	cmd := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}}{{end}}", "./cmd/...")
	cmd.Stderr = os.Stderr
	used, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	all := exec.Command("go", "list", "-m", "-json", "all")
	all.Stderr = os.Stderr
	text, err := all.Output()
	if err != nil {
		return nil, err
	}
	names := strings.Fields(string(used))
	var modules []module
	for decoder := json.NewDecoder(bytes.NewReader(text)); ; {
		var m module
		if err := decoder.Decode(&m); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if !m.Main && slices.Contains(names, m.Path) {
			modules = append(modules, m)
		}
	}
	slices.SortFunc(modules, func(a, b module) int { return strings.Compare(a.Path, b.Path) })
	return modules, nil
}

// licences returns the licence and notice texts at the top of a module.
func licences(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	name := regexp.MustCompile(`(?i)^((un)?licen[cs]e|copying|notice|patents)([.-].*)?$`)
	var texts []string
	for _, entry := range entries {
		if entry.IsDir() || !name.MatchString(entry.Name()) || strings.HasSuffix(entry.Name(), ".go") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return "", err
		}
		texts = append(texts, strings.TrimSpace(string(text)))
	}
	if len(texts) == 0 {
		return "", errors.New("no licence file; look at the module before it is used")
	}
	return strings.Join(texts, "\n\n"), nil
}
