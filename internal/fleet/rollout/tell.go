package rollout

import (
	"cmp"
	"context"
	"slices"
	"time"

	"upkeep"
	"upkeep/internal/schedule/wave"
)

// Failure is a release that broke too many sites of a wave.
type Failure struct {
	*upkeep.Rollout
	Wave       upkeep.Wave
	Confidence upkeep.Confidence
	Last       upkeep.Evidence // the last failure in it
	Newest     time.Time       // of all failures
}

// Failures returns the releases that have to be held for what is known since
// they last were.
func Failures(ctx context.Context, records Records, now time.Time) ([]Failure, error) {
	broken, err := records.FailedRollouts(ctx)
	if err != nil {
		return nil, err
	}
	var found []Failure
	for _, r := range broken {
		evidence, err := records.Evidence(ctx, r.CMS, r.Component, r.Version)
		if err != nil {
			return nil, err
		}
		waves := wave.Progress(members(r, evidence), wave.Pace{Began: r.Began, Held: r.Held}, now)
		at := slices.IndexFunc(waves, func(w upkeep.Wave) bool { return w.Broken })
		if at < 0 {
			continue
		}
		f := Failure{Rollout: r, Wave: waves[at], Confidence: wave.Assess(r.Component, r.Version, evidence)}
		for _, e := range evidence {
			if e.Result != upkeep.Guilty {
				continue
			}
			f.Newest = e.At // they come oldest first
			if waveOf(r, e.Site) == f.Wave.Number {
				f.Last = e
			}
		}
		found = append(found, f)
	}
	return found, nil
}

// Confidence says what is known of the releases of updates, of those of which
// anything is.
func Confidence(ctx context.Context, records Records, cms upkeep.CMS, updates []upkeep.Update) (found []upkeep.Confidence, err error) {
	for i := range updates {
		u := &updates[i]
		evidence, err := records.Evidence(ctx, cms, u.Ref(), u.Release.Version)
		if err != nil {
			return nil, err
		}
		if len(evidence) > 0 {
			found = append(found, wave.Assess(u.Ref(), u.Release.Version, evidence))
		}
	}
	return found, nil
}

// Show returns the way of a release through the fleet, without waves when it
// has none. When waves open is by the plan that has them watched for the
// shortest time.
func (v *View) Show(ctx context.Context, cms upkeep.CMS, component string, version upkeep.Version) (*upkeep.RolloutView, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	evidence, err := v.Records.Evidence(ctx, cms, component, version)
	if err != nil {
		return nil, err
	}
	shown := &upkeep.RolloutView{Rollout: upkeep.Rollout{CMS: cms, Component: component, Version: version},
		Confidence: wave.Assess(component, version, evidence), Stages: []upkeep.Wave{}}
	k, err := v.known(ctx, release{cms, component, version})
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return shown, nil
	}
	if err != nil {
		return nil, err
	}
	shown.Rollout = *k.Rollout
	f, err := v.field(ctx, cms)
	if err != nil {
		return nil, err
	}
	shown.Stages = wave.Progress(k.members, wave.Pace{Began: k.Began, Held: k.Held, Soak: v.shortest(k.Rollout)}, v.Now)
	for _, m := range k.members {
		site := f.sites[m.Site]
		if site == nil {
			continue
		}
		w := &shown.Stages[m.Wave-1]
		w.Sites = append(w.Sites, upkeep.WaveSite{Site: site.Name, Result: m.Result, At: m.At, Away: m.Away && m.Result == ""})
	}
	for i := range shown.Stages {
		slices.SortFunc(shown.Stages[i].Sites, func(a, b upkeep.WaveSite) int { return cmp.Compare(a.Site, b.Site) })
	}
	return shown, nil
}

// shortest is for how long the plans of a release's sites have a wave watched
// at least.
func (v *View) shortest(r *upkeep.Rollout) (least time.Duration) {
	for site := range r.Waves {
		if soak := v.soak(site, r.Security); soak > 0 && (least == 0 || soak < least) {
			least = soak
		}
	}
	return least
}
