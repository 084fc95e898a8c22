package store_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"upkeep"
)

func testSite(t *testing.T, on kind) {
	db, _, _ := newDB(t, on)
	ctx := t.Context()
	site := newSite(t, db, "shop.example")
	other := newSite(t, db, "blog.example")

	got, err := db.Site(ctx, site.ID)
	must(t, err)
	if !reflect.DeepEqual(got, site) {
		t.Errorf("got %+v, want %+v", got, site)
	}
	got, err = db.SiteByName(ctx, "blog.example")
	must(t, err)
	if got.ID != other.ID {
		t.Errorf("got site %v by name, want %v", got.ID, other.ID)
	}
	_, err = db.Site(ctx, 99)
	wantCode(t, err, upkeep.CodeNotFound, "99")
	_, err = db.SiteByName(ctx, "none")
	wantCode(t, err, upkeep.CodeNotFound, "none")

	same := *site
	wantCode(t, db.CreateSite(ctx, &same), upkeep.CodeConflict, "shop.example")
	same.Name = "third"
	wantCode(t, db.CreateSite(ctx, &same), upkeep.CodeConflict, "/srv/shop.example", "site shop.example")
	wantCode(t, db.CreateSite(ctx, &upkeep.Site{Name: "UPPER"}), upkeep.CodeInvalid)
	err = db.UpdateSite(ctx, other.ID, func(s *upkeep.Site) error { s.Root = site.Root; return nil })
	wantCode(t, err, upkeep.CodeConflict, "shop.example")

	must(t, db.UpdateSite(ctx, site.ID, func(s *upkeep.Site) error {
		s.ID, s.URL = 77, "https://new.example"
		return nil
	}))
	sites, err := db.Sites(ctx)
	must(t, err)
	if len(sites) != 2 || sites[0].ID != other.ID || sites[1].URL != "https://new.example" {
		t.Errorf("got %+v", sites)
	}

	must(t, db.DeleteSite(ctx, site.ID))
	wantCode(t, db.DeleteSite(ctx, site.ID), upkeep.CodeNotFound)
}

func testSiteLayout(t *testing.T, on kind) {
	db, _, _ := newDB(t, on)
	ctx := t.Context()
	site := newSite(t, db, "shop.example")
	sealed, err := db.SiteLayout(ctx, site.ID)
	must(t, err)
	if sealed != nil {
		t.Errorf("a new site has layout %q", sealed)
	}
	must(t, db.UpdateSiteLayout(ctx, site.ID, []byte{0, 1, 255}))
	sealed, err = db.SiteLayout(ctx, site.ID)
	must(t, err)
	if !bytes.Equal(sealed, []byte{0, 1, 255}) {
		t.Errorf("got %v", sealed)
	}
	wantCode(t, db.UpdateSiteLayout(ctx, 9, nil), upkeep.CodeNotFound)
	_, err = db.SiteLayout(ctx, 9)
	wantCode(t, err, upkeep.CodeNotFound)
}

func testInventory(t *testing.T, on kind) {
	db, c, _ := newDB(t, on)
	ctx := t.Context()
	site := newSite(t, db, "shop.example")
	_, err := db.Inventory(ctx, site.ID)
	wantCode(t, err, upkeep.CodeNotFound)

	first := &upkeep.Inventory{Taken: c.Now(), CMS: upkeep.WordPress,
		Components: []upkeep.Component{{Kind: upkeep.Core, ID: "core", Version: "6.4"}}}
	again := *first
	again.Taken = c.Now().Add(time.Hour)
	later := again
	later.Taken = c.Now().Add(2 * time.Hour)
	later.PHP = "8.2"
	late := *first // an old answer that arrives last
	for i, step := range []struct {
		inventory *upkeep.Inventory
		isNew     bool
	}{{first, true}, {&again, false}, {&later, true}, {&late, false}} {
		isNew, err := db.CreateInventory(ctx, site.ID, step.inventory)
		must(t, err)
		if isNew != step.isNew {
			t.Errorf("step %d: new is %v", i, isNew)
		}
	}
	got, err := db.Inventory(ctx, site.ID)
	must(t, err)
	if !reflect.DeepEqual(got, &later) {
		t.Errorf("got %+v, want %+v", got, later)
	}
	history, err := db.Inventories(ctx, upkeep.InventoryFilter{Site: site.ID})
	must(t, err)
	if len(history) != 2 || !history[1].Taken.Equal(again.Taken) {
		t.Errorf("got %+v", history)
	}
	_, err = db.CreateInventory(ctx, 99, first)
	wantCode(t, err, upkeep.CodeNotFound)
}

func testFeedAnswers(t *testing.T, on kind) {
	db, c, _ := newDB(t, on)
	answers := db.FeedAnswers()
	_, _, _, ok, err := answers.Get(t.Context(), "k")
	must(t, err)
	if ok {
		t.Error("an empty cache answers")
	}
	must(t, answers.Put(t.Context(), "k", []byte("one"), `"1"`, c.Now()))
	must(t, answers.Put(t.Context(), "k", []byte("two"), `"2"`, c.Now().Add(time.Second)))
	body, etag, at, ok, err := answers.Get(t.Context(), "k")
	must(t, err)
	if !ok || string(body) != "two" || etag != `"2"` || !at.Equal(c.Now().Add(time.Second)) {
		t.Errorf("got %q %q %v %v", body, etag, at, ok)
	}
}

