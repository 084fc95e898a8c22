package resolve_test

import (
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/resolve"
)

// compare orders plain dotted numbers, which is all these tests use.
func compare(a, b upkeep.Version) int {
	as, bs := strings.Split(string(a), "."), strings.Split(string(b), ".")
	for i := range max(len(as), len(bs)) {
		if c := cmp.Compare(number(as, i), number(bs, i)); c != 0 {
			return c
		}
	}
	return 0
}

func number(parts []string, i int) int {
	if i >= len(parts) {
		return -1
	}
	n, _ := strconv.Atoi(parts[i])
	return n
}

func core(version upkeep.Version) upkeep.Component {
	return upkeep.Component{Kind: upkeep.Core, ID: "core", Version: version, Active: true}
}

func plugin(slug string, version upkeep.Version) upkeep.Component {
	return upkeep.Component{Kind: upkeep.Plugin, ID: slug + "/" + slug + ".php", Slug: slug, Version: version}
}

func theme(slug string, version upkeep.Version, parent string) upkeep.Component {
	return upkeep.Component{Kind: upkeep.Theme, ID: slug, Slug: slug, Version: version, Parent: parent}
}

func language(slug, locale string, revised upkeep.Version) upkeep.Component {
	return upkeep.Component{Kind: upkeep.Language, ID: slug + " " + locale, Slug: slug, Locale: locale, Version: revised}
}

func release(kind upkeep.Kind, slug string, version upkeep.Version) upkeep.Release {
	return upkeep.Release{Kind: kind, Slug: slug, Version: version, Source: "wordpress.org",
		Package: "https://downloads.wordpress.org/" + slug + "." + string(version) + ".zip"}
}

func site(components ...upkeep.Component) resolve.Input {
	return resolve.Input{
		Site: upkeep.Site{ID: 7}, Rules: resolve.Rules{Compare: compare}, Now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
		Inventory: &upkeep.Inventory{Components: components, PHP: "8.2.7", Database: "10.11.6-MariaDB"},
	}
}

// tell writes a plan as one line per update: ref, version, disposition or
// batch number, and the codes of its reasons.
func tell(plan resolve.Plan) []string {
	var lines []string
	for i := range plan.Updates {
		u := &plan.Updates[i]
		where := string(u.Disposition)
		if u.Batch > 0 {
			where = strconv.Itoa(u.Batch)
		}
		line := u.Ref() + " " + string(u.Release.Version) + " " + where
		if u.Security {
			line += " security"
		}
		for _, r := range u.Reasons {
			line += " " + r.Code
		}
		lines = append(lines, line)
	}
	return lines
}

