package layout

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
	"upkeep/internal/cms/php/config"
	"upkeep/internal/cms/recall"
)

// Memory is what was understood of sites' settings, for the next time. The zero
// value is empty; a nil one remembers nothing. It is safe for concurrent use.
type Memory struct {
	settings recall.Texts[*settings] // nil for one that has to be run
	strings  recall.Texts[[]string]
}

// Detect finds the WordPress at root: in root itself or, as in subdirectory
// installs and Composer projects, in a folder below it. now tells an update
// that runs from one that died. CodeNotFound when there is none, CodeInvalid
// with a hint when it cannot be used as it is.
func (m *Memory) Detect(ctx context.Context, h cms.Host, root string, now time.Time) (_ *cms.Layout, err error) {
	defer upkeep.Wrap(&err, "detect wordpress in %s", root)
	s, err := newScene(h, root)
	if err != nil {
		return nil, err
	}
	defer s.close()
	if m == nil {
		m = &Memory{}
	}
	s.memory = m
	core, err := s.findCore()
	if err != nil {
		return nil, err
	}
	file, err := s.findConfig(core)
	if err != nil {
		return nil, err
	}
	set, err := s.settings(ctx, file, core)
	if err != nil {
		return nil, err
	}
	l := &cms.Layout{
		CMS: upkeep.WordPress, Root: s.root, Inner: s.inner(core),
		Areas:   []cms.Area{{Name: "site", Dir: s.root}},
		Dirs:    map[string]string{DirCore: core},
		Options: map[string]string{OptionConfig: file},
	}
	if l.Database, err = set.database(); err != nil {
		return nil, err
	}
	setOptions(l, set)
	s.layout = l
	answer := s.askDatabase(ctx)
	s.placeFolders(set)
	l.Logs = []string{filepath.Join(l.Dirs[DirContent], "debug.log"), filepath.Join(s.root, "error_log")}
	s.placeConfig(file)
	s.placeLinks()
	s.findVersionControl()
	s.findRestrictions()
	s.findMaintenance(now)
	if err := s.lookAtDatabase(ctx, answer); err != nil {
		return nil, err
	}
	return l, nil
}

// scene is a site that is being looked at before its layout is known.
type scene struct {
	host   cms.Host
	memory *Memory
	root   string // links resolved
	layout *cms.Layout
	open   map[string]*os.Root // nil for a folder that may not be looked at
	texts  map[string][]byte   // of files that were read
}

func newScene(h cms.Host, root string) (*scene, error) {
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "no such folder: %w", err)
	}
	s := &scene{host: h, root: resolved, open: map[string]*os.Root{}, texts: map[string][]byte{}}
	// The host lends the folder under the name it was asked for.
	top, err := h.Open(root)
	if err != nil {
		return nil, err
	}
	s.open[resolved] = top
	return s, nil
}

func (s *scene) close() {
	for _, dir := range s.open {
		if dir != nil {
			dir.Close()
		}
	}
}

// at returns the open folder that file is in or below, and its name there.
// Beside the root that is the folder above it, where the host lends it.
func (s *scene) at(file string) (*os.Root, string) {
	if rel, ok := relative(s.root, file); ok {
		return s.open[s.root], rel
	}
	dir := filepath.Dir(file)
	if _, tried := s.open[dir]; !tried {
		// Not lent is not there: the driver has no business in it.
		opened, err := s.host.Open(dir)
		if err != nil {
			opened = nil
		}
		s.open[dir] = opened
	}
	return s.open[dir], filepath.Base(file)
}

// relative returns file relative to dir when it is dir or inside it.
func relative(dir, file string) (string, bool) { return area.Relative(dir, file) }

func (s *scene) exists(file string) bool {
	dir, name := s.at(file)
	if dir == nil {
		return false
	}
	_, err := dir.Stat(name)
	return err == nil
}

// read returns what a file of at most configBytes says.
func (s *scene) read(file string) ([]byte, error) {
	if text, known := s.texts[file]; known {
		return text, nil
	}
	dir, name := s.at(file)
	if dir == nil {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "%s is outside the site", file)
	}
	text, err := cms.ReadBounded(dir, name, configBytes)
	if err == nil {
		s.texts[file] = text
	}
	return text, err
}

// findCore returns ABSPATH: the root, the folder its index.php loads, or
// where Composer and habit put it.
func (s *scene) findCore() (string, error) {
	candidates := []string{s.root}
	if index, err := s.read(filepath.Join(s.root, "index.php")); err == nil {
		if dir, ok := loadedBy(s.strings("index.php", index)); ok {
			candidates = append(candidates, filepath.Join(s.root, dir))
		}
	}
	for _, name := range []string{"wp", "web/wp", "wordpress", "public/wp", "public", "web", "htdocs"} {
		candidates = append(candidates, filepath.Join(s.root, name))
	}
	for _, dir := range candidates {
		if !s.holdsCore(dir) {
			continue
		}
		if !s.exists(filepath.Join(dir, "wp-settings.php")) {
			return "", upkeep.Errorf(upkeep.CodeInvalid, "%s holds half of a WordPress: no wp-settings.php", dir).
				WithHint("Restore the missing files of WordPress first.")
		}
		return dir, nil
	}
	return s.onlyChild()
}

// holdsCore reports whether a WordPress is in dir, and not ClassicPress, which
// went its own way and has releases of its own.
func (s *scene) holdsCore(dir string) bool {
	if !s.exists(filepath.Join(dir, "wp-load.php")) || !s.exists(filepath.Join(dir, "wp-includes/version.php")) {
		return false
	}
	version, err := s.read(filepath.Join(dir, "wp-includes/version.php"))
	return err != nil || !strings.Contains(string(version), "$cp_version")
}

