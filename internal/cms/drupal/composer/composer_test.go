package composer_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/agent/place"
	"upkeep/internal/agent/process"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal/composer"
)

// host lends folders and PHP as the agent does.
type host struct {
	places *place.Places
	php    *process.Interpreter
}

func (h *host) Open(dir string) (*os.Root, error) { return h.places.Open(dir) }

func (h *host) Query(context.Context, *cms.Database, string, ...any) ([][][]byte, error) {
	return nil, errors.New("no database")
}

func (h *host) PHP(ctx context.Context, script cms.Script, input, output any) error {
	return h.php.Run(ctx, script, input, output)
}

// small is a project of Composer's whose packages are some files each.
type small struct {
	*composer.Workshop
	t   *testing.T
	dir string
}

// pack is a package of the small world.
type pack struct {
	name, version, kind string
	require             map[string]string
	files               map[string]string
}

func module(name, version string, require map[string]string) pack {
	return pack{"drupal/" + name, version, "drupal-module", require, map[string]string{name + ".info.yml": "version: " + version, "src/" + name + ".php": "<?php // " + version}}
}

// world is what there is of packages.
func world() []pack {
	var all []pack
	for _, version := range []string{"10.1.0", "10.1.1"} {
		all = append(all,
			pack{"drupal/core", version, "library", map[string]string{"test/engine": "^" + version[len(version)-1:]}, map[string]string{"core.php": version, "assets/scaffold/files/htaccess": "rules of 10"}},
			pack{"drupal/core-recommended", version, "metapackage", map[string]string{"drupal/core": version}, nil})
	}
	all = append(all, pack{"test/engine", "0.1.0", "library", nil, map[string]string{"a.php": "0"}}, pack{"test/engine", "1.0.0", "library", nil, map[string]string{"a.php": "1", "b.php": "new"}},
		pack{"test/gone", "1.0.0", "library", nil, map[string]string{"x.php": "x"}})
	all = append(all, module("token", "1.12.0", map[string]string{"test/gone": "*"}), module("token", "1.13.0", map[string]string{"new/helper": "*"}),
		module("ctools", "3.1.0", nil), module("ctools", "3.2.0", nil), module("views", "1.0.0", nil), module("views", "1.1.0", map[string]string{"drupal/ctools": ">=3.2"}),
		module("other", "1.0.0", nil), module("other", "2.0.0", nil), pack{"new/helper", "1.0.0", "library", nil, map[string]string{"h.php": "h"}})
	return all
}

func newSmall(t *testing.T) *small {
	t.Helper()
	if _, err := exec.LookPath("composer"); err != nil {
		t.Skip("no composer")
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &small{t: t, dir: dir}
	packages := map[string]map[string]any{}
	for _, p := range world() {
		entry := map[string]any{"name": p.name, "version": p.version, "type": p.kind, "require": p.require}
		if p.require == nil {
			delete(entry, "require")
		}
		if p.files != nil {
			file := filepath.Join(dir, "repository", strings.ReplaceAll(p.name, "/", "-")+p.version+".zip")
			s.write(strings.TrimPrefix(file, dir+"/"), zipped(t, p.files))
			entry["dist"] = map[string]string{"type": "zip", "url": "file://" + file, "reference": p.name + p.version}
		}
		if packages[p.name] == nil {
			packages[p.name] = map[string]any{}
		}
		packages[p.name][p.version] = entry
	}
	s.json("repository/packages.json", map[string]any{"packages": packages})
	s.json("project/composer.json", map[string]any{
		"name": "test/project", "repositories": []any{map[string]string{"type": "composer", "url": "file://" + dir + "/repository"}, map[string]bool{"packagist.org": false}},
		"require": map[string]string{"drupal/core-recommended": "^10", "drupal/token": "^1", "drupal/views": "^1", "drupal/ctools": "^3", "drupal/other": "^1"},
		"scripts": map[string]string{"post-update-cmd": "touch ran", "post-install-cmd": "touch ran"},
	})
	cmd := exec.CommandContext(t.Context(), "composer", "update", "--no-interaction", "--no-scripts", "--no-audit", "--with", "drupal/core:10.1.0", "--with", "drupal/token:1.12.0",
		"--with", "drupal/views:1.0.0", "--with", "drupal/ctools:3.1.0")
	cmd.Dir, cmd.Env = filepath.Join(dir, "project"), []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "COMPOSER_ROOT_VERSION=1.0.0"}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for name, text := range map[string]string{"web/index.php": "<?php", "web/sites/default/settings.php": "<?php // secret", "web/sites/default/files/x": "x", "web/modules/custom/own.php": "own", ".git/HEAD": "x"} {
		s.write("project/"+name, text)
	}
	s.Workshop = &composer.Workshop{
		Host:    &host{places: place.New(filepath.Join(dir, "project"), filepath.Join(dir, "work")), php: &process.Interpreter{Log: slog.New(slog.DiscardHandler)}},
		Project: filepath.Join(dir, "project"), Web: "web", Command: "/usr/bin/composer", Base: filepath.Join(dir, "work", "composer"),
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "work"), 0o700), s.Open()); err != nil {
		t.Fatal(err)
	}
	return s
}

