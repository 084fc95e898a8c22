package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/store"
)

// states are all states, in any order.
var states = []upkeep.State{upkeep.Planned, upkeep.Preparing, upkeep.Freezing, upkeep.Securing, upkeep.Applying,
	upkeep.Verifying, upkeep.Undoing, upkeep.Thawing, upkeep.Concluding, upkeep.Done, upkeep.Partial, upkeep.Undone,
	upkeep.Failed, upkeep.Cancelled, upkeep.Incident}

func newIntervention(t *testing.T, db *store.DB, site upkeep.SiteID) *upkeep.Intervention {
	t.Helper()
	iv := &upkeep.Intervention{Site: site, Requester: "anna", Batches: []upkeep.Batch{{Number: 1}}}
	must(t, db.CreateIntervention(t.Context(), iv))
	return iv
}

func lease(t *testing.T, db *store.DB, id upkeep.InterventionID, holder string) {
	t.Helper()
	must(t, db.AcquireLease(t.Context(), store.InterventionLease(id), holder, time.Minute))
}

// raw opens the records beside the store, as a person with a shell could.
func raw(t *testing.T, place string) *sql.DB {
	t.Helper()
	driver := "pgx"
	if !strings.HasPrefix(place, "postgres:") {
		driver, place = "sqlite", place+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, place)
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

func testTransitionsInDatabaseAreTheVocabulary(t *testing.T, on kind) {
	_, _, place := newDB(t, on)
	rows, err := raw(t, place).Query(`SELECT from_state, to_state FROM transition ORDER BY from_state, to_state`)
	must(t, err)
	defer rows.Close()
	var pairs [][2]upkeep.State
	for rows.Next() {
		var pair [2]upkeep.State
		must(t, rows.Scan(&pair[0], &pair[1]))
		pairs = append(pairs, pair)
	}
	must(t, rows.Err())
	if want := upkeep.Transitions(); !slices.Equal(pairs, want) {
		t.Errorf("the database permits %v, the vocabulary %v", pairs, want)
	}
}

// Whatever program writes, the database refuses every change of state that is
// not a transition, and makes every one that is.
func testDatabaseRefusesOtherTransitions(t *testing.T, on kind) {
	db, _, place := newDB(t, on)
	site := newSite(t, db, "shop.example")
	direct := raw(t, place)
	for _, from := range states {
		for _, to := range append(slices.Clone(states), "paused") {
			if from == to {
				continue
			}
			tx, err := direct.Begin()
			must(t, err)
			must(t, reach(tx, site.ID, from))
			_, err = tx.Exec(update(to))
			if permitted := from.CanBecome(to); permitted != (err == nil) {
				t.Errorf("%s to %s: permitted %v, database says %v", from, to, permitted, err)
			}
			must(t, tx.Rollback())
		}
	}
	_, err := direct.Exec(`INSERT INTO intervention (site, state, requester, created, body) VALUES (1, 'applying', '', 0, '{}')`)
	if err == nil {
		t.Error("an intervention began in the middle")
	}
	_, err = direct.Exec(`INSERT INTO intervention (site, state, requester, created, ended, body) VALUES (1, 'planned', '', 0, 1, '{}')`)
	if err == nil {
		t.Error("a planned intervention had ended")
	}
}

func update(to upkeep.State) string {
	ended := "NULL"
	if to.Ended() {
		ended = "1"
	}
	return fmt.Sprintf(`UPDATE intervention SET state = '%s', ended = %s`, to, ended)
}

// reach makes an intervention and walks it by transitions to a state.
func reach(tx *sql.Tx, site upkeep.SiteID, to upkeep.State) error {
	_, err := tx.Exec(`INSERT INTO intervention (site, state, requester, created, body) VALUES ($1, 'planned', '', 0, '{}')`, site)
	for _, state := range walk(upkeep.Planned, to, nil) {
		if err == nil {
			_, err = tx.Exec(update(state))
		}
	}
	return err
}

// walk returns the states to pass after from in order to arrive at to.
func walk(from, to upkeep.State, passed []upkeep.State) []upkeep.State {
	if from == to {
		return passed
	}
	for _, pair := range upkeep.Transitions() {
		if pair[0] != from || slices.Contains(passed, pair[1]) {
			continue
		}
		if found := walk(pair[1], to, append(slices.Clone(passed), pair[1])); found != nil {
			return found
		}
	}
	return nil
}

func testIntervention(t *testing.T, on kind) {
	db, c, _ := newDB(t, on)
	ctx := t.Context()
	site := newSite(t, db, "shop.example")
	iv := newIntervention(t, db, site.ID)
	second := &upkeep.Intervention{Site: site.ID}
	wantCode(t, db.CreateIntervention(ctx, second), upkeep.CodeConflict, iv.ID.String(), "planned")
	wantCode(t, db.CreateIntervention(ctx, &upkeep.Intervention{Site: 99}), upkeep.CodeNotFound)
	wantCode(t, db.DeleteSite(ctx, site.ID), upkeep.CodeConflict)

	got, err := db.Intervention(ctx, iv.ID)
	must(t, err)
	if !reflect.DeepEqual(got, iv) {
		t.Errorf("got %+v, want %+v", got, iv)
	}

	toPreparing := [2]upkeep.State{upkeep.Planned, upkeep.Preparing}
	wantCode(t, db.AdvanceIntervention(ctx, iv.ID, "w1", toPreparing, nil), upkeep.CodeConflict, "nobody")
	lease(t, db, iv.ID, "w1")
	wantCode(t, db.AdvanceIntervention(ctx, iv.ID, "w2", toPreparing, nil), upkeep.CodeConflict, "w1")
	c.Add(time.Second)
	must(t, db.AdvanceIntervention(ctx, iv.ID, "w1", toPreparing, func(iv *upkeep.Intervention) error {
		iv.Before, iv.ID, iv.State = 7, 99, upkeep.Done
		return nil
	}))
	wantCode(t, db.AdvanceIntervention(ctx, iv.ID, "w1", toPreparing, nil), upkeep.CodeConflict, "preparing now")
	wantCode(t, db.AdvanceIntervention(ctx, iv.ID, "w1", [2]upkeep.State{upkeep.Preparing, upkeep.Done}, nil), upkeep.CodeConflict)
	wantCode(t, db.AdvanceIntervention(ctx, iv.ID, "w1", [2]upkeep.State{upkeep.Preparing, upkeep.Preparing}, nil), upkeep.CodeConflict)
	refusal := errors.New("not so")
	err = db.AdvanceIntervention(ctx, iv.ID, "w1", [2]upkeep.State{upkeep.Preparing, upkeep.Failed},
		func(*upkeep.Intervention) error { return refusal })
	if !errors.Is(err, refusal) {
		t.Errorf("got %v", err)
	}

	got, err = db.Intervention(ctx, iv.ID)
	must(t, err)
	if got.ID != iv.ID || got.State != upkeep.Preparing || got.Before != 7 || !got.Started.Equal(c.Now()) || !got.Ended.IsZero() {
		t.Errorf("got %+v", got)
	}

	asked := c.Now().Add(time.Second)
	must(t, db.CancelIntervention(ctx, iv.ID, asked))
	must(t, db.CancelIntervention(ctx, iv.ID, asked.Add(time.Hour)))
	must(t, db.UpdateIntervention(ctx, iv.ID, "w1", func(iv *upkeep.Intervention) error {
		iv.Progress = upkeep.Progress{Code: "backup", Done: 1, Total: 2}
		iv.CancelAt = time.Time{}
		return nil
	}))
	wantCode(t, db.UpdateIntervention(ctx, iv.ID, "w2", nil), upkeep.CodeConflict)
	must(t, db.AdvanceIntervention(ctx, iv.ID, "w1", [2]upkeep.State{upkeep.Preparing, upkeep.Cancelled}, nil))
	got, err = db.Intervention(ctx, iv.ID)
	must(t, err)
	if !got.CancelAt.Equal(asked) || got.Progress.Total != 2 || !got.Ended.Equal(c.Now()) {
		t.Errorf("got %+v", got)
	}
	wantCode(t, db.CancelIntervention(ctx, iv.ID, asked), upkeep.CodeConflict, "cancelled")

	events, err := db.Events(ctx, iv.ID, 0, 0)
	must(t, err)
	var codes []string
	for _, event := range events {
		codes = append(codes, event.Code+" "+string(event.State))
	}
	want := []string{"state planned", "state preparing", "cancel_asked preparing", "state cancelled"}
	if !slices.Equal(codes, want) {
		t.Errorf("got events %v, want %v", codes, want)
	}
	must(t, db.CreateIntervention(ctx, second))
}

func testInterventionsFilter(t *testing.T, on kind) {
	db, c, _ := newDB(t, on)
	ctx := t.Context()
	first := newIntervention(t, db, newSite(t, db, "a.example").ID)
	second := newIntervention(t, db, newSite(t, db, "b.example").ID)
	lease(t, db, first.ID, "w1")
	lease(t, db, second.ID, "w2")
	must(t, db.AdvanceIntervention(ctx, second.ID, "w2", [2]upkeep.State{upkeep.Planned, upkeep.Failed}, nil))
	check := func(filter upkeep.InterventionFilter, want ...upkeep.InterventionID) {
		t.Helper()
		found, err := db.Interventions(ctx, filter)
		must(t, err)
		var ids []upkeep.InterventionID
		for _, iv := range found {
			ids = append(ids, iv.ID)
		}
		if !slices.Equal(ids, want) {
			t.Errorf("%+v: got %v, want %v", filter, ids, want)
		}
	}
	check(upkeep.InterventionFilter{}, second.ID, first.ID)
	check(upkeep.InterventionFilter{Limit: 1}, second.ID)
	check(upkeep.InterventionFilter{Site: first.Site}, first.ID)
	check(upkeep.InterventionFilter{Unended: true}, first.ID)
	check(upkeep.InterventionFilter{Unended: true, Unleased: true})
	c.Add(2 * time.Minute)
	check(upkeep.InterventionFilter{Unended: true, Unleased: true}, first.ID)
}

func testLeaseTakeover(t *testing.T, on kind) {
	db, c, _ := newDB(t, on)
	ctx := t.Context()
	iv := newIntervention(t, db, newSite(t, db, "a.example").ID)
	key := store.InterventionLease(iv.ID)
	must(t, db.AcquireLease(ctx, key, "w1", 10*time.Second))
	must(t, db.AcquireLease(ctx, key, "w1", 10*time.Second))
	wantCode(t, db.AcquireLease(ctx, key, "w2", time.Second), upkeep.CodeConflict, "w1")
	wantCode(t, db.RenewLease(ctx, key, "w2", time.Second), upkeep.CodeConflict)
	c.Add(9 * time.Second)
	must(t, db.RenewLease(ctx, key, "w1", 10*time.Second))
	c.Add(9 * time.Second)
	wantCode(t, db.AcquireLease(ctx, key, "w2", time.Second), upkeep.CodeConflict)
	c.Add(time.Second)

	// Expired, though nobody took it yet: the holder has lost it.
	wantCode(t, db.RenewLease(ctx, key, "w1", time.Second), upkeep.CodeConflict, "expired")
	wantCode(t, db.UpdateIntervention(ctx, iv.ID, "w1", nil), upkeep.CodeConflict, "expired")
	must(t, db.AcquireLease(ctx, key, "w2", 10*time.Second))

	// The late holder comes back: it changes nothing, not even by releasing.
	wantCode(t, db.RenewLease(ctx, key, "w1", time.Second), upkeep.CodeConflict, "w2")
	err := db.AdvanceIntervention(ctx, iv.ID, "w1", [2]upkeep.State{upkeep.Planned, upkeep.Preparing}, nil)
	wantCode(t, err, upkeep.CodeConflict, "w2")
	must(t, db.ReleaseLease(ctx, key, "w1"))
	must(t, db.RenewLease(ctx, key, "w2", time.Second))
	must(t, db.ReleaseLease(ctx, key, "w2"))
	must(t, db.ReleaseLease(ctx, key, "w2"))
	must(t, db.AcquireLease(ctx, key, "w1", time.Second))
}

func testEvents(t *testing.T, on kind) {
	db, c, _ := newDB(t, on)
	ctx := t.Context()
	iv := newIntervention(t, db, newSite(t, db, "a.example").ID)
	for i := range 5 {
		must(t, db.CreateEvent(ctx, &upkeep.Event{Intervention: iv.ID, State: upkeep.Planned, Code: "note",
			Params: map[string]any{"n": fmt.Sprint(i)}}))
	}
	page, err := db.Events(ctx, iv.ID, 0, 2)
	must(t, err)
	rest, err := db.Events(ctx, iv.ID, page[1].ID, 0)
	must(t, err)
	if len(page) != 2 || len(rest) != 4 || rest[3].Params["n"] != "4" || !rest[3].At.Equal(c.Now()) {
		t.Errorf("got %v then %v", page, rest)
	}
	wantCode(t, db.CreateEvent(ctx, &upkeep.Event{Intervention: 99}), upkeep.CodeNotFound)
}

// next continues a ledger with hashes that need not be real ones here.
func next(last upkeep.LedgerEntry) (upkeep.LedgerEntry, error) {
	previous := last.Hash
	if last.Seq == 0 {
		previous = strings.Repeat("0", 64)
	}
	return upkeep.LedgerEntry{Seq: last.Seq + 1, At: time.Unix(last.Seq, 0).UTC(), Actor: "anna", Kind: "site_added",
		Previous: previous, Hash: fmt.Sprintf("%064d", last.Seq+1)}, nil
}

func testLedgerRows(t *testing.T, on kind) {
	db, _, place := newDB(t, on)
	ctx := t.Context()
	head, err := db.LedgerHead(ctx)
	must(t, err)
	if head.Seq != 0 {
		t.Errorf("an empty ledger has head %+v", head)
	}
	for range 3 {
		_, err := db.CreateLedgerEntry(ctx, next)
		must(t, err)
	}
	entries, err := db.LedgerEntries(ctx, 1, 1)
	must(t, err)
	if len(entries) != 1 || entries[0].Seq != 2 {
		t.Errorf("got %+v", entries)
	}
	_, err = db.CreateLedgerEntry(ctx, func(last upkeep.LedgerEntry) (upkeep.LedgerEntry, error) {
		entry, _ := next(last)
		entry.Previous = strings.Repeat("f", 64)
		return entry, nil
	})
	wantCode(t, err, upkeep.CodeConflict)

	direct := raw(t, place)
	for _, statement := range []string{
		`UPDATE ledger SET actor = 'nobody' WHERE seq = 2`,
		`DELETE FROM ledger`,
		`DELETE FROM ledger WHERE seq = 3`,
		`INSERT INTO ledger SELECT 7, at, site, actor, kind, facts, hash, 'x' FROM ledger WHERE seq = 3`,
		`TRUNCATE ledger`,
		`INSERT INTO ledger SELECT seq, at, site, 'nobody', kind, facts, previous, hash FROM ledger WHERE seq = 3
			ON CONFLICT (seq) DO UPDATE SET actor = excluded.actor`,
		`INSERT OR REPLACE INTO ledger SELECT seq, at, site, 'nobody', kind, facts, previous, hash FROM ledger WHERE seq = 3`,
	} {
		if _, err := direct.Exec(statement); err == nil {
			t.Errorf("the database allowed %s", statement)
		}
	}
}
