package fleet

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/agent"
	"upkeep/internal/resolve"
	"upkeep/internal/schedule"
	"upkeep/internal/web"
)

// Ledger kinds.
const (
	kindSiteAdded   = "site_added"
	kindSiteRemoved = "site_removed"
	kindPolicySet   = "policy_set"
	kindFrozen      = "site_frozen"
	kindThawed      = "site_thawed"
	kindBackup      = "backup_made"
	kindRestored    = "restore_done"

	kindRestoreFailed = "restore_failed"

	kindPruned  = "backups_pruned"
	kindPlanned = "intervention_planned"
)

// SiteList is web.Sites for a Fleet.
type SiteList struct{ *Fleet }

var _ web.Sites = SiteList{}

// Sites returns all sites by name.
func (f SiteList) Sites(ctx context.Context) ([]web.Site, error) {
	sites, err := f.Config.Sites.Sites(ctx)
	if err != nil {
		return nil, err
	}
	o, err := f.Outlook(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]web.Site, 0, len(sites))
	for _, site := range sites {
		shown, err := f.show(ctx, o, site)
		if err != nil {
			return nil, err
		}
		list = append(list, *shown)
	}
	return list, nil
}

// Site returns one site.
func (f SiteList) Site(ctx context.Context, name string) (*web.Site, error) {
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	return f.showNow(ctx, site)
}

func (f *Fleet) showNow(ctx context.Context, site *upkeep.Site) (*web.Site, error) {
	o, err := f.Outlook(ctx)
	if err != nil {
		return nil, err
	}
	return f.show(ctx, o, site)
}

// SiteByName returns a site by its name.
func (f *Fleet) SiteByName(ctx context.Context, name string) (*upkeep.Site, error) {
	return f.Config.Sites.SiteByName(ctx, name)
}

