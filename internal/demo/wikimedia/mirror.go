package wikimedia

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"

	"upkeep"
)

// Mirror answers as Wikimedia: the folders of the download server, below
// /releases, what ExtensionDistributor has, at /api, and the packages. It is
// safe for concurrent use.
type Mirror struct {
	mu        sync.Mutex
	cores     map[string]string // version → file
	snapshots []Snapshot
	requests  map[string]int
	down      bool
}

// NewMirror returns a mirror that offers nothing.
func NewMirror() *Mirror { return &Mirror{cores: map[string]string{}, requests: map[string]int{}} }

// AddCore offers the package of a MediaWiki.
func (m *Mirror) AddCore(version upkeep.Version, file string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cores[string(version)] = file
}

// Add offers a snapshot; the last of a branch counts.
func (m *Mirror) Add(s Snapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.snapshots = append(slices.DeleteFunc(m.snapshots, func(o Snapshot) bool { return o.Name == s.Name && o.Branch == s.Branch }), s)
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
	parts := strings.Split(strings.TrimPrefix(r.URL.Path, "/"), "/")
	switch {
	case m.down:
		http.Error(w, "down", http.StatusServiceUnavailable)
	case r.URL.Path == "/api":
		m.archives(w, r)
	case parts[0] == "dist":
		m.archive(w, path.Base(r.URL.Path))
	case r.URL.Path == "/releases/":
		m.folder(w, "", func(version string) string { return branchOf(version) + "/" })
	case parts[0] == "releases" && len(parts) == 3 && parts[2] == "":
		m.folder(w, parts[1], func(version string) string { return "mediawiki-" + version + ".tar.gz" })
	case parts[0] == "releases" && len(parts) == 3:
		version := strings.TrimSuffix(strings.TrimPrefix(parts[2], "mediawiki-"), ".tar.gz")
		if file := m.cores[version]; file != "" {
			http.ServeFile(w, r, file)
			return
		}
		http.NotFound(w, r)
	default:
		http.NotFound(w, r)
	}
}

func branchOf(version string) string {
	parts := strings.SplitN(version, ".", 3)
	return strings.Join(parts[:min(2, len(parts))], ".")
}

// folder lists links as the download server does; branch "" lists branches.
func (m *Mirror) folder(w http.ResponseWriter, branch string, link func(version string) string) {
	fmt.Fprint(w, "<html><body><pre><a href=\"../\">../</a>\n<a href=\"snapshot/\">snapshot/</a>\n")
	for version := range m.cores {
		if branch == "" || branchOf(version) == branch {
			fmt.Fprintf(w, "<a href=\"%[1]s\">%[1]s</a>\n<a href=\"%[1]s.sig\">%[1]s.sig</a>\n", link(version))
		}
	}
	fmt.Fprint(w, "</pre></body></html>")
}

func (m *Mirror) archives(w http.ResponseWriter, r *http.Request) {
	found := map[string]map[string]string{}
	for _, name := range strings.Split(r.FormValue("edbexts"), "|") {
		for _, s := range m.snapshots {
			if s.Name != name {
				continue
			}
			if found[name] == nil {
				found[name] = map[string]string{"source": "https://gerrit.example/" + name}
			}
			found[name][s.ref()] = "http://" + r.Host + "/dist/extensions/" + s.archive()
		}
	}
	var extensions any = found
	if len(found) == 0 {
		extensions = []string{} // as PHP writes nothing
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"query": map[string]any{"extdistbranches": map[string]any{"extensions": extensions}}}) // whoever hung up needs no answer
}

// archive is the name of the snapshot's file.
func (s Snapshot) archive() string { return s.Name + "-" + s.ref() + "-" + s.Revision() + ".tar.gz" }

func (m *Mirror) archive(w http.ResponseWriter, name string) {
	for _, s := range m.snapshots {
		if s.archive() != name {
			continue
		}
		text, err := s.Package()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		_, _ = w.Write(text) // whoever hung up needs no answer
		return
	}
	http.Error(w, "no such archive", http.StatusNotFound)
}
