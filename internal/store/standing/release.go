package standing

import (
	"context"
	"time"

	"upkeep/internal/overview"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

// Releases returns the releases that are on their way through the fleet, those
// that began last first.
func (db DB) Releases(ctx context.Context) (found []overview.ReleaseLine, err error) {
	const last = 100
	err = db.Read(ctx, func(tx *records.Tx) error {
		found, err = records.Collect(ctx, tx, `SELECT r.cms, r.component, r.version, r.security, r.began, r.held,
				(SELECT count(*) FROM evidence e WHERE e.cms = r.cms AND e.component = r.component AND e.version = r.version AND e.result = 'applied'),
				(SELECT count(*) FROM evidence e WHERE e.cms = r.cms AND e.component = r.component AND e.version = r.version AND e.result = 'guilty'),
				(SELECT count(*) FROM release_hold h WHERE h.cms = r.cms AND h.component = r.component AND h.version IN ('', r.version))
			FROM rollout r ORDER BY r.began DESC, r.component LIMIT $1`, []any{last},
			func(row records.Row) (l overview.ReleaseLine, err error) {
				var holds int
				err = row.Scan(&l.CMS, &l.Component, &l.Version, &l.Security, (*column.Stamp)(&l.Began), (*column.Stamp)(&l.Held), &l.Applied, &l.Failed, &holds)
				l.OnHold = holds > 0
				return l, err
			})
		return err
	})
	return found, err
}

// Delays returns how long it took sites to get security updates that the fleet
// knew of, of those that were applied since an instant.
func (db DB) Delays(ctx context.Context, since time.Time) (found []time.Duration, err error) {
	err = db.Read(ctx, func(tx *records.Tx) error {
		found, err = records.Collect(ctx, tx, `SELECT e.at - s.flagged FROM evidence e
			JOIN sighting s ON s.cms = e.cms AND s.component = e.component AND s.version = e.version
			WHERE s.flagged IS NOT NULL AND e.result = 'applied' AND e.at >= $1`, []any{column.Stamp(since)},
			func(row records.Row) (time.Duration, error) {
				var micro int64
				err := row.Scan(&micro)
				return time.Duration(micro) * time.Microsecond, err
			})
		return err
	})
	return found, err
}

// Turns returns the sites whose next intervention may begin within a time, the
// soonest first.
func (db DB) Turns(ctx context.Context, from, to time.Time) (found []overview.SiteLine, err error) {
	const most = 2000
	err = db.Read(ctx, func(tx *records.Tx) error {
		var w column.Where
		w.Add(true, "d.turn >= ?", column.Stamp(from))
		w.Add(true, "d.turn < ?", column.Stamp(to))
		found, err = collect(ctx, tx, &w, "turn, name", bounds{0, most})
		return err
	})
	return found, err
}
