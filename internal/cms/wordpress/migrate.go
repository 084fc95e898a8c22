package wordpress

import (
	"context"
	_ "embed"
	"errors"
	"path/filepath"
	"slices"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/php"
)

//go:embed scripts/schema.php
var schemaSource string

//go:embed scripts/complete.php
var completeSource string

//go:embed scripts/settle.php
var settleSource string

const (
	blogsAtOnce   = 20 // in one PHP process, whose time is bounded
	settleAtMost  = 3  // visits to the administration
	administering = "wp-admin/"
)

// Migrate brings the database of every blog to the level of the files, then
// loads the site with its plugins to tell them what was updated, and visits
// its administration, where plugins migrate what they keep. All of it runs as
// the site's owner, past the gate, without a request to the web server.
// CodeRefused, naming the file, when the site's code fails.
func (d *Driver) Migrate(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) (err error) {
	defer upkeep.Wrap(&err, "migrate %s", l.Root)
	site, err := locate(ctx, w, l)
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
func migrateSchema(ctx context.Context, h cms.Host, l *cms.Layout, site address) error {
	files, levels, err := schemaLevels(ctx, h, l)
	if err != nil {
		return err
	}
	var behind []string
	for _, blog := range levels {
		if blog.level != files {
			behind = append(behind, blog.id)
		}
	}
	var batches [][]string
	if i := slices.Index(behind, mainBlog); i >= 0 {
		batches = append(batches, []string{mainBlog})
		behind = slices.Delete(behind, i, i+1)
	}
	batches = slices.AppendSeq(batches, slices.Chunk(behind, blogsAtOnce))
	for _, batch := range batches {
		a, err := run(ctx, h, l, "schema.php", schemaSource, question{Site: site, URI: administering, Constants: []string{asUpgrade, asAdmin}, Blogs: batch})
		if err == nil {
			err = a.finished()
		}
		if err != nil {
			return err
		}
		for _, id := range batch {
			if a.Levels[id] != files {
				return refused("the database of blog %s is at level %q after its upgrade, the files want %s", id, a.Levels[id], files)
			}
		}
	}
	return nil
}

// blogLevel is the schema level of one blog; "" when it has none.
type blogLevel struct{ id, level string }

// schemaLevels reads the level that the files want and those of every blog.
func schemaLevels(ctx context.Context, h cms.Host, l *cms.Layout) (files string, levels []blogLevel, err error) {
	root, err := h.Open(coreDir(l))
	if err != nil {
		return "", nil, err
	}
	defer root.Close()
	text, err := cms.ReadBounded(root, "wp-includes/version.php", maxSource)
	if err != nil {
		return "", nil, err
	}
	value, _ := php.ReadConfig(text, php.Source{}).Variable("wp_db_version")
	if files = value.Text(); files == "" {
		return "", nil, upkeep.Errorf(upkeep.CodeInvalid, "wp-includes/version.php names no database level")
	}
	ids, err := blogs(ctx, h, l)
	if err != nil {
		return "", nil, err
	}
	for _, id := range ids {
		level, err := option(ctx, h, l, id, "db_version")
		if err != nil {
			return "", nil, err
		}
		levels = append(levels, blogLevel{id, level})
	}
	return files, levels, nil
}

// complete tells the site what was updated and lets its plugins settle.
func complete(ctx context.Context, h cms.Host, l *cms.Layout, site address, staged []cms.Staged) error {
	q := question{Site: site, URI: administering, Constants: []string{asAdmin}}
	q.tell(staged)
	a, err := run(ctx, h, l, "complete.php", completeSource, q)
	if err != nil {
		return err
	}
	if early := a.finished(); early != nil {
		if a.Step != "bootstrap" {
			return early
		}
		// The site shows itself to nobody who is not logged in. Without its
		// plugins the caches and records at least are brought up to date.
		quiet := q
		quiet.Constants = []string{asUpgrade, asAdmin}
		if a, err = run(ctx, h, l, "complete.php", completeSource, quiet); err != nil {
			return err
		}
		if again := a.finished(); again != nil {
			return errors.Join(early, again)
		}
		return nil
	}
	for range settleAtMost {
		a, err := run(ctx, h, l, "settle.php", settleSource, q)
		if err != nil {
			return err
		}
		if a.Done || a.Died != "" {
			break // who is turned away here would be turned away in a browser
		}
	}
	return nil
}

// tell fills in what was updated.
func (q *question) tell(staged []cms.Staged) {
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
	if c.Slug == coreDomain {
		return "core"
	}
	if filepath.Base(filepath.Dir(c.Path)) == "themes" {
		return "theme"
	}
	return "plugin"
}
