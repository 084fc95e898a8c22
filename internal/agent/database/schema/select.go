package schema

import (
	"strings"

	"upkeep/internal/agent/database/session"
)

// Form says how a column's values are asked for and written.
type Form uint8

// The forms.
const (
	FormText    Form = iota // quoted bytes
	FormNumber              // as the server prints it
	FormReal                // every digit of a float or double
	FormOrdinal             // ENUM, SET and BIT as numbers: their texts may not tell values apart
	FormASCII               // quoted with an introducer: types that read raw bytes as something else
)

// Form says how the column is read.
func (c Column) Form() Form {
	switch c.Type {
	case "tinyint", "smallint", "mediumint", "int", "bigint", "decimal", "year":
		return FormNumber
	case "float", "double":
		return FormReal
	case "enum", "set", "bit":
		return FormOrdinal
	case "uuid", "inet4", "inet6":
		return FormASCII
	}
	return FormText
}

// geometric reports whether the column holds shapes, which compare with nothing.
func geometric(c Column) bool {
	switch c.Type {
	case "geometry", "point", "linestring", "polygon", "multipoint", "multilinestring", "multipolygon", "geometrycollection":
		return true
	}
	return false
}

// Expression is what a reading selects for the column.
func (c Column) Expression() string {
	switch c.Form() {
	case FormReal:
		return session.Ident(c.Name) + "*1e0" // a FLOAT prints six digits, a DOUBLE all
	case FormOrdinal:
		return session.Ident(c.Name) + "+0"
	}
	return session.Ident(c.Name)
}

// Selection returns the query that reads a table in its order. where is ""
// for all rows.
func (o *Object) Selection(where string) string {
	expressions := make([]string, len(o.Columns))
	for i, c := range o.Columns {
		expressions[i] = c.Expression()
	}
	query := "SELECT " + strings.Join(expressions, ",") + " FROM " + session.Ident(o.Name)
	if o.Key != nil {
		query += " FORCE INDEX (" + session.Ident(o.Index) + ")"
	}
	if where != "" {
		query += " WHERE " + where
	}
	return query + " ORDER BY " + o.order()
}

// order returns what sorts the rows of a table: its key, or without one a
// digest of each row, so that only identical rows are in no order. Values of
// any length and collation are then told apart.
func (o *Object) order() string {
	var terms []string
	if o.Key != nil {
		for _, name := range o.Key {
			terms = append(terms, session.Ident(name))
		}
		return strings.Join(terms, ",")
	}
	for _, c := range o.Columns {
		terms = append(terms, "IFNULL(MD5("+c.Expression()+"),'-')")
	}
	if len(terms) == 0 {
		return "1"
	}
	return "MD5(CONCAT(" + strings.Join(terms, ",") + "))"
}
