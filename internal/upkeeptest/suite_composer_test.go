package upkeeptest_test

import (
	"os"
	"os/exec"
	"path/filepath"
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

// composerSubject is a Drupal that Composer put together; nil without trees.
func composerSubject(t *testing.T) []subject {
	t.Helper()
	from, to := os.Getenv("UPKEEP_TEST_DRUPAL_OLD"), os.Getenv("UPKEEP_TEST_DRUPAL_NEW")
	if _, err := exec.LookPath("composer"); err != nil || from == "" || to == "" {
		t.Run("composer", func(t *testing.T) {
			t.Skip("set UPKEEP_TEST_DRUPAL_OLD and _NEW to the folders of unpacked releases, and install composer")
		})
		return nil
	}
	c := &composedTrees{drupalTrees: drupalTrees{generation: "8", from: from, to: to}}
	c.once = sync.OnceValues(func() (string, error) { return c.compose(t) })
	s := drupalSubject("8", from, to)
	s.name, s.site, s.adopt = "composer", c.site, c.adopt
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
		c.module(project.Ribbon, "0", false), c.module(project.Tally, "0", false), c.module(project.Tally, "1", false), c.module(project.Tally, "2", true),
	})
	if err != nil {
		return "", err
	}
	tree := filepath.Join(dir, "project")
	return tree, project.Compose(t.Context(), tree, dir, map[string]upkeep.Version{
		"drupal/core-recommended": old, "drupal/core-composer-scaffold": old, "drupal/ribbon": "1.0.0", "drupal/tally": "1.0.0",
	})
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
	return upkeeptest.AdoptDrupal(t, site, func(m *project.Mirror) {
		m.AddCore(c.coreVersion(t, c.from), c.pack(t, c.from, nil))
		offered := c.module(project.Tally, "2", true)
		if good {
			m.AddCore(c.coreVersion(t, c.to), c.pack(t, c.to, c.change()))
			offered = c.module(project.Tally, "1", false)
		}
		for _, module := range []project.Release{c.module(project.Ribbon, "0", false), c.module(project.Tally, "0", false), offered} {
			if err := m.Add(module); err != nil {
				t.Fatal(err)
			}
		}
	})
}
