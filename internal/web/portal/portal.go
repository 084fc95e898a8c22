// Package portal is the API of what belongs to a client: their sites, and what
// was done on them. What a question may see is part of it.
package portal

import (
	"context"
	"net/http"

	"upkeep/internal/web/access"
	"upkeep/internal/web/reply"
	"upkeep/person"
)

// Owned answers about sites in view. CodeNotFound for every other.
type Owned interface {
	// OwnedSites returns the sites, by name.
	OwnedSites(ctx context.Context, view person.View) ([]person.OwnedSite, error)
	// OwnedSite returns one.
	OwnedSite(ctx context.Context, view person.View, name string) (*person.OwnedSite, error)
	// OwnedInterventions returns those that ended on a site, the newest first.
	OwnedInterventions(ctx context.Context, view person.View, name string, limit int) ([]person.OwnedIntervention, error)
}

// Shown is how many interventions are listed.
const Shown = 50

// Site is a site with what was done on it.
type Site struct {
	person.OwnedSite
	Standing      person.Owned               `json:"standing"`
	Interventions []person.OwnedIntervention `json:"interventions,omitempty"`
}

// Sites returns the sites in view.
func Sites(ctx context.Context, owned Owned, view person.View) ([]Site, error) {
	found, err := owned.OwnedSites(ctx, view)
	sites := make([]Site, len(found))
	for i := range found {
		sites[i] = Site{OwnedSite: found[i], Standing: found[i].Standing()}
	}
	return sites, err
}

// Open returns one site in view with what was done on it.
func Open(ctx context.Context, owned Owned, view person.View, name string) (*Site, error) {
	found, err := owned.OwnedSite(ctx, view, name)
	if err != nil {
		return nil, err
	}
	done, err := owned.OwnedInterventions(ctx, view, name, Shown)
	return &Site{OwnedSite: *found, Standing: found.Standing(), Interventions: done}, err
}

// Routes is the part of the API that owned answers.
func Routes(owned Owned, replies reply.Replier) []access.Route {
	return []access.Route{
		{Pattern: "GET /v1/portal/sites", For: access.Visitor, Handler: replies.Answer(func(w http.ResponseWriter, r *http.Request) error {
			sites, err := Sites(r.Context(), owned, access.Of(r).View())
			return reply.List(w, sites, err)
		})},
		{Pattern: "GET /v1/portal/sites/{site}", For: access.Visitor, Handler: replies.Answer(func(w http.ResponseWriter, r *http.Request) error {
			site, err := Open(r.Context(), owned, access.Of(r).View(), r.PathValue("site"))
			return reply.Or(w, site, err)
		})},
	}
}
