// Package sites is the list of all sites: searched, filtered and sorted as fast
// as one types, whatever their number.
package sites

import (
	"context"
	"embed"
	"net/url"
	"strconv"

	"upkeep/internal/overview"
	"upkeep/internal/web/console/frame"
	"upkeep/internal/web/lists"
)

//go:embed sites.html
var files embed.FS

// Lister lists sites.
type Lister interface {
	Sites(ctx context.Context, q overview.SiteQuery) (*overview.SitePage, error)
}

// Page is the list.
type Page struct {
	lister Lister
	view   *frame.View
}

// New returns the page.
func New(f *frame.Frame, lister Lister) (*Page, error) {
	view, err := f.View(files, "sites.html")
	return &Page{lister, view}, err
}

// length is how many sites a part of the list shows.
const length = 50

// content is what the page shows.
type content struct {
	*overview.SitePage
	Query overview.SiteQuery
}

// First is the number of the first site shown, from 1.
func (c content) First() int { return min(c.Query.Offset+1, c.Total) }

// Last is the number of the last one.
func (c content) Last() int { return c.Query.Offset + len(c.Lines) }

// Show answers with the list, or with what a search changes of it.
func (p *Page) Show(v *frame.Visit) error {
	q, err := lists.Query(v.R)
	if err != nil {
		return err
	}
	q.Limit = length
	found, err := p.lister.Sites(v.R.Context(), q)
	if err != nil {
		return err
	}
	shown := content{found, q}
	if v.Partial("list") {
		return v.Part(p.view, "list", shown)
	}
	return v.Show(p.view, frame.Head{Title: v.Texts.Text("console.nav.fleet"), Place: "fleet", Live: "list"}, shown)
}

// path writes the address of a list.
func path(q overview.SiteQuery) string {
	values := url.Values{}
	set := func(name, value string) {
		if value != "" {
			values.Set(name, value)
		}
	}
	set("q", q.Search)
	set("show", string(q.Shown))
	set("sort", q.Sort)
	if q.Descending {
		set("down", "true")
	}
	if q.Offset > 0 {
		set("offset", strconv.Itoa(q.Offset))
	}
	if len(values) == 0 {
		return "/sites"
	}
	return "/sites?" + values.Encode()
}

// Showing is the address of another choice of sites.
func (c content) Showing(shown string) string {
	q := c.Query
	q.Shown, q.Offset = overview.Shown(shown), 0
	return path(q)
}

// Sorting is the address of the same list in another order; what it is sorted
// by already is turned round.
func (c content) Sorting(by string) string {
	q := c.Query
	q.Descending = q.Sort == by && !q.Descending || q.Sort != by && (by == "security" || by == "pending")
	q.Sort, q.Offset = by, 0
	return path(q)
}

// Sorted says for a column how the list is sorted by it, as ARIA does.
func (c content) Sorted(by string) string {
	switch {
	case c.Query.Sort != by && (by != "name" || c.Query.Sort != ""):
		return "none"
	case c.Query.Descending:
		return "descending"
	}
	return "ascending"
}

// Before is the address of the part before this one, "" for none.
func (c content) Before() string {
	if c.Query.Offset == 0 {
		return ""
	}
	q := c.Query
	q.Offset = max(0, q.Offset-length)
	return path(q)
}

// After is the address of the part after this one, "" for none.
func (c content) After() string {
	q := c.Query
	if q.Offset += length; q.Offset >= c.Total {
		return ""
	}
	return path(q)
}
