package agent

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/restic/chunker"

	"upkeep"
	"upkeep/internal/agent/engine"
	"upkeep/internal/agent/journal"
	"upkeep/internal/agent/manifest"
	"upkeep/internal/agent/process"
	"upkeep/internal/cms"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive"
)

// undo gives back the state that was secured: moves in reverse, then the
// rows that differ, then, from the vault, files that code of the site
// changed. It ends with the proof: a manifest compared with the one from
// before, made while no code of the site can run. Repeated, it returns the
// same proof.
func (a *Agent) undo(ctx context.Context, s *session, progress func(upkeep.Progress)) (*upkeep.Identity, error) {
	if !s.changed() {
		return s.proof()
	}
	identity, err := a.takeBack(ctx, s, progress)
	if err != nil {
		return nil, err
	}
	return identity, s.note(journal.Undone, identity)
}

// takeBack does what undo says, but for the note that it is done.
func (a *Agent) takeBack(ctx context.Context, s *session, progress func(upkeep.Progress)) (_ *upkeep.Identity, err error) {
	defer upkeep.Wrap(&err, "undo")
	if err := a.releaseReserve(s); err != nil {
		return nil, err
	}
	opened := s.openedByOthers()
	process.EndRequests(ctx, s.holds, a.config.Log)
	if err := s.remakeWork(); err != nil {
		return nil, err
	}
	base := journal.Last(s.journal.Entries(), journal.Secured)
	if base == nil {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "the journal names no state to go back to").
			WithHint("Restore the before-backup with upkeep backup restore.")
	}
	if err := s.revertSince(base.Seq, a.config.Log); err != nil {
		return nil, err
	}
	if err := a.code(s).Forget(ctx); err != nil {
		return nil, err
	}
	// A probe that came in meanwhile still met the code of the trial.
	process.EndRequests(ctx, s.holds, a.config.Log)
	identity, err := a.restoreRest(ctx, s, progress)
	if err == nil && opened {
		identity.Differences = append(identity.Differences, upkeep.Difference{Path: "gate", Change: "opened by somebody: what visitors wrote since may be lost"})
	}
	return identity, err
}

// proof returns what the last undo proved, nil when nothing was ever changed.
func (s *session) proof() (*upkeep.Identity, error) {
	undone := journal.Last(s.journal.Entries(), journal.Undone)
	if undone == nil || len(undone.Note) == 0 {
		return nil, nil
	}
	identity := &upkeep.Identity{}
	return identity, unmarshal(undone.Note, identity)
}

func (s *session) revertSince(seq int, log *slog.Logger) error {
	acts := journal.Standing(s.journal.Entries(), journal.Aside, journal.Gate)
	for i := len(acts) - 1; i >= 0 && acts[i].Seq > seq; i-- {
		if err := s.revert(acts[i], log); err != nil {
			return err
		}
	}
	return nil
}

// restoreRest brings back the database and compares everything.
func (a *Agent) restoreRest(ctx context.Context, s *session, progress func(upkeep.Progress)) (*upkeep.Identity, error) {
	before, lost, err := a.original(ctx, s)
	if err != nil {
		return nil, err
	}
	now := &upkeep.Manifest{}
	if s.layout.Database != nil {
		progress(upkeep.Progress{Code: "undo_database"})
		tables, err := a.restoreDatabase(ctx, s)
		if err != nil && !a.givesUp(ctx, s, err) {
			return nil, err
		}
		if err != nil {
			lost = append(lost, a.lost("database", err))
		}
		now.Tables = tables
		a.asListed(s.layout, before)
	}
	progress(upkeep.Progress{Code: "undo_files"})
	if now.Entries, err = a.scan(ctx, s); err != nil {
		return nil, err
	}
	now.Sort()
	if diffs := before.Compare(now); len(diffs) > 0 {
		// What broke off, or waits for the vault, is tried again: only then are
		// differences the result.
		if err := a.repair(ctx, s, diffs); err != nil && !a.final(s) {
			return nil, err
		}
		if now.Entries, err = a.scan(ctx, s); err != nil {
			return nil, err
		}
		now.Sort()
	}
	diffs := append(lost, before.Compare(now)...)
	return &upkeep.Identity{
		Before: before.Digest(), After: now.Digest(), Differences: diffs[:min(len(diffs), 100)],
	}, nil
}

