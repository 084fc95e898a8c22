package agent

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/agent/codecache"
	"upkeep/internal/agent/journal"
	"upkeep/internal/agent/manifest"
	"upkeep/internal/agent/phplog"
	"upkeep/internal/agent/rows"
	"upkeep/internal/cms"
)

// StatusRequest asks an agent how things stand.
type StatusRequest struct {
	// Database is what the control plane last knew, for a site whose
	// configuration cannot be read any more.
	Database *cms.Database `json:"database,omitempty"`
}

// Program tells the file that this process runs from apart from others, also
// when another one has its name by now. "" when that cannot be told.
func Program() string {
	var st unix.Stat_t
	if err := unix.Stat("/proc/self/exe", &st); err != nil {
		return ""
	}
	return fmt.Sprintf("%d:%d", st.Dev, st.Ino)
}

func (a *Agent) opStatus(_ context.Context, _ *call, request StatusRequest) (*Status, error) {
	status := &Status{Protocol: ProtocolVersion, PID: os.Getpid(), Root: a.config.Root, Program: Program()}
	s, err := a.current()
	if err != nil {
		return status, nil
	}
	a.mu.Lock()
	a.known, status.Alone = request.Database, s.alone
	a.mu.Unlock()
	entries := s.journal.Entries()
	status.Open, status.Intervention, status.Token = true, s.opened.Intervention, s.opened.Token
	status.Frozen, status.Changed = s.frozen(), s.changed()
	status.Secured, status.Committed = s.secured(), s.committed()
	if undone := journal.Last(entries, journal.Undone); undone != nil && !status.Changed {
		status.Undone = true
		if len(undone.Note) > 0 {
			status.Identity = &upkeep.Identity{}
			return status, unmarshal(undone.Note, status.Identity)
		}
	}
	return status, nil
}

// Nothing is the request of an operation that needs none, and the result of
// one that has none.
type Nothing struct{}

func (a *Agent) opDetect(ctx context.Context, _ *call, _ Nothing) (*cms.Layout, error) {
	return a.config.Drivers.Detect(ctx, a.newHost(a.config.Root, filepath.Dir(a.config.Root)), a.config.Root)
}

// opQuit ends the agent as soon as nothing is open.
func (a *Agent) opQuit(_ context.Context, _ *call, _ Nothing) (Nothing, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.leaving = true
	return Nothing{}, nil
}

// Survey is an inventory with the layout it was taken by.
type Survey struct {
	Layout    *cms.Layout       `json:"layout"`
	Inventory *upkeep.Inventory `json:"inventory"`
}

func (a *Agent) opInventory(ctx context.Context, c *call, _ Nothing) (*Survey, error) {
	layout, err := a.opDetect(ctx, c, Nothing{})
	if err != nil {
		return nil, err
	}
	driver, err := a.config.Drivers.For(layout.CMS)
	if err != nil {
		return nil, err
	}
	inventory, err := driver.Inventory(ctx, a.layoutHost(layout), layout)
	if err != nil {
		return nil, err
	}
	inventory.Findings = append(slices.Clone(layout.Findings), inventory.Findings...)
	return &Survey{Layout: layout, Inventory: inventory}, nil
}

func (a *Agent) layoutHost(layout *cms.Layout) *host {
	var dirs []string
	for _, area := range layout.Areas {
		dirs = append(dirs, area.Dir)
	}
	return a.newHost(dirs...)
}

// IntegrityRequest compares components with what their publisher released.
type IntegrityRequest struct {
	Originals map[string]upkeep.Original `json:"originals"` // by component ref
}

func (a *Agent) opIntegrity(ctx context.Context, c *call, request IntegrityRequest) ([]upkeep.Finding, error) {
	layout, err := a.opDetect(ctx, c, Nothing{})
	if err != nil {
		return nil, err
	}
	driver, err := a.config.Drivers.For(layout.CMS)
	if err != nil {
		return nil, err
	}
	return driver.Integrity(ctx, a.layoutHost(layout), layout, request.Originals)
}

