// Package visit runs scripts of ours inside a WordPress site: with its PHP, as
// its owner, past the gate, with its plugins or without, and always with an
// answer, however the site's code ends.
package visit

import (
	"context"
	_ "embed"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/wordpress/layout"
)

//go:embed scripts/prelude.php
var preludeSource string

// Constants that scripts are run with. They are what WordPress's own entry
// points define, and no configuration does.
const (
	AsAdmin   = "WP_ADMIN"      // like wp-admin/index.php
	AsUpgrade = "WP_INSTALLING" // like wp-admin/upgrade.php: plugins are not loaded
)

// Administering is the URI of the site's administration.
const Administering = "wp-admin/"

// Question is what every script is asked.
type Question struct {
	Site      Address  `json:"site"`
	URI       string   `json:"uri"` // below the site: "" or "wp-admin/"
	Constants []string `json:"constants"`

	Blogs        []string            `json:"blogs"`
	Core         bool                `json:"core"`
	Plugins      map[string]string   `json:"plugins"` // ID → new version
	Themes       map[string]string   `json:"themes"`
	Translations []map[string]string `json:"translations"`
}

// Address is how a request reaches the site.
type Address struct {
	Root  string `json:"root"`
	Host  string `json:"host"`
	Path  string `json:"path"` // ends in a slash
	HTTPS bool   `json:"https"`
}

// Answer is what every script says, however it ends.
type Answer struct {
	Done  bool   `json:"done"`
	Step  string `json:"step"` // what it was doing
	Died  string `json:"died"` // text given to wp_die
	Fatal *fatal `json:"fatal"`

	Levels  map[string]string `json:"levels"` // of schema, by blog
	Version string            `json:"version"`
	Schema  string            `json:"schema"`
	Loaded  []string          `json:"loaded"` // plugins
}

// fatal is a PHP error that ended a script.
type fatal struct {
	Message string `json:"message"`
	File    string `json:"file"`
	Line    int    `json:"line"`
}

// Run asks a script. The error names the file of the site that failed, below
// the site's folders, as a first hint at the culprit.
func Run(ctx context.Context, h cms.Host, l *cms.Layout, name, source string, q Question) (*Answer, error) {
	if q.Constants == nil {
		q.Constants = []string{}
	}
	var a Answer
	script := cms.Script{Name: name, Source: preludeSource + source, Dir: layout.CoreDir(l)}
	if err := h.PHP(ctx, script, q, &a); err != nil {
		return nil, err
	}
	if a.Fatal != nil {
		message := strings.TrimSuffix(a.Fatal.Message, fmt.Sprintf(" in %s:%d", a.Fatal.File, a.Fatal.Line)) // said once
		return &a, upkeep.Errorf(upkeep.CodeRefused, "php fatal error in %s line %d, at %s: %s", belowSite(l, a.Fatal.File), a.Fatal.Line, a.Step, message)
	}
	return &a, nil
}

// Finished turns an early end into an error.
func (a *Answer) Finished() error {
	switch {
	case a.Done:
		return nil
	case a.Died != "":
		return upkeep.Errorf(upkeep.CodeRefused, "the site stopped at %s, saying: %s", a.Step, a.Died)
	}
	return upkeep.Errorf(upkeep.CodeRefused, "the site ended the script at %s", a.Step)
}

// belowSite writes a path as seen from the site's root or content folder.
func belowSite(l *cms.Layout, file string) string {
	if rel, ok := strings.CutPrefix(file, l.Root+"/"); ok {
		return rel
	}
	if rel, ok := strings.CutPrefix(file, l.Dirs[layout.DirContent]+"/"); ok && l.Dirs[layout.DirContent] != "" {
		return "wp-content/" + rel
	}
	return filepath.Base(file)
}

// Locate reads from the database under which address the site answers.
func Locate(ctx context.Context, h cms.Host, l *cms.Layout) (Address, error) {
	a := Address{Root: layout.CoreDir(l), Host: "localhost", Path: "/"}
	home, err := layout.Option(ctx, h, l, layout.MainBlog, "home")
	if err != nil {
		return a, err
	}
	if u, err := url.Parse(home); err == nil && u.Host != "" {
		a.Host, a.Path, a.HTTPS = u.Host, strings.TrimSuffix(u.Path, "/")+"/", u.Scheme == "https"
	}
	if !layout.Multisite(l) {
		return a, nil
	}
	// A network finds its main site by domain and path, not by its home.
	rows, err := h.Query(ctx, l.Database, "SELECT domain, path FROM "+layout.Table(l, "", "site")+" ORDER BY id LIMIT 1")
	if err != nil {
		return a, err
	}
	if len(rows) == 1 {
		a.Host, a.Path = string(rows[0][0]), string(rows[0][1])
	}
	return a, nil
}
