package mediawiki

import (
	"context"
	_ "embed"
	"path/filepath"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/parcel"
)

//go:embed scripts/prelude.php
var prelude string

//go:embed scripts/bootstrap.php
var bootstrapSource string

// Codes of the checks that ReadBack answers besides those of parcel.
const (
	checkVersion   = "version"   // per update: version in the files
	checkBootstrap = "bootstrap" // MediaWiki loads with all that is switched on, and says so itself
)

// ReadBack looks at the site as it is now: at files and database, while it is
// loaded with everything that is switched on, past the gate.
func (d *Driver) ReadBack(ctx context.Context, h cms.Host, l *cms.Layout, before *upkeep.Inventory, staged []cms.Staged) (_ []upkeep.Check, err error) {
	defer upkeep.Wrap(&err, "read back %s", l.Root)
	now, err := d.Inventory(ctx, h, l)
	if err != nil {
		return nil, err
	}
	return parcel.AtOnce(ctx, func() ([]upkeep.Check, error) {
		checks, err := parcel.Kept(h, now, staged, versionCheck)
		checks = append(checks, parcel.Unchanged(without(before, now), without(now, before))...)
		return append(checks, checkSchema(now)), err
	}, func(ctx context.Context) ([]upkeep.Check, error) {
		loaded, err := bootstrapCheck(ctx, h, l, now)
		return []upkeep.Check{loaded}, err
	})
}

func versionCheck(now *upkeep.Inventory, s *cms.Staged) upkeep.Check {
	c := &s.Update.Component
	check := upkeep.Check{Code: checkVersion, Subject: c.Name, Component: c.Ref(), Want: string(s.Update.Release.Version)}
	if found := parcel.Find(now, c); found != nil {
		check.Got = string(found.Version)
		check.OK = check.Got == check.Want
	}
	return check
}

// without leaves out what comes with MediaWiki and is in only one of the two:
// it comes and goes with it.
func without(inv, other *upkeep.Inventory) *upkeep.Inventory {
	rest := *inv
	rest.Components = nil
	for i := range inv.Components {
		c := &inv.Components[i]
		if parcel.Find(other, c) == nil && (c.Headers[HeaderBundled] != "" || !c.Active) {
			continue
		}
		rest.Components = append(rest.Components, *c)
	}
	return &rest
}

// answer is what our scripts say, however they end.
type answer struct {
	Done  bool   `json:"done"`
	Step  string `json:"step"`
	Fatal *struct {
		Message string `json:"message"`
		File    string `json:"file"`
	} `json:"fatal"`
	Said       string            `json:"said"` // what was printed last, or thrown
	File       string            `json:"file"` // where that was thrown
	Version    string            `json:"version"`
	Extensions map[string]string `json:"extensions"` // what MediaWiki says is loaded, with its path
}

// problem is why it was not done, nil when it was.
func (a *answer) problem(root string) error {
	switch {
	case a.Fatal != nil:
		return parcel.Died(a.Fatal.Message, root, a.Fatal.File, a.Step)
	case a.Done:
		return nil
	case a.Said != "":
		return upkeep.Causef("%s", a.Said)
	}
	return parcel.Ended(a.Step)
}

// run has one of our scripts run inside MediaWiki.
func run(ctx context.Context, h cms.Host, l *cms.Layout, name, source string) (answer, error) {
	var said answer
	err := h.PHP(ctx, cms.Script{Name: name, Source: prelude + "?>" + source, Dir: l.Root}, map[string]any{"root": l.Root}, &said)
	if upkeep.CodeOf(err) == upkeep.CodeRefused {
		return answer{Said: err.Error()}, nil
	}
	return said, err
}

func bootstrapCheck(ctx context.Context, h cms.Host, l *cms.Layout, now *upkeep.Inventory) (upkeep.Check, error) {
	version := string(now.Core().Version)
	check := upkeep.Check{Code: checkBootstrap, Subject: "site", Want: version}
	said, err := run(ctx, h, l, "bootstrap.php", bootstrapSource)
	if err != nil {
		return check, err
	}
	check.Got = said.Version
	if problem := said.problem(l.Root); problem != nil {
		check.Fail(problem)
		file := said.File
		if said.Fatal != nil {
			file = said.Fatal.File
		}
		check.Component = parcel.Culprit(now, filepath.Clean(file))
		return check, nil
	}
	check.OK = said.Version == version
	for i := range now.Components {
		c := &now.Components[i]
		if _, loaded := said.Extensions[c.Name]; check.OK && c.Active && c.Kind != upkeep.Core && c.Headers["legacy"] == "" && !loaded {
			check.OK, check.Component = false, c.Ref()
			check.Get(upkeep.Words("%s is not loaded", c.Name))
		}
	}
	return check, nil
}