// opPropose has the driver say what updates would change elsewhere. The site is
// only read; the folder for it goes again.
func (a *Agent) opPropose(ctx context.Context, c *call, request ProposeRequest) (string, error) {
	layout, err := a.opDetect(ctx, c, Nothing{})
	if err != nil {
		return "", err
	}
	driver, err := a.config.Drivers.For(layout.CMS)
	if err != nil {
		return "", err
	}
	proposer, ok := driver.(cms.Proposer)
	if !ok {
		return "", upkeep.Errorf(upkeep.CodeInvalid, "a %s is not put together from a lock", layout.CMS).
			WithHint("Update this site where it is deployed from.")
	}
	dir := a.path("proposal")
	if err := emptyFolder(dir); err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	h := a.layoutHost(layout)
	h.places = h.places.With(dir)
	return proposer.Propose(ctx, h, layout, request.Updates, dir)
}

// busy says what else is open on the site.
func (s *session) busy() error {
	if s.opened.Intervention == 0 {
		return upkeep.Errorf(upkeep.CodeConflict, "the site is frozen by hand, or being restored").
			WithHint("See that nobody needs it closed, then open it with upkeep site thaw.")
	}
	return upkeep.Errorf(upkeep.CodeConflict, "intervention %s is open on this site", s.opened.Intervention).
		WithHint("Wait for it to end: upkeep intervention show %s.", s.opened.Intervention)
}

// opOpen begins an intervention. Repeated for the one that is open, it does
// nothing; one that ended without being closed is closed first.
func (a *Agent) opOpen(ctx context.Context, c *call, request OpenRequest) (_ Nothing, err error) {
	defer upkeep.Wrap(&err, "open")
	if s, err := a.current(); err == nil {
		switch {
		case s.opened.Intervention == request.Intervention && request.Intervention != 0:
			return Nothing{}, nil
		case s.unfinished():
			return Nothing{}, s.busy()
		}
		if _, err := a.opClose(ctx, c, Nothing{}); err != nil {
			return Nothing{}, err
		}
	}
	s, err := a.newSession(request)
	if err != nil {
		return Nothing{}, err
	}
	a.mu.Lock()
	a.session = s
	a.mu.Unlock()
	if err := a.reserve(s); err != nil {
		return Nothing{}, errors.Join(err, a.end(s))
	}
	return Nothing{}, nil
}

// newSession starts the journal. It says what folders will be made before
// they are, and which were after.
func (a *Agent) newSession(request OpenRequest) (_ *session, err error) {
	s := &session{layout: request.Layout, staged: map[string]cms.Staged{}, adopted: map[string]bool{}, opened: Opened{
		Intervention: request.Intervention, Token: request.Token, Layout: *request.Layout, URL: request.URL, At: a.config.Now().UTC(),
		MaxFrozen: request.MaxFrozen, Silence: request.Silence, Folder: ".upkeep-" + rand.Text(),
	}}
	if s.driver, err = a.config.Drivers.For(request.Layout.CMS); err != nil {
		return nil, err
	}
	s.opened.Layout.Keys = nil // the journal outlives the intervention when the machine dies: no secret goes there
	if db := request.Layout.Database; db != nil {
		s.opened.Layout.Database = db.Stripped() // the journal outlives the intervention when the machine dies
	}
	if s.hold, err = holdRoot(request.Layout.Root); err != nil {
		return nil, err
	}
	if s.journal, err = journal.Start(a.journalPath(), a.config.Now); err != nil {
		return nil, errors.Join(err, s.hold.Close())
	}
	if err := s.begin(request); err != nil {
		return nil, errors.Join(err, a.end(s))
	}
	s.host = a.newHost(s.places()...)
	return s, nil
}

// begin makes the folders that the session needs.
func (s *session) begin(request OpenRequest) (err error) {
	if err := s.note(journal.Open, s.opened); err != nil {
		return err
	}
	s.opened.Work = map[string]string{}
	for _, area := range request.Layout.Areas {
		if s.opened.Work[area.Name], err = makeWork(area, s.opened.Folder); err != nil {
			return err
		}
	}
	s.opened.Logs = phplog.Sizes(s.layout, request.PHPLog)
	return s.note(journal.Open, s.opened)
}

// note writes an entry that carries a value.
func (s *session) note(op journal.Op, value any) error {
	note, err := json.Marshal(value)
	if err != nil {
		return err
	}
	_, err = s.journal.Write(journal.Entry{Op: op, Note: note})
	return err
}

