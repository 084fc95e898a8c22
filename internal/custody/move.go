package custody

import (
	"context"
	"encoding/json"
	"time"

	"upkeep"
	"upkeep/internal/vault"
	"upkeep/internal/vault/twin"
)

// LearnPlace returns the keys of the hops to a place by SFTP, as Learn does.
func (c *Custody) LearnPlace(ctx context.Context, place *Place, confirmed []string) ([]upkeep.HostKey, error) {
	if place.Kind != upkeep.SFTPStorage {
		return nil, nil
	}
	return c.Learn(ctx, place.host(), confirmed)
}

// CheckedVault is what a look at the vault found.
type CheckedVault struct {
	Place     *Place
	Snapshots int
	Took      time.Duration // to write, list, read and delete there
}

// CheckVault goes to where the vault is and does there once what backups need:
// write, list, read, delete.
func (c *Custody) CheckVault(ctx context.Context) (_ *CheckedVault, err error) {
	defer upkeep.Wrap(&err, "check the vault")
	place, err := c.Place(ctx)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	defer c.hurry()() // who asks wants to know how it is now
	repository, err := c.vault(ctx)
	if err != nil {
		return nil, err
	}
	if err := try(ctx, repository); err != nil {
		return nil, err
	}
	checked := &CheckedVault{Place: place, Took: time.Since(began)}
	snapshots, err := repository.Snapshots(ctx)
	checked.Snapshots = len(snapshots)
	return checked, err
}

// try takes a lock and gives it back: a file is written, listed, read, deleted.
func try(ctx context.Context, repository *vault.Repository) error {
	_, release, err := repository.Lock(ctx)
	if err != nil {
		return err
	}
	release()
	return nil
}

// UsePlace has the vault at another place from now on. CodeConflict when a
// backup that is on record is not there: MoveVault brings them.
func (c *Custody) UsePlace(ctx context.Context, place *Place) (err error) {
	defer upkeep.Wrap(&err, "use %s", &place.Storage)
	defer c.hurry()() // an address that is wrong is told soon
	storage, err := c.storage(place)
	if err != nil {
		return err
	}
	known, err := c.Backups.Backups(ctx, upkeep.BackupFilter{})
	if err != nil {
		return err
	}
	repository, err := c.openAt(ctx, place, storage, len(known) == 0)
	switch upkeep.CodeOf(err) {
	case upkeep.CodeNotFound:
		return upkeep.Errorf(upkeep.CodeConflict, "there is no vault, and %d backups are at the place used so far", len(known)).
			WithHint("Have them brought there: --move.")
	case upkeep.CodeUnauthorized:
		return upkeep.Errorf(upkeep.CodeUnauthorized, "%w", err).
			WithHint("When that is another vault, choose another place. When it is a copy of this one, add its password there: restic key add, with what upkeep vault password shows.")
	}
	if err != nil {
		return err
	}
	if err := holdsAll(ctx, repository, known); err != nil {
		return err
	}
	if err := try(ctx, repository); err != nil {
		return err
	}
	place.Repository = repository.ID()
	return c.keepPlace(ctx, place)
}

func (c *Custody) keepPlace(ctx context.Context, place *Place) error {
	text, err := json.Marshal(place)
	if err != nil {
		return err
	}
	sealed, err := c.Sealer.Seal(text)
	if err != nil {
		return err
	}
	return c.Secrets.ReplaceSecret(ctx, secretPlace, sealed)
}

// holdsAll returns CodeConflict when a repository lacks a known backup.
func holdsAll(ctx context.Context, repository *vault.Repository, known []*upkeep.Backup) error {
	snapshots, err := repository.Snapshots(ctx)
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for i := range snapshots {
		there[snapshots[i].ID.String()] = true
	}
	lacking := 0
	for _, backup := range known {
		if !there[backup.Snapshot] {
			lacking++
		}
	}
	if lacking == 0 {
		return nil
	}
	return upkeep.Errorf(upkeep.CodeConflict, "%d of %d backups on record are not there", lacking, len(known)).
		WithHint("Have them brought there: --move.")
}

// MoveVault copies the vault to another place, proves the copy file by file,
// and uses it from then on. Backups may be made meanwhile, but for the end of
// it. What it is ended in the middle of, the next call goes on with. The old
// place stays as it is.
func (c *Custody) MoveVault(ctx context.Context, place *Place, progress func(upkeep.Progress)) (err error) {
	defer upkeep.Wrap(&err, "move the vault to %s", &place.Storage)
	repository, err := c.vault(ctx)
	if err != nil {
		return err
	}
	to, err := c.storage(place)
	if err != nil {
		return err
	}
	now, err := c.Place(ctx)
	if err != nil {
		return err
	}
	from, err := c.storage(now)
	if err != nil {
		return err
	}
	copying := &twin.Copy{From: from, To: to, Progress: func(done, total int64) {
		progress(upkeep.Progress{Code: "vault_move", Done: done, Total: total, Unit: "bytes"})
	}}
	held, release, err := repository.Lock(ctx)
	if err != nil {
		return err
	}
	err = copying.Run(held)
	release()
	if err != nil {
		return err
	}
	held, release, err = repository.LockAlone(ctx)
	if err != nil {
		return err
	}
	defer release()
	if err := copying.Finish(held); err != nil {
		return err
	}
	return c.UsePlace(held, place)
}
