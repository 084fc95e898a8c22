// Package readback tells whether a WordPress site is, after an update, what
// it was to become: in its files, in its database, and when it is loaded.
package readback

import (
	"context"
	_ "embed"
	"errors"
	"io/fs"
	"strconv"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/parcel"
	"upkeep/internal/cms/php"
	"upkeep/internal/cms/wordpress/layout"
	"upkeep/internal/cms/wordpress/migrate"
	"upkeep/internal/cms/wordpress/visit"
)

//go:embed scripts/bootstrap.php
var bootstrapSource string

// Codes of the checks that Checks answers, in this order; those of
// parcel.Arrived come after each version, parcel.Unchanged after the schema, and
// parcel.Loads for "site" and "admin" last.
const (
	checkVersion  = "version"  // per update: version in the files
	checkSchema   = "schema"   // per blog that is behind, or one for all
	checkLeftover = "leftover" // records and folders of an upgrade that did not end
)

// Change is what was made of a site.
type Change struct {
	Before *upkeep.Inventory
	Now    *upkeep.Inventory
	Staged []cms.Staged // the updates, in the order in which they were applied
}

// Checks looks at the site as it is now: at files and database, while it is
// loaded with everything that is active, past the gate. It changes nothing on
// disk of its own.
func Checks(ctx context.Context, h cms.Host, l *cms.Layout, change Change) (checks []upkeep.Check, err error) {
	var loaded []upkeep.Check
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() (err error) {
		loaded, err = bootstrapChecks(ctx, h, l, change.Now)
		return err
	})
	group.Go(func() (err error) {
		checks, err = keptChecks(ctx, h, l, change)
		return err
	})
	err = group.Wait()
	return append(checks, loaded...), err
}

// keptChecks looks at what the site keeps: files and database.
func keptChecks(ctx context.Context, h cms.Host, l *cms.Layout, change Change) ([]upkeep.Check, error) {
	var checks []upkeep.Check
	for i := range change.Staged {
		checks = append(checks, versionCheck(change.Now, &change.Staged[i]))
		content, err := parcel.Arrived(h, &change.Staged[i])
		if err != nil {
			return nil, err
		}
		checks = append(checks, content...)
	}
	schema, err := schemaChecks(ctx, h, l)
	if err != nil {
		return nil, err
	}
	checks = append(checks, schema...)
	checks = append(checks, parcel.Unchanged(change.Before, change.Now)...)
	left, err := leftovers(ctx, h, l, change.Before)
	return append(checks, left), err
}

func versionCheck(now *upkeep.Inventory, s *cms.Staged) upkeep.Check {
	c := &s.Update.Component
	check := upkeep.Check{Code: checkVersion, Subject: c.Name, Component: c.Ref(), Want: string(s.Update.Release.Version)}
	found := parcel.Find(now, c)
	switch {
	case found == nil:
	case c.Kind == upkeep.Language:
		// A pack's version is when it was published, its files say when they
		// were translated.
		check.Got = string(found.Version)
		check.OK = found.Version >= c.Version
	default:
		check.Got = string(found.Version)
		check.OK = check.Got == check.Want || check.Got != "" && php.CompareVersions(check.Got, check.Want) == 0
	}
	return check
}

func schemaChecks(ctx context.Context, h cms.Host, l *cms.Layout) ([]upkeep.Check, error) {
	files, levels, err := migrate.Levels(ctx, h, l)
	if err != nil {
		return nil, err
	}
	var checks []upkeep.Check
	for _, blog := range levels {
		if blog.Level != files {
			checks = append(checks, upkeep.Check{Code: checkSchema, Subject: "blog " + blog.ID, Want: files, Got: blog.Level})
		}
	}
	if checks == nil {
		checks = []upkeep.Check{{Code: checkSchema, OK: true, Want: files, Got: files}}
	}
	return checks, nil
}

// leftovers looks for what WordPress's own upgraders leave when they do not
// end: locks, and plugins set aside. None may be younger than our work.
func leftovers(ctx context.Context, h cms.Host, l *cms.Layout, before *upkeep.Inventory) (upkeep.Check, error) {
	check := upkeep.Check{Code: checkLeftover, OK: true}
	check.Expect(upkeep.Words("none"))
	var left []string
	for _, lock := range []string{"core_updater.lock", "auto_updater.lock"} {
		value, err := layout.Option(ctx, h, l, layout.MainBlog, lock)
		if err != nil {
			return check, err
		}
		if at, err := strconv.ParseInt(value, 10, 64); err == nil && at >= before.Taken.Unix() {
			left = append(left, lock)
		}
	}
	content, err := h.Open(l.Dirs[layout.DirContent])
	if err != nil {
		return check, err
	}
	defer content.Close()
	for _, kind := range []string{"plugins", "themes"} {
		entries, err := fs.ReadDir(content.FS(), "upgrade-temp-backup/"+kind)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return check, err
		}
		for _, entry := range entries {
			if info, err := entry.Info(); err == nil && entry.IsDir() && info.ModTime().After(before.Taken) {
				left = append(left, "upgrade-temp-backup/"+kind+"/"+entry.Name())
			}
		}
	}
	if left != nil {
		check.OK, check.Got = false, cms.List(left)
	}
	return check, nil
}

// bootstrapChecks loads the site as for a visitor and as for its
// administration, both at once: visitors wait.
func bootstrapChecks(ctx context.Context, h cms.Host, l *cms.Layout, now *upkeep.Inventory) ([]upkeep.Check, error) {
	site, err := visit.Locate(ctx, h, l)
	if err != nil {
		return nil, err
	}
	questions := []visit.Question{{Site: site}, {Site: site, URI: visit.Administering, Constants: []string{visit.AsAdmin}}}
	checks := make([]upkeep.Check, len(questions))
	group, ctx := errgroup.WithContext(ctx)
	for i := range questions {
		group.Go(func() (err error) {
			checks[i], err = bootstrapCheck(ctx, h, l, questions[i], now)
			return err
		})
	}
	return checks, group.Wait()
}

// bootstrapCheck loads the site once.
func bootstrapCheck(ctx context.Context, h cms.Host, l *cms.Layout, q visit.Question, now *upkeep.Inventory) (upkeep.Check, error) {
	check := parcel.Loads("site")
	if q.URI != "" {
		check.Subject = "admin"
	}
	a, err := visit.Run(ctx, h, l, "bootstrap.php", bootstrapSource, q)
	if a == nil && err != nil && upkeep.CodeOf(err) != upkeep.CodeRefused {
		return check, err
	}
	judge(&check, a, err)
	if a != nil && a.Fatal != nil {
		check.Component = parcel.Culprit(now, a.Fatal.File)
	}
	return check, nil
}

// judge says how loading the site went. A site that ends the request by
// itself, because it shows nothing to strangers, is not broken; the pages say
// more about it.
func judge(check *upkeep.Check, a *visit.Answer, err error) {
	switch {
	case err != nil:
		check.Fail(err)
	case a.Done:
	case a.Died != "":
		check.Fail(upkeep.Causef("stops at %s: %s", a.Step, a.Died))
	default:
		check.Get(upkeep.Words("ends by itself at %s", a.Step))
	}
}
