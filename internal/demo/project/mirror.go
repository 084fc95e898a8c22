package project

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"upkeep"
)

// Mirror answers as drupal.org: release histories and packages. It is safe for
// concurrent use.
type Mirror struct {
	mu       sync.Mutex
	projects map[string][]published // newest first
}

// published is a release with its package: a file or what is in memory.
type published struct {
	version string
	file    string
	text    []byte
}

// NewMirror returns a mirror that knows no project.
func NewMirror() *Mirror { return &Mirror{projects: map[string][]published{}} }

// AddCore offers a release of Drupal, newer than those before.
func (m *Mirror) AddCore(version upkeep.Version, file string) {
	m.add("drupal", published{version: string(version), file: file})
}

// Add offers a release of a module, newer than those before.
func (m *Mirror) Add(release Release) error {
	text, err := release.Package()
	if err == nil {
		m.add(release.Module, published{version: string(release.Version), text: text})
	}
	return err
}

func (m *Mirror) add(project string, p published) {
	m.mu.Lock()
	defer m.mu.Unlock()
	others := slices.DeleteFunc(m.projects[project], func(other published) bool { return other.version == p.version })
	m.projects[project] = append([]published{p}, others...)
}

// ServeHTTP answers one request.
func (m *Mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	parts := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	if len(parts) == 2 && parts[0] == "files" {
		m.pack(w, r, strings.TrimSuffix(path.Base(parts[1]), ".tar.gz"))
		return
	}
	if len(parts) != 2 || m.projects[parts[0]] == nil {
		fmt.Fprint(w, `<?xml version="1.0" encoding="utf-8"?>`+"\n<error>No release history was found for the requested project.</error>\n")
		return
	}
	m.history(w, r, parts[0], parts[1] == "7.x")
}

// history writes the releases of a project in the form that a generation reads.
func (m *Mirror) history(w http.ResponseWriter, r *http.Request, project string, legacy bool) {
	type term struct {
		Name  string `xml:"name"`
		Value string `xml:"value"`
	}
	type release struct {
		Name     string `xml:"name"`
		Version  string `xml:"version"`
		Status   string `xml:"status"`
		Link     string `xml:"release_link"`
		Download string `xml:"download_link"`
		Date     string `xml:"date"`
		Terms    []term `xml:"terms>term"`
	}
	var all struct {
		XMLName   xml.Name  `xml:"project"`
		Title     string    `xml:"title"`
		Short     string    `xml:"short_name"`
		Status    string    `xml:"project_status"`
		Branches  string    `xml:"supported_branches"`
		Supported string    `xml:"supported_majors,omitempty"`
		Releases  []release `xml:"releases>release"`
	}
	all.Title, all.Short, all.Status = project, project, "published"
	for i, p := range m.projects[project] {
		bare := strings.TrimPrefix(p.version, "7.x-")
		major, _, _ := strings.Cut(bare, ".")
		all.Branches = strings.TrimSuffix(p.version, bare) + major + "."
		if legacy {
			all.Supported = major
		}
		all.Releases = append(all.Releases, release{
			Name: project + " " + p.version, Version: p.version, Status: "published", Link: "http://" + r.Host + "/release/" + p.version,
			Download: "http://" + r.Host + "/files/" + project + "-" + p.version + ".tar.gz", Date: fmt.Sprint(1700000000 - i), Terms: []term{{"Release type", "Bug fixes"}},
		})
	}
	_ = xml.NewEncoder(w).Encode(all) // whoever hung up needs no answer
}

func (m *Mirror) pack(w http.ResponseWriter, r *http.Request, name string) {
	project, version, _ := strings.Cut(name, "-")
	for _, p := range m.projects[project] {
		if p.version != version {
			continue
		}
		if p.file == "" {
			_, _ = w.Write(p.text) // whoever hung up needs no answer
			return
		}
		f, err := os.Open(p.file)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		defer f.Close()
		if info, err := f.Stat(); err == nil {
			http.ServeContent(w, r, name+".tar.gz", info.ModTime(), f)
		}
		return
	}
	http.NotFound(w, r)
}
