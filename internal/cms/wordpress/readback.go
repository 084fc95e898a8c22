package wordpress

import (
	"context"
	_ "embed"
	"errors"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/php"
)

//go:embed scripts/bootstrap.php
var bootstrapSource string

// Codes of the checks that ReadBack answers, in this order.
const (
	checkVersion   = "version"         // per update: version in the files
	checkContent   = "package_content" // per update: every file as in the package; Got names those that are not
	checkDropped   = "dropped"         // per update: obsolete files are gone
	checkSchema    = "schema"          // per blog that is behind, or one for all
	checkActive    = "active"          // per component whose state changed, or one for all
	checkLeftover  = "leftover"        // records and folders of an upgrade that did not end
	checkBootstrap = "bootstrap"       // WordPress loads, subject "site" and "admin"
)

// ReadBack looks at the site as it is now: files and database first, then by
// loading it with everything that is active, past the gate. It changes
// nothing on disk of its own.
func (d *Driver) ReadBack(ctx context.Context, h cms.Host, l *cms.Layout, before *upkeep.Inventory, staged []cms.Staged) (_ []upkeep.Check, err error) {
	defer upkeep.Wrap(&err, "read back %s", l.Root)
	now, err := d.Inventory(ctx, h, l)
	if err != nil {
		return nil, err
	}
	var checks []upkeep.Check
	for i := range staged {
		checks = append(checks, versionCheck(now, &staged[i]))
		content, err := contentChecks(h, &staged[i])
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
	checks = append(checks, activeChecks(before, now)...)
	left, err := leftovers(ctx, h, l, before)
	if err != nil {
		return nil, err
	}
	checks = append(checks, left)
	loaded, err := bootstrapChecks(ctx, h, l, now)
	return append(checks, loaded...), err
}

// find returns the component of that kind and ID, or nil.
func find(inv *upkeep.Inventory, like *upkeep.Component) *upkeep.Component {
	for i := range inv.Components {
		if c := &inv.Components[i]; c.Kind == like.Kind && c.ID == like.ID {
			return c
		}
	}
	return nil
}

func versionCheck(now *upkeep.Inventory, s *cms.Staged) upkeep.Check {
	c := &s.Update.Component
	check := upkeep.Check{Code: checkVersion, Subject: c.Name, Component: c.Ref(), Want: string(s.Update.Release.Version)}
	found := find(now, c)
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

// contentChecks compares every file with the package, and looks for those
// that were to go.
func contentChecks(h cms.Host, s *cms.Staged) ([]upkeep.Check, error) {
	ref := s.Update.Ref()
	content := upkeep.Check{Code: checkContent, Component: ref, Want: strconv.Itoa(len(s.Files)) + " files"}
	var wrong []string
	byDir := map[string][]string{} // one open folder for all files of it
	for name := range s.Files {
		dir := filepath.Dir(filepath.Join(s.Update.Component.Path, name))
		byDir[dir] = append(byDir[dir], name)
	}
	for _, dir := range slices.Sorted(maps.Keys(byDir)) {
		differ, err := differing(h, dir, s, byDir[dir])
		if err != nil {
			return nil, err
		}
		wrong = append(wrong, differ...)
	}
	content.OK, content.Got = len(wrong) == 0 && len(s.Files) > 0, content.Want
	if !content.OK {
		slices.Sort(wrong)
		content.Got = "differs: " + list(wrong)
	}
	dropped := upkeep.Check{Code: checkDropped, Component: ref, OK: true, Want: strconv.Itoa(len(s.Drop)) + " gone"}
	var still []string
	for _, target := range s.Drop {
		root, err := h.Open(filepath.Dir(target))
		if err != nil {
			continue // its folder went with it
		}
		if _, err := root.Lstat(filepath.Base(target)); err == nil {
			still = append(still, target)
		}
		root.Close()
	}
	if dropped.Got = dropped.Want; still != nil {
		dropped.OK, dropped.Got = false, "still there: "+list(still)
	}
	if len(s.Drop) == 0 {
		return []upkeep.Check{content}, nil
	}
	return []upkeep.Check{content, dropped}, nil
}

// differing returns the names whose file in dir is not as staged.
func differing(h cms.Host, dir string, s *cms.Staged, names []string) ([]string, error) {
	root, err := h.Open(dir)
	if errors.Is(err, fs.ErrNotExist) || upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return names, nil
	}
	if err != nil {
		return nil, err
	}
	defer root.Close()
	var wrong []string
	for _, name := range names {
		file := filepath.Base(filepath.Join(s.Update.Component.Path, name))
		if info, err := root.Lstat(file); err != nil || !info.Mode().IsRegular() {
			wrong = append(wrong, name)
			continue
		}
		if sum, err := fileHash(root, file); err != nil || sum != s.Files[name] {
			wrong = append(wrong, name)
		}
	}
	return wrong, nil
}

func schemaChecks(ctx context.Context, h cms.Host, l *cms.Layout) ([]upkeep.Check, error) {
	files, levels, err := schemaLevels(ctx, h, l)
	if err != nil {
		return nil, err
	}
	var checks []upkeep.Check
	for _, blog := range levels {
		if blog.level != files {
			checks = append(checks, upkeep.Check{Code: checkSchema, Subject: "blog " + blog.id, Want: files, Got: blog.level})
		}
	}
	if checks == nil {
		checks = []upkeep.Check{{Code: checkSchema, OK: true, Want: files, Got: files}}
	}
	return checks, nil
}

// activeChecks compares which components are there and active, and for whom.
func activeChecks(before, now *upkeep.Inventory) []upkeep.Check {
	state := func(c *upkeep.Component) string {
		switch {
		case c == nil:
			return "absent"
		case c.Network:
			return "network"
		case c.Active:
			return "active"
		}
		return "inactive"
	}
	var checks []upkeep.Check
	differ := func(c *upkeep.Component, want, got string) {
		checks = append(checks, upkeep.Check{Code: checkActive, Subject: c.Name, Component: c.Ref(), Want: want, Got: got})
	}
	for i := range before.Components {
		c := &before.Components[i]
		if want, got := state(c), state(find(now, c)); want != got {
			differ(c, want, got)
		}
	}
	for i := range now.Components {
		if c := &now.Components[i]; find(before, c) == nil && (c.Active || c.Kind == upkeep.Plugin) {
			differ(c, "absent", state(c))
		}
	}
	if checks == nil {
		checks = []upkeep.Check{{Code: checkActive, OK: true, Want: "unchanged", Got: "unchanged"}}
	}
	return checks
}

// leftovers looks for what WordPress's own upgraders leave when they do not
// end: locks, and plugins set aside. None may be younger than our work.
func leftovers(ctx context.Context, h cms.Host, l *cms.Layout, before *upkeep.Inventory) (upkeep.Check, error) {
	check := upkeep.Check{Code: checkLeftover, OK: true, Want: "none", Got: "none"}
	var left []string
	for _, lock := range []string{"core_updater.lock", "auto_updater.lock"} {
		value, err := option(ctx, h, l, mainBlog, lock)
		if err != nil {
			return check, err
		}
		if at, err := strconv.ParseInt(value, 10, 64); err == nil && at >= before.Taken.Unix() {
			left = append(left, lock)
		}
	}
	content, err := h.Open(l.Dirs[dirContent])
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
		check.OK, check.Got = false, list(left)
	}
	return check, nil
}

