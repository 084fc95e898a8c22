package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/restic/chunker"
	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/agent/engine"
	"upkeep/internal/agent/journal"
	"upkeep/internal/agent/manifest"
	"upkeep/internal/agent/wire"
	"upkeep/internal/cms"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive"
)

// Names of the folders that a backup has besides the site's areas.
const (
	databaseFolder = "database"
	manifestFolder = "manifest"
)

// secured is the note of the journal's Secured entry.
type secured struct {
	Tree       string `json:"tree"`
	Polynomial uint64 `json:"polynomial"` // that files are cut by
	Manifest   string `json:"manifest"`   // digest of the manifest
}

// opRead makes a backup through the blobs connection. Of a frozen session it
// is the state that undo goes back to.
func (a *Agent) opRead(ctx context.Context, c *call, request ReadRequest) (_ *ReadResult, err error) {
	defer upkeep.Wrap(&err, "read the site")
	blobs, err := a.currentBlobs()
	if err != nil {
		return nil, err
	}
	s, sessionErr := a.current()
	layout := request.Layout
	if layout == nil {
		if sessionErr != nil {
			return nil, sessionErr
		}
		layout = s.layout
	}
	r := &reading{agent: a, layout: layout, blobs: blobs, polynomial: chunker.Pol(request.Polynomial), progress: c.progress, seen: a.view(s)}
	r.dump = a.dumpDir()
	if request.Warm {
		if s == nil || s.secured() {
			return nil, upkeep.Errorf(upkeep.CodeConflict, "nothing is about to be frozen")
		}
		return r.whole(ctx)
	}
	r.manifest = a.path("manifest")
	steady := s != nil && s.frozen() && !s.changed() && !s.committed()
	if request.Secure {
		if err := a.stands(s, steady); err != nil {
			return nil, err
		}
	}
	if !steady {
		r.manifest = a.path("manifest-live")
		defer os.RemoveAll(r.manifest)
		if s == nil || !s.committed() { // then nothing goes back to the dump of before: it may become this one
			r.dump = a.path("dump-live")
			defer os.RemoveAll(r.dump)
		}
		return r.whole(ctx)
	}
	result, err := r.whole(ctx)
	if err != nil {
		return nil, err
	}
	return result, s.note(journal.Secured, secured{Tree: result.Tree, Polynomial: request.Polynomial, Manifest: result.Manifest})
}

// stands refuses to take a site that visitors write to for one that is frozen.
func (a *Agent) stands(s *session, steady bool) error {
	if s != nil {
		if err := a.ours(s); err != nil {
			return err
		}
	}
	if !steady {
		return upkeep.Errorf(upkeep.CodeConflict, "the site is not frozen as it was")
	}
	return nil
}

func (a *Agent) currentBlobs() (*wire.Client, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.blobs == nil {
		return nil, upkeep.Errorf(upkeep.CodeUnreachable, "the vault is not connected")
	}
	return a.blobs, a.blobs.Err()
}

// reading is one backup being made.
type reading struct {
	agent    *Agent
	layout   *cms.Layout
	blobs    vault.Blobs
	progress func(upkeep.Progress)
	seen     view
	dump     string
	manifest string

	polynomial chunker.Pol
}

func sources(layout *cms.Layout) []archive.Source {
	var out []archive.Source
	for _, area := range layout.Areas {
		out = append(out, archive.Source{Name: area.Name, Dir: area.Dir, Only: area.Only})
	}
	return out
}

func (r *reading) files(ctx context.Context) (*archive.Result, error) {
	return archive.Read(ctx, r.blobs, sources(r.layout), r.options())
}

func (r *reading) options() archive.Options {
	return archive.Options{
		Polynomial: r.polynomial,
		Memory:     r.agent.memory,
		Exclude:    r.seen.exclude,
		Instead:    r.seen.instead,
		Content:    r.seen.copied,
		Attributes: r.seen.folders,
		Progress: func(s archive.Stats) {
			r.progress(upkeep.Progress{Code: "backup_files", Done: s.Bytes, Unit: "bytes"})
		},
	}
}

// both reads the files while the database is dumped. A database that consists
// of files is dumped first: what is read of them is its dump.
func (r *reading) both(ctx context.Context) (files *archive.Result, tables []upkeep.Object, err error) {
	r.seen.database(r.layout, r.dump)
	group, ctx := errgroup.WithContext(ctx)
	if len(r.seen.copied) > 0 {
		group.SetLimit(1)
	}
	group.Go(func() (err error) {
		tables, err = r.tables(ctx)
		return err
	})
	group.Go(func() (err error) {
		if ctx.Err() != nil {
			return nil // its dump failed
		}
		files, err = r.files(ctx)
		return err
	})
	return files, tables, group.Wait()
}

