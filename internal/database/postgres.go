package database

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"

	"upkeep"
)

// Bounds on what one process may do to the others that use a PostgreSQL.
const (
	connectLimit = 10 * time.Second
	idle         = time.Minute // after which an unused connection is closed
)

// session is what each connection asks for. A process that was suspended
// within a transaction, or cut off, must not keep the others waiting.
func session() map[string]string {
	return map[string]string{
		"application_name":                    "upkeep",
		"lock_timeout":                        "10s",
		"idle_in_transaction_session_timeout": "7s", // of a suspended process: before who waits for it gives up
		"tcp_keepalives_idle":                 "10",
		"tcp_keepalives_interval":             "5",
		"tcp_keepalives_count":                "3",
	}
}

// Server returns a pool on the PostgreSQL database at address, such as
// postgres://user:password@host/name. No error of it holds the address, whose
// password nobody else is to read.
func Server(address string, connections int) (*sql.DB, error) {
	config, err := pgx.ParseConfig(address)
	if err != nil || !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "that is no address of a PostgreSQL database").
			WithHint("Write it as %s, with percent-encoding of special characters.", "postgres://user:password@host:5432/name?sslmode=verify-full")
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = connectLimit
	}
	for name, value := range session() {
		if config.RuntimeParams[name] == "" {
			config.RuntimeParams[name] = value
		}
	}
	pool := stdlib.OpenDB(*config)
	pool.SetMaxOpenConns(connections)
	pool.SetMaxIdleConns(connections)
	pool.SetConnMaxIdleTime(idle)
	return pool, nil
}

func postgresKind(err error) kind {
	refusal, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case !ok && isLost(err):
		return silent
	case !ok:
		return other
	}
	switch refusal.Code { // https://www.postgresql.org/docs/current/errcodes-appendix.html
	case "23505":
		return exists
	case "P0001": // a trigger of ours
		return refused
	case "23503":
		return orphaned
	case "40001", "40P01", "55P03", "25P03":
		return busy
	case "53100":
		return full
	case "3D000":
		return absent
	case "42501":
		return shut
	}
	switch refusal.Code[:2] { // the class
	case "22", "23":
		return invalid
	case "28":
		return shut
	case "08", "53", "57":
		return silent
	case "XX":
		return damaged
	}
	return other
}

// isLost reports whether there was no connection, or is none any more.
func isLost(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return true
	}
	return errors.Is(err, driver.ErrBadConn) || errors.Is(err, sql.ErrConnDone) || pgconn.Timeout(err)
}
