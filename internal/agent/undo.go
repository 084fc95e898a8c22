package agent

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/restic/chunker"

	"upkeep"
	"upkeep/internal/agent/journal"
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
	if err := a.releaseReserve(); err != nil {
		return nil, err
	}
	a.endRequests(ctx, s)
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
	if err := a.resetCode(ctx, s); err != nil {
		return nil, err
	}
	return a.restoreRest(ctx, s, progress)
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
	before, err := readManifest(a.path("manifest"))
	if err != nil {
		return nil, err
	}
	now := &upkeep.Manifest{}
	if s.layout.Database != nil {
		progress(upkeep.Progress{Code: "undo_database"})
		db, err := a.database(ctx, s.layout.Database)
		if err != nil {
			return nil, err
		}
		if _, err := db.Drain(ctx, patience); err != nil {
			return nil, err
		}
		stats, err := db.Restore(ctx, a.dumpDir(), nil)
		if err != nil {
			return nil, err
		}
		now.Tables = stats.Objects
	}
	progress(upkeep.Progress{Code: "undo_files"})
	if now.Entries, err = a.scan(ctx, s); err != nil {
		return nil, err
	}
	now.Sort()
	if diffs := before.Compare(now); len(diffs) > 0 && a.repair(ctx, s, diffs) {
		if now.Entries, err = a.scan(ctx, s); err != nil {
			return nil, err
		}
		now.Sort()
	}
	diffs := before.Compare(now)
	return &upkeep.Identity{
		Before: before.Digest(), After: now.Digest(), Differences: diffs[:min(len(diffs), 100)],
	}, nil
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
	return archive.Scan(ctx, sources(s.layout), r.options())
}

// repair brings differing files back from the vault, when it is connected.
// It reports whether it did; if not the differences stay in the proof.
func (a *Agent) repair(ctx context.Context, s *session, diffs []upkeep.Difference) bool {
	blobs, err := a.currentBlobs()
	if err != nil {
		return false
	}
	note, err := s.securedNote()
	if err != nil {
		return false
	}
	tree, err := vault.ParseID(note.Tree)
	if err != nil {
		return false
	}
	var paths [][]byte
	for _, diff := range diffs {
		if !strings.HasPrefix(diff.Path, "table ") {
			paths = append(paths, []byte(diff.Path))
		}
	}
	seen := a.view(s)
	// A control plane that hangs must not keep the site frozen.
	ctx, cancel := context.WithTimeout(ctx, repairTime)
	defer cancel()
	_, err = archive.Restore(ctx, blobs, tree, sources(s.layout), archive.Options{
		Polynomial: chunker.Pol(note.Polynomial), Only: paths, InPlace: true,
		Memory: a.memory, Exclude: seen.keep, Instead: seen.instead, Attributes: seen.folders,
	})
	if err != nil {
		a.config.Log.Error("repair from the vault", "error", err)
	}
	return err == nil
}

// repairTime bounds what the vault is waited for.
const repairTime = 5 * time.Minute

func (s *session) securedNote() (note secured, err error) {
	return note, unmarshal(journal.Last(s.journal.Entries(), journal.Secured).Note, &note)
}

// keep excludes from a restore what our gate put there or keeps aside.
func (v *view) keep(source string, path []byte) bool {
	_, gated := v.instead[source+"/"+string(path)]
	return gated || v.exclude(source, path)
}
