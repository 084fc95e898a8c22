package demo

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/demo/cluster"
	"upkeep/internal/demo/copies"
	"upkeep/internal/demo/packages"
	"upkeep/internal/demo/proc"
)

// Options says what a world is made of. Packages is needed to add sites.
type Options struct {
	Packages string // folder that packages.Fill completed
	Account  string // who runs the servers and owns the sites when we are root; "" is www-data
	Detached bool   // the servers outlive this process; otherwise they die with it
}

// World is a private MariaDB, PHP and web server with the sites they serve,
// all below one folder. It may be stopped and started again, by another
// process too. Its methods may be called concurrently.
type World struct {
	Dir     string   // absolute
	MariaDB *MariaDB // nil before Start
	PHP     *Server
	cluster *cluster.Lazy

	opts  Options
	as    *syscall.Credential
	state state
	mu    sync.Mutex // guards state
	dumps sync.Map   // site name → func() (string, error), the dump that clones are made of
}

// state is what world.json remembers.
type state struct {
	Owner int     `json:"owner,omitempty"` // process that the servers die with; 0 when detached
	Sites []*Site `json:"sites"`
}

// stateFile makes a folder a world.
const stateFile = "world.json"

// Open returns the world in dir, an empty new one when dir is missing or
// empty. Nothing is started. CodeConflict when dir holds something else.
func Open(dir string, opts Options) (_ *World, err error) {
	defer upkeep.Wrap(&err, "open demo %s", dir)
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	w := &World{Dir: dir, opts: opts, cluster: &cluster.Lazy{Dir: filepath.Join(dir, "postgresql"), Account: opts.Account}}
	if w.as, err = credential(opts.Account); err != nil {
		return nil, err
	}
	if err := w.load(); err != nil {
		return nil, err
	}
	if err := w.makeFolders(); err != nil {
		return nil, err
	}
	if w.PHP, err = w.phpServer(); err != nil {
		return nil, err
	}
	for _, site := range w.state.Sites {
		site.world = w
		if site.Web, err = w.webServer(site); err != nil {
			return nil, err
		}
	}
	return w, nil
}

// Exists reports whether dir holds a world.
func Exists(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, stateFile))
	return err == nil
}

