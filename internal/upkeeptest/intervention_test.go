package upkeeptest_test

import (
	"testing"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/upkeeptest"
)

func TestGoodUpdateEndsDoneWithBothBackups(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, demo.Spec{})
	p := upkeeptest.Adopt(t, site, upkeeptest.Basics("1.1")...)

	if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	iv := p.Last(t)
	if iv.State != upkeep.Done || iv.Before == 0 || iv.After == 0 || iv.Verdict == nil || !iv.Verdict.OK() {
		t.Errorf("ended %s, backups %d and %d, verdict %+v", iv.State, iv.Before, iv.After, iv.Verdict)
	}
	for _, outcome := range iv.Outcomes {
		if outcome.Result != upkeep.Applied {
			t.Errorf("%+v", outcome)
		}
	}
	upkeeptest.Works(t, site)
}
