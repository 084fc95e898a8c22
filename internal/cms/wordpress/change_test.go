package wordpress_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/database"
	"upkeep/internal/cms"
	"upkeep/internal/cms/unpack"
	"upkeep/internal/cms/wordpress"
	"upkeep/internal/demo"
)

const probeToken = "a-token-of-the-tests-0123456789"

// startWorld starts a MariaDB, PHP and web server of the test's own.
func startWorld(t *testing.T) *demo.World {
	t.Helper()
	packages, err := filepath.Abs("../../../.cache/wordpress")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "upkeep-change-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w, err := demo.Open(filepath.Join(dir, "world"), demo.Options{Packages: packages})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Remove(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// bench is one real site with a small stand-in for the agent: it swaps by
// rename, keeps what was there, and closes the gate where it says.
type bench struct {
	t      *testing.T
	site   *demo.Site
	driver *wordpress.Driver
	layout *cms.Layout
	db     *database.DB
	dir    string // for staging, on the site's file system
	kept   int
	swaps  []string
	uid    int
	gid    int
}

func newBench(t *testing.T, w *demo.World, spec demo.Spec) *bench {
	t.Helper()
	site, err := w.AddWordPress(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, site: site, driver: wordpress.New(), dir: filepath.Join(site.Dir, "work")}
	b.uid, b.gid = w.Account()
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.own(b.dir)
	if b.db, err = database.Open(t.Context(), *site.Database); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.db.Close() })
	if b.layout, err = b.driver.Detect(t.Context(), b, site.DocumentRoot); err != nil {
		t.Fatal(err)
	}
	return b
}

// own gives a tree to the site's account.
func (b *bench) own(dir string) {
	b.t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, b.uid, b.gid))
	})
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) Open(dir string) (*os.Root, error) { return os.OpenRoot(dir) }

func (b *bench) Query(ctx context.Context, _ *cms.Database, query string, args ...any) ([][][]byte, error) {
	return b.db.Query(ctx, query, args...)
}

// PHP keeps the contract of the agent: script on standard input, JSON in on
// descriptor 3 and out on 4, as the site's owner.
func (b *bench) PHP(ctx context.Context, script cms.Script, input, output any) error {
	question, err := json.Marshal(input)
	if err != nil {
		return err
	}
	inR, inW, err := os.Pipe()
	if err != nil {
		return err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "php", "-d", "display_errors=stderr")
	cmd.Dir, cmd.Stdin, cmd.ExtraFiles = script.Dir, strings.NewReader(script.Source), []*os.File{inR, outW}
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	if os.Getuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(b.uid), Gid: uint32(b.gid)}}
	}
	var printed bytes.Buffer
	cmd.Stdout, cmd.Stderr = &printed, &printed
	if err := cmd.Start(); err != nil {
		return err
	}
	inR.Close()
	outW.Close()
	go func() {
		inW.Write(question)
		inW.Close()
	}()
	answer, err := io.ReadAll(outR)
	outR.Close()
	ended := cmd.Wait()
	if err != nil || len(answer) == 0 {
		return upkeep.Errorf(upkeep.CodeRefused, "%s: no answer (%v, %v): %s", script.Name, err, ended, printed.String())
	}
	if strings.Contains(printed.String(), "Standard input code") && !strings.Contains(printed.String(), "Fatal") {
		b.t.Errorf("%s is not clean: %s", script.Name, printed.String())
	}
	return json.Unmarshal(answer, output)
}

func (b *bench) Swap(_ context.Context, target, source string) error {
	if _, err := os.Stat(source); errors.Is(err, fs.ErrNotExist) {
		return nil // repeated
	}
	if err := b.Remove(context.Background(), target); err != nil {
		return err
	}
	b.own(source)
	b.swaps = append(b.swaps, target)
	return os.Rename(source, target)
}

