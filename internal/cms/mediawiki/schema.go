package mediawiki

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"regexp"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/mediawiki/layout"
	"upkeep/internal/cms/recall"
)

// schemaFiles are where releases say which tables and columns they use, newest
// form first.
var schemaFiles = [...]string{"sql/tables.json", "maintenance/tables.json"}

// schema is the level of a database that lacks that column, "" for none. It does
// not say its level itself: what tells is whether it has every table and column
// that the files name.
func (s *survey) schema(lacking string) upkeep.Schema {
	level := upkeep.Schema{Files: s.version}
	switch {
	case unreachable(s.layout):
	case lacking != "":
		level.Database, level.Pending = "lacks "+lacking, true
	default:
		level.Database = s.version
	}
	return level
}

func unreachable(l *cms.Layout) bool {
	for i := range l.Findings {
		if code := l.Findings[i].Code; code == "database_unreachable" || code == "table_missing" {
			return true
		}
	}
	return false
}

// branch is the first two numbers of a version.
func branch(version string) string {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return version
	}
	return parts[0] + "." + parts[1]
}

// lackingColumns names the first table or column that the files want and the
// database has not, "" for none.
func (s *survey) lackingColumns(ctx context.Context) (string, error) {
	h, l := s.host, s.layout
	wanted, err := s.wantedTables()
	if err != nil || wanted == nil {
		return "", err
	}
	if question := forAll(l.Database, wanted); question != "" {
		if _, err := h.Query(ctx, l.Database, question); err == nil {
			return "", nil
		}
	}
	query, args := "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = DATABASE()", []any(nil)
	switch l.Database.Engine {
	case "postgresql":
		query, args = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = ?", []any{l.Database.Schema}
	case "sqlite":
		query = "SELECT m.name, c.name FROM (SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%') AS m, pragma_table_info(m.name) AS c"
	}
	rows, err := h.Query(ctx, l.Database, query, args...)
	if err != nil {
		return "", err
	}
	there := map[string]bool{}
	for _, row := range rows {
		there[strings.ToLower(string(row[0])+"."+string(row[1]))] = true
	}
	for _, table := range wanted {
		if table.otherwise(l.Database.Engine) {
			continue
		}
		for _, column := range table.Columns {
			if name := l.Database.Prefix + table.Name + "." + column.Name; !there[strings.ToLower(name)] {
				return name, nil
			}
		}
	}
	return "", nil
}

// table is one of tables.json.
type table struct {
	Name    string `json:"name"`
	Columns []struct {
		Name string `json:"name"`
	} `json:"columns"`
}

// otherwise reports whether an engine has the table in another form: the index
// of words is each engine's own, and PostgreSQL has other names for two.
func (t *table) otherwise(engine string) bool {
	return t.Name == "searchindex" || engine == "postgresql" && (t.Name == "user" || t.Name == "text")
}

// plainName is what needs no care in a statement.
var plainName = regexp.MustCompile(`^[A-Za-z0-9_]{0,64}$`)

// forAll is a statement that MariaDB answers, with nothing, when every column is
// there. It has most tables open, and its lists of columns open each anew. It is
// "" where that does not go.
func forAll(db *cms.Database, wanted []table) string {
	if db.Engine != "mariadb" || !plainName.MatchString(db.Prefix) {
		return ""
	}
	var parts []string
	for _, table := range wanted {
		if table.otherwise(db.Engine) || len(table.Columns) == 0 {
			continue
		}
		part := "SELECT 1 FROM `" + db.Prefix + table.Name + "` WHERE FALSE AND (FALSE"
		for _, column := range table.Columns {
			if !plainName.MatchString(table.Name) || !plainName.MatchString(column.Name) {
				return ""
			}
			part += " OR `" + column.Name + "` IS NULL"
		}
		parts = append(parts, part+")")
	}
	return strings.Join(parts, " UNION ALL ")
}

func (s *survey) wantedTables() ([]table, error) {
	root, err := s.host.Open(s.layout.Dirs[layout.DirProgram])
	if err != nil {
		return nil, err
	}
	defer root.Close()
	folder, err := recall.Within(root)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	for _, name := range schemaFiles {
		tables, err := s.known.tables.Read(folder, name, maxSchema, func(raw []byte) (tables []table, err error) {
			err = json.Unmarshal(raw, &tables)
			return tables, err
		})
		if !errors.Is(err, fs.ErrNotExist) {
			return tables, err
		}
	}
	return nil, nil // older than 1.35: nothing tells
}

// schemaCheck is the code of what ReadBack says of the schema.
const schemaCheck = "schema"

// checkSchema requires that nothing is pending.
func checkSchema(now *upkeep.Inventory) upkeep.Check {
	return upkeep.Check{Code: schemaCheck, Subject: "site", Want: now.Schema.Files, Got: now.Schema.Database, OK: !now.Schema.Pending}
}
