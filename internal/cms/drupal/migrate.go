package drupal

import (
	"cmp"
	"context"
	_ "embed"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal/inventory"
	"upkeep/internal/cms/drupal/layout"
	"upkeep/internal/cms/parcel"
)

// The scripts that load Drupal: a beginning, and what is done, for either
// generation.
var (
	//go:embed scripts/begin.php
	beginSource string
	//go:embed scripts/boot8.php
	bootSource string
	//go:embed scripts/migrate7.php
	migrateLegacy string
	//go:embed scripts/migrate8.php
	migrateCurrent string
	//go:embed scripts/readback7.php
	readBackLegacy string
	//go:embed scripts/readback8.php
	readBackCurrent string
)

// answer is what a script says, however it ends.
type answer struct {
	Done    bool     `json:"done"`
	Step    string   `json:"step"`
	Ran     []string `json:"ran"`     // updates of the database
	Pending []string `json:"pending"` // those that wait
	Site    string   `json:"site"`    // the folder of the site that was loaded, below the root
	Fatal   *struct {
		Message string `json:"message"`
		File    string `json:"file"`
		Line    int    `json:"line"`
	} `json:"fatal"`
}

// script is one for either generation.
type script struct{ name, legacy, current string }

// run loads the site's Drupal, past the gate, for a script.
func (s script) run(ctx context.Context, h cms.Host, l *cms.Layout) (*answer, error) {
	source := beginSource + s.legacy
	if l.Options[layout.OptionGeneration] == layout.Eight {
		source = beginSource + bootSource + s.current
	}
	address := layout.Address(l)
	question := map[string]any{"root": l.Root, "host": address.Host, "https": address.Scheme == "https"}
	a := &answer{}
	if err := h.PHP(ctx, cms.Script{Name: s.name, Source: source, Dir: l.Root}, question, a); err != nil {
		return nil, err
	}
	if a.Site != "" && l.Database.Label != "" { // one of several
		if dir, err := filepath.EvalSymlinks(filepath.Join(l.Root, a.Site)); err != nil || dir != l.Dirs[layout.DirSite] {
			return nil, upkeep.Errorf(upkeep.CodeRefused, "the name %s leads to %s", address.Host, a.Site)
		}
	}
	return a, nil
}

// failure is why a script did not come to its end, nil when it did.
func (a *answer) failure(l *cms.Layout) error {
	switch {
	case a.Fatal != nil:
		return parcel.Died(a.Fatal.Message, l.Root, a.Fatal.File, a.Step)
	case !a.Done:
		return parcel.Ended(a.Step)
	}
	return nil
}

// Migrate runs what update.php would: the updates of the database that modules
// bring, in the order that they ask for, those that come after all others, and
// then builds anew what is remembered about code. CodeRefused, naming the
// update and the file, when one fails.
func (d *Driver) Migrate(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) (err error) {
	defer upkeep.Wrap(&err, "migrate %s", l.Root)
	if len(staged) == 0 {
		return nil
	}
	for _, site := range layout.Sites(l) {
		if err := migrate(ctx, w, site, filepath.Dir(staged[0].Dir)); err != nil {
			return err
		}
	}
	return nil
}

// migrate does so for one site of the code.
func migrate(ctx context.Context, w cms.Work, l *cms.Layout, beside string) error {
	if l.Options[layout.OptionGeneration] == layout.Eight {
		own, err := ownDrush(ctx, w, l, beside)
		if err != nil {
			return err
		}
		if own != nil {
			if err := own.migrate(ctx); err != nil {
				return err
			}
		}
	}
	// Without Drush this does it all; after it, what Drush leaves: what the
	// site knows of releases.
	a, err := script{"migrate.php", migrateLegacy, migrateCurrent}.run(ctx, w, l)
	if err != nil {
		return err
	}
	if failed := a.failure(l); failed != nil {
		return upkeep.Errorf(upkeep.CodeRefused, "the updates of the database: %w", failed)
	}
	return nil
}

// Codes of the checks that ReadBack answers besides those of parcel.
const (
	checkVersion = "version" // per update: version in the files
	checkSchema  = "schema"  // no update of the database waits
)