func zipped(t *testing.T, files map[string]string) string {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, text := range files {
		f, err := w.Create("top/" + name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func (s *small) write(name, text string) {
	s.t.Helper()
	file := filepath.Join(s.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
		s.t.Fatal(err)
	}
}

func (s *small) json(name string, value any) {
	s.t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(name, string(text))
}

// moves are what a state would put in place and take away.
func (s *small) moves(state *composer.State) []string {
	var all []string
	for _, move := range state.Moves {
		all = append(all, move.From)
	}
	for _, target := range state.Drop {
		all = append(all, "-"+strings.TrimPrefix(target, s.Project+"/"))
	}
	return all
}

func TestCopyIsBroughtToWhatIsWanted(t *testing.T) {
	s := newSmall(t)
	state, err := s.Add(t.Context(), composer.Wanted{Name: "drupal/token", Version: "1.13.0"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.moves(state), []string{"vendor/drupal/token", "vendor/new", "vendor/composer", "composer.lock", "-vendor/test/gone"}; !slices.Equal(got, want) {
		t.Errorf("moves %q", got)
	}
	state, err = s.Add(t.Context(), composer.Wanted{Name: composer.Core, Version: "10.1.1"})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.moves(state), []string{"vendor/drupal/core", "vendor/drupal/token", "vendor/new", "vendor/test/engine", "vendor/composer", "composer.lock", "-vendor/test/gone"}; !slices.Equal(got, want) {
		t.Errorf("moves %q", got)
	}
	for _, name := range []string{"ran", ".git", "web/sites/default/settings.php", "web/sites/default/files"} {
		if _, err := os.Lstat(filepath.Join(state.Copy, name)); err == nil {
			t.Errorf("%s is in the copy", name)
		}
	}
	if _, err := os.Lstat(filepath.Join(state.Copy, "web/modules/custom/own.php")); err != nil {
		t.Error(err)
	}
	if sum := state.Files[filepath.Join(s.Project, "vendor/test/engine/b.php")]; len(sum) != 64 {
		t.Errorf("b.php is %q", sum)
	}
	latest, err := s.Latest()
	if err != nil || latest == nil || latest.Copy != state.Copy {
		t.Errorf("the latest is %+v, %v", latest, err)
	}
	s.write("project/composer.lock", "{}") // somebody else was faster
	if latest, err := s.Latest(); err != nil || latest != nil {
		t.Errorf("a copy of what is not there any more: %+v, %v", latest, err)
	}
}

func TestWhatCannotBeIsRefusedAndTheRestStays(t *testing.T) {
	s := newSmall(t)
	good := composer.Wanted{Name: "drupal/token", Version: "1.13.0"}
	if _, err := s.Add(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	for why, want := range map[string]composer.Wanted{
		"another component would change": {Name: "drupal/views", Version: "1.1.0"},
		"the project asks for another":   {Name: "drupal/other", Version: "2.0.0"},
		"no such version":                {Name: "drupal/ctools", Version: "9.9.9"},
		"not of the project":             {Name: "drupal/stranger", Version: "1.0.0"},
	} {
		if _, err := s.Add(t.Context(), want); upkeep.CodeOf(err) != upkeep.CodeRefused {
			t.Errorf("%s: %v", why, err)
		}
		if latest, err := s.Latest(); err != nil || latest == nil || !slices.Equal(latest.Wanted, []composer.Wanted{good}) {
			t.Fatalf("after %s: %+v, %v", why, latest, err)
		}
	}
	// With its need met first, it goes.
	if _, err := s.Add(t.Context(), composer.Wanted{Name: "drupal/ctools", Version: "3.2.0"}); err != nil {
		t.Error(err)
	}
	if _, err := s.Add(t.Context(), composer.Wanted{Name: "drupal/views", Version: "1.1.0"}); err != nil {
		t.Error(err)
	}
}

func TestUnfit(t *testing.T) {
	s := newSmall(t)
	unfit := func() error {
		root, err := os.OpenRoot(s.Project)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		return composer.Unfit(root)
	}
	if err := unfit(); err != nil {
		t.Error(err)
	}
	lock, err := os.ReadFile(filepath.Join(s.Project, composer.Lock))
	if err != nil {
		t.Fatal(err)
	}
	s.write("project/composer.lock", strings.Replace(string(lock), `"version": "1.12.0"`, `"version": "1.11.0"`, 1))
	if err := unfit(); err == nil || !strings.Contains(err.Error(), "drupal/token") {
		t.Errorf("%v", err)
	}
	if err := os.Remove(filepath.Join(s.Project, composer.Lock)); err != nil {
		t.Fatal(err)
	}
	if err := unfit(); err == nil {
		t.Error("fit without a lock")
	}
}

func TestVersion(t *testing.T) {
	for version, want := range map[upkeep.Version]string{"8.x-1.13": "1.13.0", "8.x-1.2-beta3": "1.2.0-beta3", "2.1.4": "2.1.4", "10.1.8": "10.1.8", "2.0.0-rc1": "2.0.0-rc1"} {
		if got := composer.Version(version); got != want {
			t.Errorf("%s: %s", version, got)
		}
	}
}
