// Package schema knows what is defined in a database: it reads the definition
// of everything that belongs to a site, in an order in which it can be made
// again, and how rows of each table are asked for.
package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/agent/database/session"
)

// The kinds of objects, named as in manifests. Schema is the defaults of the
// database itself.
const (
	KindSchema   = "schema"
	KindSequence = "sequence"
	KindTable    = "table"
	KindRoutine  = "routine"
	KindView     = "view"
	KindTrigger  = "trigger"
	KindEvent    = "event"
)

// kinds is the order in which objects can be created: what comes later may
// need what comes before.
var kinds = []string{KindSchema, KindSequence, KindTable, KindRoutine, KindView, KindTrigger, KindEvent}

// Object is one thing in the database with all that is needed to make it again.
type Object struct {
	upkeep.Object
	Create  []byte   `json:"create"`            // as the server gives it, without the counter
	Counter uint64   `json:"counter,omitempty"` // next AUTO_INCREMENT value
	Setting Creation `json:"setting,omitzero"`  // under which Create means the same
	Routine string   `json:"routine,omitempty"` // "PROCEDURE", "FUNCTION", "PACKAGE", "PACKAGE BODY"
	Table   string   `json:"table,omitempty"`   // of a trigger
	Order   int      `json:"order,omitempty"`   // of a trigger among those of its table
	Broken  bool     `json:"broken,omitempty"`  // a view of what is not there: it cannot be made again
	Engine  string   `json:"engine,omitempty"`
	Columns []Column `json:"columns,omitempty"`
	Key     []string `json:"key,omitempty"` // columns that order the rows; nil when none are unique
	Index   string   `json:"index,omitempty"`
	File    string   `json:"file,omitempty"` // in the dump

	Size int64 `json:"-"` // the server's estimate of the rows' bytes
}

// Creation is the session in which a program stored in the database was
// written; its text and its meaning depend on it.
type Creation struct {
	Client     string `json:"client,omitempty"`
	Connection string `json:"connection,omitempty"`
	Database   string `json:"database,omitempty"` // collation
	Mode       string `json:"mode,omitempty"`
	Zone       string `json:"zone,omitempty"`
}

// Column is a column whose values are stored, not computed.
type Column struct {
	Name    string `json:"n"`
	Type    string `json:"t"`           // "varchar", "int", …
	Charset string `json:"c,omitempty"` // of text
}

// Ref tells objects apart as an operator would write it.
func (o *Object) Ref() string { return o.Kind + " " + o.Name }

// seal computes the identity of the definition.
func (o *Object) seal() {
	// The order is fixed: identities in old manifests must come out again.
	sum := sha256.New()
	_ = json.NewEncoder(sum).Encode([]any{o.Create, o.Counter, o.Setting, o.Routine, o.Table, o.Order}) // a hash takes all
	o.Definition = hex.EncodeToString(sum.Sum(nil))
}

// SameShape reports whether rows of one table fit the other, so that only
// rows and the counter can differ.
func (o *Object) SameShape(other *Object) bool { return string(o.Create) == string(other.Create) }

// HasRows reports whether rows of the table are kept in it, rather than in
// other tables or other servers.
func (o *Object) HasRows() bool {
	switch strings.ToUpper(o.Engine) {
	case "MRG_MYISAM", "FEDERATED", "BLACKHOLE", "SPIDER", "CONNECT":
		return false
	}
	return o.Kind == KindTable || o.Kind == KindSequence
}

// Snapshots reports whether the engine gives a reader one unchanging state.
func (o *Object) Snapshots() bool {
	return strings.EqualFold(o.Engine, "InnoDB") || o.Kind == KindSequence
}

// ColumnList is the columns between parentheses.
func (o *Object) ColumnList() string {
	names := make([]string, len(o.Columns))
	for i, c := range o.Columns {
		names[i] = session.Ident(c.Name)
	}
	return "(" + strings.Join(names, ",") + ")"
}

// CreateAs returns the definition of a table under another name.
func (o *Object) CreateAs(name string) (string, error) {
	rest, ok := strings.CutPrefix(string(o.Create), "CREATE TABLE "+session.Ident(o.Name))
	if !ok {
		return "", upkeep.Errorf(upkeep.CodeDamaged, "definition of table %q begins unexpectedly", o.Name)
	}
	return "CREATE TABLE " + session.Ident(name) + rest, nil
}

