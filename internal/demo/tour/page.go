package tour

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/terminal"
)

// pageWidth is the widest the demonstration's own lines get, for reading.
const pageWidth = 100

func (d *Tour) width() int {
	if d.Screen.Width > 0 {
		return min(d.Screen.Width, pageWidth)
	}
	return pageWidth
}

func (d *Tour) write(lines ...string) error {
	_, err := io.WriteString(d.Screen.Out, strings.Join(lines, "\n")+"\n")
	return err
}

// begin says what is about to happen, and where.
func (d *Tour) begin() error {
	return errors.Join(d.write(d.Screen.In(terminal.Bold, d.text("demo.title"))), d.tell("demo.where", "dir", Shown(d.ground.Dir)))
}

// heading begins an act.
func (d *Tour) heading(key string) error {
	d.act++
	text := strconv.Itoa(d.act) + "  " + d.text(key) + " "
	rule := strings.Repeat("─", max(0, d.width()-terminal.Columns(text)))
	return d.write("", d.Screen.In(terminal.Bold, text)+d.Screen.In(terminal.Dim, rule))
}

// tell writes a paragraph.
func (d *Tour) tell(key string, pairs ...any) error {
	return d.write(strings.Join(terminal.Wrap(d.text(key, pairs...), d.width()), "\n"))
}

// command shows the command of upkeep that is run next, as a person types it.
func (d *Tour) command(args ...string) error {
	return d.typed(append([]string{d.Program}, args...)...)
}

// typed shows the words of a line for a shell, continued on the next one as a
// shell does it, so that it can be copied.
func (d *Tour) typed(words ...string) error {
	lines := []string{words[0]}
	for _, word := range words[1:] {
		last := &lines[len(lines)-1]
		if terminal.Columns(*last)+terminal.Columns(word)+len("    ")+len("  \\") > d.width() {
			lines = append(lines, word)
			continue
		}
		*last += " " + word
	}
	for i := range lines {
		lines[i] = d.Screen.In(terminal.Bold, lines[i])
	}
	return d.write("", d.Screen.In(terminal.Dim, "$ ")+strings.Join(lines, " \\\n    "))
}

// work does something that takes a while and says how long it took.
func (d *Tour) work(key string, body func() (pairs []any, err error)) error {
	began := d.Screen.Clock()
	if d.Screen.Live {
		if _, err := io.WriteString(d.Screen.Out, d.Screen.In(terminal.Dim, "  … "+d.text("demo.working"))); err != nil {
			return err
		}
	}
	pairs, err := body()
	if d.Screen.Live {
		if _, werr := io.WriteString(d.Screen.Out, "\r\x1b[K"); werr != nil {
			return errors.Join(err, werr)
		}
	}
	if err != nil {
		return err
	}
	return d.fact(d.text(key, pairs...), d.Screen.Words.Span(d.Screen.Clock().Sub(began)))
}

// fact writes a line that something is so, with a remark at the right end.
func (d *Tour) fact(text, remark string) error {
	lines := terminal.Wrap(text, d.width()-4-terminal.Columns(remark)-2)
	last := &lines[len(lines)-1]
	*last += strings.Repeat(" ", max(2, d.width()-4-terminal.Columns(*last)-terminal.Columns(remark))) + d.Screen.In(terminal.Dim, remark)
	return d.write("  " + d.Screen.In(terminal.Good, "✓") + " " + strings.Join(lines, "\n    "))
}

// visitNow shows what visitors of the home page get. Anything but the shop is
// the end of the demonstration.
func (d *Tour) visitNow(ctx context.Context) error {
	seen, err := visitShop(ctx, d.shop.URL)
	if err != nil {
		return err
	}
	if seen.Status != 200 || !strings.Contains(seen.Title, title) {
		return upkeep.Errorf(upkeep.CodeInternal, "%s answers %d, %q", d.shop.URL, seen.Status, seen.Title)
	}
	if d.act > 1 { // below what a command wrote
		if err := d.write(""); err != nil {
			return err
		}
	}
	return d.fact(d.text("demo.visit", "address", d.shop.URL), d.text("demo.seen", "status", seen.Status, "title", seen.Title))
}

func (d *Tour) cleanCommand() string {
	return d.Program + " demo --clean --dir " + Shown(d.ground.Dir)
}

// Shown writes a path as short as it can be typed here.
func Shown(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

func (d *Tour) text(key string, pairs ...any) string { return d.Screen.Words.Text(key, pairs...) }
