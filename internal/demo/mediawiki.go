package demo

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/demo/packages"
	"upkeep/internal/demo/wikimedia"
)

// AddMediaWiki makes a MediaWiki by its own installer and serves it. It takes
// some seconds. A site that cannot be made leaves nothing behind.
func (w *World) AddMediaWiki(ctx context.Context, spec wikimedia.Spec) (_ *Site, err error) {
	defer upkeep.Wrap(&err, "add mediawiki %s", spec.Name)
	tree := spec.Tree
	if tree == "" {
		if tree, err = w.MediaWiki(); err != nil {
			return nil, err
		}
	}
	s, err := w.newSite(ctx, Spec{Name: spec.Name})
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = w.discardAfter(ctx, s, err)
		}
	}()
	s.CMS, s.MediaWiki, s.Version, s.Password = upkeep.MediaWiki, &spec, wikimedia.VersionOf(tree), "long-enough-for-a-demo"
	s.Content, s.Config = filepath.Join(s.Root, "images"), filepath.Join(s.Root, "LocalSettings.php")
	if err := w.CopyTree(tree, s.Root); err != nil {
		return nil, err
	}
	if err := w.installMediaWiki(ctx, s); err != nil {
		return nil, err
	}
	if err := w.Serve(ctx, s); err != nil {
		return nil, err
	}
	// The first request writes what later ones find.
	for _, path := range []string{"", "index.php?title=Special:Version", "load.php?lang=en&modules=startup&only=scripts"} {
		if err := s.Read(ctx, path); err != nil {
			return nil, err
		}
	}
	return s, w.remember(s)
}

// MediaWiki returns the tree that sites are made of.
func (w *World) MediaWiki() (string, error) {
	return packages.MediaWiki(filepath.Join(filepath.Dir(w.opts.Packages), "mediawiki"))
}

// Maintenance runs a maintenance script of the site's MediaWiki, such as
// "update", as the site's account, and returns what it prints.
func (s *Site) Maintenance(ctx context.Context, script string, args ...string) (string, error) {
	input, err := json.Marshal(append([]string{filepath.Join(s.Root, "maintenance", script+".php")}, args...))
	if err != nil {
		return "", err
	}
	out, err := s.world.RunPHP(ctx, s.Root, wikimedia.RunMaintenance, input)
	return string(out), err
}

// installMediaWiki does what an owner does once: the installer, extensions, a
// file uploaded.
func (w *World) installMediaWiki(ctx context.Context, s *Site) error {
	data := filepath.Join(s.Dir, "sqlite")
	if s.MediaWiki.MariaDB || s.MediaWiki.PostgreSQL {
		var err error
		if s.Database, err = w.CreateDatabase(ctx, s, map[bool]string{true: "postgresql"}[s.MediaWiki.PostgreSQL]); err != nil {
			return err
		}
	} else if err := errors.Join(os.Mkdir(data, 0o755), w.chown(data)); err != nil {
		return err
	}
	args := append(wikimedia.Arguments(strings.TrimSuffix(s.URL, "/"), s.Database, data), "--pass="+s.Password, "Wiki "+s.Name, s.User)
	if _, err := s.Maintenance(ctx, "install", args...); err != nil {
		return err
	}
	config, err := os.ReadFile(s.Config)
	if err != nil {
		return err
	}
	files := wikimedia.Furnish(string(config)+"\n"+s.MediaWiki.Config, s.MediaWiki.Extensions)
	for name, content := range files {
		if err := w.WriteOwned(s, filepath.Join(s.Root, name), content, 0o644); err != nil {
			return err
		}
	}
	_, err = s.Maintenance(ctx, "update", "--quick")
	return err
}
