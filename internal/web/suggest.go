package web

import (
	"net/http"
	"slices"
	"strings"

	"upkeep"
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
	if close := near(name, names); len(close) > 0 {
		*e = *e.WithHint("Did you mean %s?", strings.Join(close, ", "))
	}
}

// near returns at most three of names that differ little from name, the
// nearest first.
func near(name string, names []string) []string {
	type candidate struct {
		name     string
		distance int
	}
	var found []candidate
	for _, n := range names {
		d := distance(name, n)
		if strings.Contains(n, name) || strings.Contains(name, n) {
			d = min(d, 2)
		}
		if d <= max(2, len(name)/3) {
			found = append(found, candidate{n, d})
		}
	}
	slices.SortStableFunc(found, func(a, b candidate) int { return a.distance - b.distance })
	var nearest []string
	for _, c := range found[:min(3, len(found))] {
		nearest = append(nearest, c.name)
	}
	return nearest
}

// distance is the Levenshtein distance in bytes; site names are ASCII.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
