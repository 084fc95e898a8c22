package faults_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/demo/mirror"
	"upkeep/internal/upkeeptest"
)

// announce has the mirror offer a release as a good one and send the faulty
// one: that is how it happens.
func announce(t *testing.T, p *upkeeptest.Program, release fixtures.Release) {
	t.Helper()
	file, err := release.With(fixtures.None).WriteZip(t.TempDir())
	if err == nil {
		err = p.Mirror.Add(file)
	}
	var faulty []byte
	if err == nil {
		faulty, err = release.Zip()
	}
	if err == nil {
		err = os.WriteFile(file, faulty, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// shown returns the record of the newest intervention as the program shows it.
func TestPackagesThatLieAreRefusedAndTheRestGoesOn(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, demo.Spec{})
	p := upkeeptest.Adopt(t, site, fixtures.Theme(fixtures.Paper, "1.1"), fixtures.Plugin(fixtures.LoneWolf, "1.1"))
	upkeeptest.Configure(t, p, "feed_age", "0s")
	slugs := []string{fixtures.Guestbook, fixtures.Notes, fixtures.LeadForm, fixtures.Pocket, fixtures.TwoInOne, fixtures.Crumbs, fixtures.Diary}
	faults := fixtures.PackageFaults()
	if len(faults) != len(slugs) {
		t.Fatalf("%d faults for %d plugins", len(faults), len(slugs))
	}
	var bad []string
	for i, fault := range faults {
		release := fixtures.Plugin(slugs[i], "1.1").With(fault)
		announce(t, p, release)
		for _, main := range release.Mains() {
			bad = append(bad, "plugin:"+main)
		}
	}
	if out, code := p.Run(t, "site", "update", "shop", "--yes", "--except", "core"); code != 3 {
		t.Fatalf("exit %d, want 3\n%s", code, out)
	}
	record := upkeeptest.Shown(t, p)
	if record.State != upkeep.Partial || record.BeforeBackup == nil || record.AfterBackup == nil {
		t.Errorf("ended %s, backups %v and %v", record.State, record.BeforeBackup, record.AfterBackup)
	}
	applied := upkeeptest.Outcomes(&record.Intervention, upkeep.Applied)
	if want := []string{"plugin:lone-wolf.php", "theme:paper"}; !slices.Equal(slices.Sorted(slices.Values(applied)), want) {
		t.Errorf("applied %v, want %v", applied, want)
	}
	for _, o := range record.Outcomes {
		if o.Result != upkeep.Applied {
			t.Logf("%s %s: %s", o.Ref, o.Result, o.Detail)
		}
	}
	for _, hold := range record.Holds {
		if !slices.Contains(bad, hold.Component) || hold.Reason.Code != "refused_package" || hold.Reason.Params["why"] == "" {
			t.Errorf("hold %+v", hold)
		}
	}
	for i, slug := range slugs {
		main := "plugin:" + fixtures.Plugin(slug, "1.1").Mains()[0]
		if !slices.ContainsFunc(record.Holds, func(h upkeep.Hold) bool { return h.Component == main }) {
			t.Errorf("%s (%s) is not held", main, faults[i])
		}
		if !slices.ContainsFunc(record.Tasks, func(task upkeep.Task) bool { return task.Component == main && task.Code == "examine_refused" }) {
			t.Errorf("%s (%s) has no task", main, faults[i])
		}
	}
	harmless(t, p, site)
	// What was refused is not tried again.
	again := upkeeptest.JSON[[]upkeep.Update](t, p, "update", "list", "shop")
	if len(again) == 0 {
		t.Error("no updates are listed any more")
	}
	for _, u := range again {
		if slices.Contains(bad, u.Ref()) && u.Disposition == upkeep.Ready {
			t.Errorf("%s is ready again", u.Ref())
		}
	}
}

// harmless asserts that nothing of a bad package is anywhere, and that the
// site works.
func harmless(t *testing.T, p *upkeeptest.Program, site *demo.Site) {
	t.Helper()
	upkeeptest.Works(t, site)
	err := filepath.WalkDir(site.Dir, func(path string, d os.DirEntry, err error) error {
		if name := filepath.Base(path); err == nil && (name == "evil.php" || name == "secret" || name == "zeros.bin" || strings.Contains(name, "upkeep-")) {
			t.Errorf("left behind: %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(p.AgentDir(), "packages", "*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestPublisherInTrouble(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site, fixtures.Plugin(fixtures.Diary, "1.1"), fixtures.Plugin(fixtures.LoneWolf, "1.1"))
	before := upkeeptest.StateOf(t, site)

	// A download that breaks off is tried again: nobody notices. One that
	// always does is nobody's guilt: no hold, and the rest goes on.
	t.Run("cut", func(t *testing.T) {
		defer p.Mirror.Heal()
		p.Mirror.Break(mirror.Fault{Path: "/plugin/event-diary", Cut: 100})
		out, code := p.Run(t, "site", "update", "shop", "--yes", "--only", "event-diary")
		if code != 1 {
			t.Fatalf("exit %d, want 1\n%s", code, out)
		}
		record := upkeeptest.Shown(t, p)
		if record.State != upkeep.Failed || record.Before != 0 || len(record.Holds) > 0 || len(record.Tasks) > 0 {
			t.Errorf("ended %s, before %d, holds %v, tasks %v", record.State, record.Before, record.Holds, record.Tasks)
		}
		if !record.FrozenAt.IsZero() {
			t.Error("the site was frozen")
		}
		upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	})
	t.Run("corrupt", func(t *testing.T) {
		defer p.Mirror.Heal()
		p.Mirror.Break(mirror.Fault{Path: "/plugin/event-diary", Corrupt: true})
		out, code := p.Run(t, "site", "update", "shop", "--yes", "--only", "event-diary")
		if code != 1 {
			t.Fatalf("exit %d, want 1\n%s", code, out)
		}
		record := upkeeptest.Shown(t, p)
		if record.State != upkeep.Failed || len(record.Holds) != 1 || len(record.Tasks) != 1 {
			t.Errorf("ended %s, holds %v, tasks %v", record.State, record.Holds, record.Tasks)
		}
		upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	})
	t.Run("down", func(t *testing.T) {
		defer p.Mirror.Heal()
		upkeeptest.Configure(t, p, "feed_age", "0s")
		p.Mirror.Break(mirror.Fault{Path: "/", Cut: -1})
		text, code := p.Run(t, "update", "list", "shop")
		if code != 0 || !strings.Contains(text, "lone-wolf") || !strings.Contains(text, "no answer from wordpress.org") {
			t.Errorf("exit %d\n%s", code, text)
		}
		upkeeptest.Configure(t, p, "feed_age", "1h")
		out, code := p.Run(t, "site", "update", "shop", "--yes", "--only", "lone-wolf")
		if code != 1 || !strings.Contains(out, "no package could be used") {
			t.Errorf("exit %d, want 1\n%s", code, out)
		}
		upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	})
	out, code := p.Run(t, "site", "update", "shop", "--yes", "--only", "lone-wolf")
	if code != 0 {
		t.Errorf("healed: exit %d\n%s", code, out)
	}
	upkeeptest.Works(t, site)
}
