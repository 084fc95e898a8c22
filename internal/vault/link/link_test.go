// Package link_test holds every storage to the same contract, with real
// servers, and has restic judge what lies there.
package link_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/ssh"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/vault"
	"upkeep/internal/vault/pace"
	"upkeep/internal/vault/s3"
)

const password = "correct horse battery staple"

// place is a storage, and how restic comes to it.
type place struct {
	vault.Storage
	work   work     // opens it
	dir    string   // where its files are
	restic []string // arguments
	env    []string
	stop   func()
	start  func()
	stall  func(on bool)
}

// places returns one of each kind. Networks have a pace, nil for none.
func places(t *testing.T, speed *pace.Pace) map[string]*place {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "vault")
	server := upkeeptest.NewS3(t, "")
	bucket := work{URL: server.URL("agency/one"), Keys: s3.Keys{Access: server.Access, Secret: server.Secret}}
	host := upkeeptest.NewHost(t, upkeeptest.AsRoot)
	dir := filepath.Join(host.Dir, "deep/vault")
	at, err := upkeep.ParseStorage(bucket.URL)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]*place{
		"folder": {work: work{URL: folder}, dir: folder, restic: []string{"-r", folder}},
		"sftp": {work: sftpWork(t, host, dir), dir: dir,
			restic: []string{"-r", "sftp:nas:" + dir, "-o", "sftp.command=" + sshCommand(host)},
			stop:   func() { host.Stop(); host.Cut(true) }, start: func() { host.Start(t); host.Cut(false) }, stall: host.Stall},
		"s3": {work: bucket, dir: filepath.Join(server.Dir, "agency/one"), restic: []string{"-r", at.Restic()}, env: server.Environment(),
			stop: server.Stop, start: func() { server.Start(t) }, stall: server.Stall},
	}
	for _, p := range all {
		if p.Storage, err = p.work.storage(speed); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func sshCommand(host *upkeeptest.Host) string {
	address, port, _ := strings.Cut(host.Addr(), ":")
	return fmt.Sprintf("ssh -F %s -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -p %s root@%s -s sftp", host.Config, port, address)
}

// sftpWork is work in a folder of a host, whose key is learnt first.
func sftpWork(t *testing.T, host *upkeeptest.Host, dir string) work {
	t.Helper()
	at, err := upkeep.ParseHop(host.URL())
	if err != nil {
		t.Fatal(err)
	}
	w := work{URL: "sftp://" + at.String() + dir, Config: host.Config, Host: upkeep.Host{Name: "nas", At: at}}
	reacher := ssh.New(ssh.Config{Program: "/usr/bin/ssh", File: host.Config, Home: t.TempDir(), User: "root", Log: slog.New(slog.DiscardHandler)})
	if w.Host.Keys, err = reacher.Keys(t.Context(), &w.Host, []string{host.Fingerprint(t)}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (p *place) run(t *testing.T, args ...string) string {
	t.Helper()
	cmd := exec.Command("restic", slices.Concat(p.restic, []string{"--no-cache"}, args)...)
	cmd.Env = slices.Concat(os.Environ(), p.env, []string{"RESTIC_PASSWORD=" + password})
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("restic %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// lock opens the repository of a place and locks it.
func (p *place) lock(t *testing.T) (repo *vault.Repository, held context.Context, release func()) {
	t.Helper()
	repo, err := vault.Open(t.Context(), p, password)
	if err != nil {
		t.Fatal(err)
	}
	if held, release, err = repo.Lock(t.Context()); err != nil {
		t.Fatal(err)
	}
	return repo, held, release
}

func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.Read(data) // never fails
	return data
}

// TestStoragesKeepTheContract: whole files, ranges, what is not there, what is
// there already.
func TestStoragesKeepTheContract(t *testing.T) {
	for kind, p := range places(t, nil) {
		t.Run(kind, func(t *testing.T) {
			ctx := t.Context()
			for _, name := range []string{"config", "data/ab/abcd"} {
				if _, err := p.Stat(ctx, name); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("stat of nothing: %v", err)
				}
				if _, err := p.Load(ctx, name, 0, 0); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("load of nothing: %v", err)
				}
				if err := p.Remove(ctx, name); err != nil {
					t.Errorf("remove of nothing: %v", err)
				}
			}
			if err := p.List(ctx, "data", func(vault.FileInfo) error { return errors.New("a file") }); err != nil {
				t.Errorf("list of nothing: %v", err)
			}
			large := noise(17 << 20)
			for name, data := range map[string][]byte{"config": []byte("x"), "data/ab/abcd": large, "data/cd/cdef": large[:5000], "locks/1": {1}} {
				if err := p.Save(ctx, name, data); err != nil {
					t.Fatal(err)
				}
				if err := p.Save(ctx, name, []byte("other")); !errors.Is(err, fs.ErrExist) {
					t.Errorf("%s saved again: %v", name, err)
				}
				got, err := p.Load(ctx, name, 0, 0)
				if err != nil || !bytes.Equal(got, data) {
					t.Errorf("%s came back as %d bytes of %d: %v", name, len(got), len(data), err)
				}
				info, err := p.Stat(ctx, name)
				if err != nil || info.Name != name || info.Size != int64(len(data)) || time.Since(info.Modified).Abs() > time.Minute {
					t.Errorf("%s: %+v, %v", name, info, err)
				}
			}
			for _, r := range []struct {
				offset int64
				length int
				want   []byte
			}{{0, 1, large[:1]}, {100, 9_000_000, large[100:9_000_100]}, {17<<20 - 7, 7, large[17<<20-7:]}, {17<<20 - 7, 0, large[17<<20-7:]}, {17 << 20, 0, nil}} {
				if got, err := p.Load(ctx, "data/ab/abcd", r.offset, r.length); err != nil || !bytes.Equal(got, r.want) {
					t.Errorf("%d bytes at %d: %d, %v", r.length, r.offset, len(got), err)
				}
			}
			for _, offset := range []int64{17<<20 - 7, 17 << 20, 18 << 20} {
				if _, err := p.Load(ctx, "data/ab/abcd", offset, 8); !errors.Is(err, io.ErrUnexpectedEOF) {
					t.Errorf("beyond the end from %d: %v", offset, err)
				}
			}
			var names []string
			if err := p.List(ctx, "data", func(info vault.FileInfo) error { names = append(names, info.Name); return nil }); err != nil {
				t.Fatal(err)
			}
			if slices.Sort(names); !slices.Equal(names, []string{"data/ab/abcd", "data/cd/cdef"}) {
				t.Errorf("listed %v", names)
			}
			if err := p.Remove(ctx, "data/cd/cdef"); err != nil {
				t.Error(err)
			}
			if _, err := p.Stat(ctx, "data/cd/cdef"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("after its removal: %v", err)
			}
			ended, cancel := context.WithCancel(ctx)
			cancel()
			if err := p.Save(ended, "data/ef/ef", large); !errors.Is(err, context.Canceled) {
				t.Errorf("for one who gave up: %v", err)
			}
		})
	}
}

// store saves blobs and a snapshot of a file that consists of them.
func store(ctx context.Context, repo *vault.Repository, blobs ...[]byte) (*vault.Snapshot, error) {
	held, release, err := repo.Lock(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	var ids []string
	size := 0
	for _, data := range blobs {
		id := vault.ID(sha256.Sum256(data))
		if err := repo.Save(held, vault.DataBlob, id, data); err != nil {
			return nil, err
		}
		ids = append(ids, fmt.Sprintf("%q", id))
		size += len(data)
	}
	const when = `"2026-01-02T03:04:05Z"`
	text := fmt.Appendf(nil, `{"nodes":[{"name":"a","type":"file","mode":420,"mtime":%s,"atime":%s,"ctime":%s,"uid":0,"gid":0,"size":%d,"links":1,"content":[%s]}]}`+"\n",
		when, when, when, size, strings.Join(ids, ","))
	tree := vault.ID(sha256.Sum256(text))
	if err := repo.Save(held, vault.TreeBlob, tree, text); err != nil {
		return nil, err
	}
	s := &vault.Snapshot{Tree: &tree, Paths: []string{"/srv/shop"}, Hostname: "web1"}
	if err := repo.SaveSnapshot(held, s); err != nil {
		return nil, err
	}
	_, err = repo.Verify(held, s.ID, vault.VerifyOptions{Sample: 1})
	return s, err
}

// TestResticReadsAndWritesOnEveryStorage: it checks and restores what we wrote,
// we read what it wrote and pruned.
func TestResticReadsAndWritesOnEveryStorage(t *testing.T) {
	for kind, p := range places(t, nil) {
		t.Run(kind, func(t *testing.T) {
			repo, err := vault.Create(t.Context(), p, password)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := vault.Create(t.Context(), p, password); upkeep.CodeOf(err) != upkeep.CodeConflict {
				t.Errorf("over another: %v", err)
			}
			data := noise(1 << 20)
			ours, err := store(t.Context(), repo, data, noise(3<<20))
			if err != nil {
				t.Fatal(err)
			}
			target := t.TempDir()
			p.run(t, "restore", ours.ID.String(), "--target", target)
			if got, err := os.ReadFile(filepath.Join(target, "a")); err != nil || !bytes.HasPrefix(got, data) {
				t.Errorf("restic restored %d bytes, %v", len(got), err)
			}
			p.run(t, "backup", target)
			p.run(t, "forget", ours.ID.String(), "--prune", "--max-unused", "0")
			snapshots, err := repo.Snapshots(t.Context())
			if err != nil || len(snapshots) != 1 {
				t.Fatalf("%d snapshots, %v", len(snapshots), err)
			}
			if _, err := repo.Verify(t.Context(), snapshots[0].ID, vault.VerifyOptions{Sample: 1}); err != nil {
				t.Error(err)
			}
			if _, err := repo.Prune(t.Context(), vault.PruneOptions{Grace: -1, MaxUnused: -1}); err != nil {
				t.Error(err)
			}
			if out := p.run(t, "check", "--read-data"); !strings.Contains(out, "no errors were found") {
				t.Error(out)
			}
		})
	}
}
