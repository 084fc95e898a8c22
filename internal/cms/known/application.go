package known

import (
	"regexp"

	"upkeep"
)

// application is one entry of the table. Paths are relative to the root of
// the application, with slashes; "a|b" is any of several.
type application struct {
	ID   upkeep.CMS
	Name string

	// Marks must all be there. "file~text" is a file that holds a text near
	// its beginning. Without are marks that must not.
	Marks, Without []string
	// Fronts are the names that the folder which visitors see has below the
	// root: who names that one is told to name the root.
	Fronts []string

	Versions []versionRule // the first one that finds a version
	Settings []settings    // the first one that names a database; none where there is no database
	Folders  []folder      // besides the root
	Parts    []part
	// Entry is the file, of several the first one that is there, that
	// whatever visitors ask for runs before anything is written.
	Entry []string
	// find recognises what marks cannot.
	find func(s *scene) bool
}

// versionRule says where a version stands.
type versionRule struct {
	File    string
	Pattern *regexp.Regexp // its groups, joined with dots, are the version
	Package string         // of Composer, whose installed version it is; instead of the others
}

// form is how settings are written.
type form string

// The forms.
const (
	constants form = "constants" // PHP: define and const
	variables form = "variables" // PHP: $a['b'] and $a->b are a/b
	returned  form = "returned"  // PHP: return ['a' => ['b' => …]]
	env       form = "env"
	ini       form = "ini"
	yaml      form = "yaml"
	xml       form = "xml"
)

// settings say how a configuration is read.
type settings struct {
	Form  form
	Files []string // of each pattern the files that are there; later ones count more
	// First takes only the first file that is there.
	First bool
	Keys  keys

	// Of PHP alone: what is defined before the file runs ({root} is the root),
	// the files at which reading stops, and files that change Into, the global
	// variable with what was returned. Word is what such a file must mention
	// to matter.
	Before map[string]string
	Ends   []string
	After  []string
	Into   string
	Word   string
}

// keys are the paths of settings, with slashes; "a|b" is the first one that is
// set. URL is an address with all in it, or a DSN of PDO.
type keys struct {
	Driver, Host, Port, Socket, User, Password, Name, Prefix, URL string

	File string // of a SQLite database: a path with {keys} in it; Name when it is empty
	Home string // address of the home page
}

// folder is a setting that says where files are kept.
type folder struct{ Name, Key string }

// part is where components of a kind are, each a folder or file.
type part struct {
	Kind    upkeep.Kind
	Glob    string         // of the files that say a version; the component is the folder Up levels above
	Up      int            // 0 is the folder that holds the file
	Pattern *regexp.Regexp // group 1 is the version
	Package string         // Composer's type of packages; instead of the others
}
