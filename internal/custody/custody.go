// Package custody has sites in its keeping: it reaches their agents, moves
// their backups between agent and vault, and proves them. Interventions and
// the API both work through it.
package custody

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"

	"upkeep"
	"upkeep/internal/agent"
	"upkeep/internal/agent/post"
	"upkeep/internal/cms"
	"upkeep/internal/vault"
	"upkeep/internal/vault/pace"
	"upkeep/internal/verify"
)

// Sites keeps sites and, sealed, how to reach what they keep where.
type Sites interface {
	Site(ctx context.Context, id upkeep.SiteID) (*upkeep.Site, error)
	SiteLayout(ctx context.Context, id upkeep.SiteID) ([]byte, error)
	UpdateSiteLayout(ctx context.Context, id upkeep.SiteID, sealed []byte) error
	UpdateSite(ctx context.Context, id upkeep.SiteID, change func(*upkeep.Site) error) error
	Sites(ctx context.Context) ([]*upkeep.Site, error)
}

// Backups keeps what is known of backups.
type Backups interface {
	Backup(ctx context.Context, id upkeep.BackupID) (*upkeep.Backup, error)
	Backups(ctx context.Context, filter upkeep.BackupFilter) ([]*upkeep.Backup, error)
	CreateBackup(ctx context.Context, backup *upkeep.Backup) error
	UpdateBackup(ctx context.Context, id upkeep.BackupID, change func(*upkeep.Backup) error) error
	DeleteBackup(ctx context.Context, id upkeep.BackupID) error
}

// Secrets keeps sealed secrets by name.
type Secrets interface {
	Secret(ctx context.Context, name string) ([]byte, error)
	CreateSecret(ctx context.Context, name string, sealed []byte) error
	// ReplaceSecret is CreateSecret for what may be another later.
	ReplaceSecret(ctx context.Context, name string, sealed []byte) error
}

// Leases say who may do what nobody else does meanwhile.
type Leases interface {
	AcquireLease(ctx context.Context, key, holder string, ttl time.Duration) error
	ReleaseLease(ctx context.Context, key, holder string) error
}

// Sealer encrypts what is kept.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// Config is what custody works with.
type Config struct {
	Sites   Sites
	Backups Backups
	Secrets Secrets
	Leases  Leases // nil where no other process makes the vault
	Sealer  Sealer

	VaultDir string     // of the repository, while no other place was chosen
	Upload   *pace.Pace // of what goes to the vault's storage
	Transfer *pace.Pace // of what comes from hosts
	Here     Post       // starts agents on this machine
	Hosts    Hosts
	Remote   Remote // reaches other hosts
	// Silence is how long an agent hears nothing before it takes the site back.
	Silence time.Duration

	// NewPassword makes the vault's password when there is none yet.
	NewPassword func() string
	// Package brings the package of a release: its path and SHA-256.
	Package func(ctx context.Context, release upkeep.Release) (path, sum string, err error)

	Verifier *verify.Verifier
	Now      upkeep.Clock
	Log      *slog.Logger
}

// Custody keeps sites.
type Custody struct {
	Config
	mu       sync.Mutex
	lines    map[upkeep.HostID]*line
	holdings map[upkeep.SiteID]*vault.Holding // of sites whose last backup did not come to its end

	opening chan struct{} // taken by who opens the vault
	open    *opened       // the vault, once it is
}

// New returns a Custody.
func New(c Config) *Custody {
	if c.Upload == nil {
		c.Upload = pace.New(0)
	}
	if c.Transfer == nil {
		c.Transfer = pace.New(0)
	}
	return &Custody{Config: c, lines: map[upkeep.HostID]*line{}, holdings: map[upkeep.SiteID]*vault.Holding{}, opening: make(chan struct{}, 1)}
}

// Connect returns a client of the site's agent, which it starts when needed.
func (c *Custody) Connect(ctx context.Context, site *upkeep.Site) (*agent.Client, error) {
	at, err := c.post(ctx, site.Host)
	if err != nil {
		return nil, err
	}
	return at.Start(ctx, site.ID.String(), site.Root)
}

// Examine asks which CMS is at root of a host, for a site that is not kept yet.
func (c *Custody) Examine(ctx context.Context, host upkeep.HostID, root string) (_ *agent.Survey, err error) {
	defer upkeep.Wrap(&err, "examine %s", root)
	at, err := c.post(ctx, host)
	if err != nil {
		return nil, err
	}
	found, err := at.Find(ctx, root)
	if err != nil {
		return nil, err
	}
	// What one account examined says nothing of another's.
	name := post.Examination + fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "%d %s", found.Owner, found.Root)))[:16]
	client, err := at.Start(ctx, name, found.Root)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	survey, err := client.Inventory(ctx)
	return survey, errors.Join(err, client.Quit(ctx))
}

