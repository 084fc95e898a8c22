// Package ledger is the hash-chained record of everything done: each entry
// holds the hash of the one before, so that nothing can be changed, left out
// or put in without every later hash showing it, and a signed checkpoint keeps
// the end from being cut off. Verify needs nothing of ours but the export.
package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"iter"
	"time"

	"upkeep"
)

// genesis is what the first entry names as the hash before it.
const genesis = "0000000000000000000000000000000000000000000000000000000000000000"

// Rows keeps the entries.
type Rows interface {
	// CreateLedgerEntry appends what seal makes of the last entry, zero on an
	// empty ledger, with no other append in between.
	CreateLedgerEntry(
		ctx context.Context, seal func(last upkeep.LedgerEntry) (upkeep.LedgerEntry, error),
	) (upkeep.LedgerEntry, error)
	// LedgerEntries returns at most limit entries after a Seq, in order.
	LedgerEntries(ctx context.Context, after int64, limit int) ([]upkeep.LedgerEntry, error)
}

// Ledger appends to rows and reads them.
type Ledger struct {
	Rows  Rows
	Clock upkeep.Clock
}

// Append adds what entry says (Site, Actor, Kind, Facts) and returns it as it
// was chained. CodeInvalid when Facts have no canonical JSON.
func (l *Ledger) Append(ctx context.Context, entry upkeep.LedgerEntry) (_ upkeep.LedgerEntry, err error) {
	defer upkeep.Wrap(&err, "ledger %s", entry.Kind)
	if entry.Actor == "" || entry.Kind == "" {
		return entry, upkeep.Errorf(upkeep.CodeInvalid, "an entry says who did what")
	}
	return l.Rows.CreateLedgerEntry(ctx, func(last upkeep.LedgerEntry) (upkeep.LedgerEntry, error) {
		return chain(last, entry, l.Clock())
	})
}

// chain makes entry the one after last.
func chain(last, entry upkeep.LedgerEntry, now time.Time) (_ upkeep.LedgerEntry, err error) {
	entry.Seq = last.Seq + 1
	entry.At = now.UTC().Truncate(time.Microsecond) // what the rows keep
	entry.Previous = last.Hash
	if last.Seq == 0 {
		entry.Previous = genesis
	}
	entry.Hash, err = Hash(entry)
	return entry, err
}

// Hash returns the hash that entry must carry: hex SHA-256 over its canonical
// JSON without the member "hash".
func Hash(entry upkeep.LedgerEntry) (string, error) {
	text, err := json.Marshal(entry)
	if err != nil {
		return "", upkeep.Errorf(upkeep.CodeInvalid, "entry %d: %w", entry.Seq, err)
	}
	return hashText(text)
}

// hashText is Hash of an entry as it stands in an export, so that a member we
// do not know counts too.
func hashText(text []byte) (string, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		return "", upkeep.Errorf(upkeep.CodeInvalid, "not json: %w", err)
	}
	delete(members, "hash")
	rest, err := json.Marshal(members)
	if err != nil {
		return "", err
	}
	canonical, err := Canonical(rest)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:]), nil
}

// page is how many entries are read at once.
const page = 500

// Entries yields all entries in order, and ends with an error if there is one.
func (l *Ledger) Entries(ctx context.Context) iter.Seq2[upkeep.LedgerEntry, error] {
	return func(yield func(upkeep.LedgerEntry, error) bool) {
		var after int64
		for {
			entries, err := l.Rows.LedgerEntries(ctx, after, page)
			if err != nil {
				yield(upkeep.LedgerEntry{}, err)
				return
			}
			for _, entry := range entries {
				if !yield(entry, nil) {
					return
				}
				after = entry.Seq
			}
			if len(entries) < page {
				return
			}
		}
	}
}

// Verify checks that entries are the whole chain from the first on. It returns
// CodeDamaged naming the first Seq that is not as it was written, or the error
// that reading them gave.
func Verify(entries iter.Seq2[upkeep.LedgerEntry, error]) error {
	var link link
	for entry, err := range entries {
		if err != nil {
			return err
		}
		hash, err := Hash(entry)
		if err != nil {
			return damaged(link.seq+1, err)
		}
		if err := link.next(entry, hash); err != nil {
			return err
		}
	}
	return nil
}

// link is how far a chain holds.
type link struct {
	seq  int64
	hash string
}

// next takes the entry whose own hash was computed as hash.
func (l *link) next(entry upkeep.LedgerEntry, hash string) error {
	previous := l.hash
	if l.seq == 0 {
		previous = genesis
	}
	switch {
	case entry.Seq != l.seq+1:
		return damaged(l.seq+1, upkeep.Phrase("missing or out of its place"))
	case entry.Previous != previous:
		return damaged(entry.Seq, upkeep.Phrase("it does not continue the one before"))
	case entry.Hash != hash:
		return damaged(entry.Seq, upkeep.Phrase("its content is not what was hashed"))
	}
	l.seq, l.hash = entry.Seq, hash
	return nil
}

func damaged(seq int64, why any) error {
	return upkeep.Errorf(upkeep.CodeDamaged, "ledger entry %d: %s", seq, why).
		WithHint("Compare with an earlier export: everything before entry %d is as it was written.", seq)
}
