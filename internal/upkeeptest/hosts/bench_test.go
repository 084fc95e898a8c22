//go:build bench

package hosts_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/post"
	"upkeep/internal/ssh"
	"upkeep/internal/upkeeptest"
)

// What is allowed on loopback.
const (
	firstContact = 5 * time.Second
	laterContact = 300 * time.Millisecond
)

// A host is reached as a new process does it: nothing is remembered.
func TestBenchHost(t *testing.T) {
	h := upkeeptest.NewHost(t, upkeeptest.AsRoot)
	p := upkeeptest.NewProgram(t)
	program := p.Command(t, "version").Path
	line, err := p.Command(t, "version").Output()
	must(t, err)
	words := strings.Fields(string(line))
	at, err := upkeep.ParseHop(h.URL())
	must(t, err)
	host := &upkeep.Host{Name: "web1", At: at, Mark: "bench"}
	t.Cleanup(func() { _ = os.RemoveAll("/var/lib/upkeep-agent/bench") }) // it may have been cleared
	newReacher := func() *ssh.Reacher {
		return ssh.New(ssh.Config{Program: "/usr/bin/ssh", File: h.Config, Home: t.TempDir(), User: "root",
			Binaries: &ssh.Binaries{Own: program, Arch: runtime.GOARCH}, Greeting: post.Greeting(words[1]), Log: slog.New(slog.DiscardHandler)})
	}
	host.Keys, err = newReacher().Keys(t.Context(), host, []string{h.Fingerprint(t)})
	must(t, err)
	contact := func() time.Duration {
		return clock(func() {
			stream, err := newReacher().Open(t.Context(), host)
			must(t, err)
			client, err := post.Over(stream)
			must(t, err)
			_, err = client.Open(t.Context(), "1")
			must(t, err)
			must(t, client.Close())
		})
	}
	var first, later, scp, shell []time.Duration
	options := []string{"-q", "-F", h.Config, "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"}
	address, port, _ := strings.Cut(h.Addr(), ":")
	for range 3 {
		must(t, newReacher().Clear(t.Context(), host))
		first = append(first, contact())
		scp = append(scp, clock(func() {
			run(t, "scp", append(options, "-O", "-P", port, program, "root@"+address+":"+filepath.Join(h.Dir, "copy"))...)
		}))
		for range 5 {
			later = append(later, contact())
			shell = append(shell, clock(func() { run(t, "ssh", append(options, "-p", port, "root@"+address, "true")...) }))
		}
	}
	t.Logf("first contact %v (scp %v), later %v (ssh %v)", median(first), median(scp), median(later), median(shell))
	if median(first) > firstContact || median(later) > laterContact {
		t.Errorf("first contact %v, later %v: at most %v and %v", median(first), median(later), firstContact, laterContact)
	}
}

func clock(fn func()) time.Duration {
	began := time.Now()
	fn()
	return time.Since(began)
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
