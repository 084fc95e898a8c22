// Package cms is what a driver must answer about its CMS so that the
// transaction itself never needs to know which CMS a site runs.
package cms

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"upkeep"
)

// Driver answers questions about the sites of one CMS. It runs inside the
// agent, on the host, as the site's owner. It never executes code of the site
// except in Apply and Migrate, through Work.PHP, and to evaluate a
// configuration that is not static, through Host.PHP.
type Driver interface {
	// CMS names the driver.
	CMS() upkeep.CMS

	// Detect finds the CMS installed at root (absolute) and where it keeps
	// what. CodeNotFound when root holds no site of this CMS, with a hint how
	// its folder is known ("for WordPress the one with wp-load.php"),
	// CodeInvalid with a hint when it holds one that cannot be used.
	Detect(ctx context.Context, h Host, root string) (*Layout, error)

	// Inventory reads the components, the schema level, the pages worth
	// probing and what does not agree. Keys of vendors it puts in l, never
	// in the inventory.
	Inventory(ctx context.Context, h Host, l *Layout) (*upkeep.Inventory, error)

	// Integrity compares components with what their publisher released and
	// returns a finding, blocking, for each that was modified by hand.
	// originals holds the published file hashes, by component ref; a
	// component without an entry is not examined.
	Integrity(ctx context.Context, h Host, l *Layout, originals map[string]upkeep.Original) ([]upkeep.Finding, error)

	// Stage checks an unpacked package against the update it is for (top
	// folder, component, version inside, requirements) and says which folder
	// or file takes which place. CodeRefused when it is not what it claims.
	Stage(ctx context.Context, h Host, l *Layout, update upkeep.Update, unpacked string) (*Staged, error)

	// Gate describes the gate that refuses every write path of the CMS and
	// lets requests with the token through, made so that the CMS's own
	// upgrader cannot open it.
	Gate(ctx context.Context, h Host, l *Layout, token string) (*Gate, error)

	// Apply puts staged updates in place, in order, through w.
	Apply(ctx context.Context, w Work, l *Layout, staged []Staged) error

	// Migrate brings the database to the level of the files and does what
	// the CMS's own upgrader does besides moving files: hooks, caches,
	// records of available updates.
	Migrate(ctx context.Context, w Work, l *Layout, staged []Staged) error

	// ReadBack checks that the updates are what the site now is: versions,
	// package content, schema level, active components as in before.
	ReadBack(ctx context.Context, h Host, l *Layout, before *upkeep.Inventory, staged []Staged) ([]upkeep.Check, error)
}

// Proposer is a Driver that can say what updates would change in the sources
// that a site is deployed from, without changing the site.
type Proposer interface {
	// Propose returns a patch for the folder of those sources, "" where the
	// updates change nothing there. dir (absolute) is an empty folder of ours.
	// CodeInvalid when the site has no such sources,
	// CodeRefused when an update cannot be made.
	Propose(ctx context.Context, h Host, l *Layout, updates []upkeep.Update, dir string) (patch string, err error)
}

// Host is what the agent lends a driver to look at a site.
type Host interface {
	// Open returns a folder of the site that no path below can leave.
	// CodeRefused when dir is outside the layout's areas. The caller closes it.
	Open(dir string) (*os.Root, error)

	// Query reads from the site's database; a ? stands for an argument, with
	// every engine. Cells are text, nil for NULL.
	// CodeUnreachable when the database does not answer.
	Query(ctx context.Context, db *Database, query string, args ...any) ([][][]byte, error)

	// PHP runs a script of ours with the site's PHP as the site's owner. The
	// script gets input as JSON on descriptor 3 and answers with JSON on
	// descriptor 4; what it prints otherwise is kept for the log. Time and
	// output are bounded. CodeUnreachable when no PHP is installed.
	PHP(ctx context.Context, script Script, input, output any) error
}

// Work is what the agent lends a driver to change a frozen site. Every change
// is written to the journal before it is made.
type Work interface {
	Host

	// Swap puts source (absolute, staged on the same file system) in the
	// place of target (absolute, inside an area), and keeps what was there
	// for the undo. Owner, group and mode come from what is replaced, or
	// from the parent folder where nothing is.
	Swap(ctx context.Context, target, source string) error

	// Remove takes target away and keeps it for the undo. Nothing there is
	// not an error.
	Remove(ctx context.Context, target string) error
}

// Script is a small PHP program embedded in a driver.
type Script struct {
	Name   string // for messages: "migrate.php"
	Source string
	Dir    string // working folder
	Fixed  bool   // its answer depends on the interpreter alone, and may be an earlier one
}