// onlyChild finds a WordPress in a folder directly below the root, such as
// blog, that nothing in the root mentions.
func (s *scene) onlyChild() (string, error) {
	entries, err := fs.ReadDir(s.open[s.root].FS(), ".")
	if err != nil {
		return "", err
	}
	var found []string
	for _, entry := range entries {
		dir := filepath.Join(s.root, entry.Name())
		if entry.IsDir() && s.holdsCore(dir) && s.exists(filepath.Join(dir, "wp-settings.php")) {
			found = append(found, dir)
		}
	}
	slices.Sort(found)
	switch len(found) {
	case 0:
		return "", upkeep.Errorf(upkeep.CodeNotFound, "no wp-load.php").WithHint("for WordPress the one with wp-load.php")
	case 1:
		return found[0], nil
	}
	return "", upkeep.Errorf(upkeep.CodeInvalid, "%d installations: %s", len(found), strings.Join(found, ", ")).
		WithHint("Name the folder of one of them.")
}

// strings returns the literals of a file of the site.
func (s *scene) strings(name string, source []byte) []string {
	return s.memory.strings.Of(s.root+"\x00"+name, source, config.Strings)
}

// loadedBy returns the folder of the wp-blog-header.php that an index.php
// with these literals requires.
func loadedBy(index []string) (string, bool) {
	for _, text := range index {
		if path.Base(text) == "wp-blog-header.php" {
			dir := strings.Trim(path.Dir(text), "/")
			return dir, filepath.IsLocal(dir) && dir != "."
		}
	}
	return "", false
}

// findConfig returns the wp-config.php that wp-load.php would take.
func (s *scene) findConfig(core string) (string, error) {
	above := filepath.Dir(core)
	switch {
	case s.exists(filepath.Join(core, "wp-config.php")):
		return filepath.Join(core, "wp-config.php"), nil
	case s.exists(filepath.Join(above, "wp-config.php")) && !s.exists(filepath.Join(above, "wp-settings.php")):
		return filepath.Join(above, "wp-config.php"), nil
	}
	return "", upkeep.Errorf(upkeep.CodeInvalid, "no wp-config.php in %s or the folder above", core).
		WithHint("Finish the installation of WordPress first, or name the folder that holds both.")
}

// inner is the folder of core when nothing in the root leads there.
func (s *scene) inner(core string) string {
	index, err := s.read(filepath.Join(s.root, "index.php"))
	dir, ok := "", false
	if err == nil {
		dir, ok = loadedBy(s.strings("index.php", index))
	}
	if core == s.root || filepath.Base(core) == "wp" || ok && filepath.Join(s.root, dir) == core {
		return ""
	}
	return core
}

func (s *scene) settings(ctx context.Context, file, core string) (*settings, error) {
	source, err := s.read(file)
	if err != nil {
		return nil, err
	}
	if err := s.checkProject(source, file); err != nil {
		return nil, err
	}
	abspath := strings.TrimSuffix(core, "/") + "/"
	read := func(text []byte) *settings { return readSettings(text, file, abspath) }
	if set := s.memory.settings.Of(file+"\x00"+abspath, source, read); set != nil {
		return set, nil
	}
	return evaluateSettings(ctx, s.host, file, abspath)
}

// checkProject refuses the inner folder of a Composer project, whose
// configuration and libraries would be left out of every backup.
func (s *scene) checkProject(source []byte, file string) error {
	project := s.projectOf(source, file)
	if project == "" {
		return nil
	}
	_, inside := relative(s.root, project)
	if inside || project == filepath.Dir(s.root) {
		return nil
	}
	return upkeep.Errorf(upkeep.CodeInvalid, "the site is part of the Composer project %s", project).
		WithHint("Name the project's folder, %s, instead.", project)
}

// projectOf returns the folder of the Composer project that a wp-config.php
// belongs to, "" for none. In one, it loads config/application.php of the
// folder above.
func (s *scene) projectOf(source []byte, file string) string {
	for _, text := range s.strings("wp-config.php", source) {
		if strings.HasSuffix(text, "/config/application.php") {
			return filepath.Dir(filepath.Dir(file))
		}
	}
	return ""
}

// setOptions keeps what the configuration says besides folders.
func setOptions(l *cms.Layout, set *settings) {
	keep := func(option, constant string) {
		if value, ok := set.constants[constant]; ok {
			l.Options[option] = value
		}
	}
	flag := func(option, constant string) {
		if set.on(constant) {
			l.Options[option] = "1"
		}
	}
	flag(OptionMultisite, "MULTISITE")
	flag(OptionNoFileMods, "DISALLOW_FILE_MODS")
	flag(OptionNoUpdater, "AUTOMATIC_UPDATER_DISABLED")
	flag(OptionCache, "WP_CACHE")
	flag(OptionSunrise, "SUNRISE")
	keep(OptionCoreAuto, "WP_AUTO_UPDATE_CORE")
	keep(OptionHome, "WP_HOME")
	keep(OptionSiteURL, "WP_SITEURL")
	keep(OptionUserTable, "CUSTOM_USER_TABLE")
	keep(OptionWPLANG, "WPLANG")
	if l.Options[OptionMultisite] != "" {
		l.Options[OptionNetwork] = "1"
		keep(OptionNetwork, "SITE_ID_CURRENT_SITE")
	}
	if set.php != "" {
		l.Options[OptionDynamic], l.Options[OptionPHP] = "1", string(set.php)
	}
}
