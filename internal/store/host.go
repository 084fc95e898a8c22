package store

import (
	"context"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

const hostColumns = `SELECT id, name, mark, sudo, way, created FROM host`

// way is how a host is reached, as one column keeps it.
type way struct {
	At   upkeep.Hop       `json:"at"`
	Jump []upkeep.Hop     `json:"jump,omitempty"`
	Keys []upkeep.HostKey `json:"keys"`
}

// Host returns a host by number.
func (db *DB) Host(ctx context.Context, id upkeep.HostID) (host *upkeep.Host, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		host, err = records.Single(tx.QueryRowContext(ctx, hostColumns+` WHERE id = $1`, id), scanHost, "host", id)
		return err
	})
	return host, err
}

// HostByName returns a host by its name.
func (db *DB) HostByName(ctx context.Context, name string) (host *upkeep.Host, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		host, err = records.Single(tx.QueryRowContext(ctx, hostColumns+` WHERE name = $1`, name), scanHost, "host", name)
		return err
	})
	return host, err
}

// Hosts returns every host, by name.
func (db *DB) Hosts(ctx context.Context) (hosts []*upkeep.Host, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		hosts, err = records.Collect(ctx, tx, hostColumns+` ORDER BY name`, nil, scanHost)
		return err
	})
	return hosts, err
}

// CreateHost adds a host and sets its ID and Created. CodeConflict when the
// name is taken.
func (db *DB) CreateHost(ctx context.Context, host *upkeep.Host) (err error) {
	defer upkeep.Wrap(&err, "create host %s", host.Name)
	if err := host.Validate(); err != nil {
		return err
	}
	return db.records.Write(ctx, func(tx *records.Tx) error {
		taken, err := records.Collect(ctx, tx, hostColumns+` WHERE name = $1`, []any{host.Name}, scanHost)
		if err != nil {
			return err
		}
		if len(taken) > 0 {
			return upkeep.Errorf(upkeep.CodeConflict, "host %s exists already, at %s", host.Name, taken[0].At).
				WithHint("Choose another name with --name.")
		}
		host.Created = tx.Now
		return tx.QueryRowContext(ctx,
			`INSERT INTO host (name, mark, sudo, way, created) VALUES ($1, $2, $3, $4, $5) RETURNING id`,
			host.Name, host.Mark, host.Sudo, column.Document{Of: way{host.At, host.Jump, host.Keys}}, column.Stamp(host.Created)).Scan(&host.ID)
	})
}

// DeleteHost forgets a host. CodeConflict while it has sites.
func (db *DB) DeleteHost(ctx context.Context, id upkeep.HostID) (err error) {
	defer upkeep.Wrap(&err, "delete host %s", id)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		sites, err := records.Collect(ctx, tx, siteColumns+` WHERE host = $1 ORDER BY name LIMIT 1`, []any{id}, scanSite)
		if err != nil {
			return err
		}
		if len(sites) > 0 {
			return upkeep.Errorf(upkeep.CodeConflict, "site %s is on this host", sites[0].Name).
				WithHint("Remove its sites first: upkeep site remove %s.", sites[0].Name)
		}
		deleted, err := records.Changed(tx.ExecContext(ctx, `DELETE FROM host WHERE id = $1`, id))
		if err == nil && !deleted {
			return upkeep.Errorf(upkeep.CodeNotFound, "host %s does not exist", id)
		}
		return err
	})
}

func scanHost(row records.Row) (*upkeep.Host, error) {
	var host upkeep.Host
	var way way
	err := row.Scan(&host.ID, &host.Name, &host.Mark, &host.Sudo, column.Document{Of: &way}, (*column.Stamp)(&host.Created))
	host.At, host.Jump, host.Keys = way.At, way.Jump, way.Keys
	return &host, err
}
