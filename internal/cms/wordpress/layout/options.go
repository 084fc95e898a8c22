package layout

import (
	"context"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
)

// MainBlog is the blog whose tables have no number.
const MainBlog = "1"

// Multisite reports whether the site is a network of blogs.
func Multisite(l *cms.Layout) bool { return l.Options[OptionMultisite] == "1" }

// Table is the quoted name of a table of the site, or of one blog of it.
func Table(l *cms.Layout, blog, name string) string {
	prefix := l.Database.Prefix
	if blog != "" && blog != MainBlog {
		prefix += blog + "_"
	}
	return "`" + strings.ReplaceAll(prefix+name, "`", "``") + "`"
}

// Option reads an option of a blog, "" when it is not set.
func Option(ctx context.Context, h cms.Host, l *cms.Layout, blog, name string) (string, error) {
	if l.Database == nil {
		return "", upkeep.Errorf(upkeep.CodeInvalid, "the site has no database")
	}
	rows, err := h.Query(ctx, l.Database, "SELECT option_value FROM "+Table(l, blog, "options")+" WHERE option_name = ?", name)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return string(rows[0][0]), nil
}

// HasTables is true of a row b of blogs whose options are there. Its parameters
// are the main blog's number and, twice, the prefix.
const HasTables = `EXISTS (SELECT 1 FROM information_schema.tables WHERE table_schema = DATABASE()
	AND table_name = IF(b.blog_id = ?, CONCAT(?, 'options'), CONCAT(?, b.blog_id, '_options')))`

// Blogs lists the blogs of a network, main first; of a single site just that.
// A row of which the tables are gone is no blog: such rows stay behind when a
// network is cut down by hand.
func Blogs(ctx context.Context, h cms.Host, l *cms.Layout) ([]string, error) {
	if !Multisite(l) {
		return []string{MainBlog}, nil
	}
	rows, err := h.Query(ctx, l.Database, "SELECT blog_id FROM "+Table(l, "", "blogs")+" AS b WHERE "+HasTables+" ORDER BY blog_id",
		MainBlog, l.Database.Prefix, l.Database.Prefix)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, string(row[0]))
	}
	return ids, nil
}
