package agent

import (
	"context"
	"encoding/json"
	"os"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/agent/place"
	"upkeep/internal/cms"
)

// host implements cms.Host for the folders it was made for.
type host struct {
	agent  *Agent
	places *place.Places
}

var _ cms.Host = (*host)(nil)

func (a *Agent) newHost(dirs ...string) *host {
	return &host{agent: a, places: place.New(dirs...)}
}

// Open returns a folder that no path below can leave.
func (h *host) Open(dir string) (*os.Root, error) { return h.places.Open(dir) }

// Query reads from the site's database.
func (h *host) Query(ctx context.Context, config *cms.Database, query string, args ...any) ([][][]byte, error) {
	db, err := h.agent.databases.Store(ctx, config)
	if err != nil {
		return nil, err
	}
	return db.Query(ctx, query, args...)
}

// PHP runs a script of ours with the site's interpreter.
func (h *host) PHP(ctx context.Context, script cms.Script, input, output any) error {
	return h.agent.php.Run(ctx, script, input, output)
}

func stat(path string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Lstat(path, &st)
	return st, err
}

func unmarshal(note json.RawMessage, into any) error {
	if err := json.Unmarshal(note, into); err != nil {
		return upkeep.Errorf(upkeep.CodeDamaged, "journal note: %w", err)
	}
	return nil
}
