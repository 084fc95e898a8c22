package fleet

import (
	"context"
	"strings"

	"upkeep"
	"upkeep/internal/schedule"
	"upkeep/internal/web"
)

// Contracts is web.Plans for a Fleet.
type Contracts struct{ *Fleet }

var _ web.Plans = Contracts{}

// Ledger kinds of what decides when work is done.
const (
	kindPlanSet       = "plan_set"
	kindSubscribed    = "site_subscribed"
	kindApproved      = "updates_approved"
	kindWindowAdded   = "window_added"
	kindWindowRemoved = "window_removed"
	kindFleetHeld     = "fleet_held"
	kindFleetReleased = "fleet_released"

	kindReleaseHeld    = "release_held"
	kindReleaseAllowed = "release_allowed"
)

// Plans returns all plans.
func (f Contracts) Plans(ctx context.Context) ([]upkeep.Plan, error) {
	return f.Config.Plans.Plans(ctx)
}

// SetPlan keeps a plan.
func (f Contracts) SetPlan(ctx context.Context, actor string, plan upkeep.Plan) (*upkeep.Plan, error) {
	if err := f.Config.Plans.PutPlan(ctx, &plan); err != nil {
		return nil, err
	}
	f.changes.Add(1)
	return &plan, f.Enter(ctx, actor, kindPlanSet, 0, map[string]any{"plan": plan})
}

// RecommendPlan says which plan a site fits by its last inventory.
func (f Contracts) RecommendPlan(ctx context.Context, name string) (*web.PlanAdvice, error) {
	inventory, err := f.Inventory(ctx, name, false)
	if err != nil {
		return nil, err
	}
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	o, err := f.Outlook(ctx)
	if err != nil {
		return nil, err
	}
	plan, reasons := schedule.Recommend(o.list, inventory)
	advice := &web.PlanAdvice{Site: name, Extensions: schedule.Extensions(inventory), Reasons: reasons}
	if plan != nil {
		advice.Recommended = plan.Name
	}
	if s := o.subscriptions[site.ID]; s != nil {
		advice.Plan = s.Plan
	}
	return advice, nil
}

// Subscribe puts a site under a plan.
func (f Contracts) Subscribe(ctx context.Context, actor, name string, req upkeep.Subscription) (*web.Site, error) {
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	req.Site = site.ID
	if err := f.Config.Plans.PutSubscription(ctx, &req); err != nil {
		return nil, f.suggestPlan(ctx, err)
	}
	f.changes.Add(1)
	facts := map[string]any{"plan": req.Plan, "client": req.Client, "consent": req.Consent, "canary": req.Canary, "since": req.Since}
	if err := f.Enter(ctx, actor, kindSubscribed, site.ID, facts); err != nil {
		return nil, err
	}
	return SiteList(f).Site(ctx, name)
}

// suggestPlan completes an error about a plan that does not exist with those
// that do.
func (f Contracts) suggestPlan(ctx context.Context, err error) error {
	if upkeep.CodeOf(err) != upkeep.CodeNotFound || upkeep.HintOf(err) != "" {
		return err
	}
	plans, perr := f.Config.Plans.Plans(ctx)
	if perr != nil {
		return err // it is the one to show
	}
	names := make([]string, len(plans))
	for i := range plans {
		names[i] = plans[i].Name
	}
	return upkeep.Errorf(upkeep.CodeNotFound, "%w", err).WithHint("Plans are %s.", strings.Join(names, ", "))
}

// Approve says yes to all updates that are ready on a site.
func (f Contracts) Approve(ctx context.Context, actor, name string) ([]upkeep.Approval, error) {
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	inventory, err := f.Inventories.Inventory(ctx, site.ID)
	if err != nil {
		return nil, err
	}
	plan, err := f.plan(ctx, site, inventory, Kept)
	if err != nil {
		return nil, err
	}
	var approvals []upkeep.Approval
	var said []string
	for i := range plan.Updates {
		u := &plan.Updates[i]
		if u.Disposition == upkeep.Ready {
			approvals = append(approvals, upkeep.Approval{Site: site.ID, Component: u.Ref(), Version: u.Release.Version, Actor: actor})
			said = append(said, u.Ref()+" "+string(u.Release.Version))
		}
	}
	if len(approvals) == 0 {
		return nil, nil
	}
	if err := f.Turns.Approve(ctx, approvals, schedule.TaskConsent); err != nil {
		return nil, err
	}
	f.changes.Add(1)
	return approvals, f.Enter(ctx, actor, kindApproved, site.ID, map[string]any{"updates": said})
}
