package people

import (
	"context"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
	"upkeep/person"
)

// inView is the condition on subscriptions p that every query of what is
// somebody's own has: $1 and $2 are the view. A view of no client holds none of
// the sites that are nobody's.
const inView = ` ($1 OR (p.client = $2 AND p.client <> ''))`

const ownedColumns = `SELECT s.name, s.url, coalesce(t.title, ''), p.since, d.at, coalesce(d.pending, 0), coalesce(d.security, 0), coalesce(d.held, 0), d.turn,
	(SELECT b.taken FROM backup b WHERE b.site = s.id AND b.complete ORDER BY b.id DESC LIMIT 1),
	coalesce((SELECT i.state FROM intervention i WHERE i.site = s.id AND i.ended IS NULL ORDER BY i.id DESC LIMIT 1), ''),
	coalesce((SELECT max(i.id) FROM intervention i WHERE i.site = s.id AND i.ended IS NOT NULL), 0)
	FROM site s LEFT JOIN subscription p ON p.site = s.id LEFT JOIN plan t ON t.name = p.plan LEFT JOIN standing d ON d.site = s.id WHERE` + inView

// ownedRow is a site with the number of its last intervention.
type ownedRow struct {
	site person.OwnedSite
	last upkeep.InterventionID
}

func scanOwned(row records.Row) (o ownedRow, err error) {
	s := &o.site
	err = row.Scan(&s.Name, &s.URL, &s.Plan, (*column.Stamp)(&s.Since), (*column.Stamp)(&s.Decided), &s.Pending, &s.Security, &s.Held,
		(*column.Stamp)(&s.Next), (*column.Stamp)(&s.Backup), &s.Running, &o.last)
	return o, err
}

// OwnedSites returns the sites in view, by name.
func (r Records) OwnedSites(ctx context.Context, view person.View) (sites []person.OwnedSite, err error) {
	err = r.Read(ctx, func(tx *records.Tx) error {
		rows, err := records.Collect(ctx, tx, ownedColumns+` ORDER BY s.name`, []any{view.All, view.Client}, scanOwned)
		if err != nil {
			return err
		}
		for i := range rows {
			site, err := withLast(ctx, tx, &rows[i])
			if err != nil {
				return err
			}
			sites = append(sites, *site)
		}
		return nil
	})
	return sites, err
}

// OwnedSite returns a site in view. CodeNotFound when there is none, there.
func (r Records) OwnedSite(ctx context.Context, view person.View, name string) (site *person.OwnedSite, err error) {
	err = r.Read(ctx, func(tx *records.Tx) error {
		row := tx.QueryRowContext(ctx, ownedColumns+` AND s.name = $3`, view.All, view.Client, name)
		found, err := records.Single(row, scanOwned, "site", name)
		if err != nil {
			return err
		}
		site, err = withLast(ctx, tx, &found)
		return err
	})
	return site, err
}

const endedColumns = `SELECT i.id, i.state, i.ended, i.body FROM intervention i`

func scanEnded(row records.Row) (w person.OwnedIntervention, err error) {
	var iv upkeep.Intervention
	err = row.Scan(&w.ID, &w.State, (*column.Stamp)(&w.Ended), column.Document{Of: &iv})
	w.Frozen = upkeep.Duration(iv.Frozen(w.Ended))
	for i := range iv.Outcomes {
		switch iv.Outcomes[i].Result {
		case upkeep.Applied:
			w.Applied++
		case upkeep.Guilty:
			w.Undone++
		}
	}
	return w, err
}

func withLast(ctx context.Context, tx *records.Tx, o *ownedRow) (*person.OwnedSite, error) {
	if o.last == 0 {
		return &o.site, nil
	}
	last, err := scanEnded(tx.QueryRowContext(ctx, endedColumns+` WHERE i.id = $1`, o.last))
	o.site.Last = &last
	return &o.site, err
}

// OwnedInterventions returns the interventions that ended on a site in view,
// the newest first.
func (r Records) OwnedInterventions(ctx context.Context, view person.View, name string, limit int) (all []person.OwnedIntervention, err error) {
	err = r.Read(ctx, func(tx *records.Tx) error {
		all, err = records.Collect(ctx, tx, endedColumns+` JOIN site s ON s.id = i.site LEFT JOIN subscription p ON p.site = s.id WHERE`+inView+
			` AND s.name = $3 AND i.ended IS NOT NULL ORDER BY i.id DESC LIMIT $4`, []any{view.All, view.Client, name, limit}, scanEnded)
		return err
	})
	return all, err
}
