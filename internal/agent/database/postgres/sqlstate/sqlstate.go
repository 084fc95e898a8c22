// Package sqlstate gives what a PostgreSQL server, or the way to it, reports the
// codes of Upkeep, with the next step for a person.
package sqlstate

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"upkeep"
)

// codes gives the codes of the server's error codes, or of their classes, which
// are their first two letters. Others are internal.
var codes = map[string]upkeep.Code{
	"08":    upkeep.CodeUnreachable,  // connection
	"57P":   upkeep.CodeUnreachable,  // shut down, crashed, starting
	"53300": upkeep.CodeUnreachable,  // too many connections
	"28":    upkeep.CodeUnauthorized, // wrong account or password
	"42501": upkeep.CodeUnauthorized, // a right is missing
	"3D000": upkeep.CodeNotFound,     // no such database
	"53100": upkeep.CodeNoSpace,
	"40":    upkeep.CodeConflict, // deadlock, serialisation
	"55P03": upkeep.CodeConflict, // lock
	"55006": upkeep.CodeConflict, // in use
	"25006": upkeep.CodeRefused,  // write in a read-only transaction
	"57014": upkeep.CodeRefused,  // took too long
	"54":    upkeep.CodeRefused,  // larger than the server takes
	"XX001": upkeep.CodeDamaged,
	"XX002": upkeep.CodeDamaged,
}

// hints gives the next step for a code.
var hints = map[upkeep.Code]upkeep.Phrase{
	upkeep.CodeUnreachable:  "Check that the database server runs and takes connections.",
	upkeep.CodeUnauthorized: "Check the account in the site's configuration, and that it owns what the site keeps.",
	upkeep.CodeNotFound:     "Check the database's name in the site's configuration.",
	upkeep.CodeNoSpace:      "Free space on the disk of the database server.",
	upkeep.CodeConflict:     "Something else uses the tables; try again when it has ended.",
	upkeep.CodeDamaged:      "Look at the server's log; REINDEX mends an index.",
}

// Hint is the next step for a code, "" when there is none.
func Hint(code upkeep.Code) upkeep.Phrase { return hints[code] }

// Translate gives err the code of what happened. It keeps an *upkeep.Error; no
// error of the driver holds the password.
func Translate(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*upkeep.Error](err); ok {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		if own, ok := errors.AsType[*upkeep.Error](cause); ok {
			return own
		}
		return upkeep.Errorf(upkeep.CodeInterrupted, "database: %w", cause)
	}
	code := CodeOf(err)
	wrapped := upkeep.Errorf(code, "database: %w", err)
	if hint := hints[code]; hint != "" {
		return wrapped.WithHint("%s", hint)
	}
	return wrapped
}

// CodeOf is the code of what happened, "" for nothing.
func CodeOf(err error) upkeep.Code {
	if err == nil {
		return ""
	}
	if server, ok := errors.AsType[*pgconn.PgError](err); ok {
		for length := len(server.Code); length >= 2; length-- {
			if code, ok := codes[server.Code[:length]]; ok {
				return code
			}
		}
		return upkeep.CodeInternal
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return upkeep.CodeNoSpace
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return upkeep.CodeUnreachable
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return upkeep.CodeUnreachable
	}
	for _, gone := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, gone) {
			return upkeep.CodeUnreachable
		}
	}
	if strings.Contains(err.Error(), "conn closed") {
		return upkeep.CodeUnreachable
	}
	return upkeep.CodeInternal
}
