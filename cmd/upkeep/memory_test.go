package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/web"
	"upkeep/internal/web/access"
)

// memory is a small application for tests of the command line: two sites, and
// interventions that go the way that the environment says (UPKEEP_TEST_END).
// It keeps its records in the state folder, and there notes every change that
// was asked for, so that a test sees that none was.
type memory struct {
	dir  string
	end  string        // "done", "partial", "undone", "failed", "incident", "waits", "stubborn"
	pace time.Duration // between steps, for eyes
	down bool          // the ledger is broken, the machine lacks things

	mu      sync.Mutex
	state   memoryState
	news    chan struct{} // closed and replaced with every change
	cancels chan struct{}
}

type memoryState struct {
	Sites         []web.Site
	Hosts         []web.Host
	Interventions []web.Record
	Events        []upkeep.Event
	Backups       []web.Backup
}

func openMemory(ctx context.Context, place console.Place) (http.Handler, func() error, error) {
	gate, save, err := serveMemory(ctx, place, console.Everything)
	if err != nil {
		return nil, nil, err
	}
	return gate.Trusted(), save, nil
}

// serveMemory is openMemory for a daemon.
func serveMemory(_ context.Context, place console.Place, _ console.Duty) (*access.Gate, func() error, error) {
	dir := place.State
	pace, _ := time.ParseDuration(os.Getenv("UPKEEP_TEST_PACE"))
	m := &memory{dir: dir, end: os.Getenv("UPKEEP_TEST_END"), down: os.Getenv("UPKEEP_TEST_DOWN") != "",
		pace: pace, news: make(chan struct{}), cancels: make(chan struct{}, 1)}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	if raw, err := os.ReadFile(filepath.Join(dir, "memory.json")); err == nil {
		if err := json.Unmarshal(raw, &m.state); err != nil {
			return nil, nil, err
		}
	} else {
		m.state = sampleState()
	}
	server := web.New(web.Config{Sites: m, Hosts: m, Inventories: m, Updates: m, Interventions: m, Backups: m, Restores: m,
		Gates: m, Checks: m, Doctor: m, Ledger: m, Vaults: m, Plans: m, Schedules: m, FleetWork: m, Releases: m, Applications: m, Version: "test"})
	return access.New(access.Config{Routes: server.Routes()}), m.save, nil
}

func (m *memory) save() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	raw, err := json.Marshal(m.state)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(m.dir, "memory.json"), raw, 0o600)
}

