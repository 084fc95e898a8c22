package database

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"upkeep"
)

// catalogue is the definitions of everything of a site in its database.
type catalogue struct {
	objects   []*object // in order of creation
	collation string    // the database's default
}

func (c *catalogue) find(kind, name string) *object {
	for _, o := range c.objects {
		if o.Kind == kind && o.Name == name {
			return o
		}
	}
	return nil
}

// rows returns the tables and sequences, the largest first.
func (c *catalogue) rows() []*object {
	var tables []*object
	for _, o := range c.objects {
		if o.Kind == kindTable || o.Kind == kindSequence {
			tables = append(tables, o)
		}
	}
	slices.SortStableFunc(tables, func(a, b *object) int { return int(min(max(b.size-a.size, -1), 1)) })
	return tables
}

// manifest returns the identities.
func (c *catalogue) manifest() []upkeep.Object {
	objects := make([]upkeep.Object, len(c.objects))
	for i, o := range c.objects {
		objects[i] = o.Object
	}
	m := upkeep.Manifest{Tables: objects}
	m.Sort()
	return m.Tables
}

// describer reads definitions through one connection.
type describer struct {
	*session
	schema string // quoted name of the database
	scope  scope
}

func (db *DB) describer(s *session) *describer {
	return &describer{session: s, schema: literal(db.site.Name), scope: scope{db.site.Prefix, db.site.Neighbours}}
}

// describe reads all definitions of the site.
func (d *describer) describe(ctx context.Context) (*catalogue, error) {
	c := &catalogue{}
	for _, read := range []func(context.Context, *catalogue) error{
		d.schemaDefaults, d.tables, d.columns, d.keys, d.triggers, d.routines, d.events,
	} {
		if err := read(ctx, c); err != nil {
			return nil, err
		}
	}
	for _, o := range c.objects {
		o.seal()
	}
	sortObjects(c.objects)
	return c, nil
}

func (d *describer) schemaDefaults(ctx context.Context, c *catalogue) error {
	row, err := d.row(ctx, "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "+d.schema)
	if err != nil {
		return err
	}
	c.collation = row[1]
	c.objects = append(c.objects, &object{
		Object: upkeep.Object{Kind: kindSchema, Name: "defaults"},
		Create: []byte("ALTER DATABASE CHARACTER SET " + row[0] + " COLLATE " + row[1]),
	})
	return nil
}

// listed is one line of the server's list of tables.
type listed struct {
	name, kind, engine, comment string
	size                        int64
}

// list returns the site's tables, views and sequences.
func (d *describer) list(ctx context.Context) ([]listed, error) {
	rows, err := d.table(ctx, "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, DATA_LENGTH, TABLE_COMMENT FROM information_schema.TABLES"+
		" WHERE TABLE_SCHEMA = "+d.schema)
	if err != nil {
		return nil, err
	}
	var tables []listed
	for _, row := range rows {
		if !d.scope.has(row[0]) || strings.HasPrefix(row[0], spare) || row[1] == "TEMPORARY" {
			continue
		}
		size, _ := strconv.ParseInt(row[3], 10, 64) // NULL for views
		tables = append(tables, listed{row[0], row[1], row[2], row[4], size})
	}
	slices.SortFunc(tables, func(a, b listed) int { return strings.Compare(a.name, b.name) })
	return tables, nil
}

func (d *describer) tables(ctx context.Context, c *catalogue) error {
	tables, err := d.list(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		o := &object{Object: upkeep.Object{Name: t.name}, Engine: t.engine, size: t.size}
		switch t.kind {
		case "BASE TABLE":
			o.Kind = kindTable
			if t.engine == "" {
				return upkeep.Errorf(upkeep.CodeDamaged, "table %q cannot be opened: %s", t.name, t.comment).WithHint("%s", hints[upkeep.CodeDamaged])
			}
			row, err := d.row(ctx, "SHOW CREATE TABLE "+ident(t.name))
			if err != nil {
				return err
			}
			var create string
			create, o.Counter = takeCounter(row[1])
			o.Create = []byte(create)
		case "SEQUENCE":
			o.Kind = kindSequence
			row, err := d.row(ctx, "SHOW CREATE SEQUENCE "+ident(t.name))
			if err != nil {
				return err
			}
			o.Create = []byte(row[1])
		case "VIEW":
			o.Kind = kindView
			row, err := d.row(ctx, "SHOW CREATE VIEW "+ident(t.name))
			if err != nil {
				return err
			}
			o.Create, o.Setting = []byte(row[1]), creation{Client: row[2], Connection: row[3]}
		default:
			return upkeep.Errorf(upkeep.CodeInvalid, "table %q is of type %s, whose history cannot be kept", t.name, strings.ToLower(t.kind)).
				WithHint("Remove system versioning from it, or take it out of the site's database.")
		}
		c.objects = append(c.objects, o)
	}
	return nil
}

