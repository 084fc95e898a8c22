package database

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/agent/database/schema"
	"upkeep/internal/agent/database/session"
)

// statementSize bounds the statements that an undo sends, in bytes, save for
// a single row that is larger.
const statementSize = 256 << 10

// tableRestorer brings one table after the other back, through one connection.
type tableRestorer struct {
	*restorer
	*session.Session
	spare string // name of the table it builds
	file  *os.File
	goal  *dumped
}

// tableTries bounds how often a table is taken up again after it was in the
// way of another: references between tables lock each other's definitions.
const tableTries = 4

// restoreAgain restores a table, and tries again when another worker's table
// held a lock on its definition.
func (tr *tableRestorer) restoreAgain(ctx context.Context, want *dumped, have *schema.Catalogue) error {
	for try := 1; ; try++ {
		err := tr.restore(ctx, want, have)
		if upkeep.CodeOf(err) != upkeep.CodeConflict || try == tableTries {
			return err
		}
		if err := tr.Exec(ctx, "ROLLBACK"); err != nil {
			return err
		}
	}
}

// restore brings one table or sequence back.
func (tr *tableRestorer) restore(ctx context.Context, want *dumped, have *schema.Catalogue) (err error) {
	tr.goal = want
	tr.count(func(st *Stats) { st.Tables++ })
	if want.File != "" {
		if tr.file, err = os.Open(filepath.Join(tr.dir, want.File)); err != nil {
			return err
		}
		defer tr.file.Close()
	}
	now := have.Find(want.Kind, want.Name)
	if want.Kind == schema.KindSequence {
		return tr.sequence(ctx)
	}
	// Rows can only be compared when every column of the dump is there in the
	// same form; otherwise the table is made anew.
	if now == nil || !now.SameShape(want.Object) {
		return tr.rebuild(ctx)
	}
	if err := tr.rows(ctx, have); err != nil {
		return err
	}
	return tr.setCounter(ctx)
}

// rows compares the table's rows with the dump's and changes back those that
// differ.
func (tr *tableRestorer) rows(ctx context.Context, have *schema.Catalogue) error {
	var segments []segment
	found, err := read(ctx, tr.Session, tr.goal.Object, func(seg *segment, _ []byte) error {
		segments = append(segments, *seg)
		tr.progress.add(seg.Length)
		return nil
	})
	if err != nil {
		return err
	}
	if found.digest == tr.goal.Content {
		tr.note(tr.goal.Object, found)
		return nil
	}
	for _, o := range have.Objects { // they must not act on what we do; create makes them again
		if o.Kind == schema.KindTrigger && o.Table == tr.goal.Name {
			if err := tr.ExecAll(ctx, o.Drop()); err != nil {
				return err
			}
		}
	}
	// Without a key no row can be found again: a repair could not tell which of
	// several equal ones to delete.
	if tr.goal.Key == nil {
		return tr.rebuild(ctx)
	}
	return tr.repair(ctx, tr.ranges(segments))
}

// span is the rows of a segment of the dump, and where the table's own rows
// of the same range are: after the last key of the segment before, up to its
// own last key.
type span struct {
	seg     *segment // nil for what lies behind the dump's last row
	where   string
	missing []int // rows of the segment that are not there
}

// ranges returns the spans in which the table differs from the dump. A
// segment is untouched when the table has the same one right behind the same
// predecessor: then no row can lie between them.
func (tr *tableRestorer) ranges(now []segment) []span {
	at := map[string]int{} // by hash: keys are part of it, so no two are equal
	for i := range now {
		at[now[i].Hash] = i
	}
	var spans []span
	want := tr.goal.segments
	before := -1 // where the segment before is, or -2 when it is not there
	for i := range want {
		here, ok := at[want[i].Hash]
		if !ok {
			here = -2
		}
		if !ok || here != before+1 {
			var after [][]byte
			if i > 0 {
				after = want[i-1].Last
			}
			spans = append(spans, span{seg: &want[i], where: tr.between(after, want[i].Last)})
		}
		before = here
	}
	if before != len(now)-1 {
		var after [][]byte
		if len(want) > 0 {
			after = want[len(want)-1].Last
		}
		spans = append(spans, span{where: tr.between(after, nil)})
	}
	return spans
}

// between returns the condition for keys above after and up to last; nil is
// no bound.
func (tr *tableRestorer) between(after, last [][]byte) string {
	var terms []string
	if after != nil {
		terms = append(terms, tr.compare(after, ">", ""))
	}
	if last != nil {
		terms = append(terms, tr.compare(last, "<", "="))
	}
	if len(terms) == 0 {
		return "1"
	}
	return strings.Join(terms, " AND ")
}

