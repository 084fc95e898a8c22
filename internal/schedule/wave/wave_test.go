package wave_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"upkeep"
	"upkeep/internal/schedule/wave"
)

const component = "plugin:a/a.php"

var epoch = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

func env(core, php upkeep.Version, extensions ...string) upkeep.Environment {
	e := upkeep.Environment{Core: core, PHP: php, Extensions: map[string]upkeep.Version{component: "1"}}
	for _, ref := range extensions {
		e.Extensions[ref] = "1"
	}
	return e
}

func TestFewSitesGoInNoWaves(t *testing.T) {
	two := []wave.Site{{ID: 1, Environment: env("6.8", "8.1")}, {ID: 2, Environment: env("6.8", "8.2")}}
	if got := wave.Assign(component, two); got != nil {
		t.Errorf("%v", got)
	}
}

func TestCanariesStandForMany(t *testing.T) {
	var sites []wave.Site
	for id := range upkeep.SiteID(30) {
		sites = append(sites, wave.Site{ID: id + 1, Environment: env("6.8.1", "8.2.9", "plugin:b")})
	}
	sites[10].Environment = env("6.7", "7.4", "plugin:c")                 // alone of its kind
	sites[20].Environment = env("6.8.2", "8.2.1", "plugin:b", "plugin:d") // like most, and more
	sites[5].Mark = upkeep.Willing
	waves := wave.Assign(component, sites)
	var canaries, tenth []upkeep.SiteID
	for _, id := range slices.Sorted(maps.Keys(waves)) {
		switch waves[id] {
		case upkeep.Canaries:
			canaries = append(canaries, id)
		case upkeep.Tenth:
			tenth = append(tenth, id)
		}
	}
	if !slices.Equal(canaries, []upkeep.SiteID{11, 21}) || len(tenth) != 3 {
		t.Errorf("canaries %v, tenth %v", canaries, tenth)
	}
	for i := range sites {
		sites[i].Environment = env("6.8", "8.2")
	}
	if waves := wave.Assign(component, sites); waves[6] != upkeep.Canaries {
		t.Errorf("of equals the willing one goes first: %v", waves)
	}
}

func drawSites(t *rapid.T) []wave.Site {
	var sites []wave.Site
	for i := range rapid.IntRange(0, 60).Draw(t, "sites") {
		e := env(rapid.SampledFrom([]upkeep.Version{"6.7", "6.8.1", "6.8.2"}).Draw(t, "core"), rapid.SampledFrom([]upkeep.Version{"7.4.3", "8.1", "8.2"}).Draw(t, "php"),
			rapid.SliceOfN(rapid.SampledFrom([]string{"plugin:b", "plugin:c", "plugin:d", "theme:e"}), 0, 4).Draw(t, "extensions")...)
		sites = append(sites, wave.Site{ID: upkeep.SiteID(i + 1), Environment: e,
			Mark: rapid.SampledFrom([]upkeep.Canary{"", "", upkeep.Willing, upkeep.NeverCanary}).Draw(t, "mark")})
	}
	return sites
}

// has lists what a site has, written anew.
func has(s *wave.Site) []string {
	found := []string{string(s.Environment.Core.Branch() + " " + s.Environment.PHP.Branch())}
	for ref := range s.Environment.Extensions {
		if ref != component {
			found = append(found, ref)
		}
	}
	return found
}

// TestWavesKeepTheirPromise holds that everybody is in one wave, that the first
// are few and all add something, that who is marked never is among the last,
// and that the order of sites plays no part.
func TestWavesKeepTheirPromise(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sites := drawSites(t)
		waves := wave.Assign(component, sites)
		if len(sites) < wave.Smallest {
			if waves != nil {
				t.Fatalf("%d sites: %v", len(sites), waves)
			}
			return
		}
		count := map[int]int{}
		able := 0
		covered := map[string]int{}
		for i := range sites {
			number := waves[sites[i].ID]
			count[number]++
			if sites[i].Mark == upkeep.NeverCanary {
				if number != upkeep.Everyone {
					t.Fatalf("site %d is in wave %d", sites[i].ID, number)
				}
				continue
			}
			able++
			if number == upkeep.Canaries {
				for _, one := range has(&sites[i]) {
					covered[one]++
				}
			}
		}
		tenth := (len(sites) + 9) / 10
		if count[1]+count[2]+count[3] != len(sites) || count[1] > tenth || count[2] > tenth || able > 0 && count[1] == 0 {
			t.Fatalf("%v of %d", count, len(sites))
		}
		for i := range sites {
			adds := slices.ContainsFunc(has(&sites[i]), func(one string) bool { return covered[one] == 0 })
			if sites[i].Mark != upkeep.NeverCanary && adds && count[1] < tenth {
				t.Fatalf("there was room for site %d, which nobody stands for", sites[i].ID)
			}
		}
		if again := wave.Assign(component, rapid.Permutation(sites).Draw(t, "order")); !maps.Equal(again, waves) {
			t.Fatalf("%v, then %v", waves, again)
		}
	})
}

