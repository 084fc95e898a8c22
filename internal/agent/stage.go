package agent

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/agent/place"
	"upkeep/internal/cms/unpack"
)

// reserved is how much space is kept free for the undo on a full disk.
const reserved = 32 << 20

// opStage unpacks a package on the file system of what it will replace, lets
// the driver check it, and gives it the modes it will need.
func (a *Agent) opStage(ctx context.Context, c *call, request StageRequest) (_ *StageResult, err error) {
	defer upkeep.Wrap(&err, "stage %s", request.Update.Ref())
	s, err := a.working()
	if err != nil {
		return nil, err
	}
	if s.before == nil {
		if err := a.examine(ctx, s); err != nil {
			return nil, err
		}
	}
	if staged, done := s.staged[request.Update.Ref()]; done {
		return &StageResult{Findings: staged.Findings}, nil
	}
	dir := filepath.Join(s.workFor(request.Update.Component.Path), "staged-"+strconv.Itoa(len(s.staged)+1))
	if err := emptyFolder(dir); err != nil {
		return nil, err
	}
	root, err := s.host.Open(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	report, err := unpack.Package(ctx, a.packagePath(request.SHA256), root, unpack.Limits{})
	if err != nil {
		return nil, err
	}
	staged, err := s.driver.Stage(ctx, s.host, s.layout, request.Update, dir)
	if err != nil {
		return nil, err
	}
	for _, move := range staged.Moves {
		if err := place.CanWrite(filepath.Dir(move.To)); err != nil {
			return nil, upkeep.Errorf(upkeep.CodeRefused, "%w", err) // only this update cannot be made
		}
		if err := s.adoptModes(filepath.Join(staged.Dir, move.From), move.To); err != nil {
			return nil, err
		}
	}
	s.staged[request.Update.Ref()] = *staged
	c.progress(upkeep.Progress{Code: "stage", Done: int64(len(s.staged)), Unit: "updates"})
	return &StageResult{Bytes: report.Bytes, Findings: staged.Findings}, nil
}

// examine makes sure, before the first package is unpacked, that the gate can be
// closed and that a backup would be complete, and notes how the site is.
func (a *Agent) examine(ctx context.Context, s *session) error {
	gate, err := s.driver.Gate(ctx, s.host, s.layout, s.opened.Token)
	if err == nil {
		err = s.canClose(gate)
	}
	if err != nil {
		return err
	}
	if s.layout.Database != nil {
		db, err := a.databases.Store(ctx, s.layout.Database)
		if err == nil {
			err = db.SeesAll(ctx)
		}
		if err != nil {
			// Of the site, not of the package: nothing of it is held.
			return upkeep.Errorf(upkeep.CodeConflict, "%w", err).WithHint("%s", upkeep.HintTextOf(err))
		}
	}
	s.before, err = s.driver.Inventory(ctx, s.host, s.layout)
	return err
}

func emptyFolder(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Mkdir(dir, 0o700)
}

// adoptModes gives what was unpacked the group and modes of what it replaces,
// or of the folder it goes to when nothing is there yet. It does so once.
func (s *session) adoptModes(from, to string) error {
	if s.adopted[from] {
		return nil
	}
	s.adopted[from] = true
	model, err := stat(to)
	exact := err == nil
	if errors.Is(err, fs.ErrNotExist) {
		model, err = stat(filepath.Dir(to))
	}
	if err != nil {
		return err
	}
	if model.Mode&unix.S_IFMT == unix.S_IFLNK {
		return upkeep.Errorf(upkeep.CodeRefused, "%s is a link", to)
	}
	folder := os.FileMode(model.Mode & 0o777)
	file := folder & 0o666
	if exact && model.Mode&unix.S_IFMT == unix.S_IFREG {
		folder |= (folder & 0o444) >> 2
	} else if inner, ok := firstFile(to); ok {
		file = inner
	}
	root, err := s.host.Open(filepath.Dir(from))
	if err != nil {
		return err
	}
	defer root.Close()
	return fs.WalkDir(root.FS(), filepath.Base(from), func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type()&fs.ModeSymlink != 0 {
			return nil // has no mode of its own, and may lead to what has
		}
		mode := file
		switch was, err := stat(filepath.Join(to, strings.TrimPrefix(path, filepath.Base(from)))); {
		case d.IsDir():
			mode = folder | 0o700
		case err == nil && was.Mode&unix.S_IFMT == unix.S_IFREG:
			mode = os.FileMode(was.Mode & 0o777) // a script may be executable
		}
		if err := root.Chmod(path, mode|0o400); err != nil {
			return err
		}
		// A group that the owner is not in cannot be given away; then new
		// files have the owner's own, as with any upgrader.
		if err := root.Lchown(path, -1, int(model.Gid)); err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
		return nil
	})
}

// firstFile returns the mode of one regular file directly in dir.
func firstFile(dir string) (os.FileMode, bool) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, false
	}
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
			return info.Mode().Perm(), true
		}
	}
	return 0, false
}

// reserves names the files that keep space free: one in the agent's folder,
// for its journal, and one on each other file system of the site, for what an
// undo has to write there.
func (a *Agent) reserves(s *session) []string {
	files, beside := []string{a.path("reserve")}, []string{a.config.Dir}
	for _, dir := range s.opened.Work {
		if !slices.ContainsFunc(beside, func(other string) bool { return sameDevice(dir, other) }) {
			files, beside = append(files, filepath.Join(dir, "reserve")), append(beside, dir)
		}
	}
	return files
}

// reserve takes space now that an undo may need on a full disk.
func (a *Agent) reserve(s *session) (err error) {
	defer upkeep.Wrap(&err, "reserve space")
	for _, path := range a.reserves(s) {
		if err := place.Reserve(path, reserved); err != nil {
			return err
		}
	}
	return nil
}

func (a *Agent) releaseReserve(s *session) error {
	for _, path := range a.reserves(s) {
		if err := os.Remove(path); err != nil && !gone(err) && !elsewhere(err) {
			return err
		}
	}
	return nil
}

// removeWork removes the folder of what was kept or staged, when it is in
// dir, and puts back dir's time.
func removeWork(dir, name string) error {
	if _, err := os.Lstat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
		return nil // also where dir itself is gone, or may not be listed
	}
	parent, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer parent.Close()
	info, err := parent.Stat(".")
	if err != nil {
		return err
	}
	if err := parent.RemoveAll(name); err != nil {
		return err
	}
	return keepTime(dir, info)
}
