package fleet

import (
	"context"

	"upkeep"
	"upkeep/internal/ledger"
	"upkeep/internal/web"
)

// Entries returns the lines of the ledger that match, oldest first.
func (f *Fleet) Entries(ctx context.Context, filter web.LedgerFilter) ([]web.LedgerEntry, error) {
	var site upkeep.SiteID
	if filter.Site != "" {
		found, err := f.SiteByName(ctx, filter.Site)
		if err != nil {
			return nil, err
		}
		site = found.ID
	}
	names, err := f.names(ctx)
	if err != nil {
		return nil, err
	}
	var entries []web.LedgerEntry
	for entry, err := range f.Ledger.Entries(ctx) {
		if err != nil {
			return nil, err
		}
		if entry.Seq > filter.After && (site == 0 || entry.Site == site) {
			entries = append(entries, web.LedgerEntry{LedgerEntry: entry, SiteName: names[entry.Site]})
		}
	}
	if filter.Limit > 0 && len(entries) > filter.Limit {
		entries = entries[len(entries)-filter.Limit:]
	}
	return entries, nil
}

// VerifyLedger recomputes the whole chain.
func (f *Fleet) VerifyLedger(ctx context.Context) (*web.LedgerCheck, error) {
	check := &web.LedgerCheck{OK: true}
	err := ledger.Verify(func(yield func(upkeep.LedgerEntry, error) bool) {
		for entry, err := range f.Ledger.Entries(ctx) {
			check.Entries, check.Head = entry.Seq, entry.Hash
			if !yield(entry, err) {
				return
			}
		}
	})
	if upkeep.CodeOf(err) == upkeep.CodeDamaged {
		check.OK, check.Broken = false, check.Entries // where it stopped
		return check, nil
	}
	return check, err
}
