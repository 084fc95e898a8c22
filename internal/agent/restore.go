package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/restic/chunker"

	"upkeep"
	"upkeep/internal/agent/journal"
	"upkeep/internal/agent/manifest"
	"upkeep/internal/cms"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive"
)

// opRestore brings back any backup, in place or into another folder and
// database. In place only what differs is touched, and the result is proven
// against the backup's own manifest.
func (a *Agent) opRestore(ctx context.Context, c *call, request RestoreRequest) (_ *RestoreResult, err error) {
	defer upkeep.Wrap(&err, "restore")
	blobs, err := a.currentBlobs()
	if err != nil {
		return nil, err
	}
	tree, err := vault.ParseID(request.Tree)
	if err != nil {
		return nil, err
	}
	r := &restoring{agent: a, blobs: blobs, tree: tree, layout: request.Layout, progress: c.progress, dir: a.path("restore"), polynomial: chunker.Pol(request.Polynomial)}
	defer os.RemoveAll(r.dir)
	if request.Into != "" {
		return r.elsewhere(ctx, request)
	}
	r.seen = a.view(nil)
	r.seen.database(r.layout, "")
	if request.DryRun {
		result, _, err := r.compare(ctx)
		return result, err
	}
	s, err := a.changeable()
	if err != nil {
		return nil, err
	}
	r.seen = a.view(s)
	r.seen.database(r.layout, "")
	return r.inPlace(ctx, s)
}

type restoring struct {
	agent    *Agent
	blobs    vault.Blobs
	tree     vault.ID
	layout   *cms.Layout
	progress func(upkeep.Progress)
	dir      string // where dump and manifest of the backup are put meanwhile

	polynomial chunker.Pol
	seen       view
}

// fetch brings the backup's dump and manifest to the agent's own folder.
func (r *restoring) fetch(ctx context.Context) (*upkeep.Manifest, error) {
	var targets []archive.Source
	for _, name := range []string{databaseFolder, manifestFolder} {
		dir := filepath.Join(r.dir, name)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
		targets = append(targets, archive.Source{Name: name, Dir: dir})
	}
	if r.layout.Database == nil {
		targets = targets[1:]
	}
	if _, err := archive.Restore(ctx, r.blobs, r.tree, targets, archive.Options{Polynomial: r.polynomial}); err != nil {
		return nil, err
	}
	return manifest.Read(filepath.Join(r.dir, manifestFolder))
}

// compare says how the live site differs from the backup.
func (r *restoring) compare(ctx context.Context) (*RestoreResult, *upkeep.Manifest, error) {
	want, err := r.fetch(ctx)
	if err != nil {
		return nil, nil, err
	}
	now, err := r.now(ctx)
	if err != nil {
		return nil, nil, err
	}
	diffs := want.Compare(now)
	return &RestoreResult{Differences: diffs[:min(len(diffs), 1000)], Total: len(diffs)}, want, nil
}

// inPlace works on the frozen and secured session: should anything go wrong,
// the site is given back as it was before the restore.
func (r *restoring) inPlace(ctx context.Context, s *session) (*RestoreResult, error) {
	result, want, err := r.compare(ctx)
	if err != nil || result.Total == 0 {
		return result, err
	}
	if _, err := s.journal.Write(journal.Entry{Op: journal.Migrate}); err != nil {
		return result, err
	}
	if err := s.reduceGate(r.agent.config.Log); err != nil {
		return result, err
	}
	r.seen = r.agent.view(s)
	r.seen.database(r.layout, "")
	r.progress(upkeep.Progress{Code: "restore_files"})
	options := r.options()
	options.Exclude = r.seen.spare
	stats, err := archive.Restore(ctx, r.blobs, r.tree, sources(r.layout), options)
	if err != nil {
		return result, err
	}
	result.Files, result.Bytes = stats.Changed, stats.Written
	if err := r.database(ctx, r.layout.Database); err != nil {
		return result, err
	}
	r.agent.asListed(r.layout, want)
	kept := r.folderTimes(s, want)
	if err := r.agent.code(s).Forget(ctx); err != nil {
		return result, err
	}
	after, err := r.now(ctx)
	if err != nil {
		return result, err
	}
	left := want.Compare(after)
	result.Identity = &upkeep.Identity{Before: want.Digest(), After: after.Digest(), Differences: left[:min(len(left), 100)]}
	if result.Identity.Proven() {
		err = s.note(journal.Commit, kept)
	}
	return result, err
}

