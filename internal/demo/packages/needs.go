package packages

import (
	"os/exec"
	"path/filepath"
)

// Need is something that must be on the machine, and the Debian package that
// brings it.
type Need struct {
	Package string
	Why     string
	Tests   bool // only the tests need it, not a demonstration

	program string // looked for in PATH and where Debian keeps servers; "" for a file
	file    string // a file that the package brings
}

// npm is the package that newer WordPress releases are fetched with.
const npm = "npm"

func needs() []Need {
	return []Need{
		{program: "mariadbd", Package: "mariadb-server", Why: "the database of the demo's sites"},
		{program: "mariadb-dump", Package: "mariadb-client", Why: "the referee of our own dumps", Tests: true},
		{file: "/usr/lib/postgresql/*/bin/initdb", Package: "postgresql", Why: "sites on PostgreSQL, and the referee of their dumps", Tests: true},
		{program: "sqlite3", Package: "sqlite3", Why: "the referee of our own SQLite dumps", Tests: true},
		{program: "php", Package: "php-cli", Why: "runs the sites' own upgrade code"},
		{file: "/usr/sbin/php-fpm*", Package: "php-fpm", Why: "runs the demo's sites"},
		{file: "/etc/php/*/cli/conf.d/*mysqli.ini", Package: "php-mysql", Why: "WordPress talks to its database through it"},
		{file: "/etc/php/*/cli/conf.d/*-xml.ini", Package: "php-xml", Why: "WordPress feeds"},
		{file: "/etc/php/*/cli/conf.d/*mbstring.ini", Package: "php-mbstring", Why: "WordPress text"},
		{file: "/etc/php/*/cli/conf.d/*curl.ini", Package: "php-curl", Why: "WordPress calls itself and its feeds"},
		{file: "/etc/php/*/cli/conf.d/*zip.ini", Package: "php-zip", Why: "WordPress unpacks updates with it"},
		{file: "/etc/php/*/cli/conf.d/*gd.ini", Package: "php-gd", Why: "WordPress scales images with it"},
		{file: "/etc/php/*/cli/conf.d/*intl.ini", Package: "php-intl", Why: "MediaWiki text", Tests: true},
		{file: "/etc/php/*/cli/conf.d/*pdo_sqlite.ini", Package: "php-sqlite3", Why: "MediaWiki on SQLite", Tests: true},
		{file: "/etc/php/*/cli/conf.d/*pdo_pgsql.ini", Package: "php-pgsql", Why: "MediaWiki on PostgreSQL", Tests: true},
		{program: "composer", Package: "composer", Why: "puts Drupal together", Tests: true},
		{program: "patch", Package: "patch", Why: "applies what Upkeep proposes for a project", Tests: true},
		{program: "nginx", Package: "nginx-light", Why: "serves the demo's sites"},
		{program: "restic", Package: "restic", Why: "the referee of our backups", Tests: true},
		{program: "sshd", Package: "openssh-server", Why: "the host that tests reach, on loopback; it is not started as a service", Tests: true},
		{program: "ssh", Package: "openssh-client", Why: "says what ssh's configuration means", Tests: true},
		{program: "sudo", Package: "sudo", Why: "a login of that host becomes root by it", Tests: true},
		{program: "npm", Package: npm, Why: "fetches WordPress releases newer than Debian's, and what the pages are made with"},
		{program: "chromium", Package: "chromium", Why: "opens the pages of the console in the tests", Tests: true},
		{program: "zstd", Package: "zstd", Why: "the careful script that make bench compares with", Tests: true},
		{program: "curl", Package: "curl", Why: "the same", Tests: true},
		{program: "chromium", Package: "chromium", Why: "opens the pages as people do", Tests: true},
		{program: "dpkg-deb", Package: "dpkg", Why: "unpacks Debian's WordPress"},
	}
}

// Missing returns what is not on this machine.
func Missing() []Need {
	var missing []Need
	for _, n := range needs() {
		if !n.met() {
			missing = append(missing, n)
		}
	}
	return missing
}

// MissingToPlay returns the Debian packages that a demonstration lacks here,
// fetched saying that it has its WordPress releases already.
func MissingToPlay(fetched bool) []string {
	var names []string
	for _, n := range Missing() {
		if !n.Tests && !(fetched && n.Package == npm) {
			names = append(names, n.Package)
		}
	}
	return names
}

func (n Need) met() bool {
	if n.file != "" {
		found, err := filepath.Glob(n.file)
		return err == nil && len(found) > 0
	}
	for _, dir := range []string{"", "/usr/sbin/", "/sbin/"} {
		if _, err := exec.LookPath(dir + n.program); err == nil {
			return true
		}
	}
	return false
}
