package demo

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/demo/wikimedia"
)

// Layout is where a WordPress keeps what.
type Layout string

// The layouts.
const (
	Plain        Layout = ""             // WordPress is the document root
	Subdirectory Layout = "subdirectory" // WordPress is blog/ below it, with its address
	Composed     Layout = "composed"     // of any CMS: web below a project of Composer's
	Bedrock      Layout = "bedrock"      // web/wp and web/app below a project whose config/ and .env configure it
)

// Spec says which WordPress to make. Only Name is required: the zero value of
// the rest is the oldest release, plain, with its own theme, one article.
type Spec struct {
	Name    string         `json:"name"` // lower-case letters and digits
	Version upkeep.Version `json:"version,omitempty"`
	Layout  Layout         `json:"layout,omitempty"`

	Network     bool   `json:"network,omitempty"`      // a multisite of three sites, in folders
	Outside     bool   `json:"outside,omitempty"`      // wp-content lies outside the document root (plain layout)
	ConfigAbove bool   `json:"config_above,omitempty"` // wp-config.php lies one level above WordPress (not Bedrock)
	Prefix      string `json:"prefix,omitempty"`       // of tables; "" is "wp_"
	Config      string `json:"config,omitempty"`       // further PHP lines of the configuration

	Posts    int `json:"posts,omitempty"`    // articles beside WordPress's own
	Comments int `json:"comments,omitempty"` // for each article
	Uploads  int `json:"uploads,omitempty"`  // pictures, each in several sizes

	// Extensions are put in and activated, the last theme too.
	Extensions []fixtures.Release `json:"extensions,omitempty"`
	Inactive   []string           `json:"inactive,omitempty"` // slugs of those that stay inactive

	// Archives are zips of plugins and themes to put in besides, not activated.
	Archives []Archive `json:"archives,omitempty"`
}

// Archive is the zip of a real plugin or theme.
type Archive struct {
	Kind upkeep.Kind `json:"kind"` // Plugin or Theme
	File string      `json:"file"` // absolute
}

// Site is a WordPress, a DokuWiki, a MediaWiki or a Drupal that the world serves.
type Site struct {
	Name         string          `json:"name"`
	CMS          upkeep.CMS      `json:"cms"` // "" is WordPress
	Spec         Spec            `json:"spec"`
	Wiki         *WikiSpec       `json:"wiki,omitempty"`      // of a DokuWiki
	MediaWiki    *wikimedia.Spec `json:"mediawiki,omitempty"` // of a MediaWiki
	Generation   string          `json:"generation"`          // of a Drupal: "7", or "8" for later ones
	Version      string          `json:"version"`             // as installed
	Dir          string          `json:"dir"`                 // everything of the site, its logs too
	Root         string          `json:"root"`                // WordPress itself, with wp-load.php
	DocumentRoot string          `json:"document_root"`       // what the web server serves
	Content      string          `json:"content"`             // wp-content
	Config       string          `json:"config"`              // the file with the constants
	URL          string          `json:"url"`                 // of the home page, with a slash at the end
	Port         int             `json:"port"`
	User         string          `json:"user"` // administrator of the site
	Password     string          `json:"password"`
	Database     *cms.Database   `json:"database"` // nil for a DokuWiki

	Web *Server `json:"-"` // the site's own web server

	world *World
}

// place derives a new site's paths and address from its spec.
func (w *World) place(spec Spec, port int) *Site {
	s := &Site{Name: spec.Name, Spec: spec, Port: port, User: "admin", world: w}
	s.Dir = filepath.Join(w.Dir, "sites", spec.Name)
	s.DocumentRoot = filepath.Join(s.Dir, "public")
	s.Root = s.DocumentRoot
	s.URL = fmt.Sprintf("http://127.0.0.1:%d/", port)
	switch spec.Layout {
	case Subdirectory:
		s.Root = filepath.Join(s.DocumentRoot, "blog")
		s.URL += "blog/"
	case Composed:
		s.DocumentRoot = filepath.Join(s.Dir, "project", "web")
		s.Root = s.DocumentRoot
	case Bedrock:
		s.DocumentRoot = filepath.Join(s.Dir, "project", "web")
		s.Root = filepath.Join(s.DocumentRoot, "wp")
	}
	s.Content = filepath.Join(s.Root, "wp-content")
	s.Config = filepath.Join(s.Root, "wp-config.php")
	if spec.ConfigAbove {
		s.Config = filepath.Join(filepath.Dir(s.Root), "wp-config.php")
	}
	if spec.Outside {
		s.Content = filepath.Join(s.Dir, "content")
	}
	if spec.Layout == Bedrock {
		s.Content = filepath.Join(s.DocumentRoot, "app")
		s.Config = filepath.Join(s.Dir, "project", "config", "application.php")
	}
	return s
}

// Path returns an address of the site for a path below its home page.
func (s *Site) Path(path string) string { return s.URL + strings.TrimPrefix(path, "/") }

// SQL runs statements in the site's database as its administrator and returns
// tab-separated rows without headings.
func (s *Site) SQL(ctx context.Context, statements string) (string, error) {
	switch s.Database.Engine {
	case "postgresql":
		return s.world.cluster.Exec(ctx, s.Database.Name, statements)
	case "sqlite":
		out, err := exec.CommandContext(ctx, "sqlite3", "-cmd", ".timeout 5000", s.Database.File, statements).Output()
		return string(out), err
	}
	return s.world.MariaDB.Exec(ctx, s.Database.Name, statements)
}

// PHP runs PHP code inside the site's WordPress, as the site's account, and
// returns what it prints. It loads the site's plugins and theme.
func (s *Site) PHP(ctx context.Context, code string) (_ string, err error) {
	defer upkeep.Wrap(&err, "php in %s", s.Name)
	input, err := json.Marshal(map[string]string{"host": s.host(), "path": s.path(), "load": filepath.Join(s.Root, "wp-load.php")})
	if err != nil {
		return "", err
	}
	out, err := s.world.RunPHP(ctx, s.Root, phpPrelude+code, input)
	return string(out), err
}

// phpPrelude boots WordPress as for a request of the home page.
const phpPrelude = `$in = json_decode(stream_get_contents(STDIN), true);
$_SERVER['HTTP_HOST'] = $in['host'];
$_SERVER['REQUEST_URI'] = $in['path'];
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1';
require $in['load'];
`

// visit asks for the home page and reads it to its end.
func (s *Site) visit(ctx context.Context) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return upkeep.Errorf(upkeep.CodeUnreachable, "%s answers %s", s.URL, answer.Status)
	}
	return nil
}

// World returns the world that serves the site.
func (s *Site) World() *World { return s.world }

// PHPLog is the file that PHP writes the site's errors to.
func (s *Site) PHPLog() string { return filepath.Join(s.logDir(), "php.log") }

func (s *Site) logDir() string { return filepath.Join(s.Dir, "log") }
func (s *Site) host() string   { return fmt.Sprintf("127.0.0.1:%d", s.Port) }

// path returns the path of the home page, "/" or "/blog/".
func (s *Site) path() string {
	u, err := url.Parse(s.URL)
	if err != nil {
		return "/"
	}
	return u.Path
}

// siteURL returns where WordPress itself lies, without a slash at the end.
func (s *Site) siteURL() string {
	if s.Spec.Layout == Bedrock {
		return s.URL + "wp"
	}
	return strings.TrimSuffix(s.URL, "/")
}
