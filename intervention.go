package upkeep

import (
	"slices"
	"time"
)

// State is where an intervention is. doc/intervention.md draws them.
type State string

// The states, in the order of an untroubled run, then the ends.
const (
	Planned    State = "planned"    // waits for its turn
	Preparing  State = "preparing"  // site live: packages staged, baseline taken, warm backup
	Freezing   State = "freezing"   // gate closed, in-flight requests drain
	Securing   State = "securing"   // frozen: before-backup completed and verified, manifest taken
	Applying   State = "applying"   // frozen: files swapped, schema migrated
	Verifying  State = "verifying"  // frozen: read back and probed with the token
	Undoing    State = "undoing"    // frozen: journal undone, identity proven
	Thawing    State = "thawing"    // gate opened, seen from outside
	Concluding State = "concluding" // site live: after-backup made and verified, leftovers removed

	Done      State = "done"      // everything applied, both backups
	Partial   State = "partial"   // the good applied, the guilty held, both backups
	Undone    State = "undone"    // back to the original, proven identical
	Failed    State = "failed"    // ended without touching the site
	Cancelled State = "cancelled" // stopped by a person before anything was touched
	Incident  State = "incident"  // the original could not be proven; a person is needed at once
)

// Transitions lists every permitted change of state. The database enforces
// the same list; a test compares both with doc/intervention.md.
var transitions = map[State][]State{
	Planned:    {Preparing, Cancelled, Failed},
	Preparing:  {Freezing, Failed, Cancelled},
	Freezing:   {Securing, Undoing},
	Securing:   {Applying, Undoing},
	Applying:   {Verifying, Undoing},
	Verifying:  {Thawing, Undoing, Applying},
	Undoing:    {Applying, Thawing, Incident},
	Thawing:    {Concluding, Undoing, Incident},
	Concluding: {Done, Partial, Undone, Failed, Cancelled, Incident},
	Incident:   {Undoing},
}

// Transitions returns the permitted changes of state as ordered pairs.
func Transitions() [][2]State {
	var pairs [][2]State
	for from, tos := range transitions {
		for _, to := range tos {
			pairs = append(pairs, [2]State{from, to})
		}
	}
	slices.SortFunc(pairs, func(a, b [2]State) int {
		return slices.Compare([]string{string(a[0]), string(a[1])}, []string{string(b[0]), string(b[1])})
	})
	return pairs
}

// CanBecome reports whether a change from s to next is permitted.
func (s State) CanBecome(next State) bool { return slices.Contains(transitions[s], next) }

// Ended reports whether nothing more happens by itself.
func (s State) Ended() bool {
	switch s {
	case Done, Partial, Undone, Failed, Cancelled, Incident:
		return true
	}
	return false
}

// Frozen reports whether the site answers visitors 503 in this state.
func (s State) Frozen() bool {
	switch s {
	case Freezing, Securing, Applying, Verifying, Undoing, Thawing:
		return true
	}
	return false
}

// Intervention is one planned piece of work on one site.
type Intervention struct {
	ID        InterventionID `json:"id"`
	Site      SiteID         `json:"site"`
	State     State          `json:"state"`
	Created   time.Time      `json:"created"`
	Started   time.Time      `json:"started,omitzero"`
	Ended     time.Time      `json:"ended,omitzero"`
	Batches   []Batch        `json:"batches"`
	Outcomes  []Outcome      `json:"outcomes,omitempty"` // one per update, filled as they are known
	Before    BackupID       `json:"before,omitempty"`
	After     BackupID       `json:"after,omitempty"`
	FrozenAt  time.Time      `json:"frozen_at,omitzero"`
	ThawedAt  time.Time      `json:"thawed_at,omitzero"`
	Verdict   *Verdict       `json:"verdict,omitempty"`
	Failed    []Check        `json:"failed,omitempty"`   // of the first verdict that was not good
	Identity  *Identity      `json:"identity,omitempty"` // proof of the last undo
	CancelAt  time.Time      `json:"cancel_at,omitzero"` // a person asked to stop
	Error     *Error         `json:"error,omitempty"`    // why it ended otherwise than done
	Progress  Progress       `json:"progress"`           // what runs now
	Search    Search         `json:"search,omitzero"`    // culprit search
	Baseline  []Probe        `json:"baseline,omitempty"` // the pages as they were before
	Requester string         `json:"requester"`
}

// Frozen returns how long visitors were refused, up to now when still frozen.
func (iv *Intervention) Frozen(now time.Time) time.Duration {
	if iv.FrozenAt.IsZero() {
		return 0
	}
	if iv.ThawedAt.IsZero() {
		return now.Sub(iv.FrozenAt)
	}
	return iv.ThawedAt.Sub(iv.FrozenAt)
}

// Outcome is what became of one update.
type Outcome struct {
	Ref        string  `json:"ref"`
	From       Version `json:"from"`
	To         Version `json:"to"`
	Result     Result  `json:"result"`
	Detail     string  `json:"detail,omitempty"`      // why
	DetailText *Text   `json:"detail_text,omitempty"` // what Detail is made of
}

// Why is the detail with what it is made of.
func (o *Outcome) Why() Text { return madeOf(o.DetailText, o.Detail) }

// Result is the end of one update.
type Result string

// The results.
const (
	Applied    Result = "applied"     // kept, read back
	Guilty     Result = "guilty"      // undone, found to break the site
	NotApplied Result = "not_applied" // undone or never tried, not itself found guilty
)

// Search is the state of the culprit search: which batches are kept, which
// are guilty, and which groups of batch numbers are still to be tried.
type Search struct {
	Kept    []int   `json:"kept,omitempty"`
	Guilty  []int   `json:"guilty,omitempty"`
	Pending [][]int `json:"pending,omitempty"`
	Trying  []int   `json:"trying,omitempty"`
	Trials  int     `json:"trials,omitempty"`
	Started bool    `json:"started,omitempty"` // the first group has been chosen
}

// Event is one line of an intervention's log.
type Event struct {
	ID           int64          `json:"id"`
	Intervention InterventionID `json:"intervention"`
	At           time.Time      `json:"at"`
	State        State          `json:"state"`
	Code         string         `json:"code"` // catalogue key: "state", "backup_done", "culprit_found", …
	Params       map[string]any `json:"params,omitempty"`
}

// Progress is what an intervention is doing now, for bars.
type Progress struct {
	Code  string `json:"code,omitempty"` // catalogue key: "backup", "restore", "download", …
	Done  int64  `json:"done,omitempty"`
	Total int64  `json:"total,omitempty"` // 0 when unknown
	Unit  string `json:"unit,omitempty"`  // "bytes", "pages", "tables"
}
