package resolve_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"upkeep"
	"upkeep/internal/resolve"
)

// drawVersion draws a small version, so that drawn versions meet often.
func drawVersion(t *rapid.T, label string) upkeep.Version {
	return upkeep.Version(fmt.Sprintf("%d.%d.%d", rapid.IntRange(1, 2).Draw(t, label), rapid.IntRange(0, 2).Draw(t, label), rapid.IntRange(0, 2).Draw(t, label)))
}

// slugs are few and related, so that families, needs and circles occur.
var slugs = []string{"forms", "forms-pro", "forms-pro-pdf", "shop", "seo"}

// drawSite draws a site with everything that resolve looks at.
func drawSite(t *rapid.T) resolve.Input {
	in := site(core(drawVersion(t, "core")))
	in.Site.Policy.Majors = rapid.Bool().Draw(t, "majors")
	for _, slug := range slugs {
		if rapid.Bool().Draw(t, "installed "+slug) {
			c := plugin(slug, drawVersion(t, slug))
			c.RequiresComponents = rapid.SliceOfN(rapid.SampledFrom(slugs), 0, 1).Draw(t, "requires")
			if rapid.IntRange(0, 9).Draw(t, "linked") == 0 {
				c.Link = "/srv/elsewhere"
			}
			in.Inventory.Components = append(in.Inventory.Components, c, language(slug, "fr_FR", "2020-01-01 00:00:00+0000"))
		}
	}
	if rapid.Bool().Draw(t, "themes") {
		in.Inventory.Components = append(in.Inventory.Components, theme("parent", drawVersion(t, "parent"), ""), theme("child", drawVersion(t, "child"), "parent"))
	}
	for range rapid.IntRange(0, 12).Draw(t, "releases") {
		in.Releases = append(in.Releases, drawRelease(t))
	}
	for _, slug := range rapid.SliceOfN(rapid.SampledFrom(slugs), 0, 2).Draw(t, "held") {
		hold := upkeep.Hold{ID: 1, Site: 7, Component: "plugin:" + slug + "/" + slug + ".php"}
		if rapid.Bool().Draw(t, "one release") {
			hold.Version = drawVersion(t, "held version")
		}
		in.Holds = append(in.Holds, hold)
	}
	return in
}

func drawRelease(t *rapid.T) upkeep.Release {
	kind := rapid.SampledFrom([]upkeep.Kind{upkeep.Core, upkeep.Plugin, upkeep.Plugin, upkeep.Plugin, upkeep.Theme, upkeep.Language}).Draw(t, "kind")
	slug := rapid.SampledFrom(slugs).Draw(t, "slug")
	if kind == upkeep.Theme {
		slug = rapid.SampledFrom([]string{"parent", "child"}).Draw(t, "theme")
	}
	r := release(kind, slug, drawVersion(t, "release"))
	switch {
	case kind == upkeep.Language:
		r.Locale, r.Version = "fr_FR", "2021-01-01 00:00:00"
	case kind != upkeep.Core:
		r.RequiresComponents = rapid.SliceOfN(rapid.SampledFrom(slugs), 0, 2).Draw(t, "needs")
		r.Security = rapid.Bool().Draw(t, "security")
		if rapid.Bool().Draw(t, "wants core") {
			r.RequiresCMS = drawVersion(t, "requires core")
		}
	}
	if rapid.IntRange(0, 9).Draw(t, "without package") == 0 {
		r.Package = ""
	}
	return r
}

func TestPlansAreSound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := drawSite(t)
		plan := resolve.Resolve(in)
		again := in
		again.Releases = slices.Clone(in.Releases)
		slices.Reverse(again.Releases)
		if a, b := encode(plan), encode(resolve.Resolve(again)); a != b {
			t.Fatalf("the same question has two answers\n%s\n%s", a, b)
		}
		for i := range in.Inventory.Components {
			checkComponent(t, &in, plan, &in.Inventory.Components[i])
		}
		checkBatches(t, plan)
		settled := apply(in, plan)
		if left := resolve.Resolve(settled); len(left.Batches) > 0 && !unlocked(in, plan) {
			t.Fatalf("applied, the plan leaves %v", tell(left))
		}
	})
}

