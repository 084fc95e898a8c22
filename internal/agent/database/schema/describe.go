package schema

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/agent/database/session"
	"upkeep/internal/cms"
)

// Catalogue is the definitions of everything of a site in its database.
type Catalogue struct {
	Objects   []*Object // in order of creation
	Collation string    // the database's default
}

// Find returns the object of that kind and name, or nil.
func (c *Catalogue) Find(kind, name string) *Object {
	for _, o := range c.Objects {
		if o.Kind == kind && o.Name == name {
			return o
		}
	}
	return nil
}

// Rows returns the tables and sequences, the largest first.
func (c *Catalogue) Rows() []*Object {
	var tables []*Object
	for _, o := range c.Objects {
		if o.Kind == KindTable || o.Kind == KindSequence {
			tables = append(tables, o)
		}
	}
	slices.SortStableFunc(tables, func(a, b *Object) int { return int(min(max(b.Size-a.Size, -1), 1)) })
	return tables
}

// Manifest returns the identities.
func (c *Catalogue) Manifest() []upkeep.Object {
	objects := make([]upkeep.Object, len(c.Objects))
	for i, o := range c.Objects {
		objects[i] = o.Object
	}
	m := upkeep.Manifest{Tables: objects}
	m.Sort()
	return m.Tables
}

// Describer reads definitions through one connection.
type Describer struct {
	*session.Session
	name   string // of the database
	schema string // the same, quoted
	scope  scope
}

// NewDescriber reads the definitions of a site through s.
func NewDescriber(s *session.Session, site *cms.Database) *Describer {
	return &Describer{Session: s, name: site.Name, schema: session.Literal(site.Name), scope: scope{site.Prefix, site.Neighbours}}
}

// Describe reads all definitions of the site.
func (d *Describer) Describe(ctx context.Context) (*Catalogue, error) {
	c := &Catalogue{}
	for _, read := range []func(context.Context, *Catalogue) error{
		d.schemaDefaults, d.tables, d.columns, d.keys, d.triggers, d.routines, d.events,
	} {
		if err := read(ctx, c); err != nil {
			return nil, err
		}
	}
	for _, o := range c.Objects {
		o.seal()
	}
	sortObjects(c.Objects)
	return c, nil
}

// schemaDefaults reads what tables without a charset of their own get. It is an
// object like others: changing it changes what later definitions mean.
func (d *Describer) schemaDefaults(ctx context.Context, c *Catalogue) error {
	row, err := d.Row(ctx, "SELECT DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = "+d.schema)
	if err != nil {
		return err
	}
	c.Collation = row[1]
	c.Objects = append(c.Objects, &Object{
		Object: upkeep.Object{Kind: KindSchema, Name: "defaults"},
		Create: []byte("ALTER DATABASE CHARACTER SET " + row[0] + " COLLATE " + row[1]),
	})
	return nil
}

// Listed is one line of the server's list of tables.
type Listed struct {
	Name, Kind, engine, comment string
	size                        int64
}

// List returns the site's tables, views and sequences.
func (d *Describer) List(ctx context.Context) ([]Listed, error) {
	rows, err := d.Table(ctx, "SELECT TABLE_NAME, TABLE_TYPE, ENGINE, DATA_LENGTH, TABLE_COMMENT FROM information_schema.TABLES"+
		" WHERE TABLE_SCHEMA = "+d.schema)
	if err != nil {
		return nil, err
	}
	var tables []Listed
	for _, row := range rows {
		if !d.scope.has(row[0]) || strings.HasPrefix(row[0], Spare) || row[1] == "TEMPORARY" {
			continue
		}
		size, _ := strconv.ParseInt(row[3], 10, 64) // NULL for views
		tables = append(tables, Listed{row[0], row[1], row[2], row[4], size})
	}
	slices.SortFunc(tables, func(a, b Listed) int { return strings.Compare(a.Name, b.Name) })
	return tables, nil
}

// tables reads tables, views and sequences. What the server cannot open, or
// keeps a history of that no dump would hold, is an error: a backup without it
// would not be complete.
func (d *Describer) tables(ctx context.Context, c *Catalogue) error {
	tables, err := d.List(ctx)
	if err != nil {
		return err
	}
	for _, t := range tables {
		o := &Object{Object: upkeep.Object{Name: t.Name}, Engine: t.engine, Size: t.size}
		switch t.Kind {
		case "BASE TABLE":
			o.Kind = KindTable
			if t.engine == "" {
				return upkeep.Errorf(upkeep.CodeDamaged, "table %q cannot be opened: %s", t.Name, t.comment).WithHint("%s", session.Hints[upkeep.CodeDamaged])
			}
			row, err := d.Row(ctx, "SHOW CREATE TABLE "+session.Ident(t.Name))
			if err != nil {
				return err
			}
			var create string
			create, o.Counter = TakeCounter(row[1])
			o.Create = []byte(create)
		case "SEQUENCE":
			o.Kind = KindSequence
			row, err := d.Row(ctx, "SHOW CREATE SEQUENCE "+session.Ident(t.Name))
			if err != nil {
				return err
			}
			o.Create = []byte(row[1])
		case "VIEW":
			o.Kind = KindView
			row, err := d.Row(ctx, "SHOW CREATE VIEW "+session.Ident(t.Name))
			if err != nil {
				return err
			}
			o.Create, o.Setting = []byte(unqualified(row[1], d.name)), Creation{Client: row[2], Connection: row[3]}
			o.Broken = strings.Contains(t.comment, "references invalid")
		default:
			return upkeep.Errorf(upkeep.CodeInvalid, "table %q is of type %s, whose history cannot be kept", t.Name, strings.ToLower(t.Kind)).
				WithHint("Remove system versioning from it, or take it out of the site's database.")
		}
		c.Objects = append(c.Objects, o)
	}
	return nil
}