// changed notes a change that was asked for.
func (m *memory) changed(what ...string) {
	f, err := os.OpenFile(filepath.Join(m.dir, "changes"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if _, err := f.WriteString(strings.TrimSpace(strings.Join(what, " ")) + "\n"); err != nil {
		panic(err)
	}
}

func day(hour, minute, second int) time.Time {
	return time.Date(2026, 11, 23, hour, minute, second, 0, time.UTC)
}

func sampleState() memoryState {
	site := func(id upkeep.SiteID, name string, status web.SiteStatus, pending, security, held int) web.Site {
		return web.Site{Site: upkeep.Site{ID: id, Name: name, URL: "https://" + name, Root: "/srv/www/" + name, CMS: upkeep.WordPress},
			Status: status, Core: "6.4.3", Components: 14, Inventoried: day(6, 0, 0), Pending: pending, Security: security, Held: held, LastBackup: day(5, 30, 0)}
	}
	return memoryState{
		Sites: []web.Site{site(1, "shop.example", web.Live, 4, 1, 1), site(2, "café-blog", web.Frozen, 0, 0, 0)},
		Backups: []web.Backup{
			{Backup: upkeep.Backup{ID: 31, Site: 1, Moment: upkeep.Manual, Taken: day(5, 30, 0), Complete: true, Verified: day(5, 31, 0), Files: 4182,
				Tables: 36, Bytes: 1_370_000_000, Added: 1_371, Snapshot: strings.Repeat("ab", 32), Manifest: strings.Repeat("cd", 32), Note: "before the sale"}, SiteName: "shop.example"},
			{Backup: upkeep.Backup{ID: 30, Site: 1, Moment: upkeep.After, Taken: day(4, 30, 0), Complete: true, Files: 4182, Tables: 36, Bytes: 999_600}, SiteName: "shop.example"},
		},
	}
}

func sampleUpdates() []upkeep.Update {
	update := func(kind upkeep.Kind, id, slug, from, to string, batch int) upkeep.Update {
		return upkeep.Update{Component: upkeep.Component{Kind: kind, ID: id, Slug: slug, Version: upkeep.Version(from)},
			Release: upkeep.Release{Kind: kind, Slug: slug, Version: upkeep.Version(to)}, Disposition: upkeep.Ready, Batch: batch}
	}
	core := update(upkeep.Core, "core", "core", "6.4.3", "6.4.5", 1)
	core.Security = true
	core.Reasons = []upkeep.Reason{{Code: "in_branch", Params: map[string]string{"branch": "6.4"}}}
	held := update(upkeep.Plugin, "woo-premium/woo-premium.php", "woo-premium", "8.1", "9.0", 0)
	held.Disposition = upkeep.Held
	held.Reasons = []upkeep.Reason{
		{Code: "requires_php", Params: map[string]string{"want": "8.3", "have": "8.2.29", "task": "raise_php"}},
		{Code: "from_the_future", Params: map[string]string{"x": "1"}},
	}
	return []upkeep.Update{
		core,
		update(upkeep.Plugin, "akismet/akismet.php", "akismet", "5.0", "5.3.1", 2),
		update(upkeep.Plugin, "broken-gallery/broken-gallery.php", "broken-gallery", "1.0", "1.1", 3),
		update(upkeep.Theme, "twentytwentyfour", "twentytwentyfour", "1.0", "1.2", 4),
		held,
	}
}

func missing(noun string, name any) error {
	return upkeep.Errorf(upkeep.CodeNotFound, "%s %v does not exist", noun, name)
}

func (m *memory) Sites(context.Context) ([]web.Site, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.state.Sites), nil
}

func (m *memory) Site(_ context.Context, name string) (*web.Site, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.state.Sites {
		if s.Name == name {
			return &s, nil
		}
	}
	return nil, missing("site", name)
}

func (m *memory) AddSite(_ context.Context, actor string, req web.AddSiteRequest) (*web.Site, error) {
	if _, err := os.Stat(filepath.Join(req.Root, "wp-load.php")); err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "no known cms in %s", req.Root).WithHint("Name the folder with wp-load.php.")
	}
	site := web.Site{Site: upkeep.Site{ID: 9, Name: req.Name, URL: req.URL, Root: req.Root, CMS: upkeep.WordPress, Policy: req.Policy}, Status: web.Live, Core: "6.4.3"}
	if site.URL == "" {
		site.URL = "https://new.example"
	}
	if site.Name == "" {
		site.Name = "new.example"
	}
	if err := site.Validate(); err != nil || req.DryRun {
		return &site, err
	}
	m.changed("add", site.Name, strings.SplitN(actor, ":", 2)[0])
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Sites = append(m.state.Sites, site)
	return &site, nil
}

func (m *memory) SetPolicy(context.Context, string, string, upkeep.Policy) (*web.Site, error) {
	return nil, errors.New("not called by any command")
}

func (m *memory) RemoveSite(ctx context.Context, _, name string) error {
	if _, err := m.Site(ctx, name); err != nil {
		return err
	}
	m.changed("remove", name)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.state.Sites = slices.DeleteFunc(m.state.Sites, func(s web.Site) bool { return s.Name == name })
	return nil
}

func (m *memory) Inventory(ctx context.Context, site string, _ bool) (*upkeep.Inventory, error) {
	if _, err := m.Site(ctx, site); err != nil {
		return nil, err
	}
	inv := &upkeep.Inventory{Taken: day(6, 0, 0), CMS: upkeep.WordPress, PHP: "8.2.29", Database: "10.11.6-MariaDB",
		Schema: upkeep.Schema{Files: "57155", Database: "56657", Pending: true}, Findings: sampleFindings()}
	for _, u := range sampleUpdates() {
		u.Component.Active = true
		inv.Components = append(inv.Components, u.Component)
	}
	inv.Components = append(inv.Components, upkeep.Component{Kind: upkeep.Plugin, ID: "日本語/日本語.php", Slug: "日本語", Name: "=日本語 \x1b[31mプラグイン", Version: "1.0"})
	return inv, nil
}

func sampleFindings() []upkeep.Finding {
	return []upkeep.Finding{{Code: "modified", Component: "plugin:akismet/akismet.php", Paths: []string{"akismet.php", "views/config.php"}, Blocks: true}}
}

