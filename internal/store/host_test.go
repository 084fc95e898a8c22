package store_test

import (
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/store"
)

func newHost(t *testing.T, db *store.DB, name string) *upkeep.Host {
	t.Helper()
	host := &upkeep.Host{Name: name, Mark: "mark-" + name, At: upkeep.Hop{User: "root", Address: name + ".example"},
		Keys: []upkeep.HostKey{{Hop: "root@" + name + ".example", Key: "ssh-ed25519 AAAA", Fingerprint: "SHA256:x"}}}
	must(t, db.CreateHost(t.Context(), host))
	return host
}

func testHosts(t *testing.T, on kind) {
	db, _, _ := newDB(t, on)
	ctx := t.Context()
	web1 := newHost(t, db, "web1")
	wantCode(t, db.CreateHost(ctx, &upkeep.Host{Name: "web1", Mark: "other", At: web1.At, Keys: web1.Keys}), upkeep.CodeConflict, "web1")
	byName, err := db.HostByName(ctx, "web1")
	must(t, err)
	byID, err := db.Host(ctx, web1.ID)
	must(t, err)
	if byName.Keys[0] != web1.Keys[0] || byID.Mark != web1.Mark {
		t.Errorf("got %+v and %+v", byName, byID)
	}
	must(t, db.CreateSite(ctx, &upkeep.Site{Name: "a.example", URL: "https://a.example", Host: web1.ID, Root: "/srv/a", CMS: upkeep.WordPress}))
	must(t, db.CreateSite(ctx, &upkeep.Site{Name: "b.example", URL: "https://b.example", Root: "/srv/a", CMS: upkeep.WordPress})) // of this machine
	wantCode(t, db.DeleteHost(ctx, web1.ID), upkeep.CodeConflict, "a.example")
	web2 := newHost(t, db, "web2")
	must(t, db.DeleteHost(ctx, web2.ID))
	hosts, err := db.Hosts(ctx)
	must(t, err)
	if len(hosts) != 1 {
		t.Errorf("got %d hosts", len(hosts))
	}
}

func testApplications(t *testing.T, on kind) {
	db, clock, _ := newDB(t, on)
	ctx := t.Context()
	web1 := newHost(t, db, "web1")
	found := func(roots ...string) *upkeep.Scan {
		var scan upkeep.Scan
		for _, root := range roots {
			scan.Discoveries = append(scan.Discoveries, upkeep.Discovery{Root: root, CMS: upkeep.WordPress, Version: "6.8"})
		}
		return &scan
	}
	keep := func(scan *upkeep.Scan, fresh, gone, back int) {
		t.Helper()
		clock.Add(time.Hour)
		changes, err := db.KeepScan(ctx, web1.ID, scan)
		must(t, err)
		if len(changes.New) != fresh || len(changes.Gone) != gone || len(changes.Back) != back {
			t.Errorf("got %d new, %d gone, %d back", len(changes.New), len(changes.Gone), len(changes.Back))
		}
	}
	keep(found("/srv/a", "/srv/b"), 2, 0, 0)
	keep(&upkeep.Scan{Discoveries: found("/srv/a").Discoveries, Missing: []string{"/srv/b"}}, 0, 1, 0)
	keep(found("/srv/b"), 0, 0, 1)
	all, err := db.Applications(ctx)
	must(t, err)
	must(t, db.DismissApplication(ctx, all[0].ID, &upkeep.Dismissal{Actor: "anna", Because: "a copy"}))
	uncovered, err := db.Uncovered(ctx)
	must(t, err)
	one, err := db.Application(ctx, all[0].ID)
	must(t, err)
	if len(all) != 2 || uncovered != 1 || one.Dismissed == nil || one.Dismissed.Because != "a copy" {
		t.Errorf("%d applications, %d uncovered, first %+v", len(all), uncovered, one)
	}
}

func testReleaseHolds(t *testing.T, on kind) {
	db, _, _ := newDB(t, on)
	ctx := t.Context()
	for _, why := range []string{"broken", "still broken"} {
		must(t, db.PutReleaseHold(ctx, &upkeep.ReleaseHold{CMS: upkeep.WordPress, Component: "plugin/shop", Version: "2.0", Actor: "anna", Because: why}))
	}
	holds, err := db.ReleaseHolds(ctx, upkeep.WordPress)
	must(t, err)
	if len(holds) != 1 || holds[0].Because != "still broken" {
		t.Errorf("got %+v", holds)
	}
	must(t, db.DeleteReleaseHold(ctx, upkeep.WordPress, "plugin/shop", "2.0"))
	wantCode(t, db.DeleteReleaseHold(ctx, upkeep.WordPress, "plugin/shop", "2.0"), upkeep.CodeNotFound)
}
