package custody

import (
	"context"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/pace"
)

// maxHoldings bounds how many holdings of unfinished backups are remembered.
const maxHoldings = 16

// holding is what the site has in the vault, for a backup of it: what its
// newest backup reaches and what it has sent since, in a backup that did not
// come to its end too.
func (r *Reached) holding(ctx context.Context, repository *vault.Repository) (*vault.Holding, error) {
	if r.holds != nil {
		return r.holds, nil
	}
	r.c.mu.Lock()
	r.holds = r.c.holdings[r.site.ID]
	r.c.mu.Unlock()
	if r.holds != nil {
		return r.holds, nil
	}
	backups, err := r.c.Backups.Backups(ctx, upkeep.BackupFilter{Site: r.site.ID, Limit: 1})
	if err != nil {
		return nil, err
	}
	var trees []vault.ID
	for _, backup := range backups {
		id, err := vault.ParseID(backup.Snapshot)
		if err != nil {
			return nil, err
		}
		snapshot, err := repository.Snapshot(ctx, id)
		if upkeep.CodeOf(err) == upkeep.CodeNotFound || upkeep.CodeOf(err) == upkeep.CodeDamaged {
			continue // pruned by restic: all is sent anew
		}
		if err != nil {
			return nil, err
		}
		trees = append(trees, *snapshot.Tree)
	}
	if r.holds, err = repository.Holding(ctx, trees); err != nil {
		return nil, err
	}
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	if len(r.c.holdings) >= maxHoldings {
		clear(r.c.holdings)
	}
	r.c.holdings[r.site.ID] = r.holds
	return r.holds, nil
}

// letHoldingGo forgets a holding: a backup reaches all of it now.
func (c *Custody) letHoldingGo(site upkeep.SiteID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.holdings, site)
}

// hurry lifts the bounds of what goes to the vault, for as long as a site is
// frozen for it.
func (c *Custody) hurry() (done func()) {
	upload, transfer := c.Upload.Hurry(), c.Transfer.Hurry()
	return func() {
		upload()
		transfer()
	}
}

// paced takes blobs of a host no faster than it may send. Where nothing is
// taken, the host's line fills, and it waits.
type paced struct {
	vault.Blobs
	pace *pace.Pace
}

// Save takes a blob when its turn has come.
func (p *paced) Save(ctx context.Context, t vault.BlobType, id vault.ID, data []byte) error {
	if err := p.pace.Wait(ctx, len(data)); err != nil {
		return err
	}
	return p.Blobs.Save(ctx, t, id, data)
}