func TestResolve(t *testing.T) {
	coreOffers := []upkeep.Release{release(upkeep.Core, "wordpress", "7.1"), release(upkeep.Core, "wordpress", "6.8.8")}
	requires := func(r upkeep.Release, change func(*upkeep.Release)) upkeep.Release { change(&r); return r }
	tests := []struct {
		name   string
		in     resolve.Input
		adjust func(*resolve.Input)
		want   []string
	}{
		{"nothing newer", site(plugin("akismet", "5.3")), func(in *resolve.Input) {
			in.Releases = []upkeep.Release{release(upkeep.Plugin, "akismet", "5.3"), release(upkeep.Plugin, "akismet", "5.2")}
		}, nil},
		{"newest of several", site(plugin("akismet", "5.3")), func(in *resolve.Input) {
			in.Releases = []upkeep.Release{release(upkeep.Plugin, "akismet", "5.4"), release(upkeep.Plugin, "akismet", "5.10")}
		}, []string{"plugin:akismet/akismet.php 5.10 1"}},
		{"newest acceptable", site(plugin("akismet", "5.3")), func(in *resolve.Input) {
			in.Releases = []upkeep.Release{release(upkeep.Plugin, "akismet", "5.4"),
				requires(release(upkeep.Plugin, "akismet", "6.0"), func(r *upkeep.Release) { r.RequiresPHP = "8.4" })}
		}, []string{"plugin:akismet/akismet.php 5.4 1 newer_skipped"}},
		{"php and database too old", site(plugin("akismet", "5.3")), func(in *resolve.Input) {
			in.Releases = []upkeep.Release{requires(release(upkeep.Plugin, "akismet", "6.0"), func(r *upkeep.Release) {
				r.RequiresPHP, r.RequiresDatabase = "8.4", "11.4"
			})}
		}, []string{"plugin:akismet/akismet.php 6.0 held requires_php requires_database"}},
		{"core stays in its branch", site(core("6.8.3")), func(in *resolve.Input) { in.Releases = coreOffers },
			[]string{"core 6.8.8 1 security major_available in_branch"}},
		{"core in a new branch is quoted", site(core("6.8.8")), func(in *resolve.Input) { in.Releases = coreOffers },
			[]string{"core 7.1 quote major"}},
		{"core in a new branch where allowed", site(core("6.8.3")), func(in *resolve.Input) {
			in.Releases, in.Site.Policy.Majors = coreOffers, true
		}, []string{"core 7.1 1 security major"}},
		{"core where only people go", site(core("6.8.8")), func(in *resolve.Input) {
			in.Site.Policy.Majors = true
			in.Releases = []upkeep.Release{requires(release(upkeep.Core, "wordpress", "7.1"), func(r *upkeep.Release) { r.ByHand = true })}
		}, []string{"core 7.1 quote major"}},
		{"core's minor first, then what needs it", site(core("6.8.3"), plugin("akismet", "5.3"), plugin("forms", "1.0")), func(in *resolve.Input) {
			in.Releases = append(coreOffers, release(upkeep.Plugin, "akismet", "5.4"),
				requires(release(upkeep.Plugin, "forms", "2.0"), func(r *upkeep.Release) { r.RequiresCMS = "6.8.5" }))
		}, []string{"core 6.8.8 1 security major_available in_branch core_first", "plugin:akismet/akismet.php 5.4 2", "plugin:forms/forms.php 2.0 3 after_core"}},
		{"extensions before core's major, but for those that need it", site(core("6.8.8"), plugin("akismet", "5.3"), plugin("aforms", "1.0")), func(in *resolve.Input) {
			in.Site.Policy.Majors = true
			in.Releases = append(coreOffers, release(upkeep.Plugin, "akismet", "5.4"),
				requires(release(upkeep.Plugin, "aforms", "2.0"), func(r *upkeep.Release) { r.RequiresCMS = "7.0" }))
		}, []string{"core 7.1 2 major extensions_first", "plugin:akismet/akismet.php 5.4 1", "plugin:aforms/aforms.php 2.0 3 after_core"}},
		{"core by a release in between", site(core("6.1.0")), func(in *resolve.Input) {
			in.Site.Policy.Majors = true
			in.Releases = []upkeep.Release{requires(release(upkeep.Core, "wordpress", "7.1"), func(r *upkeep.Release) { r.UpgradesFrom = "6.5" }),
				requires(release(upkeep.Core, "wordpress", "6.5.2"), func(r *upkeep.Release) { r.UpgradesFrom = "6.0" })}
		}, []string{"core 6.5.2 1 newer_skipped major"}},
		{"core too far behind", site(core("6.1.0")), func(in *resolve.Input) {
			in.Releases = []upkeep.Release{requires(release(upkeep.Core, "wordpress", "7.1"), func(r *upkeep.Release) { r.UpgradesFrom = "6.5" })}
		}, []string{"core 7.1 held too_far_behind major"}},
		{"a quoted core lifts nothing", site(core("6.8.8"), plugin("aforms", "1.0")), func(in *resolve.Input) {
			in.Releases = append(coreOffers, requires(release(upkeep.Plugin, "aforms", "2.0"), func(r *upkeep.Release) { r.RequiresCMS = "7.0" }))
		}, []string{"core 7.1 quote major", "plugin:aforms/aforms.php 2.0 held requires_cms"}},
		{"dependencies first", site(plugin("aa", "1"), plugin("zz", "1")), func(in *resolve.Input) {
			in.Releases = []upkeep.Release{release(upkeep.Plugin, "zz", "2"),
				requires(release(upkeep.Plugin, "aa", "2"), func(r *upkeep.Release) { r.RequiresComponents = []string{"zz"} })}
		}, []string{"plugin:aa/aa.php 2 2 after_component", "plugin:zz/zz.php 2 1"}},
		{"dependencies in a circle go together", site(plugin("aa", "1"), plugin("zz", "1")), func(in *resolve.Input) {
			in.Releases = []upkeep.Release{
				requires(release(upkeep.Plugin, "zz", "2"), func(r *upkeep.Release) { r.RequiresComponents = []string{"aa"} }),
				requires(release(upkeep.Plugin, "aa", "2"), func(r *upkeep.Release) { r.RequiresComponents = []string{"zz"} })}
		}, []string{"plugin:aa/aa.php 2 1 after_component", "plugin:zz/zz.php 2 1 after_component"}},
		{"dependency missing", site(plugin("aa", "1")), func(in *resolve.Input) {
			in.Releases = []upkeep.Release{requires(release(upkeep.Plugin, "aa", "2"), func(r *upkeep.Release) { r.RequiresComponents = []string{"zz"} })}
		}, []string{"plugin:aa/aa.php 2 held requires_component"}},
		{"family", site(plugin("woocommerce", "8.0"), plugin("woocommerce-payments", "6.0"), plugin("woo", "1")), func(in *resolve.Input) {
			in.Releases = []upkeep.Release{release(upkeep.Plugin, "woocommerce", "8.5"), release(upkeep.Plugin, "woocommerce-payments", "6.5"), release(upkeep.Plugin, "woo", "2")}
		}, []string{"plugin:woocommerce/woocommerce.php 8.5 2", "plugin:woocommerce-payments/woocommerce-payments.php 6.5 2 with_family", "plugin:woo/woo.php 2 1"}},
		{"parent and child theme", site(theme("child", "1", "parent"), theme("parent", "1", "")), func(in *resolve.Input) {
			in.Releases = []upkeep.Release{release(upkeep.Theme, "child", "2"), release(upkeep.Theme, "parent", "2")}
		}, []string{"theme:child 2 1 with_parent", "theme:parent 2 1"}},
		{"translations follow", site(plugin("akismet", "5.3"), language("akismet", "fr_FR", "2020-01-01 00:00:00+0000"), language("other", "fr_FR", "2021-01-01 00:00:00+0000")), func(in *resolve.Input) {
			fr, other, old := release(upkeep.Language, "akismet", "2022-02-02 01:02:03"), release(upkeep.Language, "other", "2022-02-02 01:02:03"), release(upkeep.Language, "other", "2020-12-31 23:00:00")
			fr.Locale, other.Locale, old.Locale = "fr_FR", "fr_FR", "fr_FR"
			in.Releases = []upkeep.Release{release(upkeep.Plugin, "akismet", "5.4"), fr, other, old}
		}, []string{"plugin:akismet/akismet.php 5.4 1", "language:akismet fr_FR 2022-02-02 01:02:03 1 with_component", "language:other fr_FR 2022-02-02 01:02:03 2"}},
		{"modified, linked, closed", site(plugin("aa", "1"), plugin("bb", "1"), plugin("cc", "1")), func(in *resolve.Input) {
			in.Releases = []upkeep.Release{release(upkeep.Plugin, "aa", "2"), release(upkeep.Plugin, "bb", "2"), release(upkeep.Plugin, "cc", "2")}
			in.Findings = []upkeep.Finding{{Code: "modified", Component: "plugin:aa/aa.php", Paths: []string{"aa.php"}, Blocks: true}, {Code: "odd", Component: "plugin:bb/bb.php"}}
			in.Inventory.Components[1].Link = "/srv/shared/bb"
			in.Closed = []upkeep.Closed{{Kind: upkeep.Plugin, Slug: "cc", Reason: "Security issue."}}
		}, []string{"plugin:aa/aa.php 2 held modified", "plugin:bb/bb.php 2 held symlinked", "plugin:cc/cc.php 2 held closed"}},
		{"holds", site(plugin("aa", "1"), plugin("bb", "1"), plugin("cc", "1"), plugin("dd", "1"), plugin("ee", "1")), func(in *resolve.Input) {
			in.Releases = []upkeep.Release{release(upkeep.Plugin, "aa", "2"), release(upkeep.Plugin, "bb", "2"), release(upkeep.Plugin, "cc", "2"), release(upkeep.Plugin, "dd", "3"), release(upkeep.Plugin, "dd", "2"), release(upkeep.Plugin, "ee", "2")}
			in.Site.Policy.HoldComponents = []string{"cc"}
			in.Holds = []upkeep.Hold{
				{ID: 1, Site: 7, Component: "plugin:aa/aa.php"},
				{ID: 2, Site: 8, Component: "plugin:bb/bb.php"},
				{ID: 3, Site: 7, Component: "plugin:bb/bb.php", Lifted: time.Unix(1, 0)},
				{ID: 5, Component: "plugin:ee/ee.php", Lifted: in.Now.Add(time.Hour)},
				{ID: 4, Site: 7, Component: "plugin:dd/dd.php", Version: "3"},
			}
		}, []string{"plugin:aa/aa.php 2 held hold", "plugin:bb/bb.php 2 1", "plugin:cc/cc.php 2 held policy_hold", "plugin:dd/dd.php 2 2 newer_skipped", "plugin:ee/ee.php 2 held hold"}},
		{"site held", site(core("6.8.3"), plugin("aa", "1")), func(in *resolve.Input) {
			in.Releases = append(coreOffers, release(upkeep.Plugin, "aa", "2"))
			in.Inventory.Findings = []upkeep.Finding{{Code: "version_control", Blocks: true}}
			in.Holds = []upkeep.Hold{{ID: 9, Site: 7}}
		}, []string{"core 6.8.8 held security site_held site_finding major_available in_branch", "plugin:aa/aa.php 2 held site_held site_finding"}},
		{"version control, and told so", site(core("6.8.3"), plugin("aa", "1"), plugin("bb", "1")), func(in *resolve.Input) {
			in.Releases = []upkeep.Release{release(upkeep.Plugin, "aa", "2"), release(upkeep.Plugin, "bb", "2")}
			in.Site.Policy.Tracked = true
			in.Inventory.Findings = []upkeep.Finding{
				{Code: "version_control", Blocks: true}, {Code: "version_control", Component: "plugin:aa/aa.php", Blocks: true},
				{Code: "file_missing", Component: "plugin:bb/bb.php", Blocks: true},
			}
		}, []string{"plugin:aa/aa.php 2 1", "plugin:bb/bb.php 2 held component_finding"}},
		{"versions that are dates, and PHP in its own order", site(core("2025-05-14a"), plugin("aa", "2024-01-01")), func(in *resolve.Input) {
			in.Compare = func(a, b upkeep.Version) int { return strings.Compare(string(a), string(b)) }
			in.Branch = func(v upkeep.Version) string { return string(v)[:10] }
			in.Inventory.PHP = "10.1"
			in.Releases = []upkeep.Release{release(upkeep.Core, "", "2025-05-14b"), release(upkeep.Core, "", "2025-06-01"),
				requires(release(upkeep.Plugin, "aa", "2025-01-01"), func(r *upkeep.Release) { r.RequiresPHP = "8.2" })}
		}, []string{"core 2025-05-14b 1 security major_available in_branch core_first", "plugin:aa/aa.php 2025-01-01 2"}},
		{"another name of the publisher", site(plugin("aa", "1")), func(in *resolve.Input) {
			in.Inventory.Components[0].UpdateURI = "w.example/aa"
			in.Publisher = func(string) string { return "wordpress.org" }
			in.Releases = []upkeep.Release{release(upkeep.Plugin, "aa", "2")}
		}, []string{"plugin:aa/aa.php 2 1"}},
		{"two plugins in one folder", site(plugin("aa", "1"), upkeep.Component{Kind: upkeep.Plugin, ID: "aa/more.php", Slug: "aa", Version: "1"}), func(in *resolve.Input) {
			first, second := release(upkeep.Plugin, "aa", "2"), release(upkeep.Plugin, "aa", "1.5")
			first.ID, second.ID = "aa/aa.php", "aa/more.php"
			in.Releases = []upkeep.Release{first, second}
		}, []string{"plugin:aa/aa.php 2 1 with_folder", "plugin:aa/more.php 1.5 1 with_folder"}},
		{"a vendor's update, its licence, and a stranger of the same slug", site(plugin("pro", "1"), plugin("gold", "1"), plugin("lone", "1")), func(in *resolve.Input) {
			c := in.Inventory.Components
			c[0].Vendor = &upkeep.Release{Kind: upkeep.Plugin, Slug: "pro", Version: "2", Package: "https://vendor.example/pro.zip", Source: "vendor.example"}
			c[1].Vendor = &upkeep.Release{Kind: upkeep.Plugin, Slug: "gold", Version: "2", Source: "vendor.example"}
			c[2].UpdateURI = "https://vendor.example/lone"
			in.Releases = []upkeep.Release{release(upkeep.Plugin, "pro", "99"), release(upkeep.Plugin, "gold", "99"), release(upkeep.Plugin, "lone", "99")}
		}, []string{"plugin:pro/pro.php 2 1 from_vendor", "plugin:gold/gold.php 2 held licence_missing from_vendor"}},
		{"a mirror's answer that the site recorded is no vendor's", site(plugin("aa", "1")), func(in *resolve.Input) {
			vendor := release(upkeep.Plugin, "aa", "2")
			vendor.Package, vendor.Source = "http://mirror.lan/plugin/aa.2.zip", "mirror.lan"
			in.Inventory.Components[0].Vendor = &vendor
			known := release(upkeep.Plugin, "aa", "3")
			known.Package = "http://mirror.lan/plugin/aa.3.zip"
			in.Releases = []upkeep.Release{known}
		}, []string{"plugin:aa/aa.php 3 1"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			test.adjust(&test.in)
			if got := tell(resolve.Resolve(test.in)); !slices.Equal(got, test.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(test.want, "\n  "))
			}
		})
	}
}

