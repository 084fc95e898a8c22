package store

import (
	"context"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

const planColumns = `SELECT name, title, extensions, customised, cadence_days, soak_days, security_hours, wave_hours, urgent_hours, insist FROM plan`

// Plans returns every plan, the one for the fewest extensions first.
func (db *DB) Plans(ctx context.Context) (plans []upkeep.Plan, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		plans, err = records.Collect(ctx, tx, planColumns+` ORDER BY extensions = 0, extensions, name`, nil, scanPlan)
		return err
	})
	return plans, err
}

// PutPlan keeps a plan, in place of the one of the same name.
func (db *DB) PutPlan(ctx context.Context, plan *upkeep.Plan) (err error) {
	defer upkeep.Wrap(&err, "keep plan %s", plan.Name)
	if err := plan.Validate(); err != nil {
		return err
	}
	return db.records.Write(ctx, func(tx *records.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO plan
			(name, title, extensions, customised, cadence_days, soak_days, security_hours, insist, wave_hours, urgent_hours)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
			ON CONFLICT (name) DO UPDATE SET title = excluded.title, extensions = excluded.extensions,
				customised = excluded.customised, cadence_days = excluded.cadence_days, soak_days = excluded.soak_days,
				security_hours = excluded.security_hours, insist = excluded.insist,
				wave_hours = excluded.wave_hours, urgent_hours = excluded.urgent_hours`,
			plan.Name, plan.Title, plan.Extensions, plan.Customised, plan.CadenceDays, plan.SoakDays, plan.SecurityHours, plan.Insist,
			plan.WaveHours, plan.UrgentHours)
		return err
	})
}

func scanPlan(row records.Row) (p upkeep.Plan, err error) {
	err = row.Scan(&p.Name, &p.Title, &p.Extensions, &p.Customised, &p.CadenceDays, &p.SoakDays, &p.SecurityHours,
		&p.WaveHours, &p.UrgentHours, &p.Insist)
	return p, err
}

const subscriptionColumns = `SELECT site, plan, client, consent, canary, since FROM subscription`

// Subscriptions returns which site is under which plan, by the site's number.
func (db *DB) Subscriptions(ctx context.Context) (found []upkeep.Subscription, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		found, err = records.Collect(ctx, tx, subscriptionColumns+` ORDER BY site`, nil, scanSubscription)
		return err
	})
	return found, err
}

// PutSubscription puts a site under a plan. Since is now, unless it was under
// that plan before. A client that was not heard of yet becomes one. CodeNotFound when there is no such site or plan.
func (db *DB) PutSubscription(ctx context.Context, s *upkeep.Subscription) (err error) {
	defer upkeep.Wrap(&err, "put site %s under plan %s", s.Site, s.Plan)
	if err := s.Validate(); err != nil {
		return err
	}
	return db.records.Write(ctx, func(tx *records.Tx) error {
		if _, err := records.Single(tx.QueryRowContext(ctx, planColumns+` WHERE name = $1`, s.Plan), scanPlan, "plan", s.Plan); err != nil {
			return err
		}
		if err := knowClient(ctx, tx, s.Client); err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, `INSERT INTO subscription (site, plan, client, consent, since, canary) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (site) DO UPDATE SET
				since = CASE WHEN subscription.plan = excluded.plan THEN subscription.since ELSE excluded.since END,
				plan = excluded.plan, client = excluded.client, consent = excluded.consent, canary = excluded.canary
			RETURNING since`,
			s.Site, s.Plan, s.Client, s.Consent, column.Stamp(tx.Now), s.Canary).Scan((*column.Stamp)(&s.Since))
	})
}

// knowClient makes a client of a name that no client has yet.
func knowClient(ctx context.Context, tx *records.Tx, name string) error {
	if name == "" {
		return nil
	}
	_, err := tx.ExecContext(ctx, `INSERT INTO client (name, title, mail, language, contacts, created) VALUES ($1, $2, '', '', '[]', $3)
		ON CONFLICT (name) DO NOTHING`, name, name, column.Stamp(tx.Now))
	return err
}

func scanSubscription(row records.Row) (s upkeep.Subscription, err error) {
	err = row.Scan(&s.Site, &s.Plan, &s.Client, &s.Consent, &s.Canary, (*column.Stamp)(&s.Since))
	return s, err
}
