// Package ledger shows the record of everything done, and proves that nothing
// of it was changed.
package ledger

import (
	"embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"upkeep/internal/web"
	"upkeep/internal/web/console/frame"
	"upkeep/internal/web/query"
)

//go:embed ledger.html
var files embed.FS

// Page is the ledger.
type Page struct {
	ledger web.Ledger
	view   *frame.View
}

// New returns the page.
func New(f *frame.Frame, ledger web.Ledger) (*Page, error) {
	view, err := f.View(files, "ledger.html")
	return &Page{ledger, view}, err
}

// length is how many entries a page shows.
const length = 100

// content is what the page shows.
type content struct {
	Entries []web.LedgerEntry // newest first
	Site    string            // whose; "" is all
	Check   *web.LedgerCheck  // nil: not asked for
}

// Show answers with the newest entries.
func (p *Page) Show(v *frame.Visit) error { return p.show(v, nil) }

// Verify recomputes the whole chain and says what it found.
func (p *Page) Verify(v *frame.Visit) error {
	check, err := p.ledger.VerifyLedger(v.R.Context())
	if err != nil {
		return err
	}
	return p.show(v, check)
}

func (p *Page) show(v *frame.Visit, check *web.LedgerCheck) error {
	q := query.Of(v.R)
	site := q.Text("site")
	if q.Err != nil {
		return q.Err
	}
	entries, err := p.ledger.Entries(v.R.Context(), web.LedgerFilter{Site: site, Limit: length})
	if err != nil {
		return err
	}
	slices.Reverse(entries)
	return v.Show(p.view, frame.Head{Title: v.Texts.Text("console.nav.ledger"), Place: "ledger"}, content{entries, site, check})
}

// Facts says what an entry holds, in the order of the names.
func (content) Facts(e web.LedgerEntry) string {
	names := make([]string, 0, len(e.Facts))
	for name := range e.Facts {
		names = append(names, name)
	}
	slices.Sort(names)
	said := make([]string, len(names))
	for i, name := range names {
		said[i] = name + " " + written(e.Facts[name])
	}
	const longest = 160
	text := []rune(strings.Join(said, " · "))
	if len(text) > longest {
		return string(text[:longest]) + "…"
	}
	return string(text)
}

// written is a fact as one line.
func written(fact any) string {
	switch fact := fact.(type) {
	case string:
		return fact
	case map[string]any, []any:
		raw, err := json.Marshal(fact)
		if err == nil {
			return string(raw)
		}
	}
	return fmt.Sprint(fact)
}
