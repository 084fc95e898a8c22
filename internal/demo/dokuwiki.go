package demo

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/demo/packages"
	"upkeep/internal/demo/wiki"
)

// WikiSpec says which DokuWiki to make. Only Name is required: the zero value
// of the rest is Debian's, with its own template.
type WikiSpec struct {
	Name       string         `json:"name"`
	Tree       string         `json:"tree,omitempty"` // folder of another release
	Extensions []wiki.Release `json:"extensions,omitempty"`
	Disabled   []string       `json:"disabled,omitempty"` // plugins that are switched off
	Template   string         `json:"template,omitempty"` // in use; "" is DokuWiki's own
	Preload    string         `json:"preload,omitempty"`  // inc/preload.php
	Config     string         `json:"config,omitempty"`   // further PHP lines of conf/local.php
	Outside    bool           `json:"outside,omitempty"`  // data lies outside the document root
}

// AddDokuWiki makes a DokuWiki as its installer leaves it and serves it. It
// takes half a second. A site that cannot be made leaves nothing behind.
func (w *World) AddDokuWiki(ctx context.Context, spec WikiSpec) (_ *Site, err error) {
	defer upkeep.Wrap(&err, "add wiki %s", spec.Name)
	tree := spec.Tree
	if tree == "" {
		if tree, err = w.DokuWiki(); err != nil {
			return nil, err
		}
	}
	return w.Make(ctx, Spec{Name: spec.Name}, func(s *Site) error {
		s.CMS, s.Wiki = upkeep.DokuWiki, &spec
		s.Content, s.Config = filepath.Join(s.Root, "data"), filepath.Join(s.Root, "conf", "local.php")
		if err := w.CopyTree(tree, s.Root); err != nil {
			return err
		}
		if err := w.furnish(s, &spec); err != nil {
			return err
		}
		if err := w.Serve(ctx, s); err != nil {
			return err
		}
		text, err := os.ReadFile(filepath.Join(s.Root, "VERSION"))
		if err != nil {
			return err
		}
		s.Version, _, _ = strings.Cut(string(text), " ")
		// The first request writes what later ones find.
		for _, path := range []string{"doku.php", "doku.php?id=wiki:syntax", "lib/exe/css.php", "lib/exe/js.php", "feed.php"} {
			if err := s.Read(ctx, path); err != nil && spec.Tree == "" { // an old release need not know the PHP of today
				return err
			}
		}
		return nil
	})
}

// DokuWiki returns the tree that wikis are made of.
func (w *World) DokuWiki() (string, error) {
	return packages.DokuWiki(filepath.Join(filepath.Dir(w.opts.Packages), "dokuwiki"))
}

// furnish writes what DokuWiki's installer and an owner would.
func (w *World) furnish(s *Site, spec *WikiSpec) error {
	files := map[string]string{
		"conf/acl.auth.php":        "# acl.auth.php\n# <?php exit()?>\n*\t@ALL\t8\n",
		"conf/users.auth.php":      "# users.auth.php\n# <?php exit()?>\n",
		"data/pages/start.txt":     "====== Start ======\n\nWelcome to " + s.Name + ". ~~TALLY~~\n\n[[wiki:syntax]]\n",
		"data/pages/notes/one.txt": "====== One ======\n\nA page of the owner's.\n",
		"conf/entities.local.conf": "(own)  ©\n",
	}
	config := "<?php\n/* as the configuration manager writes it */\n$conf['title'] = 'Wiki " + s.Name + "';\n$conf['useacl'] = 1;\n" +
		"$conf['disableactions'] = 'register';\n$conf['updatecheck'] = 0;\n$conf['remote'] = 1;\n$conf['remoteuser'] = '';\n"
	if spec.Template != "" {
		config += "$conf['template'] = '" + spec.Template + "';\n"
	}
	if spec.Outside {
		config += "$conf['savedir'] = '" + filepath.Join(s.Dir, "data") + "';\n"
	}
	files["conf/local.php"] = config + spec.Config
	off := "<?php\n"
	for _, name := range spec.Disabled {
		off += "$plugins['" + name + "'] = 0;\n"
	}
	files["conf/plugins.local.php"] = off
	if spec.Preload != "" {
		files["inc/preload.php"] = spec.Preload
	}
	for i := range spec.Extensions {
		for name, text := range spec.Extensions[i].Installed() {
			files[name] = text
		}
	}
	for name, text := range files {
		if err := w.WriteOwned(s, filepath.Join(s.Root, name), text, 0o644); err != nil {
			return err
		}
	}
	if spec.Outside {
		s.Content = filepath.Join(s.Dir, "data")
		if err := os.Rename(filepath.Join(s.Root, "data"), s.Content); err != nil {
			return err
		}
	}
	return os.RemoveAll(filepath.Join(s.Root, "install.php"))
}

// Read asks for a page of the site and reads it to its end.
func (s *Site) Read(ctx context.Context, path string) error {
	page := *s
	page.URL += path
	return page.visit(ctx)
}
