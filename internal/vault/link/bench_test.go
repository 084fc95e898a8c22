//go:build bench

package link_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"upkeep/internal/vault"
	"upkeep/internal/vault/archive"
)

// notSlower is how much of restic's time we may take for a first backup, with
// what a measurement of seconds may be wrong by.
const notSlower = 1.1

// TestBenchStorages has us and restic back up the same folder to the same
// servers, one after the other, three times each. Ours reads back what it wrote.
func TestBenchStorages(t *testing.T) {
	site := t.TempDir()
	for i := range 60 {
		if err := os.WriteFile(filepath.Join(site, fmt.Sprint(i)), noise(4<<20), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{"folder", "sftp", "s3"} {
		var ours, proven, theirs []time.Duration
		for range 3 {
			p := places(t, nil)[kind]
			began := time.Now()
			stored, took := p.ours(t, site)
			ours, proven = append(ours, took), append(proven, time.Since(began))
			p.run(t, "snapshots", stored)
			q := places(t, nil)[kind]
			q.run(t, "init")
			began = time.Now()
			q.run(t, "backup", site)
			theirs = append(theirs, time.Since(began))
		}
		a, b, c := middle(ours), middle(proven), middle(theirs)
		t.Logf("%-6s 240 MB: ours %.2f s, read back %.2f s; restic %.2f s, not read back; ratio %.2f", kind, a.Seconds(), b.Seconds(), c.Seconds(), a.Seconds()/c.Seconds())
		if a.Seconds() > notSlower*c.Seconds() {
			t.Errorf("%s: ours %v, restic %v", kind, a, c)
		}
	}
}

func middle(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}

// ours makes a backup as the program does. took is without reading it back.
func (p *place) ours(t *testing.T, site string) (snapshot string, took time.Duration) {
	t.Helper()
	if _, err := vault.Create(t.Context(), p, password); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	repo, held, release := p.lock(t)
	defer release()
	result, err := archive.Read(held, repo, []archive.Source{{Name: "site", Dir: site}}, archive.Options{Polynomial: repo.Polynomial()})
	if err != nil {
		t.Fatal(err)
	}
	written, err := repo.Flush(held)
	if err != nil {
		t.Fatal(err)
	}
	took = time.Since(began)
	if err := repo.VerifyBlobs(held, written); err != nil {
		t.Fatal(err)
	}
	s := &vault.Snapshot{Tree: &result.Tree, Paths: []string{site}}
	if err := repo.SaveSnapshot(held, s); err != nil {
		t.Fatal(err)
	}
	return s.ID.String(), took
}