// Layout is where a site keeps what.
type Layout struct {
	CMS      upkeep.CMS        `json:"cms"`
	Root     string            `json:"root"`            // absolute, links resolved; the document root of the CMS
	Inner    string            `json:"inner,omitempty"` // the folder below Root that holds the CMS, when nothing in Root leads there
	Areas    []Area            `json:"areas"`           // every folder to back up; the first is the root
	Database *Database         `json:"database"`        // nil when the CMS uses none
	Dirs     map[string]string `json:"dirs"`            // the driver's own: "content", "plugins", "mu-plugins", "languages", …
	Options  map[string]string `json:"options"`         // the driver's own: "multisite": "1", …
	Keys     map[string]string `json:"keys,omitempty"`  // by upkeep.Release.Key; secret like the database's password
	Logs     []string          `json:"logs"`            // absolute: where the site's PHP may write its errors
	Findings []upkeep.Finding  `json:"findings,omitempty"`
}

// Unlocked returns a release with the address that gives its package: what the
// site's key of the vendor adds is in no record, and in no message.
func (l *Layout) Unlocked(r upkeep.Release) upkeep.Release {
	query := strings.TrimLeft(strings.ReplaceAll(l.Keys[r.Key], "&amp;", "&"), "?&")
	if r.Package == "" || query == "" {
		return r
	}
	if strings.Contains(r.Package, "?") {
		r.Package += "&" + query
	} else {
		r.Package += "?" + query
	}
	return r
}

// Area is a folder that belongs to a site, with the name it has in backups
// and manifests. Areas do not contain each other.
type Area struct {
	Name string   `json:"name"`           // "site", "content", "uploads", "config"
	Dir  string   `json:"dir"`            // absolute, links resolved
	Only []string `json:"only,omitempty"` // when set, just these names directly below Dir belong to the site
}

// NameOf returns the name that path, absolute, has in backups and manifests, when
// it is in one of the areas.
func NameOf(areas []Area, path string) (string, bool) {
	for _, area := range areas {
		if path == area.Dir {
			return area.Name, true
		}
		if rest, ok := strings.CutPrefix(path, area.Dir+"/"); ok {
			return area.Name + "/" + rest, true
		}
	}
	return "", false
}

// Database is how to reach a site's database. It holds a password: it is
// never logged, and stored only encrypted.
type Database struct {
	Engine   string `json:"engine"` // "mariadb", "postgresql", "sqlite"
	Host     string `json:"host,omitempty"`
	Port     int    `json:"port,omitempty"`
	Socket   string `json:"socket,omitempty"`
	User     string `json:"user,omitempty"`
	Password string `json:"password,omitempty"`
	Name     string `json:"name"`
	Charset  string `json:"charset,omitempty"`
	Prefix   string `json:"prefix,omitempty"`

	// Neighbours are the prefixes of other installations in the same
	// database. A table belongs to the longest matching prefix among Prefix
	// and these; one that matches none belongs to this site.
	Neighbours []string `json:"neighbours,omitempty"`

	// Schema restricts the site to one schema of a PostgreSQL database; ""
	// is all of them.
	Schema string `json:"schema,omitempty"`

	// File is the SQLite database, Files what further ones the site has, such
	// as a queue's: absolute, links resolved, inside an area or not.
	File  string   `json:"file,omitempty"`
	Files []string `json:"files,omitempty"`

	// More are further databases of a site that has several: all of them are
	// backed up, compared and undone with this one. Label is then what each is
	// called in backups, this one too, and can be the name of a folder.
	Label string     `json:"label,omitempty"`
	More  []Database `json:"more,omitempty"`
}

// Known returns the database with the account and password that known has for
// it and for each of More, which are the same ones in the same order.
func (d Database) Known(known *Database) *Database {
	d.User, d.Password, d.More = known.User, known.Password, slices.Clone(d.More)
	for i := range d.More {
		d.More[i].User, d.More[i].Password = known.More[i].User, known.More[i].Password
	}
	return &d
}

// Stripped returns the database without its passwords.
func (d Database) Stripped() *Database {
	d.Password, d.More = "", slices.Clone(d.More)
	for i := range d.More {
		d.More[i].Password = ""
	}
	return &d
}

// Has reports whether what is called name in the database is the site's, by the
// rule of Neighbours.
func (d *Database) Has(name string) bool {
	longest, ours := -1, true
	if strings.HasPrefix(name, d.Prefix) {
		longest = len(d.Prefix)
	}
	for _, prefix := range d.Neighbours {
		if len(prefix) > longest && strings.HasPrefix(name, prefix) {
			longest, ours = len(prefix), false
		}
	}
	return ours
}

// Beside returns how another database of that name is reached where this one
// is. With SQLite the name is the absolute path of a file.
func (d Database) Beside(name string) Database {
	d.Name = name
	if d.Engine != "sqlite" {
		return d
	}
	d.File, d.Files = name, slices.Clone(d.Files)
	for i, file := range d.Files {
		d.Files[i] = filepath.Join(filepath.Dir(name), filepath.Base(file))
	}
	return d
}

// Gate is what closes a site: files to write and modes to set, which the
// agent journals, sets and takes back.
type Gate struct {
	Files []GateFile `json:"files"`
	Modes []GateMode `json:"modes"`
}

