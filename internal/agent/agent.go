// Package agent works on a host, for one site at a time and as the site's
// owner: it takes the inventory, freezes, backs up, applies, undoes and thaws.
// It keeps a journal of every act, and when nobody tells it to go on, it takes
// everything back and opens the site again by itself. Both ends of its
// protocol are here: Agent on the host, Client for the control plane.
package agent

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/agent/engine"
	"upkeep/internal/agent/journal"
	"upkeep/internal/agent/place"
	"upkeep/internal/agent/process"
	"upkeep/internal/agent/wire"
	"upkeep/internal/cms"
	"upkeep/internal/vault/archive"
)

// Config is what an agent needs to know.
type Config struct {
	Dir     string      // its own folder, 0700, absolute
	Root    string      // the site's root, absolute
	Drivers cms.Drivers // asked in order
	PHP     string      // the site's interpreter; "" looks it up
	Log     *slog.Logger
	Now     upkeep.Clock
	Idle    time.Duration // ends after so long without anything to do; 0 never
	Adopts  bool          // the process is this agent's alone: what its scripts leave behind falls to it
}

// Agent works on one site. Operations run one at a time.
type Agent struct {
	config Config
	php    *process.Interpreter
	memory *archive.Memory // of the site's files
	dumped *archive.Memory // of our own, for as long as we live

	databases engine.Pool
	started   time.Time
	turn      sync.Mutex // held while an operation runs

	mu       sync.Mutex // guards what follows
	session  *session
	blobs    *wire.Client
	lastSign time.Time // of life from the control plane
	running  context.CancelCauseFunc
	leaving  bool          // asked to end when nothing is open
	known    *cms.Database // what the control plane last knew, for a configuration that cannot be read
}

// session is one journal and what belongs to it.
type session struct {
	opened  Opened
	journal *journal.Journal
	layout  *cms.Layout
	driver  cms.Driver
	host    *host
	gate    *cms.Gate
	staged  map[string]cms.Staged // by component ref
	adopted map[string]bool       // sources of swaps that have the modes they need
	before  *upkeep.Inventory
	hold    *os.File // locked root, so that no other installation of Upkeep works on it
	alone   string   // why the agent takes it back without being told; guarded by Agent.mu
}

// Opened is what the journal's first entry says, so that a later agent can go
// on. It holds no password.
type Opened struct {
	Intervention upkeep.InterventionID `json:"intervention"` // 0 for a freeze by hand
	Token        string                `json:"token"`        // lets probes through the gate
	Layout       cms.Layout            `json:"layout"`
	Folder       string                `json:"folder"` // name of the folders for what waits or is kept
	Work         map[string]string     `json:"work"`   // area name → that folder on its file system
	URL          string                `json:"url"`    // of the front page
	At           time.Time             `json:"at"`
	MaxFrozen    upkeep.Duration       `json:"max_frozen"`
	Silence      upkeep.Duration       `json:"silence"` // without a sign of life for so long, undo and thaw; 0 never
	Logs         map[string]int64      `json:"logs"`    // sizes of the site's PHP logs
}

// New returns an agent; Run starts it.
func New(c Config) (_ *Agent, err error) {
	defer upkeep.Wrap(&err, "agent for %s", c.Root)
	memory, err := archive.LoadMemory(filepath.Join(c.Dir, "memory"))
	if err != nil {
		return nil, err
	}
	if c.Adopts {
		if err := process.AdoptOrphans(); err != nil {
			return nil, err
		}
	}
	return &Agent{
		config:   c,
		php:      &process.Interpreter{Path: c.PHP, Adopts: c.Adopts, Memory: filepath.Join(c.Dir, "php.json"), Log: c.Log},
		memory:   memory,
		dumped:   &archive.Memory{},
		started:  c.Now(),
		lastSign: c.Now(),
	}, nil
}

func (a *Agent) path(name string) string { return filepath.Join(a.config.Dir, name) }

// JournalName is the journal in an agent's folder, there while an intervention
// is open.
const JournalName = "journal.jsonl"

func (a *Agent) journalPath() string { return a.path(JournalName) }

func (a *Agent) dumpDir() string { return a.path("dump") }

// current returns the open session, or CodeConflict.
func (a *Agent) current() (*session, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.session == nil {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "no intervention is open on %s", a.config.Root)
	}
	return a.session, nil
}

