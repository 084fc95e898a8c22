package session

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"

	"upkeep"
)

// serverCodes gives the codes of the server's error numbers. Others are
// internal.
var serverCodes = map[uint16]upkeep.Code{
	1040: upkeep.CodeUnreachable,  // too many connections
	1053: upkeep.CodeUnreachable,  // shutting down
	1203: upkeep.CodeUnreachable,  // too many connections of this account
	1226: upkeep.CodeUnreachable,  // account exceeded a limit
	1317: upkeep.CodeUnreachable,  // query killed
	1927: upkeep.CodeUnreachable,  // connection killed
	1044: upkeep.CodeUnauthorized, // no access to the database
	1045: upkeep.CodeUnauthorized, // wrong account or password
	1142: upkeep.CodeUnauthorized, // right on a table is missing
	1143: upkeep.CodeUnauthorized,
	1227: upkeep.CodeUnauthorized, // needs a global right, as for another definer
	1370: upkeep.CodeUnauthorized, // right on a routine is missing
	1419: upkeep.CodeUnauthorized, // binary log and no global right
	1698: upkeep.CodeUnauthorized,
	1049: upkeep.CodeNotFound, // no such database
	1021: upkeep.CodeNoSpace,  // disk full
	1114: upkeep.CodeNoSpace,  // table space or disk full
	1205: upkeep.CodeConflict, // lock wait
	1213: upkeep.CodeConflict, // deadlock
	1412: upkeep.CodeConflict, // definition changed under a snapshot
	1792: upkeep.CodeRefused,  // write in a read-only transaction
	1153: upkeep.CodeRefused,  // larger than max_allowed_packet
	1034: upkeep.CodeDamaged,  // wrong key file
	1194: upkeep.CodeDamaged,  // crashed
	1195: upkeep.CodeDamaged,
	1969: upkeep.CodeRefused, // statement took too long
}

// Hints gives the next step for a code.
var Hints = map[upkeep.Code]upkeep.Phrase{
	upkeep.CodeUnreachable:  "Check that the database server runs and takes connections.",
	upkeep.CodeUnauthorized: "Check the account in the site's configuration and its rights on the database.",
	upkeep.CodeNotFound:     "Check the database's name in the site's configuration.",
	upkeep.CodeNoSpace:      "Free space on the disk of the database server.",
	upkeep.CodeConflict:     "Something else uses the tables; try again when it has ended.",
	upkeep.CodeRefused:      "If a row is larger than the server takes, raise max_allowed_packet.",
	upkeep.CodeDamaged:      "Repair the table: mariadb-check --repair.",
}

// Translate gives err the code of what happened. It keeps an *upkeep.Error
// and hides nothing but the account's password, which no driver error holds.
func Translate(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*upkeep.Error](err); ok {
		return err
	}
	if cause := context.Cause(ctx); cause != nil {
		return upkeep.Errorf(upkeep.CodeInterrupted, "database: %w", cause)
	}
	code := codeOf(err)
	wrapped := upkeep.Errorf(code, "database: %w", err)
	if hint := Hints[code]; hint != "" {
		return wrapped.WithHint("%s", hint)
	}
	return wrapped
}

// codeOf decides who can help. A connection that breaks is the server's: it may
// come back, and the caller may repeat what it did.
func codeOf(err error) upkeep.Code {
	if server, ok := errors.AsType[*mysql.MySQLError](err); ok {
		if code, ok := serverCodes[server.Number]; ok {
			return code
		}
		// File errors carry the system's number in their text only.
		if strings.Contains(server.Message, `"No space left on device"`) || strings.Contains(server.Message, "Got error 28") {
			return upkeep.CodeNoSpace
		}
		return upkeep.CodeInternal
	}
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return upkeep.CodeNoSpace
	}
	if errors.Is(err, mysql.ErrPktTooLarge) {
		return upkeep.CodeRefused
	}
	if _, ok := errors.AsType[net.Error](err); ok {
		return upkeep.CodeUnreachable
	}
	for _, gone := range []error{driver.ErrBadConn, mysql.ErrInvalidConn, io.EOF, io.ErrUnexpectedEOF, syscall.EPIPE, syscall.ECONNRESET} {
		if errors.Is(err, gone) {
			return upkeep.CodeUnreachable
		}
	}
	return upkeep.CodeInternal
}