func TestNotes(t *testing.T) {
	in := site(plugin("gone", "1"), plugin("lone", "1"))
	in.Inventory.Components[1].UpdateURI = "false"
	in.Inventory.Schema = upkeep.Schema{Files: "60421", Database: "58975", Pending: true}
	in.Closed = []upkeep.Closed{{Kind: upkeep.Plugin, Slug: "gone", Since: time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC)}}
	got, _ := json.Marshal(resolve.Resolve(in).Notes)
	want := `[{"component":"plugin:gone/gone.php","reason":{"code":"closed","params":{"since":"2024-05-06","task":"replace_component"}}},` +
		`{"component":"plugin:lone/lone.php","reason":{"code":"no_source","params":{"uri":"false"}}},` +
		`{"reason":{"code":"schema_pending","params":{"database":"58975","files":"60421"}}}]`
	if string(got) != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestBatchesSayWhatTheyNeed(t *testing.T) {
	in := site(core("6.8.3"), plugin("aa", "1"), plugin("zz", "1"))
	needy := release(upkeep.Plugin, "aa", "2")
	needy.RequiresComponents, needy.RequiresCMS = []string{"zz"}, "6.8.4"
	in.Releases = []upkeep.Release{release(upkeep.Core, "wordpress", "6.8.8"), needy, release(upkeep.Plugin, "zz", "2")}
	plan := resolve.Resolve(in)
	if len(plan.Batches) != 3 || !slices.Equal(plan.Batches[2].After, []int{1, 2}) {
		t.Errorf("batches %+v", plan.Batches)
	}
}