// Statements returns what makes the object (without rows), in a session whose
// settings are ours. schemaCollation is the database's own default.
func (o *Object) Statements(schemaCollation string) []string {
	switch o.Kind {
	case KindSchema:
		return []string{string(o.Create)}
	case KindTable, KindSequence:
		create := string(o.Create)
		return []string{"SET NAMES utf8mb4", create, "SET NAMES binary"}
	}
	var before, after []string
	if o.Setting.Client != "" {
		before = append(before, "SET SESSION character_set_client = "+session.Literal(o.Setting.Client),
			"SET SESSION collation_connection = "+session.Literal(o.Setting.Connection))
		after = append(after, "SET NAMES binary", "SET SESSION character_set_results = NULL")
	}
	if o.Kind != KindView {
		before = append(before, "SET SESSION sql_mode = "+session.Literal(o.Setting.Mode))
		after = append(after, session.SetMode)
	}
	if o.Setting.Zone != "" {
		before = append(before, "SET SESSION time_zone = "+session.Literal(o.Setting.Zone))
		after = append(after, session.SetZone)
	}
	if c := o.Setting.Database; c != "" && c != schemaCollation {
		before = append([]string{"ALTER DATABASE COLLATE " + c}, before...)
		after = append(after, "ALTER DATABASE COLLATE "+schemaCollation)
	}
	return append(append(before, string(o.Create)), after...)
}

// Head returns what the file of a table or sequence in a dump says before its
// rows.
func (o *Object) Head() string {
	head := fmt.Sprintf("-- %s %q\n", o.Kind, o.Name)
	for _, set := range session.Settings {
		head += set + ";\n"
	}
	create := string(o.Create)
	if o.Counter > 0 {
		create += fmt.Sprintf(";\nALTER TABLE %s AUTO_INCREMENT = %d", session.Ident(o.Name), o.Counter)
	}
	return head + "SET SESSION unique_checks = 0;\nSET NAMES utf8mb4;\n" + strings.Join(o.Drop(), ";\n") + ";\n" + create + ";\nSET NAMES binary;\nSET autocommit = 0;\n"
}

// Script returns the file of an object without rows in a dump.
func (o *Object) Script(schemaCollation string) string {
	text := fmt.Sprintf("-- %s %q\n", o.Kind, o.Name)
	for _, set := range session.Settings {
		text += set + ";\n"
	}
	end := delimiter(o.Create)
	text += "DELIMITER " + end + "\n"
	for _, statement := range append(o.Drop(), o.Statements(schemaCollation)...) {
		text += statement + "\n" + end + "\n"
	}
	return text + "DELIMITER ;\n"
}

// delimiter returns a mark that the text does not contain.
func delimiter(text []byte) string {
	for n := 0; ; n++ {
		mark := ";;"
		if n > 0 {
			mark = fmt.Sprintf("$%d$", n)
		}
		if !strings.Contains(string(text), mark) {
			return mark
		}
	}
}

// Drop returns the statements that remove the object.
func (o *Object) Drop() []string {
	if strings.HasPrefix(o.Routine, "PACKAGE") { // only this mode knows the word
		return []string{"SET SESSION sql_mode = 'ORACLE'", o.drop(), session.SetMode}
	}
	if drop := o.drop(); drop != "" {
		return []string{drop}
	}
	return nil
}

func (o *Object) drop() string {
	switch o.Kind {
	case KindRoutine:
		return "DROP " + o.Routine + " IF EXISTS " + session.Ident(strings.TrimPrefix(o.Name, strings.ToLower(o.Routine)+" "))
	case KindSchema:
		return ""
	}
	return "DROP " + strings.ToUpper(o.Kind) + " IF EXISTS " + session.Ident(o.Name)
}

// counter is the next AUTO_INCREMENT value in what the server says after the
// last parenthesis of a table's columns.
var counter = regexp.MustCompile(` AUTO_INCREMENT=(\d+)`)

// TakeCounter separates the AUTO_INCREMENT value from a table's definition.
// Names and comments may hold the same words, so only the options count: the
// last line that begins with a parenthesis, up to its comment.
func TakeCounter(create string) (rest string, value uint64) {
	options := strings.LastIndex(create, "\n) ")
	if options < 0 {
		return create, 0
	}
	tail := create[options:]
	if quoted := strings.IndexByte(tail, '\''); quoted >= 0 {
		tail = tail[:quoted]
	}
	at := counter.FindStringSubmatchIndex(tail)
	if at == nil {
		return create, 0
	}
	value, err := strconv.ParseUint(tail[at[2]:at[3]], 10, 64)
	if err != nil {
		return create, 0
	}
	return create[:options+at[0]] + create[options+at[1]:], value
}

