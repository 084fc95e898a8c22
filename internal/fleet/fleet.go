// Package fleet answers for all sites: which there are, what they consist of,
// what should be updated, and what was done. It puts together what records,
// agents, publishers and resolve know, for the API.
package fleet

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"upkeep"
	"upkeep/internal/custody"
	"upkeep/internal/fleet/rollout"
	"upkeep/internal/ledger"
	"upkeep/internal/resolve"
	"upkeep/internal/schedule"
)

// Sites keeps sites.
type Sites interface {
	SiteByName(ctx context.Context, name string) (*upkeep.Site, error)
	Sites(ctx context.Context) ([]*upkeep.Site, error)
	CreateSite(ctx context.Context, site *upkeep.Site) error
	UpdateSite(ctx context.Context, id upkeep.SiteID, change func(*upkeep.Site) error) error
	DeleteSite(ctx context.Context, id upkeep.SiteID) error
}

// Hosts keeps hosts.
type Hosts interface {
	Host(ctx context.Context, id upkeep.HostID) (*upkeep.Host, error)
	HostByName(ctx context.Context, name string) (*upkeep.Host, error)
	Hosts(ctx context.Context) ([]*upkeep.Host, error)
	CreateHost(ctx context.Context, host *upkeep.Host) error
	DeleteHost(ctx context.Context, id upkeep.HostID) error
}

// Applications keeps what scans of hosts found.
type Applications interface {
	Applications(ctx context.Context) ([]*upkeep.Hosted, error)
	Application(ctx context.Context, id upkeep.ApplicationID) (*upkeep.Hosted, error)
	Uncovered(ctx context.Context) (int, error)
	KeepScan(ctx context.Context, host upkeep.HostID, scan *upkeep.Scan) (*upkeep.ScanChanges, error)
	DismissApplication(ctx context.Context, id upkeep.ApplicationID, dismissal *upkeep.Dismissal) error
}

// Inventories keeps what sites consist of.
type Inventories interface {
	Inventory(ctx context.Context, site upkeep.SiteID) (*upkeep.Inventory, error)
	CreateInventory(ctx context.Context, site upkeep.SiteID, inventory *upkeep.Inventory) (isNew bool, err error)
}

// Interventions keeps interventions and their logs.
type Interventions interface {
	Intervention(ctx context.Context, id upkeep.InterventionID) (*upkeep.Intervention, error)
	Interventions(ctx context.Context, filter upkeep.InterventionFilter) ([]*upkeep.Intervention, error)
	CreateIntervention(ctx context.Context, iv *upkeep.Intervention) error
	CancelIntervention(ctx context.Context, id upkeep.InterventionID, at time.Time) error
	Events(ctx context.Context, id upkeep.InterventionID, after int64, limit int) ([]upkeep.Event, error)
}

// Notes keeps holds, tasks and backups.
type Notes interface {
	Holds(ctx context.Context, filter upkeep.HoldFilter) ([]*upkeep.Hold, error)
	Tasks(ctx context.Context, filter upkeep.TaskFilter) ([]*upkeep.Task, error)
	Backups(ctx context.Context, filter upkeep.BackupFilter) ([]*upkeep.Backup, error)
	Backup(ctx context.Context, id upkeep.BackupID) (*upkeep.Backup, error)
	CreateTask(ctx context.Context, task *upkeep.Task) error
}

// Publisher knows the releases of one CMS and the rules of its versions.
type Publisher interface {
	// Check says what is known of the components of a site. It answers from
	// memory, saying how old it is, when the publisher does not.
	Check(ctx context.Context, inventory *upkeep.Inventory, young Freshness) (*Known, error)
	// Originals returns what the publisher says the installed files are, and
	// why it is not known of some.
	Originals(ctx context.Context, components []upkeep.Component) (map[string]upkeep.Original, []error)
	// Rules says how versions of the CMS are ordered and what they mean.
	Rules() resolve.Rules
}

// Plans keeps plans, and which site is under which.
type Plans interface {
	Plans(ctx context.Context) ([]upkeep.Plan, error)
	PutPlan(ctx context.Context, plan *upkeep.Plan) error
	Subscriptions(ctx context.Context) ([]upkeep.Subscription, error)
	PutSubscription(ctx context.Context, s *upkeep.Subscription) error
}

