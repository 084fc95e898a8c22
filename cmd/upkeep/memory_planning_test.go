package main

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/web"
)

func samplePlans() []upkeep.Plan {
	return []upkeep.Plan{
		{Name: "base", Title: "Base", Extensions: 10, CadenceDays: 30, SoakDays: 7, SecurityHours: 72},
		{Name: "sur-mesure", Title: "Sur mesure", Customised: true, CadenceDays: 1},
	}
}

func sampleWindows() []upkeep.Window {
	return []upkeep.Window{
		{ID: 1, Scope: upkeep.ForPlan, Subject: "base", Begin: "2026-01-05T01:00", Length: upkeep.Duration(5 * time.Hour), Rule: "FREQ=WEEKLY;BYDAY=TU", Zone: "Europe/Paris"},
		{ID: 2, Scope: upkeep.ForAgency, Closed: true, Begin: "2026-11-24T00:00", Length: upkeep.Duration(72 * time.Hour), Zone: "Europe/Paris", Note: "sale"},
	}
}

func (m *memory) Plans(context.Context) ([]upkeep.Plan, error) { return samplePlans(), nil }

func (m *memory) SetPlan(_ context.Context, _ string, plan upkeep.Plan) (*upkeep.Plan, error) {
	if err := plan.Validate(); err != nil {
		return nil, err
	}
	m.changed("plan", plan.Name)
	return &plan, nil
}

func (m *memory) RecommendPlan(ctx context.Context, site string) (*web.PlanAdvice, error) {
	if _, err := m.Site(ctx, site); err != nil {
		return nil, err
	}
	return &web.PlanAdvice{Site: site, Recommended: "base", Extensions: 4,
		Reasons: []upkeep.Reason{{Code: "counted", Params: map[string]string{"count": "4", "most": "10"}}}}, nil
}

func (m *memory) Subscribe(ctx context.Context, _, name string, req upkeep.Subscription) (*web.Site, error) {
	site, err := m.Site(ctx, name)
	if err != nil {
		return nil, err
	}
	if req.Plan != "base" {
		return nil, missing("plan", req.Plan)
	}
	m.changed("subscribe", name, req.Plan, req.Client, string(req.Consent))
	req.Since = day(6, 0, 0)
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.state.Sites {
		if s := &m.state.Sites[i]; s.Name == name {
			s.Subscription, s.Recommended, s.Extensions = &req, "sur-mesure", 14
			site = s
		}
	}
	return site, nil
}

func (m *memory) Approve(ctx context.Context, actor, name string) ([]upkeep.Approval, error) {
	if _, err := m.Site(ctx, name); err != nil {
		return nil, err
	}
	m.changed("approve", name)
	return []upkeep.Approval{{Site: 1, Component: "plugin:akismet/akismet.php", Version: "5.3.1", Actor: actor}}, nil
}

func (m *memory) Windows(context.Context) ([]upkeep.Window, error) { return sampleWindows(), nil }

func (m *memory) AddWindow(_ context.Context, _ string, w upkeep.Window) (*upkeep.Window, error) {
	if err := w.Validate(); err != nil {
		return nil, err
	}
	m.changed("window", string(w.Scope), w.Subject, w.Begin, time.Duration(w.Length).String(), w.Rule)
	w.ID = 3
	return &w, nil
}

func (m *memory) RemoveWindow(context.Context, string, int64) error {
	m.changed("window removed")
	return nil
}

