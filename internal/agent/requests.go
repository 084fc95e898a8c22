package agent

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience is how long requests that are under way at an undo may end by
// themselves.
const patience = time.Second

// endRequests ends the web requests that still run code of the site: a probe
// that hung may otherwise write after the undo, and keeps a worker of the
// pool busy. PHP works in the folder of the script it runs, so a worker in a
// folder of the site, of our own account, is one of them.
func (a *Agent) endRequests(ctx context.Context, s *session) {
	deadline := time.Now().Add(patience)
	for {
		busy := s.requests("php", "lsphp")
		if len(busy) == 0 || ctx.Err() != nil {
			return
		}
		if time.Now().After(deadline) {
			a.config.Log.Warn("ending requests", "processes", busy)
			for _, pid := range busy {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
			}
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// finishRequests waits until the requests that were under way when the gate
// closed have ended: some write files without ever opening the database. A
// worker that was seen idle once has ended its own; what does not end in time
// is ended.
func (a *Agent) finishRequests(ctx context.Context, s *session, limit time.Duration) {
	deadline := time.Now().Add(limit)
	for busy := s.requests("php-", "lsphp"); len(busy) > 0 && ctx.Err() == nil; {
		if time.Now().After(deadline) {
			a.config.Log.Warn("ending requests", "processes", busy)
			for _, pid := range busy {
				_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
			}
			return
		}
		time.Sleep(5 * time.Millisecond)
		still := s.requests("php-", "lsphp")
		busy = slices.DeleteFunc(busy, func(pid int) bool { return !slices.Contains(still, pid) })
	}
}

// requests returns the PHP processes that run a script of the site now,
// whose command begins as one of commands.
func (s *session) requests(commands ...string) []int {
	var busy []int
	folders, _ := filepath.Glob("/proc/[0-9]*") // the pattern is valid
	for _, folder := range folders {
		pid, err := strconv.Atoi(filepath.Base(folder))
		if err != nil || pid == os.Getpid() {
			continue
		}
		name, err := os.ReadFile(filepath.Join(folder, "comm"))
		if err != nil || !slices.ContainsFunc(commands, func(c string) bool { return strings.HasPrefix(string(name), c) }) {
			continue
		}
		// Of other accounts' processes the link cannot be read.
		if dir, err := os.Readlink(filepath.Join(folder, "cwd")); err == nil && s.area(dir) != nil {
			busy = append(busy, pid)
		}
	}
	return busy
}
