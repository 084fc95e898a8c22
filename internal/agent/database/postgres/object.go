package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"upkeep"
)

// The kinds of objects, named as in manifests.
const (
	kindExtension  = "extension"
	kindSchema     = "schema"
	kindType       = "type"
	kindSequence   = "sequence"
	kindFunction   = "routine"
	kindTable      = "table"
	kindOwnership  = "ownership" // of a sequence by a column
	kindConstraint = "constraint"
	kindIndex      = "index"
	kindStatistics = "statistics"
	kindForeign    = "reference" // a foreign key
	kindView       = "view"
	kindStored     = "materialized view"
	kindRule       = "rule"
	kindTrigger    = "trigger"
	kindBlobs      = "large objects"
)

// kinds is the order in which objects are made where they do not need each
// other: tables are filled before keys and indices are built.
var kinds = []string{
	kindSchema, kindExtension, kindType, kindSequence, kindFunction, kindTable, kindOwnership, kindConstraint, kindIndex,
	kindStatistics, kindView, kindStored, kindForeign, kindRule, kindTrigger, kindBlobs,
}

// object is one thing in the database with all that is needed to make it again.
type object struct {
	upkeep.Object
	Create  []string `json:"create,omitempty"` // statements; none for what another object brings
	Drop    string   `json:"drop,omitempty"`   // "" for what is never dropped
	Table   string   `json:"table,omitempty"`  // that it is part of
	Refers  string   `json:"refers,omitempty"` // the other table of a foreign key
	Columns []string `json:"columns,omitempty"`
	Key     []column `json:"key,omitempty"`   // columns that order the rows; nil when none are unique
	Empty   bool     `json:"empty,omitempty"` // a stored view that was never filled

	File     string    `json:"file,omitempty"` // in a dump
	Segments []segment `json:"segments,omitempty"`

	id   node
	size int64
}

// column is one that a key consists of.
type column struct {
	Name string `json:"n"` // quoted
	Type string `json:"t"`
	At   int    `json:"a"` // its position among the columns that are read
}

// node is where a catalogue describes something.
type node struct{ catalogue, oid string }

// ref tells objects apart as an operator would write it.
func (o *object) ref() string { return o.Kind + " " + o.Name }

// seal computes the identity of the definition.
func (o *object) seal() {
	sum := sha256.New()
	_ = json.NewEncoder(sum).Encode([]any{o.Create, o.Table, o.Empty}) // a hash takes all
	o.Definition = hex.EncodeToString(sum.Sum(nil))
}

// hasRows reports whether the object has content besides its definition.
func (o *object) hasRows() bool {
	return o.Kind == kindTable || o.Kind == kindSequence || o.Kind == kindBlobs || o.Kind == kindStored && !o.Empty
}

// selection is the query whose rows are the object's content.
func (o *object) selection() string {
	switch o.Kind {
	case kindSequence:
		return "SELECT last_value, is_called FROM " + o.Name
	case kindBlobs:
		return "SELECT oid, pg_catalog.lo_get(oid) FROM pg_catalog.pg_largeobject_metadata ORDER BY oid"
	case kindStored:
		return "SELECT r.* FROM " + o.Name + " r ORDER BY (r.*)::text COLLATE \"C\""
	}
	return o.rows("")
}

// rows is the query for a table's rows that meet a condition, all with "".
func (o *object) rows(where string) string {
	query := "SELECT " + strings.Join(o.Columns, ",") + " FROM ONLY " + o.Name + " r"
	if where != "" {
		query += " WHERE " + where
	}
	if o.Key == nil {
		return query + " ORDER BY (r.*)::text COLLATE \"C\""
	}
	return query + " ORDER BY " + o.keyNames()
}

func (o *object) keyNames() string {
	names := make([]string, len(o.Key))
	for i, c := range o.Key {
		names[i] = c.Name
	}
	return strings.Join(names, ",")
}

// copyIn is the statement that reads rows as selection gave them.
func (o *object) copyIn() string {
	return "COPY " + o.Name + " (" + strings.Join(o.Columns, ",") + ") FROM STDIN"
}

// catalogue is everything of a site in its database, in order of creation.
type catalogue []*object

func (c catalogue) find(ref string) *object {
	for _, o := range c {
		if o.ref() == ref {
			return o
		}
	}
	return nil
}

// byRef makes finding quick.
func (c catalogue) byRef() map[string]*object {
	all := make(map[string]*object, len(c))
	for _, o := range c {
		all[o.ref()] = o
	}
	return all
}

// manifest returns the identities.
func (c catalogue) manifest() []upkeep.Object {
	m := upkeep.Manifest{}
	for _, o := range c {
		m.Tables = append(m.Tables, o.Object)
	}
	m.Sort()
	return m.Tables
}

// arranged puts objects into an order in which they can be made: by kind and
// name, but each behind what it needs. A circle is cut where it is found.
func arranged(objects catalogue, needs map[node][]node) catalogue {
	slices.SortStableFunc(objects, func(a, b *object) int {
		if d := slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind); d != 0 {
			return d
		}
		return strings.Compare(a.Name, b.Name)
	})
	at := map[node]*object{}
	for _, o := range objects {
		if _, ok := at[o.id]; !ok && o.id.oid != "" { // the first kind of several is what the others need
			at[o.id] = o
		}
	}
	placed := map[*object]bool{}
	var order catalogue
	var place func(o *object)
	place = func(o *object) {
		if placed[o] {
			return
		}
		placed[o] = true
		for _, need := range needs[o.id] {
			if other := at[need]; other != nil && other != o && o.Kind != kindOwnership {
				place(other)
			}
		}
		order = append(order, o)
	}
	for _, o := range objects {
		place(o)
	}
	return order
}