// compare writes (a,b) > (x,y) as a > x OR a = x AND b > y, which the server
// can answer from an index. The last column also takes orEqual.
func (tr *tableRestorer) compare(key [][]byte, operator, orEqual string) string {
	var terms []string
	equal := ""
	for i, value := range key {
		op := operator
		if i == len(key)-1 {
			op += orEqual
		}
		name := tr.keyExpression(i)
		terms = append(terms, equal+name+op+string(value))
		equal += name + "=" + string(value) + " AND "
	}
	return "(" + strings.Join(terms, " OR ") + ")"
}

// keyExpression is how a key's column compares with a value as written.
func (tr *tableRestorer) keyExpression(i int) string {
	name := tr.goal.Key[i]
	for _, c := range tr.goal.Columns {
		if c.Name == name && c.Type == "bit" {
			return c.Expression()
		}
	}
	return session.Ident(name)
}

// repair makes the rows of all spans those of the dump, in one transaction.
// All deletions come before all insertions, so that a value of another
// unique key may have moved from one row to another.
func (tr *tableRestorer) repair(ctx context.Context, spans []span) error {
	if err := tr.Exec(ctx, "START TRANSACTION"); err != nil {
		return err
	}
	var done Stats
	for i := range spans {
		before := done.RowsDeleted
		if err := tr.deleteForeign(ctx, &spans[i], &done); err != nil {
			return err
		}
		if done.RowsDeleted > before || len(spans[i].missing) > 0 {
			done.Segments++
		}
	}
	for i := range spans {
		if err := tr.insertMissing(ctx, &spans[i], &done); err != nil {
			return err
		}
	}
	if err := tr.Exec(ctx, "COMMIT"); err != nil {
		return err
	}
	tr.count(func(st *Stats) {
		st.Repaired++
		st.Segments += done.Segments
		st.RowsDeleted += done.RowsDeleted
		st.RowsInserted += done.RowsInserted
	})
	return nil
}

// deleteForeign deletes the rows of a span that the dump does not hold, and
// notes which of the dump's rows the table does not.
func (tr *tableRestorer) deleteForeign(ctx context.Context, sp *span, done *Stats) error {
	wanted, err := tr.dumpRows(sp.seg)
	if err != nil {
		return err
	}
	m := merge{wanted: wanted}
	var foreign []string // conditions
	var buf []byte
	r := newReading(tr.goal.Object, nil)
	err = tr.Each(ctx, tr.goal.Selection(sp.where), func(row []driver.Value) error {
		buf = r.appendRow(buf[:0], row)
		if m.take(buf) {
			return nil
		}
		var terms []string
		for i, at := range r.key {
			terms = append(terms, tr.keyExpression(i)+"="+string(appendKey(nil, tr.goal.Columns[at], r.forms[at], row[at])))
		}
		foreign = append(foreign, strings.Join(terms, " AND "))
		return nil
	})
	if err != nil {
		return err
	}
	sp.missing = m.rest()
	done.RowsDeleted += int64(len(foreign))
	return tr.deleteWhere(ctx, foreign)
}

// mergeAhead is how many rows ahead a merge looks. A row that is further away
// is replaced by itself.
const mergeAhead = 1000

// merge tells which rows of the dump a table holds. Both come in the order of
// the table's key, which only the server can compare, so equal bytes are
// looked for from where the last ones were found.
type merge struct {
	wanted  [][]byte
	next    int
	missing []int
}

// take reports whether the dump holds the row.
func (m *merge) take(row []byte) bool {
	for i := m.next; i < min(len(m.wanted), m.next+mergeAhead); i++ {
		if !bytes.Equal(row, m.wanted[i]) {
			continue
		}
		for ; m.next < i; m.next++ {
			m.missing = append(m.missing, m.next)
		}
		m.next++
		return true
	}
	return false
}

// rest ends the merge and returns the positions of rows that no row was.
func (m *merge) rest() []int {
	for ; m.next < len(m.wanted); m.next++ {
		m.missing = append(m.missing, m.next)
	}
	return m.missing
}

// deleteWhere deletes the rows that meet any of the conditions.
func (tr *tableRestorer) deleteWhere(ctx context.Context, conditions []string) error {
	for len(conditions) > 0 {
		n, size := 0, 0
		for n < len(conditions) && n < 500 && size < statementSize {
			size += len(conditions[n])
			n++
		}
		query := "DELETE FROM " + session.Ident(tr.goal.Name) + " WHERE (" + strings.Join(conditions[:n], ") OR (") + ")"
		if err := tr.Exec(ctx, query); err != nil {
			return err
		}
		conditions = conditions[n:]
	}
	return nil
}

// insertMissing inserts the rows of the dump that the span did not hold.
func (tr *tableRestorer) insertMissing(ctx context.Context, sp *span, done *Stats) error {
	if len(sp.missing) == 0 {
		return nil
	}
	wanted, err := tr.dumpRows(sp.seg)
	if err != nil {
		return err
	}
	missing := make([][]byte, len(sp.missing))
	for i, at := range sp.missing {
		missing[i] = wanted[at]
	}
	done.RowsInserted += int64(len(missing))
	return tr.insert(ctx, tr.goal.Name, bytes.Join(missing, []byte(",\n")))
}