// resume takes up the journal that an earlier agent left, if there is one.
func (a *Agent) resume(ctx context.Context) (_ *session, err error) {
	defer upkeep.Wrap(&err, "resume")
	j, err := journal.Resume(a.journalPath(), a.config.Now)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	damage := err
	if upkeep.CodeOf(err) == upkeep.CodeDamaged {
		a.config.Log.Error("opening the site by what is left of the journal", "error", err)
		j, err = journal.Salvage(a.journalPath(), a.config.Now)
	}
	if err != nil {
		return nil, err
	}
	s := &session{journal: j, staged: map[string]cms.Staged{}, adopted: map[string]bool{}}
	first := journal.Last(j.Entries(), journal.Open)
	if first == nil { // cut before its first line was written: nothing was done
		return nil, j.Finish()
	}
	if err := unmarshal(first.Note, &s.opened); err != nil {
		return nil, err
	}
	s.layout = &s.opened.Layout
	if s.driver, err = a.config.Drivers.For(s.layout.CMS); err != nil {
		return nil, err
	}
	if thawed := journal.Last(j.Entries(), journal.Thawed); thawed != nil && len(thawed.Note) > 0 {
		if err := unmarshal(thawed.Note, &s.alone); err != nil {
			return nil, err
		}
	}
	if damage != nil && !s.committed() { // whether the changes stand, and since when, is not known
		unknown := &upkeep.Identity{Differences: []upkeep.Difference{{Path: "journal", Change: damage.Error()}}}
		if err := s.note(journal.Undone, unknown); err != nil {
			return nil, err
		}
	}
	s.host = a.newHost(s.places()...)
	if s.hold, err = holdRoot(s.opened.Layout.Root); err != nil {
		a.config.Log.Warn("going on without the root's lock", "error", err)
	}
	a.recoverCredentials(ctx, s)
	a.mu.Lock()
	a.session = s
	a.mu.Unlock()
	return s, nil
}

// holdRoot locks a site's root folder as long as the file returned is open.
// CodeConflict when another agent works there, of another state folder.
func holdRoot(root string) (*os.File, error) {
	f, err := os.Open(root)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = upkeep.Errorf(upkeep.CodeConflict, "another Upkeep works on %s", root).
			WithHint("Keep each site in one state folder only.")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// recoverCredentials reads the database password again from the site's
// configuration. When that cannot be read any more, the control plane brings
// what it keeps; files are recovered without it.
func (a *Agent) recoverCredentials(ctx context.Context, s *session) {
	if s.layout.Database == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, detectTime)
	defer cancel()
	detected, err := s.driver.Detect(ctx, a.newHost(s.layout.Root, filepath.Dir(s.layout.Root)), s.layout.Root)
	if err != nil || detected.Database == nil {
		a.config.Log.Warn("site configuration unreadable, waiting for credentials", "error", err)
		return
	}
	s.adopt(detected.Database)
}

// detectTime bounds the reading of a configuration while a site is recovered.
const detectTime = 10 * time.Second

// adopt takes the password of a database that is the journal's: a
// configuration that names another by now would have the undo write there.
func (s *session) adopt(known *cms.Database) {
	mine := s.layout.Database
	if mine == nil || mine.Password != "" || known == nil {
		return
	}
	if engine.Key(known) != engine.Key(mine) {
		return
	}
	s.layout.Database = mine.Known(known)
}

// adoptKnown gives the session what the control plane last knew. The caller
// has the turn.
func (a *Agent) adoptKnown() {
	a.mu.Lock()
	s, known := a.session, a.known
	a.mu.Unlock()
	if s != nil {
		s.adopt(known)
	}
}

// places are the folders that an operation of this session may touch.
func (s *session) places() []string {
	var dirs []string
	for _, area := range s.opened.Layout.Areas {
		dirs = append(dirs, area.Dir)
	}
	for _, dir := range s.opened.Work {
		dirs = append(dirs, dir)
	}
	return dirs
}

// makeWork makes a folder on the same file system as area: beside it where
// that is allowed, else inside it under a name that cannot be guessed. The
// time of the folder that it is in stays.
func makeWork(area cms.Area, name string) (string, error) {
	if parent := filepath.Dir(area.Dir); sameDevice(parent, area.Dir) && makeUnseen(parent, name) == nil {
		return filepath.Join(parent, name), nil
	}
	return filepath.Join(area.Dir, name), makeUnseen(area.Dir, name)
}

func makeUnseen(parent, name string) error {
	info, err := os.Stat(parent)
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(parent, name), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	// What is kept there must not be lost with the name of its folder.
	if err := place.SyncDir(parent); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return keepTime(parent, info)
}

// keepTime gives a folder back the time it had. Where the folder is another's
// the time is not ours to keep.
func keepTime(dir string, had fs.FileInfo) error {
	if err := os.Chtimes(dir, time.Time{}, had.ModTime()); !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

func sameDevice(a, b string) bool {
	sa, errA := stat(a)
	sb, errB := stat(b)
	return errA == nil && errB == nil && sa.Dev == sb.Dev
}