// Refuses reports whether the gate, nil for none, turns visitors away by the
// file at path besides its first.
func (g *Gate) Refuses(path string) bool {
	return g != nil && slices.ContainsFunc(g.Files, func(file GateFile) bool { return file.Refuses && file.Path == path })
}

// GateFile is a file that appears for the duration of the freeze. One that
// was there before is kept aside and put back exactly.
type GateFile struct {
	Path    string      `json:"path"` // absolute, inside an area
	Content []byte      `json:"content"`
	Mode    os.FileMode `json:"mode"`
	Refuses bool        `json:"refuses,omitempty"` // turns visitors away, as the first file of a gate always does
}

// GateMode is a mode that a path has for the duration of the freeze. Work
// lifts it where a change needs it, and sets it on what takes the path's place.
// A folder of gate files that a CMS itself closes to writing is named with the
// mode it has, and Opens: it is opened for them, and closed again. Any other
// that its owner closed is meant to stay so, and nothing is begun.
type GateMode struct {
	Path  string      `json:"path"`
	Mode  os.FileMode `json:"mode"`
	Opens bool        `json:"opens,omitempty"`
}

// TokenHeader is the request header that carries the probe token.
const TokenHeader = "X-Upkeep-Probe"

// ResetHeader is the request header that, beside the token, makes the gate
// empty the web server's caches of code. The answer has a header of the same
// name: "done" or "refused". Requests after that one run the code on disk. Where
// PHP notices when a file changes, the body may say which scripts of the site
// were held: {"root": absolute folder, "scripts": [paths below it]}.
const ResetHeader = "X-Upkeep-Reset"

// CompileHeader is the request header that, beside the token, makes the gate
// compile the scripts whose paths below that root its body lists, without
// running them. The answer has a header of the same name: how many it did.
const CompileHeader = "X-Upkeep-Compile"

// Staged is an update whose package is unpacked, checked and ready to move.
type Staged struct {
	Update upkeep.Update     `json:"update"`
	Dir    string            `json:"dir"`             // absolute: the unpacked package
	Moves  []Move            `json:"moves,omitempty"` // in order; the last makes the new version visible
	Drop   []string          `json:"drop,omitempty"`  // absolute paths that the new version no longer has
	Files  map[string]string `json:"-"`               // path below the component → hex SHA-256, as unpacked

	Findings []upkeep.Finding `json:"findings,omitempty"` // what the update takes away that is not the component's
}

// Move puts From, inside Staged.Dir, in the place of To, inside an area.
type Move struct {
	From string `json:"from"`
	To   string `json:"to"`
}

// Drivers is the list of drivers a program was built with.
type Drivers []Driver

// For returns the driver of a CMS, or CodeNotFound.
func (ds Drivers) For(name upkeep.CMS) (Driver, error) {
	for _, d := range ds {
		if d.CMS() == name {
			return d, nil
		}
	}
	return nil, upkeep.Errorf(upkeep.CodeNotFound, "no driver for cms %q", name)
}

// Detect asks each driver in turn which CMS is installed at root. One that
// lies in an inner folder counts only when no other driver knows the root
// itself: its layout would leave out the database of the outer one.
// CodeNotFound when none knows it.
func (ds Drivers) Detect(ctx context.Context, h Host, root string) (*Layout, error) {
	var hints upkeep.Text
	for i, d := range ds {
		layout, err := d.Detect(ctx, h, root)
		if upkeep.CodeOf(err) == upkeep.CodeNotFound {
			if hint := upkeep.HintTextOf(err); hint.String() != "" {
				if len(hints.Args) > 0 {
					hints.Args = append(hints.Args, upkeep.Text{Plain: ", "})
				}
				hints.Args = append(hints.Args, hint)
			}
			continue
		}
		if err == nil && layout.Inner != "" {
			if outer, err := ds[i+1:].Detect(ctx, h, root); upkeep.CodeOf(err) != upkeep.CodeNotFound {
				return outer, err
			}
		}
		return layout, err
	}
	return nil, upkeep.Errorf(upkeep.CodeNotFound, "no known cms in %s", root).
		WithHint("Name the folder that holds the CMS itself: %s.", hints)
}

// ReadBounded reads a file below root of at most limit bytes. CodeRefused
// when it is larger or not a regular file.
func ReadBounded(root *os.Root, name string, limit int64) ([]byte, error) {
	// A pipe in the place of a file must not keep us waiting for its other end.
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "%s: want a regular file of at most %d bytes", name, limit)
	}
	text := bytes.NewBuffer(make([]byte, 0, info.Size()+bytes.MinRead)) // as much as it wants, to see the end at once
	if _, err := text.ReadFrom(io.LimitReader(f, limit)); err != nil {
		return nil, err
	}
	return text.Bytes(), nil
}

// List writes at most five names for a message or a check, "nothing" for none.
func List(names []string) string {
	if len(names) > 5 {
		names = append(names[:5:5], "…")
	}
	if len(names) == 0 {
		return "nothing"
	}
	return strings.Join(names, ", ")
}
