package archive

import (
	"bytes"
	"context"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive/folder"
)

// Differences returns what Restore would change: how the tree differs from
// what is there now, as "what the site has since": a path in the tree alone
// is "removed", one on disk alone "added".
func Differences(ctx context.Context, blobs vault.Blobs, tree vault.ID, sources []Source, options Options) (_ []upkeep.Difference, err error) {
	defer upkeep.Wrap(&err, "compare with tree %s", tree)
	plan, err := compare(ctx, blobs, tree, sources, &options)
	if err != nil {
		return nil, err
	}
	var want, have upkeep.Manifest
	for i := range plan {
		if plan[i].want != nil {
			want.Entries = append(want.Entries, plan[i].want.Entry)
		}
		if plan[i].have != nil {
			have.Entries = append(have.Entries, *plan[i].have)
		}
	}
	return want.Compare(&have), nil
}

// step is a path at which the tree and the disk may differ.
type step struct {
	path     string
	want     *stored       // nil: not in the tree
	have     *upkeep.Entry // nil: not on disk
	selected bool          // by Options.Only
	differs  bool
}

// unreadable is the type of what could not be looked at: it differs from
// everything, and so is replaced.
const unreadable = "unreadable"

// compare pairs every path of the tree with what is on disk now.
func compare(ctx context.Context, blobs vault.Blobs, tree vault.ID, sources []Source, options *Options) ([]step, error) {
	if err := options.validate(sources); err != nil {
		return nil, err
	}
	byName := map[string]*Source{}
	for i := range sources {
		byName[sources[i].Name] = &sources[i]
	}
	// Neither half needs the other, and both wait for disks.
	var want []stored
	var have []upkeep.Entry
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		want, err = flatten(groupCtx, blobs, tree, func(path, name string) bool {
			return wanted(path, name, byName, options)
		})
		return err
	})
	group.Go(func() error {
		w, err := survey(groupCtx, nil, sources, options)
		if err != nil {
			return err
		}
		have = w.result().Entries
		w.problems.mark(have)
		return nil
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	for name := range byName {
		_, found := slices.BinarySearchFunc(want, name, func(s stored, name string) int { return strings.Compare(string(s.Path), name) })
		if !found {
			return nil, upkeep.Errorf(upkeep.CodeNotFound, "the backup has no %q", name)
		}
	}
	return pair(want, have, options), nil
}

// wanted reports whether a path of the tree belongs to the sources.
func wanted(path, name string, byName map[string]*Source, options *Options) bool {
	if path == "" {
		return byName[name] != nil
	}
	source := byName[path[:strings.IndexByte(path, '/')]]
	return len(selectNames([]string{name}, path, source, options)) == 1
}

// mark gives the entries that could not be read a type of their own.
func (p *problems) mark(entries []upkeep.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range entries {
		if p.paths[string(entries[i].Path)] {
			entries[i].Type = unreadable
		}
	}
}

// pair walks two sorted lists side by side. A path in only one of them differs
// by that alone.
func pair(want []stored, have []upkeep.Entry, options *Options) []step {
	steps := make([]step, 0, max(len(want), len(have)))
	i, j := 0, 0
	for i < len(want) || j < len(have) {
		order := 0
		switch {
		case i == len(want):
			order = 1
		case j == len(have):
			order = -1
		default:
			order = bytes.Compare(want[i].Path, have[j].Path)
		}
		var s step
		if order <= 0 {
			s.want, s.path = &want[i], string(want[i].Path)
			i++
		}
		if order >= 0 {
			s.have, s.path = &have[j], string(have[j].Path)
			j++
		}
		s.selected = options.selects(s.path)
		s.differs = s.selected && s.changed() || s.missingWay(options)
		steps = append(steps, s)
	}
	return steps
}

// selects reports whether Only lets Restore touch a path.
func (o *Options) selects(path string) bool {
	if o.Only == nil {
		return true
	}
	return slices.ContainsFunc(o.Only, func(only []byte) bool {
		rest, ok := strings.CutPrefix(path, string(only))
		return ok && (rest == "" || rest[0] == '/')
	})
}

// missingWay reports whether the step is a folder that must be made to hold
// something that Only selects.
func (s *step) missingWay(options *Options) bool {
	if s.selected || s.have != nil || s.want.Type != folder.TypeDir {
		return false
	}
	return slices.ContainsFunc(options.Only, func(only []byte) bool {
		return strings.HasPrefix(string(only), s.path+"/")
	})
}

// changed reports whether the manifests differ at this path.
func (s *step) changed() bool {
	if s.want == nil || s.have == nil {
		return true
	}
	want := upkeep.Manifest{Entries: []upkeep.Entry{s.want.Entry}}
	have := upkeep.Manifest{Entries: []upkeep.Entry{*s.have}}
	return len(want.Compare(&have)) > 0
}

// metaOnly reports whether all that differs is what can be set without
// writing the content anew.
func (s *step) metaOnly() bool {
	if s.want == nil || s.have == nil || s.want.Type != s.have.Type {
		return false
	}
	return s.want.Content == s.have.Content && s.want.Size == s.have.Size && s.want.Device == s.have.Device &&
		bytes.Equal(s.want.Target, s.have.Target) && bytes.Equal(s.want.Linked, s.have.Linked)
}
