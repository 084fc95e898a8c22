package link_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/ssh"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/vault"
	"upkeep/internal/vault/link"
	"upkeep/internal/vault/local"
	"upkeep/internal/vault/pace"
	"upkeep/internal/vault/s3"
	"upkeep/internal/vault/sftp"
)

// work is what a process of its own does, so that it can be killed: it stores
// the same blobs as each before it.
type work struct {
	URL    string
	Keys   s3.Keys
	Config string // of ssh
	Host   upkeep.Host
	Stuck  bool // it comes to no end
}

// TestMain lets the binary be its own child.
func TestMain(m *testing.M) {
	if text := os.Getenv("UPKEEP_LINK_CHILD"); text != "" {
		var w work
		err := json.Unmarshal([]byte(text), &w)
		if err == nil {
			err = w.do()
		}
		if err != nil {
			fmt.Println("child:", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// What a child stores.
const (
	chunks = 48
	chunk  = 1 << 20
)

// storage opens the storage of a work.
func (w *work) storage(speed *pace.Pace) (vault.Storage, error) {
	at, err := upkeep.ParseStorage(w.URL)
	if err != nil {
		return nil, err
	}
	switch at.Kind {
	case upkeep.S3Storage:
		bucket, err := s3.Open(at, w.Keys, speed)
		return &link.Storage{Under: bucket, Pace: speed}, err
	case upkeep.SFTPStorage:
		reacher := ssh.New(ssh.Config{Program: "/usr/bin/ssh", File: w.Config, Home: "/nonexistent", User: "root", Log: slog.New(slog.DiscardHandler)})
		return &link.Storage{Under: sftp.Open(at.Path, func(ctx context.Context) (io.ReadWriteCloser, error) {
			stream, err := reacher.Subsystem(ctx, &w.Host, "sftp")
			if err != nil {
				return nil, err
			}
			return speed.Stream(stream), nil
		}), Pace: speed}, nil
	}
	return local.Dir(at.Path), nil
}

func (w *work) do() error {
	ctx := context.Background()
	storage, err := w.storage(pace.New(40 << 20))
	if err != nil {
		return err
	}
	repo, err := vault.Open(ctx, storage, password)
	if err != nil {
		return err
	}
	if w.Stuck {
		held, _, err := repo.Lock(ctx)
		for _, data := range steady()[:40] {
			if err == nil {
				err = repo.Save(held, vault.DataBlob, sha256.Sum256(data), data)
			}
		}
		if err == nil {
			<-held.Done()
		}
		return err
	}
	_, err = store(ctx, repo, steady()...)
	return err
}

// steady are the blobs that every child stores.
func steady() [][]byte {
	random := rand.NewChaCha8([32]byte{1})
	var blobs [][]byte
	for range chunks {
		data := make([]byte, chunk)
		_, _ = random.Read(data) // never fails
		blobs = append(blobs, data)
	}
	return blobs
}

// begin starts a child.
func (w *work) begin(t *testing.T) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	text, err := json.Marshal(w)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "UPKEEP_LINK_CHILD="+string(text))
	out := &bytes.Buffer{}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd, out
}

// stored is how many bytes of packs lie at a place.
func (p *place) stored(t *testing.T) int64 {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(p.dir, "data/*/[0-9a-f]*"))
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, file := range files {
		if info, err := os.Stat(file); err == nil {
			total += info.Size()
		}
	}
	return total
}

// TestKilledUploadsGoOn kills a process that uploads, at some moment of each of
// its packs: what lies there is a good repository, and the next one sends no
// pack again that is there.
func TestKilledUploadsGoOn(t *testing.T) {
	for kind, p := range places(t, nil) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if _, err := vault.Create(t.Context(), p, password); err != nil {
				t.Fatal(err)
			}
			for packs := range int64(3) {
				child, out := p.work.begin(t)
				upkeeptest.Eventually(t, time.Minute, "packs to arrive", func() bool { return p.stored(t) >= packs*16<<20 })
				time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond) // anywhere within the next
				if err := child.Process.Kill(); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				_ = child.Wait() // killed
			}
			if out := p.run(t, "check", "--no-lock"); !strings.Contains(out, "no errors were found") {
				t.Error(out)
			}
			child, out := p.work.begin(t)
			if err := child.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			// A pack that was on its way when its process died may be there twice.
			if stored := p.stored(t); stored > chunks*chunk+3*17<<20 || stored < chunks*chunk {
				t.Errorf("%d MB of packs for %d MB", stored>>20, chunks*chunk>>20)
			}
			repo, err := vault.Open(t.Context(), p, password)
			if err != nil {
				t.Fatal(err)
			}
			snapshots, err := repo.Snapshots(t.Context())
			if err != nil || len(snapshots) == 0 {
				t.Errorf("%d snapshots, %v", len(snapshots), err)
			}
			if _, err := repo.Prune(t.Context(), vault.PruneOptions{Grace: -1, MaxUnused: -1}); err != nil {
				t.Fatal(err)
			}
			if stored := p.stored(t); stored > chunks*chunk+1<<20 {
				t.Errorf("%d MB of packs for %d MB after a prune", stored>>20, chunks*chunk>>20)
			}
			if out := p.run(t, "check", "--read-data"); !strings.Contains(out, "no errors were found") {
				t.Error(out)
			}
		})
	}
}

