package web

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"upkeep"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

// Backups makes, shows and examines backups. The context of the long methods
// ends when the caller goes away; progress may be nil and is called from one
// goroutine at a time.
type Backups interface {
	// Backups returns those of a site, or of all with "", newest first.
	Backups(ctx context.Context, site string) ([]Backup, error)
	// Backup returns one.
	Backup(ctx context.Context, id upkeep.BackupID) (*Backup, error)
	// CreateBackup backs the live site up and reads the result back.
	CreateBackup(ctx context.Context, actor, site, note string, progress func(upkeep.Progress)) (*Backup, error)
	// VerifyBackup reads a sample back, or everything with deep.
	VerifyBackup(ctx context.Context, actor string, id upkeep.BackupID, deep bool, progress func(upkeep.Progress)) (*BackupCheck, error)
	// DiffBackup says what would change on the way from backup id to another
	// backup, or to the site as it is now when to is 0.
	DiffBackup(ctx context.Context, id, to upkeep.BackupID) ([]upkeep.Difference, error)
}

// Backup is a backup with the name of its site.
type Backup struct {
	upkeep.Backup
	SiteName string `json:"site_name"`
}

// BackupCheck is what reading a backup back found.
type BackupCheck struct {
	Backup   upkeep.BackupID `json:"backup"`
	Deep     bool            `json:"deep"`
	OK       bool            `json:"ok"`
	Read     int64           `json:"read"`     // bytes of content
	Problems []string        `json:"problems"` // what does not read back as it was written
}

// CreateBackupRequest asks for a manual backup.
type CreateBackupRequest struct {
	Note string `json:"note,omitempty"`
}

// VerifyBackupRequest says how much of a backup is read back.
type VerifyBackupRequest struct {
	Deep bool `json:"deep,omitempty"`
}

// Restores brings backups back and drops old ones.
type Restores interface {
	// PlanRestore says what a restore would change and lose.
	PlanRestore(ctx context.Context, id upkeep.BackupID, req RestoreRequest) (*RestorePlan, error)
	// RestoreBackup restores. In place it wants req.Confirm to be the token
	// of a plan that still holds, else CodeConflict. What it began on a live
	// site it finishes or undoes even when the caller goes away.
	RestoreBackup(ctx context.Context, actor string, id upkeep.BackupID, req RestoreRequest, progress func(upkeep.Progress)) (*RestoreResult, error)
	// PruneBackups drops what the retention does not keep, pairs together.
	PruneBackups(ctx context.Context, actor, site string, req PruneRequest, progress func(upkeep.Progress)) (*PruneResult, error)
}

// RestoreRequest says where a backup goes: InPlace, or Dir (and Database, the
// name of an empty database on the site's server).
type RestoreRequest struct {
	InPlace  bool   `json:"in_place,omitempty"`
	Dir      string `json:"dir,omitempty"`      // absolute; absent or empty
	Database string `json:"database,omitempty"` // "" restores files only
	Confirm  string `json:"confirm,omitempty"`  // RestorePlan.Token
}

// Validate returns CodeInvalid when the request does not say where.
func (req *RestoreRequest) Validate() error {
	switch {
	case req.InPlace == (req.Dir != ""):
		return upkeep.Errorf(upkeep.CodeInvalid, "restore: want either in place or a folder").
			WithHint("Choose --in-place or --dir FOLDER.")
	case req.InPlace && req.Database != "":
		return upkeep.Errorf(upkeep.CodeInvalid, "restore in place into database %s: the site's own is used", req.Database).
			WithHint("Leave --database out, or choose --dir.")
	}
	return nil
}

// RestorePlan is what a restore in place would do to the site.
type RestorePlan struct {
	Backup      upkeep.BackupID     `json:"backup"`
	Differences []upkeep.Difference `json:"differences"` // site now against the backup
	Since       time.Time           `json:"since"`       // the instant the backup shows
	Rows        int64               `json:"rows"`        // rows written since, that would be lost
	Files       int64               `json:"files"`       // files written since, that would be lost
	Token       string              `json:"token"`       // binds the confirmation to these differences
}

