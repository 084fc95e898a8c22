// Package vhost reads which folders a web server answers from, and at which
// addresses: the configurations of nginx and Apache, as files. Neither is
// asked, nor need it run. Everything is bounded: what cannot be read is left
// out.
package vhost

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Vhost is a folder that is answered from.
type Vhost struct {
	URL  string // without a slash at its end: "https://shop.test", "http://shop.test/blog"; "" where no name is said
	Root string // absolute, as the configuration writes it
}

// Bounds of what is read.
const (
	maxFile   = 32 << 20
	maxFiles  = 20_000
	maxNested = 16 // includes in includes
	maxVhosts = 100_000
)

// Read returns the vhosts of the servers whose configuration is where they are
// installed by distributions, cPanel, Plesk and DirectAdmin. base is "" but
// for tests: the folder that stands for the machine's.
func Read(base string) []Vhost {
	r := &reader{base: base}
	for _, file := range []string{"/etc/nginx/nginx.conf", "/usr/local/nginx/conf/nginx.conf", "/usr/local/openresty/nginx/conf/nginx.conf"} {
		r.readNginx(file)
	}
	for _, file := range []string{
		"/etc/apache2/apache2.conf", "/etc/httpd/conf/httpd.conf",
		"/etc/apache2/conf/httpd.conf", "/usr/local/apache/conf/httpd.conf", "/usr/local/apache2/conf/httpd.conf",
	} {
		r.readApache(file)
	}
	return r.found
}

// reader is what both readers share.
type reader struct {
	base  string
	files int
	found []Vhost
}

// text returns a file of the configuration, "" where it cannot be read.
func (r *reader) text(file string) string {
	if r.files++; r.files > maxFiles {
		return ""
	}
	// A pipe in the place of a file must not keep us waiting for its other end.
	f, err := os.OpenFile(r.base+file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		return ""
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return ""
	}
	return string(text)
}

// glob returns the files that an include names, in order.
func (r *reader) glob(dir, pattern string) []string {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(dir, pattern)
	}
	paths, err := filepath.Glob(r.base + pattern)
	if err != nil {
		return nil
	}
	slices.Sort(paths)
	for i := range paths {
		paths[i] = strings.TrimPrefix(paths[i], r.base)
	}
	return paths
}

func (r *reader) add(v Vhost) {
	if filepath.IsAbs(v.Root) && len(r.found) < maxVhosts && !slices.Contains(r.found[max(0, len(r.found)-8):], v) {
		v.Root = filepath.Clean(v.Root)
		r.found = append(r.found, v)
	}
}

// address is where visitors find a name, for the ports that are listened on.
// Only of a server that listens on none of the usual ones is a port said.
func address(name string, ports []string, secure bool) string {
	name = strings.ToLower(strings.TrimPrefix(name, "."))
	if name == "" || name == "_" || strings.ContainsAny(name, "*~$%/ \"'") {
		return ""
	}
	scheme, usual := "http://", "80"
	if secure || slices.Contains(ports, "443") {
		scheme, usual = "https://", "443"
	}
	if len(ports) == 0 || slices.Contains(ports, usual) {
		return scheme + name
	}
	return scheme + name + ":" + ports[0]
}

// portOf is the port of "80", "*:80", "[::]:80" or "unix:…".
func portOf(at string) string {
	at = strings.Trim(at, `"`)
	if i := strings.LastIndexByte(at, ':'); i >= 0 && !strings.HasSuffix(at, "]") {
		at = at[i+1:]
	}
	if at == "" || strings.Trim(at, "0123456789") != "" {
		return ""
	}
	return at
}
