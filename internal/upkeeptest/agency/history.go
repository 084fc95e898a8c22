package agency

import (
	"context"
	"fmt"
	"strings"
	"time"

	"upkeep"
)

// worker is who carries the interventions of the records out.
const worker = "seed/1/1"

// run is an intervention as it went.
type run struct {
	site    *seed
	ago     time.Duration
	updates []upkeep.Update
	path    []upkeep.State // after planned
	edit    func(iv *upkeep.Intervention)
}

// good is the way of an untroubled one.
func good() []upkeep.State {
	return []upkeep.State{upkeep.Preparing, upkeep.Freezing, upkeep.Securing, upkeep.Applying, upkeep.Verifying, upkeep.Thawing, upkeep.Concluding, upkeep.Done}
}

func undoing(end upkeep.State) []upkeep.State {
	return append(good()[:5:5], upkeep.Undoing, upkeep.Thawing, upkeep.Concluding, end)
}

// history writes the interventions of a site: some that went well, then what
// its state says.
func (a *Agency) history(ctx context.Context, s *seed) error {
	old := []upkeep.Update{s.past("5.3.4")}
	for i := range 3 {
		ago := time.Duration(90-30*i)*24*time.Hour + time.Duration(s.id)*37*time.Minute
		if err := a.carry(ctx, &run{site: s, ago: ago, updates: old, path: good()}); err != nil {
			return err
		}
	}
	batch := []upkeep.Update{s.past("6.0.0"), s.past("9.4.0")}
	last := &run{site: s, ago: 9 * time.Hour, updates: batch}
	switch s.state {
	case undone:
		last.path = undoing(upkeep.Undone)
		last.edit = func(iv *upkeep.Intervention) {
			iv.Failed = []upkeep.Check{{Code: "page", Subject: "/", Want: "200", Got: "500"}, {Code: "page", Subject: "/billetterie/", Want: "200", Got: "500"}}
			iv.Identity = &upkeep.Identity{Before: strings.Repeat("3f9a", 16), After: strings.Repeat("3f9a", 16)}
		}
	case partial:
		last.path = append(good()[:5:5], upkeep.Undoing, upkeep.Applying, upkeep.Verifying, upkeep.Thawing, upkeep.Concluding, upkeep.Partial)
		last.edit = guiltySecond
	case incident:
		last.path = append(good()[:5:5], upkeep.Undoing, upkeep.Incident)
		last.edit = func(iv *upkeep.Intervention) {
			iv.Error = upkeep.Errorf(upkeep.CodeNotIdentical, "the original could not be proven")
			iv.Identity = &upkeep.Identity{Before: strings.Repeat("77c1", 16), After: strings.Repeat("0b2e", 16),
				Differences: []upkeep.Difference{{Path: "site/sites/default/settings.php", Change: "content"}}}
		}
	case failed:
		last.path = []upkeep.State{upkeep.Preparing, upkeep.Failed}
		last.edit = func(iv *upkeep.Intervention) {
			iv.Error = upkeep.Errorf(upkeep.CodeNoSpace, "no space left on %s", "/srv")
		}
	case running:
		last.ago, last.path, last.edit = 2*time.Minute, good()[:3], progressing
	case frozen:
		last.ago, last.path, last.edit = 4*time.Minute, append(good()[:5:5], upkeep.Undoing, upkeep.Applying), searching
	default:
		return nil
	}
	return a.carry(ctx, last)
}

// past is an update of one of the site's components to what it has by now.
func (s *seed) past(from upkeep.Version) upkeep.Update {
	all := s.components()
	c := all[(len(from)+int(from[0]))%len(all)]
	if c.Kind == upkeep.Core {
		c = all[1]
	}
	to := c.Version
	c.Version = from
	return upkeep.Update{Component: c, Release: upkeep.Release{Kind: c.Kind, Slug: c.Slug, Version: to, Source: s.source()}, Disposition: upkeep.Ready, Batch: 1}
}

func progressing(iv *upkeep.Intervention) {
	iv.Progress = upkeep.Progress{Code: "backup_files", Done: 214_700_000, Total: 388_200_000, Unit: "bytes"}
}

func searching(iv *upkeep.Intervention) {
	iv.Search = upkeep.Search{Started: true, Kept: []int{1}, Trying: []int{2, 3}, Pending: [][]int{{4}}, Trials: 3}
	iv.Failed = []upkeep.Check{{Code: "page", Subject: "/panier/", Want: "200", Got: "500"}}
	iv.Progress = upkeep.Progress{Code: "apply", Done: 1, Total: 2, Unit: "updates"}
}

func guiltySecond(iv *upkeep.Intervention) {
	iv.Search = upkeep.Search{Started: true, Kept: []int{1}, Guilty: []int{2}, Trials: 2}
	iv.Failed = []upkeep.Check{{Code: "page", Subject: "/", Want: "200", Got: "500"}}
}

