package custody

import (
	"context"
	"errors"
	"time"

	"upkeep"
	"upkeep/internal/agent"
	"upkeep/internal/agent/manifest"
	"upkeep/internal/agent/post"
	"upkeep/internal/cms"
	"upkeep/internal/vault"
	"upkeep/internal/vault/archive"
)

// CreateBackup makes, verifies and records a backup of the live site.
func (c *Custody) CreateBackup(ctx context.Context, site upkeep.SiteID, note string, progress func(upkeep.Progress)) (_ *upkeep.Backup, err error) {
	defer upkeep.Wrap(&err, "back up")
	r, err := c.Reach(ctx, site, progress)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	survey, err := r.survey(ctx)
	if err != nil {
		return nil, err
	}
	if err := c.keepLayout(ctx, site, survey.Layout); err != nil {
		return nil, err
	}
	return r.backup(ctx, agent.ReadRequest{Layout: survey.Layout}, &upkeep.Backup{Site: site, Moment: upkeep.Manual, Note: note})
}

// sample is the part of a backup that a quick verification reads back.
const sample = 0.05

// VerifyBackup reads a backup back, all of it when deep, and notes when. It
// returns how many stored bytes it looked at. CodeDamaged names what is not as
// it was written.
func (c *Custody) VerifyBackup(ctx context.Context, id upkeep.BackupID, deep bool, progress func(upkeep.Progress)) (read int64, err error) {
	defer upkeep.Wrap(&err, "verify backup %s", id)
	repository, snapshot, err := c.snapshot(ctx, id)
	if err != nil {
		return 0, err
	}
	held, release, err := repository.Lock(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	options := vault.VerifyOptions{Sample: sample, Progress: func(done, total int) {
		progress(upkeep.Progress{Code: "verify", Done: int64(done), Total: int64(total), Unit: "blobs"})
	}}
	if deep {
		options.Sample = 1
	}
	verified, err := repository.Verify(held, snapshot.ID, options)
	if err != nil {
		return 0, err
	}
	return verified.Bytes, c.Backups.UpdateBackup(ctx, id, func(b *upkeep.Backup) error {
		b.Verified = c.Now().UTC()
		return nil
	})
}

func (c *Custody) snapshot(ctx context.Context, id upkeep.BackupID) (*vault.Repository, *vault.Snapshot, error) {
	backup, err := c.Backups.Backup(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	snapshotID, err := vault.ParseID(backup.Snapshot)
	if err != nil {
		return nil, nil, err
	}
	repository, err := c.vault(ctx)
	if err != nil {
		return nil, nil, err
	}
	snapshot, err := repository.Snapshot(ctx, snapshotID)
	return repository, snapshot, err
}

// DiffBackups returns how the files and tables of two backups differ.
func (c *Custody) DiffBackups(ctx context.Context, from, to upkeep.BackupID) (_ []upkeep.Difference, err error) {
	defer upkeep.Wrap(&err, "compare backups %s and %s", from, to)
	before, err := c.manifest(ctx, from)
	if err != nil {
		return nil, err
	}
	after, err := c.manifest(ctx, to)
	if err != nil {
		return nil, err
	}
	return before.Compare(after), nil
}

// manifest reads the manifest that a backup holds.
func (c *Custody) manifest(ctx context.Context, id upkeep.BackupID) (*upkeep.Manifest, error) {
	repository, snapshot, err := c.snapshot(ctx, id)
	if err != nil {
		return nil, err
	}
	file, err := archive.Open(ctx, repository, *snapshot.Tree, agent.ManifestPath)
	if err != nil {
		return nil, err
	}
	m, err := manifest.Decode(file)
	return m, errors.Join(err, file.Close())
}

// CompareSite returns how the live site differs from a backup.
func (c *Custody) CompareSite(ctx context.Context, id upkeep.BackupID) (_ *agent.RestoreResult, err error) {
	defer upkeep.Wrap(&err, "compare with backup %s", id)
	return c.restore(ctx, id, agent.RestoreRequest{DryRun: true}, func(upkeep.Progress) {})
}

// RestoreElsewhere restores a backup into an empty folder, and its database
// into an empty one on the site's server when database is not "".
func (c *Custody) RestoreElsewhere(ctx context.Context, id upkeep.BackupID, dir, database string, progress func(upkeep.Progress)) (_ *agent.RestoreResult, err error) {
	defer upkeep.Wrap(&err, "restore backup %s into %s", id, dir)
	if err := c.makeFolder(ctx, id, dir); err != nil {
		return nil, err
	}
	request := agent.RestoreRequest{Into: dir}
	if database != "" {
		request.Database = &cms.Database{Name: database}
	}
	return c.restore(ctx, id, request, progress)
}

// makeFolder makes dir on the host of a backup's site, where the site's account
// may not, and gives it to it.
func (c *Custody) makeFolder(ctx context.Context, id upkeep.BackupID, dir string) error {
	backup, err := c.Backups.Backup(ctx, id)
	if err != nil {
		return err
	}
	site, err := c.Sites.Site(ctx, backup.Site)
	if err != nil {
		return err
	}
	at, err := c.post(ctx, site.Host)
	if err != nil {
		return err
	}
	return at.Make(ctx, post.Target{Dir: dir, Root: site.Root})
}

// restore has the agent of the backup's site restore, or compare.
func (c *Custody) restore(ctx context.Context, id upkeep.BackupID, request agent.RestoreRequest, progress func(upkeep.Progress)) (*agent.RestoreResult, error) {
	backup, err := c.Backups.Backup(ctx, id)
	if err != nil {
		return nil, err
	}
	r, err := c.Reach(ctx, backup.Site, progress)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if request.Layout, err = r.knownLayout(ctx); err != nil {
		return nil, err
	}
	if target := request.Database; target != nil && request.Layout.Database != nil {
		if others := len(request.Layout.Database.More); others > 0 {
			return nil, upkeep.Errorf(upkeep.CodeInvalid, "the site has %d databases", others+1).
				WithHint("Restore into a folder without --database, then import what is in each folder of database/.")
		}
		*target = request.Layout.Database.Beside(target.Name)
	}
	return r.restore(ctx, id, request)
}

// restore serves the blobs of one backup to the agent while it restores.
func (r *Reached) restore(ctx context.Context, id upkeep.BackupID, request agent.RestoreRequest) (*agent.RestoreResult, error) {
	repository, snapshot, err := r.c.snapshot(ctx, id)
	if err != nil {
		return nil, err
	}
	held, release, err := repository.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	if err := r.client.ServeBlobs(held, vault.Scoped(repository, []vault.ID{*snapshot.Tree})); err != nil {
		return nil, err
	}
	request.Tree, request.Polynomial = snapshot.Tree.String(), uint64(repository.Polynomial())
	return r.client.Restore(ctx, request)
}

// knownLayout asks the site where it keeps what; when it cannot tell any
// more, what was last known counts.
func (r *Reached) knownLayout(ctx context.Context) (*cms.Layout, error) {
	layout, err := r.detect(ctx)
	if err == nil {
		return layout, nil
	}
	known, knownErr := r.c.layout(ctx, r.site.ID)
	if knownErr != nil {
		return nil, errors.Join(err, knownErr)
	}
	return known, nil
}

// restoreTime is how long a site may stay frozen for a restore in place.
const restoreTime = 2 * time.Hour

// RestoreInPlace makes the site what the backup says: frozen, backed up as it
// is, restored where it differs, proven, thawed. It returns the backup of what
// was replaced too. When the proof fails, the site is given back as it was.
func (c *Custody) RestoreInPlace(ctx context.Context, id upkeep.BackupID, progress func(upkeep.Progress)) (_ *agent.RestoreResult, safety *upkeep.Backup, err error) {
	defer upkeep.Wrap(&err, "restore backup %s in place", id)
	backup, err := c.Backups.Backup(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	ctx = context.WithoutCancel(ctx) // what is begun on a live site is finished
	r, err := c.Reach(ctx, backup.Site, progress)
	if err != nil {
		return nil, nil, err
	}
	defer r.Close()
	layout, err := r.knownLayout(ctx)
	if err != nil {
		return nil, nil, err
	}
	r.broken = true
	if err := r.openByHand(ctx, layout, restoreTime, c.Silence); err != nil {
		return nil, nil, err
	}
	result, safety, err := r.restoreFrozen(ctx, id, layout)
	return result, safety, errors.Join(err, r.reopen(ctx))
}

func (r *Reached) restoreFrozen(ctx context.Context, id upkeep.BackupID, layout *cms.Layout) (*agent.RestoreResult, *upkeep.Backup, error) {
	if err := r.holdVault(ctx); err != nil {
		return nil, nil, err
	}
	if _, err := r.Freeze(ctx); err != nil {
		return nil, nil, err
	}
	safety, err := r.backup(ctx, agent.ReadRequest{Secure: true}, &upkeep.Backup{
		Site: r.site.ID, Moment: upkeep.Manual, Frozen: true, Note: "before restore of backup " + id.String(),
	})
	if err != nil {
		return nil, nil, err
	}
	result, err := r.restore(ctx, id, agent.RestoreRequest{Layout: layout})
	if err != nil {
		return nil, safety, err
	}
	if result.Identity != nil && !result.Identity.Proven() {
		return result, safety, upkeep.Errorf(upkeep.CodeNotIdentical, "the result differs from the backup in %d places, first %s",
			len(result.Identity.Differences), result.Identity.Differences[0].Path).
			WithHint("The site was given back as it was. Restore into another folder and compare.")
	}
	return result, safety, nil
}

// reopen undoes what was not committed, thaws and closes.
func (r *Reached) reopen(ctx context.Context) error {
	_, err := r.Undo(ctx)
	if err == nil {
		err = r.Thaw(ctx)
	}
	if err == nil {
		err = r.Finish(ctx)
	}
	if err == nil && r.site.Host != 0 {
		err = r.c.shut(ctx, r.site.ID, time.Time{})
	}
	return err
}

func (r *Reached) openByHand(ctx context.Context, layout *cms.Layout, limit, silence time.Duration) error {
	if r.token == "" {
		r.token = newToken()
	}
	if r.site.Host != 0 { // first: whoever comes after a crash must know where to look
		if err := r.c.shut(ctx, r.site.ID, r.c.Now().Add(limit).UTC()); err != nil {
			return err
		}
	}
	return r.client.Open(ctx, agent.OpenRequest{Layout: layout, Token: r.token, URL: r.site.URL,
		MaxFrozen: upkeep.Duration(limit), Silence: upkeep.Duration(silence)})
}

// Freeze closes a site by hand, for at most limit.
func (c *Custody) Freeze(ctx context.Context, site upkeep.SiteID, limit time.Duration) (at time.Time, err error) {
	defer upkeep.Wrap(&err, "freeze site %s", site)
	r, err := c.Reach(ctx, site, func(upkeep.Progress) {})
	if err != nil {
		return time.Time{}, err
	}
	defer r.Close()
	layout, err := r.detect(ctx)
	if err != nil {
		return time.Time{}, err
	}
	if err := r.openByHand(ctx, layout, limit, 0); err != nil {
		return time.Time{}, err
	}
	at, err = r.Freeze(ctx)
	if err != nil {
		return time.Time{}, errors.Join(err, r.reopen(ctx))
	}
	return at, nil
}

// Thaw opens a site that was frozen by hand. One that is not frozen stays
// open; one that an intervention froze is refused.
func (c *Custody) Thaw(ctx context.Context, site upkeep.SiteID) (err error) {
	defer upkeep.Wrap(&err, "thaw site %s", site)
	r, err := c.Reach(ctx, site, func(upkeep.Progress) {})
	if err != nil {
		return err
	}
	defer r.Close()
	status, err := r.status(ctx)
	if err == nil && !status.Open && r.site.Host != 0 { // it thawed by itself
		return c.shut(ctx, site, time.Time{})
	}
	if err != nil || !status.Open {
		return err
	}
	if status.Intervention != 0 && !status.Undone && !status.Committed {
		return upkeep.Errorf(upkeep.CodeConflict, "intervention %s holds the site", status.Intervention).
			WithHint("Stop it with upkeep intervention cancel %s: it undoes and thaws.", status.Intervention)
	}
	return r.reopen(ctx)
}

// Frozen reports whether a site is frozen now. Where no journal is there, no
// agent is asked: the site itself may be gone.
func (c *Custody) Frozen(ctx context.Context, site upkeep.SiteID) (bool, error) {
	kept, err := c.Sites.Site(ctx, site)
	if err != nil {
		return false, err
	}
	at, err := c.post(ctx, kept.Host)
	if err != nil {
		return false, err
	}
	if open, err := at.Open(ctx, site.String()); err != nil || !open {
		return false, err
	}
	r, err := c.Reach(ctx, site, func(upkeep.Progress) {})
	if err != nil {
		return false, err
	}
	defer r.Close()
	status, err := r.status(ctx)
	if err != nil {
		return false, err
	}
	return status.Frozen, nil
}
