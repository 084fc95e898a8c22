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
func (s *scene) lookAtDatabase(ctx context.Context, answer <-chan said) error {
	l := s.layout
	said := <-answer
	if err := said.err; err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.find(upkeep.Finding{Code: "database_unreachable", Blocks: true}.Because(err))
		return nil
	}
	if !said.tables[l.Database.Prefix+"options"] {
		s.find(upkeep.Finding{Code: "table_missing", Detail: l.Database.Prefix + "options", Blocks: true})
		return nil
	}
	l.Database.Neighbours = neighbours(said.tables, l.Database.Prefix)
	if said.noOptions == nil {
		s.placeUploads(said.uploads)
	}
	return said.noOptions
}

// tellingTables selects the tables of the database that tell installations apart.
const tellingTables = `SELECT table_name, NULL FROM information_schema.tables
	WHERE table_schema = DATABASE() AND (table_name LIKE '%options' OR table_name LIKE '%posts' OR table_name LIKE '%users')`

// said is what the database says of a site.
type said struct {
	tables    map[string]bool // that tell installations apart
	uploads   string          // the option upload_path
	noOptions error           // why that could not be read
	err       error           // why nothing could
}

// askDatabase asks in one round trip where the site's own options are there,
// while the folders are looked at.
func (s *scene) askDatabase(ctx context.Context) <-chan said {
	answer := make(chan said, 1)
	db, options := *s.layout.Database, Table(s.layout, "", "options")
	go func() { answer <- ask(ctx, s.host, &db, options) }()
	return answer
}

func ask(ctx context.Context, h cms.Host, db *cms.Database, options string) (all said) {
	rows, err := h.Query(ctx, db, tellingTables+" UNION ALL SELECT NULL, option_value FROM "+options+" WHERE option_name = 'upload_path'")
	if err != nil && upkeep.CodeOf(err) != upkeep.CodeUnreachable && ctx.Err() == nil {
		all.noOptions = err
		rows, err = h.Query(ctx, db, tellingTables)
	}
	if err != nil {
		all.err = err
		return all
	}
	all.tables = make(map[string]bool, len(rows))
	for _, row := range rows {
		if row[0] == nil {
			all.uploads = string(row[1])
			continue
		}
		all.tables[string(row[0])] = true
	}
	return all
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
func (s *scene) placeUploads(dir string) {
	l := s.layout
	dir = strings.TrimSpace(dir)
	if dir == "" || dir == "wp-content/uploads" || l.Options[OptionUploads] != "" {
		return
	}
	if !strings.HasPrefix(dir, "/") {
		dir = CoreDir(l) + "/" + dir
	}
	s.place(DirUploads, dir)
}