// RestoreResult is what a restore did.
type RestoreResult struct {
	Backup   upkeep.BackupID  `json:"backup"`
	Dir      string           `json:"dir,omitempty"`
	Files    int64            `json:"files"`              // written
	Bytes    int64            `json:"bytes"`              // written
	Tables   int              `json:"tables"`             // written
	Identity *upkeep.Identity `json:"identity,omitempty"` // proof that the result is the backup
	Safety   upkeep.BackupID  `json:"safety,omitempty"`   // backup of what was replaced
}

// PruneRequest chooses what a prune keeps. A nil Keep is the site's own
// retention.
type PruneRequest struct {
	Keep   *upkeep.Retention `json:"keep,omitempty"`
	DryRun bool              `json:"dry_run,omitempty"`
}

// PruneResult is what a prune dropped, or would.
type PruneResult struct {
	Dropped []Backup `json:"dropped"`
	Kept    []Backup `json:"kept"`
	Freed   int64    `json:"freed"` // bytes; an estimate after a dry run
}

func (s *Server) backupList(w http.ResponseWriter, r *http.Request) error {
	q := query.Of(r)
	site := q.Text("site")
	if q.Err != nil {
		return q.Err
	}
	backups, err := s.Backups.Backups(r.Context(), site)
	return reply.List(w, backups, err)
}

func (s *Server) backupShow(w http.ResponseWriter, r *http.Request) error {
	id, err := reply.ID[upkeep.BackupID](r)
	if err != nil {
		return err
	}
	backup, err := s.Backups.Backup(r.Context(), id)
	return reply.Or(w, backup, err)
}

func (s *Server) backupCreate(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[CreateBackupRequest](r)
	if err != nil {
		return err
	}
	return s.stream(w, r, func(out *lines) (any, error) {
		return s.Backups.CreateBackup(r.Context(), query.Actor(r), r.PathValue("site"), req.Note, out.progress)
	})
}

func (s *Server) backupVerify(w http.ResponseWriter, r *http.Request) error {
	id, err := reply.ID[upkeep.BackupID](r)
	if err != nil {
		return err
	}
	req, err := reply.Decode[VerifyBackupRequest](r)
	if err != nil {
		return err
	}
	return s.stream(w, r, func(out *lines) (any, error) {
		return s.Backups.VerifyBackup(r.Context(), query.Actor(r), id, req.Deep, out.progress)
	})
}

func (s *Server) backupDiff(w http.ResponseWriter, r *http.Request) error {
	id, err := reply.ID[upkeep.BackupID](r)
	q := query.Of(r)
	to := q.Number("to")
	if err != nil || q.Err != nil {
		return cmp.Or(err, q.Err)
	}
	differences, err := s.Backups.DiffBackup(r.Context(), id, upkeep.BackupID(to))
	return reply.List(w, differences, err)
}

func (s *Server) backupPrune(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[PruneRequest](r)
	if err != nil {
		return err
	}
	return s.stream(w, r, func(out *lines) (any, error) {
		return s.Restores.PruneBackups(r.Context(), query.Actor(r), r.PathValue("site"), req, out.progress)
	})
}

func (s *Server) restorePlan(w http.ResponseWriter, r *http.Request) error {
	id, req, err := restoreRequest(r)
	if err != nil {
		return err
	}
	plan, err := s.Restores.PlanRestore(r.Context(), id, req)
	return reply.Or(w, plan, err)
}

func (s *Server) restoreRun(w http.ResponseWriter, r *http.Request) error {
	id, req, err := restoreRequest(r)
	if err != nil {
		return err
	}
	return s.stream(w, r, func(out *lines) (any, error) {
		return s.Restores.RestoreBackup(r.Context(), query.Actor(r), id, req, out.progress)
	})
}

func restoreRequest(r *http.Request) (upkeep.BackupID, RestoreRequest, error) {
	id, err := reply.ID[upkeep.BackupID](r)
	if err != nil {
		return 0, RestoreRequest{}, err
	}
	req, err := reply.Decode[RestoreRequest](r)
	if err != nil {
		return 0, req, err
	}
	return id, req, req.Validate()
}
