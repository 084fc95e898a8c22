// Package wikimedia is MediaWiki's world in small, for the demo and the tests:
// an extension of our own in good releases and in ones that break in one known
// way, releases of MediaWiki made of an installed one, and a Wikimedia that
// offers them. The sources are GPL-2.0-or-later.
package wikimedia

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/cms"
)

//go:embed all:php
var sources embed.FS

// Tally is the extension: a line below each page, and a table of each release.
const Tally = "Tally"

// Fault is one way in which a release breaks.
type Fault string

// Faults of the code, and of the package.
const (
	None    Fault = ""
	Fatal   Fault = "fatal"   // calls a function that does not exist
	Parse   Fault = "parse"   // does not parse
	Wipes   Fault = "wipes"   // deletes uploads on the first request, and dies
	Lies    Fault = "lies"    // an older commit inside than promised
	Renamed Fault = "renamed" // is another extension than promised
)

// Snapshot is an archive of an extension as ExtensionDistributor makes it.
type Snapshot struct {
	Name   string    `json:"name"`
	Branch string    `json:"branch"` // "1.39"
	Made   time.Time `json:"made"`
	Fault  Fault     `json:"fault,omitempty"`
}

// Extension returns a good snapshot of the extension Tally.
func Extension(branch string, made time.Time) Snapshot {
	return Snapshot{Name: Tally, Branch: branch, Made: made.UTC()}
}

// With returns the snapshot with a fault.
func (s Snapshot) With(fault Fault) Snapshot {
	s.Fault = fault
	return s
}

// Version is how it is called in an inventory.
func (s Snapshot) Version() upkeep.Version {
	return upkeep.Version(s.Branch + "-" + s.Made.Format("20060102150405"))
}

// Revision is the commit that it says to be made of.
func (s Snapshot) Revision() string {
	sum := sha256.Sum256([]byte(s.Name + string(s.Version()) + string(s.Fault)))
	return hex.EncodeToString(sum[:])[:7]
}

// ref is the name of the branch.
func (s Snapshot) ref() string { return "REL" + strings.ReplaceAll(s.Branch, ".", "_") }

// Files returns the snapshot's files by path below its own folder.
func (s Snapshot) Files() map[string]string {
	fault := map[Fault]string{
		Fatal: "function_that_nobody_wrote();", Parse: "if (true {",
		Wipes: "array_map('unlink', glob($GLOBALS['wgUploadDirectory'] . '/*.txt')); function_that_nobody_wrote();",
	}[s.Fault]
	made := s.Made
	if s.Fault == Lies {
		made = made.AddDate(-5, 0, 0)
	}
	fill := strings.NewReplacer("{{says}}", s.Made.Format("2006.1.2"), "{{table}}", s.Made.Format("20060102"), "// {{fault}}", fault)
	root := path.Join("php", s.Name)
	files := map[string]string{"version": s.Name + ": " + s.ref() + "\n" + made.Format("2006-01-02T15:04:05") + "\n\n" + s.Revision() + "\n"}
	err := fs.WalkDir(sources, root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(sources, name)
		files[strings.TrimPrefix(name, root+"/")] = fill.Replace(string(text))
		return err
	})
	if err != nil {
		panic("wikimedia: no " + s.Name) // a name that is not one of the constants
	}
	return files
}

// Package returns the snapshot's archive.
func (s Snapshot) Package() (_ []byte, err error) {
	defer upkeep.Wrap(&err, "pack %s %s", s.Name, s.Version())
	var out bytes.Buffer
	top := s.Name + "/"
	if s.Fault == Renamed {
		top = "Another/"
	}
	files := s.Files()
	err = pack(&out, func(member func(name string, text []byte) error) error {
		for _, name := range slices.Sorted(maps.Keys(files)) {
			if err := member(top+name, []byte(files[name])); err != nil {
				return err
			}
		}
		return nil
	})
	return out.Bytes(), err
}

// packed is the time that all packed files bear.
var packed = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)

