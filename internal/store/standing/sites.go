package standing

import (
	"context"
	"fmt"
	"strings"

	"upkeep"
	"upkeep/internal/overview"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

// joined is every site with what is known of it.
const joined = ` FROM site s
	LEFT JOIN host h ON h.id = s.host
	LEFT JOIN subscription p ON p.site = s.id
	LEFT JOIN standing d ON d.site = s.id`

// lines are the columns of a SiteLine that are known of many sites fast.
const lines = `SELECT s.id AS id, s.name AS name, s.url, s.root, s.host, s.cms AS cms, s.created, s.shut,
	coalesce(h.name, '') AS host_name, coalesce(p.plan, '') AS plan, coalesce(p.client, '') AS client,
	d.at, coalesce(d.core, '') AS core, coalesce(d.components, 0) AS components, coalesce(d.pending, 0) AS pending,
	coalesce(d.security, 0) AS security, coalesce(d.held, 0) AS held, d.turn AS turn, d.deadline AS deadline`

// troubled are the interventions that were the last of their sites and went
// otherwise than they should.
const troubled = `i.state IN ('failed', 'undone', 'partial', 'incident')
	AND NOT EXISTS (SELECT 1 FROM intervention later WHERE later.site = i.site AND later.id > i.id)`

// conditions say which sites a choice shows.
func conditions() map[overview.Shown]string {
	return map[overview.Shown]string{
		overview.AllSites:      "s.id IS NOT NULL",
		overview.SecuritySites: "d.security > 0",
		overview.OutdatedSites: "d.pending > 0",
		overview.HeldSites:     "d.held > 0",
		overview.WorkingSites:  "s.id IN (SELECT site FROM intervention WHERE ended IS NULL)",
		overview.TroubledSites: "s.id IN (SELECT i.site FROM intervention i WHERE " + troubled + ")",
		overview.UnplanedSites: "p.plan IS NULL",
	}
}

// orders are what a list can be sorted by. What is not known comes last.
func orders() map[string]string {
	return map[string]string{
		"name": "name", "client": "client", "cms": "cms", "security": "security", "pending": "pending", "turn": "turn", "deadline": "deadline",
	}
}

const defaultLimit = 50

// Sites returns the sites that q chooses, and how many there are of each choice.
// CodeInvalid for a choice or an order that does not exist.
func (db DB) Sites(ctx context.Context, q overview.SiteQuery) (page *overview.SitePage, err error) {
	condition, known := conditions()[q.Shown]
	if !known {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "sites shown %q: want security, outdated, held, working, trouble or no-plan", string(q.Shown))
	}
	if q.Sort == "" {
		q.Sort = "name"
	}
	order, known := orders()[q.Sort]
	if !known {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "sites sorted by %q: want name, client, cms, security, pending, turn or deadline", q.Sort)
	}
	var w column.Where
	w.Plain(true, condition)
	if q.Search != "" {
		w.Add(true, `lower(s.name || ' ' || s.url || ' ' || coalesce(p.client, '')) LIKE ? ESCAPE '!'`, pattern(q.Search))
	}
	page = &overview.SitePage{Counts: map[overview.Shown]int{}}
	err = db.Read(ctx, func(tx *records.Tx) error {
		text, args := w.Query("SELECT count(*)"+joined, "1", 0)
		if err := tx.QueryRowContext(ctx, text, args...).Scan(&page.Total); err != nil {
			return err
		}
		if page.Lines, err = collect(ctx, tx, &w, by(order, q.Descending), bounds{q.Offset, q.Limit}); err != nil {
			return err
		}
		return count(ctx, tx, page.Counts)
	})
	return page, err
}

// Line returns one site by its name. CodeNotFound when there is none.
func (db DB) Line(ctx context.Context, name string) (line *overview.SiteLine, err error) {
	err = db.Read(ctx, func(tx *records.Tx) error {
		var w column.Where
		w.Add(true, "s.name = ?", name)
		found, err := collect(ctx, tx, &w, "name", bounds{})
		if err == nil && len(found) == 0 {
			return upkeep.Errorf(upkeep.CodeNotFound, "site %s does not exist", name)
		}
		if err == nil {
			line = &found[0]
		}
		return err
	})
	return line, err
}

