package standing

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/overview"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

// How much of each kind an agenda holds: what a person can look at in a day.
const (
	most   = 25
	nights = 24 * time.Hour     // how far ahead what comes is listed
	soon   = 3 * 24 * time.Hour // how far ahead deadlines are
)

// Agenda returns what needs a person, and what comes next.
func (db DB) Agenda(ctx context.Context) (a *overview.Agenda, err error) {
	a = &overview.Agenda{Counts: map[overview.Shown]int{}}
	err = db.Read(ctx, func(tx *records.Tx) error {
		for _, part := range []func(context.Context, *records.Tx, *overview.Agenda) error{held, works, tasks, clocks, feeds, failing} {
			if err := part(ctx, tx, a); err != nil {
				return err
			}
		}
		if err := count(ctx, tx, a.Counts); err != nil {
			return err
		}
		a.Sites = a.Counts[overview.AllSites]
		return tx.QueryRowContext(ctx, `SELECT count(*) FROM application a WHERE gone IS NULL AND dismissed = 'null'
			AND NOT EXISTS (SELECT 1 FROM site WHERE site.root = a.place)`).Scan(&a.Uncovered)
	})
	return a, err
}

func held(ctx context.Context, tx *records.Tx, a *overview.Agenda) error {
	holds, err := records.Collect(ctx, tx, `SELECT actor, because, since FROM fleet_hold`, nil, func(row records.Row) (h *upkeep.FleetHold, err error) {
		h = &upkeep.FleetHold{}
		return h, row.Scan(&h.Actor, &h.Because, (*column.Stamp)(&h.Since))
	})
	if len(holds) > 0 {
		a.Hold = holds[0]
	}
	return err
}

const (
	withName = `SELECT i.id, i.site, i.state, i.requester, i.created, i.started, i.ended, i.cancel_at, i.body, s.name
	FROM intervention i JOIN site s ON s.id = i.site`
	named = withName + ` WHERE `
)

// Interventions returns those that filter leaves, newest first.
func (db DB) Interventions(ctx context.Context, filter upkeep.InterventionFilter) (found []overview.NamedIntervention, err error) {
	err = db.Read(ctx, func(tx *records.Tx) error {
		var w column.Where
		w.Add(filter.Site != 0, "i.site = ?", filter.Site)
		w.Plain(filter.Unended, "i.ended IS NULL")
		w.Add(!filter.EndedAfter.IsZero(), "i.ended > ?", column.Stamp(filter.EndedAfter))
		text, args := w.Query(withName, "i.id DESC", filter.Limit)
		found, err = records.Collect(ctx, tx, text, args, scanNamed)
		return err
	})
	return found, err
}

func works(ctx context.Context, tx *records.Tx, a *overview.Agenda) (err error) {
	if a.Troubled, err = records.Collect(ctx, tx, named+troubled+` ORDER BY (CASE WHEN i.state = 'incident' THEN 0 ELSE 1 END), i.id DESC LIMIT $1`,
		[]any{most}, scanNamed); err != nil {
		return err
	}
	a.Running, err = records.Collect(ctx, tx, named+`i.ended IS NULL ORDER BY i.id LIMIT $1`, []any{most}, scanNamed)
	return err
}

func scanNamed(row records.Row) (n overview.NamedIntervention, err error) {
	var id upkeep.InterventionID
	var site upkeep.SiteID
	var state upkeep.State
	var requester string
	var created, started, ended, cancel column.Stamp
	err = row.Scan(&id, &site, &state, &requester, &created, &started, &ended, &cancel, column.Document{Of: &n.Intervention}, &n.SiteName)
	n.ID, n.Site, n.State, n.Requester = id, site, state, requester
	n.Created, n.Started, n.Ended, n.CancelAt = time.Time(created), time.Time(started), time.Time(ended), time.Time(cancel)
	return n, err
}

func tasks(ctx context.Context, tx *records.Tx, a *overview.Agenda) (err error) {
	if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM task WHERE closed IS NULL`).Scan(&a.TaskCount); err != nil {
		return err
	}
	a.Tasks, err = records.Collect(ctx, tx, `SELECT t.id, t.site, t.intervention, t.component, t.code, t.params, t.created, s.name
		FROM task t JOIN site s ON s.id = t.site WHERE t.closed IS NULL ORDER BY t.created, t.id LIMIT $1`, []any{most},
		func(row records.Row) (t overview.NamedTask, err error) {
			err = row.Scan(&t.ID, &t.Site, (*column.Optional)(&t.Intervention), &t.Component, &t.Code, column.Document{Of: &t.Params},
				(*column.Stamp)(&t.Created), &t.SiteName)
			return t, err
		})
	return err
}

// clocks lists whose contractual delay runs out, and what comes next.
func clocks(ctx context.Context, tx *records.Tx, a *overview.Agenda) (err error) {
	var due column.Where
	due.Add(true, "d.deadline < ?", column.Stamp(tx.Now.Add(soon)))
	if a.Clocks, err = collect(ctx, tx, &due, "deadline, name", bounds{0, most}); err != nil {
		return err
	}
	var next column.Where
	next.Add(true, "d.turn < ?", column.Stamp(tx.Now.Add(nights)))
	if a.Next, err = collect(ctx, tx, &next, "turn, name", bounds{0, most}); err != nil {
		return err
	}
	return tx.QueryRowContext(ctx, `SELECT count(*) FROM standing WHERE turn < $1`, column.Stamp(tx.Now.Add(nights))).Scan(&a.NextCount)
}

func feeds(ctx context.Context, tx *records.Tx, a *overview.Agenda) (err error) {
	a.Stale, err = records.Collect(ctx, tx, `SELECT offline, count(*), min(checked) FROM standing WHERE offline <> '' GROUP BY offline ORDER BY offline`, nil,
		func(row records.Row) (s overview.StaleFeed, err error) {
			err = row.Scan(&s.Publisher, &s.Sites, (*column.Stamp)(&s.Checked))
			return s, err
		})
	return err
}

// failing lists the sites that could not even be looked at, as often as makes
// it unlikely that it was chance.
func failing(ctx context.Context, tx *records.Tx, a *overview.Agenda) (err error) {
	a.Failing, err = records.Collect(ctx, tx, `SELECT a.site, a.failures, a.tried, a.why, s.name, coalesce(h.name, '')
		FROM attempt a JOIN site s ON s.id = a.site LEFT JOIN host h ON h.id = s.host WHERE a.failures > 1
		ORDER BY a.failures DESC, a.site LIMIT $1`, []any{most},
		func(row records.Row) (t overview.NamedAttempt, err error) {
			err = row.Scan(&t.Site, &t.Failures, (*column.Stamp)(&t.Tried), &t.Why, &t.SiteName, &t.HostName)
			return t, err
		})
	return err
}
