package upkeeptest_test

import (
	"testing"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/upkeeptest"
)

func TestWikiGoodUpdate(t *testing.T) {
	site := upkeeptest.DokuWiki(t, demo.WikiSpec{})
	p := upkeeptest.AdoptWiki(t, site, nil, upkeeptest.WikiBasics("2024-02-02")...)
	out, code := p.Run(t, "site", "inventory", "shop")
	t.Log(out)
	out, code = p.Run(t, "site", "update", "shop", "--yes")
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	iv := p.Last(t)
	if iv.State != upkeep.Done || iv.Before == 0 || iv.After == 0 || iv.Verdict == nil || !iv.Verdict.OK() {
		t.Errorf("ended %s, backups %d and %d, verdict %+v", iv.State, iv.Before, iv.After, iv.Verdict)
	}
	upkeeptest.Works(t, site)
}
