package ledger_test

import (
	"bytes"
	"crypto/ed25519"
	"database/sql"
	"encoding/json"
	"fmt"
	"iter"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/ledger"
	"upkeep/internal/store"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// newLedger returns a ledger on real records with five entries.
func newLedger(t *testing.T) (*ledger.Ledger, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "records.db")
	db, err := store.Open(t.Context(), store.Config{Path: path})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	l := &ledger.Ledger{Rows: db, Clock: time.Now}
	for i := range 5 {
		_, err := l.Append(t.Context(), upkeep.LedgerEntry{Site: upkeep.SiteID(i % 2), Actor: "anna", Kind: "site_added",
			Facts: map[string]any{"name": "café <b> \u2028 😀", "n": int64(i), "big": int64(1<<53 - 1), "ratio": 1.0 / 3,
				"tiny": 5e-324, "nested": map[string]any{"b": []any{nil, true}, "a": time.Unix(9, 0)}}})
		must(t, err)
	}
	return l, path
}

func TestAppendAndVerify(t *testing.T) {
	l, _ := newLedger(t)
	must(t, ledger.Verify(l.Entries(t.Context())))
	must(t, ledger.Verify(func(func(upkeep.LedgerEntry, error) bool) {}))
	_, err := l.Append(t.Context(), upkeep.LedgerEntry{Kind: "site_added"})
	wantCode(t, err, upkeep.CodeInvalid)
	for _, fact := range []any{int64(1) << 60, math.Inf(1), make(chan int)} {
		_, err = l.Append(t.Context(), upkeep.LedgerEntry{Actor: "anna", Kind: "k", Facts: map[string]any{"f": fact}})
		wantCode(t, err, upkeep.CodeInvalid)
	}
	must(t, ledger.Verify(l.Entries(t.Context())))
}

func TestAppendsAtOnce(t *testing.T) {
	l, _ := newLedger(t)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 80 { // more than a page in all
				if _, err := l.Append(t.Context(), upkeep.LedgerEntry{Actor: "anna", Kind: "k"}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	must(t, ledger.Verify(l.Entries(t.Context())))
	var count int
	for range l.Entries(t.Context()) {
		count++
	}
	if count != 645 {
		t.Errorf("%d entries of 645", count)
	}
}

func wantCode(t *testing.T, err error, code upkeep.Code, words ...string) {
	t.Helper()
	if upkeep.CodeOf(err) != code {
		t.Fatalf("got %v (%s), want %s", err, upkeep.CodeOf(err), code)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not name %q", err, word)
		}
	}
}

func of(entries []upkeep.LedgerEntry) iter.Seq2[upkeep.LedgerEntry, error] {
	return func(yield func(upkeep.LedgerEntry, error) bool) {
		for _, entry := range entries {
			if !yield(entry, nil) {
				return
			}
		}
	}
}

func TestVerifyNamesTheFirstBrokenEntry(t *testing.T) {
	l, _ := newLedger(t)
	var sound []upkeep.LedgerEntry
	for entry, err := range l.Entries(t.Context()) {
		must(t, err)
		sound = append(sound, entry)
	}
	rehash := func(entry *upkeep.LedgerEntry) {
		hash, err := ledger.Hash(*entry)
		must(t, err)
		entry.Hash = hash
	}
	tests := map[string]struct {
		tamper func(e []upkeep.LedgerEntry) []upkeep.LedgerEntry
		seq    int
	}{
		"actor":      {func(e []upkeep.LedgerEntry) []upkeep.LedgerEntry { e[2].Actor = "eve"; return e }, 3},
		"kind":       {func(e []upkeep.LedgerEntry) []upkeep.LedgerEntry { e[2].Kind = "k"; return e }, 3},
		"site":       {func(e []upkeep.LedgerEntry) []upkeep.LedgerEntry { e[2].Site = 9; return e }, 3},
		"time":       {func(e []upkeep.LedgerEntry) []upkeep.LedgerEntry { e[2].At = e[2].At.Add(1000); return e }, 3},
		"facts":      {func(e []upkeep.LedgerEntry) []upkeep.LedgerEntry { e[2].Facts = nil; return e }, 3},
		"hash":       {func(e []upkeep.LedgerEntry) []upkeep.LedgerEntry { e[2].Hash = e[1].Hash; return e }, 3},
		"rehashed":   {func(e []upkeep.LedgerEntry) []upkeep.LedgerEntry { e[2].Actor = "eve"; rehash(&e[2]); return e }, 4},
		"removed":    {func(e []upkeep.LedgerEntry) []upkeep.LedgerEntry { return slices.Delete(e, 1, 2) }, 2},
		"first":      {func(e []upkeep.LedgerEntry) []upkeep.LedgerEntry { return e[1:] }, 1},
		"swapped":    {func(e []upkeep.LedgerEntry) []upkeep.LedgerEntry { e[3], e[4] = e[4], e[3]; return e }, 4},
		"duplicated": {func(e []upkeep.LedgerEntry) []upkeep.LedgerEntry { return slices.Insert(e, 2, e[1]) }, 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := ledger.Verify(of(test.tamper(slices.Clone(sound))))
			wantCode(t, err, upkeep.CodeDamaged, fmt.Sprintf("entry %d:", test.seq))
		})
	}
}

