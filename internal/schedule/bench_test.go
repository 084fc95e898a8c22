package schedule_test

import (
	"testing"
	"time"

	"upkeep/internal/schedule"
)

// BenchmarkDecide is one site with three updates under windows that have been
// there for three years.
func BenchmarkDecide(b *testing.B) {
	t := &testing.T{}
	in := input(t)
	in.Windows[0].Begin = "2023-01-02T02:00"
	in.Updates = append(in.Updates, in.Updates[0], schedule.Update{Ref: "plugin:s", Version: "2", Security: true, Seen: in.Now, Flagged: in.Now.Add(-time.Hour)})
	for b.Loop() {
		if schedule.Decide(in).At.IsZero() {
			b.Fatal("never")
		}
	}
}
