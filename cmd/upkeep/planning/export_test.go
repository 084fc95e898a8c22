package planning

import (
	"bytes"
	"strings"
	"testing"
	"time"

	ics "github.com/arran4/golang-ical"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/catalogue"
	"upkeep/internal/schedule"
	"upkeep/internal/web"
)

// TestExportReadsBack exports the weeks around a change of clocks, with texts
// that calendars must not stumble over, and reads them back.
func TestExportReadsBack(t *testing.T) {
	texts, err := catalogue.Open(catalogue.French)
	if err != nil {
		t.Fatal(err)
	}
	from := time.Date(2026, 10, 20, 12, 0, 0, 0, time.UTC)
	windows := []upkeep.Window{
		{ID: 1, Scope: upkeep.ForPlan, Subject: "base", Begin: "2026-01-05T02:00", Length: upkeep.Duration(3 * time.Hour), Rule: "FREQ=DAILY", Zone: "Europe/Paris"},
		{ID: 2, Scope: upkeep.ForAgency, Closed: true, Begin: "2026-10-31T00:00", Length: upkeep.Duration(24 * time.Hour), Zone: "Europe/Paris",
			Note: "Toussaint, pont ; tout est fermé\nBEGIN:VEVENT"},
	}
	found := &web.Schedule{From: from, To: from.AddDate(0, 0, 14), Slots: schedule.Slots(windows, from, from.AddDate(0, 0, 14)), Sites: []web.SiteTurn{
		{Site: "shop", Appointment: upkeep.Appointment{At: from.Add(time.Hour), Refs: []string{"core"}}},
		{Site: "later", Appointment: upkeep.Appointment{At: from.AddDate(0, 2, 0)}}, {Site: "never"},
	}}
	var out bytes.Buffer
	if err := calendar(&console.Env{Texts: texts, Version: "test"}, found).SerializeTo(&out); err != nil {
		t.Fatal(err)
	}
	back, err := ics.ParseCalendar(&out)
	if err != nil {
		t.Fatal(err)
	}
	if len(back.Events()) != 1+14+1 {
		t.Errorf("%d events", len(back.Events()))
	}
	names := map[string]bool{}
	for _, event := range back.Events() {
		start, err := event.GetStartAt()
		if err != nil {
			t.Fatal(err)
		}
		end, err := event.GetEndAt()
		if err != nil || !end.After(start) || names[event.Id()] {
			t.Errorf("%s: %s to %s, %v", event.Id(), start, end, err)
		}
		names[event.Id()] = true
		// On the night of the 25th an hour comes twice: the window begins as ever, by the wall.
		if strings.HasPrefix(event.Id(), "window-1-20261025") && (start.UTC().Hour() != 0 || end.Sub(start) != 4*time.Hour) {
			t.Errorf("%s: %s for %s", event.Id(), start.UTC(), end.Sub(start))
		}
		if text := event.GetProperty(ics.ComponentPropertyDescription); strings.HasPrefix(event.Id(), "window-2") && (text == nil || !strings.Contains(text.Value, "Toussaint")) {
			t.Errorf("%s: %+v", event.Id(), text)
		}
	}
}
