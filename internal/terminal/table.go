package terminal

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"upkeep"
)

// Formats are the formats of lists, for flags and completion.
func Formats() []string { return []string{"table", "json", "csv", "ids", "count"} }

// Column is one column of a list.
type Column[T any] struct {
	Title string // of the table
	Name  string // of the CSV field: the JSON name
	Right bool   // numbers
	Wrap  bool   // gives way first on a narrow screen
	Hide  bool   // not in the table
	Cell  func(*T) string
	Raw   func(*T) string // for CSV, where machines read; nil is Cell
	Paint func(*T) Paint  // nil is plain
}

// List is how a kind of thing is listed.
type List[T any] struct {
	Columns []Column[T]
	ID      func(*T) string
	Empty   string // said on the table's screen when there is nothing
}

// Write lists items in a format. CodeInvalid when there is no such format.
func (l *List[T]) Write(s *Screen, format string, items []T) error {
	switch format {
	case "table":
		return l.table(s, items)
	case "json":
		return JSON(s.Out, items)
	case "csv":
		return l.csv(s.Out, items)
	case "ids":
		for i := range items {
			if _, err := fmt.Fprintln(s.Out, l.ID(&items[i])); err != nil {
				return err
			}
		}
		return nil
	case "count":
		_, err := fmt.Fprintln(s.Out, len(items))
		return err
	}
	return upkeep.Errorf(upkeep.CodeInvalid, "format %q", format)
}

