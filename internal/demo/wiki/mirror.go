package wiki

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"upkeep"
)

// Mirror answers as dokuwiki.org: which releases there are, what
// administrators are told, what the repository knows, and the packages. It is
// safe for concurrent use.
type Mirror struct {
	mu       sync.Mutex
	cores    map[string]string // version → file
	releases []Release
	without  map[string]bool // IDs offered without a package
	extra    map[string]map[string]any
	requests map[string]int
	down     bool
}

// NewMirror returns a mirror that offers nothing.
func NewMirror() *Mirror {
	return &Mirror{cores: map[string]string{}, without: map[string]bool{}, extra: map[string]map[string]any{}, requests: map[string]int{}}
}

// AddCore offers the package of a DokuWiki: the newest is stable, the one
// before it is what was stable.
func (m *Mirror) AddCore(version upkeep.Version, file string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cores[string(version)] = file
}

// Add offers a release of a plugin or template; the last of each counts.
func (m *Mirror) Add(release Release) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.releases = append(slices.DeleteFunc(m.releases, func(r Release) bool { return r.ID() == release.ID() }), release)
}

// Withhold offers an extension without a package.
func (m *Mirror) Withhold(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.without[id] = true
}

// Say adds fields to what the repository says of an extension.
func (m *Mirror) Say(id string, fields map[string]any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.extra[id] = fields
}

// Down makes every answer an error, or none.
func (m *Mirror) Down(down bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.down = down
}

// Requests returns how often a path was asked for.
func (m *Mirror) Requests(path string) int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.requests[path]
}

// ServeHTTP answers one request.
func (m *Mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[r.URL.Path]++
	name := filepath.Base(r.URL.Path)
	switch {
	case m.down:
		http.Error(w, "down", http.StatusServiceUnavailable)
	case r.URL.Path == "/version":
		write(w, m.versions())
	case strings.HasPrefix(r.URL.Path, "/check/"):
		_, _ = w.Write([]byte("")) // no messages; whoever hung up needs no answer
	case r.URL.Path == "/repository":
		m.repository(w, r)
	case strings.HasPrefix(r.URL.Path, "/src/dokuwiki/"):
		m.core(w, r, strings.TrimSuffix(strings.TrimPrefix(name, "dokuwiki-"), ".tgz"))
	case strings.HasPrefix(r.URL.Path, "/package/"):
		m.extension(w, strings.TrimSuffix(name, ".zip"))
	default:
		http.NotFound(w, r)
	}
}

func (m *Mirror) versions() map[string]any {
	versions := []string{}
	for version := range m.cores {
		versions = append(versions, version)
	}
	slices.Sort(versions)
	said := map[string]any{}
	for i, key := range []string{"stable", "oldstable"} {
		if at := len(versions) - 1 - i; at >= 0 {
			said[key] = map[string]string{"version": versions[at], "date": versions[at][:10], "name": "Testing"}
		}
	}
	return said
}

func (m *Mirror) repository(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	items := []map[string]any{}
	for _, release := range m.releases {
		if !slices.Contains(r.PostForm["ext[]"], release.ID()) {
			continue
		}
		item := map[string]any{
			"plugin": release.ID(), "name": release.Base, "author": "Example Works", "lastupdate": string(release.Version),
			"downloadurl": "http://" + r.Host + "/package/" + release.Base + ".zip", "securityissue": "", "securitywarning": nil, "tags": []string{},
			"depends": []string{}, "conflicts": []string{}, "bundled": false,
		}
		if m.without[release.ID()] {
			item["downloadurl"] = ""
		}
		for key, value := range m.extra[release.ID()] {
			item[key] = value
		}
		items = append(items, item)
	}
	write(w, items)
}

func (m *Mirror) core(w http.ResponseWriter, r *http.Request, version string) {
	file, ok := m.cores[version]
	if !ok {
		http.NotFound(w, r)
		return
	}
	text, err := os.ReadFile(file)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	_, _ = w.Write(text) // whoever hung up needs no answer
}

func (m *Mirror) extension(w http.ResponseWriter, base string) {
	for _, release := range m.releases {
		if release.Base != base {
			continue
		}
		text, err := release.Package()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(text) // whoever hung up needs no answer
		return
	}
	http.Error(w, "no such package", http.StatusNotFound)
}

func write(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value) // whoever hung up needs no answer
}
