package scan

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/cms"
)

// Job is what one account's process is to look through.
type Job struct {
	Starts   []Start   `json:"starts"`
	Deadline time.Time `json:"deadline"`
	Account  uint32    `json:"account"`
	Alone    bool      `json:"alone,omitempty"` // nobody else can be sent: all that can be read is looked through
}

// Start is a folder to begin with.
type Start struct {
	Dir    string `json:"dir"`
	Only   bool   `json:"only,omitempty"`   // not what is below
	Within string `json:"within,omitempty"` // root of the application that it is part of
}

// Answer is what it found.
type Answer struct {
	Discoveries []upkeep.Discovery `json:"discoveries"`
	Others      []Start            `json:"others"` // folders of other accounts, left to them
	Bytes       map[string]int64   `json:"bytes"`  // on disk, by root of the application they belong to
	Cut         []upkeep.Cut       `json:"cut"`
}

// Bounds of what one account is looked through for.
const (
	maxDepth   = 24      // folders below a start
	maxNames   = 100_000 // of a folder
	maxFolders = 1_000_000
	maxCuts    = 1_000 // that are told
	batch      = 1_000
)

// Serve reads a job, walks, and writes the answer.
func Serve(ctx context.Context, in io.Reader, out io.Writer, drivers cms.Drivers) error {
	var job Job
	if err := json.NewDecoder(in).Decode(&job); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(Walk(ctx, job, drivers))
}

// Walk looks through folders, breadth first, and follows no link. It ends by
// the deadline with what it has found until then.
func Walk(ctx context.Context, job Job, drivers cms.Drivers) *Answer {
	ctx, cancel := context.WithDeadline(ctx, job.Deadline)
	defer cancel()
	w := &walk{ctx: ctx, job: job, drivers: drivers, answer: &Answer{Bytes: map[string]int64{}}, seen: map[inode]bool{}, apps: map[string]*discovered{}}
	for _, start := range job.Starts {
		w.queue = append(w.queue, folder{dir: start.Dir, within: start.Within, only: start.Only})
	}
	for len(w.queue) > 0 {
		next := w.queue[0]
		w.queue = w.queue[1:]
		if ctx.Err() != nil || len(w.seen) >= maxFolders {
			why := upkeep.CutTime
			if ctx.Err() == nil {
				why = upkeep.CutCrowded
			}
			w.cutRest(next, why)
			break
		}
		if next.depth == 0 && next.within == "" { // a start inside another one's application
			next.within = around(w.answer.Discoveries, next.dir)
			next.app = w.apps[next.within]
		}
		w.visit(next)
	}
	return w.answer
}

// inode is a folder, whatever it is called.
type inode struct{ dev, ino uint64 }

// folder is one that is to be visited.
type folder struct {
	dir    string
	depth  int
	within string      // root of the application around
	app    *discovered // the same, when this walk found it
	only   bool
}

type walk struct {
	ctx     context.Context
	job     Job
	drivers cms.Drivers
	answer  *Answer
	queue   []folder
	seen    map[inode]bool
	apps    map[string]*discovered // by root
}

// cutRest says of which starts not all was seen.
func (w *walk) cutRest(next folder, why upkeep.CutReason) {
	for _, left := range append([]folder{next}, w.queue...) {
		i := slices.IndexFunc(w.job.Starts, func(s Start) bool { return within(left.dir, s.Dir) })
		cut := upkeep.Cut{Path: left.dir, Why: why}
		if i >= 0 {
			cut.Path = w.job.Starts[i].Dir
		}
		if !slices.Contains(w.answer.Cut, cut) {
			w.cut(cut.Path, why)
		}
	}
}

func (w *walk) cut(dir string, why upkeep.CutReason) {
	if len(w.answer.Cut) < maxCuts {
		w.answer.Cut = append(w.answer.Cut, upkeep.Cut{Path: dir, Why: why})
	}
}

// skipped are folders that are the machine's, or hold what tools fetched or keep
// and nothing that is answered from.
func skipped(dir string) bool {
	return slices.Contains([]string{"/proc", "/sys", "/dev", "/run"}, dir) ||
		slices.Contains([]string{".git", ".svn", ".hg", "node_modules"}, filepath.Base(dir))
}

// visit looks at one folder and queues those in it.
func (w *walk) visit(f folder) {
	// What is a link by now, or a pipe, is not what was queued.
	dir, err := os.OpenFile(f.dir, os.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if errors.Is(err, fs.ErrPermission) {
		w.leave(f)
		return
	}
	if err != nil {
		return
	}
	defer dir.Close()
	var st unix.Stat_t
	if unix.Fstat(int(dir.Fd()), &st) != nil {
		return
	}
	// Root reads nothing that is another's; an account reads all that it may
	// of its own applications.
	if st.Uid != w.job.Account && !w.job.Alone && (w.job.Account == 0 || f.within == "") {
		w.leave(f)
		return
	}
	id := inode{uint64(st.Dev), st.Ino}
	if w.seen[id] {
		return
	}
	w.seen[id] = !f.only // who was only looked at is still walked through
	names, whole := list(dir)
	if !whole {
		w.cut(f.dir, upkeep.CutCrowded)
	}
	if promising(names) || !whole || f.only {
		w.examine(&f)
	}
	if !f.only {
		w.goOn(f, dir, names)
	}
}

// leave has a folder looked through by the account that it belongs to.
func (w *walk) leave(f folder) {
	if len(w.answer.Others) < maxStarts {
		w.answer.Others = append(w.answer.Others, Start{Dir: f.dir, Only: f.only, Within: f.within})
	}
}

// list returns the names in a folder, and whether those are all.
func list(dir *os.File) (names []fs.DirEntry, whole bool) {
	for len(names) < maxNames {
		some, err := dir.ReadDir(batch)
		names = append(names, some...)
		if err != nil {
			return names, true
		}
	}
	return names, false
}

// goOn queues the folders in one, and counts what else is in it.
func (w *walk) goOn(f folder, dir *os.File, names []fs.DirEntry) {
	for _, entry := range names {
		path := filepath.Join(f.dir, entry.Name())
		switch {
		case entry.IsDir() && skipped(path):
		case entry.IsDir() && f.depth >= maxDepth:
			w.cut(f.dir, upkeep.CutDeep)
			return
		case entry.IsDir():
			w.queue = append(w.queue, folder{dir: path, depth: f.depth + 1, within: f.within, app: f.app})
		case f.within != "" && entry.Type().IsRegular():
			var st unix.Stat_t
			if unix.Fstatat(int(dir.Fd()), entry.Name(), &st, unix.AT_SYMLINK_NOFOLLOW) == nil {
				w.answer.Bytes[f.within] += st.Blocks * 512
			}
		}
	}
}

// promising reports whether a folder may be the root of an application.
func promising(names []fs.DirEntry) bool {
	return slices.ContainsFunc(names, func(entry fs.DirEntry) bool {
		name := entry.Name()
		return strings.HasSuffix(name, ".php") && !entry.IsDir() || name == "composer.json" || name == "vendor" || slices.Contains(fronts(), name)
	})
}
