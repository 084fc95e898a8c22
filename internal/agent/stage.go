package agent

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/cms"
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
		gate, err := s.driver.Gate(ctx, s.host, s.layout, s.opened.Token)
		if err == nil {
			err = s.canClose(gate)
		}
		if err != nil {
			return nil, err
		}
		if s.before, err = s.driver.Inventory(ctx, s.host, s.layout); err != nil {
			return nil, err
		}
	}
	if _, done := s.staged[request.Update.Ref()]; done {
		return &StageResult{}, nil
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
	report, err := unpack.Zip(ctx, a.packagePath(request.SHA256), root, unpack.Limits{})
	if err != nil {
		return nil, err
	}
	staged, err := s.driver.Stage(ctx, s.host, s.layout, request.Update, dir)
	if err != nil {
		return nil, err
	}
	for _, move := range staged.Moves {
		if err := canWrite(filepath.Dir(move.To)); err != nil {
			return nil, upkeep.Errorf(upkeep.CodeRefused, "%w", err) // only this update cannot be made
		}
		if err := s.adoptModes(filepath.Join(staged.Dir, move.From), move.To); err != nil {
			return nil, err
		}
	}
	s.staged[request.Update.Ref()] = *staged
	c.progress(upkeep.Progress{Code: "stage", Done: int64(len(s.staged)), Unit: "updates"})
	return &StageResult{Bytes: report.Bytes}, nil
}

func emptyFolder(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Mkdir(dir, 0o700)
}

// adoptModes gives what was unpacked the group and modes of what it replaces,
// or of the folder it goes to when nothing is there yet.
func (s *session) adoptModes(from, to string) error {
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
		mode := file
		if d.IsDir() {
			mode = folder | 0o700
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

// reserve takes space now that an undo may need on a full disk.
func (a *Agent) reserve() (err error) {
	defer upkeep.Wrap(&err, "reserve space")
	f, err := os.OpenFile(a.path("reserve"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	err = unix.Fallocate(int(f.Fd()), 0, 0, reserved)
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = f.Truncate(0)
	}
	if errors.Is(err, unix.ENOSPC) {
		err = upkeep.Errorf(upkeep.CodeNoSpace, "less than %d MB free for the agent", reserved>>20).
			WithHint("Free some space on this file system, then try again.")
	}
	return errors.Join(err, f.Close())
}

func (a *Agent) releaseReserve() error {
	err := os.Remove(a.path("reserve"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
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

// logSizes notes how long the site's PHP logs are now.
func logSizes(layout *cms.Layout, named string) map[string]int64 {
	sizes := map[string]int64{}
	for _, path := range []string{named, layout.Options["php_log"], filepath.Join(layout.Dirs["content"], "debug.log"), filepath.Join(layout.Root, "error_log")} {
		if path == "" || !filepath.IsAbs(path) {
			continue
		}
		sizes[path] = 0
		if info, err := os.Stat(path); err == nil {
			sizes[path] = info.Size()
		}
	}
	return sizes
}

var seriousLine = regexp.MustCompile(`PHP (Fatal error|Parse error)|Uncaught `)

// maxLog is how much of what a log grew by is looked at, its end.
const maxLog = 16 << 20

// logChecks looks for serious errors logged since logSizes.
func logChecks(sizes map[string]int64) []upkeep.Check {
	var checks []upkeep.Check
	for _, path := range slices.Sorted(maps.Keys(sizes)) {
		f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
		if err != nil {
			continue
		}
		check := upkeep.Check{Code: "log", Subject: path}
		check.Got = seriousIn(f, sizes[path])
		check.OK = check.Got == ""
		f.Close()
		checks = append(checks, check)
	}
	return checks
}

// seriousIn returns the first serious error in f after from, "" for none. A
// log that was begun anew is looked at from its start; a line can have any
// length.
func seriousIn(f *os.File, from int64) string {
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	if info.Size() < from {
		from = 0
	}
	from = max(from, info.Size()-maxLog)
	grown := make([]byte, info.Size()-from)
	n, _ := f.ReadAt(grown, from) // what could be read is what there is
	at := seriousLine.FindIndex(grown[:n])
	if at == nil {
		return ""
	}
	begin := bytes.LastIndexByte(grown[:at[0]], '\n') + 1
	line, _, _ := bytes.Cut(grown[max(begin, at[0]-200):n], []byte("\n"))
	return strings.ToValidUTF8(string(line[:min(len(line), 1000)]), "?")
}