// Strings and dotted names, as the server writes them in views.
var (
	name       = "`(?:[^`]|``)*`"
	nameOnly   = regexp.MustCompile(name)
	viewTokens = regexp.MustCompile(`(?s)'(?:[^'\\]|\\.|'')*'|` + name + `(?:\.` + name + `)*`)
)

// unqualified is a view's definition without its own database before columns.
// The server leaves that out, but not where the definer is gone, as after a
// move; then the view could be made in no other database.
func unqualified(create, database string) string {
	return viewTokens.ReplaceAllStringFunc(create, func(token string) string {
		column, ok := strings.CutPrefix(token, session.Ident(database)+".")
		if !ok || len(nameOnly.FindAllString(token, -1)) != 3 {
			return token // of two parts the first may be a table of the same name
		}
		return column
	})
}

// scope says which names belong to the site among those of the database.
type scope struct {
	prefix     string
	neighbours []string
}

// Spare begins the names of tables that an undo builds; they are nobody's.
const Spare = "__upkeep_new_"

// has applies the rule of cms.Database: the longest matching prefix wins, and
// what matches none is ours.
func (sc scope) has(name string) bool {
	longest, ours := -1, true
	if strings.HasPrefix(name, sc.prefix) {
		longest = len(sc.prefix)
	}
	for _, prefix := range sc.neighbours {
		if len(prefix) > longest && strings.HasPrefix(name, prefix) {
			longest, ours = len(prefix), false
		}
	}
	return ours
}

// sortObjects puts objects into the order in which they can be created.
func sortObjects(objects []*Object) {
	slices.SortStableFunc(objects, func(a, b *Object) int {
		if a.Broken != b.Broken { // whatever reads the dump may stop there
			return map[bool]int{true: 1, false: -1}[a.Broken]
		}
		if d := slices.Index(kinds, a.Kind) - slices.Index(kinds, b.Kind); d != 0 {
			return d
		}
		if a.Kind == KindTrigger {
			if d := strings.Compare(a.Table, b.Table); d != 0 {
				return d
			}
			return a.Order - b.Order
		}
		if a.Kind == KindRoutine && a.Routine != b.Routine {
			return strings.Compare(routineOrder(a.Routine), routineOrder(b.Routine))
		}
		return strings.Compare(a.Name, b.Name)
	})
	orderViews(objects)
}

// routineOrder lets a package's body follow the package.
func routineOrder(kind string) string {
	if kind == "PACKAGE BODY" {
		return "Z"
	}
	return kind
}

// orderViews moves each view behind those it mentions. Names of columns count
// as mentions too: that only ever orders more than needed, and a circle of
// them is cut where it is found.
func orderViews(objects []*Object) {
	first := slices.IndexFunc(objects, func(o *Object) bool { return o.Kind == KindView })
	if first < 0 {
		return
	}
	last := first
	for last < len(objects) && objects[last].Kind == KindView && !objects[last].Broken {
		last++
	}
	views := slices.Clone(objects[first:last])
	placed := map[string]bool{}
	next := first
	var place func(v *Object)
	place = func(v *Object) {
		if placed[v.Name] {
			return
		}
		placed[v.Name] = true
		for _, other := range views {
			if other != v && strings.Contains(string(v.Create), session.Ident(other.Name)) {
				place(other)
			}
		}
		objects[next] = v
		next++
	}
	for _, v := range views {
		place(v)
	}
}

// FileName returns the file of an object in a dump: names sort in the order
// of import, and hold nothing that a shell or a file system would mind.
func (o *Object) FileName(position int) string {
	var b strings.Builder
	for _, c := range []byte(o.Name) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '_' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	name := b.String()
	if len(name) > 150 {
		sum := sha256.Sum256([]byte(o.Name))
		name = name[:150] + hex.EncodeToString(sum[:8])
	}
	// Only where the order among equals matters does the name carry a number.
	if o.Kind == KindView || o.Kind == KindTrigger || o.Kind == KindRoutine {
		name = fmt.Sprintf("%05d-%s", position, name)
	}
	place := slices.Index(kinds, o.Kind)
	if o.Broken {
		place = len(kinds)
	}
	return fmt.Sprintf("%d-%s-%s.sql", place, o.Kind, name)
}
