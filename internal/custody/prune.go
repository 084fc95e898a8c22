package custody

import (
	"context"
	"crypto/rand"
	"slices"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/retention"
)

// Prune drops the backups of a site that keep no longer covers, pairs
// together, and frees what only they used. It returns both lists and how many
// bytes the vault shrank by.
func (c *Custody) Prune(ctx context.Context, site *upkeep.Site, keep upkeep.Retention, dryRun bool) (dropped, kept []*upkeep.Backup, freed int64, err error) {
	defer upkeep.Wrap(&err, "prune backups of %s", site.Name)
	repository, err := c.vault(ctx)
	if err != nil {
		return nil, nil, 0, err
	}
	expired, err := expiredOf(ctx, repository, site, keep, c.Now)
	if err != nil {
		return nil, nil, 0, err
	}
	backups, err := c.Backups.Backups(ctx, upkeep.BackupFilter{Site: site.ID})
	if err != nil {
		return nil, nil, 0, err
	}
	for _, b := range backups {
		id, err := vault.ParseID(b.Snapshot)
		if err == nil && slices.Contains(expired, id) {
			dropped = append(dropped, b)
		} else {
			kept = append(kept, b)
		}
	}
	if !dryRun {
		if err := c.forget(ctx, repository, expired, dropped); err != nil {
			return nil, nil, 0, err
		}
	}
	pruned, err := repository.Prune(ctx, vault.PruneOptions{DryRun: dryRun, Without: expired})
	if err != nil {
		return nil, nil, 0, err
	}
	return dropped, kept, pruned.Freed, nil
}

func expiredOf(ctx context.Context, repository *vault.Repository, site *upkeep.Site, keep upkeep.Retention, now upkeep.Clock) ([]vault.ID, error) {
	snapshots, err := repository.Snapshots(ctx)
	if err != nil {
		return nil, err
	}
	snapshots = slices.DeleteFunc(snapshots, func(s vault.Snapshot) bool { return s.Site() != site.Name })
	return retention.Expired(snapshots, keep, now()), nil
}

// forget drops the records first: a backup that is listed can be restored.
func (c *Custody) forget(ctx context.Context, repository *vault.Repository, expired []vault.ID, dropped []*upkeep.Backup) error {
	for _, b := range dropped {
		if err := c.Backups.DeleteBackup(ctx, b.ID); err != nil {
			return err
		}
	}
	held, release, err := repository.Lock(ctx)
	if err != nil {
		return err
	}
	defer release()
	return repository.Forget(held, expired...)
}

func newToken() string { return rand.Text() }
