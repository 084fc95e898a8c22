package planner

import (
	"context"
	"slices"
	"strconv"

	"upkeep"
	"upkeep/internal/fleet"
	"upkeep/internal/fleet/rollout"
	"upkeep/internal/schedule"
)

const (
	kindWaveFailed = "wave_failed"
	becauseWave    = "wave_failed" // of the hold
)

// holdBroken holds, for all sites, the releases that broke too many of a wave,
// and tells people of each. What was done is noted last: cut short, all of it
// is repeated.
func (p *Planner) holdBroken(ctx context.Context, o *fleet.Outlook) error {
	failures, err := rollout.Failures(ctx, p.Waves, o.Now)
	if err != nil || len(failures) == 0 {
		return err
	}
	holds, err := p.Config.Releases.ReleaseHolds(ctx, "")
	if err != nil {
		return err
	}
	for i := range failures {
		f := &failures[i]
		if err := p.hold(ctx, f, holds); err != nil {
			return err
		}
	}
	return nil
}

func (p *Planner) hold(ctx context.Context, f *rollout.Failure, holds []upkeep.ReleaseHold) error {
	held := slices.ContainsFunc(holds, func(h upkeep.ReleaseHold) bool {
		return h.CMS == f.CMS && h.Component == f.Component && (h.Version == "" || h.Version == f.Version)
	})
	if !held {
		hold := upkeep.ReleaseHold{CMS: f.CMS, Component: f.Component, Version: f.Version, Because: becauseWave}
		if _, err := (fleet.Shelf{Fleet: p.Fleet}).HoldRelease(ctx, fleet.BySchedule, hold); err != nil {
			return err
		}
	}
	failed, tried := strconv.Itoa(f.Wave.Failed), strconv.Itoa(f.Wave.Failed+f.Wave.Applied)
	task := &upkeep.Task{Site: f.Last.Site, Intervention: f.Last.Intervention, Component: f.Component, Code: schedule.TaskRelease,
		Params: map[string]string{"version": string(f.Version), "failed": failed, "sites": tried, "why": f.Confidence.Fails.String()}}
	if err := p.Notes.CreateTask(ctx, task); err != nil {
		return err
	}
	facts := map[string]any{"cms": f.CMS, "component": f.Component, "version": f.Version, "wave": f.Wave.Number,
		"failed": f.Wave.Failed, "applied": f.Wave.Applied, "fails": f.Confidence.Fails}
	if err := p.Enter(ctx, fleet.BySchedule, kindWaveFailed, f.Last.Site, facts); err != nil {
		return err
	}
	f.Held = f.Newest
	return p.Waves.MarkRolloutHeld(ctx, f.Rollout)
}