// show puts together what is known of a site without asking its host.
func (f *Fleet) show(ctx context.Context, o *Outlook, site *upkeep.Site) (*web.Site, error) {
	shown := &web.Site{Site: *site, Status: web.Live, Subscription: o.subscriptions[site.ID]}
	if site.Host != 0 {
		host, err := f.Hosts.Host(ctx, site.Host)
		if err != nil {
			return nil, err
		}
		shown.HostName = host.Name
	}
	inventory, err := f.Inventories.Inventory(ctx, site.ID)
	if err != nil && upkeep.CodeOf(err) != upkeep.CodeNotFound {
		return nil, err
	}
	if err == nil {
		f.showInventory(ctx, shown, inventory)
		if plan, _ := schedule.Recommend(o.list, inventory); plan != nil {
			shown.Recommended = plan.Name
		}
	}
	last, err := f.Interventions.Interventions(ctx, upkeep.InterventionFilter{Site: site.ID, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(last) > 0 {
		shown.Intervention, shown.Status = last[0].ID, statusOf(last[0])
	}
	if shown.Status == web.Live && f.shut(ctx, site) {
		shown.Status = web.Frozen
	}
	backups, err := f.Notes.Backups(ctx, upkeep.BackupFilter{Site: site.ID, Complete: true, Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(backups) > 0 {
		shown.LastBackup = backups[0].Taken
	}
	return shown, nil
}

// shut reports whether a site is frozen without an intervention, by hand. Only
// where there is a journal is an agent asked, and no other host ever; one that
// does not answer spoils no list.
func (f *Fleet) shut(ctx context.Context, site *upkeep.Site) bool {
	if site.Host != 0 {
		return site.Shut.After(f.Now())
	}
	frozen, err := f.Custody.Frozen(ctx, site.ID)
	return err == nil && frozen
}

func (f *Fleet) showInventory(ctx context.Context, shown *web.Site, inventory *upkeep.Inventory) {
	shown.Extensions = schedule.Extensions(inventory)
	shown.Components, shown.Inventoried, shown.Findings = len(inventory.Components), inventory.Taken, below(shown.Root, inventory.Findings)
	if core := inventory.Core(); core != nil {
		shown.Core = core.Version
	}
	plan, err := f.plan(ctx, &shown.Site, inventory, Recent)
	if err != nil { // publishers have never answered: nothing is pending yet
		return
	}
	for _, update := range plan.Updates {
		switch update.Disposition {
		case upkeep.Ready:
			shown.Pending++
			if update.Security {
				shown.Security++
			}
		case upkeep.Held:
			shown.Held++
		}
	}
}

func statusOf(iv *upkeep.Intervention) web.SiteStatus {
	switch {
	case iv.State == upkeep.Incident:
		return web.Incident
	case iv.State.Ended():
		return web.Live
	case iv.State.Frozen():
		return web.Frozen
	}
	return web.Working
}

// AddSite examines what is at a root and keeps it.
func (f SiteList) AddSite(ctx context.Context, actor string, req web.AddSiteRequest) (_ *web.Site, err error) {
	defer upkeep.Wrap(&err, "add site")
	host, err := f.HostID(ctx, req.Host)
	if err != nil {
		return nil, err
	}
	survey, err := f.Custody.Examine(ctx, host, req.Root)
	if err != nil {
		return nil, err
	}
	site := &upkeep.Site{
		Name: req.Name, URL: req.URL, Host: host, Root: survey.Layout.Root, CMS: survey.Layout.CMS, Policy: req.Policy, Created: f.Now().UTC(),
	}
	if site.URL == "" {
		site.URL = survey.Inventory.HomeURL
	}
	if site.Name == "" {
		site.Name = nameFrom(site.URL)
	}
	if err := site.Validate(); err != nil {
		return nil, err
	}
	if err := f.unclaimed(ctx, site, survey); err != nil {
		return nil, err
	}
	if req.DryRun {
		shown := &web.Site{Site: *site, HostName: req.Host, Status: web.Live}
		f.showInventory(ctx, shown, survey.Inventory)
		return shown, nil
	}
	if err := f.Config.Sites.CreateSite(ctx, site); err != nil {
		return nil, err
	}
	if _, err := f.survey(ctx, site); err != nil {
		return nil, err
	}
	err = f.Enter(ctx, actor, kindSiteAdded, site.ID, siteFacts(site, req.Host))
	if err != nil {
		return nil, err
	}
	return f.showNow(ctx, site)
}

func siteFacts(site *upkeep.Site, host string) map[string]any {
	facts := map[string]any{"name": site.Name, "cms": site.CMS, "url": site.URL}
	if host != "" {
		facts["host"] = host
	}
	return facts
}

// unclaimed refuses a site whose folder, or whose CMS by way of a folder above
// or below, is one already: two interventions would work on it at once.
func (f SiteList) unclaimed(ctx context.Context, site *upkeep.Site, survey *agent.Survey) error {
	sites, err := f.Config.Sites.Sites(ctx)
	if err != nil {
		return err
	}
	for _, other := range sites {
		if other.Name != site.Name && other.Host == site.Host && f.Custody.Holds(ctx, other, survey.Layout) {
			return upkeep.Errorf(upkeep.CodeConflict, "%s is already site %s, at %s", site.Root, other.Name, other.Root).
				WithHint("Look at it: upkeep site show %s.", other.Name)
		}
	}
	return nil
}

// nameFrom makes a site's name of its address.
func nameFrom(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	name := u.Hostname() + strings.ReplaceAll(strings.TrimSuffix(u.Path, "/"), "/", "-")
	if port := u.Port(); port != "" {
		name += "-" + port
	}
	return strings.ToLower(strings.TrimPrefix(name, "www."))
}

// SetPolicy changes what a site's plan says about updates.
func (f SiteList) SetPolicy(ctx context.Context, actor, name string, policy upkeep.Policy) (*web.Site, error) {
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	err = f.Config.Sites.UpdateSite(ctx, site.ID, func(s *upkeep.Site) error {
		s.Policy = policy
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := f.Enter(ctx, actor, kindPolicySet, site.ID, map[string]any{"policy": policy}); err != nil {
		return nil, err
	}
	return f.Site(ctx, name)
}

// RemoveSite forgets a site; its backups stay in the vault.
func (f SiteList) RemoveSite(ctx context.Context, actor, name string) error {
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return err
	}
	if err := f.mustBeOpen(ctx, site); err != nil {
		return err
	}
	if err := f.Config.Sites.DeleteSite(ctx, site.ID); err != nil {
		return err
	}
	return f.Enter(ctx, actor, kindSiteRemoved, site.ID, map[string]any{"name": name})
}

// mustBeOpen refuses what a frozen site cannot bear.
func (f *Fleet) mustBeOpen(ctx context.Context, site *upkeep.Site) error {
	last, err := f.Interventions.Interventions(ctx, upkeep.InterventionFilter{Site: site.ID, Unended: true, Limit: 1})
	if err != nil {
		return err
	}
	if len(last) > 0 {
		return upkeep.Errorf(upkeep.CodeConflict, "intervention %s on site %s is %s", last[0].ID, site.Name, last[0].State).
			WithHint("Wait for it to end, or stop it: upkeep intervention cancel %s.", last[0].ID)
	}
	var frozen bool
	if site.Host == 0 {
		frozen, err = f.Custody.Frozen(ctx, site.ID)
	} else { // which may be gone for good
		frozen = f.shut(ctx, site)
	}
	if err == nil && frozen {
		err = upkeep.Errorf(upkeep.CodeConflict, "site %s is frozen", site.Name).WithHint("Open it first: upkeep site thaw %s.", site.Name)
	}
	return err
}

// survey takes the inventory anew, compares the files with what was published,
// and keeps both.
func (f *Fleet) survey(ctx context.Context, site *upkeep.Site) (*upkeep.Inventory, error) {
	survey, err := f.Custody.Survey(ctx, site)
	if err != nil {
		return nil, err
	}
	inventory := survey.Inventory
	inventory.Findings = append(inventory.Findings, f.integrity(ctx, site, inventory)...)
	_, err = f.Inventories.CreateInventory(ctx, site.ID, inventory)
	return inventory, err
}

// Inventory returns what a site consists of, read anew when asked or when
// nothing is known.
func (f *Fleet) Inventory(ctx context.Context, name string, refresh bool) (*upkeep.Inventory, error) {
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	if !refresh {
		inventory, err := f.Inventories.Inventory(ctx, site.ID)
		if upkeep.CodeOf(err) != upkeep.CodeNotFound {
			return shownTo(site, inventory), err
		}
	}
	inventory, err := f.survey(ctx, site)
	return shownTo(site, inventory), err
}

// shownTo returns an inventory as people read it.
func shownTo(site *upkeep.Site, inventory *upkeep.Inventory) *upkeep.Inventory {
	if inventory == nil {
		return nil
	}
	shown := *inventory
	shown.Findings = below(site.Root, inventory.Findings)
	return &shown
}

// Freeze closes a site by hand.
func (f *Fleet) Freeze(ctx context.Context, actor, name string, limit time.Duration) (*web.GateState, error) {
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := f.mustBeOpen(ctx, site); err != nil {
		return nil, err
	}
	at, err := f.Custody.Freeze(ctx, site.ID, limit)
	if err != nil {
		return nil, err
	}
	state := &web.GateState{Frozen: true, Since: at, Until: at.Add(limit)}
	return state, f.Enter(ctx, actor, kindFrozen, site.ID, map[string]any{"until": state.Until})
}

// free makes sure that no intervention is under way: work by hand would take
// the site out of its hands.
func (f *Fleet) free(ctx context.Context, site upkeep.SiteID) error {
	under, err := f.Interventions.Interventions(ctx, upkeep.InterventionFilter{Site: site, Unended: true, Limit: 1})
	if err != nil || len(under) == 0 {
		return err
	}
	return upkeep.Errorf(upkeep.CodeConflict, "intervention %s is under way on this site", under[0].ID).
		WithHint("Wait for its end, or stop it with upkeep intervention cancel %s.", under[0].ID)
}

// Thaw opens a site that was frozen by hand.
func (f *Fleet) Thaw(ctx context.Context, actor, name string) (*web.GateState, error) {
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	if err := f.Custody.Thaw(ctx, site.ID); err != nil {
		return nil, err
	}
	return &web.GateState{}, f.Enter(ctx, actor, kindThawed, site.ID, nil)
}

// VerifySite looks at a live site: its pages, its files, its schema.
func (f *Fleet) VerifySite(ctx context.Context, name string) (*upkeep.Verdict, error) {
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	inventory, err := f.survey(ctx, site)
	if err != nil {
		return nil, err
	}
	probes, err := f.Custody.Verifier.Look(ctx, site.URL, inventory.Pages, "")
	if err != nil {
		return nil, err
	}
	verdict := &upkeep.Verdict{At: f.Now().UTC()}
	for _, probe := range probes {
		verdict.Checks = append(verdict.Checks, judge(probe))
	}
	schema := inventory.Schema
	verdict.Checks = append(verdict.Checks, upkeep.Check{Code: "schema", OK: !schema.Pending, Want: schema.Files, Got: schema.Database})
	for _, finding := range below(site.Root, inventory.Findings) {
		if finding.Blocks {
			verdict.Checks = append(verdict.Checks, found(finding))
		}
	}
	return verdict, nil
}

// holding are the findings that keep updates waiting and say nothing against
// a site: with files that were modified by hand it works or not, as its pages
// say.
func holding() []string {
	return []string{"modified", "link", "version_control", "composer", "same_slug_stranger", "shared_folder", "stranger_removed",
		"file_mods_disallowed", "foreign_updater", "farm", "patched", "snapshot", findingUnknown, resolve.NotMaintained, "database_unknown", "application_inside"}
}

// found is what a finding says of the site.
func found(finding upkeep.Finding) upkeep.Check {
	check := upkeep.Check{Code: finding.Code, Component: finding.Component, Subject: strings.Join(finding.Paths, ", ")}
	if slices.Contains(holding(), finding.Code) {
		check.OK, check.Held = true, true
		return check
	}
	check.Got, check.GotText = finding.Detail, finding.DetailText
	return check
}

// judge says of one page by itself whether it works.
func judge(probe upkeep.Probe) upkeep.Check {
	check := upkeep.Check{Code: "page", Subject: probe.Page.String(), OK: probe.Status > 0 && probe.Status < 500}
	if probe.Status == 0 {
		check.Get(probe.Said())
		// What the code could serve besides the site may be served elsewhere, or nowhere.
		check.OK = probe.Page.Host != ""
	}
	for _, mark := range probe.Markers {
		if strings.Contains(mark, "error") || mark == "maintenance" || mark == "php_source" {
			check.OK, check.Got = false, mark
		}
	}
	if check.OK && probe.Size == 0 {
		check.Fail(upkeep.Causef("empty page"))
	}
	return check
}

// HostID returns the number of a host by name; "" is this machine.
func (f *Fleet) HostID(ctx context.Context, name string) (upkeep.HostID, error) {
	if name == "" {
		return 0, nil
	}
	host, err := f.Config.Hosts.HostByName(ctx, name)
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return 0, upkeep.Errorf(upkeep.CodeNotFound, "host %s does not exist", name).WithHint("Known hosts: upkeep host list.")
	}
	if err != nil {
		return 0, err
	}
	return host.ID, nil
}
