package web

import (
	"context"
	"net/http"

	"upkeep"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

// Releases keeps releases from every site.
type Releases interface {
	// ReleaseHolds returns the holds, oldest first.
	ReleaseHolds(ctx context.Context) ([]upkeep.ReleaseHold, error)
	// HoldRelease holds a release; hold.Actor and Created are not read. What
	// is under way goes on.
	HoldRelease(ctx context.Context, actor string, hold upkeep.ReleaseHold) (*upkeep.ReleaseHold, error)
	// AllowRelease lifts a hold, by its CMS, component and version.
	AllowRelease(ctx context.Context, actor string, hold upkeep.ReleaseHold) error
	// Rollout returns a release's way through the fleet.
	Rollout(ctx context.Context, cms upkeep.CMS, component string, version upkeep.Version) (*upkeep.RolloutView, error)
}

func (s *Server) releaseShow(w http.ResponseWriter, r *http.Request) error {
	holds, err := s.Releases.ReleaseHolds(r.Context())
	return reply.List(w, holds, err)
}

func (s *Server) releaseHold(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[upkeep.ReleaseHold](r)
	if err != nil {
		return err
	}
	hold, err := s.Releases.HoldRelease(r.Context(), query.Actor(r), req)
	return reply.Or(w, hold, err)
}

func (s *Server) releaseAllow(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[upkeep.ReleaseHold](r)
	if err != nil {
		return err
	}
	return reply.Or(w, struct{}{}, s.Releases.AllowRelease(r.Context(), query.Actor(r), req))
}

func (s *Server) releaseRollout(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	shown, err := s.Releases.Rollout(r.Context(), upkeep.CMS(q.Get("cms")), q.Get("component"), upkeep.Version(q.Get("version")))
	return reply.Or(w, shown, err)
}

// Rollout implements Releases.
func (c *Client) Rollout(ctx context.Context, cms upkeep.CMS, component string, version upkeep.Version) (*upkeep.RolloutView, error) {
	path := "/v1/releases" + params("cms", string(cms), "component", component, "version", string(version))
	return object[upkeep.RolloutView](ctx, c, Request{Method: http.MethodGet, Path: path})
}

// ReleaseHolds implements Releases.
func (c *Client) ReleaseHolds(ctx context.Context) ([]upkeep.ReleaseHold, error) {
	return get[[]upkeep.ReleaseHold](ctx, c, "/v1/releases/holds")
}

// HoldRelease implements Releases.
func (c *Client) HoldRelease(ctx context.Context, actor string, hold upkeep.ReleaseHold) (*upkeep.ReleaseHold, error) {
	return object[upkeep.ReleaseHold](ctx, c, Request{http.MethodPost, "/v1/releases/hold", actor, hold})
}

// AllowRelease implements Releases.
func (c *Client) AllowRelease(ctx context.Context, actor string, hold upkeep.ReleaseHold) error {
	_, err := Call[struct{}](ctx, c, Request{http.MethodPost, "/v1/releases/allow", actor, hold})
	return err
}
