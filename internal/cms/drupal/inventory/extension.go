package inventory

import (
	"context"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal/info"
	"upkeep/internal/cms/drupal/layout"
	"upkeep/internal/cms/recall"
)

// extension is a module, theme or profile, each with an info file of its own.
// A folder from drupal.org often holds several: they are one component.
type extension struct {
	info.Info
	machine string // machine name
	dir     string // slash path of its folder, below the root
	top     string // the folder that an update would replace
	core    bool   // comes with Drupal
	theme   bool
	level   int // the highest N of its hook_update_N; 0 when it has none
}

// Memory is what files were found to say. The zero value knows nothing.
type Memory struct {
	infos  recall.Files[info.Info]
	levels recall.Files[int]
}

// Bounds of the search for info files.
const (
	maxDepth   = 12
	maxFolders = 50_000
)

// places are where Drupal looks for extensions, what counts last.
func places(l *cms.Layout) []string {
	bases := []string{"", "sites/all/"}
	for _, site := range layout.Sites(l) {
		bases = append(bases, strings.TrimPrefix(site.Dirs[layout.DirSite], l.Root+"/")+"/")
	}
	var all []string
	if l.Options[layout.OptionGeneration] == layout.Eight {
		all = append(all, "core/modules", "core/themes", "core/profiles")
	}
	for _, base := range bases {
		for _, kind := range []string{"profiles", "modules", "themes"} {
			all = append(all, base+kind)
		}
	}
	return all
}

// extensions finds all there are, in the order of places.
func (s *survey) extensions(ctx context.Context) error {
	for _, place := range places(s.layout) {
		if info, err := s.root.Stat(place); err != nil || !info.IsDir() {
			continue
		}
		if err := s.search(ctx, place, "", 0); err != nil {
			return err
		}
	}
	return nil
}

// search looks for info files in dir and below. top is the folder of the
// extension that dir is in, "" for none.
func (s *survey) search(ctx context.Context, dir, top string, depth int) error {
	if ctx.Err() != nil {
		return upkeep.Errorf(upkeep.CodeInterrupted, "stopped: %w", ctx.Err())
	}
	if s.folders++; s.folders == maxFolders { // said once
		s.find(upkeep.Finding{Code: "unreadable", Paths: []string{filepath.Join(s.layout.Root, dir)}}.Because(upkeep.Causef("more than %d folders", maxFolders)))
	}
	if depth > maxDepth || s.folders >= maxFolders {
		return nil
	}
	entries, err := s.list(dir)
	if err != nil {
		s.find(upkeep.Finding{Code: "unreadable", Paths: []string{filepath.Join(s.layout.Root, dir)}}.Because(err))
		return nil
	}
	suffix := ".info"
	if s.layout.Options[layout.OptionGeneration] == layout.Eight {
		suffix = ".info.yml"
	}
	for _, entry := range entries {
		machine, isInfo := strings.CutSuffix(entry.Name(), suffix)
		if !isInfo || entry.IsDir() || !info.IsMachine(machine) {
			continue
		}
		if top == "" {
			top = dir
		}
		s.read(dir, top, machine, entry.Name())
	}
	for _, entry := range entries {
		name := entry.Name()
		if s.skipped(dir, name) || !s.isFolder(dir, entry) {
			continue
		}
		if err := s.search(ctx, path.Join(dir, name), top, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// ignored are folders in which Drupal does not look, nor in any whose name
// begins with a dot.
var ignored = map[string][]string{
	layout.Seven: {"CVS", "lib", "templates", "css", "js"},
	layout.Eight: {
		"CVS", "src", "lib", "vendor", "assets", "css", "files", "images", "js", "misc", "templates", "includes", "fixtures", "Drupal",
		"tests", "node_modules", "bower_components",
	},
}

// skipped reports whether Drupal does not look into dir/name. The module of
// core that is called config is the one folder of that name that it looks into.
func (s *survey) skipped(dir, name string) bool {
	generation := s.layout.Options[layout.OptionGeneration]
	if generation == layout.Eight && name == "config" {
		return path.Base(dir) != "modules"
	}
	return strings.HasPrefix(name, ".") || slices.Contains(ignored[generation], name)
}

// isFolder follows a link to a folder that is the site's.
func (s *survey) isFolder(dir string, entry fs.DirEntry) bool {
	if entry.Type()&fs.ModeSymlink == 0 {
		return entry.IsDir()
	}
	name := filepath.Join(s.layout.Root, dir, entry.Name())
	target, err := filepath.EvalSymlinks(name)
	if err != nil || name == target || strings.HasPrefix(name, target+"/") {
		return false // it leads nowhere, or around
	}
	if found, err := os.Stat(target); err != nil || !found.IsDir() {
		return false
	}
	folder, err := s.host.Open(target)
	if err != nil {
		return false
	}
	return folder.Close() == nil
}

// list reads a folder that may lie behind a link.
func (s *survey) list(dir string) ([]fs.DirEntry, error) {
	folder, err := s.open(dir)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	return fs.ReadDir(folder.FS(), ".")
}

// open opens a folder below the root, following links to what is the site's.
func (s *survey) open(dir string) (*os.Root, error) {
	if folder, err := s.root.OpenRoot(dir); err == nil {
		return folder, nil
	}
	target, err := filepath.EvalSymlinks(filepath.Join(s.layout.Root, dir))
	if err != nil {
		return nil, err
	}
	return s.host.Open(target)
}

// hookUpdate is a hook_update_N.
var hookUpdate = regexp.MustCompile(`(?mi)^\s*function\s+([a-z0-9_]+)_update_(\d{1,9})\s*\(`)

// read adds one extension.
func (s *survey) read(dir, top, machine, name string) {
	e := extension{machine: machine, dir: dir, top: top}
	folder, err := s.open(dir)
	if err != nil {
		return // was readable a moment ago
	}
	defer folder.Close()
	parse := func(text []byte) (info.Info, error) { return info.Read(text), nil }
	if s.layout.Options[layout.OptionGeneration] == layout.Eight {
		parse = info.ReadYAML
	}
	if e.Info, err = s.known.infos.Read(folder, name, info.MaxBytes, parse); err != nil {
		s.find(upkeep.Finding{Code: "unreadable", Paths: []string{filepath.Join(s.layout.Root, dir, name)}}.Because(err))
	}
	e.theme = e.Type == "theme" || e.Type == "" && slices.Contains(strings.Split(dir, "/"), "themes") && !s.hasModule(folder, machine)
	e.core = strings.HasPrefix(dir, "core/") || e.Version == "VERSION" || e.Project == "drupal"
	if e.Version == "VERSION" {
		e.Version = s.version
	}
	e.level = s.known.level(folder, machine)
	s.found = append(s.found, e)
}

func (s *survey) hasModule(folder *os.Root, machine string) bool {
	_, err := folder.Lstat(machine + ".module")
	return err == nil
}

// level is the highest N of an extension's hook_update_N.
func (known *Memory) level(folder *os.Root, machine string) int {
	highest, err := known.levels.Read(folder, machine+".install", 4<<20, func(text []byte) (highest int, _ error) {
		for _, match := range hookUpdate.FindAllSubmatch(text, -1) {
			if n, err := strconv.Atoi(string(match[2])); err == nil && strings.EqualFold(string(match[1]), machine) {
				highest = max(highest, n)
			}
		}
		return highest, nil
	})
	if err != nil {
		return 0 // most have none
	}
	return highest
}
