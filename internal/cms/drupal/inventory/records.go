package inventory

import (
	"bytes"
	"context"
	"encoding/hex"
	"maps"
	"strconv"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal/layout"
	"upkeep/internal/cms/php"
)

// records is what the database says, or those of several sites together.
type records struct {
	server  string          // its version
	enabled map[string]bool // by machine name; in any of the sites
	levels  map[string]int  // the last hook_update_N that ran, by module, in the site that is most behind; -1 for one that is not installed
	node    string          // a page that visitors see; "" for none

	sites map[string]*records // each for itself, by label; nil where there is but one
}

// readSites reads the records of every site of the code.
func readSites(ctx context.Context, h cms.Host, l *cms.Layout) (*records, error) {
	sites := layout.Sites(l)
	all, err := readRecords(ctx, h, sites[0])
	if err != nil || len(sites) == 1 {
		return all, err
	}
	first := *all
	first.enabled, first.levels = maps.Clone(all.enabled), maps.Clone(all.levels)
	all.sites = map[string]*records{sites[0].Database.Label: &first}
	for _, site := range sites[1:] {
		r, err := readRecords(ctx, h, site)
		if err != nil {
			return nil, upkeep.Errorf(upkeep.CodeOf(err), "site %s: %w", site.Database.Label, err)
		}
		all.sites[site.Database.Label] = r
		for name := range r.enabled {
			level, known := all.levels[name]
			if !all.enabled[name] || known && r.levels[name] < level {
				all.levels[name] = r.levels[name]
			}
			all.enabled[name] = true
		}
	}
	return all, nil
}

// versionOfServer is how a server says which one it is.
var versionOfServer = map[string]string{"mariadb": "VERSION()", "postgresql": "current_setting('server_version')", "sqlite": "sqlite_version()"}

// readRecords asks in two round trips: what is enabled, and for a page of what
// the site holds.
func readRecords(ctx context.Context, h cms.Host, l *cms.Layout) (_ *records, err error) {
	defer upkeep.Wrap(&err, "what the database says")
	r := &records{enabled: map[string]bool{}, levels: map[string]int{}}
	nodes := "node_field_data"
	if l.Options[layout.OptionGeneration] == layout.Seven {
		nodes, err = "node", r.readLegacy(ctx, h, l)
	} else {
		err = r.readCurrent(ctx, h, l)
	}
	if err != nil || !r.enabled["node"] {
		return r, err
	}
	rows, err := h.Query(ctx, l.Database, "SELECT nid FROM "+layout.Table(l, nodes)+" WHERE status = 1 ORDER BY nid LIMIT 1")
	if err != nil {
		return nil, err
	}
	if len(rows) > 0 {
		if id, err := strconv.ParseUint(string(rows[0][0]), 10, 32); err == nil {
			r.node = strconv.FormatUint(id, 10)
		}
	}
	return r, nil
}

// readLegacy reads the table system of Drupal 7.
func (r *records) readLegacy(ctx context.Context, h cms.Host, l *cms.Layout) error {
	rows, err := h.Query(ctx, l.Database, "SELECT name, status, schema_version, type, "+versionOfServer[l.Database.Engine]+" FROM "+layout.Table(l, "system"))
	if err != nil {
		return err
	}
	for _, row := range rows {
		name := string(row[0])
		if string(row[1]) == "1" && string(row[3]) != "theme_engine" {
			r.enabled[name] = true
		}
		if n, err := strconv.Atoi(string(row[2])); err == nil && string(row[3]) == "module" {
			r.levels[name] = n
		}
		r.server = string(row[4])
	}
	return nil
}

// readCurrent reads the configuration and the levels of Drupal 8 and later.
func (r *records) readCurrent(ctx context.Context, h cms.Host, l *cms.Layout) error {
	rows, err := h.Query(ctx, l.Database, "SELECT "+versionOfServer[l.Database.Engine]+", '', data FROM "+layout.Table(l, "config")+
		" WHERE collection = ? AND name = ? UNION ALL SELECT '', name, value FROM "+layout.Table(l, "key_value")+" WHERE collection = ?",
		"", "core.extension", "system.schema")
	if err != nil {
		return err
	}
	for _, row := range rows {
		switch value, err := php.Unserialize(raw(row[2]), php.Limits{}); {
		case len(row[0]) > 0:
			if err != nil {
				return err
			}
			r.server = string(row[0])
			for _, kind := range []string{"module", "theme"} {
				for name := range value.Get(kind).All() {
					r.enabled[name] = true
				}
			}
		case err == nil: // what is not a number is no level
			if n, err := strconv.Atoi(value.Text()); err == nil {
				r.levels[string(row[1])] = n
			}
		}
	}
	if r.server == "" {
		return upkeep.Errorf(upkeep.CodeInvalid, "the database names no modules").
			WithHint("Finish the installation of Drupal first.")
	}
	return nil
}

// raw is a value as it was stored: PostgreSQL writes bytes in hexadecimal.
func raw(cell []byte) []byte {
	digits, isHex := bytes.CutPrefix(cell, []byte(`\x`))
	if text, err := hex.DecodeString(string(digits)); isHex && err == nil {
		return text
	}
	return cell
}