// pack writes a tar.gz of what fill gives it.
func pack(out io.Writer, fill func(member func(name string, text []byte) error) error) error {
	zipped, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return err
	}
	w := tar.NewWriter(zipped)
	err = fill(func(name string, text []byte) error {
		head := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text)), ModTime: packed}
		if err := w.WriteHeader(head); err != nil {
			return err
		}
		_, err := w.Write(text)
		return err
	})
	return errors.Join(err, w.Close(), zipped.Close())
}

var defined = regexp.MustCompile(`(define\(\s*'MW_VERSION',\s*')[^']*(')`)

// Core writes a release of MediaWiki to file: tree as it is, under another
// version, with change made: a text in the place of a path, "" for a path that
// goes.
func Core(file, tree string, version upkeep.Version, change map[string]string) (err error) {
	defer upkeep.Wrap(&err, "pack mediawiki %s", version)
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	top := "mediawiki-" + string(version) + "/"
	return pack(out, func(member func(name string, text []byte) error) error {
		err := filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			name, err := filepath.Rel(tree, path)
			if _, changed := change[name]; err != nil || changed || name == "LocalSettings.php" {
				return err
			}
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			if name == "includes/Defines.php" {
				text = defined.ReplaceAll(text, []byte("${1}"+string(version)+"${2}"))
			}
			return member(top+name, text)
		})
		for _, name := range slices.Sorted(maps.Keys(change)) {
			if err == nil && change[name] != "" {
				err = member(top+name, []byte(change[name]))
			}
		}
		return err
	})
}

// Spec says which MediaWiki to make. Only Name is required: the zero value of
// the rest is Debian's, on SQLite, with its own skin.
type Spec struct {
	Name       string     `json:"name"`
	Tree       string     `json:"tree,omitempty"`       // folder of another release
	MariaDB    bool       `json:"mariadb,omitempty"`    // instead of SQLite
	PostgreSQL bool       `json:"postgresql,omitempty"` // instead of SQLite
	Extensions []Snapshot `json:"extensions,omitempty"`
	Config     string     `json:"config,omitempty"` // further PHP lines of LocalSettings.php
}

// Arguments are what MediaWiki's installer is told: the wiki's address, and its
// database, which without one is SQLite in the folder data.
func Arguments(server string, db *cms.Database, data string) []string {
	args := []string{"--server=" + server, "--scriptpath=", "--lang=en", "--skins=Vector", "--with-extensions"}
	if db == nil {
		return append(args, "--dbtype=sqlite", "--dbpath="+data, "--dbname=wiki")
	}
	if db.Engine == "postgresql" {
		return append(args, "--dbtype=postgres", "--dbserver="+db.Socket, "--dbname="+db.Name, "--dbuser="+db.User, "--dbpass="+db.Password)
	}
	return append(args, "--dbtype=mysql", "--dbserver=localhost:"+db.Socket, "--dbname="+db.Name, "--dbuser="+db.User, "--dbpass="+db.Password)
}

// RunMaintenance runs a script of MediaWiki's, and gives it the arguments that
// come as JSON by standard input, as from a shell.
const RunMaintenance = `$argv = $_SERVER['argv'] = json_decode(stream_get_contents(STDIN), true);
$argc = $_SERVER['argc'] = count($argv);
require $argv[0];
`

// Furnish returns what an owner adds to an installed MediaWiki, by path: a
// configuration that loads the extensions, these, an upload, a logo.
func Furnish(config string, extensions []Snapshot) map[string]string {
	files := map[string]string{"images/report.txt": "A file of the owner's.\n", "resources/assets/own-logo.svg": "<svg xmlns=\"http://www.w3.org/2000/svg\"/>\n"}
	for _, extension := range extensions {
		config += "wfLoadExtension( '" + extension.Name + "' );\n"
		for name, content := range extension.Files() {
			files["extensions/"+extension.Name+"/"+name] = content
		}
	}
	files["LocalSettings.php"] = config
	return files
}

// VersionOf reads the version of a tree; "" when it says none.
func VersionOf(tree string) string {
	text, err := os.ReadFile(filepath.Join(tree, "includes/Defines.php"))
	if err != nil {
		return ""
	}
	found := regexp.MustCompile(`define\(\s*'MW_VERSION',\s*'([^']*)'`).FindSubmatch(text)
	if found == nil {
		return ""
	}
	return string(found[1])
}
