// Package layout finds a MediaWiki: its folder, its configuration, its
// database, and where it keeps uploads, extensions and skins.
package layout

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/area"
)

// Keys of cms.Layout.Dirs. Every value is absolute with links resolved.
const (
	DirProgram    = "program"    // where includes is: the root, but for a distribution's package
	DirExtensions = "extensions" // $wgExtensionDirectory
	DirSkins      = "skins"      // $wgStyleDirectory
	DirUploads    = "images"     // $wgUploadDirectory
)

// Keys of cms.Layout.Options. A key is absent when the site does not set it.
const (
	OptionExtensions = "extensions"  // JSON: names of those that are switched on
	OptionSkins      = "skins"       // JSON: names of those that are switched on
	OptionScriptPath = "script_path" // $wgScriptPath
	OptionScript     = "script"      // $wgScript, where it is not index.php
	OptionHome       = "home"        // address of the wiki
	OptionPHP        = "php"         // version of the interpreter that evaluated the configuration
)

// Names of the gate: what every entry includes before it looks at the request,
// and where the site's own file of that name waits meanwhile.
const (
	LocalSettings = "LocalSettings.php"
	Waiting       = "LocalSettings.upkeep.php"
	Mark          = "UPKEEP_AT_WORK" // in every gate, in no site
)

// Detect finds the MediaWiki at root. CodeNotFound when there is none,
// CodeInvalid with a hint when it cannot be used as it is.
func Detect(ctx context.Context, h cms.Host, root string) (_ *cms.Layout, err error) {
	defer upkeep.Wrap(&err, "detect mediawiki in %s", root)
	resolved, err := filepath.EvalSymlinks(root)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "no such folder: %w", err)
	}
	top, err := h.Open(root)
	if err != nil {
		return nil, err
	}
	defer top.Close()
	if err := isMediaWiki(resolved); err != nil {
		return nil, err
	}
	s := &scene{host: h, top: top, root: resolved, config: filepath.Join(resolved, LocalSettings)}
	set, err := s.settings(ctx)
	if err != nil {
		return nil, err
	}
	s.layout = &cms.Layout{
		CMS: upkeep.MediaWiki, Root: resolved, Areas: []cms.Area{{Name: "site", Dir: resolved}},
		Dirs: map[string]string{}, Options: set.options(), Logs: []string{filepath.Join(resolved, "error_log")},
	}
	if s.layout.Database, err = set.database(); err != nil {
		return nil, err
	}
	s.place(set)
	s.findOthers(set)
	return s.layout, s.lookAtDatabase(ctx)
}

// isMediaWiki looks at names only: of Debian's package most lead elsewhere.
func isMediaWiki(root string) error {
	there := func(name string) bool {
		info, err := os.Stat(filepath.Join(root, name))
		return err == nil && info.Mode().IsRegular()
	}
	switch {
	case !there("load.php") || !there("api.php"):
		return upkeep.Errorf(upkeep.CodeNotFound, "no load.php").WithHint("for MediaWiki the one with load.php")
	case !there("includes/Defines.php"):
		return upkeep.Errorf(upkeep.CodeInvalid, "holds half of a MediaWiki: no includes/Defines.php").
			WithHint("Restore the missing files of MediaWiki first.")
	case !there(LocalSettings):
		return upkeep.Errorf(upkeep.CodeInvalid, "MediaWiki is not installed: no LocalSettings.php").
			WithHint("Finish the installation of MediaWiki first.")
	}
	return nil
}

// scene is a site that is being looked at before its layout is known.
type scene struct {
	host   cms.Host
	top    *os.Root // of root
	root   string   // links resolved
	config string   // LocalSettings.php
	layout *cms.Layout
}