// JSON writes v indented.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func (l *List[T]) csv(w io.Writer, items []T) error {
	out := csv.NewWriter(w)
	row := make([]string, len(l.Columns))
	for i, c := range l.Columns {
		row[i] = c.Name
	}
	if err := out.Write(row); err != nil {
		return err
	}
	for i := range items {
		for j, c := range l.Columns {
			cell := c.Cell
			if c.Raw != nil {
				cell = c.Raw
			}
			row[j] = inert(cell(&items[i]))
		}
		if err := out.Write(row); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

// inert keeps a spreadsheet from taking a cell for a formula: names of
// components come from outside.
func inert(cell string) string {
	if cell != "" && strings.ContainsRune("=+-@\t\r", rune(cell[0])) {
		return "'" + cell
	}
	return cell
}

// gap is the space between two columns.
const gap = 2

func (l *List[T]) table(s *Screen, items []T) error {
	if len(items) == 0 {
		_, err := fmt.Fprintln(s.Out, l.Empty)
		return err
	}
	l = l.shown(items)
	cells := make([][]string, len(items)+1)
	for j := range l.Columns {
		cells[0] = append(cells[0], l.Columns[j].Title)
	}
	for i := range items {
		for j := range l.Columns {
			cells[i+1] = append(cells[i+1], Line(l.Columns[j].Cell(&items[i])))
		}
	}
	widths := l.widths(cells, s.Width)
	for i, row := range cells {
		paint := func(int) Paint { return Bold }
		if i > 0 {
			paint = func(j int) Paint { return l.paint(j, &items[i-1]) }
		}
		if err := l.row(s, row, widths, paint); err != nil {
			return err
		}
	}
	return nil
}

// shown returns the list without the columns that are hidden or say nothing.
func (l *List[T]) shown(items []T) *List[T] {
	visible := *l
	visible.Columns = slices.DeleteFunc(slices.Clone(l.Columns), func(c Column[T]) bool {
		for i := range items {
			if c.Cell(&items[i]) != "" {
				return c.Hide
			}
		}
		return true
	})
	return &visible
}

func (l *List[T]) paint(column int, item *T) Paint {
	if p := l.Columns[column].Paint; p != nil {
		return p(item)
	}
	return Plain
}

// row writes one row; a wrapping column goes on below itself.
func (l *List[T]) row(s *Screen, cells []string, widths []int, paint func(int) Paint) error {
	parts := make([][]string, len(cells))
	height := 1
	for j, cell := range cells {
		parts[j] = []string{Cut(cell, widths[j])}
		if l.Columns[j].Wrap {
			parts[j] = Wrap(cell, widths[j])
		}
		height = max(height, len(parts[j]))
	}
	for h := range height {
		var line strings.Builder
		for j := range cells {
			part := ""
			if h < len(parts[j]) {
				part = parts[j][h]
			}
			pad := strings.Repeat(" ", max(0, widths[j]-Columns(part)))
			if l.Columns[j].Right {
				line.WriteString(pad)
				pad = ""
			}
			line.WriteString(s.In(paint(j), part) + pad + strings.Repeat(" ", gap))
		}
		if _, err := fmt.Fprintln(s.Out, strings.TrimRight(line.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

// widths fits the columns to the screen. Those that wrap give way first, the
// widest of them before the others, as long as they stay readable; only then
// are the others cut.
func (l *List[T]) widths(cells [][]string, screen int) []int {
	widths := make([]int, len(l.Columns))
	total := gap * (len(widths) - 1)
	for j := range widths {
		for i := range cells {
			widths[j] = max(widths[j], Columns(cells[i][j]))
		}
		total += widths[j]
	}
	if screen == 0 {
		return widths
	}
	for _, step := range []struct {
		wraps bool
		least int
	}{{true, 20}, {true, 9}, {false, 6}} {
		for total > screen {
			widest := l.widest(widths, step.wraps, step.least)
			if widest < 0 {
				break
			}
			widths[widest]--
			total--
		}
	}
	return widths
}

// widest returns the widest column above least, of those that wrap or of all;
// -1 when there is none.
func (l *List[T]) widest(widths []int, wraps bool, least int) int {
	widest := -1
	for j := range widths {
		if (l.Columns[j].Wrap || !wraps) && widths[j] > least && (widest < 0 || widths[j] > widths[widest]) {
			widest = j
		}
	}
	return widest
}

// Columns returns how many columns text takes on a terminal.
func Columns(text string) int { return runewidth.StringWidth(text) }

// Cut shortens text to width columns, with an ellipsis where it had to.
func Cut(text string, width int) string { return runewidth.Truncate(text, width, "…") }

// Line makes text from outside fit for one line: control characters, which
// could move the cursor or hide what follows, become spaces.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069' {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\ufffd"))
}

// Wrap breaks text into lines of at most width columns, at spaces where it
// can. 0 is no limit.
func Wrap(text string, width int) []string {
	if width <= 0 || Columns(text) <= width {
		return []string{text}
	}
	var lines []string
	line := ""
	for _, word := range strings.Split(text, " ") {
		for Columns(word) > width {
			if line != "" {
				lines, line = append(lines, line), ""
			}
			head := breakWord(word, width)
			lines, word = append(lines, head), word[len(head):]
		}
		switch {
		case word == "":
		case line == "":
			line = word
		case Columns(line)+1+Columns(word) <= width:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	if line == "" {
		return lines
	}
	return append(lines, line)
}

// breakWord returns how much of a long word goes on a line: up to a separator
// in its second half, as refs and paths have, else as much as fits. It is
// never empty.
func breakWord(word string, width int) string {
	head := runewidth.Truncate(word, width, "")
	if head == "" {
		_, size := utf8.DecodeRuneInString(word)
		return word[:size]
	}
	for _, separators := range []string{"/:", "-._"} { // between names rather than within one
		if at := strings.LastIndexAny(head, separators); at >= len(head)/2 {
			return head[:at+1]
		}
	}
	return head
}

// Field is a labelled line of a description.
type Field struct {
	Label, Value string
	Paint        Paint
}

// blank separates groups of fields whose values stay aligned.
func blank() Field { return Field{Value: "\n"} }

// Fields writes labelled lines, values below each other and wrapped. Empty
// values are left out; an empty label goes on below the one before.
func (s *Screen) Fields(indent string, fields []Field) error {
	label := 0
	for _, f := range fields {
		if f.Value != "" {
			label = max(label, Columns(f.Label))
		}
	}
	width := 0
	if s.Width > 0 {
		width = max(20, s.Width-len(indent)-label-gap)
	}
	for _, f := range fields {
		if f.Value == "" {
			continue
		}
		if f == blank() {
			if _, err := fmt.Fprintln(s.Out); err != nil {
				return err
			}
			continue
		}
		head := s.In(Dim, f.Label) + strings.Repeat(" ", label-Columns(f.Label)+gap)
		for _, part := range Wrap(Line(f.Value), width) {
			if _, err := fmt.Fprintln(s.Out, strings.TrimRight(indent+head+s.In(f.Paint, part), " ")); err != nil {
				return err
			}
			head = strings.Repeat(" ", label+gap)
		}
	}
	return nil
}
