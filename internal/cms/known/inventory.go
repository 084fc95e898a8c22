package known

import (
	"cmp"
	"context"
	"encoding/json"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
)

// Inventory reads the version of the application and of the components that
// say theirs in a file. No code of the site runs. Whether they are switched on
// is not known: all count as active. There is always the finding
// NotMaintained.
func (d *Driver) Inventory(ctx context.Context, h cms.Host, l *cms.Layout) (_ *upkeep.Inventory, err error) {
	defer upkeep.Wrap(&err, "inventory of %s", l.Root)
	s, err := look(ctx, h, &d.app, l.Root)
	if err != nil {
		return nil, err
	}
	defer s.close()
	packages := s.packages()
	inv := &upkeep.Inventory{
		Taken: d.Clock().UTC(), CMS: d.app.ID, HomeURL: l.Options[optionHome], Pages: []upkeep.Page{{Path: "/", Role: "home"}},
		Components: []upkeep.Component{{
			Kind: upkeep.Core, ID: string(upkeep.Core), Slug: string(d.app.ID), Name: d.app.Name, Path: l.Root, Active: true,
			Version: s.version(packages),
		}},
		Findings: []upkeep.Finding{{Code: NotMaintained, Detail: d.app.Name, Blocks: true}},
	}
	for _, part := range d.app.Parts {
		inv.Components = append(inv.Components, s.components(part, packages)...)
	}
	slices.SortStableFunc(inv.Components[1:], func(a, b upkeep.Component) int {
		return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
	})
	inv.Components = slices.CompactFunc(inv.Components, func(a, b upkeep.Component) bool { return a.Ref() == b.Ref() })
	if inv.Database, err = server(ctx, h, l.Database); err != nil {
		inv.Findings = append(inv.Findings, upkeep.Finding{Code: "database_unreachable", Blocks: true}.Because(err))
	}
	return inv, nil
}

// server is what the database server calls itself.
func server(ctx context.Context, h cms.Host, db *cms.Database) (string, error) {
	if db == nil {
		return "", nil
	}
	query := "SELECT version()"
	if db.Engine == "sqlite" {
		query = "SELECT sqlite_version()"
	}
	rows, err := h.Query(ctx, db, query)
	if err != nil || len(rows) == 0 || len(rows[0]) == 0 {
		return "", err
	}
	return string(rows[0][0]), nil
}

// version is the application's, "" when no file says it.
func (s *scene) version(packages []composerPackage) upkeep.Version {
	for _, rule := range s.app.Versions {
		if rule.Package != "" {
			at := slices.IndexFunc(packages, func(p composerPackage) bool { return p.Name == rule.Package })
			if at >= 0 && packages[at].Version != "" {
				return packages[at].version()
			}
			continue
		}
		for file := range strings.SplitSeq(rule.File, "|") {
			if match := rule.Pattern.FindStringSubmatch(string(s.head(file, maxHead))); match != nil {
				return upkeep.Version(strings.Join(match[1:], "."))
			}
		}
	}
	return ""
}

// components returns what of a part is there, at most maxParts.
func (s *scene) components(p part, packages []composerPackage) []upkeep.Component {
	var out []upkeep.Component
	for _, one := range packages {
		if p.Package != "" && one.Type == p.Package && len(out) < maxParts {
			out = append(out, s.component(p, one.Name, string(one.version()), path.Join("vendor", one.Name)))
		}
	}
	if p.Glob == "" {
		return out
	}
	for _, file := range s.glob(p.Glob) {
		match := p.Pattern.FindSubmatch(s.head(file, maxHead))
		if match == nil {
			continue
		}
		dir := path.Dir(file)
		for range p.Up {
			dir = path.Dir(dir)
		}
		// What the folder is called below the part of the pattern without stars.
		fixed, _, _ := strings.Cut(p.Glob, "*")
		out = append(out, s.component(p, strings.TrimPrefix(dir, fixed), string(match[1]), dir))
	}
	return out
}

func (s *scene) component(p part, id, version, dir string) upkeep.Component {
	return upkeep.Component{Kind: p.Kind, ID: id, Slug: path.Base(id), Name: id, Version: upkeep.Version(version), Path: filepath.Join(s.root, dir), Active: true}
}

// composerPackage is a package that Composer installed.
type composerPackage struct{ Name, Version, Type string }

func (p *composerPackage) version() upkeep.Version {
	return upkeep.Version(strings.TrimPrefix(p.Version, "v"))
}

// packages returns what Composer installed, by its own record or else by the
// lock of the project.
func (s *scene) packages() []composerPackage {
	if !slices.ContainsFunc(s.app.Versions, func(rule versionRule) bool { return rule.Package != "" }) &&
		!slices.ContainsFunc(s.app.Parts, func(p part) bool { return p.Package != "" }) {
		return nil
	}
	for _, file := range []string{"vendor/composer/installed.json", "composer.lock"} {
		text := s.head(file, maxPackages)
		var record struct{ Packages []composerPackage }
		if json.Unmarshal(text, &record) == nil && len(record.Packages) > 0 {
			return record.Packages
		}
		if json.Unmarshal(text, &record.Packages) == nil && len(record.Packages) > 0 { // Composer 1
			return record.Packages
		}
	}
	return nil
}
