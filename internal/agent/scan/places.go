package scan

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/agent/scan/vhost"
)

// usual are the folders that applications are in where no web server's
// configuration says so: those of distributions, cPanel, Plesk, DirectAdmin,
// ISPConfig, Hestia and habit.
func usual() []string {
	return []string{
		"/var/www", "/srv", "/usr/share/nginx/html", "/usr/local/www", "/usr/local/apache2/htdocs", "/opt/bitnami",
		"/home/*/public_html", "/home/*/www", "/home/*/htdocs", "/home/*/html", "/home/*/httpdocs", "/home/*/sites", "/home/*/web",
		"/home/*/domains", "/home/*/subdomains", "/home/*/apps", "/home[0-9]/*/public_html",
	}
}

// fronts are the names of folders that visitors see of an application above.
func fronts() []string {
	return []string{"public", "web", "docroot", "pub", "htdocs", "html", "webroot"}
}

// starts are the folders to begin with, without links. Paths that are named
// must be there: CodeNotFound otherwise.
func (s *Scanner) starts(req Request, vhosts []vhost.Vhost, scan *upkeep.Scan) ([]Start, error) {
	var places []string
	for _, path := range req.Paths {
		real := resolved(path)
		if real == "" {
			return nil, upkeep.Errorf(upkeep.CodeNotFound, "no folder %s", path).WithHint("Name a folder of the host itself.")
		}
		places = append(places, real)
	}
	if len(req.Paths) == 0 {
		places = s.everywhere(vhosts)
	}
	slices.Sort(places)
	places = slices.Compact(places)
	for _, place := range places { // the outermost of each
		if n := len(scan.Places); n == 0 || !within(place, scan.Places[n-1]) {
			scan.Places = append(scan.Places, place)
		}
	}
	var starts []Start
	for _, place := range places {
		starts = append(starts, Start{Dir: place})
	}
	for _, root := range req.Known {
		real, err := filepath.EvalSymlinks(root)
		if errors.Is(err, fs.ErrPermission) { // which says nothing of what is there
			scan.Cut = append(scan.Cut, upkeep.Cut{Path: root, Why: upkeep.CutUnreadable})
		} else if real == root && !slices.Contains(places, root) {
			starts = append(starts, Start{Dir: root, Only: true})
		}
	}
	return starts, nil
}

func (s *Scanner) everywhere(vhosts []vhost.Vhost) []string {
	var places []string
	add := func(dir string) {
		if real := resolved(dir); real != "" && real != "/" {
			places = append(places, real)
		}
	}
	for _, pattern := range usual() {
		dirs, _ := filepath.Glob(s.Base + pattern) // the patterns are ours
		for _, dir := range dirs {
			add(dir)
		}
	}
	for _, v := range vhosts {
		add(s.Base + v.Root)
		if slices.Contains(fronts(), filepath.Base(v.Root)) && strings.Count(v.Root, "/") > 2 {
			add(s.Base + filepath.Dir(v.Root))
		}
	}
	return places
}

// addressed knows which folder is answered from at which addresses.
type addressed map[string][]string

func addresses(base string, vhosts []vhost.Vhost) addressed {
	at := addressed{}
	for _, v := range vhosts {
		if real := resolved(base + v.Root); real != "" && v.URL != "" && !slices.Contains(at[real], v.URL) {
			at[real] = append(at[real], v.URL)
		}
	}
	for dir, urls := range at { // what is answered by https, too, is only sent there
		at[dir] = slices.DeleteFunc(urls, func(url string) bool {
			rest, plain := strings.CutPrefix(url, "http://")
			return plain && slices.Contains(urls, "https://"+rest)
		})
	}
	return at
}

// of returns the addresses of the application at root: those of its folder, of
// the front below it, or those of the nearest folder above with the way from
// there.
func (at addressed) of(root string) []string {
	urls := slices.Clone(at[root])
	for _, front := range fronts() {
		urls = append(urls, at[filepath.Join(root, front)]...)
	}
	for dir := root; len(urls) == 0 && dir != "/" && dir != "."; dir = filepath.Dir(dir) {
		for _, url := range at[dir] {
			urls = append(urls, url+strings.TrimPrefix(root, dir))
		}
		if name := domainOf(dir); len(urls) == 0 && name != "" {
			urls = append(urls, "http://"+name+strings.TrimPrefix(root, dir))
		}
	}
	return urls
}

// domainOf is the domain that a folder of Plesk's, DirectAdmin's or Hestia's is
// for, "" for any other.
func domainOf(dir string) string {
	domain := filepath.Dir(dir)
	name, above := filepath.Base(domain), filepath.Base(filepath.Dir(domain))
	shown := []string{"httpdocs", "public_html"}
	if slices.Contains(shown, filepath.Base(dir)) && slices.Contains([]string{"vhosts", "domains", "web"}, above) && strings.Contains(name, ".") {
		return strings.ToLower(name)
	}
	return ""
}