func testBackup(t *testing.T, on kind) {
	db, c, _ := newDB(t, on)
	ctx := t.Context()
	site := newSite(t, db, "shop.example")
	iv := newIntervention(t, db, site.ID)
	before := &upkeep.Backup{Site: site.ID, Intervention: iv.ID, Moment: upkeep.Before, Snapshot: "aa", Frozen: true,
		Complete: true, Files: 3, Bytes: 1 << 40, Tables: 12, Manifest: "m"}
	must(t, db.CreateBackup(ctx, before))
	manual := &upkeep.Backup{Site: site.ID, Moment: upkeep.Manual}
	must(t, db.CreateBackup(ctx, manual))

	got, err := db.Backup(ctx, before.ID)
	must(t, err)
	if !reflect.DeepEqual(got, before) {
		t.Errorf("got %+v, want %+v", got, before)
	}
	twin := *before
	wantCode(t, db.CreateBackup(ctx, &twin), upkeep.CodeConflict)
	wantCode(t, db.CreateBackup(ctx, &upkeep.Backup{Site: 99, Moment: upkeep.Manual}), upkeep.CodeNotFound)
	wantCode(t, db.CreateBackup(ctx, &upkeep.Backup{Site: site.ID, Moment: "later"}), upkeep.CodeInvalid)
	wantCode(t, db.CreateBackup(ctx, &upkeep.Backup{Site: site.ID, Moment: upkeep.Manual, Complete: true}), upkeep.CodeInvalid)

	must(t, db.UpdateBackup(ctx, manual.ID, func(b *upkeep.Backup) error {
		b.Snapshot, b.Complete, b.Verified, b.Note = "bb", true, c.Now(), "asked for"
		return nil
	}))
	for _, test := range []struct {
		filter upkeep.BackupFilter
		want   []upkeep.BackupID
	}{
		{upkeep.BackupFilter{}, []upkeep.BackupID{manual.ID, before.ID}},
		{upkeep.BackupFilter{Limit: 1}, []upkeep.BackupID{manual.ID}},
		{upkeep.BackupFilter{Intervention: iv.ID, Moment: upkeep.Before, Complete: true}, []upkeep.BackupID{before.ID}},
		{upkeep.BackupFilter{Site: 99}, nil},
	} {
		found, err := db.Backups(ctx, test.filter)
		must(t, err)
		var ids []upkeep.BackupID
		for _, backup := range found {
			ids = append(ids, backup.ID)
		}
		if !reflect.DeepEqual(ids, test.want) {
			t.Errorf("%+v: got %v, want %v", test.filter, ids, test.want)
		}
	}
	must(t, db.DeleteBackup(ctx, manual.ID))
	wantCode(t, db.DeleteBackup(ctx, manual.ID), upkeep.CodeNotFound)
}

func testTaskAndHold(t *testing.T, on kind) {
	db, c, _ := newDB(t, on)
	ctx := t.Context()
	site := newSite(t, db, "shop.example")

	task := &upkeep.Task{Site: site.ID, Component: "plugin:a/a.php", Code: "buy_licence", Params: map[string]string{"to": "2"}}
	must(t, db.CreateTask(ctx, task))
	again := &upkeep.Task{Site: site.ID, Component: task.Component, Code: task.Code, Params: map[string]string{"to": "3"}}
	must(t, db.CreateTask(ctx, again))
	if again.ID != task.ID {
		t.Errorf("asking twice gave tasks %d and %d", task.ID, again.ID)
	}
	must(t, db.UpdateTask(ctx, task.ID, func(task *upkeep.Task) error { task.Closed = c.Now(); return nil }))
	must(t, db.CreateTask(ctx, again))
	open, err := db.Tasks(ctx, upkeep.TaskFilter{Site: site.ID, Open: true})
	must(t, err)
	if len(open) != 1 || open[0].ID == task.ID || open[0].Params["to"] != "3" {
		t.Errorf("got %+v", open)
	}
	must(t, db.DeleteTask(ctx, task.ID))
	_, err = db.Task(ctx, task.ID)
	wantCode(t, err, upkeep.CodeNotFound)

	hold := &upkeep.Hold{Site: site.ID, Component: "core", Version: "6.5", Reason: upkeep.Reason{Code: "guilty"}}
	must(t, db.CreateHold(ctx, hold))
	twin := &upkeep.Hold{Site: site.ID, Component: "core", Version: "6.5", Reason: upkeep.Reason{Code: "asked"}}
	must(t, db.CreateHold(ctx, twin))
	if twin.ID != hold.ID {
		t.Errorf("holding twice gave %d and %d", hold.ID, twin.ID)
	}
	must(t, db.UpdateHold(ctx, hold.ID, func(h *upkeep.Hold) error { h.Lifted = c.Now(); return nil }))
	current, err := db.Holds(ctx, upkeep.HoldFilter{Component: "core", Current: true})
	must(t, err)
	all, err := db.Holds(ctx, upkeep.HoldFilter{Site: site.ID})
	must(t, err)
	if len(current) != 0 || len(all) != 1 || all[0].Reason.Code != "asked" {
		t.Errorf("got %+v and %+v", current, all)
	}
	must(t, db.DeleteHold(ctx, hold.ID))
	_, err = db.Hold(ctx, hold.ID)
	wantCode(t, err, upkeep.CodeNotFound)
}

func testSecret(t *testing.T, on kind) {
	db, _, _ := newDB(t, on)
	ctx := t.Context()
	must(t, db.CreateSecret(ctx, "vault/1", []byte("sealed")))
	wantCode(t, db.CreateSecret(ctx, "vault/1", []byte("other")), upkeep.CodeConflict, "vault/1")
	sealed, err := db.Secret(ctx, "vault/1")
	must(t, err)
	if string(sealed) != "sealed" {
		t.Errorf("got %q", sealed)
	}
	must(t, db.DeleteSecret(ctx, "vault/1"))
	_, err = db.Secret(ctx, "vault/1")
	wantCode(t, err, upkeep.CodeNotFound)
}