// whole reads files and database, then joins both with the manifest. Without a
// place for that, nothing is complete: what is read is only to be there already
// when the site is frozen.
func (r *reading) whole(ctx context.Context) (_ *ReadResult, err error) {
	files, tables, err := r.both(ctx)
	if err != nil {
		return nil, err
	}
	result := &ReadResult{Taken: r.agent.config.Now().UTC(), Files: files.Stats.Files, Tables: engine.CountTables(tables)}
	if len(files.Unsteady) > 0 && r.seen.frozen {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "%q changes while the site is frozen", files.Unsteady[0]).
			WithHint("Stop what writes to the site besides its visitors: a cron job, a synchronisation, an editor.")
	}
	var ours []archive.Source // folders that only we write to
	if r.layout.Database != nil {
		ours = append(ours, archive.Source{Name: databaseFolder, Dir: r.dump})
	}
	if r.manifest != "" {
		complete := &upkeep.Manifest{Entries: files.Entries, Tables: tables}
		complete.Sort()
		if err := manifest.Write(r.manifest, complete); err != nil {
			return nil, err
		}
		ours = append(ours, archive.Source{Name: manifestFolder, Dir: r.manifest})
		result.Manifest = complete.Digest()
	}
	rest, err := archive.Read(ctx, r.blobs, ours, archive.Options{Polynomial: r.polynomial, Memory: r.agent.dumped, Settled: true})
	if err != nil {
		return nil, err
	}
	tree, err := archive.Join(ctx, r.blobs, files, rest)
	result.Tree = tree.String()
	result.Bytes, result.Added = files.Stats.Bytes+rest.Stats.Bytes, files.Stats.Added+rest.Stats.Added
	return result, err
}

func (r *reading) tables(ctx context.Context) ([]upkeep.Object, error) {
	if r.layout.Database == nil {
		return nil, nil
	}
	db, err := r.agent.databases.Store(ctx, r.layout.Database)
	if err != nil {
		return nil, err
	}
	return db.Dump(ctx, r.dump, nil)
}

// ManifestPath is where a backup holds the manifest of its site.
const ManifestPath = manifestFolder + "/" + manifest.Name

// view is how the site would look without our gate: what backup and manifest
// must show while it is closed. Names are those of manifests: "area/path".
type view struct {
	instead map[string]string             // where originals wait
	hidden  map[string]bool               // what has no original: the gate's own files, our folders
	folders map[string]archive.Attributes // as they were
	copied  map[string]string             // where the content of a database's files is, dumped
	owned   map[string]bool               // files that the database's own restore brings back
	areas   []cms.Area
	frozen  bool
}

func (a *Agent) view(s *session) view {
	v := view{instead: map[string]string{}, hidden: map[string]bool{}, folders: map[string]archive.Attributes{}, copied: map[string]string{}, owned: map[string]bool{}}
	if s == nil {
		return v
	}
	v.areas, v.frozen = s.opened.Layout.Areas, s.frozen()
	for _, dir := range s.opened.Work {
		if name, ok := cms.NameOf(v.areas, dir); ok {
			v.hidden[name] = true
		}
	}
	for _, e := range s.standingGate() {
		name, ok := cms.NameOf(v.areas, e.Target)
		if !ok {
			continue
		}
		if e.Kept == "" {
			v.hidden[name] = true
		} else {
			v.instead[name] = e.Kept
		}
		v.noteTime(filepath.Dir(e.Target), s.folderTime(e))
	}
	for _, e := range journal.Standing(s.journal.Entries(), journal.Mode) {
		if name, ok := cms.NameOf(v.areas, e.Target); ok {
			was := v.folders[name]
			was.Mode = &e.From
			v.folders[name] = was
		}
	}
	return v
}

// database leaves a database that consists of files to its engine: what is
// transient beside them is not looked at; their content is read in dump once
// they are dumped there and, with "", where they are.
func (v *view) database(layout *cms.Layout, dump string) {
	v.areas = layout.Areas
	for path, copied := range engine.Files(layout.Database, dump) {
		name, ok := cms.NameOf(v.areas, path)
		switch {
		case !ok:
		case copied == "":
			v.hidden[name] = true
		default:
			v.owned[name] = true
			if dump != "" {
				v.copied[name] = copied
			}
		}
	}
}

// noteTime keeps the oldest note of a folder's time: later ones saw our own
// changes.
func (v *view) noteTime(dir string, mtime int64) {
	name, ok := cms.NameOf(v.areas, dir)
	if was := v.folders[name]; ok && was.MTime == nil {
		was.MTime = &mtime
		v.folders[name] = was
	}
}

func (v *view) exclude(source string, path []byte) bool {
	return len(v.hidden) > 0 && v.hidden[source+"/"+string(path)]
}

// gone reports whether err says that something does not exist.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || upkeep.CodeOf(err) == upkeep.CodeNotFound
}

// drainTimeout gives the default its value.
func drainTimeout(d upkeep.Duration) time.Duration {
	if d == 0 {
		return 30 * time.Second
	}
	return time.Duration(d)
}