func (r *restoring) options() archive.Options {
	return archive.Options{
		Polynomial: r.polynomial, Memory: r.agent.memory, InPlace: true,
		Exclude: r.seen.exclude, Instead: r.seen.instead, Attributes: r.seen.folders,
	}
}

// reduceGate leaves of the gate only what refuses visitors, its first file and
// its like: the rest stands in the place of what is restored.
func (s *session) reduceGate(log *slog.Logger) error {
	if err := s.restoreModes(false); err != nil {
		return err
	}
	gates := s.standingGate()
	for i := len(gates) - 1; i > 0; i-- {
		if s.gate.Refuses(gates[i].Target) {
			continue
		}
		if err := s.revert(gates[i], log); err != nil {
			return err
		}
	}
	return nil
}

// folderTimes looks from now on as if the folders of the gate had the times
// that the backup says, and returns what makes the thaw give them these.
func (r *restoring) folderTimes(s *session, want *upkeep.Manifest) committed {
	kept := committed{FolderTimes: map[string]int64{}}
	for _, e := range s.standingGate() {
		name, ok := cms.NameOf(r.seen.areas, filepath.Dir(e.Target))
		i := slices.IndexFunc(want.Entries, func(entry upkeep.Entry) bool { return string(entry.Path) == name })
		if !ok || i < 0 {
			continue
		}
		mtime := want.Entries[i].MTime
		kept.FolderTimes[e.Target] = mtime
		was := r.seen.folders[name]
		was.MTime = &mtime
		r.seen.folders[name] = was
	}
	return kept
}

func (r *restoring) database(ctx context.Context, config *cms.Database) error {
	if config == nil {
		return nil
	}
	r.progress(upkeep.Progress{Code: "restore_database"})
	db, err := r.agent.databases.Store(ctx, config)
	if err != nil {
		return err
	}
	_, err = db.Restore(ctx, filepath.Join(r.dir, databaseFolder), nil)
	return err
}

// now reads how the site is.
func (r *restoring) now(ctx context.Context) (*upkeep.Manifest, error) {
	options := r.options()
	options.InPlace = false
	entries, err := archive.Scan(ctx, sources(r.layout), options)
	if err != nil {
		return nil, err
	}
	m := &upkeep.Manifest{Entries: entries}
	if r.layout.Database != nil {
		db, err := r.agent.databases.Store(ctx, r.layout.Database)
		if err != nil {
			return nil, err
		}
		if m.Tables, err = db.Scan(ctx); err != nil {
			return nil, err
		}
	}
	m.Sort()
	return m, nil
}

// elsewhere restores the whole backup: each area into a folder of its name,
// the dump beside them or into another database.
func (r *restoring) elsewhere(ctx context.Context, request RestoreRequest) (*RestoreResult, error) {
	if entries, err := os.ReadDir(request.Into); err == nil && len(entries) > 0 {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "%s is not empty", request.Into).
			WithHint("Name a folder that does not exist yet.")
	}
	var targets []archive.Source
	for _, area := range r.layout.Areas {
		targets = append(targets, archive.Source{Name: area.Name, Dir: filepath.Join(request.Into, area.Name)})
	}
	if r.layout.Database != nil {
		targets = append(targets, archive.Source{Name: databaseFolder, Dir: filepath.Join(request.Into, databaseFolder)})
	}
	for _, target := range targets {
		if err := os.MkdirAll(target.Dir, 0o700); errors.Is(err, fs.ErrPermission) {
			return nil, upkeep.Errorf(upkeep.CodeUnauthorized, "the site's account may not write to %s", request.Into).
				WithHint("Name a folder that this account can reach, such as one below /srv or /var/tmp.")
		} else if err != nil {
			return nil, err
		}
	}
	stats, err := archive.Restore(ctx, r.blobs, r.tree, targets, archive.Options{Polynomial: r.polynomial})
	if err != nil {
		return nil, err
	}
	result := &RestoreResult{Total: int(stats.Changed), Files: stats.Files, Bytes: stats.Written}
	if request.Database == nil {
		return result, nil
	}
	db, err := r.agent.databases.Store(ctx, request.Database)
	if err != nil {
		return nil, err
	}
	return result, db.RestoreInto(ctx, filepath.Join(request.Into, databaseFolder), nil)
}
