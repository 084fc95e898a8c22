package mirror

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"upkeep"
)

// maxRequest is how much of a request is read.
const maxRequest = 8 << 20

func (m *Mirror) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("/core/version-check/1.7/", m.coreCheck)
	mux.HandleFunc("/core/checksums/1.0/", m.coreChecksums)
	mux.HandleFunc("/plugins/update-check/1.1/", m.pluginCheck)
	mux.HandleFunc("/themes/update-check/1.1/", m.themeCheck)
	mux.HandleFunc("/plugins/info/1.2/", m.pluginInfo)
	mux.HandleFunc("/translations/{of}/1.0/", m.translationList)
	mux.HandleFunc("/plugin-checksums/{slug}/{file}", m.pluginChecksums)
	return mux
}

// list returns what is offered and wanted, newest first.
func (m *Mirror) list(want func(*offered) bool) []*offered {
	m.mu.Lock()
	defer m.mu.Unlock()
	var found []*offered
	for _, o := range m.packages {
		if want(o) {
			found = append(found, o)
		}
	}
	slices.SortStableFunc(found, func(a, b *offered) int { return m.compare(b.version, a.version) })
	return found
}

// compare orders versions as the WordPress that asks does.
func (m *Mirror) compare(a, b string) int {
	return m.options.Compare(upkeep.Version(a), upkeep.Version(b))
}

// coreCheck offers the newest release, and the newest of each branch from the
// asking site's on: the build of its locale first.
func (m *Mirror) coreCheck(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	have, locale := r.FormValue("version"), r.FormValue("locale")
	offers := []any{}
	branches := make(map[string]bool)
	add := func(response string, o *offered) {
		offers = append(offers, m.coreOffer(r, response, o))
	}
	for _, build := range slices.Compact([]string{locale, ""}) {
		builds := m.list(func(o *offered) bool { return o.kind == upkeep.Core && o.locale == build })
		for i, o := range builds {
			if i == 0 && m.compare(o.version, have) <= 0 {
				add("latest", o)
				break
			}
			if i == 0 {
				add("upgrade", o)
			}
			if b := branch(o.version); m.compare(o.version, have) > 0 && !branches[b] {
				branches[b] = true
				add("autoupdate", o)
			}
		}
	}
	reply(w, http.StatusOK, map[string]any{"offers": offers, "translations": m.coreTranslations(r, have)})
}

// branch is the first two numbers: what WordPress takes for one.
func branch(version string) string {
	parts := strings.FieldsFunc(version, func(c rune) bool { return c == '.' || c == '-' })
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// coreOffer offers the whole package only: there are no partial ones here.
func (m *Mirror) coreOffer(r *http.Request, response string, o *offered) map[string]any {
	address := m.base(r) + o.path()
	offer := map[string]any{
		"response": response, "download": address, "locale": cmp.Or(o.locale, "en_US"),
		"packages": map[string]any{"full": address, "no_content": false, "new_bundled": false, "partial": false, "rollback": false},
		"current":  o.version, "version": o.version,
		"php_version":   cmp.Or(o.headers["required_php_version"], "5.6.20"),
		"mysql_version": cmp.Or(o.headers["required_mysql_version"], "5.0"),
		"new_bundled":   "6.7", "partial_version": false,
	}
	if response == "autoupdate" {
		offer["new_files"] = true
	}
	return offer
}

// coreTranslations are those newer than the ones the site says it has.
func (m *Mirror) coreTranslations(r *http.Request, version string) []any {
	var have map[string]map[string]struct {
		Revised string `json:"PO-Revision-Date"`
	}
	_ = json.Unmarshal([]byte(r.FormValue("translations")), &have) // PHP's empty map is a list: nothing installed
	out := []any{}
	for locale, installed := range have["default"] {
		for _, o := range m.list(func(o *offered) bool { return o.of == "core" && o.version == version && o.locale == locale }) {
			if o.updated > installed.Revised {
				out = append(out, m.translation(r, o))
			}
		}
	}
	return out
}

func (m *Mirror) translation(r *http.Request, o *offered) map[string]any {
	return map[string]any{"type": o.of, "slug": cmp.Or(o.slug, "default"), "language": o.locale, "version": o.version,
		"updated": o.updated, "package": m.base(r) + o.path(), "autoupdate": true}
}

func (m *Mirror) pluginCheck(w http.ResponseWriter, r *http.Request) { m.check(w, r, upkeep.Plugin) }
func (m *Mirror) themeCheck(w http.ResponseWriter, r *http.Request)  { m.check(w, r, upkeep.Theme) }

// check answers the update check of plugins or themes.
func (m *Mirror) check(w http.ResponseWriter, r *http.Request, kind upkeep.Kind) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	var asked struct {
		Plugins, Themes map[string]map[string]any
	}
	var locales []string
	field := string(kind) + "s"
	if err := json.Unmarshal([]byte(r.FormValue(field)), &asked); err != nil {
		http.Error(w, field+": "+err.Error(), http.StatusBadRequest)
		return
	}
	_ = json.Unmarshal([]byte(r.FormValue("locale")), &locales) // absent: no translations wanted
	updates, current, translations := object{}, object{}, []any{}
	components := asked.Plugins
	if kind == upkeep.Theme {
		components = asked.Themes
	}
	for id, headers := range components {
		o := m.newest(kind, id)
		if o == nil {
			continue
		}
		have, _ := headers["Version"].(string)
		if item := m.item(r, o, id); m.compare(o.version, have) > 0 {
			updates[id] = item
		} else {
			current[id] = item
		}
		for _, t := range m.list(func(t *offered) bool {
			return t.of == string(kind) && t.slug == o.slug && slices.Contains(locales, t.locale)
		}) {
			translations = append(translations, m.translation(r, t))
		}
	}
	reply(w, http.StatusOK, map[string]any{field: updates, "no_update": current, "translations": translations})
}

