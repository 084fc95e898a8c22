package main

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

func (d *demonstration) width() int {
	if d.out.Width > 0 {
		return min(d.out.Width, pageWidth)
	}
	return pageWidth
}

func (d *demonstration) write(lines ...string) error {
	_, err := io.WriteString(d.stdout, strings.Join(lines, "\n")+"\n")
	return err
}

// begin says what is about to happen, and where.
func (d *demonstration) begin() error {
	return errors.Join(d.write(d.out.In(terminal.Bold, d.text("demo.title"))), d.tell("demo.where", "dir", shown(d.ground.Dir)))
}

// heading begins an act.
func (d *demonstration) heading(key string) error {
	d.act++
	text := strconv.Itoa(d.act) + "  " + d.text(key) + " "
	rule := strings.Repeat("─", max(0, d.width()-terminal.Columns(text)))
	return d.write("", d.out.In(terminal.Bold, text)+d.out.In(terminal.Dim, rule))
}

// tell writes a paragraph.
func (d *demonstration) tell(key string, pairs ...any) error {
	return d.write(strings.Join(terminal.Wrap(d.text(key, pairs...), d.width()), "\n"))
}

// command shows the command of upkeep that is run next, as a person types it.
func (d *demonstration) command(args ...string) error {
	return d.typed(append([]string{d.program()}, args...)...)
}

// typed shows the words of a line for a shell, continued on the next one as a
// shell does it, so that it can be copied.
func (d *demonstration) typed(words ...string) error {
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
		lines[i] = d.out.In(terminal.Bold, lines[i])
	}
	return d.write("", d.out.In(terminal.Dim, "$ ")+strings.Join(lines, " \\\n    "))
}

// work does something that takes a while and says how long it took.
func (d *demonstration) work(key string, body func() (pairs []any, err error)) error {
	began := d.clock()
	if d.out.Live {
		if _, err := io.WriteString(d.stdout, d.out.In(terminal.Dim, "  … "+d.text("demo.working"))); err != nil {
			return err
		}
	}
	pairs, err := body()
	if d.out.Live {
		if _, werr := io.WriteString(d.stdout, "\r\x1b[K"); werr != nil {
			return errors.Join(err, werr)
		}
	}
	if err != nil {
		return err
	}
	return d.fact(d.text(key, pairs...), d.texts.Span(d.clock().Sub(began)))
}

// fact writes a line that something is so, with a remark at the right end.
func (d *demonstration) fact(text, remark string) error {
	lines := terminal.Wrap(text, d.width()-4-terminal.Columns(remark)-2)
	last := &lines[len(lines)-1]
	*last += strings.Repeat(" ", max(2, d.width()-4-terminal.Columns(*last)-terminal.Columns(remark))) + d.out.In(terminal.Dim, remark)
	return d.write("  " + d.out.In(terminal.Good, "✓") + " " + strings.Join(lines, "\n    "))
}

// visitNow shows what visitors of the home page get. Anything but the shop is
// the end of the demonstration.
func (d *demonstration) visitNow(ctx context.Context) error {
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
	return d.fact(d.text("demo.visit", "address", d.shop.URL), strconv.Itoa(seen.Status)+" “"+seen.Title+"”")
}

// program is how a person calls this program.
func (d *demonstration) program() string {
	self, err := os.Executable()
	if err != nil {
		return "upkeep"
	}
	for _, dir := range filepath.SplitList(d.getenv("PATH")) {
		found, err := filepath.EvalSymlinks(filepath.Join(dir, "upkeep"))
		if err == nil && found == self {
			return "upkeep"
		}
	}
	return shown(self)
}

func (d *demonstration) cleanCommand() string {
	return d.program() + " demo --clean --dir " + shown(d.ground.Dir)
}

// shown writes a path as short as it can be typed here.
func shown(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if rel, err := filepath.Rel(here, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}
