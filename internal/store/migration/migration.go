// Package migration holds the schema of the records: a folder for each
// database, in it files that are applied once, in the order of their names.
package migration

import "embed"

// Files are the migrations: "sqlite/0001_records.sql".
//
//go:embed */*.sql
var Files embed.FS
