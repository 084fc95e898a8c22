package upkeeptest_test

import (
	"encoding/json"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/project"
	"upkeep/internal/upkeeptest"
)

// composedTrees are releases of Drupal of which Composer makes a project.
type composedTrees struct {
	drupalTrees
	once func() (string, error) // the project, of the old release
}

// composed are the trees that there are, nil without, or without Composer.
func composed(t *testing.T) *composedTrees {
	t.Helper()
	from, to := os.Getenv("UPKEEP_TEST_DRUPAL_OLD"), os.Getenv("UPKEEP_TEST_DRUPAL_NEW")
	if _, err := exec.LookPath("composer"); err != nil || from == "" || to == "" {
		return nil
	}
	c := &composedTrees{drupalTrees: drupalTrees{generation: "8", from: from, to: to}}
	c.once = sync.OnceValues(func() (string, error) { return c.compose(t) })
	return c
}

// composerSubject is a Drupal that Composer put together.
func composerSubject(t *testing.T) []subject {
	t.Helper()
	c := composed(t)
	if c == nil {
		t.Run("composer", func(t *testing.T) {
			t.Skip("set UPKEEP_TEST_DRUPAL_OLD and _NEW to the folders of unpacked releases, and install composer")
		})
		return nil
	}
	s := drupalSubject("composer", c.drupalTrees)
	s.site, s.adopt = c.site, c.adopt
	s.modified = func(t *testing.T, site *demo.Site) *upkeeptest.Program { return c.adopt(t, site, true) }
	return []subject{s}
}

// compose makes the repository of everything that there is, and a project of
// its oldest.
func (c *composedTrees) compose(t *testing.T) (string, error) {
	dir, err := os.MkdirTemp(upkeeptest.World(t).Dir, "composer-")
	if err != nil {
		return "", err
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return "", err
	}
	old := c.coreVersion(t, c.from)
	err = project.Repository(dir, []project.Tree{{Dir: c.from}, {Dir: c.to, Change: c.change()}}, []project.Release{
		c.module(project.Ribbon, "0", false), c.module(project.Ribbon, "1", false), c.module(project.Tally, "0", false), c.module(project.Tally, "1", false), c.module(project.Tally, "2", true),
	})
	if err != nil {
		return "", err
	}
	asked := map[string]upkeep.Version{"drupal/core-recommended": old, "drupal/core-composer-scaffold": old, "drupal/ribbon": "1.0.0", "drupal/tally": "1.0.0"}
	drush := versionsIn(t, filepath.Join(c.from, "vendor/composer/installed.json"), map[string]string{"drush/drush": "any"})
	if version := drush["drush/drush"]; version != "" {
		asked["drush/drush"] = upkeep.Version(version)
	}
	tree := filepath.Join(dir, "project")
	return tree, project.Compose(t.Context(), tree, dir, asked)
}

func (c *composedTrees) site(t *testing.T) *demo.Site {
	t.Helper()
	tree, err := c.once()
	if err != nil {
		t.Fatal(err)
	}
	return upkeeptest.Drupal(t, project.Spec{
		Tree: tree, Generation: "8", Modules: []project.Release{c.module(project.Tally, "0", false), c.module(project.Ribbon, "0", false)},
	})
}

// adopt offers a release of core with a good module, or a broken module alone.
func (c *composedTrees) adopt(t *testing.T, site *demo.Site, good bool) *upkeeptest.Program {
	t.Helper()
	if good {
		return c.offer(t, site, true, c.module(project.Tally, "1", false))
	}
	return c.offer(t, site, false, c.module(project.Tally, "2", true))
}