// TestKilledWritersPacksAreSalvaged: of two packs that a killed process left,
// the next one sends neither.
func TestKilledWritersPacksAreSalvaged(t *testing.T) {
	p := places(t, nil)["folder"]
	if _, err := vault.Create(t.Context(), p, password); err != nil {
		t.Fatal(err)
	}
	p.work.Stuck = true
	child, _ := p.work.begin(t)
	upkeeptest.Eventually(t, time.Minute, "packs to arrive", func() bool { return p.stored(t) >= 32<<20 })
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait() // killed
	repo, held, release := p.lock(t)
	defer release()
	written, err := repo.Flush(held)
	if err != nil || len(written) < 30 {
		t.Errorf("%d blobs of two packs, %v", len(written), err)
	}
	if err := repo.VerifyBlobs(held, written); err != nil {
		t.Error(err)
	}
}

// TestUploadsSurviveARestart of the server they go to.
func TestUploadsSurviveARestart(t *testing.T) {
	speed := pace.New(20 << 20)
	for kind, p := range places(t, speed) {
		if p.stop == nil {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			repo, err := vault.Create(t.Context(), p, password)
			if err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() {
				_, err := store(t.Context(), repo, steady()...)
				ended <- err
			}()
			upkeeptest.Eventually(t, time.Minute, "a pack to arrive", func() bool { return p.stored(t) > 0 })
			p.stop()
			time.Sleep(500 * time.Millisecond) // somebody tries in vain
			p.start()
			if err := <-ended; err != nil {
				t.Fatal(err)
			}
			if out := p.run(t, "check", "--read-data"); !strings.Contains(out, "no errors were found") {
				t.Error(out)
			}
		})
	}
}

