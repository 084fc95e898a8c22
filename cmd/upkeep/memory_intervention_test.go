package main

import (
	"context"
	"slices"
	"time"

	"upkeep"
	"upkeep/internal/web"
)

func (m *memory) Updates(ctx context.Context, site string, _ bool) (*web.UpdateList, error) {
	s, err := m.Site(ctx, site)
	if err != nil {
		return nil, err
	}
	list := &web.UpdateList{Site: site, Checked: time.Now().Add(-3 * time.Minute)}
	if s.Pending > 0 {
		list.Confidence = []upkeep.Confidence{{Component: "plugin:akismet/akismet.php", Version: "5.3.1", Applied: 12, Failed: 1, Spared: 2,
			Fails: &upkeep.Combination{PHP: "8.1", Extensions: []string{"plugin:shop/shop.php"}}}}
		list.Updates, list.Findings, list.Offline = sampleUpdates(), sampleFindings(), []string{"wordpress.org"}
	}
	return list, nil
}

func chosen(u *upkeep.Update, req web.InterventionRequest) bool {
	names := func(words []string) bool { return slices.ContainsFunc(words, u.Component.Matches) }
	return u.Disposition == upkeep.Ready && (!req.Security || u.Security) &&
		(len(req.Only) == 0 || names(req.Only)) && !names(req.Except)
}

func (m *memory) ProposeUpdates(ctx context.Context, _, site string) (*web.Proposal, error) {
	list, err := m.Updates(ctx, site, true)
	if err != nil {
		return nil, err
	}
	return &web.Proposal{Site: site, Updates: list.Updates, Text: "--- a/composer.lock\n+++ b/composer.lock\n"}, nil
}

func (m *memory) StartIntervention(ctx context.Context, actor, site string, req web.InterventionRequest) (*upkeep.Intervention, error) {
	list, err := m.Updates(ctx, site, true)
	if err != nil {
		return nil, err
	}
	for _, word := range append(slices.Clone(req.Only), req.Except...) {
		if !slices.ContainsFunc(list.Updates, func(u upkeep.Update) bool { return u.Component.Matches(word) }) {
			return nil, upkeep.Errorf(upkeep.CodeInvalid, "site %s has no component %q", site, word)
		}
	}
	iv := upkeep.Intervention{Site: 1, State: upkeep.Planned, Created: time.Now(), Requester: actor}
	for _, u := range list.Updates {
		if chosen(&u, req) {
			iv.Batches = append(iv.Batches, upkeep.Batch{Number: u.Batch, Updates: []upkeep.Update{u}})
		}
	}
	if req.DryRun {
		return &iv, nil
	}
	if len(iv.Batches) == 0 {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "nothing is ready on %s", site)
	}
	m.changed("start", site)
	m.mu.Lock()
	defer m.mu.Unlock()
	iv.ID = upkeep.InterventionID(len(m.state.Interventions) + 1)
	m.state.Interventions = append(m.state.Interventions, web.Record{Intervention: iv, SiteName: site})
	go m.carry(context.WithoutCancel(ctx), len(m.state.Interventions)-1)
	return &iv, nil
}

// edit changes a record and tells those who follow it.
func (m *memory) edit(at int, change func(*web.Record)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r := &m.state.Interventions[at]
	before := r.State
	change(r)
	if r.State != before {
		m.log(r, "state", nil)
	}
	close(m.news)
	m.news = make(chan struct{})
}

func (m *memory) log(r *web.Record, code string, params map[string]any) {
	m.state.Events = append(m.state.Events, upkeep.Event{ID: int64(len(m.state.Events) + 1), Intervention: r.ID, At: time.Now(), State: r.State, Code: code, Params: params})
}

// carry goes through the states to the end that the test chose.
func (m *memory) carry(ctx context.Context, at int) {
	to := func(state upkeep.State, progress upkeep.Progress) {
		m.edit(at, func(r *web.Record) { r.State, r.Progress = state, progress })
		_ = m.step(ctx)
	}
	m.edit(at, func(r *web.Record) { r.State, r.Started = upkeep.Preparing, time.Now() })
	if m.end == "failed" {
		m.finish(at)
		return
	}
	_ = m.work(ctx, "download", func(p upkeep.Progress) { m.edit(at, func(r *web.Record) { r.Progress = p }) })
	m.edit(at, func(r *web.Record) { r.State, r.FrozenAt = upkeep.Freezing, time.Now() })
	to(upkeep.Securing, upkeep.Progress{Code: "backup_files", Done: 400_000_000, Total: 1_370_000_000, Unit: "bytes"})
	m.edit(at, func(r *web.Record) { m.log(r, "backup_made", map[string]any{"backup": 31, "moment": "before"}) })
	to(upkeep.Applying, upkeep.Progress{Code: "apply", Done: 1, Total: 4, Unit: "updates"})
	if m.end == "waits" || m.end == "stubborn" {
		<-m.cancels
		m.edit(at, func(r *web.Record) { m.log(r, "cancel_asked", nil) })
		if m.end == "stubborn" {
			<-ctx.Done()
		}
	}
	to(upkeep.Verifying, upkeep.Progress{Code: "probe", Done: 3, Unit: "pages"})
	if m.end != "" && m.end != "done" {
		to(upkeep.Undoing, upkeep.Progress{Code: "undo_files"})
	}
	to(upkeep.Thawing, upkeep.Progress{})
	m.edit(at, func(r *web.Record) { r.ThawedAt = time.Now() })
	to(upkeep.Concluding, upkeep.Progress{Code: "backup_files", Done: 1, Unit: "bytes"})
	m.finish(at)
}