// Someone with the file and a shell can drop the triggers, not the hashes.
func TestVerifySeesChangedRows(t *testing.T) {
	l, path := newLedger(t)
	direct, err := sql.Open("sqlite", path)
	must(t, err)
	defer direct.Close()
	_, err = direct.Exec(`DROP TRIGGER ledger_is_not_changed; UPDATE ledger SET facts = '{"n":7}' WHERE seq = 4`)
	must(t, err)
	wantCode(t, ledger.Verify(l.Entries(t.Context())), upkeep.CodeDamaged, "entry 4:")
	var out bytes.Buffer
	_, err = l.Export(t.Context(), &out, key(1))
	wantCode(t, err, upkeep.CodeDamaged, "entry 4:")
	if lines := strings.Count(out.String(), "\n"); lines != 3 {
		t.Errorf("%d sound lines exported, want 3", lines)
	}
}

func key(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func public(seed byte) ed25519.PublicKey { return key(seed).Public().(ed25519.PublicKey) }

func TestExport(t *testing.T) {
	l, _ := newLedger(t)
	var out bytes.Buffer
	checkpoint, err := l.Export(t.Context(), &out, key(1))
	must(t, err)
	got, err := ledger.VerifyExport(bytes.NewReader(out.Bytes()), public(1))
	must(t, err)
	if got.Seq != 5 || got.Hash != checkpoint.Hash || !got.At.Equal(checkpoint.At) {
		t.Errorf("got %+v, want %+v", got, checkpoint)
	}
	lines := strings.SplitAfter(out.String(), "\n")
	whole := out.String()
	for name, test := range map[string]struct {
		text string
		key  ed25519.PublicKey
		word string
	}{
		"another key":     {whole, public(2), "checkpoint"},
		"no key":          {whole, nil, "checkpoint"},
		"empty":           {"", public(1), "entry 1:"},
		"cut":             {strings.Join(lines[:4], ""), public(1), "entry 5:"},
		"end left out":    {strings.Join(lines[:4], "") + lines[5], public(1), "entry 5:"},
		"value changed":   {strings.Replace(whole, `"n":2`, `"n":3`, 1), public(1), "entry 3:"},
		"member added":    {strings.Replace(whole, `"n":2`, `"m":0,"n":2`, 1), public(1), "entry 3:"},
		"unknown member":  {strings.Replace(whole, `"seq":3`, `"seq":3,"x":1`, 1), public(1), "entry 3:"},
		"not json":        {lines[0] + "garbage\n", public(1), "entry 2:"},
		"half a line":     {whole[:len(lines[0])+20], public(1), "entry 2:"},
		"checkpoint time": {strings.Replace(whole, `{"checkpoint":{"at":"2`, `{"checkpoint":{"at":"3`, 1), public(1), "checkpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := ledger.VerifyExport(strings.NewReader(test.text), test.key)
			wantCode(t, err, upkeep.CodeDamaged, test.word)
		})
	}
}

