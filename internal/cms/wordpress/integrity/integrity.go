// Package integrity compares the files of a WordPress site with what their
// publishers released.
package integrity

import (
	"cmp"
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
	"upkeep/internal/cms/wordpress/layout"
)

// findingPaths bounds the paths that a finding names; Detail has the count.
const findingPaths = 20

// Examine compares the installed files with what their publisher released.
// Modified and missing files give a blocking finding "modified" for each
// component, or one that does not block when only soft files differ; files
// that no release has give "unknown_file".
func Examine(ctx context.Context, h cms.Host, l *cms.Layout, originals map[string]upkeep.Original) (_ []upkeep.Finding, err error) {
	defer upkeep.Wrap(&err, "integrity of %s", l.Root)
	var findings []upkeep.Finding
	for _, ref := range slices.Sorted(maps.Keys(originals)) {
		e, ok := newExamination(h, l, ref, originals[ref])
		if !ok {
			continue
		}
		found, err := e.run(ctx)
		if err != nil {
			return nil, err
		}
		findings = append(findings, found...)
	}
	return findings, nil
}

// examination compares one component.
type examination struct {
	host     cms.Host
	ref      string
	original upkeep.Original
	dir      string // what the paths of the original are below
	single   string // the one file of a plugin without a folder
	core     bool
}

// newExamination returns false for what cannot be compared: kinds that nobody
// publishes hashes of, and refs that lead out of their folder.
func newExamination(h cms.Host, l *cms.Layout, ref string, original upkeep.Original) (*examination, bool) {
	e := &examination{host: h, ref: ref, original: original}
	kind, id, _ := strings.Cut(ref, ":")
	if ref != string(upkeep.Core) && !filepath.IsLocal(id) {
		return nil, false
	}
	switch upkeep.Kind(kind) {
	case upkeep.Core:
		e.dir, e.core = layout.CoreDir(l), true
	case upkeep.Plugin:
		e.dir = filepath.Join(l.Dirs[layout.DirPlugins], path.Dir(id))
		if path.Dir(id) == "." {
			e.single = id
		}
	case upkeep.Theme:
		e.dir = cmp.Or(original.Dir, filepath.Join(l.Dirs[layout.DirThemes], id))
	default:
		return nil, false
	}
	return e, true
}

// state is what became of one published file.
type state uint8

const (
	intact state = iota
	modified
	missing
)

// run compares all files, then looks for those that should not be there.
func (e *examination) run(ctx context.Context) (_ []upkeep.Finding, err error) {
	defer upkeep.Wrap(&err, "%s", e.ref)
	dir := e.dir
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	root, err := e.host.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return []upkeep.Finding{{Code: "file_missing", Component: e.ref, Paths: []string{e.dir}, Blocks: true}}, nil
	}
	if upkeep.CodeOf(err) == upkeep.CodeRefused {
		return nil, nil // linked out of the site, which the inventory reports
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	names := e.names()
	states, err := compareAll(ctx, root, names, e.original.Files)
	if err != nil {
		return nil, err
	}
	findings := e.differences(names, states)
	unknown, err := e.unknown(ctx, root)
	if err != nil {
		return nil, err
	}
	if len(unknown) > 0 {
		findings = append(findings, e.finding("unknown_file", unknown, fmt.Sprintf("unknown %d", len(unknown))))
	}
	return findings, nil
}

// names lists the published files to compare, sorted.
func (e *examination) names() []string {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(e.original.Files)) {
		switch {
		case !filepath.IsLocal(name), e.single != "" && name != e.single:
		case e.core && strings.HasPrefix(name, "wp-content/"):
			// Plugins and themes that come with core are updated apart.
		default:
			names = append(names, name)
		}
	}
	return names
}

// soft reports whether a difference in a file does not matter to an update.
func (e *examination) soft(name string) bool {
	lower := strings.ToLower(name)
	return lower == "readme.txt" || lower == "readme.md" || slices.Contains(e.original.Soft, name)
}

// differences makes findings of the states: hard and soft files apart, since
// only hard ones keep an update back.
func (e *examination) differences(names []string, states []state) []upkeep.Finding {
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
func (e *examination) finding(code string, names []string, detail string) upkeep.Finding {
	paths := make([]string, 0, min(len(names), findingPaths))
	for _, name := range names[:min(len(names), findingPaths)] {
		paths = append(paths, filepath.Join(e.dir, name))
	}
	return upkeep.Finding{Code: code, Component: e.ref, Paths: paths, Detail: detail}
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

// compareFile says what became of one file. What WordPress could not read as a
// regular file counts as modified: it is not what was published.
func compareFile(root *os.Root, name string, accepted []string) (state, error) {
	info, err := root.Lstat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return missing, nil
	case err != nil && layout.PassedOver(err):
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

// unknown lists files that no release has: of core the PHP files in its own
// folders and those in the root that pass for its own, of others any file.
func (e *examination) unknown(ctx context.Context, root *os.Root) ([]string, error) {
	if e.single != "" {
		return nil, nil
	}
	tops := []string{"."}
	if e.core {
		tops = []string{"wp-admin", "wp-includes"}
	}
	var found []string
	for _, top := range tops {
		err := fs.WalkDir(root.FS(), top, func(name string, entry fs.DirEntry, err error) error {
			switch {
			case ctx.Err() != nil:
				return ctx.Err()
			case err != nil && layout.PassedOver(err):
				return nil
			case err != nil:
				return err
			}
			if _, published := e.original.Files[name]; !published && !entry.IsDir() && (!e.core || executable(name)) {
				found = append(found, name)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if !e.core {
		return found, nil
	}
	inRoot, err := e.unknownInRoot(root)
	return append(found, inRoot...), err
}

// unknownInRoot looks in the root for PHP files that pass for core's. Others
// there are the site's own business.
func (e *examination) unknownInRoot(root *os.Root) ([]string, error) {
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	var found []string
	for _, entry := range entries {
		name := entry.Name()
		if _, published := e.original.Files[name]; published || entry.IsDir() || name == "wp-config.php" {
			continue
		}
		if strings.HasPrefix(name, "wp-") && executable(name) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found, nil
}

// executable reports whether a web server may run a file as PHP.
func executable(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".php", ".php3", ".php4", ".php5", ".php7", ".php8", ".phtml", ".phar", ".pht", ".phps", ".inc":
		return true
	}
	return false
}
