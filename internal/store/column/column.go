// Package column says how what Upkeep keeps stands in the columns of a
// database, and how rows are asked for.
package column

import (
	"bytes"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"upkeep"
)

// Stamp is a time as columns keep it: microseconds since 1970, NULL for the
// zero time.
type Stamp time.Time

// Value implements driver.Valuer.
func (s Stamp) Value() (driver.Value, error) {
	if time.Time(s).IsZero() {
		return nil, nil
	}
	return time.Time(s).UnixMicro(), nil
}

// Scan implements sql.Scanner.
func (s *Stamp) Scan(value any) error {
	switch value := value.(type) {
	case nil:
		*s = Stamp{}
	case int64:
		*s = Stamp(time.UnixMicro(value).UTC())
	default:
		return upkeep.Causef("a time is a number of microseconds, not %T", value)
	}
	return nil
}

// Optional is a reference as columns keep it: NULL for none.
type Optional int64

// Value implements driver.Valuer.
func (o Optional) Value() (driver.Value, error) {
	if o == 0 {
		return nil, nil
	}
	return int64(o), nil
}

// Scan implements sql.Scanner.
func (o *Optional) Scan(value any) error {
	var number sql.NullInt64
	err := number.Scan(value)
	*o = Optional(number.Int64)
	return err
}

// Document is any value as columns keep it: JSON text. To scan, it holds a
// pointer. Numbers in untyped places stay as they are written, so that what
// was hashed hashes the same again.
type Document struct{ Of any }

// Value implements driver.Valuer.
func (d Document) Value() (driver.Value, error) {
	text, err := json.Marshal(d.Of)
	return string(text), err
}

// Scan implements sql.Scanner.
func (d Document) Scan(value any) error {
	text, ok := value.(string)
	if !ok {
		return upkeep.Causef("a document is text, not %T", value)
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(d.Of); err != nil {
		return upkeep.Errorf(upkeep.CodeDamaged, "a stored document does not read back: %w", err)
	}
	return nil
}

// Where gathers the conditions of a list. Its placeholders are numbered, the
// notation that both databases read.
type Where struct {
	text bytes.Buffer
	args []any
}

// Add narrows by condition, in which "?" stands for arg, when given is true.
func (w *Where) Add(given bool, condition string, arg any) {
	if !given {
		return
	}
	w.args = append(w.args, arg)
	w.Plain(given, strings.Replace(condition, "?", fmt.Sprintf("$%d", len(w.args)), 1))
}

// Plain narrows by a condition without an argument when given is true.
func (w *Where) Plain(given bool, condition string) {
	if !given {
		return
	}
	if w.text.Len() == 0 {
		w.text.WriteString(" WHERE ")
	} else {
		w.text.WriteString(" AND ")
	}
	w.text.WriteString(condition)
}

// Query ends a SELECT with the conditions, the order and the limit.
func (w *Where) Query(columns, order string, limit int) (string, []any) {
	text := columns + w.text.String() + " ORDER BY " + order
	if limit > 0 {
		w.args = append(w.args, limit)
		text += fmt.Sprintf(" LIMIT $%d", len(w.args))
	}
	return text, w.args
}
