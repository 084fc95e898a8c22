package fleet

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strings"

	"upkeep"
	"upkeep/internal/agent"
	"upkeep/internal/web"
)

// Vault is web.Backups and web.Restores for a Fleet.
type Vault struct{ *Fleet }

var (
	_ web.Backups  = Vault{}
	_ web.Restores = Vault{}
)

// Backups returns the backups of a site, or all, newest first.
func (f Vault) Backups(ctx context.Context, name string) ([]web.Backup, error) {
	filter := upkeep.BackupFilter{}
	if name != "" {
		site, err := f.SiteByName(ctx, name)
		if err != nil {
			return nil, err
		}
		filter.Site = site.ID
	}
	found, err := f.Notes.Backups(ctx, filter)
	if err != nil {
		return nil, err
	}
	names, err := f.names(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]web.Backup, 0, len(found))
	for _, b := range found {
		list = append(list, web.Backup{Backup: *b, SiteName: names[b.Site]})
	}
	return list, nil
}

// Backup returns one backup.
func (f Vault) Backup(ctx context.Context, id upkeep.BackupID) (*web.Backup, error) {
	b, err := f.Notes.Backup(ctx, id)
	if err != nil {
		return nil, err
	}
	names, err := f.names(ctx)
	if err != nil {
		return nil, err
	}
	return &web.Backup{Backup: *b, SiteName: names[b.Site]}, nil
}

// CreateBackup backs up a live site.
func (f Vault) CreateBackup(ctx context.Context, actor, name, note string, progress func(upkeep.Progress)) (*web.Backup, error) {
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	b, err := f.Custody.CreateBackup(ctx, site.ID, note, progress)
	if err != nil {
		return nil, err
	}
	err = f.Enter(ctx, actor, kindBackup, site.ID, map[string]any{
		"backup": b.ID, "moment": b.Moment, "snapshot": b.Snapshot, "manifest": b.Manifest,
	})
	return &web.Backup{Backup: *b, SiteName: name}, err
}

// VerifyBackup reads a backup back.
func (f Vault) VerifyBackup(ctx context.Context, actor string, id upkeep.BackupID, deep bool, progress func(upkeep.Progress)) (*web.BackupCheck, error) {
	if _, err := f.Notes.Backup(ctx, id); err != nil {
		return nil, err
	}
	check := &web.BackupCheck{Backup: id, Deep: deep}
	read, err := f.Custody.VerifyBackup(ctx, id, deep, progress)
	switch upkeep.CodeOf(err) {
	case "":
		check.OK, check.Read = true, read
	case upkeep.CodeDamaged, upkeep.CodeNotFound:
		check.Problems = strings.Split(err.Error(), "\n")
	default:
		return nil, err
	}
	b, err := f.Notes.Backup(ctx, id)
	if err != nil {
		return nil, err
	}
	return check, f.Enter(ctx, actor, "backup_verified", b.Site, map[string]any{"backup": id, "ok": check.OK, "deep": deep})
}

// DiffBackup compares a backup with another, or with the live site when to
// is 0.
func (f Vault) DiffBackup(ctx context.Context, id, to upkeep.BackupID) ([]upkeep.Difference, error) {
	if to != 0 {
		return f.Custody.DiffBackups(ctx, id, to)
	}
	b, err := f.Notes.Backup(ctx, id)
	if err != nil {
		return nil, err
	}
	result, err := f.compareSite(ctx, b)
	if err != nil {
		return nil, err
	}
	return result.Differences, nil
}

// compareSite compares a backup with its site, which must be open: a closed
// one has files that the gate put there and some that it locked.
func (f Vault) compareSite(ctx context.Context, b *upkeep.Backup) (*agent.RestoreResult, error) {
	names, err := f.names(ctx)
	if err != nil {
		return nil, err
	}
	if err := f.mustBeOpen(ctx, &upkeep.Site{ID: b.Site, Name: names[b.Site]}); err != nil {
		return nil, err
	}
	return f.Custody.CompareSite(ctx, b.ID)
}

// PlanRestore says what a restore in place would change and lose.
func (f Vault) PlanRestore(ctx context.Context, id upkeep.BackupID, req web.RestoreRequest) (*web.RestorePlan, error) {
	b, err := f.Notes.Backup(ctx, id)
	if err != nil {
		return nil, err
	}
	plan := &web.RestorePlan{Backup: id, Since: b.Taken, Token: "elsewhere"}
	if !req.InPlace {
		return plan, nil
	}
	result, err := f.compareSite(ctx, b)
	if err != nil {
		return nil, err
	}
	plan.Differences = result.Differences
	for _, diff := range result.Differences {
		switch {
		case strings.HasPrefix(diff.Path, "table ") && diff.Change == "rows":
			plan.Rows++
		case diff.Change == "added" || diff.Change == "content":
			plan.Files++
		}
	}
	plan.Token, err = confirmation(id, result)
	return plan, err
}

