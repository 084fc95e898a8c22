package dokuwiki

import (
	"context"
	_ "embed"
	"path/filepath"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/parcel"
)

//go:embed scripts/bootstrap.php
var bootstrapSource string

// Codes of the checks that ReadBack answers besides those of parcel.
const (
	checkVersion = "version" // per update: version in the files
)

// ReadBack looks at the site as it is now: at the files, while it is loaded with
// everything that is switched on, past the gate. It changes nothing on
// disk of its own.
func (d *Driver) ReadBack(ctx context.Context, h cms.Host, l *cms.Layout, before *upkeep.Inventory, staged []cms.Staged) (_ []upkeep.Check, err error) {
	defer upkeep.Wrap(&err, "read back %s", l.Root)
	now, err := d.Inventory(ctx, h, l)
	if err != nil {
		return nil, err
	}
	return parcel.AtOnce(ctx, func() ([]upkeep.Check, error) {
		checks, err := parcel.Kept(h, now, staged, versionCheck)
		return append(checks, unchanged(before, now)...), err
	}, func(ctx context.Context) ([]upkeep.Check, error) {
		loaded, err := bootstrapCheck(ctx, h, l, now, staged)
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

// unchanged compares which components are there and on. Those that come with
// DokuWiki come and go with it.
func unchanged(before, now *upkeep.Inventory) []upkeep.Check {
	return parcel.Unchanged(without(before, now), without(now, before))
}

// without leaves out what comes with DokuWiki and is in only one of the two.
func without(inv, other *upkeep.Inventory) *upkeep.Inventory {
	rest := *inv
	rest.Components = nil
	for i := range inv.Components {
		if c := &inv.Components[i]; c.Headers[HeaderBundled] == "" || parcel.Find(other, c) != nil {
			rest.Components = append(rest.Components, *c)
		}
	}
	return &rest
}

// loaded is what the script says, however it ends.
type loaded struct {
	Done  bool   `json:"done"`
	Step  string `json:"step"`
	Fatal *struct {
		Message string `json:"message"`
		File    string `json:"file"`
		Line    int    `json:"line"`
	} `json:"fatal"`
	Said    string `json:"said"`    // why a part of an updated plugin does not load
	Culprit string `json:"culprit"` // that plugin
}

func bootstrapCheck(ctx context.Context, h cms.Host, l *cms.Layout, now *upkeep.Inventory, staged []cms.Staged) (upkeep.Check, error) {
	check := parcel.Loads("site")
	updated := []string{}
	for i := range staged {
		if c := &staged[i].Update.Component; c.Kind == upkeep.Plugin {
			updated = append(updated, c.ID)
		}
	}
	var answer loaded
	err := h.PHP(ctx, cms.Script{Name: "bootstrap.php", Source: bootstrapSource, Dir: l.Root}, map[string]any{"root": l.Root, "updated": updated}, &answer)
	switch {
	case err != nil && upkeep.CodeOf(err) != upkeep.CodeRefused:
		return check, err
	case err != nil:
		check.Fail(err)
	case answer.Fatal != nil:
		check.Fail(parcel.Died(answer.Fatal.Message, l.Root, answer.Fatal.File, answer.Step))
		check.Component = parcel.Culprit(now, filepath.Clean(answer.Fatal.File))
	case answer.Said != "":
		check.OK, check.Got = false, answer.Said
		check.Component = string(upkeep.Plugin) + ":" + answer.Culprit
	case !answer.Done:
		check.Fail(parcel.Ended(answer.Step))
	}
	return check, nil
}
