// Package upkeeptest is for tests only: real sites on real servers, made fast
// enough for hundreds of them, visitors who write all the time, and a way to
// tell whether a site is the same that uses none of our own code.
package upkeeptest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
)

// rig is what the tests of one process share.
type rig struct {
	world     *demo.World
	templates sync.Map // spec as JSON → func() (*demo.Site, error)
	clones    atomic.Int64
}

// shared starts the world when the first test asks for it.
var shared = sync.OnceValues(start)

// Main runs a package's tests and then removes their world. Call it from
// TestMain of every package that uses World; without it the servers still die
// with the process, but their folder stays until the next run sweeps it.
func Main(m *testing.M) {
	m.Run() // its result becomes the exit code when TestMain returns
	dir := worldDir(os.Getpid())
	if !demo.Exists(dir) {
		return
	}
	if err := remove(dir); err != nil {
		fmt.Fprintf(os.Stderr, "remove test world %s: %v\n", dir, err)
	}
}

// World returns the running world that all tests of the process share. A test
// that kills its servers must start them again, and must not be parallel.
func World(t testing.TB) *demo.World {
	t.Helper()
	return theRig(t).world
}

// WordPress returns a new site that is the test's own and is removed with it.
// The first site of a spec takes some seconds, each further one about half a
// second. The spec's name is not used; an empty spec is the oldest WordPress
// with Basics.
func WordPress(t testing.TB, spec demo.Spec) *demo.Site {
	t.Helper()
	r := theRig(t)
	if len(spec.Extensions) == 0 {
		spec.Extensions = Basics("1.0")
	}
	spec.Name = ""
	key, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	template, err := r.template(string(key), spec)
	if err != nil {
		t.Fatal(err)
	}
	name := "c" + strconv.FormatInt(r.clones.Add(1), 10)
	site, err := r.world.Clone(t.Context(), template, name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.world.RemoveSite(context.WithoutCancel(t.Context()), name); err != nil {
			t.Errorf("remove site: %v", err)
		}
	})
	return site
}

// Basics returns what most tests want on a site: must-use plugin that lets
// visitors comment without limit, a child theme on its parent, and all
// plugins, of one version.
func Basics(v upkeep.Version) []fixtures.Release {
	releases := []fixtures.Release{fixtures.MustUse(fixtures.OpenComments, v),
		fixtures.Theme(fixtures.Paper, v), fixtures.Theme(fixtures.PaperChild, v)}
	for _, slug := range fixtures.Plugins() {
		releases = append(releases, fixtures.Plugin(slug, v))
	}
	return releases
}

// Repository returns the folder of the source tree.
func Repository() (string, error) {
	dir, err := os.Getwd()
	for err == nil {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == "/" {
			return "", errors.New("no go.mod above the working folder")
		}
		dir = filepath.Dir(dir)
	}
	return "", err
}

func theRig(t testing.TB) *rig {
	t.Helper()
	r, err := shared()
	if err != nil {
		t.Fatalf("%v\nmake setup installs what the tests need", err)
	}
	return r
}

func start() (*rig, error) {
	if err := sweep(); err != nil {
		return nil, err
	}
	root, err := Repository()
	if err != nil {
		return nil, err
	}
	world, err := demo.Open(worldDir(os.Getpid()), demo.Options{Packages: filepath.Join(root, ".cache", "wordpress")})
	if err != nil {
		return nil, err
	}
	return &rig{world: world}, world.Start(context.Background()) // the world belongs to no single test
}

// template installs the site that clones of one spec are made of, once.
func (r *rig) template(key string, spec demo.Spec) (*demo.Site, error) {
	once, _ := r.templates.LoadOrStore(key, sync.OnceValues(func() (*demo.Site, error) {
		spec.Name = "t" + strconv.FormatInt(r.clones.Add(1), 10)
		return r.world.AddWordPress(context.Background(), spec)
	}))
	return once.(func() (*demo.Site, error))()
}

const worldPrefix = "upkeep-test-"

func worldDir(pid int) string {
	return filepath.Join(place(), worldPrefix+strconv.Itoa(pid))
}

// place is where worlds go: into memory where there is room for some gigabytes
// of it, since a site is thousands of files.
func place() string {
	const memory = "/dev/shm"
	var fs unix.Statfs_t
	if err := unix.Statfs(memory, &fs); err == nil && int64(fs.Bavail)*fs.Bsize >= 6<<30 {
		return memory
	}
	return os.TempDir()
}

// sweep removes what earlier test processes left when they were killed.
func sweep() error {
	entries, err := os.ReadDir(place())
	if err != nil {
		return err
	}
	for _, entry := range entries {
		dir := filepath.Join(place(), entry.Name())
		if !strings.HasPrefix(entry.Name(), worldPrefix) || !demo.Exists(dir) {
			continue
		}
		world, err := demo.Open(dir, demo.Options{})
		if err != nil || !world.Abandoned() {
			continue // somebody else's, or being removed right now
		}
		if err := remove(dir); err != nil {
			return err
		}
	}
	return nil
}

func remove(dir string) error {
	world, err := demo.Open(dir, demo.Options{})
	if err != nil {
		return err
	}
	return world.Remove(context.Background())
}
