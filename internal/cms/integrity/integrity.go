// Package integrity compares installed files with what their publisher
// released.
package integrity

import (
	"context"
	"crypto/md5" //nolint:gosec // it is what wordpress.org publishes; SHA-256 is taken wherever there is one
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/cms"
)

// findingPaths bounds the paths that a finding names; Detail has the count.
const findingPaths = 20

// Examination compares one component.
type Examination struct {
	Host     cms.Host
	Ref      string
	Original upkeep.Original
	Dir      string // what the paths of the original are below

	// Compared says which published files are compared; nil says all.
	Compared func(name string) bool
	// Suspects lists files that no release has.
	Suspects func(ctx context.Context, root *os.Root) ([]string, error)
}

// state is what became of one published file.
type state uint8

const (
	intact state = iota
	modified
	missing
)

// Run compares all files, then looks for those that should not be there.
// Modified and missing files give a blocking finding "modified", or one that
// does not block when only soft files differ; files that no release has give
// "unknown_file".
func (e *Examination) Run(ctx context.Context) (_ []upkeep.Finding, err error) {
	defer upkeep.Wrap(&err, "%s", e.Ref)
	dir := e.Dir
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	root, err := e.Host.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return []upkeep.Finding{{Code: "file_missing", Component: e.Ref, Paths: []string{e.Dir}, Blocks: true}}, nil
	}
	if upkeep.CodeOf(err) == upkeep.CodeRefused {
		return nil, nil // linked out of the site, which the inventory reports
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	names := e.names()
	states, err := compareAll(ctx, root, names, e.Original.Files)
	if err != nil {
		return nil, err
	}
	findings := e.differences(names, states)
	unknown, err := e.Suspects(ctx, root)
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		findings = append(findings, e.finding("unknown_file", unknown, fmt.Sprintf("unknown %d", len(unknown))))
	}
	return findings, nil
}

// names lists the published files to compare, sorted.
func (e *Examination) names() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(e.Original.Files)) {
		if filepath.IsLocal(name) && (e.Compared == nil || e.Compared(name)) {
			names = append(names, name)
		}
	}
	return names
}

// soft reports whether a difference in a file does not matter to an update.
func (e *Examination) soft(name string) bool {
	lower := strings.ToLower(name)
	return lower == "readme.txt" || lower == "readme.md" || slices.Contains(e.Original.Soft, name)
}

// differences makes findings of the states: hard and soft files apart, since
// only hard ones keep an update back.
func (e *Examination) differences(names []string, states []state) []upkeep.Finding {
	var findings []upkeep.Finding
	for _, soft := range []bool{false, true} {
		var paths []string
		count := map[state]int{}
		for i, name := range names {
			if states[i] != intact && e.soft(name) == soft {
				paths = append(paths, name)
				count[states[i]]++
			}
		}
		if len(paths) > 0 {
			f := e.finding("modified", paths, fmt.Sprintf("modified %d, missing %d", count[modified], count[missing]))
			f.Blocks = !soft
			findings = append(findings, f)
		}
	}
	return findings
}

// finding names the first paths, absolute, so that an operator can open them.
func (e *Examination) finding(code string, names []string, detail string) upkeep.Finding {
	paths := make([]string, 0, min(len(names), findingPaths))
	for _, name := range names[:min(len(names), findingPaths)] {
		paths = append(paths, filepath.Join(e.Dir, name))
	}
	return upkeep.Finding{Code: code, Component: e.Ref, Paths: paths, Detail: detail}
}

// compareAll hashes files side by side, a small buffer each.
func compareAll(ctx context.Context, root *os.Root, names []string, accepted map[string][]string) ([]state, error) {
	states := make([]state, len(names))
	group, running := errgroup.WithContext(ctx)
	group.SetLimit(max(2, runtime.GOMAXPROCS(0)))
	for i, name := range names {
		if running.Err() != nil {
			break
		}
		group.Go(func() (err error) {
			states[i], err = compareFile(root, name, accepted[name])
			return err
		})
	}
	return states, errors.Join(group.Wait(), ctx.Err())
}

// compareFile says what became of one file. What a CMS could not read as a
// regular file counts as modified: it is not what was published.
func compareFile(root *os.Root, name string, accepted []string) (state, error) {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing, nil
	case err != nil && PassedOver(err):
		return modified, nil // behind a link that leads out
	case err != nil:
		return modified, err
	case !info.Mode().IsRegular():
		return modified, nil
	}
	sum, digits := newHash(accepted)
	if sum == nil {
		return intact, nil // published without a hash: being there is all that can be asked
	}
	f, err := root.Open(name)
	if err != nil {
		return modified, err
	}
	defer f.Close()
	if _, err := io.Copy(sum, f); err != nil {
		return modified, err
	}
	found := hex.EncodeToString(sum.Sum(nil))
	for _, want := range accepted {
		if len(want) == digits && strings.EqualFold(want, found) {
			return intact, nil
		}
	}
	return modified, nil
}

// newHash returns the strongest hash there is a value of, nil for none.
func newHash(accepted []string) (hash.Hash, int) {
	for _, digits := range [...]int{64, 32} {
		if slices.ContainsFunc(accepted, func(want string) bool { return len(want) == digits }) {
			if digits == 64 {
				return sha256.New(), digits
			}
			return md5.New(), digits //nolint:gosec // see the import
		}
	}
	return nil, 0
}

// Strangers walks the folder top of root and returns the files that are not
// published and that suspect holds for.
func Strangers(ctx context.Context, root *os.Root, top string, published map[string][]string, suspect func(name string) bool) ([]string, error) {
	var found []string
	err := fs.WalkDir(root.FS(), top, func(name string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil && PassedOver(err):
			return nil
		case err != nil:
			return err
		}
		if _, known := published[name]; !known && !entry.IsDir() && suspect(name) {
			found = append(found, name)
		}
		return nil
	})
	return found, err
}

// PassedOver reports an error at which a CMS takes no notice of a file.
func PassedOver(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, fs.ErrNotExist) || strings.Contains(err.Error(), "escapes")
}

// Executable reports whether a web server may run a file as PHP.
func Executable(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".php", ".php3", ".php4", ".php5", ".php7", ".php8", ".phtml", ".phar", ".pht", ".phps", ".inc":
		return true
	}
	return false
}
