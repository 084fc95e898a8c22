package web

import (
	"net/http"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/web/near"
)

// suggest completes an error about what does not exist with where to find
// what does. It reads the sites only then, never for an answer.
func (s *Server) suggest(r *http.Request, e *upkeep.Error) {
	name := r.PathValue("site")
	if name == "" {
		name = r.URL.Query().Get("site")
	}
	switch {
	case e.Hint != "":
	case name != "":
		s.suggestSite(r, name, e)
	case strings.HasPrefix(r.URL.Path, "/v1/hosts/"):
		*e = *e.WithHint("Known hosts: upkeep host list.")
	case strings.HasPrefix(r.URL.Path, "/v1/applications/"):
		*e = *e.WithHint("Known applications: upkeep application list.")
	case strings.HasPrefix(r.URL.Path, "/v1/interventions/"):
		*e = *e.WithHint("Known interventions: upkeep intervention list.")
	case strings.HasPrefix(r.URL.Path, "/v1/backups/"):
		*e = *e.WithHint("Known backups: upkeep backup list.")
	}
}

// suggestSite offers the names that come near the wrong one.
func (s *Server) suggestSite(r *http.Request, name string, e *upkeep.Error) {
	sites, err := s.Sites.Sites(r.Context())
	if err != nil {
		return // the first error is the one to show
	}
	names := make([]string, 0, len(sites))
	for i := range sites {
		names = append(names, sites[i].Name)
	}
	if slices.Contains(names, name) {
		return // something else was not found
	}
	*e = *e.WithHint("Known sites: upkeep site list.")
	if close := near.Names(name, names); len(close) > 0 {
		*e = *e.WithHint("Did you mean %s?", strings.Join(close, ", "))
	}
}