// ReadBack looks at the site as it is now: at files and database, while it is
// loaded with everything that is enabled, past the gate.
func (d *Driver) ReadBack(ctx context.Context, h cms.Host, l *cms.Layout, before *upkeep.Inventory, staged []cms.Staged) (_ []upkeep.Check, err error) {
	defer upkeep.Wrap(&err, "read back %s", l.Root)
	now, err := d.Inventory(ctx, h, l)
	if err != nil {
		return nil, err
	}
	return parcel.AtOnce(ctx, func() ([]upkeep.Check, error) {
		checks, err := parcel.Kept(h, now, staged, versionCheck)
		if managed, _ := partition(staged); err == nil && len(managed) > 0 {
			var more []upkeep.Check
			more, err = managedChecks(h, l, managed)
			checks = append(checks, more...)
		}
		checks = append(checks, parcel.Unchanged(before, without(now, before, staged))...)
		return append(checks, enabledChecks(before, now)...), err
	}, func(ctx context.Context) ([]upkeep.Check, error) {
		var checks []upkeep.Check
		for _, site := range layout.Sites(l) {
			loaded, err := loadChecks(ctx, h, site, now)
			if err != nil {
				return nil, err
			}
			checks = append(checks, loaded...)
		}
		return checks, nil
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

// without leaves out of what there is now what an update of core brought, not
// enabled: some distributions have more than drupal.org's.
func without(now, before *upkeep.Inventory, staged []cms.Staged) *upkeep.Inventory {
	rest := *now
	rest.Components = slices.DeleteFunc(slices.Clone(now.Components), func(c upkeep.Component) bool {
		return !c.Active && parcel.Find(before, &c) == nil && slices.ContainsFunc(staged, func(s cms.Staged) bool {
			return slices.ContainsFunc(s.Moves, func(move cms.Move) bool { return c.Path == move.To || strings.HasPrefix(c.Path, move.To+"/") })
		})
	})
	return &rest
}

// enabledChecks compare what is enabled of each component: an update may
// enable more, as some do, and must not disable.
func enabledChecks(before, now *upkeep.Inventory) []upkeep.Check {
	var checks []upkeep.Check
	for i := range before.Components {
		c := &before.Components[i]
		have := map[string]string{}
		if found := parcel.Find(now, c); found != nil {
			have = found.Headers
		}
		for header, enabled := range c.Headers { // of all sites, and of each
			if !strings.HasPrefix(header, inventory.HeaderEnabled) {
				continue
			}
			for name := range strings.FieldsSeq(enabled) {
				if !strings.Contains(" "+have[header]+" ", " "+name+" ") {
					checks = append(checks, parcel.Changed(name, c.Ref(), upkeep.Phrase("enabled"), upkeep.Phrase("disabled")))
				}
			}
		}
	}
	return checks
}

func loadChecks(ctx context.Context, h cms.Host, l *cms.Layout, now *upkeep.Inventory) ([]upkeep.Check, error) {
	label := l.Database.Label // "" where there is but one
	loaded := parcel.Loads(cmp.Or(label, "site"))
	schema := upkeep.Check{Code: checkSchema, Subject: label, OK: true}
	schema.Expect(upkeep.Words("none waits"))
	schema.Get(schema.Wanted())
	a, err := script{"readback.php", readBackLegacy, readBackCurrent}.run(ctx, h, l)
	switch {
	case err != nil && upkeep.CodeOf(err) != upkeep.CodeRefused:
		return nil, err
	case err != nil:
		loaded.Fail(err)
		return []upkeep.Check{loaded}, nil
	}
	if failed := a.failure(l); failed != nil {
		loaded.Fail(failed)
		if a.Fatal != nil {
			loaded.Component = parcel.Culprit(now, filepath.Clean(a.Fatal.File))
		}
		return []upkeep.Check{loaded}, nil
	}
	if len(a.Pending) > 0 {
		schema.OK, schema.Got = false, cms.List(a.Pending)
	}
	return []upkeep.Check{schema, loaded}, nil
}