// finish writes the end.
func (m *memory) finish(at int) {
	ends := map[string]upkeep.State{"": upkeep.Done, "done": upkeep.Done, "partial": upkeep.Partial, "undone": upkeep.Undone,
		"waits": upkeep.Undone, "failed": upkeep.Failed, "incident": upkeep.Incident}
	m.edit(at, func(r *web.Record) {
		r.State, r.Ended, r.Progress = ends[m.end], time.Now(), upkeep.Progress{}
		r.Verdict = sampleVerdict(r.State != upkeep.Done && r.State != upkeep.Partial)
		if r.State == upkeep.Failed {
			r.Verdict, r.Error = nil, upkeep.Errorf(upkeep.CodeUnreachable, "the database does not answer").WithHint("Start it.")
			return
		}
		before, after := m.state.Backups[0].Backup, m.state.Backups[1].Backup
		r.BeforeBackup, r.AfterBackup = &before, &after
		for _, b := range r.Batches {
			r.Outcomes = append(r.Outcomes, m.outcome(r, &b.Updates[0]))
		}
		if r.State != upkeep.Done {
			r.Identity = &upkeep.Identity{Before: "12ab34cd56ef7890", After: "12ab34cd56ef7890"}
		}
		if r.State == upkeep.Incident {
			r.Identity.Differences = []upkeep.Difference{{Path: "site/index.php", Change: "content"}}
		}
	})
}

func (m *memory) outcome(r *web.Record, u *upkeep.Update) upkeep.Outcome {
	o := upkeep.Outcome{Ref: u.Ref(), From: u.Component.Version, To: u.Release.Version, Result: upkeep.Applied}
	switch {
	case r.State == upkeep.Undone || r.State == upkeep.Incident:
		o.Result = upkeep.NotApplied
	case r.State == upkeep.Partial && u.Component.Slug == "broken-gallery":
		o.Result, o.Detail = upkeep.Guilty, "page / answered 500 instead of 200; PHP Fatal error: Uncaught Error: Call to undefined function gallery_boot()"
		r.Search.Trials = 3
		params := map[string]string{"version": "1.1", "why": "page / 500"}
		r.Holds = []upkeep.Hold{{ID: 1, Component: u.Ref(), Version: "1.1", Reason: upkeep.Reason{Code: "failed_update", Params: params}}}
		r.Tasks = []upkeep.Task{{ID: 1, Component: u.Ref(), Code: "examine_failed_update", Params: params}}
	}
	return o
}

func (m *memory) Interventions(context.Context, web.InterventionFilter) ([]web.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	records := slices.Clone(m.state.Interventions)
	slices.Reverse(records)
	return records, nil
}

func (m *memory) Intervention(_ context.Context, id upkeep.InterventionID) (*web.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.state.Interventions {
		if r.ID == id {
			return &r, nil
		}
	}
	return nil, missing("intervention", id)
}

func (m *memory) Events(ctx context.Context, id upkeep.InterventionID, after int64) ([]upkeep.Event, error) {
	if _, err := m.Intervention(ctx, id); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.state.Events), func(e upkeep.Event) bool { return e.Intervention != id || e.ID <= after }), nil
}

func (m *memory) Follow(ctx context.Context, id upkeep.InterventionID, after int64, send func(web.Tick) error) error {
	for {
		m.mu.Lock()
		news := m.news
		m.mu.Unlock()
		events, err := m.Events(ctx, id, after)
		if err != nil {
			return err
		}
		for _, event := range events {
			after = event.ID
			if err := send(web.Tick{Event: &event}); err != nil {
				return err
			}
		}
		record, err := m.Intervention(ctx, id)
		if err != nil {
			return err
		}
		if err := send(web.Tick{Intervention: &record.Intervention}); err != nil || record.State.Ended() {
			return err
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *memory) CancelIntervention(ctx context.Context, _ string, id upkeep.InterventionID) (*upkeep.Intervention, error) {
	r, err := m.Intervention(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.State.Ended() {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "intervention %s has ended", id)
	}
	m.changed("cancel", id.String())
	select {
	case m.cancels <- struct{}{}:
	default:
	}
	return &r.Intervention, nil
}