func TestSelect(t *testing.T) {
	in := site(core("6.8.3"), plugin("aa", "1"), plugin("zz", "1"), plugin("woocommerce", "1"), plugin("woocommerce-x", "1"), plugin("fresh", "1"))
	needy, urgent := release(upkeep.Plugin, "aa", "2"), release(upkeep.Plugin, "woocommerce-x", "2")
	needy.RequiresComponents, needy.Security, urgent.Security = []string{"zz"}, true, true
	in.Releases = []upkeep.Release{release(upkeep.Core, "wordpress", "6.8.8"), needy, urgent,
		release(upkeep.Plugin, "zz", "2"), release(upkeep.Plugin, "woocommerce", "2")}
	plan := resolve.Resolve(in)
	before, _ := json.Marshal(plan)
	tests := []struct {
		name         string
		only, except []string
		security     bool
		want         string // refs, or the error
		hint         string
	}{
		{"everything", nil, nil, false, "core aa zz woocommerce woocommerce-x", ""},
		{"one", []string{"zz"}, nil, false, "zz", ""},
		{"a kind but one", []string{"plugin"}, []string{"woocommerce"}, false, "aa zz woocommerce-x", ""},
		{"up to date", []string{"fresh"}, nil, false, "", ""},
		{"security, with what it needs", nil, nil, true, "core aa zz woocommerce-x", ""},
		{"typing error", []string{"wocommerce"}, nil, false, `select updates: "wocommerce" names no component of this site`, "Did you mean woocommerce?"},
		{"unknown", []string{"jetpack"}, nil, false, `select updates: "jetpack" names no component of this site`, "See the names with: upkeep site inventory."},
		{"without its dependency", []string{"aa"}, nil, false, "select updates: plugin:aa/aa.php 2 needs the update of plugin:zz/zz.php, which is left out",
			"Add --only plugin:zz/zz.php, or leave out plugin:aa/aa.php as well."},
		{"dependency excluded", nil, []string{"zz"}, true, "select updates: plugin:aa/aa.php 2 needs the update of plugin:zz/zz.php, which is left out",
			"Add --only plugin:zz/zz.php, or leave out plugin:aa/aa.php as well."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			selected, err := resolve.Select(plan, test.only, test.except, test.security)
			var got []string
			batched := 0
			for i := range selected.Updates {
				u := &selected.Updates[i]
				got = append(got, cmp.Or(u.Component.Slug, "core"))
			}
			for _, batch := range selected.Batches {
				batched += len(batch.Updates)
			}
			text := strings.Join(got, " ")
			if err != nil {
				text = err.Error()
			}
			if text != test.want || upkeep.HintOf(err) != test.hint || batched != len(got) {
				t.Errorf("got %q hint %q, %d in batches", text, upkeep.HintOf(err), batched)
			}
		})
	}
	if after, _ := json.Marshal(plan); string(after) != string(before) {
		t.Error("selecting changed the plan it selected from")
	}
}

// Where the publisher marks what mends flaws, a release of the own branch that
// it does not mark is an ordinary one.
func TestSecurityOfCoreIsThePublishersWhereItMarks(t *testing.T) {
	for _, c := range []struct{ marks, marked, want bool }{
		{false, false, true}, {false, true, true}, {true, false, false}, {true, true, true},
	} {
		in := site(core("6.4.1"))
		in.Rules.Marks = c.marks
		in.Releases = []upkeep.Release{release(upkeep.Core, "", "6.4.2")}
		in.Releases[0].Security = c.marked
		if plan := resolve.Resolve(in); len(plan.Updates) != 1 || plan.Updates[0].Security != c.want {
			t.Errorf("%+v: %+v", c, plan.Updates)
		}
	}
}
