package web

import (
	"context"
	"net/http"

	"upkeep"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

// Plans keeps what the agency promises, and which site is under what.
type Plans interface {
	// Plans returns all plans, the one for the fewest extensions first.
	Plans(ctx context.Context) ([]upkeep.Plan, error)
	// SetPlan keeps a plan, new or changed. CodeInvalid when it makes no sense.
	SetPlan(ctx context.Context, actor string, plan upkeep.Plan) (*upkeep.Plan, error)
	// RecommendPlan says which plan a site fits by its last inventory.
	RecommendPlan(ctx context.Context, site string) (*PlanAdvice, error)
	// Subscribe puts a site under a plan; req.Site and Since are not read.
	Subscribe(ctx context.Context, actor, site string, req upkeep.Subscription) (*Site, error)
	// Approve says yes, in the client's name, to all updates that are ready
	// on a site, and returns them.
	Approve(ctx context.Context, actor, site string) ([]upkeep.Approval, error)
}

// PlanAdvice is which plan a site fits, and why.
type PlanAdvice struct {
	Site        string          `json:"site"`
	Plan        string          `json:"plan,omitempty"`        // that it is under
	Recommended string          `json:"recommended,omitempty"` // "" when none fits
	Extensions  int             `json:"extensions"`
	Reasons     []upkeep.Reason `json:"reasons"`
}

func (s *Server) planList(w http.ResponseWriter, r *http.Request) error {
	plans, err := s.Plans.Plans(r.Context())
	return reply.List(w, plans, err)
}

func (s *Server) planSet(w http.ResponseWriter, r *http.Request) error {
	plan, err := reply.Decode[upkeep.Plan](r)
	if err != nil {
		return err
	}
	set, err := s.Plans.SetPlan(r.Context(), query.Actor(r), plan)
	return reply.Or(w, set, err)
}

func (s *Server) planRecommend(w http.ResponseWriter, r *http.Request) error {
	advice, err := s.Plans.RecommendPlan(r.Context(), r.PathValue("site"))
	return reply.Or(w, advice, err)
}

func (s *Server) siteSubscribe(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[upkeep.Subscription](r)
	if err != nil {
		return err
	}
	site, err := s.Plans.Subscribe(r.Context(), query.Actor(r), r.PathValue("site"), req)
	return reply.Or(w, site, err)
}

func (s *Server) siteApprove(w http.ResponseWriter, r *http.Request) error {
	approved, err := s.Plans.Approve(r.Context(), query.Actor(r), r.PathValue("site"))
	return reply.List(w, approved, err)
}

// Plans implements Plans.
func (c *Client) Plans(ctx context.Context) ([]upkeep.Plan, error) {
	return get[[]upkeep.Plan](ctx, c, "/v1/plans")
}

// SetPlan implements Plans.
func (c *Client) SetPlan(ctx context.Context, actor string, plan upkeep.Plan) (*upkeep.Plan, error) {
	return object[upkeep.Plan](ctx, c, Request{http.MethodPut, "/v1/plans", actor, plan})
}

// RecommendPlan implements Plans.
func (c *Client) RecommendPlan(ctx context.Context, site string) (*PlanAdvice, error) {
	return object[PlanAdvice](ctx, c, Request{Method: http.MethodGet, Path: sitePath(site, "/plan")})
}

// Subscribe implements Plans.
func (c *Client) Subscribe(ctx context.Context, actor, site string, req upkeep.Subscription) (*Site, error) {
	return object[Site](ctx, c, Request{http.MethodPut, sitePath(site, "/plan"), actor, req})
}

// Approve implements Plans.
func (c *Client) Approve(ctx context.Context, actor, site string) ([]upkeep.Approval, error) {
	return Call[[]upkeep.Approval](ctx, c, Request{http.MethodPost, sitePath(site, "/approve"), actor, nil})
}