// newest returns the newest release of a plugin file or theme folder that is
// not closed. A plugin outside a folder goes by its file name.
func (m *Mirror) newest(kind upkeep.Kind, id string) *offered {
	dir, _, inFolder := strings.Cut(id, "/")
	found := m.list(func(o *offered) bool {
		_, file, _ := strings.Cut(o.id, "/")
		_, closed := m.closed[o.slug]
		return o.kind == kind && !closed && (o.id == id || kind == upkeep.Theme && o.slug == dir || !inFolder && file == id)
	})
	if len(found) == 0 {
		return nil
	}
	return found[0]
}

func (m *Mirror) item(r *http.Request, o *offered, id string) map[string]any {
	address := m.base(r) + o.path()
	m.mu.Lock()
	if m.withheld[o.slug] {
		address = ""
	}
	m.mu.Unlock()
	item := map[string]any{
		"new_version": o.version, "package": address, "url": "https://wordpress.org/" + string(o.kind) + "s/" + o.slug + "/",
		"requires": orFalse(o.headers["Requires at least"]), "requires_php": orFalse(o.headers["Requires PHP"]),
	}
	if o.kind == upkeep.Theme {
		item["theme"] = o.slug
		return item
	}
	required := strings.FieldsFunc(o.headers["Requires Plugins"], func(c rune) bool { return c == ',' || c == ' ' })
	item["id"], item["slug"], item["plugin"] = "w.org/plugins/"+o.slug, o.slug, id
	item["requires_plugins"] = append([]string{}, required...) // never null
	item["tested"], item["compatibility"] = o.headers["Tested up to"], object{}
	item["icons"], item["banners"], item["banners_rtl"] = object{}, object{}, object{}
	return item
}

// orFalse is how PHP writes what is absent.
func orFalse(value string) any {
	if value == "" {
		return false
	}
	return value
}

// pluginInfo says whether a plugin is there, closed or was never there.
func (m *Mirror) pluginInfo(w http.ResponseWriter, r *http.Request) {
	slug := r.FormValue("request[slug]")
	m.mu.Lock()
	reason, closed := m.closed[slug]
	m.mu.Unlock()
	found := m.list(func(o *offered) bool { return o.kind == upkeep.Plugin && o.slug == slug })
	switch {
	case closed:
		reply(w, http.StatusNotFound, map[string]any{"error": "closed", "name": slug, "slug": slug, "closed": true,
			"description": "This plugin has been closed as of May 6, 2024 and is not available for download.",
			"closed_date": "2024-05-06", "reason": "guideline-violation", "reason_text": reason})
	case len(found) == 0:
		reply(w, http.StatusNotFound, map[string]any{"error": "Plugin not found."})
	default:
		o := found[0]
		reply(w, http.StatusOK, map[string]any{"name": o.headers["Plugin Name"], "slug": slug, "version": o.version,
			"author":   `<a href="` + o.headers["Author URI"] + `">` + o.headers["Author"] + `</a>`,
			"homepage": o.headers["Plugin URI"], "requires": orFalse(o.headers["Requires at least"]),
			"requires_php": orFalse(o.headers["Requires PHP"]), "download_link": m.base(r) + o.path()})
	}
}

// translationList lists what can be installed, whoever asks.
func (m *Mirror) translationList(w http.ResponseWriter, r *http.Request) {
	of := strings.TrimSuffix(r.PathValue("of"), "s")
	slug, version := r.FormValue("slug"), r.FormValue("version")
	out := []any{}
	for _, o := range m.list(func(o *offered) bool {
		return o.of == of && (of == "core" || o.slug == slug) && (version == "" || o.version == version)
	}) {
		out = append(out, m.translation(r, o))
	}
	reply(w, http.StatusOK, map[string]any{"translations": out})
}

// coreChecksums computes what wordpress.org publishes of a release.
func (m *Mirror) coreChecksums(w http.ResponseWriter, r *http.Request) {
	version, locale := r.FormValue("version"), r.FormValue("locale")
	found := m.list(func(o *offered) bool {
		return o.kind == upkeep.Core && o.version == version && cmp.Or(o.locale, "en_US") == cmp.Or(locale, "en_US")
	})
	if len(found) == 0 {
		reply(w, http.StatusOK, map[string]any{"checksums": false})
		return
	}
	hashes, err := found[0].hashes()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	sums := object{}
	for name, sum := range hashes {
		sums[name] = sum[0]
	}
	reply(w, http.StatusOK, map[string]any{"checksums": sums})
}

// pluginChecksums computes what wordpress.org publishes of a plugin.
func (m *Mirror) pluginChecksums(w http.ResponseWriter, r *http.Request) {
	slug, version := r.PathValue("slug"), strings.TrimSuffix(r.PathValue("file"), ".json")
	found := m.list(func(o *offered) bool { return o.kind == upkeep.Plugin && o.slug == slug && o.version == version })
	if len(found) == 0 {
		http.NotFound(w, r)
		return
	}
	hashes, err := found[0].hashes()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	files := object{}
	for name, sum := range hashes {
		files[name] = map[string]string{"md5": sum[0], "sha256": sum[1]}
	}
	reply(w, http.StatusOK, map[string]any{"plugin": slug, "version": version, "zip": m.base(r) + found[0].path(), "files": files})
}
