package layout

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
	"upkeep/internal/cms/php/config"
)

// placeFolders resolves where WordPress keeps what, as wp-settings.php and
// default-constants.php do, and makes an area of each folder outside the root.
func (s *scene) placeFolders(set *settings) {
	core := s.layout.Dirs[DirCore]
	place := func(key, constant, usual string) string {
		dir := set.constants[constant]
		if dir == "" {
			dir = usual
		}
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(core, dir)
		}
		return s.place(key, dir)
	}
	content := place(DirContent, "WP_CONTENT_DIR", filepath.Join(core, "wp-content"))
	place(DirPlugins, "WP_PLUGIN_DIR", filepath.Join(content, "plugins"))
	place(DirMustUse, "WPMU_PLUGIN_DIR", filepath.Join(content, "mu-plugins"))
	place(DirThemes, "", filepath.Join(content, "themes"))
	languages := filepath.Join(content, "languages")
	if older := filepath.Join(core, "wp-includes/languages"); !isThere(languages) && isThere(older) {
		languages = older
	}
	place(DirLanguages, "WP_LANG_DIR", languages)
	// UPLOADS is relative to ABSPATH even with a leading slash.
	uploads := filepath.Join(content, "uploads")
	if relative := set.constants["UPLOADS"]; relative != "" {
		uploads = filepath.Join(core, relative)
		s.layout.Options[OptionUploads] = "1"
	}
	s.place(DirUploads, uploads)

	switch log := set.constants["WP_DEBUG_LOG"]; {
	case filepath.IsAbs(log):
		s.layout.Options[OptionDebugLog] = log
	case log == "1" || strings.EqualFold(log, "true"):
		s.layout.Options[OptionDebugLog] = filepath.Join(content, "debug.log")
	}
}

// isThere only looks at the name: what it holds is read through the host.
func isThere(dir string) bool {
	_, err := os.Stat(dir)
	return err == nil
}

// place keeps a folder, links resolved, and returns it as configured.
func (s *scene) place(key, dir string) string {
	dir = filepath.Clean(dir)
	resolved, err := s.resolve(dir)
	if err != nil {
		// Not there (yet): where its nearest existing folder really is.
		resolved = area.Nearest(dir)
	}
	s.layout.Dirs[key] = resolved
	if err == nil {
		s.addArea(key, resolved)
	}
	return dir
}

// resolve is filepath.EvalSymlinks, which asks less about what is below a folder
// whose own links are resolved already.
func (s *scene) resolve(dir string) (string, error) {
	at := s.root
	if content := s.layout.Dirs[DirContent]; content != "" {
		if _, inside := relative(content, dir); inside {
			at = content
		}
	}
	rel, inside := relative(at, dir)
	if !inside {
		return filepath.EvalSymlinks(dir)
	}
	for name := range strings.SplitSeq(rel, "/") {
		at = filepath.Join(at, name)
		if info, err := os.Lstat(at); err != nil || info.Mode()&fs.ModeSymlink != 0 {
			return filepath.EvalSymlinks(dir)
		}
	}
	return dir, nil
}

// addArea makes an area of a folder that no area holds yet.
func (s *scene) addArea(name, dir string) {
	area.Add(s.layout, name, dir, s.root, s.layout.Dirs[DirCore])
}

func (s *scene) find(f upkeep.Finding) { s.layout.Findings = append(s.layout.Findings, f) }

// composerNames are what a Composer project has beside its web root.
var composerNames = [...]string{".env", ".env.local", "auth.json", "composer.json", "composer.lock", "config", "vendor"}

// placeConfig makes an area of what belongs to the site in the folder above
// the root.
func (s *scene) placeConfig(file string) {
	var only []string
	above := filepath.Dir(s.root)
	if filepath.Dir(file) == above {
		only = append(only, filepath.Base(file))
	}
	source, err := s.read(file)
	if err == nil {
		project := s.projectOf(source, file)
		if project != "" {
			s.layout.Options[OptionBedrock] = "1"
		}
		for _, name := range composerNames {
			if project == above && s.exists(filepath.Join(above, name)) {
				only = append(only, name)
			}
		}
	}
	if len(only) > 0 {
		slices.Sort(only)
		s.layout.Areas = append(s.layout.Areas, cms.Area{Name: "config", Dir: above, Only: only})
	}
}