// Windows keeps when interventions may begin, and when none may.
type Windows interface {
	Windows(ctx context.Context) ([]upkeep.Window, error)
	CreateWindow(ctx context.Context, w *upkeep.Window) error
	DeleteWindow(ctx context.Context, id int64) (upkeep.Window, error)
	FleetHold(ctx context.Context) (*upkeep.FleetHold, error)
	PutFleetHold(ctx context.Context, hold *upkeep.FleetHold) error
}

// Turns keeps what decides whose turn it is, beside plans and windows.
type Turns interface {
	Sight(ctx context.Context, cms upkeep.CMS, sightings []upkeep.Sighting) error
	Approve(ctx context.Context, approvals []upkeep.Approval, task string) error
	Approvals(ctx context.Context, site upkeep.SiteID) ([]upkeep.Approval, error)
	Attempt(ctx context.Context, site upkeep.SiteID) (upkeep.Attempt, error)
	PutAttempt(ctx context.Context, site upkeep.SiteID, why string) error
}

// Releases keeps which releases are held for the fleet.
type Releases interface {
	ReleaseHolds(ctx context.Context, cms upkeep.CMS) ([]upkeep.ReleaseHold, error)
	PutReleaseHold(ctx context.Context, hold *upkeep.ReleaseHold) error
	DeleteReleaseHold(ctx context.Context, cms upkeep.CMS, component string, version upkeep.Version) error
}

// Standings keeps what was last decided about sites.
type Standings interface {
	PutStanding(ctx context.Context, s *upkeep.Standing) error
	// SiteName returns the name of a site, "" when there is none.
	SiteName(ctx context.Context, id upkeep.SiteID) (string, error)
}

// Freshness says how young publishers' answers have to be.
type Freshness int

// The freshnesses, each younger than the one before.
const (
	Kept   Freshness = iota // good enough to plan with: asked anew when half an hour old
	Recent                  // good enough to show: as the settings say
	Fresh                   // asked anew now
)

// Known is what publishers say about a site.
type Known struct {
	Releases []upkeep.Release
	Closed   []upkeep.Closed
	Findings []upkeep.Finding
	Checked  time.Time // of the oldest part
	Offline  []string  // publishers that did not answer now
}

// Config is what a Fleet works with.
type Config struct {
	Sites         Sites
	Hosts         Hosts
	Applications  Applications
	Inventories   Inventories
	Interventions Interventions
	Notes         Notes
	Plans         Plans
	Windows       Windows
	Turns         Turns
	Releases      Releases
	Waves         rollout.Records
	Standings     Standings
	Limits        schedule.Limits // of interventions under way that begin by themselves
	Custody       *custody.Custody
	Ledger        *ledger.Ledger
	Publishers    map[upkeep.CMS]Publisher // of every CMS that is maintained
	// Enqueue has an intervention advanced.
	Enqueue func(ctx context.Context, id upkeep.InterventionID) error
	Now     upkeep.Clock
	Log     *slog.Logger
}

// Fleet answers for all sites.
type Fleet struct {
	Config
	changes atomic.Int64 // counts what changes when work is done, for the planner
}

// New returns a Fleet.
func New(c Config) *Fleet { return &Fleet{Config: c} }

// Enter writes a line of the ledger.
func (f *Fleet) Enter(ctx context.Context, actor, kind string, site upkeep.SiteID, facts map[string]any) error {
	_, err := f.Ledger.Append(ctx, upkeep.LedgerEntry{Site: site, Actor: actor, Kind: kind, Facts: facts})
	return err
}

// names returns the names of sites by ID.
func (f *Fleet) names(ctx context.Context) (map[upkeep.SiteID]string, error) {
	sites, err := f.Config.Sites.Sites(ctx)
	if err != nil {
		return nil, err
	}
	names := make(map[upkeep.SiteID]string, len(sites))
	for _, site := range sites {
		names[site.ID] = site.Name
	}
	return names, nil
}
