package store

import (
	"context"
	"database/sql"
	"errors"
	"strings"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

const siteColumns = `SELECT id, name, url, host, root, cms, policy, created, shut FROM site`

// Site returns a site by number.
func (db *DB) Site(ctx context.Context, id upkeep.SiteID) (site *upkeep.Site, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		site, err = findSite(ctx, tx, id)
		return err
	})
	return site, err
}

// SiteByName returns a site by its name.
func (db *DB) SiteByName(ctx context.Context, name string) (site *upkeep.Site, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		row := tx.QueryRowContext(ctx, siteColumns+` WHERE name = $1`, name)
		site, err = records.Single(row, scanSite, "site", name)
		return err
	})
	return site, err
}

// Sites returns every site, by name.
func (db *DB) Sites(ctx context.Context) (sites []*upkeep.Site, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		sites, err = records.Collect(ctx, tx, siteColumns+` ORDER BY name`, nil, scanSite)
		return err
	})
	return sites, err
}

// CreateSite adds a site and sets its ID and Created. CodeConflict says which
// site already has the name or the root.
func (db *DB) CreateSite(ctx context.Context, site *upkeep.Site) (err error) {
	defer upkeep.Wrap(&err, "create site %s", site.Name)
	if err := site.Validate(); err != nil {
		return err
	}
	return db.records.Write(ctx, func(tx *records.Tx) error {
		if err := checkSiteUnique(ctx, tx, site, 0); err != nil {
			return err
		}
		site.Created = tx.Now
		return tx.QueryRowContext(ctx,
			`INSERT INTO site (name, url, host, root, cms, policy, created) VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING id`,
			site.Name, site.URL, column.Optional(site.Host), place(site), site.CMS, column.Document{Of: site.Policy}, column.Stamp(site.Created)).Scan(&site.ID)
	})
}

// UpdateSite changes a site by change; its ID, Host and Created stay.
func (db *DB) UpdateSite(ctx context.Context, id upkeep.SiteID, change func(*upkeep.Site) error) (err error) {
	defer upkeep.Wrap(&err, "update site %s", id)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		site, err := findSite(ctx, tx, id)
		if err != nil {
			return err
		}
		host := site.Host
		if err := change(site); err != nil {
			return err
		}
		site.ID, site.Host = id, host
		if err := site.Validate(); err != nil {
			return err
		}
		if err := checkSiteUnique(ctx, tx, site, id); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx,
			`UPDATE site SET name = $1, url = $2, root = $3, cms = $4, policy = $5, shut = $6 WHERE id = $7`,
			site.Name, site.URL, place(site), site.CMS, column.Document{Of: site.Policy}, column.Stamp(site.Shut), id)
		return err
	})
}

// DeleteSite forgets a site with all its records except the ledger's. Its
// backups stay in the vault, but nothing here finds them any more.
// CodeConflict while an intervention on it has not ended.
func (db *DB) DeleteSite(ctx context.Context, id upkeep.SiteID) (err error) {
	defer upkeep.Wrap(&err, "delete site %s", id)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		if err := checkNoneUnended(ctx, tx, id); err != nil {
			return err
		}
		deleted, err := records.Changed(tx.ExecContext(ctx, `DELETE FROM site WHERE id = $1`, id))
		if err == nil && !deleted {
			return upkeep.Errorf(upkeep.CodeNotFound, "site %s does not exist", id)
		}
		return err
	})
}

// SiteLayout returns what UpdateSiteLayout kept, nil when nothing was.
func (db *DB) SiteLayout(ctx context.Context, id upkeep.SiteID) (sealed []byte, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		row := tx.QueryRowContext(ctx, `SELECT layout FROM site WHERE id = $1`, id)
		sealed, err = records.Single(row, records.One[[]byte], "site", id)
		return err
	})
	return sealed, err
}

// UpdateSiteLayout keeps where a site has what, with its last known database
// credentials. The caller seals it; here it is only bytes.
func (db *DB) UpdateSiteLayout(ctx context.Context, id upkeep.SiteID, sealed []byte) (err error) {
	defer upkeep.Wrap(&err, "update layout of site %s", id)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		found, err := records.Changed(tx.ExecContext(ctx, `UPDATE site SET layout = $1 WHERE id = $2`, sealed, id))
		if err == nil && !found {
			return upkeep.Errorf(upkeep.CodeNotFound, "site %s does not exist", id)
		}
		return err
	})
}

func findSite(ctx context.Context, tx *records.Tx, id upkeep.SiteID) (*upkeep.Site, error) {
	row := tx.QueryRowContext(ctx, siteColumns+` WHERE id = $1`, id)
	return records.Single(row, scanSite, "site", id)
}

func scanSite(row records.Row) (*upkeep.Site, error) {
	var site upkeep.Site
	err := row.Scan(&site.ID, &site.Name, &site.URL, (*column.Optional)(&site.Host), &site.Root, &site.CMS,
		column.Document{Of: &site.Policy}, (*column.Stamp)(&site.Created), (*column.Stamp)(&site.Shut))
	site.Root = strings.TrimPrefix(site.Root, "@"+site.Host.String()+":")
	return &site, err
}

// place is a site's root as the column keeps it, unique among all hosts.
func place(site *upkeep.Site) string { return placeOf(site.Host, site.Root) }

// placeOf is a folder of a host as columns keep it.
func placeOf(host upkeep.HostID, root string) string {
	if host == 0 {
		return root
	}
	return "@" + host.String() + ":" + root
}

// checkSiteUnique finds who but self has the name or root, which the
// constraint's own error would not tell.
func checkSiteUnique(ctx context.Context, tx *records.Tx, site *upkeep.Site, self upkeep.SiteID) error {
	row := tx.QueryRowContext(ctx, siteColumns+` WHERE (name = $1 OR root = $2) AND id <> $3 LIMIT 1`,
		site.Name, place(site), self)
	other, err := scanSite(row)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return err
	case other.Name == site.Name:
		return upkeep.Errorf(upkeep.CodeConflict, "site %s exists already, at %s", other.Name, other.Root).
			WithHint("Choose another name with --name.")
	}
	return upkeep.Errorf(upkeep.CodeConflict, "%s is already site %s", other.Root, other.Name).
		WithHint("Look at it: upkeep site show %s.", other.Name)
}
