// Package layout finds a Joomla: its folder, its configuration, its database,
// and where it keeps what.
package layout

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
	"upkeep/internal/cms/php"
)

// Keys of cms.Layout.Dirs.
const DirLogs = "logs" // $log_path, where it exists

// Keys of cms.Layout.Options. A key is absent when the site does not set it.
const (
	OptionVersion = "version" // of the files: "5.3.1"
	OptionConfig  = "config"  // absolute path of configuration.php
	OptionHome    = "home"    // $live_site
	OptionTmp     = "tmp"     // $tmp_path
)

// Paths below the root.
const (
	Manifest    = "administrator/manifests/files/joomla.xml"
	VersionFile = "libraries/src/Version.php"
	Defines     = "defines.php"
	Waiting     = "defines.upkeep.php" // the site's own defines.php, while the gate has its name
)

// Mark is in every gate, and in no site.
const Mark = "UPKEEP_AT_WORK"

// Leftovers are files that let whoever knows their password unpack an archive
// over the site. Joomla writes one for an update, and takes it away after it.
var Leftovers = [...]string{
	"administrator/components/com_joomlaupdate/update.php", "administrator/components/com_joomlaupdate/restoration.php",
}

// maxFile bounds what is read here.
const maxFile = 1 << 20

// Detect finds the Joomla at root. CodeNotFound when there is none,
// CodeInvalid with a hint when it cannot be used as it is.
func Detect(ctx context.Context, h cms.Host, root string) (_ *cms.Layout, err error) {
	defer upkeep.Wrap(&err, "detect joomla in %s", root)
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "no such folder: %w", err)
	}
	top, err := h.Open(root)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	version, err := coreVersion(top)
	if err != nil {
		return nil, err
	}
	s := &scene{host: h, top: top, root: resolved}
	set, file, err := s.settings(ctx)
	if err != nil {
		return nil, err
	}
	s.layout = &cms.Layout{
		CMS: upkeep.Joomla, Root: resolved, Areas: []cms.Area{{Name: "site", Dir: resolved}}, Dirs: map[string]string{},
		Options: map[string]string{OptionVersion: version, OptionConfig: file},
	}
	if s.layout.Database, err = set.database(); err != nil {
		return nil, err
	}
	if set["live_site"] != "" {
		s.layout.Options[OptionHome] = set["live_site"]
	}
	s.place(set, file)
	s.findOthers()
	return s.layout, nil
}

var versionTag = regexp.MustCompile(`<version>\s*([0-9][0-9A-Za-z.+-]{0,40})\s*</version>`)

// coreVersion is the version in core's manifest. CodeNotFound when this is no
// Joomla.
func coreVersion(top *os.Root) (string, error) {
	text, err := cms.ReadBounded(top, Manifest, maxFile)
	if err != nil {
		return "", upkeep.Errorf(upkeep.CodeNotFound, "no %s", Manifest).WithHint("for Joomla the one with configuration.php and administrator")
	}
	match := versionTag.FindSubmatch(text)
	if match == nil {
		return "", upkeep.Errorf(upkeep.CodeDamaged, "%s names no version", Manifest).
			WithHint("Restore the missing files of Joomla first.")
	}
	for _, name := range []string{"index.php", "includes/defines.php", "administrator/index.php"} {
		if _, err := top.Stat(name); err != nil {
			return "", upkeep.Errorf(upkeep.CodeInvalid, "holds half of a Joomla: no %s", name).
				WithHint("Restore the missing files of Joomla first.")
		}
	}
	return string(match[1]), nil
}

// scene is a site that is being looked at before its layout is known.
type scene struct {
	host   cms.Host
	top    *os.Root // of root
	root   string   // links resolved
	layout *cms.Layout
}

func (s *scene) find(f upkeep.Finding) { s.layout.Findings = append(s.layout.Findings, f) }

