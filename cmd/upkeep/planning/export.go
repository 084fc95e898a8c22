package planning

import (
	"context"
	"strconv"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/web"
)

func newScheduleExport(e *console.Env) *cobra.Command {
	var filter web.ScheduleFilter
	cmd := e.Command("schedule.export", "export", console.PlainExits)
	cmd.Example = e.Text("cmd.schedule.export.example")
	cmd.Flags().StringVar(&filter.Site, "site", "", e.Text("flag.site"))
	cmd.Flags().IntVar(&filter.Days, "days", 60, e.Text("flag.days"))
	cmd.RunE = e.Calling(func(ctx context.Context, c *web.Client, _ []string) error {
		if filter.Days < 1 {
			return console.Usagef("%s", e.Text("usage.duration", "flag", "--days", "value", filter.Days))
		}
		found, err := c.Schedule(ctx, filter)
		if err != nil {
			return err
		}
		return calendar(e, found).SerializeTo(e.Stdout)
	})
	return cmd
}

// nominal is how long an intervention is entered for.
const nominal = time.Hour

// calendar is a schedule as calendars read it (RFC 5545). Times are instants:
// what clocks do is reckoned with already. The same entry has the same name in
// every export, so that importing again replaces it.
func calendar(e *console.Env, found *web.Schedule) *ics.Calendar {
	cal := ics.NewCalendar()
	cal.SetProductId("-//Upkeep//" + e.Version + "//" + string(e.Texts.Language()))
	cal.SetMethod(ics.MethodPublish)
	add := func(id string, from, to time.Time, summary, description string) {
		event := cal.AddEvent(id + "@upkeep")
		event.SetDtStampTime(found.From)
		event.SetStartAt(from)
		event.SetEndAt(to)
		event.SetSummary(summary)
		if description != "" {
			event.SetDescription(description)
		}
	}
	for i := range found.Sites {
		turn := &found.Sites[i]
		if turn.At.IsZero() || turn.At.After(found.To) {
			continue
		}
		summary := turn.Site + " · " + e.Text("schedule.intervention", "count", len(turn.Refs))
		add("intervention-"+turn.Site, turn.At, turn.At.Add(nominal), summary, show.Reasons(e, turn.Reasons))
	}
	for i := range found.Slots {
		slot := &found.Slots[i]
		add(slotID(slot), slot.Start, slot.End, kindOf(e, slot.Window)+" · "+whose(e, slot.Window), slot.Window.Note)
	}
	return cal
}

func slotID(slot *upkeep.Slot) string {
	return "window-" + strconv.FormatInt(slot.Window.ID, 10) + "-" + slot.Start.UTC().Format("20060102T1504")
}
