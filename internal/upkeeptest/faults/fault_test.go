package faults_test

import (
	"slices"
	"testing"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/upkeeptest"
)

func TestCulpritIsFoundAndTheGoodAreKept(t *testing.T) {
	for _, fault := range fixtures.CodeFaults() {
		t.Run(string(fault), func(t *testing.T) {
			site := upkeeptest.WordPress(t, demo.Spec{})
			offers := []fixtures.Release{
				fixtures.Plugin(fixtures.Diary, "1.1"), fixtures.Plugin(fixtures.Notes, "1.1"),
				fixtures.Plugin(fixtures.Guestbook, "1.1").With(fault), fixtures.Plugin(fixtures.LoneWolf, "1.1"),
			}
			p := upkeeptest.Adopt(t, site, offers...)
			visitors := upkeeptest.Load(t, site)
			visitors.WaitAccepted(t, 3)
			out, code := p.Run(t, "site", "update", "shop", "--yes")
			visitors.Stop()
			if code != 3 {
				t.Fatalf("exit %d, want 3\n%s", code, out)
			}
			iv := p.Last(t)
			if iv.State != upkeep.Partial || iv.Before == 0 || iv.After == 0 {
				t.Errorf("ended %s with backups %d and %d", iv.State, iv.Before, iv.After)
			}
			if guilty := upkeeptest.Outcomes(iv, upkeep.Guilty); !slices.Equal(guilty, []string{"plugin:guestbook-lite/guestbook-lite.php"}) {
				t.Errorf("guilty: %v", guilty)
			}
			if kept := upkeeptest.Outcomes(iv, upkeep.Applied); len(kept) != 3 {
				t.Errorf("kept: %v", kept)
			}
			if iv.Identity == nil || !iv.Identity.Proven() {
				t.Errorf("identity: %+v", iv.Identity)
			}
			visitors.Check(t)
			upkeeptest.Works(t, site)
		})
	}
}
