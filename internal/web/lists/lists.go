// Package lists answers for all sites at once, from what was last decided
// about each: lists in parts, what needs a person, what comes next. No host and
// no publisher is asked.
package lists

import (
	"context"
	"net/http"

	"upkeep"
	"upkeep/internal/overview"
	"upkeep/internal/web/access"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

// Service answers.
type Service interface {
	// Sites returns the sites that q chooses.
	Sites(ctx context.Context, q overview.SiteQuery) (*overview.SitePage, error)
	// Agenda returns what needs a person, and what comes next.
	Agenda(ctx context.Context) (*overview.Agenda, error)
	// Line returns one site by its name. CodeNotFound when there is none.
	Line(ctx context.Context, name string) (*overview.SiteLine, error)
	// Interventions returns those of a site, or of all sites for 0, newest first.
	Interventions(ctx context.Context, filter upkeep.InterventionFilter) ([]overview.NamedIntervention, error)
	// Standing returns what was last decided about a site. CodeNotFound when
	// nothing was.
	Standing(ctx context.Context, site upkeep.SiteID) (*upkeep.Standing, error)
}

// Routes is the part of the API that s answers.
func Routes(s Service, replies reply.Replier) []access.Route {
	return []access.Route{
		{Pattern: "GET /v1/agenda", For: access.Reader, Handler: replies.Answer(func(w http.ResponseWriter, r *http.Request) error {
			agenda, err := s.Agenda(r.Context())
			return reply.Or(w, agenda, err)
		})},
		{Pattern: "GET /v1/lines", For: access.Reader, Handler: replies.Answer(func(w http.ResponseWriter, r *http.Request) error {
			q, err := Query(r)
			if err != nil {
				return err
			}
			page, err := s.Sites(r.Context(), q)
			return reply.Or(w, page, err)
		})},
	}
}

// mostLines is how many sites a part of a list may have.
const mostLines = 500

// Query reads which sites a request asks for. CodeInvalid when it cannot be
// understood.
func Query(r *http.Request) (overview.SiteQuery, error) {
	q := query.Of(r)
	asked := overview.SiteQuery{Search: q.Text("q"), Shown: overview.Shown(q.Text("show")), Sort: q.Text("sort"), Descending: q.Flag("down"),
		Offset: int(q.Number("offset")), Limit: int(min(q.Number("limit"), mostLines))}
	if q.Err == nil && len(asked.Search) > 200 {
		q.Err = upkeep.Errorf(upkeep.CodeInvalid, "the search has more than %d characters", 200)
	}
	return asked, q.Err
}
