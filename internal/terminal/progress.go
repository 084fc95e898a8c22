package terminal

import (
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"upkeep"
)

// Progress shows long work: on a live screen two lines that are redrawn below
// what was said, elsewhere lines with the time. Its methods may be called from
// any goroutine.
type Progress struct {
	screen *Screen
	began  time.Time

	mu    sync.Mutex
	iv    *upkeep.Intervention
	work  upkeep.Progress
	since time.Time // of the work's code
	said  time.Time // plain: last line about the work

	bars *mpb.Progress // nil on a plain screen
	head *mpb.Bar
	bar  *mpb.Bar
}

// redraw is how often live lines are redrawn, quiet how often a plain screen
// tells how far work has come.
const (
	redraw = 120 * time.Millisecond
	quiet  = 10 * time.Second
)

// NewProgress begins to show work on the screen. It must be closed.
func NewProgress(s *Screen) *Progress {
	p := &Progress{screen: s, began: s.Clock()}
	if !s.Live {
		return p
	}
	p.bars = mpb.New(mpb.WithOutput(s.Out), mpb.WithAutoRefresh(), mpb.WithRefreshRate(redraw))
	p.head = p.bars.New(0, mpb.NopStyle(),
		mpb.PrependDecorators(decor.Spinner(spinner(), decor.WC{W: 2, C: decor.DindentRight}), decor.Any(p.headline)))
	p.bar = p.bars.New(0, mpb.NopStyle(), mpb.BarFillerTrim(),
		mpb.BarFillerMiddleware(func(mpb.BarFiller) mpb.BarFiller { return mpb.BarFillerFunc(p.fill) }))
	return p
}

func spinner() []string {
	return []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
}

// Intervention takes a new picture of the intervention.
func (p *Progress) Intervention(iv *upkeep.Intervention) {
	p.mu.Lock()
	p.iv = iv
	p.mu.Unlock()
	p.Work(iv.Progress)
}

// Work takes how far the work has come.
func (p *Progress) Work(work upkeep.Progress) {
	p.mu.Lock()
	now := p.screen.Clock()
	fresh := work.Code != p.work.Code
	if fresh {
		p.since = now
	}
	p.work = work
	tell := p.bars == nil && work.Code != "" && (fresh || now.Sub(p.said) >= quiet)
	if tell {
		p.said = now
	}
	p.mu.Unlock()
	if tell {
		p.Say(p.screen.task(work))
	}
}

// Event says a line of the log, with the time it was written: who follows late
// reads when it was.
func (p *Progress) Event(event *upkeep.Event) { p.say(event.At, p.screen.Event(event)) }

// Say says a line, with the time, above what is redrawn.
func (p *Progress) Say(text string) { p.say(p.screen.Clock(), text) }

func (p *Progress) say(when time.Time, text string) {
	at := clockTime(when)
	parts := Wrap(Line(text), max(0, p.screen.Width-len(at)-gap))
	line := p.screen.In(Dim, at) + "  " + strings.Join(parts, "\n"+strings.Repeat(" ", len(at)+gap)) + "\n"
	var out io.Writer = p.screen.Out
	if p.bars != nil {
		// The terminal echoes Ctrl-C where the cursor stands.
		out, line = p.bars, "\r"+line
	}
	// A screen that cannot be written to must not stop the work it shows.
	_, _ = io.WriteString(out, line)
}

// Close takes the redrawn lines away.
func (p *Progress) Close() {
	if p.bars == nil {
		return
	}
	p.head.Abort(true)
	p.bar.Abort(true)
	p.bars.Wait()
}

// headline is the state, how long it all takes and how long the site has
// been frozen.
func (p *Progress) headline(st decor.Statistics) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, now := p.screen, p.screen.Clock()
	parts := []string{}
	if p.iv != nil {
		state := s.Words.Code("state", string(p.iv.State), nil)
		if trying, all := len(p.iv.Search.Trying), len(p.iv.Batches); p.iv.State == upkeep.Applying && trying > 0 {
			state += " " + strconv.Itoa(trying) + "/" + strconv.Itoa(all)
		}
		parts = append(parts, state)
	} else if p.work.Code != "" {
		parts = append(parts, s.Words.Code("progress", p.work.Code, nil))
	}
	parts = append(parts, s.Words.Span(now.Sub(p.began)))
	if p.iv != nil && !p.iv.FrozenAt.IsZero() {
		parts = append(parts, s.Words.Text("progress_frozen", "span", s.Words.Span(p.iv.Frozen(now))))
	}
	line := Cut(strings.Join(parts, " · "), max(20, st.AvailableWidth-4))
	if p.iv != nil && p.iv.State.Frozen() {
		return s.In(Warn, line)
	}
	return s.In(Bold, line)
}