// TestFaultsOfStoragesAreTold with their code and what to do.
func TestFaultsOfStoragesAreTold(t *testing.T) {
	server := upkeeptest.NewS3(t, "")
	full := upkeeptest.NewS3(t, upkeeptest.SmallDisk(t, 24<<20))
	host := upkeeptest.NewHost(t, upkeeptest.AsRoot)
	good := s3.Keys{Access: server.Access, Secret: server.Secret}
	small := upkeeptest.SmallDisk(t, 24<<20)
	changed := upkeeptest.NewHost(t, upkeeptest.AsRoot)
	changedWork := sftpWork(t, changed, "/nonexistent/vault")
	changed.Rekey(t)
	nobody := sftpWork(t, host, "/srv/vault")
	nobody.Config = filepath.Join(t.TempDir(), "none")
	if err := os.WriteFile(nobody.Config, []byte("IdentityFile /nonexistent\nIdentityAgent none\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		work work
		want upkeep.Code
	}{
		"wrong secret":     {work{URL: server.URL("a"), Keys: s3.Keys{Access: good.Access, Secret: "wrong"}}, upkeep.CodeUnauthorized},
		"unknown account":  {work{URL: server.URL("a"), Keys: s3.Keys{Access: "who", Secret: "wrong"}}, upkeep.CodeUnauthorized},
		"no bucket":        {work{URL: strings.Replace(server.URL("a"), "/vault/", "/other/", 1), Keys: good}, upkeep.CodeInvalid},
		"nobody there":     {work{URL: "s3+http://127.0.0.1:1/vault", Keys: good}, upkeep.CodeUnreachable},
		"no TLS":           {work{URL: strings.Replace(server.URL("a"), "s3+http", "s3", 1), Keys: good}, upkeep.CodeRefused},
		"full bucket":      {work{URL: full.URL("a"), Keys: good}, upkeep.CodeNoSpace},
		"full disk":        {sftpWork(t, host, filepath.Join(small, "vault")), upkeep.CodeNoSpace},
		"another host key": {changedWork, upkeep.CodeRefused},
		"none of our keys": {nobody, upkeep.CodeUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			storage, err := c.work.storage(nil)
			if err != nil {
				t.Fatal(err)
			}
			storage.(*link.Storage).Patience = 10 * time.Millisecond
			repo, err := vault.Create(t.Context(), storage, password)
			if err == nil {
				_, err = store(t.Context(), repo, steady()...)
			}
			if upkeep.CodeOf(err) != c.want || upkeep.HintOf(err) == "" {
				t.Errorf("%v (%s): want %s, with a hint", err, upkeep.CodeOf(err), c.want)
			}
			if err != nil && strings.Contains(err.Error()+upkeep.HintOf(err), server.Secret) {
				t.Errorf("the secret is told: %v", err)
			}
		})
	}
}

// TestFrozenSitesWaitForNoStorage: while a site is frozen, what is gone is
// given up soon.
func TestFrozenSitesWaitForNoStorage(t *testing.T) {
	speed := pace.New(0)
	for kind, p := range places(t, speed) {
		if p.stop == nil {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			p.Storage.(*link.Storage).Frozen = time.Second
			repo, err := vault.Create(t.Context(), p, password)
			if err != nil {
				t.Fatal(err)
			}
			p.stop()
			defer speed.Hurry()()
			began := time.Now()
			_, err = store(t.Context(), repo, []byte("of a frozen site"))
			if upkeep.CodeOf(err) != upkeep.CodeUnreachable || time.Since(began) > 15*time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
	}
}

// TestCutByStall: a server that says nothing any more counts as gone, and what
// it kept from us is tried again.
func TestCutByStall(t *testing.T) {
	if testing.Short() {
		t.Skip("half a minute of silence")
	}
	for kind, p := range places(t, nil) {
		if p.stall == nil {
			continue
		}
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			if err := p.Save(t.Context(), "data/ab/ab", noise(1<<20)); err != nil {
				t.Fatal(err)
			}
			p.stall(true)
			defer p.stall(false)
			p.Storage.(*link.Storage).Patience = time.Second
			began := time.Now()
			_, err := p.Load(t.Context(), "data/ab/ab", 0, 0)
			if upkeep.CodeOf(err) != upkeep.CodeUnreachable || time.Since(began) > 90*time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
			impatient, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			began = time.Now()
			if err := p.Save(impatient, "data/cd/cd", noise(1<<20)); !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > 10*time.Second {
				t.Errorf("who does not wait, after %v: %v", time.Since(began), err)
			}
		})
	}
}
