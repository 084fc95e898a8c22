package upkeeptest_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"upkeep"
	"upkeep/internal/demo/project"
	"upkeep/internal/upkeeptest"
)

// A module that its owner patched waits for a person, who is told; everything
// else is updated.
func TestPatchedIsHeldAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	s := miniatureDrupal(t)
	site := s.site(t)
	module := filepath.Join(project.ModuleDir("7"), project.Tally)
	plant(t, site, filepath.Join(module, "own.patch"), "--- a\n+++ b\n")
	info := filepath.Join(site.Root, module, project.Tally+".info")
	before, err := os.ReadFile(info)
	if err != nil {
		t.Fatal(err)
	}
	p := s.adopt(t, site, true)
	updates := upkeeptest.JSON[[]struct{ upkeep.Update }](t, p, "update", "list", "shop")
	at := slices.IndexFunc(updates, func(u struct{ upkeep.Update }) bool { return u.Component.ID == project.Tally })
	if at < 0 || updates[at].Disposition != upkeep.Held ||
		!slices.ContainsFunc(updates[at].Reasons, func(r upkeep.Reason) bool {
			return r.Params["finding"] == "patched" && r.Params["task"] == "examine_finding"
		}) {
		t.Fatalf("not held: %+v", updates)
	}
	out, code := p.Run(t, "site", "update", "shop", "--yes")
	iv := p.Last(t)
	if iv.State != upkeep.Done || !slices.Equal(upkeeptest.Outcomes(iv, upkeep.Applied), []string{"core"}) {
		t.Errorf("exit %d, ended %s, %+v\n%s", code, iv.State, iv.Outcomes, out)
	}
	if now, err := os.ReadFile(info); err != nil || string(now) != string(before) {
		t.Errorf("the patched module was touched: %v", err)
	}
	if status := upkeeptest.JSON[struct{ Tasks int }](t, p, "fleet", "status"); status.Tasks != 1 {
		t.Errorf("%d tasks", status.Tasks)
	}
}
