package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"upkeep"
	"upkeep/internal/demo/proc"
)

// Server is a process with workers: PHP or the web server. The process leads
// a group of its own, so that all of it can be ended at once.
type Server struct {
	Name string // "php-fpm", "nginx"

	argv     []string
	config   string // its path stands in the command line and tells ours from a stranger's
	socket   string // removed before each start, "" when it has none
	dir      string // holds its log and pid file
	files    string // what these are named after
	as       *syscall.Credential
	detached bool
	ready    func(context.Context) error // nil when it answers
}

// Start starts the server unless it runs, and waits until it answers.
func (s *Server) Start(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "start %s", s.Name)
	if s.PID() != 0 {
		return s.waitReady(ctx, nil)
	}
	// Workers may outlive a killed master and would keep its ports.
	if err := s.Kill(ctx); err != nil {
		return err
	}
	if s.socket != "" {
		if err := os.Remove(s.socket); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	log, err := os.OpenFile(s.logFile(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	if s.as != nil { // PHP opens it again by itself
		if err := log.Chown(int(s.as.Uid), int(s.as.Gid)); err != nil {
			return err
		}
	}
	cmd := exec.Command(s.argv[0], s.argv[1:]...) // not bound to ctx: it bounds the start, not the server
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: s.as, Setsid: true}
	if !s.detached {
		cmd.SysProcAttr.Pdeathsig = syscall.SIGTERM // the master then ends its workers
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	note, err := proc.Identity(cmd.Process.Pid)
	if err != nil {
		return err
	}
	if err := os.WriteFile(s.pidFile(), []byte(note), 0o600); err != nil {
		return err
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }() // how it ended stands in its log
	return s.waitReady(ctx, exited)
}

// Stop ends the server and its workers in good order, after five seconds by force.
func (s *Server) Stop(ctx context.Context) error {
	if pid := s.PID(); pid != 0 {
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("stop %s %d: %w", s.Name, pid, err)
		}
		gentle, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if s.waitGone(gentle) == nil {
			return nil
		}
	}
	return s.Kill(ctx)
}

// Kill ends the server and all its workers with SIGKILL, as a crash would,
// and waits for their end.
func (s *Server) Kill(ctx context.Context) error {
	for _, pid := range s.group() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill %s %d: %w", s.Name, pid, err)
		}
	}
	return s.waitGone(ctx)
}

// KillMaster ends the first process alone with SIGKILL; its workers live on
// until the next Start or Stop.
func (s *Server) KillMaster() error { return syscall.Kill(s.PID(), syscall.SIGKILL) }

// KillWorkers ends the workers with SIGKILL, and with them every request in
// flight. The server replaces them.
func (s *Server) KillWorkers() error {
	for _, pid := range s.Workers() {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("kill %s worker %d: %w", s.Name, pid, err)
		}
	}
	return nil
}

// Restart stops the server in good order and starts it again.
func (s *Server) Restart(ctx context.Context) error {
	if err := s.Stop(ctx); err != nil {
		return err
	}
	return s.Start(ctx)
}

// PID returns the first process, 0 when it does not run.
func (s *Server) PID() int {
	pid := s.remembered()
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil || !bytes.Contains(line, []byte(s.config)) {
		return 0
	}
	return pid
}

// Workers returns the processes that the first one made.
func (s *Server) Workers() []int {
	var workers []int
	master := s.remembered()
	for _, pid := range s.group() {
		if pid != master {
			workers = append(workers, pid)
		}
	}
	return workers
}

// Log returns what the server wrote to its log.
func (s *Server) Log() string {
	text, _ := os.ReadFile(s.logFile()) // no log yet reads as an empty one
	return string(text)
}

// remove deletes what a stopped server leaves.
func (s *Server) remove() error {
	var err error
	for _, file := range []string{s.config, s.logFile(), s.pidFile()} {
		if gone := os.Remove(file); !errors.Is(gone, os.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	return err
}

func (s *Server) logFile() string { return filepath.Join(s.dir, s.files+".log") }
func (s *Server) pidFile() string { return filepath.Join(s.dir, s.files+".started") }

// remembered returns the process that was started last, -1 when its number
// belongs to a stranger by now. A number is not given away while processes of
// its group live, so one without a process may still name our group.
func (s *Server) remembered() int {
	text, err := os.ReadFile(s.pidFile())
	if err != nil {
		return -1
	}
	var pid int
	var started, boot string
	if _, err := fmt.Sscan(string(text), &pid, &started, &boot); err != nil {
		return -1
	}
	now, err := proc.Identity(pid)
	if errors.Is(err, os.ErrNotExist) && boot == proc.Boot() || now == string(text) {
		return pid
	}
	return -1
}

// group returns the living processes of the server's group. Those that have
// ended but were not collected by their parent do not count.
func (s *Server) group() []int {
	leader := s.remembered()
	if leader <= 0 {
		return nil
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var members []int
	for _, entry := range entries {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + entry.Name() + "/stat")
		if err != nil {
			continue
		}
		// After the program's name in brackets: state, parent, group.
		_, rest, _ := strings.Cut(string(stat), ") ")
		fields := strings.Fields(rest)
		if len(fields) >= 3 && fields[0] != "Z" && fields[2] == strconv.Itoa(leader) {
			members = append(members, pid)
		}
	}
	return members
}

func (s *Server) waitGone(ctx context.Context) error {
	return poll(ctx, func() error {
		if left := s.group(); len(left) > 0 {
			return fmt.Errorf("%s processes %v still run", s.Name, left)
		}
		return nil
	})
}

func (s *Server) waitReady(ctx context.Context, exited <-chan struct{}) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startLimit, errors.New("no answer within a minute"))
	defer cancel()
	if exited != nil {
		go func() {
			select {
			case <-exited:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	if err := poll(ctx, func() error { return s.ready(ctx) }); err != nil {
		return upkeep.Errorf(upkeep.CodeUnreachable, "%s does not answer: %w: %s", s.Name, err, lastLines(s.Log(), 5)).
			WithHint("Read %s.", s.logFile())
	}
	return nil
}

// poll calls ask until it returns nil or ctx ends, and returns its last error.
func poll(ctx context.Context, ask func() error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ask()
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-tick.C:
		}
	}
}
