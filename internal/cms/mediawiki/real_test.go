package mediawiki_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/agent/engine"
	"upkeep/internal/agent/process"
	"upkeep/internal/cms"
	"upkeep/internal/cms/mediawiki"
	"upkeep/internal/cms/parcel"
	"upkeep/internal/demo/wikimedia"
)

// Unpacked releases of MediaWiki that these variables name are installed and
// brought from one to the other, on SQLite, without a web server.
const (
	oldVariable = "UPKEEP_TEST_MEDIAWIKI_OLD"
	newVariable = "UPKEEP_TEST_MEDIAWIKI_NEW"
)

// realHost is a host with PHP and SQLite.
type realHost struct {
	*host
	php  process.Interpreter
	pool engine.Pool
}

func (h *realHost) PHP(ctx context.Context, script cms.Script, input, output any) error {
	return h.php.Run(ctx, script, input, output)
}

func (h *realHost) Query(ctx context.Context, db *cms.Database, query string, args ...any) ([][][]byte, error) {
	store, err := h.pool.Store(ctx, db)
	if err != nil {
		return nil, err
	}
	return store.Query(ctx, query, args...)
}

// install makes a MediaWiki of the tree that a variable names.
func install(t *testing.T, variable string) (h *realHost, root string) {
	t.Helper()
	tree := os.Getenv(variable)
	if tree == "" {
		t.Skipf("%s names no unpacked release of MediaWiki", variable)
	}
	site := newSite(t, nil)
	root = filepath.Join(site.dir, "wiki")
	if err := os.RemoveAll(root); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "cp", "-r", tree, root).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	data := filepath.Join(site.dir, "data")
	if err := os.Mkdir(data, 0o755); err != nil {
		t.Fatal(err)
	}
	args := append([]string{filepath.Join(root, "maintenance/install.php")}, wikimedia.Arguments("http://127.0.0.1", nil, data)...)
	if out, err := exec.CommandContext(t.Context(), "php", append(args, "--pass=long-enough-for-a-test", "Wiki", "admin")...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	config, err := os.ReadFile(filepath.Join(root, "LocalSettings.php"))
	if err != nil {
		t.Fatal(err)
	}
	plant(t, root, wikimedia.Furnish(string(config), []wikimedia.Snapshot{wikimedia.Extension("1.39", made)}))
	return &realHost{host: site.host, php: process.Interpreter{Log: slog.New(slog.DiscardHandler)}}, root
}

// update stages the tree or snapshot of a package, applies and migrates it, and
// returns the checks that failed.
func (h *realHost) update(t *testing.T, l *cms.Layout, update upkeep.Update, pack []byte) (failed []upkeep.Check) {
	t.Helper()
	d := mediawiki.New()
	before, err := d.Inventory(t.Context(), h, l)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp(filepath.Dir(l.Root), "package-")
	if err != nil {
		t.Fatal(err)
	}
	untar := exec.CommandContext(t.Context(), "tar", "xz", "-C", dir)
	untar.Stdin = bytes.NewReader(pack)
	if out, err := untar.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	staged, err := d.Stage(t.Context(), h, l, update, dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // repeating is harmless
		if err := d.Apply(t.Context(), h, l, []cms.Staged{*staged}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.Migrate(t.Context(), h, l, []cms.Staged{*staged}); err != nil {
		return []upkeep.Check{{Code: "migrate", Got: err.Error()}}
	}
	checks, err := d.ReadBack(t.Context(), h, l, before, []cms.Staged{*staged})
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range checks {
		if !check.OK {
			failed = append(failed, check)
		}
	}
	return failed
}

func TestRealReleases(t *testing.T) {
	h, root := install(t, oldVariable)
	tree := os.Getenv(newVariable)
	if tree == "" {
		t.Skipf("%s names no unpacked release of MediaWiki", newVariable)
	}
	d := mediawiki.New()
	l, err := d.Detect(t.Context(), h, root)
	if err != nil {
		t.Fatal(err)
	}
	inventory, err := d.Inventory(t.Context(), h, l)
	if err != nil || inventory.Schema.Pending || l.Options["php"] != "" || len(inventory.Findings) > 0 {
		t.Fatalf("%+v, findings %+v, evaluated by %q, %v", inventory.Schema, inventory.Findings, l.Options["php"], err)
	}
	tally := parcel.Find(inventory, &upkeep.Component{Kind: upkeep.Plugin, ID: wikimedia.Tally})
	if tally == nil || !tally.Active || tally.Version != "1.39-20240506070809" {
		t.Errorf("%+v", tally)
	}
	version := upkeep.Version(wikimedia.VersionOf(tree))
	file := filepath.Join(t.TempDir(), "core.tar.gz")
	if err := wikimedia.Core(file, tree, version, nil); err != nil {
		t.Fatal(err)
	}
	pack, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	core := upkeep.Update{Component: *inventory.Core(), Release: upkeep.Release{Kind: upkeep.Core, Version: version}}
	if failed := h.update(t, l, core, pack); len(failed) > 0 {
		t.Errorf("%s: %+v", version, failed)
	}
	for name, want := range map[string]string{"images/report.txt": "owner's", "resources/assets/own-logo.svg": "svg", "extensions/Tally/extension.json": "Tally", "LocalSettings.php": "Tally"} {
		if text, err := os.ReadFile(filepath.Join(root, name)); err != nil || !strings.Contains(string(text), want) {
			t.Errorf("%s: %.100s, %v", name, text, err)
		}
	}
	// Files that the old release had and the new one has not are gone, but for pictures.
	out, err := exec.CommandContext(t.Context(), "diff", "-rq", "-x", "images", "-x", "extensions", "-x", "cache", tree, root).CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "/resources/assets: ") && !strings.Contains(line, "LocalSettings.php") {
			t.Errorf("not as in the release: %s (%v)", line, err)
		}
	}
	next := wikimedia.Extension("1.39", made.AddDate(0, 1, 0))
	for _, fault := range []wikimedia.Fault{wikimedia.Parse, wikimedia.None} {
		broken := next.With(fault)
		pack, err := broken.Package()
		if err != nil {
			t.Fatal(err)
		}
		failed := h.update(t, l, upkeep.Update{Component: *tally, Release: upkeep.Release{Kind: upkeep.Plugin, Version: next.Version()}}, pack)
		if (len(failed) == 0) != (fault == wikimedia.None) {
			t.Errorf("%q: %+v", fault, failed)
		}
	}
}
