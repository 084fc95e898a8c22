// Package terminal lays out what commands show: tables, the record of an
// intervention, and the progress of long work.
package terminal

import (
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"upkeep"
)

// Words gives the texts that layouts need, in the reader's language.
type Words interface {
	// Text returns the text of a key with name, value pairs.
	Text(key string, pairs ...any) string
	// Code returns the text of a code of a family: "state", "reason", ….
	Code(family, code string, params map[string]string) string
	// Say returns the text of an error, or a part of one.
	Say(text upkeep.Text) string
	Amounts
}

// Amounts writes amounts.
type Amounts interface {
	Number(n int64) string
	Bytes(n int64) string
	Span(d time.Duration) string
}

// Screen is where something is shown.
type Screen struct {
	Out    io.Writer
	Words  Words
	Width  int  // columns; 0 is no limit
	Live   bool // lines may be redrawn
	Colour bool
	Clock  upkeep.Clock
}

// Open returns the screen for out: live, coloured and as wide as it is when
// out is a terminal, without limit and plain otherwise. NO_COLOR, set to
// anything, and TERM=dumb are respected.
func Open(out io.Writer, words Words, getenv func(string) string, clock upkeep.Clock) *Screen {
	s := &Screen{Out: out, Words: words, Clock: clock}
	f, ok := out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return s
	}
	if width, _, err := term.GetSize(int(f.Fd())); err == nil {
		s.Width = width
	}
	s.Live = getenv("TERM") != "dumb"
	s.Colour = s.Live && getenv("NO_COLOR") == ""
	return s
}

// Paint is a colour by its meaning.
type Paint string

// The paints, as SGR parameters.
const (
	Plain Paint = ""
	Bold  Paint = "1"
	Dim   Paint = "2"
	Good  Paint = "32"
	Bad   Paint = "31"
	Warn  Paint = "33"
)

// In returns text in a paint, or as it is on a screen without colours.
func (s *Screen) In(p Paint, text string) string {
	if !s.Colour || p == Plain || text == "" {
		return text
	}
	return "\x1b[" + string(p) + "m" + text + "\x1b[0m"
}

// StateIn returns the paint of a state.
func StateIn(state upkeep.State) Paint {
	switch state {
	case upkeep.Done:
		return Good
	case upkeep.Partial, upkeep.Undone, upkeep.Cancelled:
		return Warn
	case upkeep.Failed, upkeep.Incident:
		return Bad
	}
	return Plain
}

// Instant writes a time to the minute in the local zone, "–" for none.
func Instant(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.Local().Format("2006-01-02 15:04")
}

// clockTime writes the time of day of t.
func clockTime(t time.Time) string { return t.Local().Format("15:04:05") }
