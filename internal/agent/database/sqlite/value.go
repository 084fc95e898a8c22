package sqlite

import (
	"bytes"
	"database/sql"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// ident quotes a name for SQL.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// quote writes a string for SQL.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// scan reads one row of so many cells.
func scan(rows *sql.Rows, columns int) ([]any, error) {
	values := make([]any, columns)
	into := make([]any, columns)
	for i := range values {
		into[i] = &values[i]
	}
	return values, rows.Scan(into...)
}

// plainTypes reports whether the library gives all columns as they are stored,
// and returns names for as many columns.
func plainTypes(rows *sql.Rows) (bool, string) {
	types, err := rows.ColumnTypes()
	if err != nil {
		return true, "" // the rows will say so too
	}
	var names []string
	plain := true
	for i, t := range types {
		names = append(names, "c"+strconv.Itoa(i))
		if slices.Contains([]string{"DATE", "DATETIME", "TIMESTAMP", "BOOLEAN"}, strings.ToUpper(t.DatabaseTypeName())) {
			plain = false
		}
	}
	return plain, strings.Join(names, ",")
}

// expressions makes values of columns: a plus leaves every value as it is, and
// hides how its column is declared.
func expressions(names string) string { return "+" + strings.ReplaceAll(names, ",", ",+") }

// text is a cell as SQLite would print it, nil for NULL.
func text(v any) []byte {
	switch v := v.(type) {
	case nil:
		return nil
	case []byte:
		if v == nil {
			return []byte{}
		}
		return v
	case string:
		return []byte(v)
	case int64:
		return strconv.AppendInt(nil, v, 10)
	case float64:
		return strconv.AppendFloat(nil, v, 'g', -1, 64)
	case time.Time:
		return []byte(v.Format(time.RFC3339Nano))
	}
	return fmt.Append(nil, v)
}

// appendValue writes a value as SQL that gives it back exactly, on one line:
// the client drops carriage returns and stops at NUL. wide says that the
// database keeps text as UTF-16; a string then holds those bytes.
func appendValue(b []byte, v any, wide bool) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "NULL"...)
	case int64:
		if v == math.MinInt64 {
			return append(b, "(-9223372036854775807-1)"...) // the number without its sign would be none
		}
		return strconv.AppendInt(b, v, 10)
	case float64:
		return appendReal(b, v)
	case []byte:
		return append(hex.AppendEncode(append(b, "X'"...), v), '\'')
	case string:
		return appendText(b, v, wide)
	}
	return append(b, quote(fmt.Sprint(v))...)
}

// appendReal writes 17 digits: the nearest number to them is v again, even for
// a reader that is a little off.
func appendReal(b []byte, v float64) []byte {
	switch {
	case math.IsInf(v, 1):
		return append(b, "9e999"...)
	case math.IsInf(v, -1):
		return append(b, "-9e999"...)
	}
	return strconv.AppendFloat(b, v, 'e', 16, 64)
}

func appendText(b []byte, v string, wide bool) []byte {
	if wide || !utf8.ValidString(v) || strings.ContainsAny(v, "\x00\r") {
		b = append(b, "CAST(X'"...)
		return append(hex.AppendEncode(b, []byte(v)), "' AS TEXT)"...)
	}
	if !strings.Contains(v, "\n") {
		return append(b, quote(v)...)
	}
	mark := `\n`
	for n := 0; strings.Contains(v, mark); n++ {
		mark = fmt.Sprintf(`\n%d`, n)
	}
	b = append(b, "replace("...)
	b = append(b, quote(strings.ReplaceAll(v, "\n", mark))...)
	b = append(b, ',')
	b = append(b, quote(mark)...)
	return append(b, ",char(10))"...)
}

// narrow turns a cell that came as its kind and its bytes into a value: what
// is read as text goes through a conversion that would change what is not
// valid.
func narrow(kind, v any) any {
	if raw, ok := v.([]byte); ok && kind == "text" {
		return string(bytes.Clone(raw))
	}
	if v == nil && kind == "text" {
		return ""
	}
	if v == nil && kind == "blob" {
		return []byte{}
	}
	return v
}
