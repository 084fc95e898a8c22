// Package postgres dumps, identifies, restores and watches the PostgreSQL
// database of one site, without PostgreSQL's own programs.
//
// Definitions are read from the server's catalogues, in an order in which they
// can be made again; what this package does not know how to make again is an
// error that names it. Rows are read in key order as COPY writes them, cut into
// segments where the keys say so. A restore is one transaction, that replaces
// only what differs: it is done, or it never began.
package postgres

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"upkeep"
	"upkeep/internal/agent/database/postgres/sqlstate"
	"upkeep/internal/cms"
)

// oldest is the first version whose catalogues are read here.
const oldest = 13

// DB is a site's database. One connection is kept between questions; nothing
// else is held open between two calls.
type DB struct {
	site cms.Database
	now  upkeep.Clock
	kept chan *session // the connection, when no question has it
}

// New names the database; no connection is made.
func New(site cms.Database) *DB { return &DB{site, time.Now, make(chan *session, 1)} }

// Of is the same database, by the same connection, with the schema, the prefix
// and the neighbours of site: what of it is the site's.
func (db *DB) Of(site cms.Database) *DB { return &DB{site, db.now, db.kept} }

// CountRows counts the rows of every table, by its name in manifests, all of
// them whatever is enough.
func (db *DB) CountRows(ctx context.Context, _ map[string]int64) (_ map[string]int64, err error) {
	defer upkeep.Wrap(&err, "count rows of %s", db.site.Name)
	defer func() { err = sqlstate.Translate(ctx, err) }()
	s, err := db.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer s.close()
	rows, err := s.table(ctx, "SELECT format('%I.%I', n.nspname, c.relname), c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND "+
		db.schemas()+" AND "+notOfExtension("pg_class", "c"))
	if err != nil {
		return nil, err
	}
	counts := map[string]int64{}
	for _, row := range rows {
		if !db.site.Has(row[1]) {
			continue
		}
		count, err := s.table(ctx, "SELECT count(*) FROM ONLY "+row[0])
		if err != nil {
			return nil, err
		}
		if counts[row[0]], err = strconv.ParseInt(count[0][0], 10, 64); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

// schemas is the condition that a schema n is the site's.
func (db *DB) schemas() string {
	condition := "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
	if db.site.Schema != "" {
		condition += " AND n.nspname = " + literal(db.site.Schema)
	}
	return condition
}

// notOfExtension is the condition that a row of a catalogue is not something
// that an extension brought.
func notOfExtension(catalogue, alias string) string {
	return "NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = '" + catalogue + "'::regclass AND e.objid = " + alias + ".oid AND e.deptype = 'e')"
}

// session is one connection with known settings.
type session struct{ *pgconn.PgConn }

// settings make every reading and writing independent of the server's and the
// account's configuration: names are written with their schema, bytes pass
// unconverted, times are UTC, numbers have all their digits.
const settings = `SELECT pg_catalog.set_config('search_path', '', false);
SELECT pg_catalog.set_config('client_encoding', pg_catalog.current_setting('server_encoding'), false);
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';
SET extra_float_digits = 3;
SET bytea_output = 'hex';
SET lc_monetary = 'C';
SET xmloption = content;
SET standard_conforming_strings = on;
SET row_security = off;
SET check_function_bodies = off;
SET synchronize_seqscans = off;
SET statement_timeout = 0;
SET lock_timeout = 10000;
SET idle_in_transaction_session_timeout = 0;
SET default_tablespace = '';
SET default_transaction_read_only = off;
SET client_min_messages = warning;
`

// connect opens a connection with our settings.
func (db *DB) connect(ctx context.Context) (*session, error) {
	s, err := db.dial(ctx, "upkeep")
	if err != nil {
		return nil, err
	}
	if err := s.exec(ctx, settings); err != nil {
		s.close()
		return nil, sqlstate.Translate(ctx, err)
	}
	return s, nil
}

// dial opens a connection, which says what it is for. CodeUnreachable when no server answers,
// CodeUnauthorized when it refuses the account, CodeNotFound when it has no such
// database, CodeInvalid for a server that is too old; each with a hint.
func (db *DB) dial(ctx context.Context, purpose string) (_ *session, err error) {
	defer func() { err = sqlstate.Translate(ctx, err) }()
	config, err := pgconn.ParseConfig("sslmode=prefer connect_timeout=10 user=upkeep host=localhost")
	if err != nil {
		return nil, err
	}
	host, port := address(&db.site)
	config.Host, config.Port, config.User, config.Password, config.Database = host, port, db.site.User, db.site.Password, db.site.Name
	config.RuntimeParams = map[string]string{"application_name": purpose, "client_encoding": "UTF8"}
	if strings.HasPrefix(host, "/") {
		config.TLSConfig, config.Fallbacks = nil, nil
	}
	for _, f := range config.Fallbacks {
		f.Host, f.Port = host, port
	}
	if config.TLSConfig != nil {
		config.TLSConfig.ServerName = host
	}
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s := &session{conn}
	if major, _, _ := strings.Cut(conn.ParameterStatus("server_version"), "."); len(major) < 2 || major < strconv.Itoa(oldest) {
		s.close()
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the server is PostgreSQL %s", conn.ParameterStatus("server_version")).
			WithHint("PostgreSQL %d or newer is needed.", oldest)
	}
	return s, nil
}

// address returns where the server listens: a folder with its socket, or a host.
func address(site *cms.Database) (host string, port uint16) {
	if port = uint16(site.Port); port == 0 {
		port = 5432
	}
	socket := "/.s.PGSQL." + strconv.Itoa(int(port))
	for _, dir := range []string{strings.TrimSuffix(site.Socket, socket), site.Host} {
		if strings.HasPrefix(dir, "/") {
			return dir, port
		}
	}
	if site.Host != "" {
		return site.Host, port
	}
	for _, dir := range []string{"/run/postgresql", "/tmp"} {
		if info, err := os.Stat(filepath.Join(dir, socket)); err == nil && info.Mode()&os.ModeSocket != 0 {
			return dir, port
		}
	}
	return "localhost", port
}

// close ends the connection and what is open in it.
func (s *session) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = s.Close(ctx) // it may be broken already
}

// exec runs statements.
func (s *session) exec(ctx context.Context, script string) error {
	_, err := s.Exec(ctx, script).ReadAll()
	return err
}

// table returns all rows of a query as text, NULL as "".
func (s *session) table(ctx context.Context, query string) ([][]string, error) {
	reader := s.ExecParams(ctx, query, nil, nil, nil, nil)
	var rows [][]string
	for reader.NextRow() {
		cells := make([]string, len(reader.Values()))
		for i, cell := range reader.Values() {
			cells[i] = string(cell)
		}
		rows = append(rows, cells)
	}
	_, err := reader.Close()
	return rows, err
}

// ident quotes a name for SQL.
func ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// literal quotes a string for SQL.
func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
