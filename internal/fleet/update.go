package fleet

import (
	"context"
	"slices"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/fleet/rollout"
	"upkeep/internal/resolve"
	"upkeep/internal/web"
)

// resolved is a plan with how fresh it is.
type resolved struct {
	resolve.Plan
	known     *Known
	findings  []upkeep.Finding
	inventory *upkeep.Inventory // that it rests on
}

// plan decides what to update, from what publishers say. A site of a CMS
// without publisher is known, not maintained.
func (f *Fleet) plan(ctx context.Context, site *upkeep.Site, inventory *upkeep.Inventory, young Freshness) (*resolved, error) {
	publisher, ok := f.Publishers[site.CMS]
	if !ok {
		shown := shownTo(site, inventory)
		return &resolved{Plan: resolve.Unmaintained(shown), known: &Known{Checked: inventory.Taken}, findings: shown.Findings, inventory: inventory}, nil
	}
	known, err := publisher.Check(ctx, inventory, young)
	if err != nil {
		return nil, err
	}
	holds, err := f.Notes.Holds(ctx, upkeep.HoldFilter{Site: site.ID, Current: true})
	if err != nil {
		return nil, err
	}
	in := resolve.Input{
		Site: *site, Inventory: shownTo(site, inventory), Releases: known.Releases, Closed: known.Closed,
		Findings: known.Findings,
		Now:      f.Now(), Rules: publisher.Rules(),
	}
	for _, hold := range holds {
		in.Holds = append(in.Holds, *hold)
	}
	everywhere, err := f.Config.Releases.ReleaseHolds(ctx, site.CMS)
	if err != nil {
		return nil, err
	}
	for i := range everywhere {
		in.Holds = append(in.Holds, everywhere[i].Everywhere())
	}
	findings := slices.Concat(in.Inventory.Findings, in.Findings)
	return &resolved{Plan: resolve.Resolve(in), known: known, findings: findings, inventory: inventory}, nil
}

// below names what lies below a site's root from there, as people do.
func below(root string, findings []upkeep.Finding) []upkeep.Finding {
	findings = slices.Clone(findings)
	for i := range findings {
		findings[i].Paths = slices.Clone(findings[i].Paths)
		for j, path := range findings[i].Paths {
			if rel, ok := strings.CutPrefix(path, root+"/"); ok {
				findings[i].Paths[j] = rel
			}
		}
	}
	return findings
}

// integrity compares components with what was published. That something
// could not be compared is a finding of its own.
func (f *Fleet) integrity(ctx context.Context, site *upkeep.Site, inventory *upkeep.Inventory) []upkeep.Finding {
	publisher, ok := f.Publishers[site.CMS]
	if !ok {
		return nil
	}
	var findings []upkeep.Finding
	originals, problems := publisher.Originals(ctx, inventory.Components)
	if len(problems) > 0 {
		findings = append(findings, upkeep.Finding{Code: findingUnknown}.Because(problems[0]))
	}
	if len(originals) == 0 {
		return findings
	}
	compared, err := f.Custody.Integrity(ctx, site, originals)
	if err != nil {
		return append(findings, upkeep.Finding{Code: findingUnknown, Blocks: true}.Because(err))
	}
	return append(findings, compared...)
}

// findingUnknown says that files could not be compared with what was published.
const findingUnknown = "integrity_unknown"

// examined takes the inventory and decides.
func (f *Fleet) examined(ctx context.Context, site *upkeep.Site, young Freshness) (*resolved, error) {
	inventory, err := f.survey(ctx, site)
	if err != nil {
		return nil, err
	}
	return f.plan(ctx, site, inventory, young)
}

// Updates says what should be updated on a site and why, or why not.
func (f *Fleet) Updates(ctx context.Context, name string, refresh bool) (*web.UpdateList, error) {
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	young := Recent
	if refresh {
		young = Fresh
	}
	plan, err := f.examined(ctx, site, young)
	if err != nil {
		return nil, err
	}
	o, err := f.Outlook(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := f.note(ctx, o, site, plan); err != nil {
		return nil, err
	}
	list := listOf(name, plan)
	list.Confidence, err = rollout.Confidence(ctx, f.Waves, site.CMS, plan.Updates)
	return list, err
}

func listOf(name string, plan *resolved) *web.UpdateList {
	return &web.UpdateList{
		Site: name, Updates: plan.Updates, Batches: plan.Batches, Findings: plan.findings,
		Checked: plan.known.Checked, Offline: plan.known.Offline,
	}
}

// taskDeploy asks a person to apply a patch where a site is deployed from.
const taskDeploy = "deploy_proposal"

// ProposeUpdates makes a patch of the updates that version control alone keeps
// from a site, for where it is deployed from, and a task to apply it.
func (f *Fleet) ProposeUpdates(ctx context.Context, actor, name string) (_ *web.Proposal, err error) {
	defer upkeep.Wrap(&err, "patch for %s", name)
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := f.mustBeOpen(ctx, site); err != nil {
		return nil, err
	}
	tracked := *site
	tracked.Policy.Tracked = true
	plan, err := f.examined(ctx, &tracked, Fresh)
	if err != nil {
		return nil, err
	}
	patch := &web.Proposal{Site: name}
	for _, batch := range plan.Batches {
		patch.Updates = append(patch.Updates, batch.Updates...)
	}
	if patch.Text, err = f.Custody.Propose(ctx, site, patch.Updates); err != nil {
		return nil, err
	}
	if patch.Text == "" {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "no update would change the lock").
			WithHint("See why with upkeep update list %s.", name)
	}
	open, err := f.Notes.Tasks(ctx, upkeep.TaskFilter{Site: site.ID, Open: true})
	if err != nil {
		return nil, err
	}
	updates := strings.Join(refs(plan.Batches), ", ")
	if !slices.ContainsFunc(open, func(t *upkeep.Task) bool { return t.Code == taskDeploy && t.Params["updates"] == updates }) {
		if err := f.Notes.CreateTask(ctx, &upkeep.Task{Site: site.ID, Code: taskDeploy, Params: map[string]string{"updates": updates}}); err != nil {
			return nil, err
		}
	}
	return patch, f.Enter(ctx, actor, "updates_proposed", site.ID, map[string]any{"updates": refs(plan.Batches)})
}