// bootstrapChecks loads the site as for a visitor and as for its
// administration.
func bootstrapChecks(ctx context.Context, h cms.Host, l *cms.Layout, now *upkeep.Inventory) ([]upkeep.Check, error) {
	site, err := locate(ctx, h, l)
	if err != nil {
		return nil, err
	}
	var checks []upkeep.Check
	for _, visit := range []struct {
		subject string
		q       question
	}{
		{"site", question{Site: site}},
		{"admin", question{Site: site, URI: administering, Constants: []string{asAdmin}}},
	} {
		check := upkeep.Check{Code: checkBootstrap, Subject: visit.subject, OK: true, Want: "loads"}
		a, err := run(ctx, h, l, "bootstrap.php", bootstrapSource, visit.q)
		if a == nil && err != nil && upkeep.CodeOf(err) != upkeep.CodeRefused {
			return nil, err
		}
		judge(&check, a, err)
		if a != nil && a.Fatal != nil {
			check.Component = culprit(now, a.Fatal.File)
		}
		checks = append(checks, check)
	}
	return checks, nil
}

// judge says how loading the site went. A site that ends the request by
// itself, because it shows nothing to strangers, is not broken; the pages say
// more about it.
func judge(check *upkeep.Check, a *answer, err error) {
	switch {
	case err != nil:
		check.OK, check.Got = false, err.Error()
	case a.Done:
		check.Got = check.Want
	case a.Died != "":
		check.OK, check.Got = false, "stops at "+a.Step+": "+a.Died
	default:
		check.Got = "ends by itself at " + a.Step
	}
}

// culprit is the ref of the component that a file belongs to, "" for none.
// The longest path wins: every file is below that of core.
func culprit(inv *upkeep.Inventory, file string) string {
	ref, longest := "", 0
	for i := range inv.Components {
		c := &inv.Components[i]
		if c.Kind == upkeep.Core || c.Kind == upkeep.Language || len(c.Path) <= longest {
			continue
		}
		if file == c.Path || strings.HasPrefix(file, c.Path+"/") {
			ref, longest = c.Ref(), len(c.Path)
		}
	}
	return ref
}
