package terminal_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"upkeep"
	"upkeep/internal/terminal"
)

// words answers with the key, so that layouts show and nothing else.
type words struct{}

func (words) Say(text upkeep.Text) string { return text.String() }

func (words) Text(key string, _ ...any) string { return key }

func (words) Code(family, code string, _ map[string]string) string { return family + "." + code }

func (words) Number(int64) string { return "n" }

func (words) Bytes(int64) string { return "b" }

func (words) Span(time.Duration) string { return "t" }

func screen(width int) (*terminal.Screen, *bytes.Buffer) {
	var out bytes.Buffer
	return &terminal.Screen{Out: &out, Words: words{}, Width: width, Clock: func() time.Time { return time.Unix(0, 0) }}, &out
}

func columns(wrap bool) *terminal.List[[2]string] {
	return &terminal.List[[2]string]{Empty: "nothing", ID: func(r *[2]string) string { return r[0] }, Columns: []terminal.Column[[2]string]{
		{Title: "a", Name: "a", Wrap: wrap, Cell: func(r *[2]string) string { return r[0] }},
		{Title: "b", Name: "b", Right: true, Cell: func(r *[2]string) string { return r[1] }},
	}}
}

func TestTableAlignsWideCharacters(t *testing.T) {
	s, out := screen(0)
	if err := columns(false).Write(s, "table", [][2]string{{"日本", "1"}, {"abc", "22"}}); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "a      b\n日本   1\nabc   22\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// TestTableFits: no line is wider than the screen, and a wrapped column loses
// nothing.
func TestTableFits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.StringMatching(`[a-z/é日 -]{0,60}`)
		rows := make([][2]string, rapid.IntRange(1, 4).Draw(t, "rows"))
		for i := range rows {
			rows[i] = [2]string{cell.Draw(t, "wrapped"), rapid.StringMatching(`[0-9]{1,6}`).Draw(t, "number")}
		}
		width := rapid.IntRange(24, 100).Draw(t, "width")
		s, out := screen(width)
		if err := columns(true).Write(s, "table", rows); err != nil {
			t.Fatal(err)
		}
		for _, line := range strings.Split(out.String(), "\n") {
			if terminal.Columns(line) > width {
				t.Fatalf("%d columns on %d: %q", terminal.Columns(line), width, line)
			}
		}
		shown := strings.Map(func(r rune) rune {
			if r == ' ' || r == '\n' || r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, out.String())
		for _, row := range rows {
			for _, r := range strings.ReplaceAll(row[0], " ", "") {
				if !strings.ContainsRune(shown, r) {
					t.Fatalf("%q is lost in\n%s", r, out)
				}
			}
		}
	})
}

func TestWrap(t *testing.T) {
	for _, tc := range []struct {
		text  string
		width int
		want  []string
	}{
		{"a b c", 0, []string{"a b c"}},
		{"one two three", 7, []string{"one two", "three"}},
		{"plugin:akismet/akismet.php", 16, []string{"plugin:akismet/", "akismet.php"}},
		{"日本語", 1, []string{"日", "本", "語"}},
	} {
		if got := terminal.Wrap(tc.text, tc.width); !slices.Equal(got, tc.want) {
			t.Errorf("%q at %d: %q, want %q", tc.text, tc.width, got, tc.want)
		}
	}
}

func TestLineDisarms(t *testing.T) {
	for in, want := range map[string]string{
		"a\x1b[2Jb\r\nc": "a [2Jb  c", "\u202egnp.exe": " gnp.exe", "ok é 日": "ok é 日", "\x9b31m": "\ufffd31m",
	} {
		if got := terminal.Line(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestRecordNeedsNothing(t *testing.T) {
	for _, state := range []upkeep.State{upkeep.Planned, upkeep.Applying, upkeep.Done, upkeep.Failed, upkeep.Incident} {
		for _, width := range []int{0, 50, 80, 200} {
			s, out := screen(width)
			if err := s.Record(&terminal.Record{Intervention: &upkeep.Intervention{ID: 1, State: state}, Site: "shop"}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(out.String(), "upkeep intervention log 1") {
				t.Errorf("%s at %d:\n%s", state, width, out)
			}
		}
	}
}

func TestPlainProgressIsPaced(t *testing.T) {
	s, out := screen(0)
	now := time.Unix(0, 0)
	s.Clock = func() time.Time { return now }
	p := terminal.NewProgress(s)
	for range 100 {
		p.Work(upkeep.Progress{Code: "backup", Done: 1, Total: 2, Unit: "bytes"})
		now = now.Add(time.Second)
	}
	p.Close()
	if n := strings.Count(out.String(), "\n"); n != 10 {
		t.Errorf("%d lines in 100 seconds:\n%s", n, out)
	}
}

// Who follows an intervention late reads when things happened, not when they
// are told.
func TestEventsAreToldWithTheirTime(t *testing.T) {
	s, out := screen(0)
	p := terminal.NewProgress(s)
	at := time.Unix(0, 0).Add(-90 * time.Minute)
	p.Event(&upkeep.Event{At: at, State: upkeep.Applying, Code: "x"})
	p.Close()
	if want := at.Local().Format("15:04:05"); !strings.HasPrefix(out.String(), want) {
		t.Errorf("want %s, got %s", want, out)
	}
}
