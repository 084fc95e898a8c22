// Package calendar shows what comes: interventions that may begin, windows,
// and the dates on which none may, by month and by week.
package calendar

import (
	"context"
	"embed"
	"time"

	"upkeep"
	"upkeep/internal/overview"
	"upkeep/internal/web/console/frame"
)

//go:embed calendar.html
var files embed.FS

// Turns says which interventions come.
type Turns interface {
	Turns(ctx context.Context, from, to time.Time) ([]overview.SiteLine, error)
}

// Slots says when interventions may begin, and when none may.
type Slots interface {
	Slots(ctx context.Context, from, to time.Time) ([]upkeep.Slot, error)
}

// Page is the calendar.
type Page struct {
	turns Turns
	slots Slots
	view  *frame.View
}

// New returns the page.
func New(f *frame.Frame, turns Turns, slots Slots) (*Page, error) {
	view, err := f.View(files, "calendar.html")
	return &Page{turns, slots, view}, err
}

// day is one of the calendar.
type day struct {
	Date   time.Time // its midnight
	Turns  []overview.SiteLine
	Closed []upkeep.Slot
	Open   int  // windows that begin
	Other  bool // of another month than the one shown
	Today  bool
}

// mostOfDay is how many interventions a day of a month lists.
const mostOfDay = 4

// content is what the page shows.
type content struct {
	Week     bool
	First    time.Time // of the month or week
	Days     []day
	Weekdays []time.Weekday
}

const form = "2006-01-02"

// Show answers with a month, or a week.
func (p *Page) Show(v *frame.Visit) error {
	c := content{Week: v.R.URL.Query().Get("view") == "week", Weekdays: []time.Weekday{1, 2, 3, 4, 5, 6, 0}}
	at := v.Now().In(v.Zone())
	if text := v.R.URL.Query().Get("on"); text != "" {
		parsed, err := time.ParseInLocation(form, text, v.Zone())
		if err != nil || parsed.Year() < 2000 || parsed.Year() > 2199 {
			return upkeep.Errorf(upkeep.CodeInvalid, "date %q: want one like 2026-12-01", text)
		}
		at = parsed
	}
	from, to := c.span(at)
	turns, err := p.turns.Turns(v.R.Context(), from, to)
	if err != nil {
		return err
	}
	slots, err := p.slots.Slots(v.R.Context(), from, to)
	if err != nil {
		return err
	}
	c.lay(from, to, v.Now().In(v.Zone()))
	c.fill(turns, slots)
	return v.Show(p.view, frame.Head{Title: v.Texts.Text("console.nav.calendar"), Place: "calendar"}, c)
}

// span is from when to when whole weeks are shown.
func (c *content) span(at time.Time) (from, to time.Time) {
	monday := func(t time.Time) time.Time { return t.AddDate(0, 0, -(int(t.Weekday())+6)%7) }
	midnight := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, at.Location())
	if c.Week {
		c.First = monday(midnight)
		return c.First, c.First.AddDate(0, 0, 7)
	}
	c.First = midnight.AddDate(0, 0, 1-at.Day())
	from = monday(c.First)
	for to = from; to.Before(c.First.AddDate(0, 1, 0)); to = to.AddDate(0, 0, 7) {
	}
	return from, to
}

// lay lists the days.
func (c *content) lay(from, to, now time.Time) {
	for d := from; d.Before(to); d = d.AddDate(0, 0, 1) {
		c.Days = append(c.Days, day{Date: d, Other: !c.Week && d.Month() != c.First.Month(), Today: d.Format(form) == now.Format(form)})
	}
}

// fill puts what comes on its day.
func (c *content) fill(turns []overview.SiteLine, slots []upkeep.Slot) {
	for i := range c.Days {
		d := &c.Days[i]
		end := d.Date.AddDate(0, 0, 1)
		for _, turn := range turns {
			if !turn.Turn.Before(d.Date) && turn.Turn.Before(end) {
				d.Turns = append(d.Turns, turn)
			}
		}
		for _, slot := range slots {
			switch {
			case slot.Window.Closed && slot.Start.Before(end) && slot.End.After(d.Date):
				d.Closed = append(d.Closed, slot)
			case !slot.Window.Closed && !slot.Start.Before(d.Date) && slot.Start.Before(end):
				d.Open++
			}
		}
	}
}

// Shown is the interventions that a day lists.
func (c content) Shown(d day) []overview.SiteLine {
	if c.Week {
		return d.Turns
	}
	return d.Turns[:min(len(d.Turns), mostOfDay)]
}

// More is how many there are besides.
func (c content) More(d day) int { return len(d.Turns) - len(c.Shown(d)) }

// Before is the date of the month or week before.
func (c content) Before() string { return c.other(-1) }

// After is that of the one after.
func (c content) After() string { return c.other(1) }

func (c content) other(by int) string {
	if c.Week {
		return c.First.AddDate(0, 0, 7*by).Format(form)
	}
	return c.First.AddDate(0, by, 0).Format(form)
}

// On is the date as addresses have it.
func (c content) On() string { return c.First.Format(form) }
