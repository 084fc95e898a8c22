// Package discovery answers for the applications on hosts: it has hosts looked
// through, and tells what is a site from what is uncovered, so that nothing that
// is hosted is invisible.
package discovery

import (
	"context"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/agent/scan"
	"upkeep/internal/fleet"
	"upkeep/internal/web"
)

// List is web.Applications for a fleet.
type List struct{ *fleet.Fleet }

var _ web.Applications = List{}

// Kinds of the ledger's entries.
const (
	kindScanned   = "host_scanned"
	kindDismissed = "application_dismissed"
)

// ScanHost looks through a host.
func (f List) ScanHost(ctx context.Context, actor string, req web.ScanRequest) (_ *web.ScanResult, err error) {
	host, err := f.HostID(ctx, req.Host)
	if err != nil {
		return nil, err
	}
	for _, path := range req.Paths {
		if !filepath.IsAbs(path) {
			return nil, upkeep.Errorf(upkeep.CodeInvalid, "path %q: want a whole path, from /", path)
		}
	}
	roots, err := f.roots(ctx, host, req.Paths)
	if err != nil {
		return nil, err
	}
	found, err := f.Custody.Scan(ctx, host, scan.Request{Paths: req.Paths, Known: roots})
	if err != nil {
		return nil, err
	}
	changes, err := f.Config.Applications.KeepScan(ctx, host, found)
	if err != nil {
		return nil, err
	}
	result := &web.ScanResult{Places: found.Places, Cut: found.Cut, Applications: []web.Application{}}
	result.New, result.Back, result.Gone = numbers(changes.New), numbers(changes.Back), numbers(changes.Gone)
	shown, err := f.Applications(ctx)
	if err != nil {
		return nil, err
	}
	in := map[string]bool{}
	for i := range found.Discoveries {
		in[found.Discoveries[i].Root] = true
	}
	for _, root := range found.Missing {
		in[root] = true
	}
	for i := range shown {
		if shown[i].Host == host && in[shown[i].Root] {
			result.Applications = append(result.Applications, shown[i])
		}
	}
	return result, f.Enter(ctx, actor, kindScanned, 0, map[string]any{
		"host": req.Host, "paths": strings.Join(req.Paths, ", "), "found": len(found.Discoveries),
		"new": len(result.New), "back": len(result.Back), "gone": len(result.Gone),
	})
}

func numbers(found []*upkeep.Hosted) []upkeep.ApplicationID {
	ids := make([]upkeep.ApplicationID, len(found))
	for i, a := range found {
		ids[i] = a.ID
	}
	return ids
}

// roots are the folders of a host that held an application, below paths when
// there are any.
func (f List) roots(ctx context.Context, host upkeep.HostID, paths []string) ([]string, error) {
	all, err := f.Applications(ctx)
	if err != nil {
		return nil, err
	}
	var roots []string
	for i := range all {
		if all[i].Host == host && all[i].Gone.IsZero() && below(all[i].Root, paths) {
			roots = append(roots, all[i].Root)
		}
	}
	return roots, nil
}

func below(root string, paths []string) bool {
	for _, path := range paths {
		path = strings.TrimSuffix(filepath.Clean(path), "/")
		if root == path || strings.HasPrefix(root, path+"/") {
			return true
		}
	}
	return len(paths) == 0
}

// Applications returns all that is known: what was found, and sites that no
// scan has come upon.
func (f List) Applications(ctx context.Context) ([]web.Application, error) {
	found, err := f.Config.Applications.Applications(ctx)
	if err != nil {
		return nil, err
	}
	about, err := f.about(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]web.Application, 0, len(found))
	for _, a := range found {
		all = append(all, about.show(a))
	}
	for _, site := range about.left() {
		all = append(all, web.Application{
			Hosted:   upkeep.Hosted{Host: site.Host, Discovery: upkeep.Discovery{Root: site.Root, CMS: site.CMS, URLs: []string{site.URL}}},
			HostName: about.hosts[site.Host], Site: site.Name, Status: web.Covered,
		})
	}
	return all, nil
}

// place is a folder of a host.
type place struct {
	host upkeep.HostID
	root string
}

// about is what is known besides applications.
type about struct {
	hosts map[upkeep.HostID]string
	list  []*upkeep.Site
	sites map[place]*upkeep.Site
	shown map[place]bool
}

func (f List) about(ctx context.Context) (*about, error) {
	a := &about{hosts: map[upkeep.HostID]string{}, sites: map[place]*upkeep.Site{}, shown: map[place]bool{}}
	hosts, err := f.Config.Hosts.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	for _, host := range hosts {
		a.hosts[host.ID] = host.Name
	}
	if a.list, err = f.Config.Sites.Sites(ctx); err != nil {
		return nil, err
	}
	for _, site := range a.list {
		a.sites[place{site.Host, site.Root}] = site
	}
	return a, nil
}

// left are the sites that were not among the applications shown.
func (a *about) left() []*upkeep.Site {
	var left []*upkeep.Site
	for _, site := range a.list {
		if !a.shown[place{site.Host, site.Root}] {
			left = append(left, site)
		}
	}
	return left
}

func (a *about) show(found *upkeep.Hosted) web.Application {
	shown := web.Application{Hosted: *found, HostName: a.hosts[found.Host], Status: web.Uncovered}
	at := place{found.Host, found.Root}
	site := a.sites[at]
	if site != nil {
		shown.Site, a.shown[at] = site.Name, true
	}
	switch {
	case !found.Gone.IsZero():
		shown.Status = web.Gone
	case site != nil:
		shown.Status = web.Covered
	case found.Dismissed != nil:
		shown.Status = web.Dismissed
	}
	return shown
}

// application returns one that is no site. CodeConflict when it is.
func (f List) application(ctx context.Context, id upkeep.ApplicationID) (*web.Application, error) {
	found, err := f.Config.Applications.Application(ctx, id)
	if err != nil {
		return nil, err
	}
	about, err := f.about(ctx)
	if err != nil {
		return nil, err
	}
	shown := about.show(found)
	if shown.Site != "" {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "%s is already site %s, at %s", found.Root, shown.Site, found.Root).
			WithHint("Look at it: upkeep site show %s.", shown.Site)
	}
	return &shown, nil
}

// AdoptApplication makes a site of one.
func (f List) AdoptApplication(ctx context.Context, actor string, id upkeep.ApplicationID, req web.AddSiteRequest) (_ *web.Site, err error) {
	found, err := f.application(ctx, id)
	if err != nil {
		return nil, err
	}
	req.Host, req.Root = found.HostName, found.Root
	if req.URL == "" && len(found.URLs) > 0 {
		req.URL = found.URLs[0]
	}
	return fleet.SiteList(f).AddSite(ctx, actor, req)
}

// DismissApplication says that one is not to be kept.
func (f List) DismissApplication(ctx context.Context, actor string, id upkeep.ApplicationID, because string) (*web.Application, error) {
	if strings.TrimSpace(because) == "" {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "a reason is missing").WithHint("Say why with --because.")
	}
	found, err := f.application(ctx, id)
	if err != nil {
		return nil, err
	}
	dismissal := &upkeep.Dismissal{Actor: actor, Because: because}
	if err := f.Config.Applications.DismissApplication(ctx, id, dismissal); err != nil {
		return nil, err
	}
	if found.Dismissed = dismissal; found.Status == web.Uncovered {
		found.Status = web.Dismissed
	}
	return found, f.Enter(ctx, actor, kindDismissed, 0, map[string]any{"host": found.HostName, "root": found.Root, "cms": found.CMS, "because": because})
}