// SiteName returns the name of a site, "" when there is none.
func (db DB) SiteName(ctx context.Context, id upkeep.SiteID) (name string, err error) {
	err = db.Read(ctx, func(tx *records.Tx) error {
		names, err := records.Collect(ctx, tx, `SELECT name FROM site WHERE id = $1`, []any{id}, records.One[string])
		if len(names) > 0 {
			name = names[0]
		}
		return err
	})
	return name, err
}

// pattern finds a text anywhere, whatever stands in it.
func pattern(text string) string {
	return "%" + strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(strings.ToLower(text)) + "%"
}

func by(order string, descending bool) string {
	way := ""
	if descending {
		way = " DESC"
	}
	return fmt.Sprintf("(CASE WHEN %[1]s IS NULL THEN 1 ELSE 0 END), %[1]s%[2]s, name", order, way)
}

// bounds are which part of a list is taken.
type bounds struct{ offset, limit int }

// collect returns a part of the sites that w leaves. The last intervention and
// backup are looked up of these alone.
func collect(ctx context.Context, tx *records.Tx, w *column.Where, order string, part bounds) ([]overview.SiteLine, error) {
	if part.limit <= 0 {
		part.limit = defaultLimit
	}
	where, args := w.Query("", "s.id", 0)
	text := `SELECT page.*, coalesce(i.id, 0), coalesce(i.state, ''),
			(SELECT b.taken FROM backup b WHERE b.site = page.id AND b.complete ORDER BY b.id DESC LIMIT 1)
		FROM (SELECT * FROM (` + lines + joined + strings.TrimSuffix(where, " ORDER BY s.id") + `) every ORDER BY ` + order + fmt.Sprintf(" LIMIT %d OFFSET %d", part.limit, max(part.offset, 0)) + `) page
		LEFT JOIN intervention i ON i.id = (SELECT max(id) FROM intervention WHERE site = page.id)
		ORDER BY ` + order
	return records.Collect(ctx, tx, text, args, scanLine)
}

func scanLine(row records.Row) (l overview.SiteLine, err error) {
	err = row.Scan(&l.ID, &l.Name, &l.URL, &l.Root, (*column.Optional)(&l.Host), &l.CMS, (*column.Stamp)(&l.Created), (*column.Stamp)(&l.Shut),
		&l.HostName, &l.Plan, &l.Client, (*column.Stamp)(&l.Decided), &l.Core, &l.Components, &l.Pending, &l.Security, &l.Held,
		(*column.Stamp)(&l.Turn), (*column.Stamp)(&l.Deadline), &l.Last, &l.State, (*column.Stamp)(&l.LastBackup))
	l.Root = strings.TrimPrefix(l.Root, "@"+l.Host.String()+":")
	return l, err
}

// count counts the sites of each choice in one go.
func count(ctx context.Context, tx *records.Tx, counts map[overview.Shown]int) error {
	choices := []overview.Shown{overview.AllSites, overview.SecuritySites, overview.OutdatedSites, overview.HeldSites, overview.UnplanedSites}
	parts := make([]string, len(choices))
	numbers := make([]int, len(choices))
	into := make([]any, len(choices))
	for i, choice := range choices {
		parts[i] = "coalesce(sum(CASE WHEN " + conditions()[choice] + " THEN 1 ELSE 0 END), 0)"
		into[i] = &numbers[i]
	}
	text := "SELECT " + strings.Join(parts, ", ") + ` FROM site s LEFT JOIN subscription p ON p.site = s.id LEFT JOIN standing d ON d.site = s.id`
	if err := tx.QueryRowContext(ctx, text).Scan(into...); err != nil {
		return err
	}
	for i, choice := range choices {
		counts[choice] = numbers[i]
	}
	for choice, text := range map[overview.Shown]string{
		overview.WorkingSites:  `SELECT count(*) FROM intervention WHERE ended IS NULL`,
		overview.TroubledSites: `SELECT count(*) FROM intervention i WHERE ` + troubled,
	} {
		var n int
		if err := tx.QueryRowContext(ctx, text).Scan(&n); err != nil {
			return err
		}
		counts[choice] = n
	}
	return nil
}
