package frame

import (
	"html/template"
	"strconv"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/catalogue"
	"upkeep/internal/overview"
	"upkeep/internal/terminal"
	"upkeep/internal/web/console/asset"
)

// Words says things in one language, as pages say them.
type Words struct {
	*catalogue.Texts
	Zone *time.Location
	Now  upkeep.Clock
}

// functions are what templates may call.
func (w *Words) functions(assets *asset.Set) template.FuncMap {
	return template.FuncMap{
		"t":       w.Text,
		"code":    w.coded,
		"say":     w.Say,
		"reasons": w.Reasons,
		"check":   w.Check,
		"event":   w.Event,
		"task":    w.Task,
		"number":  func(n any) string { return w.Number(whole(n)) },
		"bytes":   w.Bytes,
		"span":    w.Span,
		"day":     func(t time.Time) string { return w.Day(t.In(w.Zone)) },
		"clock":   func(t time.Time) string { return t.In(w.Zone).Format("15:04") },
		"moment":  w.Moment,
		"machine": func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
		"ago":     w.Ago,
		"until":   w.Until,
		"over":    func(t time.Time) bool { return !t.After(w.Now()) },
		"ended":   upkeep.State.Ended,
		"troubled": func(s upkeep.State) bool {
			return s == upkeep.Failed || s == upkeep.Undone || s == upkeep.Partial || s == upkeep.Incident
		},
		"minus":    func(a, b int) int { return a - b },
		"seconds":  func(t time.Time) string { return t.In(w.Zone).Format("15:04:05") },
		"amount":   func(p upkeep.Progress) string { return w.screen().Amount(p) },
		"list1":    func(r upkeep.Reason) []upkeep.Reason { return []upkeep.Reason{r} },
		"searched": w.searched,
		"weekday":  w.Weekday,
		"month":    func(t time.Time) string { return w.Month(t.Month()) + " " + strconv.Itoa(t.Year()) },
		"counted":  func(counts map[overview.Shown]int, of string) int { return counts[overview.Shown(of)] },
		"told":     func(err *upkeep.Error) upkeep.Text { return upkeep.TextOf(err) },
		"asset":    assets.URL,
		"icon":     func(name string) icon { return icon{assets.URL("icons.svg") + "#" + name} },
		"kinds":    kindOfState,
		"crumb":    func(title, path string) Crumb { return Crumb{title, path} },
		"list":     func(items ...any) []any { return items },
		"link":     link,
	}
}

// icon is an icon of the sprite.
type icon struct{ Path string }

// link is an address that a page may lead to: only of the web.
func link(address string) string {
	if strings.HasPrefix(address, "https://") || strings.HasPrefix(address, "http://") {
		return address
	}
	return ""
}

// whole is a number of any of the whole types that templates have.
func whole(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

// coded is the text of a code without parameters.
func (w *Words) coded(family string, code any) string {
	return w.Code(family, textOf(code), nil)
}

// textOf is a code of any of the vocabulary's types.
func textOf(code any) string {
	switch c := code.(type) {
	case string:
		return c
	case upkeep.State:
		return string(c)
	case upkeep.CMS:
		return string(c)
	case upkeep.Disposition:
		return string(c)
	case upkeep.Result:
		return string(c)
	case upkeep.Moment:
		return string(c)
	case upkeep.Scope:
		return string(c)
	case upkeep.Consent:
		return string(c)
	case upkeep.Canary:
		return string(c)
	case upkeep.CutReason:
		return string(c)
	}
	return ""
}

// Reasons says why something was decided.
func (w *Words) Reasons(all []upkeep.Reason) []string {
	said := make([]string, len(all))
	for i := range all {
		said[i] = w.screen().Reason(all[i])
	}
	return said
}

// Event says a line of an intervention's log.
func (w *Words) Event(e upkeep.Event) string { return w.screen().Event(&e) }

// Check says what a check asked, and what it got when that is not it.
func (w *Words) Check(c upkeep.Check) string { return w.screen().Check(&c) }

// Task says what a person is to do; t is an upkeep.Task or leads to one.
func (w *Words) Task(t any) string {
	switch t := t.(type) {
	case upkeep.Task:
		return w.Code("task", t.Code, t.Params)
	case *upkeep.Task:
		return w.Code("task", t.Code, t.Params)
	}
	return ""
}

// searched says in which case of the search for a culprit updates are.
func (w *Words) searched(of string) string {
	return w.Text(map[string]string{"kept": "console.search.kept", "guilty": "console.search.guilty", "trying": "console.search.trying",
		"pending": "console.search.pending"}[of])
}

// screen is what says the same to a terminal, in the same words.
func (w *Words) screen() *terminal.Screen { return &terminal.Screen{Words: w.Texts, Clock: w.Now} }

// Moment is an instant as people say it: "today 14:05", "Tue 3 Dec. 01:00".
func (w *Words) Moment(t time.Time) string {
	t = t.In(w.Zone)
	now := w.Now().In(w.Zone)
	switch days := daysBetween(now, t); days {
	case 0:
		return w.Text("console.when.today", "at", t.Format("15:04"))
	case 1:
		return w.Text("console.when.tomorrow", "at", t.Format("15:04"))
	case -1:
		return w.Text("console.when.yesterday", "at", t.Format("15:04"))
	}
	return w.Day(t) + " " + t.Format("15:04")
}

// daysBetween counts midnights from one instant to another.
func daysBetween(from, to time.Time) int {
	date := func(t time.Time) time.Time {
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC)
	}
	return int(date(to).Sub(date(from)).Hours() / 24)
}

// Ago says how long ago something was.
func (w *Words) Ago(t time.Time) string {
	return w.Text("console.when.ago", "span", w.rough(w.Now().Sub(t)))
}

// Until says how long there is until something, or since when it is over.
func (w *Words) Until(t time.Time) string {
	if left := t.Sub(w.Now()); left > 0 {
		return w.Text("console.when.in", "span", w.rough(left))
	}
	return w.Text("console.when.over", "span", w.rough(w.Now().Sub(t)))
}

// rough is a duration in its largest unit.
func (w *Words) rough(d time.Duration) string {
	switch {
	case d < time.Minute:
		return w.Text("console.when.moment")
	case d < time.Hour:
		return w.Text("console.when.minutes", "count", int(d/time.Minute))
	case d < 48*time.Hour:
		return w.Text("console.when.hours", "count", int(d/time.Hour))
	}
	return w.Text("console.when.days", "count", int(d/(24*time.Hour)))
}

// kindOfState is the colour in which a state of an intervention is shown.
func kindOfState(s upkeep.State) string {
	switch s {
	case upkeep.Done:
		return "green"
	case upkeep.Partial, upkeep.Undone:
		return "yellow"
	case upkeep.Failed, upkeep.Incident:
		return "red"
	case upkeep.Planned, upkeep.Cancelled:
		return "secondary"
	}
	return "blue"
}
