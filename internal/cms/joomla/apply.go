package joomla

import (
	"context"
	"embed"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/joomla/inventory"
	"upkeep/internal/cms/joomla/layout"
	"upkeep/internal/cms/parcel"
)

// scripts are what runs inside the site; those of Joomla 3 in legacy.
//
//go:embed scripts/*.php scripts/legacy
var scripts embed.FS

// Apply puts core in place, and takes away what must not outlast it: the map
// of classes, which is of the old files, and what an earlier update left
// behind. Extensions follow in Migrate: their installer needs the core that
// goes with the database. Repeating it is harmless.
func (d *Driver) Apply(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) error {
	placed := map[string]*cms.Staged{}
	for i := range staged {
		s := &staged[i]
		if s.Update.Component.Kind != upkeep.Core {
			continue
		}
		if err := applyCore(ctx, w, s, placed); err != nil {
			return err
		}
	}
	for _, name := range append(layout.Leftovers[:], "administrator/cache/autoload_psr4.php") {
		if err := w.Remove(ctx, filepath.Join(l.Root, name)); err != nil {
			return err
		}
	}
	return nil
}

func applyCore(ctx context.Context, w cms.Work, s *cms.Staged, placed map[string]*cms.Staged) (err error) {
	defer upkeep.Wrap(&err, "apply %s %s", s.Update.Ref(), s.Update.Release.Version)
	for _, move := range s.Moves {
		if err := parcel.Carry(ctx, w, s, move); err != nil {
			return err
		}
	}
	return parcel.Place(ctx, w, s, placed)
}

// Migrate has Joomla finish its own update (schema, records, what the release
// no longer has, caches), then has its installer put each extension in place,
// in order. All of it runs as the site's owner, past the gate, on the command
// line. CodeRefused, naming the file, when the site's code fails.
func (d *Driver) Migrate(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) (err error) {
	defer upkeep.Wrap(&err, "migrate %s", l.Root)
	if len(extensionsOf(staged)) < len(staged) {
		if err := run(ctx, w, l, "finalise.php", question{}); err != nil {
			return err
		}
	}
	for _, s := range extensionsOf(staged) {
		if err := install(ctx, w, l, s); err != nil {
			return err
		}
	}
	return nil
}

func install(ctx context.Context, w cms.Work, l *cms.Layout, s *cms.Staged) (err error) {
	defer upkeep.Wrap(&err, "apply %s %s", s.Update.Ref(), s.Update.Release.Version)
	c := &s.Update.Component
	folder, err := folderOf(w, s)
	if err != nil {
		return err
	}
	return run(ctx, w, l, "install.php", question{
		Folder: folder, Type: c.Headers[inventory.HeaderType], Element: c.Headers[inventory.HeaderElement],
		Group: c.Headers[inventory.HeaderFolder], Client: clientNumber(c.Headers[inventory.HeaderClient]),
	})
}

// question is what a script is asked.
type question struct {
	Root    string      `json:"root"`
	Folder  string      `json:"folder,omitempty"` // of the package
	Type    string      `json:"type,omitempty"`
	Element string      `json:"element,omitempty"`
	Group   string      `json:"group,omitempty"`
	Client  string      `json:"client,omitempty"`
	Load    [][3]string `json:"load,omitempty"` // type, element, group of what is to be loaded
}

// answer is what a script says, however it ends.
type answer struct {
	Done  bool     `json:"done"`
	Step  string   `json:"step"`
	Said  []string `json:"said"` // errors that Joomla told
	Fatal *struct {
		Message string `json:"message"`
		File    string `json:"file"`
		Line    int    `json:"line"`
	} `json:"fatal"`
}

// ask runs one of our scripts inside the site: after what all have, and what
// boots this Joomla.
func ask(ctx context.Context, h cms.Host, l *cms.Layout, name string, q question) (*answer, error) {
	q.Root = l.Root
	own := "scripts"
	if layout.Legacy(l) {
		own += "/legacy"
	}
	var source strings.Builder
	for _, file := range []string{"scripts/prelude.php", own + "/boot.php", own + "/" + name} {
		text, err := scripts.ReadFile(file)
		if err != nil {
			return nil, err
		}
		source.Write(text)
	}
	var a answer
	if err := h.PHP(ctx, cms.Script{Name: name, Source: source.String(), Dir: l.Root}, q, &a); err != nil {
		return nil, err
	}
	return &a, nil
}

// run asks a script that has to come to its end.
func run(ctx context.Context, h cms.Host, l *cms.Layout, name string, q question) error {
	a, err := ask(ctx, h, l, name, q)
	if err != nil {
		return err
	}
	switch {
	case a.Fatal != nil:
		return upkeep.Errorf(upkeep.CodeRefused, "php fatal error in %s line %d, at %s: %s", strings.TrimPrefix(a.Fatal.File, l.Root+"/"), a.Fatal.Line, a.Step, a.Fatal.Message)
	case !a.Done && len(a.Said) > 0:
		return upkeep.Errorf(upkeep.CodeRefused, "the site stopped at %s, saying: %s", a.Step, strings.Join(a.Said, "; "))
	case !a.Done:
		return upkeep.Errorf(upkeep.CodeRefused, "the site ended the script at %s", a.Step)
	}
	return nil
}
