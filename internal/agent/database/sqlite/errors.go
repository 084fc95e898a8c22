package sqlite

import (
	"context"
	"errors"
	"io/fs"
	"syscall"

	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"upkeep"
)

// codes gives the codes of SQLite's primary error numbers. Others are internal.
var codes = map[int]upkeep.Code{
	sqlite3.SQLITE_BUSY:      upkeep.CodeConflict,
	sqlite3.SQLITE_LOCKED:    upkeep.CodeConflict,
	sqlite3.SQLITE_PROTOCOL:  upkeep.CodeConflict,
	sqlite3.SQLITE_FULL:      upkeep.CodeNoSpace,
	sqlite3.SQLITE_CORRUPT:   upkeep.CodeDamaged,
	sqlite3.SQLITE_NOTADB:    upkeep.CodeDamaged,
	sqlite3.SQLITE_PERM:      upkeep.CodeUnauthorized,
	sqlite3.SQLITE_READONLY:  upkeep.CodeUnauthorized,
	sqlite3.SQLITE_CANTOPEN:  upkeep.CodeUnauthorized,
	sqlite3.SQLITE_AUTH:      upkeep.CodeUnauthorized,
	sqlite3.SQLITE_TOOBIG:    upkeep.CodeRefused,
	sqlite3.SQLITE_INTERRUPT: upkeep.CodeInterrupted,
}

// hints gives the next step for a code.
var hints = map[upkeep.Code]upkeep.Phrase{
	upkeep.CodeConflict:     "Something else uses the database; try again when it has ended.",
	upkeep.CodeNoSpace:      "Free space on the disk that holds the database.",
	upkeep.CodeDamaged:      "Look at it with sqlite3 FILE 'PRAGMA integrity_check', and save what reads with sqlite3 FILE .recover.",
	upkeep.CodeUnauthorized: "The site's owner must be allowed to write to the file and to its folder.",
	upkeep.CodeNotFound:     "Check the database's path in the site's configuration.",
}

// translate gives err the code of what happened.
func translate(ctx context.Context, err error) error {
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
	if hint := hints[code]; hint != "" {
		return wrapped.WithHint("%s", hint)
	}
	return wrapped
}

func codeOf(err error) upkeep.Code {
	if of, ok := errors.AsType[*sqlite.Error](err); ok {
		if code, ok := codes[of.Code()&0xff]; ok {
			return code
		}
		if of.Code() == sqlite3.SQLITE_IOERR_SHORT_READ {
			return upkeep.CodeDamaged
		}
		return upkeep.CodeInternal
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return upkeep.CodeNotFound
	case errors.Is(err, fs.ErrPermission):
		return upkeep.CodeUnauthorized
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return upkeep.CodeNoSpace
	}
	return upkeep.CodeInternal
}

// refused tells a query that would write from a file that may not be written.
func refused(err error) error {
	if of, ok := errors.AsType[*sqlite.Error](err); ok && of.Code() == sqlite3.SQLITE_READONLY {
		return upkeep.Errorf(upkeep.CodeRefused, "a query may only read: %w", err)
	}
	return err
}
