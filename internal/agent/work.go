package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/agent/journal"
	"upkeep/internal/agent/place"
	"upkeep/internal/cms"
)

// work implements cms.Work: changes of a frozen site, journaled.
type work struct {
	*host
	s *session
}

var _ cms.Work = (*work)(nil)

// Swap puts source in the place of target and keeps what was there.
func (w *work) Swap(ctx context.Context, target, source string) (err error) {
	defer upkeep.Wrap(&err, "swap %s", target)
	if err := ctx.Err(); err != nil {
		return err
	}
	if w.s.swapped(target, source) {
		return nil
	}
	if err := w.s.adoptModes(source, target); err != nil { // what was not there yet when its update was staged
		return err
	}
	if err := w.s.put(journal.Aside, target, source); err != nil {
		return err
	}
	return w.s.closeGateBelow(target)
}

// Remove takes target away and keeps it.
func (w *work) Remove(ctx context.Context, target string) (err error) {
	defer upkeep.Wrap(&err, "remove %s", target)
	if err := ctx.Err(); err != nil {
		return err
	}
	spot, err := w.s.host.places.Find(target)
	if upkeep.CodeOf(err) == upkeep.CodeNotFound || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	inode, err := spot.Inode()
	if err := errors.Join(err, spot.Close()); err != nil || inode == 0 {
		return err
	}
	return w.s.put(journal.Aside, target, "")
}

// swapped reports whether source already is at target: the step is repeated.
func (s *session) swapped(target, source string) bool {
	for _, e := range journal.Standing(s.journal.Entries(), journal.Aside) {
		if e.Target == target && e.Source == source {
			inode, err := s.inode(target)
			return err == nil && inode == e.New
		}
	}
	return false
}

func (s *session) inode(path string) (uint64, error) {
	spot, err := s.host.places.Find(path)
	if err != nil {
		return 0, err
	}
	inode, err := spot.Inode()
	return inode, errors.Join(err, spot.Close())
}

// put journals and does one exchange: what is at target goes to a kept place
// and source, when not "", takes its place.
func (s *session) put(op journal.Op, target, source string) (err error) {
	e := journal.Entry{Op: op, Target: target, Source: source}
	spot, err := s.host.places.Find(target)
	if err != nil {
		return err
	}
	defer spot.Close()
	if e.Old, err = spot.Inode(); err != nil {
		return err
	}
	if e.MTime, err = spot.FolderTime(); err != nil {
		return err
	}
	if source != "" {
		if e.New, err = s.inode(source); err != nil {
			return err
		}
		if e.New == 0 {
			return upkeep.Errorf(upkeep.CodeNotFound, "%s is not staged", source)
		}
	}
	if e.Old != 0 {
		e.Kept = filepath.Join(s.workFor(target), "kept-"+strconv.Itoa(len(s.journal.Entries())+1))
	}
	if e, err = s.journal.Write(e); err != nil {
		return err
	}
	return s.lifted(target, func() error { return s.perform(spot, e) })
}

// perform does what e announces.
func (s *session) perform(spot *place.Spot, e journal.Entry) error {
	if e.Kept != "" {
		if err := s.move(spot, e.Kept); err != nil {
			return err
		}
	}
	if e.Source == "" {
		return nil
	}
	source, err := s.host.places.Find(e.Source)
	if err != nil {
		return err
	}
	defer source.Close()
	return source.MoveTo(spot)
}

func (s *session) move(from *place.Spot, to string) error {
	spot, err := s.host.places.Find(to)
	if err != nil {
		return err
	}
	defer spot.Close()
	return from.MoveTo(spot)
}

// revert takes e back from whatever point it reached, and says so in the
// journal. What somebody else took away cannot be moved back: the comparison
// that follows an undo finds it, and no site stays frozen for it.
func (s *session) revert(e journal.Entry, log *slog.Logger) (err error) {
	defer upkeep.Wrap(&err, "take back %s", e.Target)
	err = s.lifted(e.Target, func() error { return s.putBack(e) })
	if elsewhere(err) {
		log.Error("not moved back", "path", e.Target, "error", err)
		err = nil
	}
	if err != nil {
		return err
	}
	_, err = s.journal.Write(journal.Entry{Op: journal.Reverted, Of: e.Seq})
	return err
}

