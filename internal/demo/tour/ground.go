package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/demo"
)

// ground is the folder of a demonstration and what lies in it.
type ground struct {
	Dir   string   // absolute
	State string   // of the application
	note  *os.File // demonstration.json, locked as long as somebody works here
}

// noteName is the file that makes a folder one of ours.
const noteName = "demonstration.json"

// groundNote is what demonstration.json says. The mirror keeps its address as long as
// the demonstration is there.
type groundNote struct {
	Mirror string `json:"mirror,omitempty"` // host and port
}

func groundAt(dir string) *ground { return &ground{Dir: dir, State: filepath.Join(dir, "state")} }

func (g *ground) world() string    { return filepath.Join(g.Dir, "world") }
func (g *ground) mirror() string   { return filepath.Join(g.Dir, "mirror") }
func (g *ground) packages() string { return filepath.Join(g.Dir, "packages") }
func (g *ground) agents() string   { return g.State + "-agents" }

// take makes the folder ours. CodeConflict when it holds something else, or
// another process works in it.
func (g *ground) take() (err error) {
	defer upkeep.Wrap(&err, "demonstration in %s", g.Dir)
	if err := g.vacant(); err != nil {
		return err
	}
	mode := os.FileMode(0o700)
	if os.Geteuid() == 0 { // the sites' account passes through
		mode = 0o711
	}
	if err := os.MkdirAll(g.Dir, mode); err != nil {
		return err
	}
	if err := os.Chmod(g.Dir, mode); err != nil {
		return err
	}
	g.note, err = os.OpenFile(filepath.Join(g.Dir, noteName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(g.note.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		g.leave()
		return upkeep.Errorf(upkeep.CodeConflict, "another demonstration is at work there").WithHint("Wait for its end, or interrupt it.")
	}
	return nil
}

// vacant reports whether the folder is missing, empty, or ours already.
func (g *ground) vacant() error {
	entries, err := os.ReadDir(g.Dir)
	if errors.Is(err, os.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	if _, err := os.Lstat(filepath.Join(g.Dir, noteName)); err != nil {
		return upkeep.Errorf(upkeep.CodeConflict, "the folder holds something else").WithHint("Name an empty or a new folder with --dir.")
	}
	return nil
}

// leave lets others work in the folder.
func (g *ground) leave() { _ = g.note.Close() }

func (g *ground) remember(note groundNote) error {
	text, err := json.Marshal(note)
	if err != nil {
		return err
	}
	if err := g.note.Truncate(0); err != nil {
		return err
	}
	_, err = g.note.WriteAt(text, 0)
	return err
}

func (g *ground) recall() (note groundNote) {
	text, err := os.ReadFile(filepath.Join(g.Dir, noteName))
	if err == nil {
		_ = json.Unmarshal(text, &note) // an interrupted write: no mirror had been started
	}
	return note
}

// clear ends every process of an earlier demonstration and deletes what it
// left, but for the WordPress packages, which are the same for the next one.
func (g *ground) clear(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "clear %s", g.Dir)
	if err := g.unserved(ctx); err != nil {
		return err
	}
	if err := endAgents(ctx, g.agents()); err != nil {
		return err
	}
	if err := g.removeWorld(ctx); err != nil {
		return err
	}
	for _, dir := range []string{g.world(), g.State, g.agents(), g.mirror()} {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return err
}

func (g *ground) removeWorld(ctx context.Context) error {
	if !demo.Exists(g.world()) {
		return nil
	}
	world, err := demo.Open(g.world(), demo.Options{})
	if err != nil {
		return err
	}
	if err := g.mirrorOf(world, g.recall().Mirror).Stop(ctx); err != nil {
		return err
	}
	return world.Remove(ctx)
}

// unserved refuses to pull the ground from under a server that the user
// started to try things.
func (g *ground) unserved(ctx context.Context) error {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(g.State, "upkeep.sock"))
	if err != nil {
		return nil // nobody answers
	}
	_ = conn.Close() // only asked whether somebody listens
	return upkeep.Errorf(upkeep.CodeConflict, "upkeep serve runs on its state folder").WithHint("Stop it first.")
}

// agentPatience is how long an agent may take to end by itself.
const agentPatience = 5 * time.Second

// endAgents ends the agents that work in a folder, gently first.
func endAgents(ctx context.Context, dir string) error {
	until := time.Now().Add(agentPatience)
	signal := syscall.SIGTERM
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	told := map[int]bool{}
	for {
		left := agentsIn(dir)
		if len(left) == 0 {
			return nil
		}
		if signal == syscall.SIGTERM && time.Now().After(until) {
			signal, told = syscall.SIGKILL, map[int]bool{}
		}
		for _, pid := range left {
			if told[pid] {
				continue
			}
			told[pid] = true
			if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("end agent %d: %w", pid, err)
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// agentsIn returns the processes "… agent guard|run DIR ROOT" with DIR below
// dir.
func agentsIn(dir string) []int {
	found, _ := filepath.Glob("/proc/[0-9]*/cmdline") // the pattern is valid
	var pids []int
	for _, path := range found {
		line, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		args := bytes.Split(line, []byte{0})
		if len(args) < 4 || string(args[1]) != "agent" || !strings.HasPrefix(string(args[3]), dir+"/") {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