// placeLinks makes areas of what visitors' files are linked out to: uploads
// on another disk, and any other link directly below the root, the content or
// the uploads folder. Linked plugins and themes are the inventory's business.
func (s *scene) placeLinks() {
	for _, dir := range []string{s.root, s.layout.Dirs[DirContent], s.layout.Dirs[DirUploads]} {
		if !area.Covered(s.layout, dir) {
			continue
		}
		// An area outside the root is not lent before it is known; only names
		// are read here.
		entries, err := os.ReadDir(dir)
		if err != nil {
			continue // not there yet
		}
		for _, entry := range entries {
			if entry.Type()&fs.ModeSymlink != 0 {
				s.placeLink(filepath.Join(dir, entry.Name()))
			}
		}
	}
}

func (s *scene) placeLink(link string) {
	target, err := filepath.EvalSymlinks(link)
	if err != nil {
		s.find(upkeep.Finding{Code: "link_broken", Paths: []string{link}})
		return
	}
	if info, err := os.Stat(target); err != nil || !info.IsDir() {
		return
	}
	s.addArea("link-"+strings.ReplaceAll(s.nameOf(link), "/", "-"), target)
}

// nameOf is a path as seen from its area, with the area's name unless that
// is the root.
func (s *scene) nameOf(file string) string {
	for i, held := range s.layout.Areas {
		rel, inside := relative(held.Dir, file)
		switch {
		case !inside || held.Only != nil:
		case i == 0:
			return rel
		default:
			return held.Name + "/" + rel
		}
	}
	return filepath.Base(file)
}

// findVersionControl looks at core and every folder above it, as WordPress
// does.
func (s *scene) findVersionControl() {
	if paths := area.Tracked(s.layout.Dirs[DirCore]); len(paths) > 0 {
		s.find(upkeep.Finding{Code: "version_control", Paths: paths, Blocks: true})
	}
}

// findRestrictions reports constants by which the owner forbids or automates
// changes.
func (s *scene) findRestrictions() {
	o := s.layout.Options
	if o[OptionNoFileMods] != "" {
		s.find(upkeep.Finding{Code: "file_mods_disallowed", Detail: "DISALLOW_FILE_MODS"})
	}
	if o[OptionNoUpdater] != "" {
		s.find(upkeep.Finding{Code: "updater_disabled", Detail: "AUTOMATIC_UPDATER_DISABLED"})
	}
	if value, set := o[OptionCoreAuto]; set && value != "" && o[OptionNoUpdater] == "" && o[OptionNoFileMods] == "" {
		s.find(upkeep.Finding{Code: "foreign_updater", Component: string(upkeep.Core), Detail: "WP_AUTO_UPDATE_CORE=" + value})
	}
	if o[OptionBedrock] != "" {
		s.find(upkeep.Finding{Code: "composer", Paths: []string{s.root}})
	}
}

// maintenanceAge is how long WordPress honours its maintenance file.
const maintenanceAge = 10 * time.Minute

// findMaintenance tells an update that runs now from one that died.
func (s *scene) findMaintenance(now time.Time) {
	file := filepath.Join(s.layout.Dirs[DirCore], ".maintenance")
	content, err := s.read(file)
	// Our own gate is no foreign update.
	if err != nil || strings.Contains(string(content), "HTTP_X_UPKEEP_PROBE") {
		return
	}
	since, certainty := config.Read(content, config.Source{}).Variable("upgrading")
	started, err := strconv.ParseInt(since.Text(), 10, 64)
	if certainty == config.Static && (err != nil || now.Unix()-started >= int64(maintenanceAge/time.Second)) {
		s.find(upkeep.Finding{Code: "maintenance_orphaned", Paths: []string{file}})
		return
	}
	s.find(upkeep.Finding{Code: "update_in_progress", Paths: []string{file}, Blocks: true})
}