// TestComposedSite follows what Composer managed through a search for a
// culprit: what stays is what the lock says, and what the project's owner made
// is the owner's.
func TestComposedSite(t *testing.T) {
	c := composed(t)
	if c == nil {
		t.Skip("no trees of Drupal, or no composer")
	}
	t.Parallel()
	site := c.site(t)
	folder := filepath.Dir(site.Root)
	rules, err := os.ReadFile(filepath.Join(site.Root, ".htaccess"))
	if err != nil {
		t.Fatal(err)
	}
	plant(t, site, ".htaccess", string(rules)+"\n# The owner's own rule.\n")
	plant(t, site, "../composer.local.txt", "the owner's")
	asked, err := os.ReadFile(filepath.Join(folder, "composer.json"))
	if err != nil {
		t.Fatal(err)
	}
	p := c.offer(t, site, true, c.module(project.Ribbon, "1", false), c.module(project.Tally, "2", true))
	out, code := p.Run(t, "site", "update", "shop", "--yes")
	iv := p.Last(t)
	if code != 3 || iv.State != upkeep.Partial {
		t.Fatalf("exit %d, ended %s\n%s", code, iv.State, out)
	}
	for _, outcome := range iv.Outcomes {
		if guilty := outcome.Ref == "plugin:"+project.Tally; (outcome.Result == upkeep.Applied) == guilty {
			t.Errorf("%+v", outcome)
		}
	}
	want := map[string]string{"drupal/core": string(c.coreVersion(t, c.to)), "drupal/core-recommended": string(c.coreVersion(t, c.to)), "drupal/ribbon": "1.1.0", "drupal/tally": "1.0.0"}
	for _, name := range []string{"composer.lock", "vendor/composer/installed.json"} {
		if got := versionsIn(t, filepath.Join(folder, name), want); !maps.Equal(got, want) {
			t.Errorf("%s says %v", name, got)
		}
	}
	for name, text := range map[string]string{"composer.json": string(asked), "web/.htaccess": string(rules) + "\n# The owner's own rule.\n"} {
		if now, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(now) != text {
			t.Errorf("%s is not the owner's any more: %v", name, err)
		}
	}
	if _, err := os.Stat(filepath.Join(folder, "script-of-the-project-ran")); err == nil {
		t.Error("a script of the project ran")
	}
	if said := command(t, "sh", "-c", "COMPOSER_ALLOW_SUPERUSER=1 composer install --dry-run --no-dev --no-scripts --no-interaction --working-dir="+folder+" 2>&1"); !strings.Contains(said, "Nothing to install") {
		t.Errorf("composer would still do: %s", said)
	}
	c.agrees(t, p, site)
	upkeeptest.Works(t, site)
}

// versionsIn are the versions that a list of Composer's says of some packages.
func versionsIn(t *testing.T, file string, of map[string]string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Packages []struct{ Name, Version string }
	}
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	found := map[string]string{}
	for _, p := range list.Packages {
		if of[p.Name] != "" {
			found[p.Name] = p.Version
		}
	}
	return found
}

// A project that is deployed from version control is not touched: what would
// change of its lock goes to whoever deploys it.
func TestPatchForWhatIsDeployed(t *testing.T) {
	c := composed(t)
	if c == nil {
		t.Skip("no trees of Drupal, or no composer")
	}
	t.Parallel()
	site := c.site(t)
	folder := filepath.Dir(site.Root)
	plant(t, site, "../.git/HEAD", "ref: refs/heads/main\n")
	p := c.adopt(t, site, true)
	before := upkeeptest.StateOf(t, site)
	p.Run(t, "site", "update", "shop", "--yes")
	patch := ""
	for range 2 { // the second says the same
		out, code := p.Run(t, "update", "propose", "shop")
		if code != 0 || patch != "" && patch != out {
			t.Fatalf("exit %d: %s", code, out)
		}
		patch = out
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	upkeeptest.Works(t, site)
	// Elsewhere, with the patch, Composer puts the same together.
	checkout := t.TempDir()
	command(t, "cp", filepath.Join(folder, "composer.json"), filepath.Join(folder, "composer.lock"), checkout)
	file := filepath.Join(t.TempDir(), "lock.patch")
	if err := os.WriteFile(file, []byte(patch), 0o600); err != nil {
		t.Fatal(err)
	}
	command(t, "patch", "--directory="+checkout, "--strip=1", "--input="+file)
	want := map[string]string{"drupal/core": string(c.coreVersion(t, c.to)), "drupal/tally": "1.1.0", "drupal/ribbon": "1.0.0"}
	if got := versionsIn(t, filepath.Join(checkout, "composer.lock"), want); !maps.Equal(got, want) {
		t.Errorf("the patched lock says %v", got)
	}
	if said := command(t, "sh", "-c", "COMPOSER_ALLOW_SUPERUSER=1 composer validate --no-check-all --no-check-publish --no-interaction --working-dir="+checkout+" 2>&1"); !strings.Contains(said, "is valid") {
		t.Errorf("composer says of the lock: %s", said)
	}
}

// What Composer brings must be what drupal.org publishes.
func TestComposedIsHeldAgainstWhatIsPublished(t *testing.T) {
	c := composed(t)
	if c == nil {
		t.Skip("no trees of Drupal, or no composer")
	}
	t.Parallel()
	site := c.site(t)
	p := c.offer(t, site, false, c.module(project.Tally, "1", true))
	before := upkeeptest.StateOf(t, site)
	out, code := p.Run(t, "site", "update", "shop", "--yes")
	if iv := p.Last(t); code != 1 || iv.State != upkeep.Failed || !strings.Contains(out, "not as published") {
		t.Errorf("exit %d, ended %s: %s", code, iv.State, out)
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
}