func (m *memory) Freeze(ctx context.Context, _, site string, limit time.Duration) (*web.GateState, error) {
	if _, err := m.Site(ctx, site); err != nil {
		return nil, err
	}
	m.changed("freeze", site, limit.String())
	return &web.GateState{Frozen: true, Since: day(6, 0, 0), Until: day(6, 0, 0).Add(limit)}, nil
}

func (m *memory) Thaw(ctx context.Context, _, site string) (*web.GateState, error) {
	if _, err := m.Site(ctx, site); err != nil {
		return nil, err
	}
	m.changed("thaw", site)
	return &web.GateState{}, nil
}

func sampleVerdict(bad bool) *upkeep.Verdict {
	return &upkeep.Verdict{At: day(6, 0, 0), Checks: []upkeep.Check{
		{Code: "page", Subject: "/", OK: !bad, Want: "200", Got: "500"},
		{Code: "schema", OK: true}, {Code: "version", Component: "core", OK: true},
	}}
}

func (m *memory) VerifySite(ctx context.Context, site string) (*upkeep.Verdict, error) {
	if _, err := m.Site(ctx, site); err != nil {
		return nil, err
	}
	return sampleVerdict(m.down), nil
}

func (m *memory) Requirements(context.Context) ([]web.Requirement, error) {
	return []web.Requirement{
		{Name: "php", OK: true, Detail: "8.2.29"},
		{Name: "mariadb", OK: !m.down, Fix: "apt-get install mariadb-server"},
		{Name: "restic", Optional: true, Fix: "apt-get install restic"},
	}, nil
}

func (m *memory) Entries(context.Context, web.LedgerFilter) ([]web.LedgerEntry, error) {
	return []web.LedgerEntry{{LedgerEntry: upkeep.LedgerEntry{Seq: 1, At: day(5, 0, 0), Site: 1, Actor: "cli:root", Kind: "site_added",
		Facts: map[string]any{"root": "/srv/www/shop.example", "components": 14}, Hash: strings.Repeat("0", 64)}, SiteName: "shop.example"}}, nil
}

func (m *memory) VerifyLedger(context.Context) (*web.LedgerCheck, error) {
	check := &web.LedgerCheck{Entries: 1, Head: strings.Repeat("0", 64), OK: !m.down}
	if m.down {
		check.Broken = 1
	}
	return check, nil
}

func (m *memory) VaultPassword(_ context.Context, actor string) (string, error) {
	m.changed("vault password", actor)
	return "correct horse battery staple", nil
}

func (m *memory) Vault(context.Context) (*web.Vault, error) {
	return &web.Vault{URL: "sftp://nas/srv/vault", Kind: "sftp", Restic: "sftp://nas//srv/vault",
		Keys: []upkeep.HostKey{{Hop: "nas", Fingerprint: "SHA256:abc"}}}, nil
}

func (m *memory) CheckVault(ctx context.Context) (*web.VaultCheck, error) {
	if m.down {
		return nil, upkeep.Errorf(upkeep.CodeUnreachable, "the storage does not answer: %w", errors.New("connection refused"))
	}
	at, err := m.Vault(ctx)
	return &web.VaultCheck{Vault: *at, Snapshots: 12, Took: upkeep.Duration(80 * time.Millisecond)}, err
}

func (m *memory) StorageKeys(_ context.Context, req web.UseVaultRequest) ([]web.HostKey, error) {
	if !strings.HasPrefix(req.URL, "sftp:") {
		return nil, nil
	}
	key := web.HostKey{HostKey: upkeep.HostKey{Hop: "nas", Fingerprint: "SHA256:abc"}}
	key.Confirmed = slices.Contains(req.Fingerprints, key.Fingerprint)
	return []web.HostKey{key}, nil
}

func (m *memory) UseVault(_ context.Context, actor string, req web.UseVaultRequest, _ func(upkeep.Progress)) (*web.Vault, error) {
	at, err := upkeep.ParseStorage(req.URL)
	if err != nil {
		return nil, err
	}
	if at.Kind == upkeep.S3Storage && req.SecretKey != "s3cret" {
		return nil, upkeep.Errorf(upkeep.CodeUnauthorized, "the storage refuses our keys: %w", errors.New("denied"))
	}
	m.changed("vault use", req.URL, actor)
	return &web.Vault{URL: at.String(), Kind: string(at.Kind), Restic: at.Restic(), AccessKey: req.AccessKey}, nil
}