// fill draws the second line: what runs, a bar where the total is known, and
// the amounts.
func (p *Progress) fill(w io.Writer, st decor.Statistics) error {
	p.mu.Lock()
	work, since, text := p.work, p.since, p.screen.Amount(p.work)
	if p.iv != nil && p.work.Code != "" {
		text = p.screen.task(p.work)
	}
	p.mu.Unlock()
	if text == "" {
		return nil
	}
	if took := p.screen.Clock().Sub(since); work.Unit == "bytes" && work.Done > 0 && took > time.Second {
		rate := int64(float64(work.Done) / took.Seconds())
		text += " · " + p.screen.Words.Text("progress_rate", "rate", p.screen.Words.Bytes(rate))
	}
	room := min(30, st.AvailableWidth-Columns(text)-6)
	if work.Total <= 0 || room < 8 {
		_, err := fmt.Fprint(w, "  "+Cut(text, max(10, st.AvailableWidth-4)))
		return err
	}
	full := int(min(work.Done, work.Total) * int64(room) / work.Total)
	_, err := fmt.Fprint(w, "  "+p.screen.In(Good, strings.Repeat("━", full))+
		p.screen.In(Dim, strings.Repeat("─", room-full))+"  "+text)
	return err
}

// task says what runs and how far it has come.
func (s *Screen) task(work upkeep.Progress) string {
	text := s.Words.Code("progress", work.Code, nil)
	if amount := s.Amount(work); amount != "" {
		text += " · " + amount
	}
	return text
}

// Amount says how far work has come, "" where that is not counted.
func (s *Screen) Amount(work upkeep.Progress) string {
	if work.Done == 0 && work.Total == 0 {
		return ""
	}
	number := s.Words.Number
	if work.Unit == "bytes" {
		number = s.Words.Bytes
	}
	amount := number(work.Done)
	if work.Total > 0 {
		amount += " / " + number(work.Total)
	}
	if work.Unit != "" && work.Unit != "bytes" {
		count := strconv.FormatInt(max(work.Done, work.Total), 10)
		amount += " " + s.Words.Code("unit", work.Unit, map[string]string{"count": count})
	}
	return amount
}

// Event returns the text of a line of the log. A change of state is told by
// the state itself.
func (s *Screen) Event(event *upkeep.Event) string {
	if event.Code == "state" {
		return s.Words.Code("state", string(event.State), nil)
	}
	params := make(map[string]string, len(event.Params))
	for name, v := range event.Params {
		params[name] = written(v)
	}
	return s.Words.Code("event", event.Code, s.inWords(params))
}

// written writes a parameter, which may have come through JSON.
func written(v any) string {
	switch v := v.(type) {
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		items := make([]string, len(v))
		for i := range v {
			items[i] = written(v[i])
		}
		return strings.Join(items, ", ")
	}
	return fmt.Sprint(v)
}

// Reason returns the text of a reason.
func (s *Screen) Reason(reason upkeep.Reason) string {
	return strings.TrimSpace(s.Words.Code("reason", reason.Code, s.inWords(maps.Clone(reason.Params))))
}

// inWords replaces the parameters that are codes themselves by their texts.
// What is no code of theirs stays as it is.
func (s *Screen) inWords(params map[string]string) map[string]string {
	for _, family := range [][2]string{{"because", "because"}, {"finding", "finding"}, {"moment", "moment"}, {"code", "check"}, {"from", "state"}, {"scope", "scope"}} {
		if code, ok := params[family[0]]; ok {
			params[family[0]] = s.Words.Code(family[1], code, nil)
		}
	}
	if until, err := time.Parse(time.RFC3339, params["until"]); err == nil {
		params["until"] = Instant(until)
	}
	return params
}