func (d *describer) columns(ctx context.Context, c *catalogue) error {
	rows, err := d.table(ctx, "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, CHARACTER_SET_NAME, EXTRA FROM information_schema.COLUMNS"+
		" WHERE TABLE_SCHEMA = "+d.schema+" ORDER BY TABLE_NAME, ORDINAL_POSITION")
	if err != nil {
		return err
	}
	byName := c.byTable()
	for _, row := range rows {
		o, extra := byName[row[0]], strings.ToUpper(row[4])
		if o == nil || strings.Contains(extra, "VIRTUAL GENERATED") || strings.Contains(extra, "STORED GENERATED") || strings.Contains(extra, "PERSISTENT") {
			continue
		}
		o.Columns = append(o.Columns, column{Name: row[1], Type: strings.ToLower(row[2]), Charset: row[3]})
	}
	return nil
}

func (c *catalogue) byTable() map[string]*object {
	byName := map[string]*object{}
	for _, o := range c.rows() {
		byName[o.Name] = o
	}
	return byName
}

// keys chooses for each table the unique key that orders its rows: the
// primary one, else the first whose columns are whole, stored and never NULL.
func (d *describer) keys(ctx context.Context, c *catalogue) error {
	rows, err := d.table(ctx, "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART, NULLABLE FROM information_schema.STATISTICS"+
		" WHERE TABLE_SCHEMA = "+d.schema+" AND NON_UNIQUE = 0"+
		" ORDER BY TABLE_NAME, INDEX_NAME <> 'PRIMARY', INDEX_NAME, SEQ_IN_INDEX")
	if err != nil {
		return err
	}
	byName := c.byTable()
	for len(rows) > 0 {
		n := 1
		for n < len(rows) && rows[n][0] == rows[0][0] && rows[n][1] == rows[0][1] {
			n++
		}
		if o := byName[rows[0][0]]; o != nil && o.Key == nil {
			o.Key, o.Index = usableKey(o, rows[:n]), rows[0][1]
		}
		rows = rows[n:]
	}
	return nil
}

func usableKey(o *object, parts [][]string) []string {
	var names []string
	for _, part := range parts {
		at := slices.IndexFunc(o.Columns, func(c column) bool { return c.Name == part[2] })
		if at < 0 || part[3] != "" || part[4] == "YES" || !comparable(o.Columns[at]) {
			return nil
		}
		names = append(names, part[2])
	}
	return names
}

// comparable reports whether a value written as SQL finds its row again.
func comparable(c column) bool {
	return !strings.Contains(c.Type, "blob") && !strings.Contains(c.Type, "text") && !geometric(c)
}

func (d *describer) triggers(ctx context.Context, c *catalogue) error {
	rows, err := d.table(ctx, "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_ORDER FROM information_schema.TRIGGERS"+
		" WHERE TRIGGER_SCHEMA = "+d.schema+" ORDER BY EVENT_OBJECT_TABLE, ACTION_TIMING, EVENT_MANIPULATION, ACTION_ORDER")
	if err != nil {
		return err
	}
	tables, order := c.byTable(), 0
	for i, row := range rows {
		if tables[row[1]] == nil {
			continue
		}
		if order++; i > 0 && rows[i-1][1] != row[1] {
			order = 1
		}
		show, err := d.row(ctx, "SHOW CREATE TRIGGER "+ident(row[0]))
		if err != nil {
			return err
		}
		c.objects = append(c.objects, &object{
			Object: upkeep.Object{Kind: kindTrigger, Name: row[0]}, Table: row[1], Order: order,
			Create: []byte(show[2]), Setting: creation{Client: show[3], Connection: show[4], Database: show[5], Mode: show[1]},
		})
	}
	return nil
}

func (d *describer) routines(ctx context.Context, c *catalogue) error {
	rows, err := d.table(ctx, "SELECT ROUTINE_NAME, ROUTINE_TYPE FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = "+d.schema)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !d.scope.has(row[0]) {
			continue
		}
		show, err := d.row(ctx, "SHOW CREATE "+row[1]+" "+ident(row[0]))
		if err != nil {
			return err
		}
		if show[2] == "" {
			return upkeep.Errorf(upkeep.CodeUnauthorized, "%s %q may not be read", strings.ToLower(row[1]), row[0]).
				WithHint("Give the account SELECT on mysql.proc, or make it the definer.")
		}
		// A procedure and a function may share a name, two objects of a
		// manifest may not.
		c.objects = append(c.objects, &object{
			Object: upkeep.Object{Kind: kindRoutine, Name: strings.ToLower(row[1]) + " " + row[0]}, Routine: row[1],
			Create: []byte(show[2]), Setting: creation{Client: show[3], Connection: show[4], Database: show[5], Mode: show[1]},
		})
	}
	return nil
}

func (d *describer) events(ctx context.Context, c *catalogue) error {
	rows, err := d.table(ctx, "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = "+d.schema)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !d.scope.has(row[0]) {
			continue
		}
		show, err := d.row(ctx, "SHOW CREATE EVENT "+ident(row[0]))
		if err != nil {
			return err
		}
		c.objects = append(c.objects, &object{
			Object: upkeep.Object{Kind: kindEvent, Name: row[0]}, Create: []byte(show[3]),
			Setting: creation{Client: show[4], Connection: show[5], Database: show[6], Mode: show[1], Zone: show[2]},
		})
	}
	return nil
}
