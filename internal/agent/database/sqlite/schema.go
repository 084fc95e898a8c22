package sqlite

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"upkeep"
)

// The kinds of objects, named as in manifests. File is all pages of a file,
// schema its settings.
const (
	kindFile    = "file"
	kindSchema  = "schema"
	kindTable   = "table"
	kindIndex   = "index"
	kindView    = "view"
	kindTrigger = "trigger"
)

// object is one thing in a database with what makes it again.
type object struct {
	upkeep.Object
	create  string
	table   string
	columns []string // whose values are stored
	rowid   string   // a name of the row's number; "" without one, or when it is a column
	order   string   // what sorts the rows
	virtual bool     // its rows are in other tables
}

// hasRows reports whether the object's own rows are to be read.
func (o *object) hasRows() bool { return o.Kind == kindTable && !o.virtual }

// describe reads what is defined in a file, in the order in which it can be
// made again.
func describe(ctx context.Context, c *connection) ([]*object, error) {
	objects, err := definitions(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, o := range objects {
		if o.hasRows() {
			if err := o.describeRows(ctx, c); err != nil {
				return nil, upkeep.Causef("table %q: %w", o.Name, err)
			}
		}
	}
	return objects, nil
}

// definitions reads the schema's own table. Indices that a constraint makes
// have no text; what ANALYZE sampled is nobody's data.
func definitions(ctx context.Context, c *connection) (_ []*object, err error) {
	rows, err := c.QueryContext(ctx, `SELECT type, name, tbl_name, coalesce(sql, '') FROM sqlite_schema
		WHERE (sql IS NOT NULL) AND name NOT IN ('sqlite_stat2', 'sqlite_stat3', 'sqlite_stat4')
		ORDER BY CASE type WHEN 'table' THEN 1 WHEN 'index' THEN 2 WHEN 'view' THEN 3 ELSE 4 END, name`)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	var objects []*object
	for rows.Next() {
		o := &object{}
		if err := rows.Scan(&o.Kind, &o.Name, &o.table, &o.create); err != nil {
			return nil, err
		}
		fields := strings.Fields(strings.ToUpper(o.create[:min(len(o.create), 80)]))
		o.virtual = len(fields) > 1 && fields[0] == "CREATE" && fields[1] == "VIRTUAL"
		o.seal(o.Kind, o.Name, o.table, strings.TrimSpace(o.create))
		objects = append(objects, o)
	}
	return objects, rows.Err()
}

// seal computes the identity of a definition.
func (o *object) seal(parts ...string) {
	sum := sha256.New()
	_ = json.NewEncoder(sum).Encode(parts) // a hash takes all
	o.Definition = hex.EncodeToString(sum.Sum(nil))
}

// describeRows finds out how a table's rows are read and in which order.
func (o *object) describeRows(ctx context.Context, c *connection) error {
	var key []string
	rows, err := c.QueryContext(ctx, "SELECT name, pk, hidden FROM pragma_table_xinfo("+quote(o.Name)+") ORDER BY CASE pk WHEN 0 THEN 1000000 ELSE pk END, cid")
	if err != nil {
		return err
	}
	names := map[string]bool{}
	for rows.Next() {
		var name string
		var pk, hidden int
		if err := errors.Join(rows.Scan(&name, &pk, &hidden)); err != nil {
			return errors.Join(err, rows.Close())
		}
		names[strings.ToLower(name)] = true
		if pk > 0 {
			key = append(key, ident(name))
		}
		if hidden == 0 { // others are computed
			o.columns = append(o.columns, name)
		}
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return err
	}
	return o.chooseOrder(ctx, c, names, key)
}

// chooseOrder sorts rows by their number where they have one that can be named,
// by the key where they have none, and else by everything.
func (o *object) chooseOrder(ctx context.Context, c *connection, names map[string]bool, key []string) error {
	without, err := c.number(ctx, "SELECT coalesce(max(wr), 0) FROM pragma_table_list("+quote(o.Name)+") WHERE schema = 'main'")
	if err != nil {
		return err
	}
	if without != 0 {
		o.order = strings.Join(key, ",")
		return nil
	}
	indexed, err := c.number(ctx, "SELECT count(*) FROM pragma_index_list("+quote(o.Name)+") WHERE origin = 'pk'")
	if err != nil {
		return err
	}
	if len(key) == 1 && indexed == 0 { // then the key's column is the row's number
		o.order = key[0]
		return nil
	}
	for _, name := range []string{"rowid", "_rowid_", "oid"} {
		if !names[name] {
			o.rowid, o.order = name, name
			return nil
		}
	}
	var all []string
	for _, name := range o.columns {
		all = append(all, "typeof("+ident(name)+")", ident(name)+" COLLATE BINARY")
	}
	o.order = strings.Join(all, ",")
	return nil
}

// settings are what a file is besides its objects, as SQL that an empty
// database takes before anything else.
func settings(ctx context.Context, c *connection) (before, after string, wide bool, err error) {
	var encoding, journal string
	var b, a bytes.Buffer
	if err := c.QueryRowContext(ctx, "PRAGMA encoding").Scan(&encoding); err != nil {
		return "", "", false, err
	}
	// The file's own header says how it is written to: an unchanging copy has
	// no journal that could be asked for.
	var version []byte
	err = c.QueryRowContext(ctx, "SELECT substr(data, 19, 1) FROM sqlite_dbpage('main') WHERE pgno = 1").Scan(&version)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	if journal = "delete"; len(version) == 1 && version[0] == 2 {
		journal = "wal"
	}
	fmt.Fprintf(&b, "PRAGMA encoding = '%s';\n", encoding)
	for _, name := range []string{"page_size", "auto_vacuum", "application_id", "user_version"} {
		n, numberErr := c.number(ctx, "PRAGMA "+name)
		err = errors.Join(err, numberErr)
		fmt.Fprintf(&b, "PRAGMA %s = %d;\n", name, n)
	}
	fmt.Fprintf(&a, "PRAGMA journal_mode = %s;\n", journal)
	return b.String(), a.String(), encoding != "UTF-8", err
}