func (m *memory) Schedule(ctx context.Context, filter web.ScheduleFilter) (*web.Schedule, error) {
	if filter.Site != "" {
		if _, err := m.Site(ctx, filter.Site); err != nil {
			return nil, err
		}
	}
	window := sampleWindows()
	because := []upkeep.Reason{{Code: "soaking", Params: map[string]string{"days": "7", "until": "2026-11-26T09:00:00+01:00"}},
		{Code: "in_window", Params: map[string]string{"scope": "plan", "subject": "base"}}}
	turn := upkeep.Turn{Ref: "plugin:akismet/akismet.php", Version: "5.3.1", At: day(1, 0, 0).AddDate(0, 0, 8), Until: day(4, 45, 0).AddDate(0, 0, 8), Reasons: because}
	found := &web.Schedule{From: day(6, 0, 0), To: day(6, 0, 0).AddDate(0, 0, filter.Days), Sites: []web.SiteTurn{
		{Site: "shop.example", Plan: "base", Client: "dupont", Appointment: upkeep.Appointment{At: turn.At, Until: turn.Until, Refs: []string{turn.Ref}, Reasons: because, Turns: []upkeep.Turn{turn}}},
	}}
	if filter.Days > 0 {
		found.Slots = []upkeep.Slot{
			{Start: day(0, 0, 0), End: day(5, 0, 0), Window: &window[0]},
			{Start: day(23, 0, 0), End: day(23, 0, 0).AddDate(0, 0, 3), Window: &window[1]},
		}
	}
	return found, nil
}

func (m *memory) FleetStatus(context.Context) (*web.FleetStatus, error) {
	return &web.FleetStatus{Sites: 2, Statuses: map[web.SiteStatus]int{web.Live: 1, web.Frozen: 1}, NoPlan: 1, Pending: 4, Security: 1,
		Held: 1, Overdue: 1, Day: map[upkeep.State]int{upkeep.Done: 3, upkeep.Undone: 1}}, nil
}

func (m *memory) HoldFleet(_ context.Context, actor, because string) (*upkeep.FleetHold, error) {
	m.changed("hold", because)
	return &upkeep.FleetHold{Actor: actor, Because: because, Since: day(6, 0, 0)}, nil
}

func (m *memory) ReleaseFleet(context.Context, string) error {
	m.changed("release")
	return nil
}

func (m *memory) ReleaseHolds(context.Context) ([]upkeep.ReleaseHold, error) {
	return []upkeep.ReleaseHold{{CMS: upkeep.WordPress, Component: "plugin:akismet/akismet.php", Version: "5.3.1", Actor: "cli:anna", Because: "breaks shops", Created: day(6, 0, 0)}}, nil
}

func (m *memory) HoldRelease(_ context.Context, _ string, hold upkeep.ReleaseHold) (*upkeep.ReleaseHold, error) {
	if hold.CMS != upkeep.WordPress {
		return nil, upkeep.NotMaintained(hold.CMS)
	}
	m.changed("release held", hold.Component, string(hold.Version), hold.Because)
	return &hold, nil
}

func (m *memory) AllowRelease(_ context.Context, _ string, hold upkeep.ReleaseHold) error {
	if hold.CMS != upkeep.WordPress {
		return missing("hold", hold.Component)
	}
	m.changed("release allowed", hold.Component, string(hold.Version))
	return nil
}

func (m *memory) Rollout(_ context.Context, cms upkeep.CMS, component string, version upkeep.Version) (*upkeep.RolloutView, error) {
	if cms != upkeep.WordPress {
		return nil, upkeep.NotMaintained(cms)
	}
	return &upkeep.RolloutView{
		Rollout:    upkeep.Rollout{CMS: cms, Component: component, Version: version, Began: day(1, 0, 0)},
		Confidence: upkeep.Confidence{Applied: 2, Failed: 1, Fails: &upkeep.Combination{PHP: "8.1", Extensions: []string{"plugin:shop/shop.php"}}},
		Hold:       &upkeep.ReleaseHold{CMS: cms, Component: component, Version: version, Because: "wave_failed", Created: day(6, 0, 0)},
		Stages: []upkeep.Wave{
			{Number: upkeep.Canaries, Opens: day(1, 0, 0), Failed: 1, Broken: true, Sites: []upkeep.WaveSite{{Site: "shop.example", Result: upkeep.Guilty, At: day(2, 0, 0)}}},
			{Number: upkeep.Tenth, Sites: []upkeep.WaveSite{{Site: "café-blog", Away: true}}},
			{Number: upkeep.Everyone},
		},
	}, nil
}
