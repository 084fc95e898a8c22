// Package database dumps, identifies, restores and watches the database of
// one site. MariaDB and MySQL are spoken today.
//
// Everything rests on one reading of a table: its rows in key order, each
// written as the SQL that inserts it again byte for byte, cut into segments
// where the keys say so. Dump writes that reading, Scan only hashes it, and
// Restore compares it with a dump and touches only what differs.
package database

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"upkeep"
	"upkeep/internal/agent/database/session"
	"upkeep/internal/cms"
)

// Limits of Query, which serves drivers that read settings, not content.
const (
	queryTime  = 30 * time.Second
	queryRows  = 100_000
	queryBytes = 64 << 20
)

// readers is how many connections read or write rows at the same time.
const readers = 2

// DB is a site's database. Its methods may be called concurrently, except
// Restore, which must be alone.
type DB struct {
	site    cms.Database
	pool    *sql.DB
	reading *sql.DB // connections that cannot write, for Query
	own     *session.Connections
}

// Open connects to a site's database. CodeUnreachable when no server answers,
// CodeUnauthorized when it refuses the account, CodeNotFound when it has no
// such database, CodeInvalid for an engine that is not spoken; each with a hint.
func Open(ctx context.Context, site cms.Database) (_ *DB, err error) {
	defer upkeep.Wrap(&err, "open database %s", site.Name)
	if site.Engine != "mariadb" && site.Engine != "mysql" {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "database engine %q is not supported", site.Engine).
			WithHint("MariaDB and MySQL are.")
	}
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.DBName = site.User, site.Password, site.Name
	cfg.Net, cfg.Addr = address(&site)
	cfg.Timeout = 10 * time.Second
	cfg.InterpolateParams = true // one round trip, and cells come as text
	cfg.Collation = "utf8mb4_general_ci"
	cfg.MaxAllowedPacket = 0 // what the server takes
	cfg.Logger = &mysql.NopLogger{}
	if cfg.Net == "tcp" {
		cfg.TLSConfig = "preferred"
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "settings: %w", err)
	}
	own := session.NewConnections(connector)
	db := &DB{site: site, pool: sql.OpenDB(own), reading: sql.OpenDB(own.ReadOnly()), own: own}
	db.pool.SetMaxIdleConns(1)
	db.reading.SetMaxIdleConns(1)
	if err := db.pool.PingContext(ctx); err != nil {
		_ = db.Close() // nothing was opened
		return nil, session.Translate(ctx, err)
	}
	return db, nil
}

// Of is the same database, by the same connections, with the prefix and the
// neighbours of site: which of its tables are the site's.
func (db *DB) Of(site cms.Database) *DB {
	return &DB{site: site, pool: db.pool, reading: db.reading, own: db.own}
}

// Close ends all connections.
func (db *DB) Close() error { return errors.Join(db.reading.Close(), db.pool.Close()) }

// Version returns the server's version string, such as "10.11.6-MariaDB".
func (db *DB) Version(ctx context.Context) (string, error) {
	var version string
	if err := db.pool.QueryRowContext(ctx, "SELECT VERSION()").Scan(&version); err != nil {
		return "", session.Translate(ctx, err)
	}
	return version, nil
}

// Query reads in a transaction that cannot write, one statement in one round
// trip, with bounds on time (30 s), rows (100,000) and bytes (64 MiB); beyond them CodeRefused. Cells are text
// in UTF-8, nil for NULL.
func (db *DB) Query(ctx context.Context, query string, args ...any) (_ [][][]byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	defer func() { err = session.Translate(ctx, err) }()
	rows, err := db.reading.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var result [][][]byte
	size := 0
	for rows.Next() {
		cells := make([][]byte, len(columns))
		into := make([]any, len(columns))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return nil, err
		}
		for _, cell := range cells {
			size += len(cell)
		}
		result = append(result, cells)
		if len(result) > queryRows || size > queryBytes {
			return nil, upkeep.Errorf(upkeep.CodeRefused, "query gives more than %d rows or %d bytes", queryRows, queryBytes)
		}
	}
	return result, rows.Err()
}

// address returns the network and address of the server. Like PHP, it takes
// "localhost" for the local socket when there is one, whatever the port.
func address(site *cms.Database) (network, addr string) {
	if site.Socket != "" {
		return "unix", site.Socket
	}
	local := site.Host == "" || strings.EqualFold(site.Host, "localhost")
	if local {
		for _, path := range []string{"/run/mysqld/mysqld.sock", "/var/lib/mysql/mysql.sock", "/tmp/mysql.sock"} {
			if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
				return "unix", path
			}
		}
	}
	host, port := site.Host, site.Port
	if local {
		host = "127.0.0.1"
	}
	if port == 0 {
		port = 3306
	}
	return "tcp", net.JoinHostPort(host, strconv.Itoa(port))
}

// session opens a connection with known settings. The caller closes it.
func (db *DB) session(ctx context.Context) (*session.Session, error) {
	return session.Open(ctx, db.pool)
}
