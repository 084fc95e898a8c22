package inventory

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"
	"sync"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/joomla/layout"
)

// record is a row of the table of extensions.
type record struct {
	Identity
	id, parent, name           string // of the package that brought it: its id, "0" for none
	dir                        string // its own, below the root
	enabled, protected, locked bool
	state                      string // "0" installed, "-1" only found on disk
	version                    string // in the database's copy of the manifest
	params                     []byte // JSON
	sites                      []site
}

// site is an update site, as the publisher is told of it.
type site struct {
	Type     string `json:"type"` // "extension", "collection", "tuf"
	Location string `json:"location"`
	Key      string `json:"key,omitempty"` // under which the layout has what packages from there need
	Enabled  bool   `json:"enabled"`
}

// keyOf names an update site's key, "" when it has none. The key itself stays
// out of what is told.
func keyOf(id, query string, keys map[string]string) string {
	if query = strings.TrimSpace(query); query == "" {
		return ""
	}
	keys[id] = query
	return id
}

// records is what the database says.
type records struct {
	extensions []*record
	schema     string // level of core
	version    string // of the server
	defaults   map[string]bool
	keys       map[string]string // by their names
}

// read asks the database in as few queries as can be. listed is called when the
// extensions are known.
func (r *records) read(ctx context.Context, h cms.Host, l *cms.Layout, versions *cached, listed func()) (err error) {
	defer upkeep.Wrap(&err, "database %s", l.Database.Name)
	ask := func(query string) [][][]byte {
		if err != nil {
			return nil
		}
		var rows [][][]byte
		rows, err = h.Query(ctx, l.Database, query)
		return rows
	}
	byID := map[string]*record{}
	locked := "locked"
	if layout.Legacy(l) {
		// Core's own; others begin there, and may have taken over what was core's.
		locked = "CASE WHEN extension_id < 10000 AND package_id < 10000 THEN 1 ELSE 0 END"
	}
	for _, row := range ask("SELECT extension_id, package_id, name, type, element, folder, client_id, enabled, protected, " + locked +
		", state, manifest_cache, params FROM " + layout.Table(l, "extensions") + " ORDER BY type, folder, element, client_id") {
		e := readRecord(row, versions)
		r.extensions = append(r.extensions, e)
		byID[e.id] = e
	}
	if err != nil {
		return err
	}
	listed()
	sites := layout.Table(l, "update_sites")
	for _, row := range ask("SELECT m.extension_id, s.type, s.location, s.enabled, s.extra_query, s.update_site_id FROM " + sites + " s JOIN " +
		layout.Table(l, "update_sites_extensions") + " m ON m.update_site_id = s.update_site_id ORDER BY s.update_site_id") {
		if e := byID[string(row[0])]; e != nil {
			e.sites = append(e.sites, site{
				Type: string(row[1]), Location: strings.TrimSpace(string(row[2])), Enabled: string(row[3]) == "1",
				Key: keyOf(string(row[5]), string(row[4]), r.keys),
			})
		}
	}
	// The server and the level are said on each line, and where there is no template.
	level := "SELECT MAX(s.version_id) FROM " + layout.Table(l, "schemas") + " s JOIN " + layout.Table(l, "extensions") +
		" e ON e.extension_id = s.extension_id WHERE e.element = 'joomla' AND e.type = 'file'"
	for _, row := range ask("SELECT version(), (" + level + "), t.template, t.client_id FROM (SELECT 1 AS one) o LEFT JOIN " +
		layout.Table(l, "template_styles") + " t ON t.home <> '0' AND t.home <> ''") {
		r.version, r.schema = string(row[0]), string(row[1])
		if row[2] != nil {
			r.defaults[Identity{Type: "template", Element: string(row[2]), Client: string(row[3])}.ID()] = true
		}
	}
	return err
}

// cached remembers which version a copy of a manifest in the database says. It is
// safe for concurrent use.
type cached struct {
	mu    sync.Mutex
	known map[string]string
}

// mostCached bounds how many copies are remembered, which have some hundred
// bytes each; past that it begins anew.
const mostCached = 5_000

func (c *cached) version(text []byte) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if version, known := c.known[string(text)]; known {
		return version
	}
	var says struct{ Version string }
	_ = json.Unmarshal(text, &says) // what is no JSON says no version
	if c.known == nil || len(c.known) >= mostCached {
		c.known = map[string]string{}
	}
	c.known[string(text)] = says.Version
	return says.Version
}

func readRecord(row [][]byte, versions *cached) *record {
	text := func(i int) string { return strings.ToValidUTF8(string(row[i]), "?") }
	e := &record{
		Identity: Identity{Type: text(3), Element: text(4), Folder: text(5), Client: text(6)},
		id:       text(0), parent: text(1), name: text(2),
		enabled: text(7) == "1", protected: text(8) == "1", locked: text(9) == "1", state: text(10),
	}
	e.version, e.params = versions.version(row[11]), row[12]
	e.dir, _ = e.Places()
	return e
}

// param is a setting of an extension, "" when it is not set.
func (r *records) param(element, name string) string {
	for _, e := range r.extensions {
		if e.Type != "component" || e.Element != element {
			continue
		}
		var params map[string]any
		_ = json.Unmarshal(e.params, &params) // what is no JSON sets nothing
		switch value := params[name].(type) {
		case string:
			return value
		case float64:
			return strconv.FormatFloat(value, 'f', -1, 64)
		case bool:
			if value {
				return "1"
			}
		}
	}
	return ""
}