// carry writes one intervention, each change of state some seconds after the
// one before.
func (a *Agency) carry(ctx context.Context, r *run) error {
	now := a.Now
	defer func() { a.Now = now }()
	a.Now = now.Add(-r.ago)
	iv := &upkeep.Intervention{Site: r.site.id, Requester: "schedule"}
	for i := range r.updates {
		r.updates[i].Batch = i + 1
		iv.Batches = append(iv.Batches, upkeep.Batch{Number: i + 1, Updates: r.updates[i : i+1]})
	}
	if r.site.state == frozen && r.ago < time.Hour { // a search needs more than two
		for n := 3; n <= 4; n++ {
			more := r.site.past(upkeep.Version(strings.Repeat("1", n)))
			iv.Batches = append(iv.Batches, upkeep.Batch{Number: n, Updates: []upkeep.Update{more}})
		}
	}
	if err := a.CreateIntervention(ctx, iv); err != nil {
		return err
	}
	if err := a.AcquireLease(ctx, "intervention/"+iv.ID.String(), worker, time.Hour); err != nil {
		return err
	}
	from := upkeep.Planned
	for _, to := range r.path {
		a.Now = a.Now.Add(time.Duration(3+int(r.site.id)%5) * time.Second)
		if err := a.step(ctx, r, iv.ID, [2]upkeep.State{from, to}); err != nil {
			return fmt.Errorf("%s to %s: %w", from, to, err)
		}
		from = to
	}
	if !from.Ended() {
		return nil
	}
	if err := a.ReleaseLease(ctx, "intervention/"+iv.ID.String(), worker); err != nil {
		return err
	}
	_, err := a.Ledger.Append(ctx, upkeep.LedgerEntry{Site: r.site.id, Actor: "schedule", Kind: "intervention_ended", Facts: map[string]any{"intervention": iv.ID, "state": from}})
	return err
}

func (a *Agency) step(ctx context.Context, r *run, id upkeep.InterventionID, change [2]upkeep.State) error {
	to := change[1]
	var backup upkeep.Backup
	if to == upkeep.Applying && change[0] == upkeep.Securing || to == upkeep.Done || to == upkeep.Partial {
		backup = upkeep.Backup{Site: r.site.id, Intervention: id, Moment: upkeep.Before, Snapshot: fmt.Sprintf("%064x", int(id)*10+len(to)), Taken: a.Now, Complete: true,
			Frozen: to == upkeep.Applying, Verified: a.Now, Files: 4182 + int64(r.site.id)*91, Bytes: 388_200_000 + int64(r.site.id)*7_000_000, Added: 2_400_000, Tables: 31, Manifest: strings.Repeat("ab", 32)}
		if to != upkeep.Applying {
			backup.Moment = upkeep.After
		}
		if err := a.CreateBackup(ctx, &backup); err != nil {
			return err
		}
	}
	return a.AdvanceIntervention(ctx, id, worker, change, func(iv *upkeep.Intervention) error {
		switch to {
		case upkeep.Freezing:
			iv.FrozenAt = a.Now
		case upkeep.Concluding:
			iv.ThawedAt = a.Now
		case upkeep.Applying:
			iv.Before = max(iv.Before, backup.ID)
		case upkeep.Thawing:
			iv.Verdict = &upkeep.Verdict{At: a.Now, Checks: []upkeep.Check{{Code: "version", Component: "plugin:akismet/akismet.php", OK: true}, {Code: "schema", OK: true},
				{Code: "active", OK: true}, {Code: "page", Subject: "/", OK: true}, {Code: "page", Subject: "/contact/", OK: true}, {Code: "log", OK: true}}}
		}
		if to.Ended() && backup.ID != 0 {
			iv.After = backup.ID
		}
		if r.edit != nil && to == r.path[len(r.path)-1] {
			r.edit(iv)
		}
		if to.Ended() && iv.Before != 0 {
			iv.Outcomes = outcomes(iv, to)
		}
		return nil
	})
}

func outcomes(iv *upkeep.Intervention, end upkeep.State) []upkeep.Outcome {
	var all []upkeep.Outcome
	for i, b := range iv.Batches {
		u := &b.Updates[0]
		o := upkeep.Outcome{Ref: u.Ref(), From: u.Component.Version, To: u.Release.Version, Result: upkeep.Applied}
		switch {
		case end == upkeep.Undone || end == upkeep.Incident:
			o.Result = upkeep.NotApplied
		case end == upkeep.Partial && i == 1:
			o.Result, o.Detail = upkeep.Guilty, "HTTP 500"
		}
		all = append(all, o)
	}
	return all
}