func (b *bench) Remove(_ context.Context, target string) error {
	b.kept++
	err := os.Rename(target, filepath.Join(b.dir, "kept-"+strconv.Itoa(b.kept)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

func (b *bench) inventory() *upkeep.Inventory {
	b.t.Helper()
	inv, err := b.driver.Inventory(b.t.Context(), b, b.layout)
	if err != nil {
		b.t.Fatal(err)
	}
	return inv
}

// component finds an installed component by its ref.
func (b *bench) component(ref string) upkeep.Component {
	b.t.Helper()
	for _, c := range b.inventory().Components {
		if c.Ref() == ref {
			return c
		}
	}
	b.t.Fatalf("no component %s", ref)
	return upkeep.Component{}
}

// stage unpacks an archive and has the driver check it.
func (b *bench) stage(ref string, release upkeep.Release, archive []byte) (*cms.Staged, error) {
	b.t.Helper()
	component := b.component(ref)
	dir, err := os.MkdirTemp(b.dir, "staged-")
	if err != nil {
		b.t.Fatal(err)
	}
	file := dir + ".zip"
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(file, archive, 0o600)); err != nil {
		b.t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		b.t.Fatal(err)
	}
	defer root.Close()
	if _, err := unpack.Zip(b.t.Context(), file, root, unpack.Limits{}); err != nil {
		return nil, err
	}
	release.Kind, release.Slug = component.Kind, component.Slug
	return b.driver.Stage(b.t.Context(), b, b.layout, upkeep.Update{Component: component, Release: release}, dir)
}

func (b *bench) mustStage(ref string, release upkeep.Release, archive []byte) cms.Staged {
	b.t.Helper()
	staged, err := b.stage(ref, release, archive)
	if err != nil {
		b.t.Fatal(err)
	}
	return *staged
}

// freeze closes the gate as the agent does.
func (b *bench) freeze() {
	b.t.Helper()
	gate, err := b.driver.Gate(b.t.Context(), b, b.layout, probeToken)
	if err != nil {
		b.t.Fatal(err)
	}
	for _, file := range gate.Files {
		if err := errors.Join(os.WriteFile(file.Path, file.Content, file.Mode), os.Lchown(file.Path, b.uid, b.gid)); err != nil {
			b.t.Fatal(err)
		}
	}
	for _, mode := range gate.Modes {
		if err := os.Chmod(mode.Path, mode.Mode); err != nil && !errors.Is(err, fs.ErrNotExist) {
			b.t.Fatal(err)
		}
	}
	b.t.Cleanup(func() { _ = os.Chmod(b.site.Root, 0o755) })
}

// update freezes, applies, migrates and reads back.
func (b *bench) update(staged ...cms.Staged) []upkeep.Check {
	b.t.Helper()
	before := b.inventory()
	b.freeze()
	times := 1
	if b.site.Name == "plain" {
		times = 2 // everything may be repeated
	}
	for range times {
		if err := b.driver.Apply(b.t.Context(), b, b.layout, staged); err != nil {
			b.t.Fatal(err)
		}
		if err := b.driver.Migrate(b.t.Context(), b, b.layout, staged); err != nil {
			b.t.Fatal(err)
		}
	}
	began := time.Now()
	checks, err := b.driver.ReadBack(b.t.Context(), b, b.layout, before, staged)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Logf("read back in %v", time.Since(began))
	return checks
}

func allOK(t *testing.T, checks []upkeep.Check) {
	t.Helper()
	verdict := upkeep.Verdict{Checks: checks}
	for _, check := range verdict.Failures() {
		t.Errorf("check %+v", check)
	}
	if len(checks) == 0 {
		t.Error("no checks")
	}
}

// ask sends a request and returns status, header and body.
func (b *bench) ask(method, path, body string, header map[string]string) (int, http.Header, string) {
	b.t.Helper()
	request, err := http.NewRequestWithContext(b.t.Context(), method, b.site.Path(path), strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	if body != "" {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range header {
		request.Header.Set(name, value)
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(text)
}
