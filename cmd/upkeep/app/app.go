// Package app is the application: it plugs into each other, on one folder of
// state, everything that keeps sites up to date, and gives it the one API.
package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"upkeep"
	"upkeep/internal/agent"
	"upkeep/internal/agent/post"
	"upkeep/internal/cms"
	"upkeep/internal/custody"
	"upkeep/internal/engine"
	"upkeep/internal/feed"
	mediawikiorg "upkeep/internal/feed/mediawiki"
	"upkeep/internal/fleet"
	"upkeep/internal/fleet/discovery"
	"upkeep/internal/fleet/hosts"
	"upkeep/internal/fleet/planner"
	"upkeep/internal/intervention"
	"upkeep/internal/ledger"
	"upkeep/internal/people"
	"upkeep/internal/secret"
	"upkeep/internal/store"
	"upkeep/internal/store/standing"
	"upkeep/internal/vault/pace"
	"upkeep/internal/verify"
	"upkeep/internal/web"
	"upkeep/internal/web/access"
	"upkeep/internal/web/console"
	"upkeep/internal/web/listen"
	"upkeep/internal/web/lists"
	"upkeep/internal/web/reply"
)

// Role is what a process does of all there is to do.
type Role int

// The roles.
const (
	Visitor  Role = iota // a command: it advances interventions while it is there
	Resident             // it stays, advances interventions and begins those whose time has come
	Desk                 // it stays, and leaves all of that to others
)

// Config says where the application keeps what it knows, and what for it is
// opened.
type Config struct {
	Dir      string      // state folder, made when absent
	Database secret.Text // address of a PostgreSQL that has records and queue; empty: they are in the folder
	Version  string      // of the program
	Role     Role
}

// app is the open application.
type app struct {
	Config
	settings settings
	log      *slog.Logger
	db       *store.DB
	queue    *engine.Engine
	keeper   *secret.Keeper
	packages *feed.Packages
	ledger   *ledger.Ledger
	custody  *custody.Custody
	fleet    *fleet.Fleet
	runner   *intervention.Runner
	people   *people.People
}

// stopGrace is how long a stop waits for interventions under way; what is
// not done by then another process goes on with.
const stopGrace = 2 * time.Minute

// Open opens the application and starts what its role is. It returns the gate to
// all of it, and what stops and closes everything.
func Open(ctx context.Context, config Config) (_ *access.Gate, _ func() error, err error) {
	defer upkeep.Wrap(&err, "open %s", config.Dir)
	a := &app{Config: config}
	if err := a.open(ctx); err != nil {
		return nil, nil, errors.Join(err, a.close())
	}
	gate, err := a.gate()
	if err != nil {
		return nil, nil, errors.Join(err, a.close())
	}
	running, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	if a.Role == Desk {
		ended <- nil
	} else {
		go func() { ended <- a.queue.Run(running, a.workers()) }()
		go a.custody.Revive(running)
	}
	go a.tidy(running)
	return gate, func() error {
		stop()
		err := <-ended
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return errors.Join(err, a.close())
	}, nil
}

func (a *app) open(ctx context.Context) (err error) {
	if err := listen.PrivateFolder(a.Dir); err != nil {
		return err
	}
	if a.settings, err = readSettings(a.Dir); err != nil {
		return err
	}
	if a.log, err = openLog(filepath.Join(a.Dir, "upkeep.log")); err != nil {
		return err
	}
	if a.db, err = openRecords(ctx, a.Config); err != nil {
		return err
	}
	if a.keeper, err = secret.OpenKeeper(filepath.Join(a.Dir, "key")); err != nil {
		return err
	}
	if err := checkKey(ctx, a.Config, a.db, a.keeper); err != nil {
		return err
	}
	a.queue, err = engine.Open(ctx, engine.Config{Path: filepath.Join(a.Dir, queueFile), URL: a.Database.Reveal(), Log: a.log, Grace: stopGrace})
	if err != nil {
		return err
	}
	a.ledger = &ledger.Ledger{Rows: a.db, Clock: time.Now}
	client := feed.NewClient(feed.Options{Cache: answers{a.db.FeedAnswers()}, Trusted: a.settings.Trusted})
	if a.packages, err = feed.NewPackages(filepath.Join(a.Dir, "packages"), client, 0); err != nil {
		return err
	}
	if file := a.settings.MediaWiki.Keys; file != "" {
		keys, err := feed.ReadKeys(file)
		if err != nil {
			return err
		}
		a.packages.Trust(mediawikiorg.Source, keys)
	}
	a.custody = a.newCustody(a.packages)
	a.fleet = a.newFleet(client, a.packages)
	a.runner = a.newRunner()
	a.people, err = a.newPeople()
	return err
}

