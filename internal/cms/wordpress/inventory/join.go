package inventory

import (
	"net/url"
	"path"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/cms/wordpress/layout"
)

// join puts what the database says with what the files say.
func (s *survey) join() {
	network := s.networkPlugins()
	active := s.activePlugins()
	s.addOutside(append(sortedKeys(network), sortedKeys(active)...))
	s.readOtherRoots()
	themes := s.activeThemes()
	locales := s.activeLocales()
	there := map[string]bool{}
	for i := range s.components {
		c := &s.components[i]
		there[c.Ref()] = true
		switch c.Kind {
		case upkeep.Plugin:
			c.Network = network[c.ID]
			c.Active = active[c.ID] || c.Network
		case upkeep.Theme:
			c.Active = themes[c.ID]
		case upkeep.Language:
			c.Active = locales[c.Locale]
		}
	}
	s.missing(there, upkeep.Plugin, network)
	s.missing(there, upkeep.Plugin, active)
	s.missing(there, upkeep.Theme, themes)
	s.missingParents(there)
	for _, table := range s.records.gone {
		s.find(upkeep.Finding{Code: "table_missing", Detail: table})
	}
	s.addVendors()
	s.findUpdaters()
}

// networkPlugins are active for every blog: a map from file to time.
func (s *survey) networkPlugins() map[string]bool {
	plugins := map[string]bool{}
	if layout.Multisite(s.layout) {
		for id := range s.stored("active_sitewide_plugins", s.records.network["active_sitewide_plugins"]).All() {
			plugins[id] = true
		}
	}
	return plugins
}

// activePlugins are active for one blog at least: a list of files.
func (s *survey) activePlugins() map[string]bool {
	plugins := map[string]bool{}
	for _, blog := range s.records.blogs {
		for _, file := range s.stored("active_plugins", blog["active_plugins"]).All() {
			if id := file.Text(); id != "" {
				plugins[id] = true
			}
		}
	}
	return plugins
}

// activeThemes are those that one blog at least shows, parents included.
func (s *survey) activeThemes() map[string]bool {
	themes := map[string]bool{}
	for _, blog := range s.records.blogs {
		for _, key := range []string{"template", "stylesheet"} {
			if id := blog[key]; id != "" {
				themes[id] = true
			}
		}
	}
	return themes
}

func (s *survey) activeLocales() map[string]bool {
	locales := map[string]bool{s.core.locale: true, s.layout.Options[layout.OptionWPLANG]: true, s.records.site("WPLANG"): true}
	for _, blog := range s.records.blogs {
		locales[blog["WPLANG"]] = true
	}
	return locales
}

// missing reports what the database calls active and no file stands for.
func (s *survey) missing(there map[string]bool, kind upkeep.Kind, active map[string]bool) {
	for _, id := range sortedKeys(active) {
		c := upkeep.Component{Kind: kind, ID: id}
		if there[c.Ref()] {
			continue
		}
		there[c.Ref()] = true
		dir := s.layout.Dirs[layout.DirPlugins]
		if kind == upkeep.Theme {
			dir = s.layout.Dirs[layout.DirThemes]
		}
		s.find(upkeep.Finding{Code: "file_missing", Component: c.Ref(), Paths: []string{path.Join(dir, path.Clean("/"+id))}})
	}
}

// missingParents reports child themes whose parent is gone.
func (s *survey) missingParents(there map[string]bool) {
	for i := range s.components {
		c := &s.components[i]
		if parent := (&upkeep.Component{Kind: upkeep.Theme, ID: c.Parent}); c.Parent != "" && !there[parent.Ref()] {
			s.find(upkeep.Finding{Code: "parent_missing", Component: c.Ref(), Detail: c.Parent})
		}
	}
}

// Locks that WordPress's own updaters hold, and how long they count.
var updaterLocks = map[string]time.Duration{"core_updater.lock": 15 * time.Minute, "auto_updater.lock": time.Hour}

// findUpdaters reports whoever else updates this site.
func (s *survey) findUpdaters() {
	now := s.reader.now()
	for _, lock := range sortedKeys(updaterLocks) {
		since := number(s.records.site(lock))
		if since > 0 && now.Sub(time.Unix(since, 0)) < updaterLocks[lock] {
			s.find(upkeep.Finding{Code: "update_in_progress", Detail: lock, Blocks: true})
		}
	}
	if s.layout.Options[layout.OptionNoUpdater] != "" || s.layout.Options[layout.OptionNoFileMods] != "" {
		return
	}
	if _, decided := s.layout.Options[layout.OptionCoreAuto]; !decided {
		for _, name := range []string{"auto_update_core_major", "auto_update_core_minor"} {
			if s.records.site(name) == "enabled" {
				s.find(upkeep.Finding{Code: "foreign_updater", Component: string(upkeep.Core), Detail: name})
			}
		}
	}
	for name, kind := range map[string]upkeep.Kind{"auto_update_plugins": upkeep.Plugin, "auto_update_themes": upkeep.Theme} {
		for _, id := range s.stored(name, s.records.site(name)).All() {
			c := upkeep.Component{Kind: kind, ID: id.Text()}
			s.find(upkeep.Finding{Code: "foreign_updater", Component: c.Ref(), Detail: name})
		}
	}
}

// home is the address of the front page: the configuration's, or else the
// database's. One that was put together from a request is none.
func (s *survey) home() string {
	if home := s.layout.Options[layout.OptionHome]; absolute(home) {
		return home
	}
	return s.records.main["home"]
}

func absolute(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != ""
}

// pages are addresses that work whatever the permalinks are.
func (s *survey) pages() []upkeep.Page {
	pages := []upkeep.Page{{Path: "/", Role: "home"}}
	if s.records.post != "" {
		pages = append(pages, upkeep.Page{Path: "/?p=" + s.records.post, Role: "article"})
	}
	if s.records.page != "" {
		pages = append(pages, upkeep.Page{Path: "/?page_id=" + s.records.page, Role: "article"})
	}
	return append(pages,
		upkeep.Page{Path: s.corePath() + "/wp-login.php", Role: "login"},
		upkeep.Page{Path: "/?rest_route=/", Role: "api"},
		upkeep.Page{Path: "/?s=upkeep", Role: "extra"})
}

// corePath is where WordPress itself answers, below the front page's address:
// "" or the folder it is installed in.
func (s *survey) corePath() string {
	site := s.layout.Options[layout.OptionSiteURL]
	if !absolute(site) {
		site = s.records.main["siteurl"]
	}
	rest, ok := strings.CutPrefix(site, strings.TrimSuffix(s.home(), "/")+"/")
	if !ok || rest == "" {
		return ""
	}
	return "/" + strings.Trim(rest, "/")
}