// original returns the manifest of the state that was secured. When it is
// neither here nor in the vault and time is up, there is nothing to compare
// with: that is a difference too.
func (a *Agent) original(ctx context.Context, s *session) (*upkeep.Manifest, []upkeep.Difference, error) {
	before, err := s.manifest(a.path("manifest"))
	if err == nil {
		return before, nil, nil
	}
	if err = a.fetchSecured(ctx, s, manifestFolder, a.path("manifest"), err); err == nil {
		before, err = s.manifest(a.path("manifest"))
	}
	if err != nil && a.givesUp(ctx, s, err) {
		return &upkeep.Manifest{}, []upkeep.Difference{a.lost("manifest", err)}, nil
	}
	return before, nil, err
}

// manifest reads the manifest in dir, which must be the one that was secured.
func (s *session) manifest(dir string) (*upkeep.Manifest, error) {
	m, err := manifest.Read(dir)
	if err != nil {
		return nil, err
	}
	note, err := s.securedNote()
	if err == nil && note.Manifest != "" && note.Manifest != m.Digest() {
		err = upkeep.Errorf(upkeep.CodeDamaged, "the manifest is not the one that was secured")
	}
	return m, err
}

func (a *Agent) lost(what string, err error) upkeep.Difference {
	a.config.Log.Error("not brought back", "what", what, "error", err)
	return upkeep.Difference{Path: what, Change: err.Error()}
}

// patience is how long database connections that are open at an undo may go on.
const patience = time.Second

// restoreDatabase gives the database back the secured state and returns what
// it then holds; with an error what could be read of it.
func (a *Agent) restoreDatabase(ctx context.Context, s *session) ([]upkeep.Object, error) {
	db, err := a.databases.Store(ctx, s.layout.Database)
	if err != nil {
		return nil, err
	}
	if _, err := db.Drain(ctx, patience); upkeep.CodeOf(err) == upkeep.CodeConflict {
		// Of neighbours, or of somebody with more rights than we have: those
		// that were there when the site froze did not hinder us then.
		a.config.Log.Warn("undoing beside others", "error", err)
	} else if err != nil {
		return nil, err
	}
	objects, err := db.Restore(ctx, a.dumpDir(), nil)
	switch upkeep.CodeOf(err) {
	case upkeep.CodeDamaged, upkeep.CodeNotFound:
		if err = a.fetchSecured(ctx, s, databaseFolder, a.dumpDir(), err); err == nil {
			objects, err = db.Restore(ctx, a.dumpDir(), nil)
		}
	case upkeep.CodeNotIdentical:
		objects, err = db.Restore(ctx, a.dumpDir(), nil)
	}
	if upkeep.CodeOf(err) == upkeep.CodeUnauthorized { // it has let us in: nobody brings it more rights
		err = upkeep.Errorf(upkeep.CodeNotIdentical, "%w", err)
	}
	if err == nil || !a.givesUp(ctx, s, err) {
		return objects, err
	}
	found, scanErr := db.Scan(ctx)
	return found, errors.Join(err, scanErr)
}

// fetchSecured brings what was secured in the agent's own folder back from the
// vault, because of what is the matter here.
func (a *Agent) fetchSecured(ctx context.Context, s *session, name, dir string, because error) (err error) {
	defer func() {
		if err != nil { // whether the vault can be reached says nothing of the database
			err = upkeep.Errorf(upkeep.CodeDamaged, "%w; from the vault: %s", because, err)
		}
	}()
	a.config.Log.Warn("fetching from the vault", "what", name, "because", because)
	blobs, err := a.currentBlobs()
	if err != nil {
		return err
	}
	note, err := s.securedNote()
	if err != nil {
		return err
	}
	tree, err := vault.ParseID(note.Tree)
	if err != nil {
		return err
	}
	if err := emptyFolder(dir); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, repairTime)
	defer cancel()
	_, err = archive.Restore(ctx, blobs, tree, []archive.Source{{Name: name, Dir: dir}}, archive.Options{Polynomial: chunker.Pol(note.Polynomial)})
	return err
}

// givesUp reports whether the site is to be opened although err kept it from
// being brought back, as an incident: what only a person can change is not
// waited for, all else until the deadline. A database that does not answer is:
// then the site could show nothing anyway.
func (a *Agent) givesUp(ctx context.Context, s *session, err error) bool {
	switch upkeep.CodeOf(err) {
	case upkeep.CodeUnreachable, upkeep.CodeInterrupted:
		return false
	case upkeep.CodeNotIdentical:
		return true
	}
	return ctx.Err() == nil && a.final(s)
}

