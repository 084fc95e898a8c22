package upkeep

import "time"

// Moment says when in an intervention a backup was made.
type Moment string

// The moments.
const (
	Before Moment = "before" // frozen, just before anything is changed
	After  Moment = "after"  // live, after the verdict
	Manual Moment = "manual" // asked for by a person or a schedule
)

// Backup is the files and the database of a site at one moment, in a vault.
type Backup struct {
	ID           BackupID       `json:"id"`
	Site         SiteID         `json:"site"`
	Intervention InterventionID `json:"intervention,omitempty"`
	Moment       Moment         `json:"moment"`
	Snapshot     string         `json:"snapshot"` // restic snapshot ID, 64 hex digits
	Taken        time.Time      `json:"taken"`    // the instant it shows
	Frozen       bool           `json:"frozen"`   // the site accepted no write while it was made
	Complete     bool           `json:"complete"`
	Verified     time.Time      `json:"verified,omitzero"` // last read back
	Files        int64          `json:"files"`
	Bytes        int64          `json:"bytes"` // of content
	Added        int64          `json:"added"` // bytes that the vault grew by
	Tables       int            `json:"tables"`
	Manifest     string         `json:"manifest"` // digest, see Manifest.Digest
	Note         string         `json:"note,omitempty"`
}

// Retention says which backups of a site are kept. Pairs made by an
// intervention are kept and dropped together. The zero value keeps all.
type Retention struct {
	Last    int `json:"last,omitempty"`    // newest pairs, and as many manual backups
	Days    int `json:"days,omitempty"`    // everything younger
	Monthly int `json:"monthly,omitempty"` // the last of each of so many months
}
