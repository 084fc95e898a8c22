package post

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"upkeep"
	"upkeep/internal/agent"
)

// stale runs an agent as another version of this program would: it says of
// itself what status says, and leaves when it is asked to.
func stale(t *testing.T, p *Local, status agent.Status) (left *atomic.Bool) {
	t.Helper()
	dir := filepath.Join(p.Dir, "1")
	if err := errors.Join(os.MkdirAll(dir, 0o700), os.Chown(dir, os.Geteuid(), os.Getegid())); err != nil {
		t.Fatal(err)
	}
	listener := must[net.Listener](t)(net.Listen("unix", filepath.Join(dir, "agent.sock")))
	t.Cleanup(func() { _ = listener.Close() })
	left = &atomic.Bool{}
	mux := http.NewServeMux()
	mux.HandleFunc("/status", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"result": status})
	})
	server := &http.Server{Handler: mux}
	mux.HandleFunc("/quit", func(w http.ResponseWriter, _ *http.Request) {
		left.Store(true)
		_ = json.NewEncoder(w).Encode(map[string]any{"result": map[string]any{}})
		go server.Close()
	})
	go func() { _ = server.Serve(listener) }()
	return left
}

// An agent of another program makes room, unless an intervention is in its
// hands: then it goes on when it understands us, and is named when it does not.
func TestAgentsOfAnotherVersion(t *testing.T) {
	for name, c := range map[string]struct {
		status agent.Status
		code   upkeep.Code
		leaves bool
	}{
		"the same":                    {agent.Status{Protocol: agent.ProtocolVersion, Program: "/bin/ours"}, "", false},
		"another, idle":               {agent.Status{Protocol: agent.ProtocolVersion, Program: "/bin/old"}, "", true},
		"another, at work":            {agent.Status{Protocol: agent.ProtocolVersion, Program: "/bin/old", Open: true}, "", false},
		"another language, idle":      {agent.Status{Protocol: agent.ProtocolVersion + 1, Program: "/bin/new"}, "", true},
		"an older language, at work":  {agent.Status{Protocol: agent.ProtocolVersion - 1, Program: "/bin/old", Open: true}, upkeep.CodeConflict, false},
		"a newer language, at work":   {agent.Status{Protocol: agent.ProtocolVersion + 1, Program: "/bin/new", Open: true}, upkeep.CodeConflict, false},
		"from before it named itself": {agent.Status{Protocol: agent.ProtocolVersion}, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			p := &Local{Dir: t.TempDir(), Program: "/bin/ours"}
			left := stale(t, p, c.status)
			client := agent.NewClient(filepath.Join(p.Dir, "1"), os.Geteuid())
			defer client.Close()
			ready, err := p.serves(t.Context(), client)
			if c.leaves {
				if ready || err != nil || !left.Load() {
					t.Errorf("ready %v, %v, left %v", ready, err, left.Load())
				}
				return
			}
			if upkeep.CodeOf(err) != c.code || ready != (c.code == "") || left.Load() {
				t.Errorf("ready %v, %v, left %v", ready, err, left.Load())
			}
		})
	}
}
