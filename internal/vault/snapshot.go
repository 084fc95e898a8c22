package vault

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"upkeep"
)

// Snapshot is a tree at one moment, in restic's own JSON. Tags say which
// site, intervention and moment it belongs to (SiteTag and its kin).
type Snapshot struct {
	ID             ID               `json:"-"`
	Time           time.Time        `json:"time"`
	Parent         *ID              `json:"parent,omitempty"`
	Tree           *ID              `json:"tree"`
	Paths          []string         `json:"paths"` // absolute folders on the host
	Hostname       string           `json:"hostname,omitempty"`
	Username       string           `json:"username,omitempty"`
	UID            uint32           `json:"uid,omitempty"`
	GID            uint32           `json:"gid,omitempty"`
	Excludes       []string         `json:"excludes,omitempty"`
	Tags           []string         `json:"tags,omitempty"`
	Original       *ID              `json:"original,omitempty"`
	ProgramVersion string           `json:"program_version,omitempty"`
	Summary        *SnapshotSummary `json:"summary,omitempty"`
}

// SnapshotSummary is what restic shows of a snapshot. Sizes are bytes.
type SnapshotSummary struct {
	BackupStart         time.Time `json:"backup_start"`
	BackupEnd           time.Time `json:"backup_end"`
	FilesNew            uint      `json:"files_new"`
	FilesChanged        uint      `json:"files_changed"`
	FilesUnmodified     uint      `json:"files_unmodified"`
	DirsNew             uint      `json:"dirs_new"`
	DirsChanged         uint      `json:"dirs_changed"`
	DirsUnmodified      uint      `json:"dirs_unmodified"`
	DataBlobs           int       `json:"data_blobs"`
	TreeBlobs           int       `json:"tree_blobs"`
	DataAdded           uint64    `json:"data_added"`
	DataAddedPacked     uint64    `json:"data_added_packed"`
	TotalFilesProcessed uint      `json:"total_files_processed"`
	TotalBytesProcessed uint64    `json:"total_bytes_processed"`
}

// The tags. A pair is the snapshots that share an intervention tag.
const (
	siteTag         = "site:"
	interventionTag = "intervention:"
	momentTag       = "moment:"
)

// SiteTag says which site a snapshot shows.
func SiteTag(name string) string { return siteTag + name }

// InterventionTag says which intervention made a snapshot.
func InterventionTag(id upkeep.InterventionID) string { return interventionTag + id.String() }

// MomentTag says when in an intervention a snapshot was made.
func MomentTag(moment upkeep.Moment) string { return momentTag + string(moment) }

// tag returns what follows the first tag that starts with prefix, or "".
func (s *Snapshot) tag(prefix string) string {
	for _, tag := range s.Tags {
		if rest, ok := strings.CutPrefix(tag, prefix); ok {
			return rest
		}
	}
	return ""
}

// Site returns the name in the snapshot's site tag, or "".
func (s *Snapshot) Site() string { return s.tag(siteTag) }

// Intervention returns the number in the snapshot's intervention tag, or "".
func (s *Snapshot) Intervention() string { return s.tag(interventionTag) }

// SaveSnapshot flushes everything, checks that the tree is stored and writes
// the snapshot, with s.ID set. Time, host and user are filled in where empty.
func (r *Repository) SaveSnapshot(ctx context.Context, s *Snapshot) (err error) {
	defer upkeep.Wrap(&err, "vault: save snapshot")
	if err := r.needLock(); err != nil {
		return err
	}
	if _, err := r.Flush(ctx); err != nil {
		return err
	}
	if s.Tree == nil {
		return upkeep.Errorf(upkeep.CodeInvalid, "the snapshot has no tree")
	}
	missing, err := r.Missing(ctx, TreeBlob, []ID{*s.Tree})
	if err != nil {
		return err
	}
	if len(missing) > 0 {
		return upkeep.Errorf(upkeep.CodeNotFound, "tree %s is not stored", s.Tree)
	}
	if s.Time.IsZero() {
		s.Time = r.Clock()
	}
	if host, name := whereAndWho(); s.Hostname == "" {
		s.Hostname, s.Username = host, name
	}
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	s.ID, err = r.saveFile(ctx, snapshotsFolder, text)
	return err
}

// Snapshots returns all snapshots, oldest first.
func (r *Repository) Snapshots(ctx context.Context) (_ []Snapshot, err error) {
	defer upkeep.Wrap(&err, "vault: list snapshots")
	ids, err := r.listIDs(ctx, snapshotsFolder)
	if err != nil {
		return nil, err
	}
	found := make([]*Snapshot, len(ids))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(4)
	for i, id := range ids {
		group.Go(func() error {
			s, err := r.Snapshot(groupCtx, id)
			if upkeep.CodeOf(err) == upkeep.CodeNotFound {
				return nil // forgotten since it was listed
			}
			found[i] = s
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var all []Snapshot
	for _, s := range found {
		if s != nil {
			all = append(all, *s)
		}
	}
	slices.SortFunc(all, func(a, b Snapshot) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return compareIDs(a.ID, b.ID)
	})
	return all, nil
}

// Snapshot loads one snapshot. CodeNotFound when it does not exist.
func (r *Repository) Snapshot(ctx context.Context, id ID) (*Snapshot, error) {
	text, err := r.loadFile(ctx, snapshotsFolder, id)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "vault: snapshot %s does not exist", id)
	}
	if err != nil {
		return nil, err
	}
	s := &Snapshot{ID: id}
	if err := json.Unmarshal(text, s); err != nil || s.Tree == nil {
		return nil, upkeep.Errorf(upkeep.CodeDamaged, "vault: snapshot %s is malformed", id)
	}
	return s, nil
}

// Forget removes snapshots. What only they referred to stays until Prune.
func (r *Repository) Forget(ctx context.Context, ids ...ID) (err error) {
	defer upkeep.Wrap(&err, "vault: forget")
	if err := r.needLock(); err != nil {
		return err
	}
	for _, id := range ids {
		if err := r.storage.Remove(ctx, fileName(snapshotsFolder, id)); err != nil {
			return err
		}
	}
	return nil
}