func (a *Agent) storePackage(body io.Reader, sum string) (err error) {
	defer upkeep.Wrap(&err, "receive package %s", sum)
	if err := os.MkdirAll(a.path("packages"), 0o700); err != nil {
		return err
	}
	temp, err := os.CreateTemp(a.path("packages"), "incoming-")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(temp, hash), body)
	if err := errors.Join(err, temp.Close()); err != nil {
		return err
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != sum {
		return upkeep.Errorf(upkeep.CodeDamaged, "arrived as %s", got)
	}
	return os.Rename(temp.Name(), a.packagePath(sum))
}

func (a *Agent) packagePath(sum string) string { return filepath.Join(a.path("packages"), sum) }

func (a *Agent) opFreeze(ctx context.Context, _ *call, request FreezeRequest) (*Frozen, error) {
	s, err := a.working()
	if err != nil {
		return nil, err
	}
	return a.freeze(ctx, s, request.Drain)
}

func (a *Agent) opApply(ctx context.Context, c *call, request ApplyRequest) (_ Nothing, err error) {
	defer upkeep.Wrap(&err, "apply")
	s, err := a.changeable()
	if err != nil {
		return Nothing{}, err
	}
	staged, err := s.stagedFor(request.Refs)
	if err != nil {
		return Nothing{}, err
	}
	if err := a.reserve(s); err != nil { // an undo before this trial used it
		return Nothing{}, err
	}
	w := &work{host: s.host, s: s}
	c.progress(upkeep.Progress{Code: "apply", Total: int64(len(staged)), Unit: "updates"})
	if err := s.driver.Apply(ctx, w, s.layout, staged); err != nil {
		return Nothing{}, err
	}
	if _, err := s.journal.Write(journal.Entry{Op: journal.Migrate}); err != nil {
		return Nothing{}, err
	}
	c.progress(upkeep.Progress{Code: "migrate"})
	renewed := make(chan bool, 1) // beside the migration, which takes one processor
	go func() { renewed <- a.code(s).Renew(ctx, arrivals(staged)) }()
	err = s.driver.Migrate(ctx, w, s.layout, staged)
	if fresh := <-renewed; err != nil || fresh {
		return Nothing{}, err
	}
	return Nothing{}, a.code(s).Forget(ctx)
}

// code is what the web server's PHP holds of the site.
func (a *Agent) code(s *session) codecache.Site {
	return codecache.Site{URL: s.opened.URL, Token: s.opened.Token, Log: a.config.Log}
}

// arrivals tells the paths that are of what was staged.
func arrivals(staged []cms.Staged) func(path string) bool {
	return func(path string) bool {
		return slices.ContainsFunc(staged, func(s cms.Staged) bool {
			name, err := filepath.Rel(s.Update.Component.Path, path)
			return err == nil && s.Files[name] != ""
		})
	}
}

func (s *session) stagedFor(refs []string) ([]cms.Staged, error) {
	var staged []cms.Staged
	for _, ref := range refs {
		one, ok := s.staged[ref]
		if !ok {
			return nil, upkeep.Errorf(upkeep.CodeConflict, "%s is not staged", ref)
		}
		staged = append(staged, one)
	}
	return staged, nil
}

