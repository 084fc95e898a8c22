package retention_test

import (
	"crypto/sha256"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/retention"
)

func TestExpired(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	var all []vault.Snapshot
	names := map[vault.ID]string{}
	add := func(name, site string, intervention upkeep.InterventionID, daysAgo int) {
		s := vault.Snapshot{ID: sha256.Sum256([]byte(name)), Time: now.AddDate(0, 0, -daysAgo)}
		if site != "" {
			s.Tags = append(s.Tags, vault.SiteTag(site))
		}
		if intervention > 0 {
			s.Tags = append(s.Tags, vault.InterventionTag(intervention))
		}
		names[s.ID] = name
		all = append(all, s)
	}
	add("a-before", "shop", 1, 70)
	add("a-after", "shop", 1, 70)
	add("b-before", "shop", 2, 40)
	add("b-after", "shop", 2, 39)
	add("c-before", "shop", 3, 3)
	add("c-after", "shop", 3, 2)
	add("m-old", "shop", 0, 50)
	add("m-new", "shop", 0, 1)
	add("foreign", "", 0, 400)
	add("blog-only", "blog", 9, 400)
	for _, c := range []struct {
		keep upkeep.Retention
		want string
	}{
		{upkeep.Retention{}, ""},
		{upkeep.Retention{Last: 1}, "a-after a-before b-after b-before m-old"},
		{upkeep.Retention{Last: 2}, "a-after a-before"},
		{upkeep.Retention{Days: 10}, "a-after a-before b-after b-before blog-only m-old"},
		{upkeep.Retention{Days: 45}, "a-after a-before blog-only m-old"},
		{upkeep.Retention{Monthly: 2}, "a-after a-before c-after c-before m-old"},
		{upkeep.Retention{Monthly: 9, Last: 1}, "m-old"},
	} {
		var got []string
		for _, id := range retention.Expired(all, c.keep, now) {
			got = append(got, names[id])
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v expires %q, want %q", c.keep, got, c.want)
		}
	}
}
