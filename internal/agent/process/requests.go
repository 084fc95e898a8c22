package process

import (
	"context"
	"log/slog"
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

// servers begin the names of processes that a web server runs PHP in; programs
// those of PHP at large, from the command line too.
var (
	servers  = []string{"php-", "lsphp", "apache2", "httpd"}
	programs = append([]string{"php"}, servers...)
)

// EndRequests ends what still runs code of the site: a probe that hung may
// otherwise write after the undo, and keeps a worker of the pool busy. PHP
// works in the folder of the script it runs, so a worker of our own account
// in a folder for which inside holds is one of them.
func EndRequests(ctx context.Context, inside func(dir string) bool, log *slog.Logger) {
	deadline := time.Now().Add(patience)
	for {
		busy := working(inside, programs)
		if len(busy) == 0 || ctx.Err() != nil {
			return
		}
		if time.Now().After(deadline) {
			end(busy, log)
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// FinishRequests waits until the requests that were under way when the gate
// closed have ended: some write files without ever opening the database. A
// worker that was seen idle once has ended its own; what does not end in time
// is ended.
func FinishRequests(ctx context.Context, inside func(dir string) bool, limit time.Duration, log *slog.Logger) {
	deadline := time.Now().Add(limit)
	for busy := working(inside, servers); len(busy) > 0 && ctx.Err() == nil; {
		if time.Now().After(deadline) {
			end(busy, log)
			return
		}
		time.Sleep(5 * time.Millisecond)
		still := working(inside, servers)
		busy = slices.DeleteFunc(busy, func(pid int) bool { return !slices.Contains(still, pid) })
	}
}

func end(busy []int, log *slog.Logger) {
	log.Warn("ending requests", "processes", busy)
	for _, pid := range busy {
		_ = syscall.Kill(pid, syscall.SIGKILL) // it may have ended by itself
	}
}

// working returns the processes that run a script of the site now, whose
// command begins as one of commands. PHP goes to the folder of a script, and leaves
// it again.
func working(inside func(dir string) bool, commands []string) []int {
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
		if dir, err := os.Readlink(filepath.Join(folder, "cwd")); err == nil && inside(dir) && !awaits(folder) {
			busy = append(busy, pid)
		}
	}
	return busy
}

// accepting are the places in the kernel where a process waits for somebody to
// connect to it.
var accepting = []string{"inet_csk_accept", "unix_accept", "__skb_wait_for_more_packets", "skb_wait_for_more_packets"}

// awaits reports whether a process, of which folder tells, waits for its next
// request: some code leaves a worker in its folder, as Drupal does. Where the
// kernel does not say, it may be at work.
func awaits(folder string) bool {
	place, err := os.ReadFile(filepath.Join(folder, "wchan"))
	return err == nil && slices.Contains(accepting, string(place))
}