// insert adds rows written as SQL.
func (tr *tableRestorer) insert(ctx context.Context, table string, rows []byte) error {
	return tr.Exec(ctx, "INSERT INTO "+session.Ident(table)+" "+tr.goal.ColumnList()+" VALUES\n"+string(rows))
}

// dumpRows returns the rows of a segment, each as SQL.
func (tr *tableRestorer) dumpRows(seg *segment) ([][]byte, error) {
	if seg == nil {
		return nil, nil
	}
	body, err := tr.dumpBody(seg)
	if err != nil {
		return nil, err
	}
	rows := bytes.Split(body, []byte(",\n")) // values hold no newline, they are escaped
	if int64(len(rows)) != seg.Rows {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "%s: %d rows, want %d", tr.goal.File, len(rows), seg.Rows)
	}
	return rows, nil
}

// dumpBody returns the rows of a segment as they stand in the dump, checked.
func (tr *tableRestorer) dumpBody(seg *segment) ([]byte, error) {
	body := make([]byte, seg.Length)
	if _, err := tr.file.ReadAt(body, seg.Offset); err != nil {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "%s: %w", tr.goal.File, err)
	}
	if sum := sha256.Sum256(body); hex.EncodeToString(sum[:]) != seg.Hash {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "%s at %d: not as it was written", tr.goal.File, seg.Offset)
	}
	return body, nil
}

// rebuild makes the table again whole beside the one that is there, then puts
// it in its place.
func (tr *tableRestorer) rebuild(ctx context.Context) error {
	o := tr.goal.Object
	create, err := o.CreateAs(tr.spare)
	if err != nil {
		return err
	}
	drop := "DROP TABLE IF EXISTS " + session.Ident(o.Name)
	statements := []string{"DROP TABLE IF EXISTS " + session.Ident(tr.spare), "SET NAMES utf8mb4", create, "SET NAMES binary",
		"SET SESSION character_set_results = NULL"}
	if strings.Contains(create, "FOREIGN KEY") {
		// Names of constraints are unique in a database: the old table has
		// to go first.
		statements = append([]string{drop}, statements...)
	}
	for _, statement := range statements {
		if err := tr.Exec(ctx, statement); err != nil {
			return err
		}
	}
	if err := tr.fill(ctx, tr.spare); err != nil {
		return err
	}
	// Renaming the old table away would take along the references of others
	// to it; dropped, they wait for the name to come back.
	for _, statement := range []string{drop, "RENAME TABLE " + session.Ident(tr.spare) + " TO " + session.Ident(o.Name)} {
		if err := tr.Exec(ctx, statement); err != nil {
			return err
		}
	}
	tr.count(func(st *Stats) { st.Rebuilt++ })
	return tr.setCounter(ctx)
}

// fillCommit is how many segments are inserted per transaction.
const fillCommit = 64

// fill inserts all rows of the dump into an empty table.
func (tr *tableRestorer) fill(ctx context.Context, name string) error {
	if err := tr.Exec(ctx, "SET SESSION unique_checks = 0, autocommit = 0"); err != nil {
		return err
	}
	for i := range tr.goal.segments {
		body, err := tr.dumpBody(&tr.goal.segments[i])
		if err != nil {
			return err
		}
		if err := tr.insert(ctx, name, body); err != nil {
			return err
		}
		tr.progress.add(tr.goal.segments[i].Length)
		if i%fillCommit == fillCommit-1 {
			if err := tr.Exec(ctx, "COMMIT"); err != nil {
				return err
			}
		}
	}
	if err := tr.Exec(ctx, "COMMIT"); err != nil {
		return err
	}
	return tr.Exec(ctx, "SET SESSION unique_checks = 1, autocommit = 1")
}

// setCounter gives AUTO_INCREMENT the value that the dump has.
func (tr *tableRestorer) setCounter(ctx context.Context) error {
	row, err := tr.Row(ctx, "SHOW CREATE TABLE "+session.Ident(tr.goal.Name))
	if err != nil {
		return err
	}
	if _, now := schema.TakeCounter(row[1]); now == tr.goal.Counter {
		return nil
	}
	// Zero is what the server says as long as the counter was never used.
	return tr.Exec(ctx, fmt.Sprintf("ALTER TABLE %s AUTO_INCREMENT = %d", session.Ident(tr.goal.Name), max(tr.goal.Counter, 1)))
}

// sequence gives a sequence its position. Its one row is overwritten by an
// insertion.
func (tr *tableRestorer) sequence(ctx context.Context) error {
	found, err := read(ctx, tr.Session, tr.goal.Object, func(*segment, []byte) error { return nil })
	if err != nil {
		return err
	}
	if found.digest == tr.goal.Content {
		tr.note(tr.goal.Object, found)
		return nil
	}
	tr.count(func(st *Stats) { st.Repaired++ })
	return tr.fill(ctx, tr.goal.Name)
}
