// Package database opens what Upkeep keeps things in, a SQLite file or a
// PostgreSQL database, and gives the errors of either our codes.
package database

import (
	"context"

	"upkeep"
)

// kind is what an error of a driver comes down to.
type kind int

const (
	other kind = iota
	exists
	refused
	orphaned
	invalid
	full
	busy
	damaged
	shut
	silent
	absent
)

// Translate gives errors of the drivers our codes. Everything else passes.
func Translate(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if cause := ctx.Err(); cause != nil && upkeep.CodeOf(err) == upkeep.CodeInternal {
		return upkeep.Errorf(upkeep.CodeInterrupted, "stopped before it was written: %w", cause)
	}
	switch max(sqliteKind(err), postgresKind(err)) { // one of them is other
	case exists:
		return upkeep.Errorf(upkeep.CodeConflict, "it exists already: %w", err)
	case refused:
		return upkeep.Errorf(upkeep.CodeConflict, "the records refuse it: %w", err)
	case orphaned:
		return upkeep.Errorf(upkeep.CodeNotFound, "what it belongs to does not exist: %w", err)
	case invalid:
		return upkeep.Errorf(upkeep.CodeInvalid, "a field has a value the records do not take: %w", err)
	case full:
		return upkeep.Errorf(upkeep.CodeNoSpace, "no space left in the database: %w", err).
			WithHint("Free some space on the disk that holds the database: that of the state folder, or of PostgreSQL.")
	case busy:
		return upkeep.Errorf(upkeep.CodeConflict, "another process is writing the database: %w", err).
			WithHint("Try again; if it lasts, look for a stuck upkeep process.")
	case damaged:
		return upkeep.Errorf(upkeep.CodeDamaged, "the database does not read back: %w", err).
			WithHint("Stop upkeep and restore the state folder, or the PostgreSQL database, from a copy.")
	case shut:
		return upkeep.Errorf(upkeep.CodeUnauthorized, "the database cannot be opened for writing: %w", err).
			WithHint("Run upkeep as the owner of the state folder; PostgreSQL needs a role that owns its database.")
	case silent:
		return upkeep.Errorf(upkeep.CodeUnreachable, "the database does not answer: %w", err).
			WithHint("Look whether PostgreSQL runs, and whether UPKEEP_DATABASE_URL names it.")
	case absent:
		return upkeep.Errorf(upkeep.CodeNotFound, "PostgreSQL has no such database: %w", err).
			WithHint("Create it, empty, owned by the role of UPKEEP_DATABASE_URL: createdb --owner upkeep upkeep.")
	}
	return err
}
