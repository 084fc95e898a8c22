package agency

import (
	"context"
	"time"

	"upkeep"
)

// around writes what concerns more than one site: tasks, holds, windows,
// releases that are kept back, hosts that do not answer.
func (a *Agency) around(ctx context.Context) error {
	site := func(name string) upkeep.SiteID {
		found, err := a.SiteByName(ctx, name)
		if err != nil {
			return 0
		}
		return found.ID
	}
	tasks := []upkeep.Task{
		{Site: site("reservation.beaurivage.example"), Component: "plugin:event-tickets-plus/event-tickets-plus.php", Code: "buy_licence"},
		{Site: site("reservation.beaurivage.example"), Component: "theme:astra", Code: "examine_modified"},
		{Site: site("reservation.beaurivage.example"), Code: "raise_php", Params: map[string]string{"want": "8.0"}},
		{Site: site("hotel-beaurivage.example"), Component: "plugin:elementor/elementor.php", Code: "examine_failed_update", Params: map[string]string{"version": "3.27.0", "why": "HTTP 500"}},
		{Site: site("laboratoire-halde.example"), Code: "examine_incident", Params: map[string]string{"why": "settings.php"}},
	}
	for i := range tasks {
		if err := a.at(time.Duration(len(tasks)-i)*26*time.Hour, func() error { return a.CreateTask(ctx, &tasks[i]) }); err != nil {
			return err
		}
	}
	windows := []upkeep.Window{
		{Scope: upkeep.ForAgency, Closed: true, Begin: "2026-12-24T12:00", Length: upkeep.Duration(4 * 24 * time.Hour), Zone: "Europe/Paris", Note: "Noël"},
		{Scope: upkeep.ForClient, Subject: "brumes", Closed: true, Begin: "2026-12-03T00:00", Length: upkeep.Duration(3 * 24 * time.Hour), Zone: "Europe/Paris", Note: "Festival"},
	}
	for i := range windows {
		if err := a.CreateWindow(ctx, &windows[i]); err != nil {
			return err
		}
	}
	for range 3 {
		if err := a.PutAttempt(ctx, site("pharmacie-du-port.example"), "ssh web2: no route to host"); err != nil {
			return err
		}
	}
	return a.releases(ctx)
}

// releases keeps one back, and lays the waves of another down.
func (a *Agency) releases(ctx context.Context) error {
	held := upkeep.ReleaseHold{CMS: upkeep.WordPress, Component: "plugin:elementor/elementor.php", Version: "3.27.0", Actor: "waves", Because: "failed_update", Created: a.Now}
	if err := a.PutReleaseHold(ctx, &held); err != nil {
		return err
	}
	all, err := a.Sites(ctx)
	if err != nil {
		return err
	}
	waves := map[upkeep.SiteID]int{}
	for i, s := range all {
		if s.CMS == upkeep.WordPress {
			waves[s.ID] = min(1+i/2, upkeep.Everyone)
		}
	}
	return a.CreateRollout(ctx, &upkeep.Rollout{CMS: upkeep.WordPress, Component: "plugin:wordpress-seo/wordpress-seo.php", Version: "24.1", Began: a.Now.Add(-26 * time.Hour), Waves: waves})
}

// scanned leaves applications that are no sites.
func (a *Agency) scanned(ctx context.Context, host upkeep.HostID) error {
	_, err := a.KeepScan(ctx, host, &upkeep.Scan{Places: []string{"/srv/www"}, Discoveries: []upkeep.Discovery{
		{Root: "/srv/www/old-shop.example", URLs: []string{"https://old-shop.example"}, Owner: "oldshop", CMS: "prestashop", Version: "1.7.8.7", Database: "oldshop", Bytes: 912_000_000},
		{Root: "/srv/www/cloud.example", URLs: []string{"https://cloud.example"}, Owner: "cloud", CMS: "nextcloud", Version: "28.0.4", Database: "nextcloud", Bytes: 18_400_000_000},
		{Root: "/srv/www/blog-test", Owner: "morel", CMS: upkeep.WordPress, Version: "5.9.3", Database: "wp_test", Bytes: 96_000_000},
	}})
	return err
}