// place says where everything is, and makes an area of what lies outside the
// root.
func (s *scene) place(set *settings) {
	l := s.layout
	put := func(name, dir string) string {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(s.root, dir)
		}
		resolved, err := filepath.EvalSymlinks(dir)
		if err != nil {
			return area.Nearest(filepath.Clean(dir))
		}
		area.Add(l, name, resolved, s.root)
		return resolved
	}
	l.Dirs[DirProgram] = s.root
	if includes, err := filepath.EvalSymlinks(filepath.Join(s.root, "includes")); err == nil && includes != filepath.Join(s.root, "includes") {
		l.Dirs[DirProgram] = put(DirProgram, filepath.Dir(includes))
	}
	for _, dir := range [][3]string{
		{DirExtensions, "wgExtensionDirectory", "extensions"}, {DirSkins, "wgStyleDirectory", "skins"}, {DirUploads, "wgUploadDirectory", "images"},
	} {
		value := set.values[dir[1]]
		if value == "" {
			value = dir[2]
		}
		l.Dirs[dir[0]] = put(dir[0], value)
	}
	for _, dir := range [][2]string{{"deleted", "wgDeletedDirectory"}, {"cache", "wgCacheDirectory"}, {"pages", "wgFileCacheDirectory"}} {
		if value := set.values[dir[1]]; value != "" {
			put(dir[0], value)
		}
	}
	if file := set.values["wgDebugLogFile"]; filepath.IsAbs(file) {
		l.Logs = append(l.Logs, file)
	}
	if l.Database.File != "" {
		put("sqlite", filepath.Dir(l.Database.File))
	}
	s.placeFiles(set)
}

// placeFiles makes areas of single files of the configuration that lie outside
// the root: LocalSettings.php that is a link, or what it includes.
func (s *scene) placeFiles(set *settings) {
	files := set.files
	if target, err := filepath.EvalSymlinks(s.config); err == nil {
		files = append(files, target)
	}
	for _, file := range files {
		dir, name := filepath.Split(file)
		dir = filepath.Clean(dir)
		if area.Covered(s.layout, dir) || strings.HasPrefix(dir, "/usr/share/") {
			continue // ours already, or a library of the host's
		}
		s.placeFile(dir, name)
	}
}

func (s *scene) placeFile(dir, name string) {
	for i := range s.layout.Areas {
		if held := &s.layout.Areas[i]; held.Dir == dir && held.Only != nil {
			held.Only = append(held.Only, name)
			return
		}
	}
	s.layout.Areas = append(s.layout.Areas, cms.Area{Name: "config", Dir: dir, Only: []string{name}})
}

// findOthers reports who else updates this site, and what keeps us from it.
func (s *scene) findOthers(set *settings) {
	if paths := area.Tracked(s.root); len(paths) > 0 {
		s.find(upkeep.Finding{Code: "version_control", Paths: paths, Blocks: true})
	}
	program := s.layout.Dirs[DirProgram]
	if strings.HasPrefix(program, "/usr/") && !strings.HasPrefix(program, "/usr/local/") {
		s.find(upkeep.Finding{Code: "distribution_package", Paths: []string{program}, Blocks: true})
	}
	if target, err := filepath.EvalSymlinks(s.config); err == nil && target != s.config {
		s.find(upkeep.Finding{Code: "config_linked", Paths: []string{s.config}, Detail: target, Blocks: true})
	}
	if len(set.shared) > 0 {
		s.find(upkeep.Finding{Code: "database_shared", Paths: []string{s.config}, Detail: "$" + strings.Join(set.shared, ", $"), Blocks: true})
	}
}

func (s *scene) find(f upkeep.Finding) { s.layout.Findings = append(s.layout.Findings, f) }

// read returns a file of the root, nil when there is none.
func (s *scene) read(name string) ([]byte, error) {
	text, err := cms.ReadBounded(s.top, name, configBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// lookAtDatabase learns which other wikis share a MariaDB database. One that
// does not answer is a finding: the files may still have to be restored.
func (s *scene) lookAtDatabase(ctx context.Context) error {
	db := s.layout.Database
	query := "SELECT 1"
	if db.Engine == "mariadb" {
		query = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name LIKE '%updatelog'"
	}
	rows, err := s.host.Query(ctx, db, query)
	if err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.find(upkeep.Finding{Code: "database_unreachable", Blocks: true}.Because(err))
		return nil
	}
	if db.Engine != "mariadb" {
		return nil
	}
	own := false
	for _, row := range rows {
		prefix, _ := strings.CutSuffix(string(row[0]), "updatelog")
		if prefix == db.Prefix {
			own = true
			continue
		}
		db.Neighbours = append(db.Neighbours, prefix)
	}
	if !own {
		s.find(upkeep.Finding{Code: "table_missing", Detail: db.Prefix + "updatelog", Blocks: true})
	}
	return nil
}
