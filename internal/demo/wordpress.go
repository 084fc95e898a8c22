package demo

import (
	"context"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/demo/copies"
)

//go:embed install.php
var installScript string

// AddWordPress makes a site by WordPress's own installer and serves it. It
// takes about two seconds. A site that cannot be made leaves nothing behind.
func (w *World) AddWordPress(ctx context.Context, spec Spec) (_ *Site, err error) {
	defer upkeep.Wrap(&err, "add site %s", spec.Name)
	return w.Make(ctx, spec, func(s *Site) error {
		if err := w.putFiles(s); err != nil {
			return err
		}
		if s.Database, err = w.MariaDB.CreateDatabase(ctx, "site_"+s.Name); err != nil {
			return err
		}
		if err := w.writeConfig(s, false); err != nil {
			return err
		}
		if err := w.Serve(ctx, s); err != nil {
			return err
		}
		return w.install(ctx, s)
	})
}

// Make makes a site by what install does with its empty folder, and remembers
// it. One that cannot be made leaves nothing behind.
func (w *World) Make(ctx context.Context, spec Spec, install func(s *Site) error) (*Site, error) {
	s, err := w.newSite(ctx, spec)
	if err != nil {
		return nil, err
	}
	if err := install(s); err != nil {
		return nil, w.discardAfter(ctx, s, err)
	}
	return s, w.remember(s)
}

// RemoveSite takes a site away with its database.
func (w *World) RemoveSite(ctx context.Context, name string) error {
	s, err := w.Site(name)
	if err != nil {
		return err
	}
	w.mu.Lock()
	w.state.Sites = slices.DeleteFunc(w.state.Sites, func(other *Site) bool { return other == s })
	err = w.save()
	w.mu.Unlock()
	return errors.Join(err, w.discard(ctx, s))
}

// newSite reserves name and port and makes the site's empty folder.
func (w *World) newSite(ctx context.Context, spec Spec) (*Site, error) {
	if !regexp.MustCompile(`^[a-z][a-z0-9]{0,30}$`).MatchString(spec.Name) {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "site name %q", spec.Name).
			WithHint("Use lower-case letters and digits, a letter first.")
	}
	if w.MariaDB == nil {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "the demo does not run").WithHint("Start it first.")
	}
	if spec.Prefix == "" {
		spec.Prefix = "wp_"
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	s := w.place(spec, port)
	if s.Web, err = w.webServer(s); err != nil {
		return nil, err
	}
	if err := os.Mkdir(s.Dir, 0o755); errors.Is(err, os.ErrExist) {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "a site %s exists already", spec.Name)
	} else if err != nil {
		return nil, err
	}
	if err := os.Mkdir(s.logDir(), 0o755); err != nil {
		return nil, err
	}
	return s, errors.Join(w.chown(s.Dir), w.chown(s.logDir()))
}

// putFiles copies WordPress and the extensions to their places.
func (w *World) putFiles(s *Site) error {
	set, err := w.Packages()
	if err != nil {
		return err
	}
	core, err := set.Core(s.Spec.Version)
	if err != nil {
		return err
	}
	if err := w.CopyTree(core.Tree, s.Root); err != nil {
		return err
	}
	if own := filepath.Join(s.Root, "wp-content"); own != s.Content {
		if err := os.Rename(own, s.Content); err != nil {
			return err
		}
	}
	for i := range s.Spec.Extensions {
		files := s.Spec.Extensions[i].Installed()
		for name, text := range files {
			if err := w.WriteOwned(s, filepath.Join(s.Content, name), text, 0o644); err != nil {
				return err
			}
		}
	}
	for _, archive := range s.Spec.Archives {
		if err := copies.Unpack(archive.File, filepath.Join(s.Content, string(archive.Kind)+"s"), w.Dir, w.chown); err != nil {
			return err
		}
	}
	return w.makeOwned(s, filepath.Join(s.Content, "uploads"))
}

// install runs the stages of WordPress's installation.
func (w *World) install(ctx context.Context, s *Site) error {
	s.Password = rand.Text()
	if err := w.stage(ctx, s, "install"); err != nil {
		return err
	}
	if s.Spec.Network {
		if err := w.stage(ctx, s, "network"); err != nil {
			return err
		}
		if err := w.writeConfig(s, true); err != nil {
			return err
		}
	}
	if err := w.stage(ctx, s, "fill"); err != nil {
		return err
	}
	// Plugins make their tables when they are first visited.
	return s.visit(ctx)
}

func (w *World) stage(ctx context.Context, s *Site, name string) (err error) {
	defer upkeep.Wrap(&err, "installation, stage %s", name)
	input := map[string]any{
		"stage": name, "host": s.host(), "path": s.path(), "load": filepath.Join(s.Root, "wp-load.php"),
		"title": "Site " + s.Name, "user": s.User, "password": s.Password, "siteurl": s.siteURL(), "home": strings.TrimSuffix(s.URL, "/"),
		"fixed": s.Spec.Layout == Bedrock,
		"posts": s.Spec.Posts, "comments": s.Spec.Comments, "uploads": s.Spec.Uploads,
	}
	var plugins []string
	for i := range s.Spec.Extensions {
		e := &s.Spec.Extensions[i]
		switch {
		case slices.Contains(s.Spec.Inactive, e.Slug):
		case e.Kind == upkeep.Plugin:
			plugins = append(plugins, e.Mains()...)
		case e.Kind == upkeep.Theme:
			input["theme"] = e.Slug
		}
	}
	input["plugins"] = plugins
	text, err := json.Marshal(input)
	if err != nil {
		return err
	}
	out, err := w.RunPHP(ctx, s.Root, installScript, text)
	if err != nil {
		return err
	}
	var answer struct{ Version string }
	if err := json.Unmarshal(out[max(0, strings.LastIndexByte(string(out), '{')):], &answer); err != nil {
		return upkeep.Errorf(upkeep.CodeUnreachable, "the installer ended early: %s", lastLines(string(out), 5))
	}
	s.Version = answer.Version
	return nil
}

func (w *World) remember(s *Site) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Sites = append(w.state.Sites, s)
	return w.save()
}

// discard deletes whatever a site has.
func (w *World) discard(ctx context.Context, s *Site) error {
	err := errors.Join(s.Web.Stop(ctx), s.Web.remove())
	if s.Database != nil && s.Database.Engine == "postgresql" {
		err = errors.Join(err, w.cluster.DropDatabase(ctx, s.Database.Name))
	} else if s.Database != nil && s.Database.Engine != "sqlite" { // which goes with the files
		_, dropped := w.MariaDB.Exec(ctx, "", "DROP DATABASE IF EXISTS `"+s.Database.Name+"`; DROP USER IF EXISTS `"+s.Database.Name+"`@localhost;")
		err = errors.Join(err, dropped)
	}
	return errors.Join(err, os.RemoveAll(s.Dir))
}