// StartIntervention plans an intervention of the updates that were asked for
// and has it carried out.
func (f *Fleet) StartIntervention(ctx context.Context, actor, name string, req web.InterventionRequest) (_ *upkeep.Intervention, err error) {
	defer upkeep.Wrap(&err, "update %s", name)
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	if _, maintained := f.Publishers[site.CMS]; !maintained {
		return nil, upkeep.NotMaintained(site.CMS)
	}
	if err := f.mustBeOpen(ctx, site); err != nil {
		return nil, err
	}
	if err := f.mayBegin(ctx); err != nil && !req.DryRun {
		return nil, err
	}
	plan, err := f.examined(ctx, site, Fresh)
	if err != nil {
		return nil, err
	}
	selected, err := resolve.Select(plan.Plan, req.Only, req.Except, req.Security)
	if err != nil {
		return nil, err
	}
	iv := &upkeep.Intervention{Site: site.ID, State: upkeep.Planned, Created: f.Now().UTC(), Batches: selected.Batches, Requester: actor}
	if len(iv.Batches) == 0 && len(req.Only) > 0 {
		return nil, notReady(name, selected)
	}
	if req.DryRun {
		return iv, nil
	}
	if err := f.noteTasks(ctx, site, plan.Plan); err != nil {
		return nil, err
	}
	if len(iv.Batches) == 0 {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "nothing is ready to be updated").
			WithHint("See why with upkeep update list %s.", name)
	}
	return iv, f.carryOut(ctx, iv, nil)
}

// carryOut keeps an intervention and has it carried out. because is why it
// begins now, when nobody asked for it.
func (f *Fleet) carryOut(ctx context.Context, iv *upkeep.Intervention, because []upkeep.Reason) error {
	if err := f.Interventions.CreateIntervention(ctx, iv); err != nil {
		return err
	}
	facts := map[string]any{"intervention": iv.ID, "updates": refs(iv.Batches)}
	if because != nil {
		facts["because"] = because
	}
	if err := f.Enter(ctx, iv.Requester, kindPlanned, iv.Site, facts); err != nil {
		return err
	}
	return f.Enqueue(ctx, iv.ID)
}

// notReady says of updates that were asked for why none can be done.
func notReady(site string, asked resolve.Plan) error {
	for _, update := range asked.Updates {
		if update.Disposition != upkeep.Ready {
			return upkeep.Errorf(upkeep.CodeHeld, "%s %s is held", update.Ref(), update.Release.Version).
				WithHint("See why with upkeep update list %s.", site)
		}
	}
	return upkeep.Errorf(upkeep.CodeNotFound, "nothing that was asked for is ready to be updated").
		WithHint("See why with upkeep update list %s.", site)
}

func refs(batches []upkeep.Batch) []string {
	var out []string
	for _, batch := range batches {
		for _, update := range batch.Updates {
			out = append(out, update.Ref()+" "+string(update.Component.Version)+" → "+string(update.Release.Version))
		}
	}
	return out
}

// noteTasks makes a task of each held update that only a person can free,
// once.
func (f *Fleet) noteTasks(ctx context.Context, site *upkeep.Site, plan resolve.Plan) error {
	open, err := f.Notes.Tasks(ctx, upkeep.TaskFilter{Site: site.ID, Open: true})
	if err != nil {
		return err
	}
	for _, update := range plan.Updates {
		for _, reason := range update.Reasons {
			code := reason.Params["task"]
			known := slices.ContainsFunc(open, func(t *upkeep.Task) bool { return t.Code == code && t.Component == update.Ref() })
			if code == "" || known || update.Disposition == upkeep.Ready {
				continue
			}
			task := &upkeep.Task{Site: site.ID, Component: update.Ref(), Code: code, Params: reason.Params}
			if err := f.Notes.CreateTask(ctx, task); err != nil {
				return err
			}
		}
	}
	return nil
}

// poll is how often followers look for news.
const poll = 150 * time.Millisecond
