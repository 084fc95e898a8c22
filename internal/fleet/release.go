package fleet

import (
	"context"

	"upkeep"
	"upkeep/internal/web"
)

// Shelf is web.Releases for a Fleet.
type Shelf struct{ *Fleet }

var _ web.Releases = Shelf{}

// ReleaseHolds returns the releases that are held for the fleet.
func (f Shelf) ReleaseHolds(ctx context.Context) ([]upkeep.ReleaseHold, error) {
	return f.Config.Releases.ReleaseHolds(ctx, "")
}

// HoldRelease keeps a release from every site.
func (f Shelf) HoldRelease(ctx context.Context, actor string, hold upkeep.ReleaseHold) (*upkeep.ReleaseHold, error) {
	if _, known := f.Publishers[hold.CMS]; !known {
		return nil, upkeep.NotMaintained(hold.CMS)
	}
	hold.Actor = actor
	if err := f.Config.Releases.PutReleaseHold(ctx, &hold); err != nil {
		return nil, err
	}
	f.changes.Add(1)
	return &hold, f.Enter(ctx, actor, kindReleaseHeld, 0, map[string]any{"hold": hold})
}

// AllowRelease ends that.
func (f Shelf) AllowRelease(ctx context.Context, actor string, hold upkeep.ReleaseHold) error {
	if err := f.Config.Releases.DeleteReleaseHold(ctx, hold.CMS, hold.Component, hold.Version); err != nil {
		return err
	}
	f.changes.Add(1)
	facts := map[string]any{"cms": hold.CMS, "component": hold.Component, "version": hold.Version}
	return f.Enter(ctx, actor, kindReleaseAllowed, 0, facts)
}

// Rollout returns a release's way through the fleet.
func (f Shelf) Rollout(ctx context.Context, cms upkeep.CMS, component string, version upkeep.Version) (*upkeep.RolloutView, error) {
	if _, known := f.Publishers[cms]; !known {
		return nil, upkeep.NotMaintained(cms)
	}
	o, err := f.Outlook(ctx)
	if err != nil {
		return nil, err
	}
	shown, err := o.waves.Show(ctx, cms, component, version)
	if err != nil {
		return nil, err
	}
	holds, err := f.Config.Releases.ReleaseHolds(ctx, cms)
	for i := range holds {
		if h := &holds[i]; h.Component == component && (h.Version == "" || h.Version == version) {
			shown.Hold = h
		}
	}
	return shown, err
}
