package agent

import (
	"context"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"upkeep"
)

func answers(ctx context.Context, c *Client) bool {
	_, err := c.Status(ctx, nil)
	return err == nil
}

// serveBench runs an agent until the test ends.
func serveBench(t *testing.T, b *bench) (*Agent, *Client) {
	t.Helper()
	a := b.agent(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	c := NewClient(b.dir, os.Geteuid())
	t.Cleanup(c.Close)
	for deadline := time.Now().Add(10 * time.Second); !answers(t.Context(), c); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("no answer")
		}
	}
	return a, c
}

// A worker that slept through the end of its intervention wakes up in
// another's: nothing of what it asks for is done.
func TestHeldClientsTouchOnlyTheirOwn(t *testing.T) {
	b := newBench(t)
	a, c := serveBench(t, b)
	s := b.frozen(t, a)
	c.Hold(2)
	if err := c.Thaw(t.Context()); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("thaw: %v", err)
	}
	if _, err := c.Undo(t.Context()); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("undo: %v", err)
	}
	if !s.frozen() {
		t.Fatal("thawed by a stranger")
	}
	c.Hold(1)
	for _, do := range []func(context.Context) error{c.Thaw, c.Thaw, c.Finish, c.Finish, c.Thaw} {
		if err := do(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	b.gone(t)
}

func TestStrangersAreNotAskedTwice(t *testing.T) {
	b := newBench(t)
	_, c := serveBench(t, b)
	c.http.CloseIdleConnections()
	c.owner++
	_, err := c.Status(t.Context(), nil)
	if upkeep.CodeOf(err) != upkeep.CodeRefused && upkeep.CodeOf(err) != upkeep.CodeUnreachable {
		t.Errorf("got %v", err)
	}
	if info := must[fs.FileInfo](t)(os.Stat(filepath.Join(b.dir, socketName))); info.Mode().Perm() != 0o600 {
		t.Errorf("the socket has mode %v", info.Mode())
	}
}

// Requests of many kinds at once, and a guard that looks meanwhile.
func TestManyAskAtOnce(t *testing.T) {
	b := newBench(t)
	a, c := serveBench(t, b)
	b.open(t, a, 1)
	done := make(chan error, 8)
	for i := range cap(done) {
		go func() {
			var err error
			for range 5 {
				switch i % 4 {
				case 0:
					_, err = c.Status(t.Context(), nil)
				case 1:
					_, err = c.Freeze(t.Context(), 0)
				case 2:
					err = c.Thaw(t.Context())
				case 3:
					_, err = c.Detect(t.Context())
				}
				if err != nil {
					break
				}
			}
			done <- err
		}()
	}
	for range cap(done) {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func TestPackagesAreWhatTheyAreCalled(t *testing.T) {
	b := newBench(t)
	_, c := serveBench(t, b)
	path := filepath.Join(t.TempDir(), "package")
	put(t, path, "content")
	for _, sum := range []string{"../../etc/passwd", "00", strconv.Itoa(http.StatusOK)} {
		if err := c.Send(t.Context(), path, sum); err == nil {
			t.Errorf("accepted as %q", sum)
		}
	}
	const wrong = "0000000000000000000000000000000000000000000000000000000000000000"
	if err := c.Send(t.Context(), path, wrong); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("got %v", err)
	}
	if left := must[[]os.DirEntry](t)(os.ReadDir(filepath.Join(b.dir, "packages"))); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// An agent is in the hands of its site's account: one that is silent, or never
// ends what it says, costs neither a worker nor its memory.
func TestAnAgentThatMisbehavesIsLeft(t *testing.T) {
	behave := map[string]func(conn net.Conn){
		"is silent":  func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) },
		"never ends": func(conn net.Conn) { _, _ = io.Copy(conn, endless{}) },
		"talks aside": func(conn net.Conn) {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Go\r\n")
			_, _ = io.Copy(conn, endless{})
		},
	}
	for name, how := range behave {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			listener := must[net.Listener](t)(listen(dir))
			defer listener.Close()
			go func() {
				for {
					conn, err := listener.Accept()
					if err != nil {
						return
					}
					go how(conn)
				}
			}()
			c := NewClient(dir, os.Geteuid())
			c.glance = 50 * time.Millisecond
			defer c.Close()
			began := time.Now()
			if _, err := c.Detect(t.Context()); upkeep.CodeOf(err) != upkeep.CodeUnreachable {
				t.Errorf("detect: %v", err)
			}
			if err := c.ServeBlobs(t.Context(), &shelf{}); upkeep.CodeOf(err) != upkeep.CodeUnreachable {
				t.Errorf("blobs: %v", err)
			}
			if err := c.Send(t.Context(), os.Args[0], "sum"); upkeep.CodeOf(err) != upkeep.CodeUnreachable {
				t.Errorf("package: %v", err)
			}
			if took := time.Since(began); took > 10*time.Second {
				t.Errorf("left after %v", took)
			}
		})
	}
}

// endless says header after header.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, "X-Header: again\r\n"), nil }
