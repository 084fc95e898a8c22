package inventory

import (
	"context"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/php"
	"upkeep/internal/cms/wordpress/layout"
)

// blogsPerQuery bounds how many blogs of a network one query reads.
const blogsPerQuery = 100

// records is what the database says about components.
type records struct {
	version string              // of the server
	main    map[string]string   // options of the main blog
	blogs   []map[string]string // options of every blog that is not deleted, main first
	network map[string]string   // sitemeta; empty unless multisite
	gone    []string            // options tables of blogs that have a row and no tables
	post    string              // ID of the newest published post, "" for none
	page    string
}

// blogOptions are read of every blog, mainOptions of the main one besides.
const (
	blogOptions = `'active_plugins', 'template', 'stylesheet', 'template_root', 'stylesheet_root', 'db_version', 'WPLANG'`
	mainOptions = blogOptions + `, 'siteurl', 'home', '_site_transient_update_plugins', '_site_transient_update_themes', '_site_transient_theme_roots',
		'auto_update_core_major', 'auto_update_core_minor', 'auto_update_plugins', 'auto_update_themes',
		'core_updater.lock', 'auto_updater.lock'`
	networkOptions = `'active_sitewide_plugins', '_site_transient_update_plugins', '_site_transient_update_themes', '_site_transient_theme_roots',
		'auto_update_core_major', 'auto_update_core_minor', 'auto_update_plugins', 'auto_update_themes', 'WPLANG',
		'core_updater.lock', 'auto_updater.lock'`
)

// readRecords asks the database in as few queries as can be.
func readRecords(ctx context.Context, h cms.Host, l *cms.Layout) (_ *records, err error) {
	defer upkeep.Wrap(&err, "database %s", l.Database.Name)
	r := &records{}
	ask := func(query string, args ...any) [][][]byte {
		if err != nil {
			return nil
		}
		var rows [][][]byte
		rows, err = h.Query(ctx, l.Database, query, args...)
		return rows
	}
	options, posts := layout.Table(l, "", "options"), layout.Table(l, "", "posts")
	newest := func(kind string) string {
		return "(SELECT '" + kind + "', '', ID FROM " + posts + " WHERE post_type = '" + kind +
			"' AND post_status = 'publish' AND post_password = '' ORDER BY post_date DESC, ID DESC LIMIT 1)"
	}
	r.main = map[string]string{}
	r.blogs = []map[string]string{r.main}
	for _, row := range ask("SELECT 'option', option_name, option_value FROM " + options + " WHERE option_name IN (" + mainOptions + ")" +
		" UNION ALL SELECT 'version', '', VERSION() UNION ALL " + newest("post") + " UNION ALL " + newest("page")) {
		switch value := string(row[2]); string(row[0]) {
		case "option":
			r.main[string(row[1])] = value
		case "version":
			r.version = value
		case "post":
			r.post = value
		case "page":
			r.page = value
		}
	}
	if err != nil || !layout.Multisite(l) {
		return r, err
	}
	r.network = pairs(ask("SELECT meta_key, meta_value FROM "+layout.Table(l, "", "sitemeta")+
		" WHERE site_id = ? AND meta_key IN ("+networkOptions+")", number(l.Options[layout.OptionNetwork])))
	var ids []string
	for _, row := range ask("SELECT blog_id, "+layout.HasTables+" FROM "+layout.Table(l, "", "blogs")+
		" AS b WHERE deleted = 0 AND blog_id <> ? ORDER BY blog_id", layout.MainBlog, l.Database.Prefix, l.Database.Prefix, layout.MainBlog) {
		if string(row[1]) == "1" {
			ids = append(ids, string(row[0]))
		} else {
			r.gone = append(r.gone, strings.Trim(layout.Table(l, string(row[0]), "options"), "`"))
		}
	}
	for chunk := range slices.Chunk(ids, blogsPerQuery) {
		r.blogs = append(r.blogs, byBlog(chunk, ask(blogQuery(l, chunk)))...)
	}
	return r, err
}

func blogQuery(l *cms.Layout, blogs []string) string {
	parts := make([]string, 0, len(blogs))
	for _, blog := range blogs {
		parts = append(parts, "SELECT "+blog+", option_name, option_value FROM "+layout.Table(l, blog, "options")+
			" WHERE option_name IN ("+blogOptions+")")
	}
	return strings.Join(parts, " UNION ALL ")
}

func byBlog(blogs []string, rows [][][]byte) []map[string]string {
	options := make(map[string]map[string]string, len(blogs))
	for _, row := range rows {
		blog := string(row[0])
		if options[blog] == nil {
			options[blog] = map[string]string{}
		}
		options[blog][string(row[1])] = string(row[2])
	}
	out := make([]map[string]string, 0, len(blogs))
	for _, blog := range blogs {
		out = append(out, options[blog])
	}
	return out
}

func pairs(rows [][][]byte) map[string]string {
	out := make(map[string]string, len(rows))
	for _, row := range rows {
		out[string(row[0])] = string(row[1])
	}
	return out
}

// site returns a value that a network keeps for all its blogs and a single
// site among its options.
func (r *records) site(name string) string {
	if value, ok := r.network[name]; ok {
		return value
	}
	return r.main[name]
}

// stored reads a serialized value; what is damaged is reported and counts as
// nothing.
func (s *survey) stored(name, text string) *php.Value {
	if text == "" {
		return nil
	}
	value, err := php.Unserialize([]byte(text), php.Limits{})
	if err != nil {
		s.find(upkeep.Finding{Code: "option_damaged"}.Because(upkeep.Causef("%s: %w", name, err)))
		return nil
	}
	return value
}
