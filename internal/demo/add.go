package demo

import (
	"context"
	"os"
	"path/filepath"

	"upkeep"
)

// Base is what a site of any CMS is made of.
type Base struct {
	Name    string
	CMS     upkeep.CMS
	Tree    string // folder of a release
	Content string // folder, below the root, where the site keeps files
	Engine  string // of the database: "postgresql", "sqlite"; "" is MariaDB
}

// Add makes a site of any CMS of a folder of files and serves it. fill, which
// finds the files in place and an empty database, configures and installs it.
// Of a project of Composer's web is served. A site that cannot be made leaves
// nothing behind.
func (w *World) Add(ctx context.Context, base Base, fill func(s *Site) error) (_ *Site, err error) {
	defer upkeep.Wrap(&err, "add site %s", base.Name)
	spec, below := Spec{Name: base.Name}, ""
	if _, err := os.Stat(filepath.Join(base.Tree, "web")); err == nil {
		spec.Layout, below = Composed, ".."
	}
	return w.Make(ctx, spec, func(s *Site) error {
		s.CMS, s.Content = base.CMS, filepath.Join(s.Root, base.Content)
		if err := w.CopyTree(base.Tree, filepath.Join(s.Root, below)); err != nil {
			return err
		}
		if s.Database, err = w.CreateDatabase(ctx, s, base.Engine); err != nil {
			return err
		}
		if err := fill(s); err != nil {
			return err
		}
		if err := w.Serve(ctx, s); err != nil {
			return err
		}
		return s.visit(ctx)
	})
}

// Write writes a file below the site's root, as its owner.
func (s *Site) Write(name, text string) error {
	return s.world.WriteOwned(s, filepath.Join(s.Root, name), text, 0o644)
}

// Run runs PHP code, without its opening tag, in the site's root as its
// owner, with input on its standard input, and returns what it prints.
func (s *Site) Run(ctx context.Context, code string, input []byte) ([]byte, error) {
	return s.world.RunPHP(ctx, s.Root, code, input)
}

// Host is the site's host with its port.
func (s *Site) Host() string { return s.host() }
