package mediawiki

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/mediawiki/layout"
)

// schemaFiles are where releases say which tables and columns they use, newest
// form first.
var schemaFiles = [...]string{"sql/tables.json", "maintenance/tables.json"}

// schemaOf compares what the files of version want of the database with what is
// there. The database does not say its level: what tells is whether it has every
// table and column that the files name.
func schemaOf(ctx context.Context, h cms.Host, l *cms.Layout, version string) (_ upkeep.Schema, err error) {
	defer upkeep.Wrap(&err, "level of the database")
	schema := upkeep.Schema{Files: version}
	if len(l.Findings) > 0 && unreachable(l) {
		return schema, nil
	}
	lacking, err := lackingColumns(ctx, h, l)
	if err != nil {
		return schema, err
	}
	if schema.Database = version; lacking != "" {
		schema.Database, schema.Pending = "lacks "+lacking, true
	}
	return schema, nil
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
func lackingColumns(ctx context.Context, h cms.Host, l *cms.Layout) (string, error) {
	wanted, err := wantedTables(h, l)
	if err != nil || wanted == nil {
		return "", err
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

func wantedTables(h cms.Host, l *cms.Layout) ([]table, error) {
	root, err := h.Open(l.Dirs[layout.DirProgram])
	if err != nil {
		return nil, err
	}
	defer root.Close()
	for _, name := range schemaFiles {
		raw, err := cms.ReadBounded(root, name, maxSchema)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var tables []table
		if err == nil {
			err = json.Unmarshal(raw, &tables)
		}
		return tables, err
	}
	return nil, nil // older than 1.35: nothing tells
}

// schemaCheck is the code of what ReadBack says of the schema.
const schemaCheck = "schema"

// checkSchema requires that nothing is pending.
func checkSchema(now *upkeep.Inventory) upkeep.Check {
	return upkeep.Check{Code: schemaCheck, Subject: "site", Want: now.Schema.Files, Got: now.Schema.Database, OK: !now.Schema.Pending}
}
