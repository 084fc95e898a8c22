package faults_test

import (
	"slices"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/web"
)

// TestAReleaseThatBreaksACanaryIsHeldForAll: of three sites the one that stands
// for most gets a release first. It breaks there, by a plugin that the others do
// not have; they stay as they are, and a person is told.
func TestAReleaseThatBreaksACanaryIsHeldForAll(t *testing.T) {
	t.Parallel()
	plain := demo.Spec{Extensions: []fixtures.Release{fixtures.Theme(fixtures.Paper, "1.0"), fixtures.Plugin(fixtures.Guestbook, "1.0")}}
	rich := demo.Spec{Extensions: append(slices.Clone(plain.Extensions), fixtures.Plugin(fixtures.Notes, "1.0"))}
	first := upkeeptest.WordPress(t, plain)
	others := map[string]*demo.Site{"blog": upkeeptest.WordPress(t, plain), "canary": upkeeptest.WordPress(t, rich)}
	p := upkeeptest.Adopt(t, first, fixtures.Plugin(fixtures.Guestbook, "1.1").With(fixtures.Clashes), fixtures.Plugin(fixtures.Notes, "1.0"))
	must(t, p, "plan", "set", "now", "--title", "Now")
	for name, site := range others {
		must(t, p, "site", "add", site.Root, "--name", name, "--url", site.URL)
	}
	for _, name := range []string{"shop", "blog", "canary"} {
		must(t, p, "site", "subscribe", name, "now")
	}
	untouched := map[string]*upkeeptest.State{"shop": upkeeptest.StateOf(t, first), "blog": upkeeptest.StateOf(t, others["blog"])}
	begin := time.Now().UTC().Add(-time.Hour)
	must(t, p, "window", "add", "--zone", "UTC", "--from", begin.Format(time.DateOnly), "--at", begin.Format("15:04"), "--for", "12h")
	daemon(t, p)
	guestbook := "plugin:" + fixtures.Guestbook + "/" + fixtures.Guestbook + ".php"
	rollout := func() upkeep.RolloutView {
		return upkeeptest.JSON[upkeep.RolloutView](t, p, "release", "show", "wordpress", guestbook, "1.1")
	}
	upkeeptest.Eventually(t, 4*time.Minute, "the release to be held", func() bool { return rollout().Hold != nil })
	p.Settle(t)

	interventions := upkeeptest.JSON[[]web.Record](t, p, "intervention", "list")
	if len(interventions) != 1 || interventions[0].SiteName != "canary" || interventions[0].State != upkeep.Undone {
		t.Errorf("%+v", interventions)
	}
	shown := rollout()
	if s := shown.Stages[0].Sites; len(s) != 1 || s[0].Site != "canary" || s[0].Result != upkeep.Guilty {
		t.Errorf("canaries: %+v", s)
	}
	if c := shown.Confidence; c.Failed != 1 || !slices.Contains(c.Fails.Extensions, "plugin:"+fixtures.Notes+"/"+fixtures.Notes+".php") {
		t.Errorf("what is known: %+v", c)
	}
	record := upkeeptest.JSON[web.Record](t, p, "intervention", "show", interventions[0].ID.String())
	if !slices.ContainsFunc(record.Tasks, func(task upkeep.Task) bool { return task.Code == "examine_release" }) {
		t.Errorf("nobody is told: %+v", record.Tasks)
	}
	for name, site := range map[string]*demo.Site{"shop": first, "blog": others["blog"]} {
		type update struct {
			upkeep.Update
			Confidence *upkeep.Confidence `json:"confidence"`
		}
		list := upkeeptest.JSON[[]update](t, p, "update", "list", name)
		if !slices.ContainsFunc(list, func(u update) bool {
			return u.Ref() == guestbook && u.Disposition == upkeep.Held && u.Confidence != nil && u.Confidence.Failed == 1
		}) {
			t.Errorf("%s: %+v", name, list)
		}
		upkeeptest.Same(t, untouched[name], site, upkeeptest.Volatile...)
	}
	must(t, p, "site", "update", "blog", "--yes")
	if all := upkeeptest.JSON[[]upkeep.Intervention](t, p, "intervention", "list"); len(all) != 1 {
		t.Errorf("by hand, held: %+v", all[0])
	}
}
