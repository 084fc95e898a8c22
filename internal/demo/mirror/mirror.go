// Package mirror is a small wordpress.org: it answers WordPress's update
// checks, and ours, from the packages in a folder, in the real wire format. It
// serves the demo and the tests, which can make it misbehave.
//
// What it offers is read from inside the packages; nothing is configured
// twice. Translations are the exception: they stand below the folder as they
// do at wordpress.org, "plugin/akismet/5.3.3/fr_FR.zip" or
// "core/6.8.3/fr_FR.zip".
package mirror

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"upkeep"
)

// Options say what a mirror offers.
type Options struct {
	// Dir is walked for packages; unpacked WordPress trees in it are passed
	// over. "" starts empty.
	Dir string
	// Compare is WordPress's order of versions.
	Compare func(a, b upkeep.Version) int
	// URL is how clients reach the mirror, for the addresses of packages;
	// "" takes it from each request.
	URL string
}

// Mirror answers as api.wordpress.org and downloads.wordpress.org at once. It
// is safe for concurrent use.
type Mirror struct {
	options Options
	mux     *http.ServeMux

	mu       sync.Mutex
	packages []*offered
	closed   map[string]string // slug → reason
	withheld map[string]bool   // slugs offered without a package
	faults   []*Fault
	requests map[string]int // by path
}

// Fault is one way to misbehave. Its parts combine.
type Fault struct {
	Path   string        // prefix of the paths it strikes: "/plugin/akismet"
	Times  int           // requests it strikes; 0 strikes all
	Delay  time.Duration // silence before the answer
	Status int           // answered in place of what was asked for
	Body   string        // the same, with status 200 unless Status says otherwise
	Cut    int64         // bytes of the body after which the connection breaks; -1 at once

	Corrupt bool // a byte in the middle of a package is another, and nothing tells

	struck int
}

// New returns a mirror of the packages in Options.Dir.
func New(o Options) (_ *Mirror, err error) {
	defer upkeep.Wrap(&err, "mirror %s", o.Dir)
	m := &Mirror{options: o, closed: make(map[string]string), withheld: make(map[string]bool), requests: make(map[string]int)}
	m.mux = m.routes()
	if o.Dir == "" {
		return m, nil
	}
	err = filepath.WalkDir(o.Dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if _, err := os.Stat(filepath.Join(path, "wp-load.php")); err == nil {
				return fs.SkipDir
			}
			return nil
		}
		if strings.HasSuffix(path, ".zip") && entry.Type().IsRegular() {
			return m.Add(path)
		}
		return nil
	})
	return m, err
}

// Add offers one more package. CodeRefused when the zip is none that
// WordPress could install.
func (m *Mirror) Add(path string) error {
	found, err := read(path)
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.packages = append(m.packages, found...)
	return nil
}

// Close withdraws a plugin, with the reason shown to whoever asks.
func (m *Mirror) Close(slug, reason string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed[slug] = reason
}

// Withhold offers the slug's releases without a package, as vendors do when a
// licence expired.
func (m *Mirror) Withhold(slug string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.withheld[slug] = true
}

// Break adds a fault, which goes before those there are.
func (m *Mirror) Break(f Fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = slices.Insert(m.faults, 0, &f)
}

// Heal takes all faults away; what is closed or withheld stays so.
func (m *Mirror) Heal() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.faults = nil
}

// Requests returns how often each path was asked for.
func (m *Mirror) Requests() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.requests)
}

// ServeHTTP answers one request, as well as the faults let it.
func (m *Mirror) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	fault := m.strike(r.URL.Path)
	if fault.Delay > 0 {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	if fault.Cut != 0 {
		w = &cutting{ResponseWriter: w, left: max(0, fault.Cut)}
	}
	if fault.Status != 0 || fault.Body != "" {
		w.Header().Set("Content-Type", "text/html; charset=UTF-8")
		w.WriteHeader(cmp.Or(fault.Status, http.StatusOK))
		_, _ = io.WriteString(w, fault.Body) // whoever hung up needs no answer
		return
	}
	if pkg := m.packageAt(r.URL.Path); pkg != nil {
		m.servePackage(w, r, pkg, fault.Corrupt)
		return
	}
	m.mux.ServeHTTP(w, r)
}

// strike counts a request and returns the fault that it meets.
func (m *Mirror) strike(path string) Fault {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.requests[path]++
	for _, fault := range m.faults {
		if strings.HasPrefix(path, fault.Path) && (fault.Times == 0 || fault.struck < fault.Times) {
			fault.struck++
			return *fault
		}
	}
	return Fault{}
}

// cutting breaks the connection after so many bytes of the body.
type cutting struct {
	http.ResponseWriter
	left int64
}

// Write passes on what the fault lets through.
func (c *cutting) Write(p []byte) (int, error) {
	if int64(len(p)) <= c.left {
		c.left -= int64(len(p))
		return c.ResponseWriter.Write(p)
	}
	_, _ = c.ResponseWriter.Write(p[:c.left])
	_ = http.NewResponseController(c.ResponseWriter).Flush()
	panic(http.ErrAbortHandler) // the server's own way to break a connection
}

// servePackage sends a package, or part of it, as a real download server does.
func (m *Mirror) servePackage(w http.ResponseWriter, r *http.Request, pkg *offered, corrupt bool) {
	f, err := os.Open(pkg.file)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	defer f.Close()
	content, modified := io.ReadSeeker(f), time.Time{}
	if info, err := f.Stat(); err == nil {
		modified = info.ModTime()
	}
	if corrupt {
		whole, err := io.ReadAll(f)
		if err != nil || len(whole) == 0 {
			http.Error(w, "nothing to corrupt", http.StatusInternalServerError)
			return
		}
		whole[len(whole)/2] ^= 0xff
		content = bytes.NewReader(whole)
	}
	w.Header().Set("ETag", `"`+pkg.sum+`"`)
	w.Header().Set("Content-Type", "application/zip")
	http.ServeContent(w, r, pkg.file, modified, content)
}

// packageAt returns the package that a path stands for, or nil.
func (m *Mirror) packageAt(path string) *offered {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, pkg := range m.packages {
		if pkg.path() == path {
			return pkg
		}
	}
	return nil
}

// base is the address that packages are offered under.
func (m *Mirror) base(r *http.Request) string {
	return cmp.Or(m.options.URL, "http://"+r.Host)
}

// object is a JSON object that PHP writes as [] when it is empty.
type object map[string]any

// MarshalJSON writes the object as PHP does.
func (o object) MarshalJSON() ([]byte, error) {
	if len(o) == 0 {
		return []byte("[]"), nil
	}
	return json.Marshal(map[string]any(o))
}

func reply(w http.ResponseWriter, status int, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=UTF-8")
	w.WriteHeader(status)
	_, _ = w.Write(body) // whoever hung up needs no answer
}