// Start starts every server that does not run and waits until all answer.
func (w *World) Start(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "start demo")
	w.mu.Lock()
	defer w.mu.Unlock()
	w.state.Owner = os.Getpid()
	if w.opts.Detached {
		w.state.Owner = 0
	}
	if err := w.save(); err != nil {
		return err
	}
	if w.MariaDB, err = StartMariaDB(ctx, filepath.Join(w.Dir, "mariadb"),
		MariaDBOptions{Account: w.opts.Account, Detached: w.opts.Detached}); err != nil {
		return err
	}
	if err := w.PHP.Start(ctx); err != nil {
		return err
	}
	for _, site := range w.state.Sites {
		if err := site.Web.Start(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Stop stops every server, whoever started it.
func (w *World) Stop(ctx context.Context) (err error) {
	defer upkeep.Wrap(&err, "stop demo")
	db := w.MariaDB
	if db == nil {
		db = &MariaDB{Dir: filepath.Join(w.Dir, "mariadb")}
		db.pid = db.runningPID()
	}
	for _, site := range w.Sites() {
		err = errors.Join(err, site.Web.Stop(ctx))
	}
	pid := db.PID()
	if err := errors.Join(err, w.PHP.Stop(ctx), db.Stop(ctx), w.cluster.Stop(ctx)); err != nil || pid == 0 {
		return err
	}
	// It removes its pid file a moment before it lets go of its data.
	return poll(ctx, func() error {
		if proc.Ended(pid) {
			return nil
		}
		return upkeep.Errorf(upkeep.CodeConflict, "mariadbd %d still runs", pid)
	})
}

// Remove stops every server and deletes the world with all its sites.
func (w *World) Remove(ctx context.Context) error {
	if err := w.Stop(ctx); err != nil {
		return err
	}
	if w.MariaDB != nil {
		if err := w.MariaDB.Remove(ctx); err != nil { // its socket may lie elsewhere
			return err
		}
	}
	return errors.Join(os.RemoveAll(filepath.Dir(w.PHP.socket)), os.RemoveAll(w.Dir))
}

// Abandoned reports whether the process that a world's servers should die
// with is gone: what is left of it may be removed.
func (w *World) Abandoned() bool {
	return w.state.Owner != 0 && w.state.Owner != os.Getpid() && errors.Is(syscall.Kill(w.state.Owner, 0), syscall.ESRCH)
}

// Sites returns the sites in the order in which they were added.
func (w *World) Sites() []*Site {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.state.Sites)
}

// Site returns a site by name. CodeNotFound when there is none.
func (w *World) Site(name string) (*Site, error) {
	for _, site := range w.Sites() {
		if site.Name == name {
			return site, nil
		}
	}
	return nil, upkeep.Errorf(upkeep.CodeNotFound, "no site %q in %s", name, w.Dir)
}

// Packages returns the WordPress releases that sites can be made of.
func (w *World) Packages() (*packages.Set, error) { return packages.Open(w.opts.Packages) }

// Account returns the user and group number that own the sites.
func (w *World) Account() (uid, gid int) {
	if w.as != nil {
		return int(w.as.Uid), int(w.as.Gid)
	}
	return os.Getuid(), os.Getgid()
}

func (w *World) load() error {
	text, err := os.ReadFile(filepath.Join(w.Dir, stateFile))
	if err == nil {
		return json.Unmarshal(text, &w.state)
	}
	if !errors.Is(err, os.ErrNotExist) {
		return err
	}
	entries, err := os.ReadDir(w.Dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return upkeep.Errorf(upkeep.CodeConflict, "%s holds something that is not a demo", w.Dir).
			WithHint("Name an empty or a new folder.")
	}
	return nil
}

// save writes the state aside first: a crash must not cost the knowledge of
// what to clean up.
func (w *World) save() error {
	text, err := json.MarshalIndent(w.state, "", "\t")
	if err != nil {
		return err
	}
	path := filepath.Join(w.Dir, stateFile)
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// makeFolders makes the world's folders. Only run and what is below sites
// belong to the account of the servers; the rest is ours, so that a hostile
// site cannot lead us astray by a link in it.
func (w *World) makeFolders() error {
	mode := os.FileMode(0o700)
	if w.as != nil {
		mode = 0o711
	}
	if err := os.MkdirAll(w.Dir, mode); err != nil {
		return err
	}
	if err := os.Chmod(w.Dir, mode); err != nil {
		return err
	}
	for _, dir := range []string{"etc", "etc/sites", "servers", "sites"} {
		if err := os.MkdirAll(filepath.Join(w.Dir, dir), 0o755); err != nil {
			return err
		}
	}
	run := filepath.Join(w.Dir, "run")
	if err := os.MkdirAll(filepath.Join(run, "tmp"), 0o700); err != nil {
		return err
	}
	return errors.Join(w.chown(run), w.chown(filepath.Join(run, "tmp")))
}

// CreateDatabase makes an empty database for a site.
func (w *World) CreateDatabase(ctx context.Context, s *Site, engine string) (*cms.Database, error) {
	switch engine {
	case "postgresql":
		return w.cluster.CreateDatabase(ctx, "site_"+s.Name)
	case "sqlite": // a file, which the installer makes where the site keeps others
		return &cms.Database{Engine: engine, Name: s.Content + "/.ht.sqlite", File: s.Content + "/.ht.sqlite"}, nil
	}
	return w.MariaDB.CreateDatabase(ctx, "site_"+s.Name)
}

// chown gives a path to the account of the servers.
func (w *World) chown(path string) error {
	if w.as == nil {
		return nil
	}
	return os.Lchown(path, int(w.as.Uid), int(w.as.Gid))
}

// CopyTree copies a folder for the account of the servers.
func (w *World) CopyTree(from, to string) error { return copies.Tree(from, to, w.chown) }

// Place returns where a world that was asked for in dir can be: dir itself,
// or when we are root and the servers' account cannot walk to it (as below
// /root), a folder below /var/tmp that is always the same for the same dir.
func Place(dir string, account string) (_ string, err error) {
	defer upkeep.Wrap(&err, "find a place for demo %s", dir)
	if dir, err = filepath.Abs(dir); err != nil {
		return "", err
	}
	as, err := credential(account)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return "", err
	}
	if (&MariaDB{Dir: dir, as: as}).reachable() == nil {
		return dir, nil
	}
	sum := sha256.Sum256([]byte(dir))
	return fmt.Sprintf("/var/tmp/upkeep-demo-%x", sum[:6]), nil
}