// fleet is members in waves: of each wave what came of its sites, in letters.
// a applied, g guilty, - nothing yet, x away; the nth an hour after the one before.
func fleet(letters ...string) (members []wave.Member) {
	for number, of := range letters {
		for _, letter := range of {
			m := wave.Member{Site: upkeep.SiteID(len(members) + 1), Wave: number + 1, Away: letter == 'x'}
			switch letter {
			case 'a':
				m.Result = upkeep.Applied
			case 'g':
				m.Result = upkeep.Guilty
			}
			if m.Result != "" {
				m.At = epoch.Add(time.Duration(len(members)+1) * time.Hour)
			}
			members = append(members, m)
		}
	}
	return members
}

func TestProgress(t *testing.T) {
	for _, test := range []struct {
		name   string
		waves  []string
		after  time.Duration // now
		held   time.Duration
		opens  [3]string // of each wave, since the beginning; "" is not known
		broken int
	}{
		{"nothing yet", []string{"--", "--", "----"}, time.Hour, 0, [3]string{"0s", "", ""}, 0},
		{"half of the canaries", []string{"a-", "--", "----"}, 2 * time.Hour, 0, [3]string{"0s", "", ""}, 0},
		{"canaries did well", []string{"aa", "--", "----"}, 3 * time.Hour, 0, [3]string{"0s", "26h0m0s", ""}, 0},
		{"who is away is not waited for", []string{"ax", "--", "----"}, 3 * time.Hour, 0, [3]string{"0s", "25h0m0s", ""}, 0},
		{"all are away", []string{"xx", "--", "----"}, 3 * time.Hour, 0, [3]string{"0s", "0s", ""}, 0},
		{"there are no canaries", []string{"", "a-", "----"}, 3 * time.Hour, 0, [3]string{"0s", "0s", ""}, 0},
		{"one canary fails", []string{"ag", "--", "----"}, 99 * time.Hour, 0, [3]string{"0s", "", ""}, 1},
		{"which people allowed", []string{"ag", "--", "----"}, 99 * time.Hour, 3 * time.Hour, [3]string{"0s", "26h0m0s", ""}, 0},
		{"and fails anew", []string{"ag", "-g", "----"}, 99 * time.Hour, 3 * time.Hour, [3]string{"0s", "26h0m0s", ""}, 2},
		{"both waves did well", []string{"a", "a", "----"}, 50 * time.Hour, 0, [3]string{"0s", "25h0m0s", "49h0m0s"}, 0},
		{"few of many fail", []string{"a", "a", "aaaaaaaaag"}, 99 * time.Hour, 0, [3]string{"0s", "25h0m0s", "49h0m0s"}, 0},
		{"too many do", []string{"a", "a", "aaaaaaaagg"}, 99 * time.Hour, 0, [3]string{"0s", "25h0m0s", "49h0m0s"}, 3},
		{"a wave has waited for a week", []string{"a-", "--", "----"}, 7 * 24 * time.Hour, 0, [3]string{"0s", "192h0m0s", ""}, 0},
		{"untried for a week", []string{"--", "--", "----"}, 7 * 24 * time.Hour, 0, [3]string{"0s", "168h0m0s", ""}, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			pace := wave.Pace{Began: epoch, Soak: 24 * time.Hour}
			if test.held > 0 {
				pace.Held = epoch.Add(test.held)
			}
			waves := wave.Progress(fleet(test.waves...), pace, epoch.Add(test.after))
			for i, w := range waves {
				opens := ""
				if !w.Opens.IsZero() {
					opens = w.Opens.Sub(epoch).String()
				}
				if opens != test.opens[i] || w.Broken != (test.broken == i+1) {
					t.Errorf("wave %d opens %q, broken %v", w.Number, opens, w.Broken)
				}
			}
		})
	}
}