// Survey takes the inventory of a site and remembers its layout.
func (c *Custody) Survey(ctx context.Context, site *upkeep.Site) (_ *agent.Survey, err error) {
	defer upkeep.Wrap(&err, "survey %s", site.Name)
	client, err := c.Connect(ctx, site)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	survey, err := client.Inventory(ctx)
	if err == nil {
		err = same(site, survey.Layout)
	}
	if err != nil {
		return nil, err
	}
	return survey, c.keepLayout(ctx, site.ID, survey.Layout)
}

// Integrity compares a site's components with what was published.
func (c *Custody) Integrity(ctx context.Context, site *upkeep.Site, originals map[string]upkeep.Original) ([]upkeep.Finding, error) {
	client, err := c.Connect(ctx, site)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	return client.Integrity(ctx, originals)
}

// Propose returns what updates would change where a site is deployed from.
func (c *Custody) Propose(ctx context.Context, site *upkeep.Site, updates []upkeep.Update) (string, error) {
	client, err := c.Connect(ctx, site)
	if err != nil {
		return "", err
	}
	defer client.Close()
	return client.Propose(ctx, updates)
}

func (c *Custody) keepLayout(ctx context.Context, id upkeep.SiteID, layout *cms.Layout) error {
	text, err := json.Marshal(layout)
	if err != nil {
		return err
	}
	sealed, err := c.Sealer.Seal(text)
	if err != nil {
		return err
	}
	return c.Sites.UpdateSiteLayout(ctx, id, sealed)
}

// layout returns what was last known, for a site that cannot tell any more.
func (c *Custody) layout(ctx context.Context, id upkeep.SiteID) (_ *cms.Layout, err error) {
	defer upkeep.Wrap(&err, "layout of site %s", id)
	sealed, err := c.Sites.SiteLayout(ctx, id)
	if err != nil {
		return nil, err
	}
	text, err := c.Sealer.Open(sealed)
	if err != nil {
		return nil, err
	}
	layout := &cms.Layout{}
	return layout, json.Unmarshal(text, layout)
}

// Holds reports whether a layout is the CMS of a site that is kept: the same
// folder, or one above or below with the same database.
func (c *Custody) Holds(ctx context.Context, site *upkeep.Site, layout *cms.Layout) bool {
	if site.Root == layout.Root {
		return true
	}
	if !strings.HasPrefix(site.Root, layout.Root+"/") && !strings.HasPrefix(layout.Root, site.Root+"/") {
		return false
	}
	known, err := c.layout(ctx, site.ID)
	if err != nil || known.Database == nil || layout.Database == nil {
		return false // it was never read: nothing speaks for it
	}
	a, b := known.Database, layout.Database
	return a.Name == b.Name && a.Prefix == b.Prefix && a.Host == b.Host && a.Port == b.Port && a.Socket == b.Socket && a.File == b.File
}

// Revive starts the agents that a dead machine or a double kill left with an
// open journal: each undoes or finishes what it finds, and thaws. Other hosts
// are asked where a site was shut by hand; what interventions left there,
// whoever carries them on finds.
func (c *Custody) Revive(ctx context.Context) {
	open, err := c.Here.Sweep(ctx)
	if err != nil {
		c.Log.Warn("look for open journals", "error", err)
	}
	for _, name := range open {
		number, err := strconv.ParseInt(name, 10, 64)
		if err != nil {
			continue
		}
		err = c.revive(ctx, upkeep.SiteID(number))
		if err != nil && ctx.Err() == nil {
			c.Log.Error("revive agent", "site", name, "error", err)
		}
	}
	sites, err := c.Sites.Sites(ctx)
	if err != nil && ctx.Err() == nil {
		c.Log.Error("look for shut sites", "error", err)
	}
	for _, site := range sites {
		if site.Host == 0 || site.Shut.IsZero() {
			continue
		}
		go func() { // one host that does not answer delays no other
			if err := c.reviveShut(ctx, site.ID); err != nil && ctx.Err() == nil {
				c.Log.Error("revive agent", "site", site.Name, "error", err)
			}
		}()
	}
}

// reviveShut is revive for a site on another host, and notes when it is open.
func (c *Custody) reviveShut(ctx context.Context, id upkeep.SiteID) error {
	if err := c.revive(ctx, id); err != nil {
		return err
	}
	frozen, err := c.Frozen(ctx, id)
	if err != nil || frozen {
		return err
	}
	return c.shut(ctx, id, time.Time{})
}

// revive starts the agent of a site. A restore by hand that the agent is
// taking back may need the vault for it, and nobody else will bring it.
func (c *Custody) revive(ctx context.Context, id upkeep.SiteID) error {
	r, err := c.Reach(ctx, id, func(upkeep.Progress) {})
	if err != nil {
		return err
	}
	defer r.Close()
	status, err := r.status(ctx)
	if err != nil || !status.Open || status.Intervention != 0 || status.Alone == "" {
		return err
	}
	return r.reopen(ctx)
}
