package faults_test

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/upkeeptest"
	"upkeep/internal/web"
)

// remote is a storage elsewhere that a program keeps its vault in.
type remote struct {
	restic      []string // arguments
	environment []string
	stop, start func()
}

// elsewhere has a program keep its vault in one of each kind.
var elsewhere = map[string]func(t *testing.T, p *upkeeptest.Program) *remote{
	"s3": func(t *testing.T, p *upkeeptest.Program) *remote {
		server := upkeeptest.NewS3(t, "")
		secret := filepath.Join(t.TempDir(), "secret")
		if err := os.WriteFile(secret, []byte(server.Secret+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		use(t, p, server.URL("agency"), "--access-key", server.Access, "--secret-file", secret)
		nowhere(t, p, server.Secret)
		return &remote{restic: []string{"-r", "s3:http://" + server.Addr() + "/vault/agency"}, environment: server.Environment(),
			stop: server.Stop, start: func() { server.Start(t) }}
	},
	"sftp": func(t *testing.T, p *upkeeptest.Program) *remote {
		host := upkeeptest.NewHost(t, upkeeptest.AsRoot)
		upkeeptest.Configure(t, p, "ssh_config", host.Config)
		dir := filepath.Join(host.Dir, "vault")
		use(t, p, "sftp://root@"+host.Addr()+dir, "--fingerprint", host.Fingerprint(t))
		return &remote{restic: []string{"-r", dir}, // where the server has it
			stop: func() { host.Stop(); host.Cut(true) }, start: func() { host.Start(t); host.Cut(false) }}
	},
}

func use(t *testing.T, p *upkeeptest.Program, args ...string) {
	t.Helper()
	if out, code := p.Run(t, append([]string{"vault", "use"}, args...)...); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
}

// nowhere asserts that a secret is in no file of the program.
func nowhere(t *testing.T, p *upkeeptest.Program, secret string) {
	t.Helper()
	err := filepath.WalkDir(p.State, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if bytes.Contains(text, []byte(secret)) {
			t.Errorf("%s holds the secret", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// check has restic look at all of it.
func (s *remote) check(t *testing.T, p *upkeeptest.Program) {
	t.Helper()
	password, code := p.Run(t, "vault", "password")
	if code != 0 {
		t.Fatal(password)
	}
	// Where the storage went away, the lock of who is dead by now may have stayed.
	for _, args := range [][]string{{"unlock"}, {"check", "--read-data"}} {
		cmd := exec.Command("restic", slices.Concat(s.restic, []string{"--no-cache"}, args)...)
		cmd.Env = append(append(os.Environ(), s.environment...), "RESTIC_PASSWORD="+strings.TrimSpace(password))
		if out, err := cmd.CombinedOutput(); err != nil || args[0] == "check" && !strings.Contains(string(out), "no errors were found") {
			t.Errorf("restic %s: %v\n%s", args[0], err, out)
		}
	}
}

// TestStorageFaultWhileFrozen: what the vault is kept in goes away while a site
// is frozen, and does not come back before the site is open again. Nothing is
// changed without a backup, and nothing waits for the storage.
func TestStorageFaultWhileFrozen(t *testing.T) {
	for kind, open := range elsewhere {
		for _, state := range []upkeep.State{upkeep.Freezing, upkeep.Verifying} {
			if testing.Short() && (kind == "s3") == (state == upkeep.Verifying) { // soak does all four
				continue
			}
			t.Run(kind+"/"+string(state), func(t *testing.T) {
				t.Parallel()
				site := upkeeptest.WordPress(t, upkeeptest.Small())
				p := upkeeptest.Adopt(t, site, upkeeptest.Offers()...)
				s := open(t, p)
				before := upkeeptest.StateOf(t, site)
				worker := p.Command(t, "site", "update", "shop", "--yes")
				if err := worker.Start(); err != nil {
					t.Fatal(err)
				}
				p.WaitState(t, state)
				s.stop()
				began := time.Now()
				upkeeptest.Eventually(t, 2*time.Minute, "the site to be open again", func() bool {
					now := p.Now(t)
					return (now.Ended() || now == upkeep.Concluding) && upkeeptest.Open(t, site)
				})
				t.Logf("open again after %v", time.Since(began).Round(time.Second))
				s.start()
				_ = worker.Wait() // ends as it may: what counts is read below
				p.Settle(t)
				upkeeptest.Intact(t, p, site, before)
				if iv := p.Last(t); state == upkeep.Freezing && (iv.State == upkeep.Done || iv.State == upkeep.Partial) {
					t.Errorf("ended %s without a storage", iv.State)
				}
				s.check(t, p)
			})
		}
	}
}

// TestVaultMovesOn: a vault with backups in it goes from a folder to each other
// storage; what it holds is there, and only from there.
func TestVaultMovesOn(t *testing.T) {
	site := upkeeptest.WordPress(t, upkeeptest.Small())
	p := upkeeptest.Adopt(t, site, upkeeptest.Offers()[:2]...)
	first := upkeeptest.BackUp(t, p)
	server := upkeeptest.NewS3(t, "")
	t.Setenv("AWS_SECRET_ACCESS_KEY", server.Secret)
	args := []string{"vault", "use", server.URL("agency"), "--access-key", server.Access}
	if out, code := p.Run(t, args...); code == 0 || !strings.Contains(out, "--move") {
		t.Errorf("backups are left behind: exit %d\n%s", code, out)
	}
	use(t, p, append(args[2:], "--move")...)
	if err := os.RemoveAll(filepath.Join(p.State, "vault")); err != nil {
		t.Fatal(err)
	}
	if check := upkeeptest.JSON[web.BackupCheck](t, p, "backup", "verify", first.ID.String(), "--deep"); !check.OK {
		t.Errorf("%+v", check)
	}
	if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	restored := upkeeptest.JSON[web.RestoreResult](t, p, "backup", "restore", first.ID.String(), "--in-place", "--yes")
	if restored.Identity == nil || !restored.Identity.Proven() {
		t.Errorf("%+v", restored)
	}
	upkeeptest.Works(t, site)
	requirements := upkeeptest.JSON[[]web.Requirement](t, p, "doctor")
	if i := len(requirements) - 1; requirements[i].Name != "vault" || !requirements[i].OK {
		t.Errorf("the doctor says %+v", requirements)
	}
	server.Stop()
	if out, code := p.Run(t, "vault", "check"); code == 0 || !strings.Contains(out, "does not answer") {
		t.Errorf("exit %d\n%s", code, out)
	}
}