func (a *Agent) scan(ctx context.Context, s *session) ([]upkeep.Entry, error) {
	note, err := s.securedNote()
	if err != nil {
		return nil, err
	}
	r := &reading{
		agent: a, layout: s.layout, seen: a.view(s), polynomial: chunker.Pol(note.Polynomial),
		progress: func(upkeep.Progress) {},
	}
	r.seen.database(s.layout, "")
	return archive.Scan(ctx, sources(s.layout), r.options())
}

// repair brings differing files back from the vault. Its error is that this
// broke off or that the vault is not connected, CodeUnreachable: it can be
// tried again. What stays different for another reason shows in the proof.
func (a *Agent) repair(ctx context.Context, s *session, diffs []upkeep.Difference) error {
	var paths [][]byte
	for _, diff := range diffs {
		if s.ofFile(diff) {
			paths = append(paths, []byte(diff.Path))
		}
	}
	note, unread := s.securedNote()
	tree, err := vault.ParseID(note.Tree)
	if len(paths) == 0 || unread != nil || err != nil {
		return nil
	}
	blobs, err := a.currentBlobs()
	if err != nil {
		return upkeep.Errorf(upkeep.CodeUnreachable, "%s is to be brought back: %w", diffs[0].Path, err)
	}
	seen := a.view(s)
	seen.database(s.layout, "")
	// A control plane that hangs must not keep the site frozen.
	ctx, cancel := context.WithTimeout(ctx, repairTime)
	defer cancel()
	_, err = archive.Restore(ctx, blobs, tree, sources(s.layout), archive.Options{
		Polynomial: chunker.Pol(note.Polynomial), Only: paths, InPlace: true, Sync: true,
		Memory: a.memory, Exclude: seen.keep, Instead: seen.instead, Attributes: seen.folders,
	})
	if err != nil {
		a.config.Log.Error("repair from the vault", "error", err)
	}
	switch {
	case errors.Is(err, context.Canceled), upkeep.CodeOf(err) == upkeep.CodeInterrupted:
		return err
	case err != nil && blobs.Err() != nil:
		return upkeep.Errorf(upkeep.CodeUnreachable, "%s is to be brought back: %w", diffs[0].Path, err)
	}
	return nil
}

// ofFile reports whether a difference is one of files, which the vault holds.
func (s *session) ofFile(diff upkeep.Difference) bool {
	name, _, _ := strings.Cut(diff.Path, "/")
	return slices.ContainsFunc(s.opened.Layout.Areas, func(area cms.Area) bool { return area.Name == name })
}

// repairTime bounds what the vault is waited for.
const repairTime = 5 * time.Minute

func (s *session) securedNote() (note secured, err error) {
	return note, unmarshal(journal.Last(s.journal.Entries(), journal.Secured).Note, &note)
}

// keep excludes from a restore what our gate put there or keeps aside, and
// what is the database's.
func (v *view) keep(source string, path []byte) bool {
	_, gated := v.instead[source+"/"+string(path)]
	return gated || v.spare(source, path)
}

// spare excludes from a restore what is the database's.
func (v *view) spare(source string, path []byte) bool {
	return v.owned[source+"/"+string(path)] || v.exclude(source, path)
}

// asListed gives the files of a database, and their folders, the modes and times
// that a manifest says: the site's own use of it changed them. What cannot be
// set shows when the manifests are compared.
func (a *Agent) asListed(layout *cms.Layout, before *upkeep.Manifest) {
	listed := func(path string) *upkeep.Entry {
		name, _ := cms.NameOf(layout.Areas, path)
		return before.Entry(name)
	}
	for path, copied := range engine.Files(layout.Database, "") {
		file, folder := listed(path), listed(filepath.Dir(path))
		if copied == "" || file == nil || folder == nil {
			continue
		}
		spot, err := a.layoutHost(layout).places.Find(path)
		if err == nil {
			err = errors.Join(spot.SetMode(file.Mode), spot.SetTime(file.MTime), spot.SetFolderTime(folder.MTime), spot.Close())
		}
		if err != nil {
			a.config.Log.Warn("attributes of the database's file", "path", path, "error", err)
		}
	}
}