// columns reads the stored columns of each table. Computed ones are left out:
// inserting into them is an error, and they follow from the others.
func (d *Describer) columns(ctx context.Context, c *Catalogue) error {
	rows, err := d.Table(ctx, "SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, CHARACTER_SET_NAME, EXTRA FROM information_schema.COLUMNS"+
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
		o.Columns = append(o.Columns, Column{Name: row[1], Type: strings.ToLower(row[2]), Charset: row[3]})
	}
	return nil
}

// byTable returns tables and sequences by name.
func (c *Catalogue) byTable() map[string]*Object {
	byName := map[string]*Object{}
	for _, o := range c.Rows() {
		byName[o.Name] = o
	}
	return byName
}

// keys chooses for each table the unique key that orders its rows: the
// primary one, else the first whose columns are whole, stored and never NULL.
func (d *Describer) keys(ctx context.Context, c *Catalogue) error {
	rows, err := d.Table(ctx, "SELECT TABLE_NAME, INDEX_NAME, COLUMN_NAME, SUB_PART, NULLABLE FROM information_schema.STATISTICS"+
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
		if o := byName[rows[0][0]]; o != nil && o.Key == nil && !o.ignores(rows[0][1]) {
			o.Key, o.Index = usableKey(o, rows[:n]), rows[0][1]
		}
		rows = rows[n:]
	}
	return nil
}

// usableKey returns the columns of a unique key, nil when it cannot order rows:
// a part of a column does not tell all values apart, and NULL may repeat.
func usableKey(o *Object, parts [][]string) []string {
	var names []string
	for _, part := range parts {
		at := slices.IndexFunc(o.Columns, func(c Column) bool { return c.Name == part[2] })
		if at < 0 || part[3] != "" || part[4] == "YES" || !comparable(o.Columns[at]) {
			return nil
		}
		names = append(names, part[2])
	}
	return names
}

// ignores reports whether the table's definition keeps an index from being used.
// Like a column of such a name, which is no harm, it may be taken for one.
func (o *Object) ignores(index string) bool {
	for line := range strings.SplitSeq(string(o.Create), "\n") {
		if rest, ok := strings.CutPrefix(line, "  UNIQUE KEY "+session.Ident(index)+" "); ok {
			rest, _, _ = strings.Cut(rest, " COMMENT '")
			return strings.Contains(rest, " IGNORED") || strings.Contains(rest, " INVISIBLE")
		}
	}
	return false
}

// comparable reports whether a value written as SQL finds its row again.
func comparable(c Column) bool {
	return !strings.Contains(c.Type, "blob") && !strings.Contains(c.Type, "text") && !geometric(c)
}

// triggers reads the triggers of the site's tables, numbered within each: which
// of two runs first is part of what they do.
func (d *Describer) triggers(ctx context.Context, c *Catalogue) error {
	rows, err := d.Table(ctx, "SELECT TRIGGER_NAME, EVENT_OBJECT_TABLE, ACTION_ORDER FROM information_schema.TRIGGERS"+
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
		show, err := d.Row(ctx, "SHOW CREATE TRIGGER "+session.Ident(row[0]))
		if err != nil {
			return err
		}
		c.Objects = append(c.Objects, &Object{
			Object: upkeep.Object{Kind: KindTrigger, Name: row[0]}, Table: row[1], Order: order,
			Create: []byte(show[2]), Setting: Creation{Client: show[3], Connection: show[4], Database: show[5], Mode: show[1]},
		})
	}
	return nil
}

// routines reads procedures, functions and packages. The server shows their
// text only to those with a right to it: an empty one is an error, not an empty
// routine.
func (d *Describer) routines(ctx context.Context, c *Catalogue) error {
	rows, err := d.Table(ctx, "SELECT ROUTINE_NAME, ROUTINE_TYPE FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = "+d.schema)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !d.scope.has(row[0]) {
			continue
		}
		show, err := d.Row(ctx, "SHOW CREATE "+row[1]+" "+session.Ident(row[0]))
		if err != nil {
			return err
		}
		if show[2] == "" {
			return upkeep.Errorf(upkeep.CodeUnauthorized, "%s %q may not be read", upkeep.Phrase(strings.ToLower(row[1])), row[0]).
				WithHint("Give the account SELECT on mysql.proc, or make it the definer.")
		}
		// A procedure and a function may share a name, two objects of a
		// manifest may not.
		c.Objects = append(c.Objects, &Object{
			Object: upkeep.Object{Kind: KindRoutine, Name: strings.ToLower(row[1]) + " " + row[0]}, Routine: row[1],
			Create: []byte(show[2]), Setting: Creation{Client: show[3], Connection: show[4], Database: show[5], Mode: show[1]},
		})
	}
	return nil
}

// events reads what the server does on a schedule, with its time zone.
func (d *Describer) events(ctx context.Context, c *Catalogue) error {
	rows, err := d.Table(ctx, "SELECT EVENT_NAME FROM information_schema.EVENTS WHERE EVENT_SCHEMA = "+d.schema)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !d.scope.has(row[0]) {
			continue
		}
		show, err := d.Row(ctx, "SHOW CREATE EVENT "+session.Ident(row[0]))
		if err != nil {
			return err
		}
		c.Objects = append(c.Objects, &Object{
			Object: upkeep.Object{Kind: KindEvent, Name: row[0]}, Create: []byte(show[3]),
			Setting: Creation{Client: show[4], Connection: show[5], Database: show[6], Mode: show[1], Zone: show[2]},
		})
	}
	return nil
}
