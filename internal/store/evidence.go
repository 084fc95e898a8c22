package store

import (
	"context"
	"database/sql"
	"errors"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

// writeEvidence keeps what an intervention that has ended proved. One that
// never touched the site proved nothing. An incident that ends anew proves
// what it proves then.
func writeEvidence(ctx context.Context, tx *records.Tx, iv *upkeep.Intervention) error {
	if iv.FrozenAt.IsZero() {
		return nil
	}
	site, err := findSite(ctx, tx, iv.Site)
	if err != nil {
		return err
	}
	var environment upkeep.Environment
	row := tx.QueryRowContext(ctx, inventoryColumns+` WHERE site = $1 AND taken <= $2 ORDER BY id DESC LIMIT 1`, iv.Site, column.Stamp(iv.Created))
	switch inventory, err := scanInventory(row); {
	case err == nil:
		environment = inventory.Environment()
	case !errors.Is(err, sql.ErrNoRows):
		return err
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO environment (intervention, body) VALUES ($1, $2) ON CONFLICT (intervention) DO NOTHING`,
		iv.ID, column.Document{Of: environment}); err != nil {
		return err
	}
	for _, o := range iv.Outcomes {
		if o.Result == upkeep.NotApplied && o.Detail != "" { // it was not tried, for a reason of its own
			continue
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO evidence (intervention, site, cms, component, from_version, version, result, at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
			ON CONFLICT (intervention, component) DO UPDATE SET result = excluded.result, at = excluded.at`,
			iv.ID, iv.Site, site.CMS, o.Ref, o.From, o.To, o.Result, column.Stamp(iv.Ended)); err != nil {
			return err
		}
	}
	return nil
}

// Evidence returns what was proven of a release, oldest first; of all releases
// of the CMS when component is "".
func (db *DB) Evidence(ctx context.Context, cms upkeep.CMS, component string, version upkeep.Version) (found []upkeep.Evidence, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		var w column.Where
		w.Add(true, "cms = ?", cms)
		w.Add(component != "", "component = ?", component)
		w.Add(component != "", "version = ?", version)
		query, args := w.Query(`SELECT intervention, site, cms, component, from_version, version, result, body, at
			FROM evidence JOIN environment USING (intervention)`, "at, intervention, component", 0)
		found, err = records.Collect(ctx, tx, query, args, func(row records.Row) (e upkeep.Evidence, err error) {
			err = row.Scan(&e.Intervention, &e.Site, &e.CMS, &e.Component, &e.From, &e.To, &e.Result, column.Document{Of: &e.Environment}, (*column.Stamp)(&e.At))
			return e, err
		})
		return err
	})
	return found, err
}

const rolloutColumns = `SELECT cms, component, version, security, began, held, waves FROM rollout`

// Rollout returns the waves of a release. CodeNotFound while it has none.
func (db *DB) Rollout(ctx context.Context, cms upkeep.CMS, component string, version upkeep.Version) (found *upkeep.Rollout, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		row := tx.QueryRowContext(ctx, rolloutColumns+` WHERE cms = $1 AND component = $2 AND version = $3`, cms, component, version)
		found, err = records.Single(row, scanRollout, "rollout of", component)
		return err
	})
	return found, err
}

// CreateRollout keeps the waves of a release and sets Began. Those that were
// laid down first stay, and are returned in r.
func (db *DB) CreateRollout(ctx context.Context, r *upkeep.Rollout) (err error) {
	defer upkeep.Wrap(&err, "lay down the waves of %s %s", r.Component, r.Version)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO rollout (cms, component, version, security, began, waves) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (cms, component, version) DO NOTHING`, r.CMS, r.Component, r.Version, r.Security, column.Stamp(tx.Now), column.Document{Of: r.Waves})
		if err != nil {
			return err
		}
		row := tx.QueryRowContext(ctx, rolloutColumns+` WHERE cms = $1 AND component = $2 AND version = $3`, r.CMS, r.Component, r.Version)
		kept, err := scanRollout(row)
		if err == nil {
			*r = *kept
		}
		return err
	})
}

// FailedRollouts returns the releases that broke a site since they were last
// held for it.
func (db *DB) FailedRollouts(ctx context.Context) (found []*upkeep.Rollout, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		found, err = records.Collect(ctx, tx, rolloutColumns+` WHERE EXISTS (SELECT 1 FROM evidence e
			WHERE e.cms = rollout.cms AND e.component = rollout.component AND e.version = rollout.version
			AND e.result = 'guilty' AND e.at > coalesce(rollout.held, 0)) ORDER BY cms, component, version`, nil, scanRollout)
		return err
	})
	return found, err
}

// MarkRolloutHeld keeps when a release was last held because a wave failed.
func (db *DB) MarkRolloutHeld(ctx context.Context, r *upkeep.Rollout) error {
	return db.records.Write(ctx, func(tx *records.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE rollout SET held = $1 WHERE cms = $2 AND component = $3 AND version = $4`,
			column.Stamp(r.Held), r.CMS, r.Component, r.Version)
		return err
	})
}

func scanRollout(row records.Row) (*upkeep.Rollout, error) {
	var r upkeep.Rollout
	err := row.Scan(&r.CMS, &r.Component, &r.Version, &r.Security, (*column.Stamp)(&r.Began), (*column.Stamp)(&r.Held), column.Document{Of: &r.Waves})
	return &r, err
}
