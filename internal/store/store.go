// Package store keeps what Upkeep knows: sites, inventories, interventions with
// their leases and events, backups, tasks, holds, the ledger's rows. Queries
// are written once, in the SQL that SQLite and PostgreSQL share; the package
// records below opens either and runs the transactions.
package store

import (
	"context"

	"upkeep/internal/store/records"
)

// Config says where the records are.
type Config = records.Config

// DB is the open records. Its methods may be called concurrently, and other
// processes may have the same records open.
//
// Exported methods open the transaction that unexported functions take. They
// return CodeNotFound for what does not exist, CodeConflict for what the state
// forbids now, CodeNoSpace when the disk is full and CodeDamaged when the file
// does not read back.
type DB struct{ records *records.DB }

// Open opens the records and brings their schema up to date.
func Open(ctx context.Context, config Config) (*DB, error) {
	db, err := records.Open(ctx, config)
	if err != nil {
		return nil, err
	}
	return &DB{db}, nil
}

// Records returns the records themselves, for packages below store that keep
// further nouns in them.
func (db *DB) Records() *records.DB { return db.records }

// Close closes the records. Calls under way end first.
func (db *DB) Close() error { return db.records.Close() }