func encode(plan resolve.Plan) string {
	text, err := json.Marshal(plan)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// checkComponent: with a newer release exactly once in the plan, without one
// not at all, and never a step back.
func checkComponent(t *rapid.T, in *resolve.Input, plan resolve.Plan, c *upkeep.Component) {
	count := 0
	for i := range plan.Updates {
		u := &plan.Updates[i]
		if u.Ref() != c.Ref() {
			continue
		}
		count++
		if c.Kind != upkeep.Language && compare(u.Release.Version, c.Version) <= 0 {
			t.Fatalf("%s: %s is not newer than %s", c.Ref(), u.Release.Version, c.Version)
		}
		if (u.Disposition == upkeep.Ready) != (u.Batch > 0) || u.Disposition != upkeep.Ready && len(u.Reasons) == 0 {
			t.Fatalf("%s is %s in batch %d because of %v", c.Ref(), u.Disposition, u.Batch, u.Reasons)
		}
		if u.Disposition == upkeep.Ready && u.Release.Package == "" {
			t.Fatalf("%s is ready without a package", c.Ref())
		}
	}
	newer := slices.ContainsFunc(in.Releases, func(r upkeep.Release) bool {
		return r.Kind == c.Kind && (c.Kind == upkeep.Core || r.Slug == c.Slug) && (c.Kind == upkeep.Language || compare(r.Version, c.Version) > 0)
	})
	if want := map[bool]int{true: 1}[newer]; count != want {
		t.Fatalf("%s is in the plan %d times, want %d", c.Ref(), count, want)
	}
}

// checkBatches: numbered in order, each update in one, and whatever an update
// needs is updated before it or beside it.
func checkBatches(t *rapid.T, plan resolve.Plan) {
	at := make(map[string]int)
	for i, batch := range plan.Batches {
		if batch.Number != i+1 || len(batch.Updates) == 0 {
			t.Fatalf("batch %d has number %d and %d updates", i, batch.Number, len(batch.Updates))
		}
		for _, after := range batch.After {
			if after >= batch.Number || after < 1 {
				t.Fatalf("batch %d is after %d", batch.Number, after)
			}
		}
		for j := range batch.Updates {
			u := &batch.Updates[j]
			if at[u.Ref()] != 0 || u.Batch != batch.Number {
				t.Fatalf("%s is in batches %d, %d, %d", u.Ref(), at[u.Ref()], u.Batch, batch.Number)
			}
			at[u.Ref()] = batch.Number
		}
	}
	for i := range plan.Updates {
		u := &plan.Updates[i]
		if (at[u.Ref()] != 0) != (u.Disposition == upkeep.Ready) {
			t.Fatalf("%s is %s in batch %d", u.Ref(), u.Disposition, at[u.Ref()])
		}
		for _, slug := range u.Release.RequiresComponents {
			if needed := at["plugin:"+slug+"/"+slug+".php"]; at[u.Ref()] != 0 && needed > at[u.Ref()] {
				t.Fatalf("%s in batch %d needs %s in batch %d", u.Ref(), at[u.Ref()], slug, needed)
			}
		}
		afterCore := slices.ContainsFunc(u.Reasons, func(r upkeep.Reason) bool { return r.Code == resolve.AfterCore })
		if at[u.Ref()] != 0 && afterCore && at["core"] >= at[u.Ref()] {
			t.Fatalf("%s needs the new core, which comes later", u.Ref())
		}
	}
}

// apply returns the site as it is when every batch went well.
func apply(in resolve.Input, plan resolve.Plan) resolve.Input {
	after := *in.Inventory
	after.Components = slices.Clone(after.Components)
	for i := range after.Components {
		for _, batch := range plan.Batches {
			for j := range batch.Updates {
				if u := &batch.Updates[j]; u.Ref() == after.Components[i].Ref() {
					after.Components[i].Version = u.Release.Version
				}
			}
		}
	}
	in.Inventory = &after
	return in
}

// unlocked reports whether core's own update may make something else
// possible: then a second run has more to do. Within a run core's new version
// is what requirements are compared with, so only majors taken in two steps
// can do that.
func unlocked(in resolve.Input, plan resolve.Plan) bool {
	return in.Site.Policy.Majors && slices.ContainsFunc(plan.Updates, func(u upkeep.Update) bool {
		return u.Component.Kind == upkeep.Core && u.Disposition == upkeep.Ready
	})
}

func TestSelectionsAreSound(t *testing.T) {
	words := append([]string{"core", "plugin", "theme", "language", "child", "parent"}, slugs...)
	rapid.Check(t, func(t *rapid.T) {
		plan := resolve.Resolve(drawSite(t))
		only := rapid.SliceOfN(rapid.SampledFrom(words), 0, 3).Draw(t, "only")
		except := rapid.SliceOfN(rapid.SampledFrom(words), 0, 2).Draw(t, "except")
		before := encode(plan)
		selected, err := resolve.Select(plan, only, except, rapid.Bool().Draw(t, "security"))
		if encode(plan) != before {
			t.Fatal("selecting changed the plan")
		}
		if err != nil {
			if code := upkeep.CodeOf(err); code != upkeep.CodeInvalid && code != upkeep.CodeNotFound {
				t.Fatal(err)
			}
			return
		}
		checkBatches(t, selected)
		for i := range selected.Updates {
			c := &selected.Updates[i].Component
			if slices.ContainsFunc(except, c.Matches) {
				t.Fatalf("%s was left out", c.Ref())
			}
			if len(only) > 0 && !slices.ContainsFunc(only, c.Matches) {
				t.Fatalf("%s was not asked for", c.Ref())
			}
		}
		all, err := resolve.Select(selected, nil, nil, false)
		if err != nil || encode(all) != encode(selected) {
			t.Fatalf("selecting all of a selection changes it: %v\n%s\n%s", err, encode(selected), encode(all))
		}
	})
}

func FuzzSelect(f *testing.F) {
	f.Add("akismet", "")
	f.Add("plugin:", "core")
	f.Add("\xff\x00", "woocommerce ")
	in := site(core("6.8.3"), plugin("akismet", "5.3"))
	in.Releases = []upkeep.Release{release(upkeep.Plugin, "akismet", "5.4"), release(upkeep.Core, "wordpress", "6.8.8")}
	plan := resolve.Resolve(in)
	f.Fuzz(func(t *testing.T, only, except string) {
		_, err := resolve.Select(plan, []string{only}, []string{except}, false)
		if code := upkeep.CodeOf(err); err != nil && (code != upkeep.CodeNotFound || upkeep.HintOf(err) == "") {
			t.Errorf("%v", err)
		}
	})
}