func (s *session) putBack(e journal.Entry) error {
	spot, err := s.host.places.Find(e.Target)
	if err != nil {
		return err
	}
	defer spot.Close()
	now, err := spot.Inode()
	if err != nil {
		return err
	}
	if now != 0 && now != e.Old {
		if err := s.move(spot, s.exit(e, now)); err != nil {
			return err
		}
		now = 0
	}
	if e.Old != 0 && now == 0 {
		kept, err := s.host.places.Find(e.Kept)
		if err != nil {
			return err
		}
		defer kept.Close()
		if err := kept.MoveTo(spot); err != nil {
			return err
		}
	}
	return spot.SetFolderTime(s.folderTime(e))
}

// folderTime is the time that e's folder had, or has by what was committed.
func (s *session) folderTime(e journal.Entry) int64 {
	commit := journal.Last(s.journal.Entries(), journal.Commit)
	if commit == nil || len(commit.Note) == 0 {
		return e.MTime
	}
	kept := committed{}
	if err := unmarshal(commit.Note, &kept); err != nil {
		return e.MTime
	}
	if mtime, ok := kept.FolderTimes[e.Target]; ok {
		return mtime
	}
	return e.MTime
}

// committed is the note of a Commit entry.
type committed struct {
	// FolderTimes are, by a gate file's path, the times of folders that a
	// restore in place has changed.
	FolderTimes map[string]int64 `json:"folder_times,omitempty"`
}

// elsewhere reports whether err says that something is not where it was: gone,
// or behind a link that somebody put there.
func elsewhere(err error) bool {
	return err != nil && (gone(err) || upkeep.CodeOf(err) == upkeep.CodeRefused ||
		errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP))
}

// remakeWork makes the folders again that somebody removed, so that what
// stands in the way has somewhere to go.
func (s *session) remakeWork() error {
	for _, dir := range s.opened.Work {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := makeUnseen(filepath.Dir(dir), filepath.Base(dir)); err != nil && !gone(err) {
			return err
		}
	}
	return nil
}

// exit is where what now stands at e's target goes: back to where it was
// staged or, when the site put something else there, out of the way.
func (s *session) exit(e journal.Entry, now uint64) string {
	if now == e.New {
		if there, err := s.inode(e.Source); err == nil && there == 0 {
			return e.Source
		}
	}
	return filepath.Join(s.workFor(e.Target), "stray-"+strconv.Itoa(e.Seq)+"-"+strconv.FormatUint(now, 10))
}

// lifted runs change while the folder of path, and path itself when it is a
// folder that moves, have the modes they had before the gate closed them, and
// can be written to.
func (s *session) lifted(path string, change func() error) (err error) {
	for _, e := range journal.Standing(s.journal.Entries(), journal.Mode) {
		if e.Target != filepath.Dir(path) && e.Target != path {
			continue
		}
		// Between the two moves of an exchange nothing is there.
		if err := s.setMode(e.Target, e.From|unix.S_IWUSR); err != nil && !elsewhere(err) {
			return err
		}
		defer func() {
			if back := s.setMode(e.Target, e.To); back != nil && !elsewhere(back) {
				err = errors.Join(err, back)
			}
		}()
	}
	return change()
}

func (s *session) setMode(path string, mode uint32) error {
	spot, err := s.host.places.Find(path)
	if err != nil {
		return err
	}
	defer spot.Close()
	return spot.SetMode(mode)
}

// area returns the area that holds path.
func (s *session) area(path string) *cms.Area {
	for i := range s.opened.Layout.Areas {
		area := &s.opened.Layout.Areas[i]
		if path == area.Dir || strings.HasPrefix(path, area.Dir+"/") {
			return area
		}
	}
	return nil
}

// holds reports whether dir is the site's.
func (s *session) holds(dir string) bool { return s.area(dir) != nil }

// workFor is the folder on the file system of path where what is staged or
// kept waits.
func (s *session) workFor(path string) string {
	if area := s.area(path); area != nil {
		return s.opened.Work[area.Name]
	}
	return s.opened.Work[s.opened.Layout.Areas[0].Name]
}

// isFolder reports whether path is a folder, not a link to one.
func isFolder(path string) bool {
	st, err := stat(path)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}