// confirmation binds a yes to what was shown. Rows of tables that change all
// the time count by table, not by content.
func confirmation(id upkeep.BackupID, result *agent.RestoreResult) (string, error) {
	text, err := json.Marshal(map[string]any{"backup": id, "differences": result.Differences, "total": result.Total})
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8]), nil
}

// RestoreBackup restores in place or elsewhere.
func (f Vault) RestoreBackup(ctx context.Context, actor string, id upkeep.BackupID, req web.RestoreRequest, progress func(upkeep.Progress)) (*web.RestoreResult, error) {
	b, err := f.Notes.Backup(ctx, id)
	if err != nil {
		return nil, err
	}
	result := &web.RestoreResult{Backup: id, Dir: req.Dir, Tables: b.Tables}
	var done *agent.RestoreResult
	if req.InPlace {
		plan, err := f.PlanRestore(ctx, id, req)
		if err != nil {
			return nil, err
		}
		if plan.Token != req.Confirm {
			return nil, upkeep.Errorf(upkeep.CodeConflict, "the site is not any more as it was when you confirmed").
				WithHint("Look at the differences again: upkeep backup diff %s.", id)
		}
		if done, result.Safety, err = f.restoreInPlace(ctx, actor, b, progress); err != nil {
			return nil, err
		}
	} else {
		if done, err = f.Custody.RestoreElsewhere(ctx, id, req.Dir, req.Database, progress); err != nil {
			return nil, err
		}
	}
	result.Files, result.Bytes, result.Identity = done.Files, done.Bytes, done.Identity
	err = f.Enter(context.WithoutCancel(ctx), actor, kindRestored, b.Site, map[string]any{
		"backup": id, "dir": req.Dir, "safety": result.Safety, "identity": result.Identity,
	})
	return result, err
}

// restoreInPlace restores, and has on the ledger what was backed up before and,
// when it did not come to its end, that too.
func (f Vault) restoreInPlace(ctx context.Context, actor string, b *upkeep.Backup, progress func(upkeep.Progress)) (*agent.RestoreResult, upkeep.BackupID, error) {
	if err := f.free(ctx, b.Site); err != nil {
		return nil, 0, err
	}
	done, safety, err := f.Custody.RestoreInPlace(ctx, b.ID, progress)
	ctx = context.WithoutCancel(ctx)
	saved := upkeep.BackupID(0)
	if safety != nil {
		saved = safety.ID
		err = errors.Join(err, f.Enter(ctx, actor, kindBackup, b.Site, map[string]any{
			"backup": safety.ID, "moment": safety.Moment, "snapshot": safety.Snapshot, "manifest": safety.Manifest,
		}))
	}
	if err != nil {
		facts := map[string]any{"backup": b.ID, "safety": saved, "why": err.Error()}
		err = errors.Join(err, f.Enter(ctx, actor, kindRestoreFailed, b.Site, facts))
	}
	return done, saved, err
}

// PruneBackups drops what the retention does not keep.
func (f Vault) PruneBackups(ctx context.Context, actor, name string, req web.PruneRequest, _ func(upkeep.Progress)) (*web.PruneResult, error) {
	site, err := f.SiteByName(ctx, name)
	if err != nil {
		return nil, err
	}
	keep := defaultRetention()
	if req.Keep != nil {
		keep = *req.Keep
	}
	dropped, kept, freed, err := f.Custody.Prune(ctx, site, keep, req.DryRun)
	if err != nil {
		return nil, err
	}
	result := &web.PruneResult{Freed: freed}
	var ids []upkeep.BackupID
	for _, b := range dropped {
		ids = append(ids, b.ID)
		result.Dropped = append(result.Dropped, web.Backup{Backup: *b, SiteName: name})
	}
	for _, b := range kept {
		result.Kept = append(result.Kept, web.Backup{Backup: *b, SiteName: name})
	}
	if req.DryRun || len(ids) == 0 {
		return result, nil
	}
	return result, f.Enter(ctx, actor, kindPruned, site.ID, map[string]any{"backups": ids})
}

// defaultRetention keeps ten pairs, a month of everything, a year by month.
func defaultRetention() upkeep.Retention { return upkeep.Retention{Last: 10, Days: 30, Monthly: 12} }
