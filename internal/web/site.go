package web

import (
	"context"
	"net/http"
	"time"

	"upkeep"
	"upkeep/internal/web/access"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

// Sites keeps the sites. Sites are addressed by name. CodeNotFound when no
// site has it; the server adds which names come near.
type Sites interface {
	// Sites returns all sites by name.
	Sites(ctx context.Context) ([]Site, error)
	// Site returns one site.
	Site(ctx context.Context, name string) (*Site, error)
	// AddSite examines the folder, takes a first inventory and keeps the
	// site, unless req.DryRun. CodeConflict when the name or root is taken.
	AddSite(ctx context.Context, actor string, req AddSiteRequest) (*Site, error)
	// SetPolicy replaces a site's policy.
	SetPolicy(ctx context.Context, actor, name string, policy upkeep.Policy) (*Site, error)
	// RemoveSite forgets a site. Its files, backups and ledger stay.
	// CodeConflict while an intervention runs on it.
	RemoveSite(ctx context.Context, actor, name string) error
}

// Site is a site with what is known about it now.
type Site struct {
	upkeep.Site
	HostName     string                `json:"host_name,omitempty"` // "" is this machine
	Status       SiteStatus            `json:"status"`
	Intervention upkeep.InterventionID `json:"intervention,omitempty"` // the one that runs, else the last
	Core         upkeep.Version        `json:"core,omitempty"`
	Components   int                   `json:"components"`
	Inventoried  time.Time             `json:"inventoried,omitzero"` // when Core, Components were read
	Pending      int                   `json:"pending"`              // updates that are ready
	Security     int                   `json:"security"`             // of the pending
	Held         int                   `json:"held"`
	LastBackup   time.Time             `json:"last_backup,omitzero"` // newest complete and verified one
	Findings     []upkeep.Finding      `json:"findings,omitempty"`
	Subscription *upkeep.Subscription  `json:"subscription,omitempty"` // nil: it is under no plan
	Recommended  string                `json:"recommended,omitempty"`  // the plan that its inventory fits
	Extensions   int                   `json:"extensions"`             // as plans count them
}

// SiteStatus says how a site stands, in one word.
type SiteStatus string

// The statuses.
const (
	Live     SiteStatus = "live"     // open, nothing runs
	Working  SiteStatus = "working"  // open, an intervention runs
	Frozen   SiteStatus = "frozen"   // visitors get 503, by an intervention or by hand
	Incident SiteStatus = "incident" // a person is needed at once
)

// AddSiteRequest adopts a site. Root is required; an empty URL is taken from
// the site's own configuration, an empty Name from the URL's host.
type AddSiteRequest struct {
	Host   string        `json:"host,omitempty"` // by name; "" is this machine
	Root   string        `json:"root"`
	URL    string        `json:"url,omitempty"`
	Name   string        `json:"name,omitempty"`
	Policy upkeep.Policy `json:"policy"`
	DryRun bool          `json:"dry_run,omitempty"` // examine and answer, keep nothing
}

// Inventories reads what a site consists of.
type Inventories interface {
	// Inventory returns the last inventory, or a new one with refresh.
	Inventory(ctx context.Context, site string, refresh bool) (*upkeep.Inventory, error)
}

// Gates closes and opens a site by hand.
type Gates interface {
	// Freeze closes the site for at most the given time, after which it
	// thaws by itself. CodeConflict while an intervention runs on it.
	Freeze(ctx context.Context, actor, site string, limit time.Duration) (*GateState, error)
	// Thaw opens the site. A live site is not an error.
	Thaw(ctx context.Context, actor, site string) (*GateState, error)
}

// GateState is whether a site is closed, and until when at most.
type GateState struct {
	Frozen bool      `json:"frozen"`
	Since  time.Time `json:"since,omitzero"`
	Until  time.Time `json:"until,omitzero"`
}

// Checks looks at a live site.
type Checks interface {
	// VerifySite probes the pages and reads back the schema level and the
	// versions, and changes nothing.
	VerifySite(ctx context.Context, site string) (*upkeep.Verdict, error)
}

// FreezeRequest closes a site by hand.
type FreezeRequest struct {
	For upkeep.Duration `json:"for"`
}

func (s *Server) siteList(w http.ResponseWriter, r *http.Request) error {
	sites, err := s.Sites.Sites(r.Context())
	return reply.List(w, sites, err)
}

func (s *Server) siteShow(w http.ResponseWriter, r *http.Request) error {
	site, err := s.Sites.Site(r.Context(), r.PathValue("site"))
	return reply.Or(w, site, err)
}

func (s *Server) siteAdd(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[AddSiteRequest](r)
	if err != nil {
		return err
	}
	if req.Root == "" {
		return upkeep.Errorf(upkeep.CodeInvalid, "root is missing").WithHint("Name the folder that holds the CMS.")
	}
	site, err := s.Sites.AddSite(r.Context(), query.Actor(r), req)
	return reply.Or(w, site, err)
}

func (s *Server) siteRemove(w http.ResponseWriter, r *http.Request) error {
	return reply.Or(w, struct{}{}, s.Sites.RemoveSite(r.Context(), query.Actor(r), r.PathValue("site")))
}

func (s *Server) sitePolicy(w http.ResponseWriter, r *http.Request) error {
	policy, err := reply.Decode[upkeep.Policy](r)
	if err != nil {
		return err
	}
	site, err := s.Sites.SetPolicy(r.Context(), query.Actor(r), r.PathValue("site"), policy)
	return reply.Or(w, site, err)
}

func (s *Server) siteInventory(w http.ResponseWriter, r *http.Request) error {
	q := query.Of(r)
	refresh := q.Flag("refresh")
	if q.Err != nil {
		return q.Err
	}
	inventory, err := s.Inventories.Inventory(r.Context(), r.PathValue("site"), refresh && access.Of(r).Works())
	return reply.Or(w, inventory, err)
}

// maxFreeze bounds a freeze by hand: a site nobody thaws must come back by
// itself before anyone's patience ends.
const maxFreeze = 24 * time.Hour

func (s *Server) siteFreeze(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[FreezeRequest](r)
	if err != nil {
		return err
	}
	limit := time.Duration(req.For)
	if limit <= 0 || limit > maxFreeze {
		return upkeep.Errorf(upkeep.CodeInvalid, "freeze for %s: want more than 0 and at most %s", limit, maxFreeze)
	}
	state, err := s.Gates.Freeze(r.Context(), query.Actor(r), r.PathValue("site"), limit)
	return reply.Or(w, state, err)
}

func (s *Server) siteThaw(w http.ResponseWriter, r *http.Request) error {
	state, err := s.Gates.Thaw(r.Context(), query.Actor(r), r.PathValue("site"))
	return reply.Or(w, state, err)
}

func (s *Server) siteVerify(w http.ResponseWriter, r *http.Request) error {
	verdict, err := s.Checks.VerifySite(r.Context(), r.PathValue("site"))
	return reply.Or(w, verdict, err)
}
