// Package standing keeps what was last decided about each site, and answers
// from it for all sites at once: which there are, what needs a person, what
// comes next.
package standing

import (
	"context"
	"strings"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

// DB is the records, asked about all sites at once.
type DB struct{ *records.DB }

// PutStanding keeps what was decided about a site. Of a site that was removed
// meanwhile nothing is kept.
func (db DB) PutStanding(ctx context.Context, s *upkeep.Standing) (err error) {
	defer upkeep.Wrap(&err, "keep the standing of site %s", s.Site)
	return db.Write(ctx, func(tx *records.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO standing
			(site, at, core, components, pending, security, held, turn, deadline, offline, checked, body)
			SELECT id, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM site WHERE id = $1
			ON CONFLICT (site) DO UPDATE SET at = excluded.at, core = excluded.core, components = excluded.components,
				pending = excluded.pending, security = excluded.security, held = excluded.held, turn = excluded.turn,
				deadline = excluded.deadline, offline = excluded.offline, checked = excluded.checked, body = excluded.body`,
			s.Site, column.Stamp(s.At), s.Core, s.Components, s.Pending, s.Security, s.Held, column.Stamp(s.Appointment.At),
			column.Stamp(s.Appointment.Deadline), strings.Join(s.Offline, " "), column.Stamp(s.Checked), column.Document{Of: s})
		return err
	})
}

// Standing returns what was last decided about a site. CodeNotFound when
// nothing was.
func (db DB) Standing(ctx context.Context, site upkeep.SiteID) (found *upkeep.Standing, err error) {
	err = db.Read(ctx, func(tx *records.Tx) error {
		row := tx.QueryRowContext(ctx, `SELECT body FROM standing WHERE site = $1`, site)
		found, err = records.Single(row, func(row records.Row) (*upkeep.Standing, error) {
			var s upkeep.Standing
			return &s, row.Scan(column.Document{Of: &s})
		}, "standing of site", site)
		return err
	})
	return found, err
}