// TestProgressStands holds that waves open one after the other, that time alone
// never takes back what was said, and that every release gets to everybody
// when nobody fails, whoever is silent.
func TestProgressStands(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		letters := rapid.StringOfN(rapid.RuneFrom([]rune("aaag-x")), 0, 12, -1)
		members := fleet(letters.Draw(t, "canaries"), letters.Draw(t, "tenth"), letters.Draw(t, "all"))
		pace := wave.Pace{Began: epoch, Soak: time.Duration(rapid.IntRange(1, 100).Draw(t, "soak")) * time.Hour}
		now := epoch.Add(time.Duration(rapid.IntRange(40, 1000).Draw(t, "now")) * time.Hour)
		first := wave.Progress(members, pace, now)
		second := wave.Progress(members, pace, now.Add(time.Duration(rapid.IntRange(0, 1000).Draw(t, "passes"))*time.Hour))
		failed := false
		for i := range first {
			if !first[i].Opens.IsZero() && !first[i].Opens.Equal(second[i].Opens) || first[i].Broken != second[i].Broken {
				t.Fatalf("wave %d: %+v, then %+v", i+1, first[i], second[i])
			}
			if i > 0 && !first[i].Opens.IsZero() && (first[i].Opens.Before(first[i-1].Opens) || first[i-1].Broken) {
				t.Fatalf("wave %d opens after %+v at %s", i+1, first[i-1], first[i].Opens)
			}
			failed = failed || first[i].Broken
		}
		if late := slices.IndexFunc(members, func(m wave.Member) bool { return m.Result == "" && !m.Away }); late >= 0 {
			more := slices.Clone(members)
			more[late].Result, more[late].At = upkeep.Applied, now
			for i, w := range wave.Progress(more, pace, now) {
				if open := first[i].Opens; !open.IsZero() && !open.After(now) && w.Opens.After(now) {
					t.Fatalf("wave %d was open since %s, and is not any more: %s", i+1, open, w.Opens)
				}
			}
		}
		if last := wave.Progress(members, pace, now.AddDate(2, 0, 0)); !failed && last[2].Opens.IsZero() {
			t.Fatalf("it never gets to all: %+v", last)
		}
	})
}

func TestBlame(t *testing.T) {
	for _, test := range []struct {
		name          string
		failed, works []upkeep.Environment
		want          string
	}{
		{"an extension", []upkeep.Environment{env("6.8", "8.1", "plugin:b", "plugin:c")}, []upkeep.Environment{env("6.8", "8.1", "plugin:c")}, "plugin:b"},
		{"PHP", []upkeep.Environment{env("6.8", "8.1.2"), env("6.7", "8.1.9")}, []upkeep.Environment{env("6.8", "8.2"), env("6.7", "8.3")}, "PHP 8.1"},
		{"an extension on one PHP", []upkeep.Environment{env("6.8", "8.1", "plugin:b")},
			[]upkeep.Environment{env("6.8", "8.1", "plugin:c"), env("6.8", "8.2", "plugin:b")}, "PHP 8.1, plugin:b"},
		{"where nothing works", []upkeep.Environment{env("6.8", "8.1", "plugin:b"), env("6.8", "8.1", "plugin:b", "plugin:c")}, nil, "core 6.8, PHP 8.1, plugin:b"},
		{"what cannot be told apart", []upkeep.Environment{env("6.8", "8.1")}, []upkeep.Environment{env("6.8", "8.1")}, "core 6.8, PHP 8.1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := wave.Blame(component, test.failed, test.works); got.String() != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	if got := wave.Blame(component, nil, []upkeep.Environment{env("6.8", "8.1")}); got != nil {
		t.Errorf("%v", got)
	}
}

// TestAssessCountsSites holds that a site counts once, by what was proven last.
func TestAssessCountsSites(t *testing.T) {
	var evidence []upkeep.Evidence
	for i, e := range []struct {
		site   upkeep.SiteID
		result upkeep.Result
	}{{1, upkeep.Guilty}, {1, upkeep.Applied}, {1, upkeep.NotApplied}, {2, upkeep.NotApplied}, {3, upkeep.Guilty}} {
		evidence = append(evidence, upkeep.Evidence{Site: e.site, Result: e.result, At: epoch.Add(time.Duration(i) * time.Hour), Environment: env("6.8", upkeep.Version(fmt.Sprintf("8.%d", e.site)))})
	}
	got := wave.Assess(component, "2", evidence)
	if got.Applied != 1 || got.Failed != 1 || got.Spared != 1 || got.Fails.String() != "PHP 8.3" {
		t.Errorf("%+v, %s", got, got.Fails)
	}
}
