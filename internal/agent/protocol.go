package agent

import (
	"time"

	"upkeep"
	"upkeep/internal/cms"
)

// ProtocolVersion changes when one end could not understand the other.
const ProtocolVersion = 1

// Status is what an agent says of itself.
type Status struct {
	Protocol     int                   `json:"protocol"`
	PID          int                   `json:"pid"`
	Root         string                `json:"root"`
	Program      string                `json:"program,omitempty"` // as Program tells it
	Open         bool                  `json:"open"`              // a journal exists
	Intervention upkeep.InterventionID `json:"intervention"`      // of the journal
	Token        string                `json:"token,omitempty"`
	Frozen       bool                  `json:"frozen"`
	Secured      bool                  `json:"secured"`
	Changed      bool                  `json:"changed"` // changes stand that are neither committed nor undone
	Committed    bool                  `json:"committed"`
	Undone       bool                  `json:"undone"`
	Identity     *upkeep.Identity      `json:"identity,omitempty"` // of the last undo
	Alone        string                `json:"alone,omitempty"`    // why the agent undid and thawed by itself
}

// OpenRequest begins an intervention.
type OpenRequest struct {
	Intervention upkeep.InterventionID `json:"intervention"`
	Layout       *cms.Layout           `json:"layout"`
	Token        string                `json:"token"`
	MaxFrozen    upkeep.Duration       `json:"max_frozen"`
	Silence      upkeep.Duration       `json:"silence"`
	PHPLog       string                `json:"php_log,omitempty"`
	URL          string                `json:"url"` // of the front page
}

// StageRequest unpacks a package that was sent before and checks it.
type StageRequest struct {
	Update upkeep.Update `json:"update"`
	SHA256 string        `json:"sha256"` // names the package
}

// StageResult says what the package needs, and what else it concerns.
type StageResult struct {
	Bytes    int64            `json:"bytes"` // unpacked
	Findings []upkeep.Finding `json:"findings,omitempty"`
}

// FreezeRequest closes the gate.
type FreezeRequest struct {
	Drain upkeep.Duration `json:"drain"` // for requests under way; 0 is 30 seconds
}

// Frozen says when the site accepted its last write.
type Frozen struct {
	At      time.Time     `json:"at"`
	Drained time.Duration `json:"drained"`
	Killed  int           `json:"killed"` // database connections that did not end in time
}

// ReadRequest makes a backup of the files and the database through the blobs
// connection. When frozen it is the one that undo goes back to.
type ReadRequest struct {
	Layout *cms.Layout `json:"layout,omitempty"` // nil: the open session's
	Warm   bool        `json:"warm,omitempty"`   // of the live site, to make the frozen one short
	Secure bool        `json:"secure,omitempty"` // refuse unless frozen and unchanged

	Polynomial uint64 `json:"polynomial"` // the repository's, that files are cut by
}

// ReadResult is a backup as the vault's tree.
type ReadResult struct {
	Tree     string    `json:"tree"` // blob ID of the top folder
	Taken    time.Time `json:"taken"`
	Manifest string    `json:"manifest"` // digest
	Files    int64     `json:"files"`
	Bytes    int64     `json:"bytes"`
	Tables   int       `json:"tables"`
	Added    int64     `json:"added"` // bytes that the vault did not have
}

// ApplyRequest puts staged updates in place, in order, and migrates.
type ApplyRequest struct {
	Refs []string `json:"refs"`
}

// ProposeRequest asks what updates would change where a site is deployed from.
type ProposeRequest struct {
	Updates []upkeep.Update `json:"updates"`
}

// RestoreRequest brings a backup back through the blobs connection.
type RestoreRequest struct {
	Tree     string        `json:"tree"`
	Layout   *cms.Layout   `json:"layout"`
	Into     string        `json:"into,omitempty"`     // another, empty folder; "" restores in place
	Database *cms.Database `json:"database,omitempty"` // with Into: another, empty database; nil leaves the dump as files
	DryRun   bool          `json:"dry_run,omitempty"`

	Polynomial uint64 `json:"polynomial"` // the repository's
}

// RestoreResult says what a restore changed, or would change.
type RestoreResult struct {
	Differences []upkeep.Difference `json:"differences"` // before it; at most 1,000
	Total       int                 `json:"total"`
	Files       int64               `json:"files"` // paths written or corrected
	Bytes       int64               `json:"bytes"` // written
	Identity    *upkeep.Identity    `json:"identity,omitempty"`
}

// frame is one line of an operation's answer.
type frame struct {
	Progress *upkeep.Progress `json:"progress,omitempty"`
	Result   any              `json:"result,omitempty"`
	Error    *upkeep.Error    `json:"error,omitempty"`
}
