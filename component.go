package upkeep

import (
	"strings"
	"time"
)

// Kind says what sort of component it is.
type Kind string

// The kinds. An extension is any kind but core and schema.
const (
	Core     Kind = "core"
	Plugin   Kind = "plugin"
	MustUse  Kind = "mu-plugin" // WordPress: always active, no feed
	DropIn   Kind = "drop-in"   // WordPress: object-cache.php and its kin
	Theme    Kind = "theme"
	Language Kind = "language"

	// Joomla's own words, and what other CMSs share with it.
	Application Kind = "component" // Joomla: com_content and its kin
	Module      Kind = "module"
	Library     Kind = "library"
	Package     Kind = "package" // Joomla: extensions that are installed and updated together
	Files       Kind = "file"    // Joomla: files that belong to no other kind
)

// Component is a separately versioned piece of a site.
type Component struct {
	Kind      Kind    `json:"kind"`
	ID        string  `json:"id"`   // the CMS's own key: "akismet/akismet.php", "twentytwenty", "core"
	Slug      string  `json:"slug"` // the publisher's key: "akismet"
	Name      string  `json:"name"`
	Version   Version `json:"version"` // "" when the component carries none
	Path      string  `json:"path"`    // absolute file or folder that an update replaces
	Active    bool    `json:"active"`
	Network   bool    `json:"network,omitempty"` // active for every site of a multisite
	Parent    string  `json:"parent,omitempty"`  // a child theme's parent slug
	Link      string  `json:"link,omitempty"`    // target, when Path is a symbolic link
	Locale    string  `json:"locale,omitempty"`
	UpdateURI string  `json:"update_uri,omitempty"` // WordPress: who else publishes it; "false" for nobody

	RequiresCMS        Version  `json:"requires_cms,omitempty"`
	RequiresPHP        Version  `json:"requires_php,omitempty"`
	RequiresComponents []string `json:"requires_components,omitempty"` // slugs that must be present

	Headers map[string]string `json:"headers,omitempty"` // as written in the file, for the publisher's check
	Vendor  *Release          `json:"vendor,omitempty"`  // update that the vendor's own updater recorded in the site
}

// Ref is the component's name within its site, as commands take it:
// "core", "plugin:akismet/akismet.php", "theme:twentytwenty".
func (c *Component) Ref() string {
	if c.Kind == Core {
		return string(Core)
	}
	return string(c.Kind) + ":" + c.ID
}

// Matches reports whether an operator's word names c: its ref, ID or slug,
// or a kind ("plugin", "theme", "core").
func (c *Component) Matches(word string) bool {
	return word == c.Ref() || word == c.ID || word == c.Slug && c.Slug != "" || strings.EqualFold(word, string(c.Kind))
}

// Inventory is the components of a site at one moment, read without running
// any code of the site.
type Inventory struct {
	Taken      time.Time   `json:"taken"`
	CMS        CMS         `json:"cms"`
	Components []Component `json:"components"` // core first, then by kind and ID
	Schema     Schema      `json:"schema"`
	PHP        Version     `json:"php"`      // of the site's interpreter
	Database   string      `json:"database"` // server version string, such as "10.11.6-MariaDB"
	Locales    []string    `json:"locales,omitempty"`
	Multisite  bool        `json:"multisite,omitempty"`
	HomeURL    string      `json:"home_url,omitempty"`
	Pages      []Page      `json:"pages,omitempty"`    // what verification should look at
	Findings   []Finding   `json:"findings,omitempty"` // what does not agree: files and database, foreign updaters, links out
}

// Core returns the core component, or nil.
func (inv *Inventory) Core() *Component {
	for i := range inv.Components {
		if inv.Components[i].Kind == Core {
			return &inv.Components[i]
		}
	}
	return nil
}

// Schema is the database schema level that the files expect and that the
// database has. Pending when they differ.
type Schema struct {
	Files    string `json:"files"`
	Database string `json:"database"`
	Pending  bool   `json:"pending"`
}

// Finding is something an examination found. Codes are stable; texts come
// from the catalogue.
type Finding struct {
	Code       string   `json:"code"` // "file_missing", "modified", "foreign_updater", "version_control", …
	Component  string   `json:"component,omitempty"`
	Paths      []string `json:"paths,omitempty"`
	Detail     string   `json:"detail,omitempty"`
	DetailText *Text    `json:"detail_text,omitempty"` // what Detail is made of, where it is words
	Blocks     bool     `json:"blocks,omitempty"`      // updates of the component (of the site when it names none) are held
}

// Because returns the finding with err as its detail.
func (f Finding) Because(err error) Finding {
	text := TextOf(err)
	f.Detail, f.DetailText = text.String(), &text
	return f
}

// More is the detail with what it is made of.
func (f *Finding) More() Text { return madeOf(f.DetailText, f.Detail) }