// unusedPackage is how long a package is kept that nobody has used.
const unusedPackage = 30 * 24 * time.Hour

// tidy drops what is not needed any more, now and once a day.
func (a *app) tidy(ctx context.Context) {
	for {
		if _, err := a.packages.Prune(ctx, unusedPackage); err != nil && ctx.Err() == nil {
			a.log.Warn("drop old packages", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(24 * time.Hour):
		}
	}
}

// maxLog is the size at which a log starts anew, the old one kept beside it.
const maxLog = 8 << 20

func openLog(path string) (*slog.Logger, error) {
	if info, err := os.Stat(path); err == nil && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, err
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	return slog.New(slog.NewTextHandler(f, &slog.HandlerOptions{Level: slog.LevelWarn})), nil
}

func (a *app) newCustody(packages *feed.Packages) *custody.Custody {
	return custody.New(custody.Config{
		Sites: a.db, Backups: a.db, Secrets: a.db, Leases: a.db, Sealer: a.keeper,
		VaultDir: a.settings.Vault, Upload: pace.New(a.settings.Limits.Upload), Transfer: pace.New(a.settings.Limits.Transfer), Here: &post.Local{Dir: a.settings.Agents, Guard: Guard(), Program: agent.Program(), Scanner: Scanner()},
		Hosts: a.db, Remote: a.newReacher(),
		Silence:     time.Duration(a.settings.Silence),
		NewPassword: func() string { return secret.NewPassword().Reveal() },
		Package: func(ctx context.Context, release upkeep.Release) (path, sum string, err error) {
			p, err := packages.Fetch(ctx, release, nil)
			return p.Path, p.SHA256, err
		},
		Verifier: &verify.Verifier{TokenHeader: cms.TokenHeader, Now: time.Now},
		Now:      time.Now, Log: a.log,
	})
}

func (a *app) newFleet(client *feed.Client, packages *feed.Packages) *fleet.Fleet {
	return fleet.New(fleet.Config{
		Sites: a.db, Hosts: a.db, Applications: a.db, Inventories: a.db, Interventions: a.db, Notes: a.db,
		Plans: a.db, Windows: a.db, Turns: a.db, Releases: a.db, Waves: a.db, Standings: standing.DB{DB: a.db.Records()}, Limits: a.settings.Limits.asked(),
		Custody: a.custody, Ledger: a.ledger,
		Publishers: publishers(&a.settings, client, packages),
		Enqueue: func(ctx context.Context, id upkeep.InterventionID) error {
			return a.queue.Enqueue(ctx, engine.Job{Kind: interventionJob, ID: int64(id)})
		},
		Now: time.Now, Log: a.log,
	})
}

// The kinds of jobs.
const (
	interventionJob = "intervention"
	scheduleJob     = "schedule" // one that never ends
	visitJob        = "visit"    // of a site whose time has come
)

func (a *app) newRunner() *intervention.Runner {
	host, _ := os.Hostname() // only to tell workers apart in the records
	return &intervention.Runner{Config: intervention.Config{
		Records: a.db, Consequences: consequences{a.db, a.ledger}, Leases: a.db, Hosts: reacher{a.custody},
		Policy: func(ctx context.Context, id upkeep.SiteID) (upkeep.Policy, error) {
			site, err := a.db.Site(ctx, id)
			if err != nil {
				return upkeep.Policy{}, err
			}
			return site.Policy, nil
		},
		Holder: fmt.Sprintf("%s/%d/%d", host, os.Getpid(), time.Now().UnixNano()),
		Now:    time.Now, Log: a.log,
	}}
}

func (a *app) workers() map[string]engine.Worker {
	workers := map[string]engine.Worker{interventionJob: {
		Work: func(ctx context.Context, id int64) (time.Duration, error) {
			return a.runner.Advance(ctx, upkeep.InterventionID(id))
		},
		Stale: func(ctx context.Context) ([]int64, error) {
			left, err := a.db.Interventions(ctx, upkeep.InterventionFilter{Unended: true, Unleased: true})
			var ids []int64
			for _, iv := range left {
				ids = append(ids, int64(iv.ID))
			}
			return ids, err
		},
	}}
	if a.Role == Resident {
		begins := planner.New(a.fleet, func(ctx context.Context, site upkeep.SiteID) error {
			return a.queue.Enqueue(ctx, engine.Job{Kind: visitJob, ID: int64(site)})
		})
		workers[visitJob] = engine.Worker{
			Work: func(ctx context.Context, id int64) (time.Duration, error) {
				return 0, begins.Visit(ctx, upkeep.SiteID(id))
			},
		}
		// One job that never ends: of all processes that take such jobs one
		// has it, and when that dies another has it within seconds.
		workers[scheduleJob] = engine.Worker{
			Work:  func(ctx context.Context, _ int64) (time.Duration, error) { return begins.Tick(ctx) },
			Stale: func(context.Context) ([]int64, error) { return []int64{1}, nil },
		}
	}
	return workers
}

// gate is the way to everything that can be asked: the API, and for a daemon
// the pages.
func (a *app) gate() (*access.Gate, error) {
	services := web.Config{
		Sites: fleet.SiteList{Fleet: a.fleet}, Hosts: hosts.List{Fleet: a.fleet}, Applications: discovery.List{Fleet: a.fleet}, Inventories: a.fleet, Updates: a.fleet,
		Interventions: fleet.Record{Fleet: a.fleet}, Backups: fleet.Vault{Fleet: a.fleet},
		Restores: fleet.Vault{Fleet: a.fleet}, Gates: a.fleet, Checks: a.fleet, Doctor: doctor{a}, Ledger: a.fleet, Vaults: vaults{a},
		Plans: fleet.Contracts{Fleet: a.fleet}, Schedules: fleet.Calendar{Fleet: a.fleet}, FleetWork: fleet.Calendar{Fleet: a.fleet}, Releases: fleet.Shelf{Fleet: a.fleet},
		Version: a.Version, Log: a.log,
	}
	all := standing.DB{DB: a.db.Records()}
	c := access.Config{Routes: append(web.New(services).Routes(), lists.Routes(all, reply.Replier{Log: a.log})...), Log: a.log}
	if err := a.admit(&c); err != nil {
		return nil, err
	}
	if a.Role != Visitor {
		pages, err := console.New(console.Config{Config: services, Overview: all, Progress: all, Slots: fleet.Calendar{Fleet: a.fleet}, Records: a.db})
		if err != nil {
			return nil, err
		}
		c.Routes, c.Refuse = append(c.Routes, pages.Routes()...), pages.Refuse
		if err := a.doors(&c, pages); err != nil {
			return nil, err
		}
	}
	return access.New(c), nil
}

func (a *app) close() error {
	var errs []error
	if a.queue != nil {
		errs = append(errs, a.queue.Close())
	}
	if a.custody != nil {
		errs = append(errs, a.custody.Close())
	}
	if a.db != nil {
		errs = append(errs, a.db.Close())
	}
	return errors.Join(errs...)
}
