package wordpress

import (
	"context"
	_ "embed"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
)

//go:embed scripts/prelude.php
var preludeSource string

// Constants that scripts are run with. They are what WordPress's own entry
// points define, and no configuration does.
const (
	asAdmin   = "WP_ADMIN"      // like wp-admin/index.php
	asUpgrade = "WP_INSTALLING" // like wp-admin/upgrade.php: plugins are not loaded
)

// question is what every script is asked.
type question struct {
	Site      address  `json:"site"`
	URI       string   `json:"uri"` // below the site: "" or "wp-admin/"
	Constants []string `json:"constants"`

	Blogs        []string            `json:"blogs"`
	Core         bool                `json:"core"`
	Plugins      map[string]string   `json:"plugins"` // ID → new version
	Themes       map[string]string   `json:"themes"`
	Translations []map[string]string `json:"translations"`
}

// address is how a request reaches the site.
type address struct {
	Root  string `json:"root"`
	Host  string `json:"host"`
	Path  string `json:"path"` // ends in a slash
	HTTPS bool   `json:"https"`
}

// answer is what every script says, however it ends.
type answer struct {
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

// run asks a script. The error names the file of the site that failed, below
// the site's folders, as a first hint at the culprit.
func run(ctx context.Context, h cms.Host, l *cms.Layout, name, source string, q question) (*answer, error) {
	if q.Constants == nil {
		q.Constants = []string{}
	}
	var a answer
	script := cms.Script{Name: name, Source: preludeSource + source, Dir: coreDir(l)}
	if err := h.PHP(ctx, script, q, &a); err != nil {
		return nil, err
	}
	if a.Fatal != nil {
		message := strings.TrimSuffix(a.Fatal.Message, fmt.Sprintf(" in %s:%d", a.Fatal.File, a.Fatal.Line)) // said once
		return &a, refused("php fatal error in %s line %d, at %s: %s", belowSite(l, a.Fatal.File), a.Fatal.Line, a.Step, message)
	}
	return &a, nil
}

// finished turns an early end into an error.
func (a *answer) finished() error {
	switch {
	case a.Done:
		return nil
	case a.Died != "":
		return refused("the site stopped at %s, saying: %s", a.Step, a.Died)
	}
	return refused("the site ended the script at %s", a.Step)
}

// belowSite writes a path as seen from the site's root or content folder.
func belowSite(l *cms.Layout, file string) string {
	if rel, ok := strings.CutPrefix(file, l.Root+"/"); ok {
		return rel
	}
	if rel, ok := strings.CutPrefix(file, l.Dirs[dirContent]+"/"); ok && l.Dirs[dirContent] != "" {
		return "wp-content/" + rel
	}
	return filepath.Base(file)
}

// locate reads from the database under which address the site answers.
func locate(ctx context.Context, h cms.Host, l *cms.Layout) (address, error) {
	a := address{Root: coreDir(l), Host: "localhost", Path: "/"}
	home, err := option(ctx, h, l, mainBlog, "home")
	if err != nil {
		return a, err
	}
	if u, err := url.Parse(home); err == nil && u.Host != "" {
		a.Host, a.Path, a.HTTPS = u.Host, strings.TrimSuffix(u.Path, "/")+"/", u.Scheme == "https"
	}
	if !multisite(l) {
		return a, nil
	}
	// A network finds its main site by domain and path, not by its home.
	rows, err := h.Query(ctx, l.Database, "SELECT domain, path FROM "+table(l, "", "site")+" ORDER BY id LIMIT 1")
	if err != nil {
		return a, err
	}
	if len(rows) == 1 {
		a.Host, a.Path = string(rows[0][0]), string(rows[0][1])
	}
	return a, nil
}

// mainBlog is the blog whose tables have no number.
const mainBlog = "1"

func multisite(l *cms.Layout) bool { return l.Options[optionMultisite] == "1" }

// table is the quoted name of a table of the site, or of one blog of it.
func table(l *cms.Layout, blog, name string) string {
	prefix := l.Database.Prefix
	if blog != "" && blog != mainBlog {
		prefix += blog + "_"
	}
	return "`" + strings.ReplaceAll(prefix+name, "`", "``") + "`"
}

// option reads an option of a blog, "" when it is not set.
func option(ctx context.Context, h cms.Host, l *cms.Layout, blog, name string) (string, error) {
	if l.Database == nil {
		return "", upkeep.Errorf(upkeep.CodeInvalid, "the site has no database")
	}
	rows, err := h.Query(ctx, l.Database, "SELECT option_value FROM "+table(l, blog, "options")+" WHERE option_name = ?", name)
	if err != nil || len(rows) == 0 {
		return "", err
	}
	return string(rows[0][0]), nil
}

// blogs lists the blogs of a network, main first; of a single site just that.
func blogs(ctx context.Context, h cms.Host, l *cms.Layout) ([]string, error) {
	if !multisite(l) {
		return []string{mainBlog}, nil
	}
	rows, err := h.Query(ctx, l.Database, "SELECT blog_id FROM "+table(l, "", "blogs")+" ORDER BY blog_id")
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, row := range rows {
		ids = append(ids, string(row[0]))
	}
	return ids, nil
}