// place makes areas of what lies outside the root: the folder of a moved
// configuration, logs, and what folders of the root are links to.
func (s *scene) place(set settings, file string) {
	l := s.layout
	if dir := filepath.Dir(file); !area.Covered(l, dir) {
		l.Areas = append(l.Areas, cms.Area{Name: "config", Dir: dir, Only: []string{filepath.Base(file)}})
	}
	l.Logs = []string{filepath.Join(s.root, "error_log")}
	if logs, err := filepath.EvalSymlinks(set["log_path"]); err == nil && set["log_path"] != "" {
		// A log folder that is the host's is none of the site's content.
		if mine, _ := area.Owner(s.root); !area.System(logs) && ownedBy(logs, mine) {
			area.Add(l, "logs", logs, s.root)
		}
		if l.Dirs[DirLogs] = logs; area.Covered(l, logs) {
			l.Logs = append(l.Logs, filepath.Join(logs, "everything.php"))
		}
	}
	if tmp, err := filepath.EvalSymlinks(set["tmp_path"]); err == nil && set["tmp_path"] != "" {
		l.Options[OptionTmp] = tmp
	}
	entries, err := fs.ReadDir(s.top.FS(), ".")
	if err != nil {
		return
	}
	for _, entry := range entries {
		if entry.Type()&fs.ModeSymlink == 0 {
			continue
		}
		link := filepath.Join(s.root, entry.Name())
		target, err := filepath.EvalSymlinks(link)
		if err != nil {
			s.find(upkeep.Finding{Code: "link_broken", Paths: []string{link}})
			continue
		}
		if info, err := os.Stat(target); err == nil && info.IsDir() {
			area.Add(l, "link-"+entry.Name(), target, s.root)
		}
	}
}

func ownedBy(dir string, account uint32) bool {
	owner, ok := area.Owner(dir)
	return ok && owner == account
}

// findOthers reports what keeps us from the site, or who else changes it.
func (s *scene) findOthers() {
	if paths := area.Tracked(s.root); len(paths) > 0 {
		s.find(upkeep.Finding{Code: "version_control", Paths: paths, Blocks: true})
	}
	for _, name := range Leftovers {
		if _, err := s.top.Lstat(name); err == nil {
			s.find(upkeep.Finding{Code: "update_leftover", Paths: []string{filepath.Join(s.root, name)}})
		}
	}
	if _, err := s.top.Lstat("installation/index.php"); err == nil {
		s.find(upkeep.Finding{Code: "installer_present", Paths: []string{filepath.Join(s.root, "installation")}})
	}
	if php.CompareVersions(s.layout.Options[OptionVersion], oldest) < 0 {
		// What is installed is shown all the same.
		s.find(upkeep.Finding{Code: "cms_too_old", Detail: "Joomla " + s.layout.Options[OptionVersion], Blocks: true})
	}
}

// oldest is the first Joomla whose updates are made. Those before keep their
// code elsewhere.
const oldest = "3.8"

// Legacy reports whether the site is a Joomla 3: the same database and folders
// as later ones, and another program in them.
func Legacy(l *cms.Layout) bool { return strings.HasPrefix(l.Options[OptionVersion], "3.") }

// Own is the site's own text of a file that the gate takes the name of, nil
// when it has none. waiting is where it is while the gate is closed.
func Own(root *os.Root, name, waiting string) ([]byte, error) {
	text, err := cms.ReadBounded(root, name, maxFile)
	if err == nil && strings.Contains(string(text), Mark) {
		text, err = cms.ReadBounded(root, waiting, maxFile)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// Table is the quoted name of a table of the site.
func Table(l *cms.Layout, name string) string { return Quote(l, l.Database.Prefix+name) }

// Quote writes a name as the site's database does. The prefix was checked.
func Quote(l *cms.Layout, name string) string {
	if l.Database.Engine == "postgresql" {
		return `"` + name + `"`
	}
	return "`" + name + "`"
}
