package web

import (
	"cmp"
	"context"
	"net/http"

	"upkeep"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

// Applications finds what is on hosts, and says what is to be done with it.
type Applications interface {
	// ScanHost looks through a host and keeps what it finds.
	ScanHost(ctx context.Context, actor string, req ScanRequest) (*ScanResult, error)
	// Applications returns all that is known, sites too, by host and root.
	Applications(ctx context.Context) ([]Application, error)
	// AdoptApplication makes a site of one, as AddSite does with what was
	// found; Host and Root of the request are not read.
	AdoptApplication(ctx context.Context, actor string, id upkeep.ApplicationID, req AddSiteRequest) (*Site, error)
	// DismissApplication says that one is not to be kept. CodeConflict when
	// it is a site.
	DismissApplication(ctx context.Context, actor string, id upkeep.ApplicationID, because string) (*Application, error)
}

// Application is one with how it stands.
type Application struct {
	upkeep.Hosted
	HostName string            `json:"host_name,omitempty"` // "" is this machine
	Site     string            `json:"site,omitempty"`      // name of the site that it is
	Status   ApplicationStatus `json:"status"`
}

// ApplicationStatus says how an application stands, in one word.
type ApplicationStatus string

// The statuses.
const (
	Covered   ApplicationStatus = "covered" // a site
	Uncovered ApplicationStatus = "uncovered"
	Dismissed ApplicationStatus = "dismissed"
	Gone      ApplicationStatus = "gone" // the last scan did not find it
)

// ScanRequest looks through a host, "" for this machine.
type ScanRequest struct {
	Host  string   `json:"host,omitempty"`
	Paths []string `json:"paths,omitempty"` // only there
}

// ScanResult is what a scan found and changed.
type ScanResult struct {
	Places       []string               `json:"places"`
	Cut          []upkeep.Cut           `json:"cut,omitempty"`
	Applications []Application          `json:"applications"` // that are there, and those that are not any more
	New          []upkeep.ApplicationID `json:"new"`
	Back         []upkeep.ApplicationID `json:"back"`
	Gone         []upkeep.ApplicationID `json:"gone"`
}

func (s *Server) hostScan(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[ScanRequest](r)
	if err != nil {
		return err
	}
	result, err := s.Applications.ScanHost(r.Context(), query.Actor(r), req)
	return reply.Or(w, result, err)
}

func (s *Server) applicationList(w http.ResponseWriter, r *http.Request) error {
	found, err := s.Applications.Applications(r.Context())
	return reply.List(w, found, err)
}

func (s *Server) applicationAdopt(w http.ResponseWriter, r *http.Request) error {
	id, err := reply.ID[upkeep.ApplicationID](r)
	req, rerr := reply.Decode[AddSiteRequest](r)
	if err := cmp.Or(err, rerr); err != nil {
		return err
	}
	site, err := s.Applications.AdoptApplication(r.Context(), query.Actor(r), id, req)
	return reply.Or(w, site, err)
}

func (s *Server) applicationDismiss(w http.ResponseWriter, r *http.Request) error {
	id, err := reply.ID[upkeep.ApplicationID](r)
	req, rerr := reply.Decode[HoldRequest](r)
	if err := cmp.Or(err, rerr); err != nil {
		return err
	}
	found, err := s.Applications.DismissApplication(r.Context(), query.Actor(r), id, req.Because)
	return reply.Or(w, found, err)
}

// ScanHost implements Applications.
func (c *Client) ScanHost(ctx context.Context, actor string, req ScanRequest) (*ScanResult, error) {
	return object[ScanResult](ctx, c, Request{http.MethodPost, "/v1/scan", actor, req})
}

// Applications implements Applications.
func (c *Client) Applications(ctx context.Context) ([]Application, error) {
	return get[[]Application](ctx, c, "/v1/applications")
}

// AdoptApplication implements Applications.
func (c *Client) AdoptApplication(ctx context.Context, actor string, id upkeep.ApplicationID, req AddSiteRequest) (*Site, error) {
	return object[Site](ctx, c, Request{http.MethodPost, idPath("applications", id, "/adopt"), actor, req})
}

// DismissApplication implements Applications.
func (c *Client) DismissApplication(ctx context.Context, actor string, id upkeep.ApplicationID, because string) (*Application, error) {
	return object[Application](ctx, c, Request{http.MethodPost, idPath("applications", id, "/dismiss"), actor, HoldRequest{because}})
}
