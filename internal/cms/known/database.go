package known

import (
	"net/url"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
)

// database returns how to reach the application's database, nil where it has
// none. CodeInvalid when the configuration does not say, or when it is one
// that cannot be backed up.
func (s *scene) database(f *found) (*cms.Database, error) {
	if f == nil {
		return nil, nil
	}
	k := f.from.Keys
	db := &cms.Database{
		Host: f.get(k.Host), Socket: f.get(k.Socket), User: f.get(k.User), Password: f.get(k.Password), Name: f.get(k.Name), Prefix: f.get(k.Prefix),
	}
	driver := f.get(k.Driver)
	db.Port, _ = strconv.Atoi(f.get(k.Port)) // 0 is the default
	if address := f.get(k.URL); address != "" && !fromURL(db, &driver, address) {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the address of the database cannot be read").
			WithHint("Write it as mysql://user:password@host:port/name.")
	}
	if db.Engine = engineOf(driver); db.Engine == "" {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the site keeps its data in %s", driver).
			WithHint("Only sites on MariaDB, MySQL, PostgreSQL or SQLite can be backed up.")
	}
	if db.Engine == "sqlite" {
		return s.sqlite(f, db)
	}
	splitHost(db)
	if db.Name == "" || db.Port < 0 || db.Port > 65535 {
		return nil, s.unnamed()
	}
	return db, nil
}

// unnamed is nil for an application that may well have no database.
func (s *scene) unnamed() error {
	if s.app.find != nil {
		return nil
	}
	return upkeep.Errorf(upkeep.CodeInvalid, "the configuration of %s names no database", s.app.Name).
		WithHint("Finish the installation of the application first.")
}

// engineOf is the engine that an application calls driver, "" for one that is
// not spoken.
func engineOf(driver string) string {
	driver = strings.ToLower(driver)
	for _, known := range [...][2]string{
		{"mysql", "mariadb"}, {"maria", "mariadb"}, {"pgsql", "postgresql"}, {"postgre", "postgresql"}, {"sqlite", "sqlite"},
	} {
		if strings.Contains(driver, known[0]) {
			return known[1]
		}
	}
	if driver == "" {
		return "mariadb"
	}
	return ""
}

// sqlite says where the file is.
func (s *scene) sqlite(f *found, db *cms.Database) (*cms.Database, error) {
	file := db.Name
	if template := f.from.Keys.File; template != "" {
		file = template
		for _, path := range references(template) {
			file = strings.ReplaceAll(file, "{"+path+"}", f.get(path))
		}
	}
	if file == "" {
		return nil, s.unnamed()
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(s.root, file)
	}
	resolved, err := filepath.EvalSymlinks(file)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "no database %s", file).WithHint("Finish the installation of the application first.")
	}
	return &cms.Database{Engine: "sqlite", Name: resolved, File: resolved, Prefix: db.Prefix}, nil
}

var hostPort = regexp.MustCompile(`^([^:/\[\]]*):(\d+)$`)

// splitHost takes apart "host:port", "host:/socket" and "[::1]:port". PHP's
// client takes a socket for this machine only, under its one name.
func splitHost(db *cms.Database) {
	db.Host = strings.TrimPrefix(db.Host, "unix_socket:")
	if host, socket, ok := strings.Cut(db.Host, ":/"); ok && !strings.Contains(host, "/") {
		db.Host, db.Socket = host, "/"+socket
	}
	if strings.HasPrefix(db.Host, "/") { // the folder of PostgreSQL's socket, or a socket of MariaDB
		if db.Engine != "postgresql" {
			db.Host, db.Socket = "", db.Host
		}
	}
	if match := hostPort.FindStringSubmatch(db.Host); match != nil {
		db.Host = match[1]
		db.Port, _ = strconv.Atoi(match[2])
	}
	if address, port, ok := strings.Cut(strings.TrimPrefix(db.Host, "["), "]"); ok {
		db.Host = address
		if n, err := strconv.Atoi(strings.TrimPrefix(port, ":")); err == nil {
			db.Port = n
		}
	}
	if db.Host != "" && !strings.EqualFold(db.Host, "localhost") && db.Engine == "mariadb" {
		db.Socket = ""
	}
}

// fromURL reads scheme://user:password@host:port/name, or a DSN of PDO:
// scheme:host=…;port=…;dbname=….
func fromURL(db *cms.Database, driver *string, address string) bool {
	scheme, rest, ok := strings.Cut(address, ":")
	if !ok {
		return false
	}
	*driver = scheme
	if !strings.HasPrefix(rest, "//") {
		for pair := range strings.SplitSeq(rest, ";") {
			name, value, _ := strings.Cut(pair, "=")
			switch strings.ToLower(strings.TrimSpace(name)) {
			case "host":
				db.Host = value
			case "port":
				db.Port, _ = strconv.Atoi(value)
			case "dbname":
				db.Name = value
			case "unix_socket":
				db.Socket = value
			case "user":
				db.User = value
			case "password":
				db.Password = value
			}
		}
		if engineOf(scheme) == "sqlite" {
			db.Name = rest
		}
		return true
	}
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	db.Name = strings.TrimPrefix(u.Path, "/")
	if engineOf(scheme) == "sqlite" { // sqlite:///srv/x.db
		db.Name = u.Path
	}
	db.Host, db.User = u.Hostname(), u.User.Username()
	db.Password, _ = u.User.Password()
	db.Port, _ = strconv.Atoi(u.Port())
	if socket := u.Query().Get("unix_socket"); socket != "" {
		db.Socket = socket
	}
	return true
}
