// Command picture draws what a command showed on a terminal as SVG: it reads
// a typescript from its input and writes the lines from the first that holds
// its first argument to the next that holds its second one.
//
//	script -qc 'stty cols 100; bin/upkeep demo --lang en' typescript
//	go run ./tools/picture 'Intervention 2' 'to do' <typescript >doc/demo.svg
package main

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"os"
	"slices"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: picture FIRST LAST <typescript >picture.svg")
		os.Exit(2)
	}
	if err := run(os.Stdin, os.Stdout, os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "picture:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer, first, last string) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	s := &screen{rows: [][]cell{nil}}
	s.show(string(text))
	rows := s.between(first, last)
	if rows == nil {
		return fmt.Errorf("no lines from %q to %q", first, last)
	}
	return draw(out, rows)
}

// cell is one character with its paint, the parameters of SGR.
type cell struct {
	char  rune
	paint string
}

// screen is an endless terminal that knows what our programs use.
type screen struct {
	rows     [][]cell
	row, col int
	paint    string
}

// show puts text on the screen.
func (s *screen) show(text string) {
	for text != "" {
		if rest, ok := strings.CutPrefix(text, "\x1b["); ok {
			end := strings.IndexFunc(rest, func(r rune) bool { return r >= '@' && r <= '~' })
			if end < 0 {
				return
			}
			s.control(rest[:end], rest[end])
			text = rest[end+1:]
			continue
		}
		char := []rune(text[:min(len(text), 4)])[0]
		text = text[len(string(char)):]
		s.put(char)
	}
}

func (s *screen) control(parameters string, final byte) {
	count := 1
	fmt.Sscan(parameters, &count) // without a number it stays 1
	switch final {
	case 'm':
		s.paint = strings.TrimPrefix(parameters, "0")
	case 'A':
		s.row, s.col = max(s.row-count, 0), 0
	case 'J':
		s.rows = s.rows[:s.row+1]
		s.rows[s.row] = s.rows[s.row][:min(s.col, len(s.rows[s.row]))]
	case 'K':
		s.rows[s.row] = s.rows[s.row][:min(s.col, len(s.rows[s.row]))]
	}
}

func (s *screen) put(char rune) {
	switch char {
	case '\r':
		s.col = 0
		return
	case '\n':
		s.row, s.col = s.row+1, 0
		if s.row == len(s.rows) {
			s.rows = append(s.rows, nil)
		}
		return
	}
	row := s.rows[s.row]
	for len(row) <= s.col {
		row = append(row, cell{' ', ""})
	}
	row[s.col] = cell{char, s.paint}
	s.rows[s.row] = row
	s.col++
}

// between returns the rows from the first that holds one text to the next
// that holds another, nil when there are none.
func (s *screen) between(first, last string) [][]cell {
	has := func(text string) func([]cell) bool {
		return func(row []cell) bool { return strings.Contains(plain(row), text) }
	}
	from := slices.IndexFunc(s.rows, has(first))
	if from < 0 {
		return nil
	}
	to := slices.IndexFunc(s.rows[from:], has(last))
	if to < 0 {
		return nil
	}
	return s.rows[from : from+to+1]
}

func plain(row []cell) string {
	var b strings.Builder
	for _, c := range row {
		b.WriteRune(c.char)
	}
	return strings.TrimRight(b.String(), " ")
}

// The picture's measures, in pixels.
const (
	charWidth  = 8.4
	lineHeight = 19
	margin     = 18
)

// colour returns how a paint looks.
func colour(paint string) string {
	switch paint {
	case "1":
		return ` fill="#ffffff" font-weight="bold"`
	case "2":
		return ` fill="#8b949e"`
	case "31":
		return ` fill="#ff7b72"`
	case "32":
		return ` fill="#56d364"`
	case "33":
		return ` fill="#e3b341"`
	}
	return ""
}

func draw(out io.Writer, rows [][]cell) error {
	w := bufio.NewWriter(out)
	columns := 0
	for _, row := range rows {
		columns = max(columns, len([]rune(plain(row))))
	}
	width, height := float64(columns)*charWidth+2*margin, len(rows)*lineHeight+2*margin
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" height="%d">`+"\n", width, height, width, height)
	fmt.Fprintln(w, `<rect width="100%" height="100%" rx="8" fill="#0d1117"/>`)
	fmt.Fprintln(w, `<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" fill="#d0d7de" xml:space="preserve">`)
	for i, row := range rows {
		drawRow(w, row, margin+(i+1)*lineHeight-5)
	}
	fmt.Fprintln(w, "</g>\n</svg>")
	return w.Flush()
}

// drawRow writes each stretch of one paint at its own place, so that the
// columns stand even where a font is wider.
func drawRow(w io.Writer, row []cell, y int) {
	for start := 0; start < len(row); {
		end := start + 1
		for end < len(row) && row[end].paint == row[start].paint {
			end++
		}
		text := strings.TrimRight(plain(row[start:end]), " ")
		inner := strings.TrimLeft(text, " ")
		start += len([]rune(text)) - len([]rune(inner))
		if inner != "" {
			fmt.Fprintf(w, `<text x="%.1f" y="%d" textLength="%.1f"%s>%s</text>`+"\n",
				margin+float64(start)*charWidth, y, float64(len([]rune(inner)))*charWidth, colour(row[start].paint), html.EscapeString(inner))
		}
		start = end
	}
}