// A chain that was written anew from the middle on has sound hashes, but not
// the signature.
func TestRewrittenChainHasNoCheckpoint(t *testing.T) {
	l, _ := newLedger(t)
	other, _ := newLedger(t)
	var out, rewritten bytes.Buffer
	_, err := l.Export(t.Context(), &out, key(1))
	must(t, err)
	_, err = other.Export(t.Context(), &rewritten, key(2))
	must(t, err)
	forged := strings.SplitAfter(rewritten.String(), "\n")
	genuine := strings.SplitAfter(out.String(), "\n")
	_, err = ledger.VerifyExport(strings.NewReader(strings.Join(forged[:5], "")+genuine[5]), public(1))
	wantCode(t, err, upkeep.CodeDamaged, "another chain")
}

// The first hash is fixed for good: a verifier written from the documentation
// must come to the same.
func TestHashVector(t *testing.T) {
	entry := upkeep.LedgerEntry{Seq: 1, At: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC), Site: 3, Actor: "anna",
		Kind: "site_added", Facts: map[string]any{"name": "café", "n": 1.5}, Previous: strings.Repeat("0", 64)}
	got, err := ledger.Hash(entry)
	must(t, err)
	const want = "c3a335c6dc1a14bc6229a6e7658d336a7862a78a8850d4975a0e4d4fc0abfad1"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	entry.Hash = "whatever"
	if again, _ := ledger.Hash(entry); again != want {
		t.Errorf("the hash depends on itself: %s", again)
	}
}

// The examples of RFC 8785, sections 3.2.2 to 3.2.4 and appendix B.
func TestCanonical(t *testing.T) {
	for text, want := range map[string]string{
		`[333333333.33333329,4.50,2e-3,0.000000000000000000000000001]`: `[333333333.3333333,4.5,0.002,1e-27]`,
		`"\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/"`:              `"€$\u000f\nA'B\"\\\\\"/"`,
		`{"\u20ac":"Euro Sign","\r":"Carriage Return","\ufb33":"Hebrew Letter Dalet With Dagesh","1":"One","\ud83d\ude00":"Emoji: Grinning Face","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis"}`: "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u0080\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\"€\":\"Euro Sign\",\"😀\":\"Emoji: Grinning Face\",\"\ufb33\":\"Hebrew Letter Dalet With Dagesh\"}",
		`[-0, 0.0, 1.0, 1e3, -1.5E-7, 5e-324, 9007199254740991]`: `[0,0,1,1000,-1.5e-7,5e-324,9007199254740991]`,
		"\"<&>\u2028\u007f\\b\\f\\t\"":                           "\"<&>\u2028\u007f\\b\\f\\t\"",
		` { } `:                                                  `{}`,
		`9007199254740993`:                                       ``,
		`1e999`:                                                  ``,
		`{"a":1}{}`:                                              ``,
		`{`:                                                      ``,
		"\"\xff\"":                                               ``,
	} {
		got, err := ledger.Canonical([]byte(text))
		if want == "" {
			wantCode(t, err, upkeep.CodeInvalid)
			continue
		}
		if err != nil || string(got) != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", text, got, err, want)
		}
	}
}

func FuzzCanonical(f *testing.F) {
	f.Add([]byte(`{"b":[1,2.5,"x\n"],"a":{"c":null}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		first, err := ledger.Canonical(text)
		if err != nil {
			return
		}
		again, err := ledger.Canonical(first)
		if err != nil || !bytes.Equal(first, again) {
			t.Errorf("%q becomes %q, then %q (%v)", text, first, again, err)
		}
		if !json.Valid(first) {
			t.Errorf("%q is not json", first)
		}
	})
}
