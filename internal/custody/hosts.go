package custody

import (
	"context"
	"errors"
	"io"
	"time"

	"upkeep"
	"upkeep/internal/agent"
	"upkeep/internal/agent/post"
	"upkeep/internal/agent/scan"
)

// Folders looks after folders of a host.
type Folders interface {
	// Find says where a folder really is, and whose.
	Find(ctx context.Context, root string) (*post.Found, error)
	// Make makes a folder that a backup is restored into.
	Make(ctx context.Context, target post.Target) error
	// Scan looks for applications.
	Scan(ctx context.Context, req scan.Request) (*upkeep.Scan, error)
}

// Post starts agents on a host.
type Post interface {
	Folders
	// Start returns a client of an agent by name, which works on root.
	Start(ctx context.Context, name, root string) (*agent.Client, error)
	// Open reports whether the agent of that name has a journal.
	Open(ctx context.Context, name string) (bool, error)
	// Sweep removes leftovers and returns the names of those with a journal.
	Sweep(ctx context.Context) ([]string, error)
}

var (
	_ Post = &post.Local{}
	_ Post = &post.Client{}
)

// Hosts keeps hosts.
type Hosts interface {
	Host(ctx context.Context, id upkeep.HostID) (*upkeep.Host, error)
}

// Remote reaches hosts other than this machine.
type Remote interface {
	// Keys returns the keys that the hops to a host present, until the first
	// that is not among the confirmed fingerprints.
	Keys(ctx context.Context, host *upkeep.Host, confirmed []string) ([]upkeep.HostKey, error)
	// Open returns a stream to where agents are started there.
	Open(ctx context.Context, host *upkeep.Host) (io.ReadWriteCloser, error)
	// Subsystem returns a stream to a subsystem of a host's SSH server.
	Subsystem(ctx context.Context, host *upkeep.Host, name string) (io.ReadWriteCloser, error)
	// Clear removes what is ours there.
	Clear(ctx context.Context, host *upkeep.Host) error
}

// line is what connects us to one host. Whoever has the turn may connect anew.
type line struct {
	turn   chan struct{} // holds one
	client *post.Client
	failed error // of the last try
	at     time.Time
}

// again is how long the answer to one try counts for all who ask: hundreds of
// sites on a host that is down need not each find that out.
const again = 5 * time.Second

// post returns where agents of a host are started.
func (c *Custody) post(ctx context.Context, id upkeep.HostID) (Post, error) {
	if id == 0 {
		return c.Here, nil
	}
	host, err := c.Hosts.Host(ctx, id)
	if err != nil {
		return nil, err
	}
	return c.connect(ctx, host)
}

func (c *Custody) lineTo(id upkeep.HostID) *line {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.lines[id]
	if l == nil {
		l = &line{turn: make(chan struct{}, 1)}
		c.lines[id] = l
	}
	return l
}

func (c *Custody) connect(ctx context.Context, host *upkeep.Host) (*post.Client, error) {
	l := c.lineTo(host.ID)
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-l.turn }()
	if l.client != nil && l.client.Alive() {
		return l.client, nil
	}
	if l.failed != nil && c.Now().Sub(l.at) < again {
		return nil, l.failed
	}
	client, err := c.dial(ctx, host)
	if err != nil && ctx.Err() != nil {
		return nil, err // who asked gave up: that says nothing of the host
	}
	l.client, l.failed, l.at = client, err, c.Now()
	return client, err
}

func (c *Custody) dial(ctx context.Context, host *upkeep.Host) (*post.Client, error) {
	stream, err := c.Remote.Open(ctx, host)
	if err != nil {
		return nil, err
	}
	client, err := post.Over(stream)
	if err != nil {
		return nil, errors.Join(err, stream.Close())
	}
	return client, nil
}

// Close lets go of all hosts. What is open at agents stays open.
func (c *Custody) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var errs []error
	for _, l := range c.lines {
		select {
		case l.turn <- struct{}{}: // for good: nobody connects any more
		default:
			continue // whoever connects now ends with the process
		}
		if l.client != nil {
			errs = append(errs, l.client.Close())
		}
	}
	return errors.Join(errs...)
}

// LetGo closes the connection to a host that is not kept any more.
func (c *Custody) LetGo(ctx context.Context, id upkeep.HostID) error {
	l := c.lineTo(id)
	select {
	case l.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-l.turn }()
	if l.client == nil {
		return nil
	}
	return l.client.Close()
}

// Learn returns the keys that the hops to a host present, until the first
// whose fingerprint is not among confirmed.
func (c *Custody) Learn(ctx context.Context, host *upkeep.Host, confirmed []string) ([]upkeep.HostKey, error) {
	return c.Remote.Keys(ctx, host, confirmed)
}

// Describe asks a host what it is. A host that is not kept yet, without ID, is
// tried without being remembered.
func (c *Custody) Describe(ctx context.Context, host *upkeep.Host) (_ *post.Description, err error) {
	if host.ID != 0 {
		client, err := c.connect(ctx, host)
		if err != nil {
			return nil, err
		}
		return client.Describe(ctx)
	}
	client, err := c.dial(ctx, host)
	if err != nil {
		return nil, err
	}
	described, err := client.Describe(ctx)
	return described, errors.Join(err, client.Close())
}

// Scan looks through a host for applications.
func (c *Custody) Scan(ctx context.Context, host upkeep.HostID, req scan.Request) (*upkeep.Scan, error) {
	at, err := c.post(ctx, host)
	if err != nil {
		return nil, err
	}
	return at.Scan(ctx, req)
}

// Leave ends the agents on a host and removes what is ours there. CodeConflict
// while something is under way there.
func (c *Custody) Leave(ctx context.Context, host *upkeep.Host) error {
	client, err := c.dial(ctx, host)
	if err != nil {
		return err
	}
	err = client.Leave(ctx)
	if err := errors.Join(err, client.Close()); err != nil {
		return err
	}
	return c.Remote.Clear(ctx, host)
}

// shut notes until when a site on another host is frozen at most; the zero
// time says that it is open.
func (c *Custody) shut(ctx context.Context, id upkeep.SiteID, until time.Time) error {
	return c.Sites.UpdateSite(ctx, id, func(s *upkeep.Site) error {
		s.Shut = until
		return nil
	})
}
