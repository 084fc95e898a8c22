package layout

import (
	"context"
	"maps"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
)

// lookAtDatabase learns which other installations share the database, and
// where an old option puts the uploads. A database that does not answer is a
// finding: the files may still have to be restored.
func (s *scene) lookAtDatabase(ctx context.Context) error {
	l := s.layout
	tables, err := tableNames(ctx, s.host, l)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.find(upkeep.Finding{Code: "database_unreachable", Blocks: true}.Because(err))
		return nil
	}
	if !tables[l.Database.Prefix+"options"] {
		s.find(upkeep.Finding{Code: "table_missing", Detail: l.Database.Prefix + "options", Blocks: true})
		return nil
	}
	l.Database.Neighbours = neighbours(tables, l.Database.Prefix)
	return s.placeUploads(ctx)
}

// tableNames returns the tables of the database that tell installations
// apart.
func tableNames(ctx context.Context, h cms.Host, l *cms.Layout) (map[string]bool, error) {
	rows, err := h.Query(ctx, l.Database, `SELECT table_name FROM information_schema.tables
		WHERE table_schema = DATABASE() AND (table_name LIKE '%options' OR table_name LIKE '%posts' OR table_name LIKE '%users')`)
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool, len(rows))
	for _, row := range rows {
		names[string(row[0])] = true
	}
	return names, nil
}

// blogSuffix is what the tables of one blog have behind the network's prefix.
var blogSuffix = regexp.MustCompile(`^(.*?)\d+_$`)

// neighbours returns the prefixes of other installations, sorted. Blogs of a
// network, ours or another's, are not installations of their own.
func neighbours(tables map[string]bool, own string) []string {
	complete := func(prefix string) bool {
		return tables[prefix+"options"] && tables[prefix+"posts"] && tables[prefix+"users"]
	}
	var found []string
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		prefix, ok := strings.CutSuffix(name, "options")
		if !ok || prefix == own || !tables[prefix+"posts"] {
			continue
		}
		// Without users of its own it shares another's: either a blog of
		// that one's network, or an installation with CUSTOM_USER_TABLE.
		blog := blogSuffix.FindStringSubmatch(prefix)
		if !complete(prefix) && blog != nil && (blog[1] == own || complete(blog[1])) {
			continue
		}
		found = append(found, prefix)
	}
	return found
}

// placeUploads honours the option upload_path, which predates UPLOADS and
// yields to it.
func (s *scene) placeUploads(ctx context.Context) error {
	l := s.layout
	rows, err := s.host.Query(ctx, l.Database,
		"SELECT option_value FROM "+Table(l, "", "options")+" WHERE option_name = 'upload_path'")
	if err != nil || len(rows) == 0 {
		return err
	}
	dir := strings.TrimSpace(string(rows[0][0]))
	if dir == "" || dir == "wp-content/uploads" || l.Options[OptionUploads] != "" {
		return nil
	}
	if !strings.HasPrefix(dir, "/") {
		dir = CoreDir(l) + "/" + dir
	}
	s.place(DirUploads, dir)
	return nil
}
