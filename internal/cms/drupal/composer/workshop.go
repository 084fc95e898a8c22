package composer

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal/program"
)

// Workshop is where copies of a project are made and changed. The latest stays
// until another is needed.
type Workshop struct {
	Host    cms.Host
	Project string // absolute: the folder of composer.json
	Web     string // the folder of Drupal below it, "." when it is the same
	Without []string
	Command string // absolute: Composer
	Base    string // absolute: a folder of ours, on the project's file system
}

// State is what the latest copy is.
type State struct {
	Copy   string   `json:"copy"`   // absolute
	Whole  bool     `json:"whole"`  // what follows is true of it
	Of     string   `json:"of"`     // SHA-256 of the lock that the project had
	Wanted []Wanted `json:"wanted"` // in the order in which they came

	Moves   []cms.Move        `json:"moves"` // From below Copy; the lock goes last
	Drop    []string          `json:"drop"`
	Files   map[string]string `json:"files"`   // absolute path of the project → SHA-256, of all that moves
	Changed []string          `json:"changed"` // "name from → to" of every package
	Kept    []string          `json:"kept"`    // files of the project's that stay although a package brings them
}

// stateFile is where the latest State is kept, below Base.
const stateFile = "state.json"

// copies begins the names of copies.
const copies = "project-"

// IsCopy reports whether dir is the copy of a workshop.
func IsCopy(dir string) bool { return strings.HasPrefix(filepath.Base(dir), copies) }

// Open makes the folder of the workshop where there is none.
func (w *Workshop) Open() error {
	beside, err := w.Host.Open(filepath.Dir(w.Base))
	if err != nil {
		return err
	}
	defer beside.Close()
	return beside.MkdirAll(filepath.Base(w.Base), 0o700)
}

// Latest is the state of the latest copy, nil when there is none that the
// project, as it is now, could be brought to.
func (w *Workshop) Latest() (*State, error) {
	state, err := w.State()
	if err != nil || state == nil || !state.Whole {
		return nil, err
	}
	of, err := w.lockSum()
	if err != nil || of != state.Of {
		return nil, err
	}
	return state, nil
}

// State is what was last noted of a copy, whatever the project is now; nil when
// nothing was.
func (w *Workshop) State() (*State, error) {
	base, err := w.Host.Open(w.Base)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	text, err := cms.ReadBounded(base, stateFile, MaxList)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	state := &State{}
	if json.Unmarshal(text, state) != nil {
		return nil, nil // cut off in the middle: it says nothing
	}
	return state, nil
}

func (w *Workshop) save(state *State) error {
	text, err := json.Marshal(state)
	if err != nil {
		return err
	}
	base, err := w.Host.Open(w.Base)
	if err != nil {
		return err
	}
	defer base.Close()
	return base.WriteFile(stateFile, text, 0o600)
}

// lockSum identifies the project as it is.
func (w *Workshop) lockSum() (string, error) {
	project, err := w.Host.Open(w.Project)
	if err != nil {
		return "", err
	}
	defer project.Close()
	text, err := cms.ReadBounded(project, Lock, MaxList)
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:]), err
}

// Add brings one more package to a version, on top of what the latest copy has
// already. When that cannot be, the copy is as before. CodeRefused says why,
// CodeUnreachable that it can be tried again.
func (w *Workshop) Add(ctx context.Context, want Wanted) (_ *State, err error) {
	state, err := w.Latest()
	if err != nil {
		return nil, err
	}
	if state == nil {
		return w.For(ctx, []Wanted{want})
	}
	if slices.Contains(state.Wanted, want) {
		return state, nil
	}
	before := *state
	state.Wanted = append(slices.Clone(state.Wanted), want)
	err = w.change(ctx, state, []Wanted{want})
	if err == nil {
		return state, nil
	}
	if _, again := w.For(ctx, before.Wanted); again != nil {
		return nil, errors.Join(err, again)
	}
	return nil, err
}

// Forget makes the latest copy one without what is not wanted any more.
func (w *Workshop) Forget(ctx context.Context, unwanted Wanted) error {
	state, err := w.Latest()
	if err != nil || state == nil {
		return err
	}
	rest := slices.DeleteFunc(slices.Clone(state.Wanted), func(want Wanted) bool { return want == unwanted })
	if len(rest) == 0 {
		state.Whole = false
		return w.save(state)
	}
	_, err = w.For(ctx, rest)
	return err
}

