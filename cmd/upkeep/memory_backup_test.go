package main

import (
	"context"
	"slices"
	"time"

	"upkeep"
	"upkeep/internal/web"
)

func (m *memory) Backups(ctx context.Context, site string) ([]web.Backup, error) {
	if site != "" {
		if _, err := m.Site(ctx, site); err != nil {
			return nil, err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(m.state.Backups), func(b web.Backup) bool { return site != "" && b.SiteName != site }), nil
}

func (m *memory) Backup(_ context.Context, id upkeep.BackupID) (*web.Backup, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.state.Backups {
		if b.ID == id {
			return &b, nil
		}
	}
	return nil, missing("backup", id)
}

// work reports progress in ten steps.
func (m *memory) work(ctx context.Context, code string, progress func(upkeep.Progress)) error {
	const size = 1_370_000_000
	for i := range int64(11) {
		progress(upkeep.Progress{Code: code, Done: size / 10 * i, Total: size, Unit: "bytes"})
		if err := m.step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (m *memory) step(ctx context.Context) error {
	if m.pace == 0 {
		return ctx.Err()
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(m.pace):
		return nil
	}
}

func (m *memory) CreateBackup(ctx context.Context, _, site, note string, progress func(upkeep.Progress)) (*web.Backup, error) {
	s, err := m.Site(ctx, site)
	if err != nil {
		return nil, err
	}
	if err := m.work(ctx, "backup_files", progress); err != nil {
		return nil, err
	}
	if m.end == "waits" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	m.changed("backup", site)
	m.mu.Lock()
	defer m.mu.Unlock()
	b := m.state.Backups[0]
	b.ID, b.Site, b.SiteName, b.Note, b.Moment = 32, s.ID, site, note, upkeep.Manual
	m.state.Backups = slices.Insert(m.state.Backups, 0, b)
	return &b, nil
}

func (m *memory) VerifyBackup(ctx context.Context, _ string, id upkeep.BackupID, deep bool, progress func(upkeep.Progress)) (*web.BackupCheck, error) {
	if _, err := m.Backup(ctx, id); err != nil {
		return nil, err
	}
	check := &web.BackupCheck{Backup: id, Deep: deep, OK: !m.down, Read: 137_000_000}
	if m.down {
		check.Problems = []string{"pack 12ab34cd: wrong bytes"}
	}
	return check, m.work(ctx, "verify", progress)
}

func (m *memory) DiffBackup(ctx context.Context, id, to upkeep.BackupID) ([]upkeep.Difference, error) {
	for _, id := range []upkeep.BackupID{id, max(id, to)} {
		if _, err := m.Backup(ctx, id); err != nil {
			return nil, err
		}
	}
	return []upkeep.Difference{{Path: "site/index.php", Change: "content"}, {Path: "table wp_posts", Change: "rows"}}, nil
}

func (m *memory) PlanRestore(ctx context.Context, id upkeep.BackupID, _ web.RestoreRequest) (*web.RestorePlan, error) {
	differences, err := m.DiffBackup(ctx, id, 0)
	return &web.RestorePlan{Backup: id, Differences: differences, Since: day(5, 30, 0), Rows: 12_345, Files: 1, Token: "seen"}, err
}

func (m *memory) RestoreBackup(ctx context.Context, _ string, id upkeep.BackupID, req web.RestoreRequest, progress func(upkeep.Progress)) (*web.RestoreResult, error) {
	if req.InPlace && req.Confirm != "seen" {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "the site changed since the plan")
	}
	m.changed("restore", id.String(), req.Dir, req.Database)
	result := &web.RestoreResult{Backup: id, Dir: req.Dir, Files: 1, Bytes: 405, Tables: 1, Identity: &upkeep.Identity{Before: "ab", After: "ab"}}
	if m.down {
		result.Identity.Differences = []upkeep.Difference{{Path: "site/index.php", Change: "time"}}
	}
	return result, m.work(ctx, "restore_files", progress)
}

func (m *memory) PruneBackups(ctx context.Context, _, site string, req web.PruneRequest, _ func(upkeep.Progress)) (*web.PruneResult, error) {
	all, err := m.Backups(ctx, site)
	if err != nil {
		return nil, err
	}
	keep := len(all)
	if req.Keep != nil {
		keep = min(keep, max(req.Keep.Last, 1))
	}
	if !req.DryRun {
		m.changed("prune", site)
	}
	return &web.PruneResult{Kept: all[:keep], Dropped: all[keep:], Freed: 52_000_000}, nil
}
