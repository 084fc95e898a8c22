// Package migrate brings the database of a WordPress site to the level of its
// files, and tells the site's plugins what was updated.
package migrate

import (
	"context"
	_ "embed"
	"errors"
	"path/filepath"
	"slices"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/php/config"
	"upkeep/internal/cms/wordpress/layout"
	"upkeep/internal/cms/wordpress/visit"
)

//go:embed scripts/schema.php
var schemaSource string

//go:embed scripts/complete.php
var completeSource string

//go:embed scripts/settle.php
var settleSource string

const (
	blogsAtOnce  = 20 // in one PHP process, whose time is bounded
	settleAtMost = 2  // visits to the administration, besides the first
)

// maxVersionFile bounds wp-includes/version.php, which has some kilobytes.
const maxVersionFile = 4 << 20

// Run brings the database of every blog to the level of the files, then
// loads the site with its plugins to tell them what was updated, and visits
// its administration, where plugins migrate what they keep. All of it runs as
// the site's owner, past the gate, without a request to the web server.
// CodeRefused, naming the file, when the site's code fails.
func Run(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) (err error) {
	defer upkeep.Wrap(&err, "migrate %s", l.Root)
	site, err := visit.Locate(ctx, w, l)
	if err != nil {
		return err
	}
	if err := migrateSchema(ctx, w, l, site); err != nil {
		return err
	}
	return complete(ctx, w, l, site, staged)
}

// migrateSchema upgrades the blogs that are behind. The main one goes alone
// and first: what all blogs share is upgraded with it.
func migrateSchema(ctx context.Context, h cms.Host, l *cms.Layout, site visit.Address) error {
	files, levels, err := Levels(ctx, h, l)
	if err != nil {
		return err
	}
	var behind []string
	for _, blog := range levels {
		if blog.Level != files {
			behind = append(behind, blog.ID)
		}
	}
	var batches [][]string
	if i := slices.Index(behind, layout.MainBlog); i >= 0 {
		batches = append(batches, []string{layout.MainBlog})
		behind = slices.Delete(behind, i, i+1)
	}
	batches = slices.AppendSeq(batches, slices.Chunk(behind, blogsAtOnce))
	for _, batch := range batches {
		a, err := visit.Run(ctx, h, l, "schema.php", schemaSource, visit.Question{Site: site, URI: visit.Administering, Constants: []string{visit.AsUpgrade, visit.AsAdmin}, Blogs: batch})
		if err == nil {
			err = a.Finished()
		}
		if err != nil {
			return err
		}
		for _, id := range batch {
			if a.Levels[id] != files {
				return upkeep.Errorf(upkeep.CodeRefused, "the database of blog %s is at level %q after its upgrade, the files want %s", id, a.Levels[id], files)
			}
		}
	}
	return nil
}

// Level is the schema level of one blog; "" when it has none.
type Level struct {
	ID    string
	Level string
}

// Levels reads the level that the files want and those of every blog.
func Levels(ctx context.Context, h cms.Host, l *cms.Layout) (files string, levels []Level, err error) {
	root, err := h.Open(layout.CoreDir(l))
	if err != nil {
		return "", nil, err
	}
	defer root.Close()
	text, err := cms.ReadBounded(root, "wp-includes/version.php", maxVersionFile)
	if err != nil {
		return "", nil, err
	}
	value, _ := config.Read(text, config.Source{}).Variable("wp_db_version")
	if files = value.Text(); files == "" {
		return "", nil, upkeep.Errorf(upkeep.CodeInvalid, "wp-includes/version.php names no database level")
	}
	ids, err := layout.Blogs(ctx, h, l)
	if err != nil {
		return "", nil, err
	}
	for _, id := range ids {
		level, err := layout.Option(ctx, h, l, id, "db_version")
		if err != nil {
			return "", nil, err
		}
		levels = append(levels, Level{id, level})
	}
	return files, levels, nil
}

// complete tells the site what was updated and lets its plugins settle.
func complete(ctx context.Context, h cms.Host, l *cms.Layout, site visit.Address, staged []cms.Staged) error {
	q := visit.Question{Site: site, URI: visit.Administering, Constants: []string{visit.AsAdmin}}
	tell(&q, staged)
	a, err := visit.Run(ctx, h, l, "complete.php", completeSource+settleSource, q)
	if err != nil {
		return err
	}
	switch early := a.Finished(); {
	case early == nil:
		return nil
	case a.Step == "bootstrap":
		return completeQuietly(ctx, h, l, q, early)
	case a.Step != "admin_init":
		return early
	}
	for range settleAtMost {
		if a.Died != "" {
			break // who is turned away here would be turned away in a browser
		}
		a, err = visit.Run(ctx, h, l, "settle.php", settleSource, q)
		if err != nil || a.Done {
			return err
		}
	}
	return nil
}

// completeQuietly is for a site that shows itself to nobody who is not logged
// in, as early says. Without its plugins the caches and records at least are
// brought up to date.
func completeQuietly(ctx context.Context, h cms.Host, l *cms.Layout, q visit.Question, early error) error {
	q.Constants = []string{visit.AsUpgrade, visit.AsAdmin}
	a, err := visit.Run(ctx, h, l, "complete.php", completeSource+"Upkeep::done();\n", q)
	if err != nil {
		return err
	}
	if again := a.Finished(); again != nil {
		return errors.Join(early, again)
	}
	return nil
}

// tell fills in what was updated.
func tell(q *visit.Question, staged []cms.Staged) {
	q.Plugins, q.Themes, q.Translations = map[string]string{}, map[string]string{}, []map[string]string{}
	for i := range staged {
		update := &staged[i].Update
		version := string(update.Release.Version)
		switch c := &update.Component; c.Kind {
		case upkeep.Core:
			q.Core = true
		case upkeep.Plugin:
			q.Plugins[c.ID] = version
		case upkeep.Theme:
			q.Themes[c.ID] = version
		case upkeep.Language:
			q.Translations = append(q.Translations, map[string]string{
				"language": c.Locale, "type": languageType(c), "slug": c.Slug, "version": version,
			})
		}
	}
}

// languageType is WordPress's word for what a language pack translates.
func languageType(c *upkeep.Component) string {
	if c.Slug == layout.CoreDomain {
		return "core"
	}
	if filepath.Base(filepath.Dir(c.Path)) == "themes" {
		return "theme"
	}
	return "plugin"
}