func (a *Agent) opReadBack(ctx context.Context, _ *call, request ApplyRequest) (_ []upkeep.Check, err error) {
	defer upkeep.Wrap(&err, "read back")
	s, err := a.working()
	if err != nil {
		return nil, err
	}
	staged, err := s.stagedFor(request.Refs)
	if err != nil {
		return nil, err
	}
	var checks, counted []upkeep.Check
	group, ctx := errgroup.WithContext(ctx) // counting a shop's rows takes as long as loading it
	group.Go(func() (err error) {
		checks, err = s.driver.ReadBack(ctx, s.host, s.layout, s.before, s.ungated(staged))
		return err
	})
	group.Go(func() (err error) {
		counted, err = a.rowChecks(ctx, s)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return append(append(checks, counted...), phplog.Checks(s.opened.Logs)...), nil
}

// rowChecks compares how many rows there are with how many there were.
func (a *Agent) rowChecks(ctx context.Context, s *session) ([]upkeep.Check, error) {
	if s.layout.Database == nil {
		return nil, nil
	}
	before, err := manifest.Read(a.path("manifest"))
	if err != nil {
		return nil, err
	}
	db, err := a.databases.Store(ctx, s.layout.Database)
	if err != nil {
		return nil, err
	}
	now, err := db.CountRows(ctx, rows.Enough(before.Tables))
	if err != nil {
		return nil, err
	}
	return rows.Compare(before.Tables, now), nil
}

// ungated leaves out of the expected files those that the gate keeps aside:
// their content was checked when they were staged and has not been used.
func (s *session) ungated(staged []cms.Staged) []cms.Staged {
	gated := s.standingGate()
	out := slices.Clone(staged)
	for i := range out {
		files := make(map[string]string, len(out[i].Files))
		for name, sum := range out[i].Files {
			path := filepath.Join(out[i].Update.Component.Path, name)
			if !slices.ContainsFunc(gated, func(e journal.Entry) bool { return e.Target == path }) {
				files[name] = sum
			}
		}
		out[i].Files = files
	}
	return out
}

func (a *Agent) opUndo(ctx context.Context, c *call, _ Nothing) (*upkeep.Identity, error) {
	s, err := a.current()
	if err != nil {
		return nil, err
	}
	return a.undo(ctx, s, c.progress)
}

func (a *Agent) opCommit(_ context.Context, _ *call, _ Nothing) (_ Nothing, err error) {
	defer upkeep.Wrap(&err, "commit")
	s, err := a.current()
	if err != nil {
		return Nothing{}, err
	}
	if s.committed() {
		return Nothing{}, nil
	}
	if err := a.ours(s); err != nil {
		return Nothing{}, err
	}
	if !s.changed() {
		return Nothing{}, upkeep.Errorf(upkeep.CodeConflict, "no change stands that could be kept")
	}
	_, err = s.journal.Write(journal.Entry{Op: journal.Commit})
	return Nothing{}, err
}

// opThaw opens the gate. Repeated, it does nothing.
func (a *Agent) opThaw(_ context.Context, _ *call, _ Nothing) (_ Nothing, err error) {
	s, err := a.current()
	if err != nil {
		return Nothing{}, nil
	}
	if s.changed() {
		return Nothing{}, upkeep.Errorf(upkeep.CodeConflict, "changes stand that are neither kept nor undone")
	}
	return Nothing{}, a.thaw(s)
}

// thaw opens the gate. The journal of it must fit even on a full disk.
func (a *Agent) thaw(s *session) error {
	if !s.frozen() {
		return nil
	}
	if err := a.releaseReserve(s); err != nil {
		return err
	}
	a.mu.Lock()
	alone := s.alone
	a.mu.Unlock()
	return s.openGate(a.config.Log, alone)
}

// opClose removes what the intervention needed. Repeated, it does nothing.
func (a *Agent) opClose(_ context.Context, _ *call, _ Nothing) (_ Nothing, err error) {
	defer upkeep.Wrap(&err, "close")
	s, err := a.current()
	if err != nil {
		return Nothing{}, nil
	}
	if s.unfinished() {
		return Nothing{}, upkeep.Errorf(upkeep.CodeConflict, "the site is still frozen or changed")
	}
	return Nothing{}, a.end(s)
}

// end removes what a session made, and its journal last.
func (a *Agent) end(s *session) error {
	for _, area := range s.opened.Layout.Areas {
		for _, dir := range []string{filepath.Dir(area.Dir), area.Dir} {
			if err := removeWork(dir, s.opened.Folder); err != nil {
				return err
			}
		}
	}
	for _, name := range []string{"packages", "dump", "manifest", "reserve"} {
		if err := os.RemoveAll(a.path(name)); err != nil {
			return err
		}
	}
	if err := s.journal.Finish(); err != nil {
		return err
	}
	if s.hold != nil {
		if err := s.hold.Close(); err != nil {
			return err
		}
	}
	a.mu.Lock()
	a.session = nil
	a.mu.Unlock()
	return a.memory.Save(a.path("memory"))
}
