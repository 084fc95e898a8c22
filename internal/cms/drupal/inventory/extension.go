package inventory

import (
	"bytes"
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
	"upkeep/internal/cms/area"
	"upkeep/internal/cms/drupal/composer"
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

	in              *recall.Folder // that its folder is reached by, by the name below
	below           string
	module, install bool // whether it has files of those kinds
}

// Memory is what files were found to say, and folders to hold. The zero value
// knows nothing.
type Memory struct {
	infos    recall.Files[info.Info]
	levels   recall.Files[int]
	versions recall.Files[string]
	packages recall.Files[composer.Packages]
	patches  recall.Files[wantedPatches]
	lists    recall.Lists
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
	failed := make([]error, len(s.found))
	recall.Each(len(s.found), func(i int) { failed[i] = s.read(&s.found[i]) })
	for i, err := range failed {
		if e := &s.found[i]; err != nil {
			s.find(upkeep.Finding{Code: "unreadable", Paths: []string{filepath.Join(s.layout.Root, e.dir, e.machine+s.suffix())}}.Because(err))
		}
	}
	return nil
}

// suffix ends the name of an info file.
func (s *survey) suffix() string {
	if s.layout.Options[layout.OptionGeneration] == layout.Eight {
		return ".info.yml"
	}
	return ".info"
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
	for _, entry := range entries {
		machine, isInfo := strings.CutSuffix(entry.Name, s.suffix())
		if !isInfo || entry.IsDir() || !info.IsMachine(machine) {
			continue
		}
		if top == "" {
			top = dir
		}
		in, below := s.at(dir)
		s.found = append(s.found, extension{
			machine: machine, dir: dir, top: top, in: in, below: below, module: holds(entries, machine+".module"), install: holds(entries, machine+".install"),
		})
	}
	for _, entry := range entries {
		if s.skipped(dir, entry.Name) || !s.isFolder(dir, entry) {
			continue
		}
		if err := s.search(ctx, path.Join(dir, entry.Name), top, depth+1); err != nil {
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
func (s *survey) isFolder(dir string, entry recall.Entry) bool {
	if entry.Type&fs.ModeSymlink == 0 {
		return entry.IsDir()
	}
	name := filepath.Join(s.layout.Root, dir, entry.Name)
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

// list reads a folder that may lie behind a link, to what is the site's.
func (s *survey) list(dir string) ([]recall.Entry, error) {
	in, name := s.at(dir)
	entries, err := s.known.lists.Read(in, name)
	if err == nil {
		return entries, nil
	}
	target, err := filepath.EvalSymlinks(filepath.Join(s.layout.Root, dir))
	if err != nil {
		return nil, err
	}
	root, err := s.host.Open(target)
	if err != nil {
		return nil, err
	}
	s.lent = append(s.lent, root)
	folder, err := recall.Within(root)
	if err != nil {
		return nil, err
	}
	if s.outside == nil {
		s.outside = map[string]*recall.Folder{}
	}
	s.outside[dir] = folder
	return s.known.lists.Read(folder, ".")
}

// at returns the open folder that dir, which was listed, is reached by, and its
// name there.
func (s *survey) at(dir string) (*recall.Folder, string) {
	in, name, longest := s.folder, dir, -1
	for behind, folder := range s.outside {
		if rel, ok := area.Relative(behind, dir); ok && len(behind) > longest {
			in, name, longest = folder, rel, len(behind)
		}
	}
	return in, name
}

// close releases the folders.
func (s *survey) close() {
	for _, folder := range s.outside {
		_ = folder.Close() // was only read
	}
	for _, root := range append(s.lent, s.root) {
		_ = root.Close()
	}
	_ = s.folder.Close()
}

// read reads what the files of an extension say.
func (s *survey) read(e *extension) (err error) {
	parse := func(text []byte) (info.Info, error) { return info.Read(text), nil }
	if s.layout.Options[layout.OptionGeneration] == layout.Eight {
		parse = info.ReadYAML
	}
	e.Info, err = s.known.infos.Read(e.in, path.Join(e.below, e.machine+s.suffix()), info.MaxBytes, parse)
	e.theme = e.Type == "theme" || e.Type == "" && slices.Contains(strings.Split(e.dir, "/"), "themes") && !e.module
	e.core = strings.HasPrefix(e.dir, "core/") || e.Version == "VERSION" || e.Project == "drupal"
	if e.Version == "VERSION" {
		e.Version = s.version
	}
	if e.install { // most have none
		e.level = s.known.level(e.in, e.below, e.machine)
	}
	return err
}

// holds reports whether a folder has something of that name.
func holds(entries []recall.Entry, name string) bool {
	_, found := recall.Find(entries, name)
	return found
}

// level is the highest N of an extension's hook_update_N, 0 for none.
func (known *Memory) level(in *recall.Folder, dir, machine string) int {
	highest, err := known.levels.Read(in, path.Join(dir, machine+".install"), 4<<20, func(text []byte) (int, error) { return highestUpdate(text, machine), nil })
	if err != nil {
		return 0
	}
	return highest
}

// hookUpdate is a hook_update_N, from the beginning of its line.
var hookUpdate = regexp.MustCompile(`(?i)^\s*function\s+([a-z0-9_]+)_update_(\d{1,9})\s*\(`)

// longest bounds what is looked at for the name of a function.
const longest = 400

// highestUpdate looks for functions line by line, which is many times as fast as
// a search of the whole text for the pattern.
func highestUpdate(text []byte, machine string) (highest int) {
	for {
		text = bytes.TrimLeft(text, " \t\r\n\f")
		highest = max(highest, updateOf(text[:min(len(text), longest)], machine))
		end := bytes.IndexByte(text, '\n')
		if end < 0 {
			return highest
		}
		text = text[end+1:]
	}
}

// updateOf is the N of the hook_update_N that text begins with, 0 for none.
func updateOf(text []byte, machine string) int {
	word := "function"
	if len(text) < len(word) || !strings.EqualFold(string(text[:len(word)]), word) {
		return 0
	}
	name, _, _ := bytes.Cut(text, []byte("("))
	if !bytes.Contains(bytes.ToLower(name), []byte("_update_")) {
		return 0 // most functions, and the pattern takes its time
	}
	match := hookUpdate.FindSubmatch(text)
	if match == nil || !strings.EqualFold(string(match[1]), machine) {
		return 0
	}
	n, _ := strconv.Atoi(string(match[2])) // digits, nine at most
	return n
}
