package joomla

import (
	"context"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/joomla/inventory"
	"upkeep/internal/cms/parcel"
)

// Codes of the checks that ReadBack answers besides those of parcel.
const (
	checkVersion = "version" // per update: on disk and in the database
	checkSchema  = "schema"  // the database is at the level of the files
)

// ReadBack looks at the site as it is now: at files and database, while it is
// loaded with everything that is switched on, past the gate.
func (d *Driver) ReadBack(ctx context.Context, h cms.Host, l *cms.Layout, before *upkeep.Inventory, staged []cms.Staged) (_ []upkeep.Check, err error) {
	defer upkeep.Wrap(&err, "read back %s", l.Root)
	fresh, err := d.Detect(ctx, h, l.Root) // the version is in the layout
	if err != nil {
		return nil, err
	}
	now, err := d.Inventory(ctx, h, fresh)
	if err != nil {
		return nil, err
	}
	return parcel.AtOnce(ctx, func() ([]upkeep.Check, error) {
		checks, err := keptChecks(h, now, staged)
		schema := upkeep.Check{Code: checkSchema, OK: !now.Schema.Pending || before.Schema.Pending, Want: now.Schema.Files, Got: now.Schema.Database}
		checks = append(checks, schema)
		return append(checks, parcel.Unchanged(without(before, now, staged), without(now, before, staged))...), err
	}, func(ctx context.Context) ([]upkeep.Check, error) {
		loaded, err := bootstrapCheck(ctx, h, l, now, staged)
		return []upkeep.Check{loaded}, err
	})
}

// keptChecks looks at the updates; the files of those that Joomla's installer puts
// in place are its own.
func keptChecks(h cms.Host, now *upkeep.Inventory, staged []cms.Staged) ([]upkeep.Check, error) {
	var versions []upkeep.Check
	var swapped []cms.Staged
	for i := range staged {
		if len(staged[i].Files) > 0 {
			swapped = append(swapped, staged[i])
		} else {
			versions = append(versions, versionCheck(now, &staged[i]))
		}
	}
	checks, err := parcel.Kept(h, now, swapped, versionCheck)
	return append(checks, versions...), err
}

// versionCheck wants the files and the database to say the new version.
func versionCheck(now *upkeep.Inventory, s *cms.Staged) upkeep.Check {
	c := &s.Update.Component
	check := upkeep.Check{Code: checkVersion, Subject: c.Name, Component: c.Ref(), Want: string(s.Update.Release.Version)}
	found := parcel.Find(now, c)
	if found == nil {
		return check
	}
	check.Got = string(found.Version)
	check.OK = check.Got == check.Want || c.Kind != upkeep.Core && sameVersion(check.Got, check.Want)
	if disk := found.Headers[inventory.HeaderDisk]; disk != "" {
		check.OK = false
		check.Get(upkeep.Words("%s, on disk %s", check.Got, disk))
		if c.Kind == upkeep.Core {
			check.Get(upkeep.Words("%s, in the database another", disk))
		}
	}
	return check
}

// without leaves out what comes with Joomla or with a package that was
// updated, and is in only one of the two.
func without(inv, other *upkeep.Inventory, staged []cms.Staged) *upkeep.Inventory {
	rest := *inv
	rest.Components = nil
	for i := range inv.Components {
		c := &inv.Components[i]
		brought := c.Headers[inventory.HeaderBundled] != "" || slices.ContainsFunc(staged, func(s cms.Staged) bool {
			return c.Headers[inventory.HeaderPackage] == s.Update.Ref()
		})
		if !brought || parcel.Find(other, c) != nil {
			rest.Components = append(rest.Components, *c)
		}
	}
	return &rest
}

func bootstrapCheck(ctx context.Context, h cms.Host, l *cms.Layout, now *upkeep.Inventory, staged []cms.Staged) (upkeep.Check, error) {
	check := parcel.Loads("site")
	a, err := ask(ctx, h, l, "load.php", question{Load: toLoad(now, staged)})
	switch {
	case err != nil && upkeep.CodeOf(err) != upkeep.CodeRefused:
		return check, err
	case err != nil:
		check.Fail(err)
	case a.Fatal != nil:
		check.Fail(parcel.Died(a.Fatal.Message, l.Root, a.Fatal.File, a.Step))
		check.Component = parcel.Culprit(now, a.Fatal.File)
	case !a.Done && len(a.Said) > 0:
		check.Fail(upkeep.Causef("%s, at %s", strings.Join(a.Said, "; "), a.Step))
	case !a.Done:
		check.Fail(parcel.Ended(a.Step))
	}
	return check, nil
}

// toLoad are the updated extensions, and the parts of updated packages, that
// are on and have code.
func toLoad(now *upkeep.Inventory, staged []cms.Staged) [][3]string {
	var list [][3]string
	for i := range now.Components {
		c := &now.Components[i]
		updated := slices.ContainsFunc(staged, func(s cms.Staged) bool {
			return s.Update.Ref() == c.Ref() || c.Headers[inventory.HeaderPackage] == s.Update.Ref()
		})
		if updated && c.Active && c.Kind != upkeep.Core {
			list = append(list, [3]string{c.Headers[inventory.HeaderType], c.Headers[inventory.HeaderElement], c.Headers[inventory.HeaderFolder]})
		}
	}
	return list
}