// For makes a copy of the project as it is and brings it to what is wanted, in
// that order. The copies before are removed.
func (w *Workshop) For(ctx context.Context, wanted []Wanted) (*State, error) {
	of, err := w.lockSum()
	if err != nil {
		return nil, err
	}
	state := &State{Of: of, Wanted: wanted}
	base, err := w.Host.Open(w.Base)
	if err != nil {
		return nil, err
	}
	defer base.Close()
	entries, err := fs.ReadDir(base.FS(), ".")
	if err != nil {
		return nil, err
	}
	last := 0
	for _, entry := range entries {
		number, isCopy := strings.CutPrefix(entry.Name(), copies)
		if n, err := strconv.Atoi(number); err == nil && isCopy {
			last = max(last, n)
			if err := base.RemoveAll(entry.Name()); err != nil {
				return nil, err
			}
		}
	}
	name := copies + strconv.Itoa(last+1) // no name comes twice: journals speak of them
	state.Copy = filepath.Join(w.Base, name)
	for _, dir := range []string{name, "home", "cache"} {
		if err := base.MkdirAll(dir, 0o700); err != nil {
			return nil, err
		}
	}
	to, err := base.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	defer to.Close()
	if err := w.fill(ctx, to); err != nil {
		return nil, err
	}
	return state, w.change(ctx, state, wanted)
}

// change brings the copy to more of what is wanted: first the lock, which ends
// early when there is no way, then the packages.
func (w *Workshop) change(ctx context.Context, state *State, more []Wanted) error {
	unfinished := *state
	unfinished.Whole = false
	if err := w.save(&unfinished); err != nil {
		return err
	}
	root, err := w.Host.Open(state.Copy)
	if err != nil {
		return err
	}
	defer root.Close()
	flags, err := w.flags(ctx, state.Copy)
	if err != nil {
		return err
	}
	_, dev, err := ReadInstalled(root)
	if err != nil {
		return err
	}
	var without []string
	if !dev {
		without = []string{"--no-dev"}
	}
	for _, want := range more {
		l := &locking{Workshop: w, root: root, state: state, flags: slices.Concat(flags, without)}
		if err := l.update(ctx, want); err != nil {
			return err
		}
	}
	o, err := w.run(ctx, state.Copy, append([]string{"install", "--no-progress", "--no-scripts"}, without...)...)
	if err != nil {
		return err
	}
	if err := failure(o); err != nil {
		return err
	}
	if err := w.plan(ctx, state, root); err != nil {
		return err
	}
	state.Whole = true
	return w.save(state)
}

// locking changes the lock of a copy.
type locking struct {
	*Workshop
	root  *os.Root
	state *State
	flags []string
}

// update has the lock ask for what is wanted. What other components become is
// not Composer's to decide: each is updated for its own sake, or not.
func (l *locking) update(ctx context.Context, want Wanted) error {
	before, err := ReadLock(l.root, true)
	if err != nil {
		return err
	}
	text, err := cms.ReadBounded(l.root, Lock, MaxList)
	if err != nil {
		return err
	}
	if before[want.Name] == nil {
		return upkeep.Errorf(upkeep.CodeRefused, "composer.lock does not know %s", want.Name)
	}
	arguments := []string{"update", "--no-install", "--no-progress", "--no-scripts"}
	for _, name := range want.members(before) {
		arguments = append(arguments, name+":"+want.Version)
	}
	arguments = append(arguments, l.flags...)
	ways := [][]string{{}, {"--with-dependencies"}}
	if want.Name == Core {
		ways = [][]string{{"--with-all-dependencies"}}
	}
	var ended *program.Outcome
	for _, way := range ways {
		if ended, err = l.run(ctx, l.state.Copy, slices.Concat(arguments, way)...); err != nil {
			return err
		}
		if ended.Code != unsolvable {
			break
		}
	}
	if err := failure(ended); err != nil {
		return err
	}
	after, err := ReadLock(l.root, true)
	if err != nil {
		return err
	}
	if err := l.permit(before, after, want); err != nil {
		return errors.Join(err, l.root.WriteFile(Lock, text, 0o600))
	}
	return nil
}

// components begin the types of packages that are components of a site.
var components = []string{"drupal-module", "drupal-theme", "drupal-profile", "drupal-core"}

// permit refuses a lock that is not what was asked for, or changes a component
// besides.
func (l *locking) permit(before, after Packages, want Wanted) error {
	if !want.In(after) {
		return upkeep.Errorf(upkeep.CodeRefused, "composer did not come to %s %s", want.Name, want.Version)
	}
	members := want.members(after)
	for _, name := range differing(before, after) {
		had := before[name]
		if had == nil || slices.Contains(members, name) || !slices.Contains(components, had.Type) {
			continue
		}
		return upkeep.Errorf(upkeep.CodeRefused, "%s %s would have to change with it", name, had.Version).
			WithHint("Update %s first, or both by hand.", strings.TrimPrefix(name, "drupal/"))
	}
	return nil
}

// sameText reports whether two files, opened below two folders, hold the same.
func sameText(a, b *os.Root, name string) (bool, error) {
	one, err := cms.ReadBounded(a, name, maxBytes)
	if err != nil {
		return false, err
	}
	other, err := cms.ReadBounded(b, name, maxBytes)
	return err == nil && bytes.Equal(one, other), err
}
