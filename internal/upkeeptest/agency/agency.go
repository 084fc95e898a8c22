// Package agency writes the records of a believable agency for tests of pages:
// clients, hosts, sites in every state, and what was done on them. It goes
// through the store as the program does; nothing is behind the records.
package agency

import (
	"context"
	"fmt"
	"path/filepath"
	"time"

	"upkeep"
	"upkeep/internal/ledger"
	"upkeep/internal/store"
	"upkeep/internal/store/standing"
)

// Agency is open records with a clock that is held.
type Agency struct {
	*store.DB
	Now    time.Time
	Ledger *ledger.Ledger
}

// Open opens records in a folder, at an instant.
func Open(ctx context.Context, dir string, now time.Time) (*Agency, error) {
	a := &Agency{Now: now}
	db, err := store.Open(ctx, store.Config{Path: filepath.Join(dir, "upkeep.db"), Clock: a.Clock})
	if err != nil {
		return nil, err
	}
	a.DB, a.Ledger = db, &ledger.Ledger{Rows: db, Clock: a.Clock}
	return a, nil
}

// Clock is the agency's.
func (a *Agency) Clock() time.Time { return a.Now }

// at runs steps with the clock at an earlier instant, until one fails.
func (a *Agency) at(ago time.Duration, steps ...func() error) error {
	now := a.Now
	a.Now = now.Add(-ago)
	defer func() { a.Now = now }()
	return each(steps...)
}

func each(steps ...func() error) error {
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// Fill writes the agency.
func (a *Agency) Fill(ctx context.Context) error {
	hosts, err := a.hosts(ctx)
	if err != nil {
		return err
	}
	for i, s := range sites() {
		if err := a.at(300*24*time.Hour, func() error { return a.adopt(ctx, &s, hosts[i%len(hosts)]) }); err != nil {
			return err
		}
		if err := each(
			func() error { return a.survey(ctx, &s) },
			func() error { return a.history(ctx, &s) },
			func() error { return a.decide(ctx, &s) },
		); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return each(
		func() error { return a.around(ctx) },
		func() error { return a.scanned(ctx, hosts[0]) },
	)
}

func (a *Agency) hosts(ctx context.Context) ([]upkeep.HostID, error) {
	ids := []upkeep.HostID{0}
	for _, name := range []string{"web1", "web2", "plesk"} {
		host := &upkeep.Host{Name: name, At: upkeep.Hop{User: "upkeep", Address: name + ".example", Port: 22}, Sudo: name != "plesk", Mark: "m-" + name, Created: a.Now}
		if err := a.CreateHost(ctx, host); err != nil {
			return nil, err
		}
		ids = append(ids, host.ID)
	}
	return ids, nil
}

// adopt makes a site, under a plan where it has one.
func (a *Agency) adopt(ctx context.Context, s *seed, host upkeep.HostID) error {
	site := &upkeep.Site{Name: s.name, URL: "https://" + s.name, Host: host, Root: "/srv/www/" + s.name, CMS: s.cms, Created: a.Now}
	if err := a.CreateSite(ctx, site); err != nil {
		return err
	}
	s.id = site.ID
	if s.plan != "" {
		if err := a.PutSubscription(ctx, &upkeep.Subscription{Site: site.ID, Plan: s.plan, Client: s.client, Since: a.Now}); err != nil {
			return err
		}
	}
	_, err := a.Ledger.Append(ctx, upkeep.LedgerEntry{Site: site.ID, Actor: "claire", Kind: "site_added", Facts: map[string]any{"name": s.name, "cms": s.cms, "url": site.URL}})
	return err
}

func (a *Agency) survey(ctx context.Context, s *seed) error {
	_, err := a.CreateInventory(ctx, s.id, &upkeep.Inventory{Taken: a.Now.Add(-3 * time.Hour), CMS: s.cms, Components: s.components(),
		PHP: s.php(), Database: "10.11.6-MariaDB", HomeURL: "https://" + s.name,
		Findings: s.findings(), Pages: []upkeep.Page{{Path: "/", Role: "home"}}})
	return err
}

// decide keeps what a look at the site would have decided.
func (a *Agency) decide(ctx context.Context, s *seed) error {
	d := &upkeep.Standing{Site: s.id, At: a.Now.Add(-7 * time.Minute), Core: s.components()[0].Version, Components: len(s.components()),
		Updates: s.updates(), Findings: s.findings(), Checked: a.Now.Add(-21 * time.Minute)}
	if s.state == stale {
		d.Offline, d.Checked = []string{"drupal.org"}, a.Now.Add(-31*time.Hour)
	}
	d.Count()
	if d.Pending > 0 && s.plan != "" && s.state != waiting {
		d.Appointment.At = a.Now.Add(time.Duration(9+s.id%6) * time.Hour).Truncate(30 * time.Minute)
		d.Appointment.Reasons = []upkeep.Reason{{Code: "in_window", Params: map[string]string{"scope": "plan", "subject": s.plan}}}
	}
	if d.Security > 0 && s.plan != "" {
		d.Appointment.Security = true
		d.Appointment.Deadline = a.Now.Add(time.Duration(int(s.id)*5-30) * time.Hour).Truncate(time.Hour)
	}
	return standing.DB{DB: a.Records()}.PutStanding(ctx, d)
}
