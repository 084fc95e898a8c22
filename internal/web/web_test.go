package web_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/web"
	"upkeep/internal/web/access"
	"upkeep/internal/web/listen"
)

// application answers with little, and records who asked for changes.
type application struct {
	web.Inventories
	web.Gates
	web.Checks
	web.Doctor
	web.Ledger
	web.Restores
	actor    string
	released chan struct{} // closed when CreateBackup saw its context end
}

func (a *application) Sites(context.Context) ([]web.Site, error) {
	return []web.Site{{Site: upkeep.Site{Name: "shop.example"}}, {Site: upkeep.Site{Name: "blog.example"}}}, nil
}

func (a *application) Site(_ context.Context, name string) (*web.Site, error) {
	switch name {
	case "shop.example":
		return &web.Site{Site: upkeep.Site{Name: name}}, nil
	case "broken":
		return nil, errors.New("dsn root:secret@/db: refused")
	}
	return nil, upkeep.Errorf(upkeep.CodeNotFound, "no site %s", name)
}

func (a *application) AddSite(_ context.Context, actor string, req web.AddSiteRequest) (*web.Site, error) {
	a.actor = actor
	return &web.Site{Site: upkeep.Site{Name: req.Name, Root: req.Root, Policy: req.Policy}}, nil
}

func (a *application) SetPolicy(context.Context, string, string, upkeep.Policy) (*web.Site, error) {
	return &web.Site{}, nil
}

func (a *application) RemoveSite(_ context.Context, actor, _ string) error {
	a.actor = actor
	return nil
}

func (a *application) Updates(context.Context, string, bool) (*web.UpdateList, error) {
	return nil, upkeep.Errorf(upkeep.CodeHeld, "the site waits").WithHint("Lift the hold.")
}

func (a *application) StartIntervention(context.Context, string, string, web.InterventionRequest) (*upkeep.Intervention, error) {
	return &upkeep.Intervention{ID: 7}, nil
}

func (a *application) ProposeUpdates(context.Context, string, string) (*web.Proposal, error) {
	return &web.Proposal{}, nil
}

func (a *application) Interventions(context.Context, web.InterventionFilter) ([]web.Record, error) {
	return nil, nil
}

func (a *application) Intervention(_ context.Context, id upkeep.InterventionID) (*web.Record, error) {
	return &web.Record{Intervention: upkeep.Intervention{ID: id, State: upkeep.Done}, SiteName: "shop.example"}, nil
}

func (a *application) Events(context.Context, upkeep.InterventionID, int64) ([]upkeep.Event, error) {
	return []upkeep.Event{{ID: 1, Code: "state"}}, nil
}

func (a *application) Follow(_ context.Context, id upkeep.InterventionID, _ int64, send func(web.Tick) error) error {
	for _, tick := range []web.Tick{
		{Event: &upkeep.Event{ID: 1, Code: "state"}},
		{Intervention: &upkeep.Intervention{ID: id, State: upkeep.Done}},
	} {
		if err := send(tick); err != nil {
			return err
		}
	}
	return nil
}

func (a *application) CancelIntervention(_ context.Context, actor string, id upkeep.InterventionID) (*upkeep.Intervention, error) {
	a.actor = actor
	return &upkeep.Intervention{ID: id}, nil
}

func (a *application) Backups(context.Context, string) ([]web.Backup, error) { return nil, nil }

func (a *application) Backup(context.Context, upkeep.BackupID) (*web.Backup, error) {
	return nil, upkeep.Errorf(upkeep.CodeNotFound, "no backup")
}

func (a *application) CreateBackup(ctx context.Context, _, site, _ string, progress func(upkeep.Progress)) (*web.Backup, error) {
	for i := range int64(1000) {
		progress(upkeep.Progress{Code: "backup", Done: i + 1, Total: 1000, Unit: "bytes"})
	}
	if site == "slow" {
		<-ctx.Done()
		close(a.released)
		return nil, ctx.Err()
	}
	if site != "shop.example" {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "no site %s", site)
	}
	return &web.Backup{SiteName: site}, nil
}

func (a *application) VerifyBackup(context.Context, string, upkeep.BackupID, bool, func(upkeep.Progress)) (*web.BackupCheck, error) {
	return nil, upkeep.Errorf(upkeep.CodeDamaged, "pack 12ab does not read back")
}

func (a *application) DiffBackup(context.Context, upkeep.BackupID, upkeep.BackupID) ([]upkeep.Difference, error) {
	return nil, nil
}

func newApplication() (*application, *access.Gate) {
	a := &application{released: make(chan struct{})}
	server := web.New(web.Config{
		Sites: a, Inventories: a, Updates: a, Interventions: a, Backups: a,
		Restores: a, Gates: a, Checks: a, Doctor: a, Ledger: a, Vaults: a, Version: "1.2.3",
	})
	return a, access.New(access.Config{Routes: server.Routes()})
}

// serve runs h on a real listener of each kind and hands its client to test.
func onEveryListener(t *testing.T, test func(t *testing.T, a *application, c *web.Client)) {
	socket := filepath.Join(t.TempDir(), "state", listen.SocketName)
	memory := listen.NewMemory()
	for name, open := range map[string]func(g *access.Gate) (net.Listener, http.Handler, *web.Client){
		"unix": func(g *access.Gate) (net.Listener, http.Handler, *web.Client) {
			l, err := listen.Unix(t.Context(), socket)
			fatal(t, err)
			return l, g.Trusted(), web.NewSocketClient(socket)
		},
		"tcp": func(g *access.Gate) (net.Listener, http.Handler, *web.Client) {
			l, err := listen.Local(t.Context(), "127.0.0.1:0")
			fatal(t, err)
			c, err := web.NewClient("http://"+l.Addr().String(), "sesame")
			fatal(t, err)
			return l, g.Public("sesame"), c
		},
		"memory": func(g *access.Gate) (net.Listener, http.Handler, *web.Client) {
			return memory, g.Trusted(), web.NewDialClient(memory.Dial)
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, server := newApplication()
			l, h, c := open(server)
			ctx, stop := context.WithCancel(t.Context())
			ended := make(chan error, 1)
			go func() { ended <- listen.Serve(ctx, l, h, time.Second) }()
			t.Cleanup(func() {
				c.Close()
				stop()
				fatal(t, <-ended)
			})
			test(t, a, c)
		})
	}
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestClientIsTheServersEqual(t *testing.T) {
	onEveryListener(t, func(t *testing.T, a *application, c *web.Client) {
		ctx := t.Context()
		sites, err := c.Sites(ctx)
		if err != nil || len(sites) != 2 {
			t.Fatalf("sites %v, %v", sites, err)
		}
		site, err := c.AddSite(ctx, "cli:zoé", web.AddSiteRequest{Root: "/srv/www", Name: "new", Policy: upkeep.Policy{MaxFrozen: upkeep.Duration(time.Minute)}})
		if err != nil || site.Root != "/srv/www" || site.Policy.MaxFrozen != upkeep.Duration(time.Minute) {
			t.Errorf("added %+v, %v", site, err)
		}
		if a.actor != "cli:zoé" {
			t.Errorf("actor %q", a.actor)
		}
		fatal(t, c.RemoveSite(ctx, "cli:me", "shop.example"))
		backups, err := c.Backups(ctx, "")
		if err != nil || backups == nil {
			t.Errorf("no backups are %#v, %v; want an empty list", backups, err)
		}
		version, err := c.Version(ctx)
		if err != nil || version != "1.2.3" {
			t.Errorf("version %q, %v", version, err)
		}
	})
}

func TestStreams(t *testing.T) {
	onEveryListener(t, func(t *testing.T, _ *application, c *web.Client) {
		ctx := t.Context()
		var states []upkeep.State
		events := 0
		fatal(t, c.Follow(ctx, 7, 0, func(tick web.Tick) error {
			if tick.Event != nil {
				events++
			}
			if tick.Intervention != nil {
				states = append(states, tick.Intervention.State)
			}
			return nil
		}))
		if events != 1 || len(states) != 1 || states[0] != upkeep.Done {
			t.Errorf("%d events, states %v", events, states)
		}
		var progress []int64
		b, err := c.CreateBackup(ctx, "me", "shop.example", "", func(p upkeep.Progress) { progress = append(progress, p.Done) })
		if err != nil || b.SiteName != "shop.example" {
			t.Fatalf("backup %+v, %v", b, err)
		}
		if n := len(progress); n < 2 || n > 50 || progress[n-1] != 1000 {
			t.Errorf("progress %v: want few lines, the last one at the end", progress)
		}
		if _, err := c.VerifyBackup(ctx, "me", 3, true, nil); upkeep.CodeOf(err) != upkeep.CodeDamaged {
			t.Errorf("an error in a stream is %v", err)
		}
	})
}

func TestClientThatLeavesEndsTheWork(t *testing.T) {
	onEveryListener(t, func(t *testing.T, a *application, c *web.Client) {
		ctx, cancel := context.WithCancel(t.Context())
		_, err := c.CreateBackup(ctx, "me", "slow", "", func(upkeep.Progress) { cancel() })
		if upkeep.CodeOf(err) != upkeep.CodeInterrupted {
			t.Errorf("cancelled request returned %v", err)
		}
		<-a.released
	})
}

func TestErrors(t *testing.T) {
	onEveryListener(t, func(t *testing.T, _ *application, c *web.Client) {
		ctx := t.Context()
		_, err := c.Site(ctx, "shop.exampel")
		if upkeep.CodeOf(err) != upkeep.CodeNotFound || !strings.Contains(upkeep.HintOf(err), "shop.example") {
			t.Errorf("near name: %v, hint %q", err, upkeep.HintOf(err))
		}
		_, err = c.CreateBackup(ctx, "me", "blog.exampl", "", nil)
		if !strings.Contains(upkeep.HintOf(err), "blog.example") {
			t.Errorf("near name in a stream: %v, hint %q", err, upkeep.HintOf(err))
		}
		_, err = c.Site(ctx, "broken")
		if upkeep.CodeOf(err) != upkeep.CodeInternal || strings.Contains(err.Error(), "secret") {
			t.Errorf("internal error shown as %v", err)
		}
		_, err = c.Updates(ctx, "shop.example", true)
		if upkeep.CodeOf(err) != upkeep.CodeHeld || upkeep.HintOf(err) != "Lift the hold." {
			t.Errorf("held: %v, hint %q", err, upkeep.HintOf(err))
		}
		for _, name := range []string{"", ".", "..", "a/b", "%2e%2e", "é"} {
			if _, err := c.Site(ctx, name); upkeep.CodeOf(err) != upkeep.CodeNotFound && name != "" {
				t.Errorf("site %q: %v", name, err)
			}
		}
	})
}

func TestBadRequests(t *testing.T) {
	_, server := newApplication()
	for _, tc := range []struct {
		request string // method and path
		body    string
		kind    string
		status  int
	}{
		{"GET /", "", "", 404},
		{"GET /v1/nothing", "", "", 404},
		{"POST /v1/sites", `{"root":"/srv/www"}`, "text/plain", 400},
		{"POST /v1/sites", `{"root":"/srv/www","colour":1}`, "application/json", 400},
		{"POST /v1/sites", `{"root":"/srv/www"} {}`, "application/json", 400},
		{"POST /v1/sites", `{}`, "application/json", 400},
		{"POST /v1/sites", `{"root":"` + strings.Repeat("a", 2<<20) + `"}`, "application/json", 400},
		{"POST /v1/sites/shop.example/freeze", `{"for":"-1s"}`, "application/json", 400},
		{"POST /v1/sites/shop.example/freeze", `{"for":"48h"}`, "application/json", 400},
		{"POST /v1/sites/shop.example/freeze", `{"for":"soon"}`, "application/json", 400},
		{"GET /v1/sites/shop.example/updates?refresh=perhaps", "", "", 400},
		{"GET /v1/interventions?limit=-1", "", "", 400},
		{"GET /v1/interventions/x", "", "", 400},
		{"GET /v1/interventions/0", "", "", 400},
		{"GET /v1/interventions/7/follow?after=x", "", "", 400},
		{"POST /v1/backups/3/restore", `{}`, "application/json", 400},
		{"POST /v1/backups/3/plan", `{"in_place":true,"dir":"/x"}`, "application/json", 400},
		{"GET /v1/backups/9", "", "", 404},
		{"GET /v1/sites/shop.example/updates", "", "", 423},
		{"GET /v1/sites/broken", "", "", 500},
	} {
		method, path, _ := strings.Cut(tc.request, " ")
		r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(tc.body))
		r.Header.Set("Content-Type", tc.kind)
		w := httptest.NewRecorder()
		server.Trusted().ServeHTTP(w, r)
		var e upkeep.Error
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || e.Code == "" || e.Message == "" || strings.Contains(e.Message, "\n") {
			t.Errorf("%s: body %q", tc.request, w.Body)
		}
		if w.Code != tc.status {
			t.Errorf("%s %.40s: status %d, want %d: %s", tc.request, tc.body, w.Code, tc.status, w.Body)
		}
	}
}

func TestSocketIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	fatal(t, os.Mkdir(dir, 0o777))
	path := filepath.Join(dir, listen.SocketName)
	l, err := listen.Unix(t.Context(), path)
	fatal(t, err)
	for name, want := range map[string]fs.FileMode{dir: 0o700, path: 0o600} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want %v", name, info.Mode(), err, want)
		}
	}
	if _, err := listen.Unix(t.Context(), path); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("second server: %v", err)
	}
	// A server that died leaves its socket.
	l.(*net.UnixListener).SetUnlinkOnClose(false)
	fatal(t, l.Close())
	l, err = listen.Unix(t.Context(), path)
	fatal(t, err)
	fatal(t, l.Close())
	// Any other file in its place is not ours to remove.
	fatal(t, os.WriteFile(path, []byte("precious"), 0o600))
	if _, err := listen.Unix(t.Context(), path); err == nil {
		t.Error("a file was taken for a socket")
	}
	if content, err := os.ReadFile(path); err != nil || string(content) != "precious" {
		t.Errorf("the file is now %q, %v", content, err)
	}
}

func TestTokenAndAddress(t *testing.T) {
	_, server := newApplication()
	ts := httptest.NewServer(server.Public("sesame"))
	defer ts.Close()
	for _, token := range []string{"", "sesam", "Sesame"} {
		c, err := web.NewClient(ts.URL, token)
		fatal(t, err)
		if _, err := c.Sites(t.Context()); upkeep.CodeOf(err) != upkeep.CodeUnauthorized {
			t.Errorf("token %q: %v", token, err)
		}
	}
	for _, address := range []string{"0.0.0.0:80", ":80", "192.0.2.1:80", "nonsense"} {
		if _, err := listen.Local(t.Context(), address); upkeep.CodeOf(err) != upkeep.CodeInvalid {
			t.Errorf("listen on %q: %v", address, err)
		}
	}
	for _, base := range []string{"", "upkeep", "ftp://x", "http://", "http://a b"} {
		if _, err := web.NewClient(base, ""); upkeep.CodeOf(err) != upkeep.CodeInvalid {
			t.Errorf("server url %q: %v", base, err)
		}
	}
}

func TestClientOfSomethingElse(t *testing.T) {
	cut := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/sites":
			w.WriteHeader(http.StatusBadGateway)
			_, _ = io.WriteString(w, "<html>nginx</html>")
		case "/v1/doctor":
			_, _ = io.WriteString(w, "<html>welcome</html>")
		default:
			_, _ = io.WriteString(w, `{"progress":{"code":"backup"}}`+"\n")
		}
	}))
	defer cut.Close()
	c, err := web.NewClient(cut.URL, "")
	fatal(t, err)
	if _, err := c.Sites(t.Context()); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("another server's error: %v", err)
	}
	if _, err := c.Requirements(t.Context()); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("another server's page: %v", err)
	}
	if _, err := c.CreateBackup(t.Context(), "me", "shop", "", nil); upkeep.CodeOf(err) != upkeep.CodeUnreachable {
		t.Errorf("a stream without a result: %v", err)
	}
	gone := web.NewSocketClient(filepath.Join(t.TempDir(), "none"))
	if _, err := gone.Sites(t.Context()); upkeep.CodeOf(err) != upkeep.CodeUnreachable {
		t.Errorf("nobody there: %v", err)
	}
}

func (a *application) VaultPassword(context.Context, string) (string, error) { return "open", nil }

func (a *application) Vault(context.Context) (*web.Vault, error) {
	return &web.Vault{URL: "/srv/vault"}, nil
}

func (a *application) CheckVault(context.Context) (*web.VaultCheck, error) {
	return &web.VaultCheck{Vault: web.Vault{URL: "/srv/vault"}, Snapshots: 3}, nil
}

func (a *application) StorageKeys(_ context.Context, req web.UseVaultRequest) ([]web.HostKey, error) {
	return []web.HostKey{{HostKey: upkeep.HostKey{Hop: req.URL}}}, nil
}

func (a *application) UseVault(_ context.Context, _ string, req web.UseVaultRequest, progress func(upkeep.Progress)) (*web.Vault, error) {
	progress(upkeep.Progress{Code: "vault_move", Done: 1, Total: 2})
	return &web.Vault{URL: req.URL}, nil
}

func TestWhatOpensTheVaultStaysHere(t *testing.T) {
	onEveryListener(t, func(t *testing.T, _ *application, c *web.Client) {
		local := !strings.HasSuffix(t.Name(), "/tcp")
		if at, err := c.Vault(t.Context()); err != nil || at.URL != "/srv/vault" {
			t.Errorf("the place: %+v, %v", at, err)
		}
		if check, err := c.CheckVault(t.Context()); err != nil || check.Snapshots != 3 {
			t.Errorf("the check: %+v, %v", check, err)
		}
		if keys, err := c.StorageKeys(t.Context(), web.UseVaultRequest{URL: "sftp://nas/x"}); err != nil || keys[0].Hop != "sftp://nas/x" {
			t.Errorf("the keys: %+v, %v", keys, err)
		}
		told := 0
		used, err := c.UseVault(t.Context(), "cli:ann", web.UseVaultRequest{URL: "s3://evil/bucket", SecretKey: "s"}, func(upkeep.Progress) { told++ })
		if local && (err != nil || used.URL != "s3://evil/bucket" || told != 1) || !local && upkeep.CodeOf(err) != upkeep.CodeRefused {
			t.Errorf("use: %+v, %v, told %d times", used, err, told)
		}
		password, err := c.VaultPassword(t.Context(), "cli:ann")
		switch {
		case local && (err != nil || password != "open"):
			t.Errorf("got %q, %v", password, err)
		case !local && (password != "" || upkeep.CodeOf(err) != upkeep.CodeRefused):
			t.Errorf("over the network: %q, %v", password, err)
		}
	})
}

// A state folder is for its owner; a folder of others, named by mistake,
// keeps its rights.
func TestPrivateFolder(t *testing.T) {
	dir := t.TempDir()
	mode := func(name string) os.FileMode {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode().Perm()
	}
	for name, file := range map[string]string{"empty": "", "old": "upkeep.db", "prepared": "config.json", "foreign": "letter.txt"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if file != "" {
			if err := os.WriteFile(filepath.Join(dir, name, file), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, code := os.FileMode(0o700), upkeep.Code("")
		if name == "foreign" {
			want, code = 0o755, upkeep.CodeConflict
		}
		if err := listen.PrivateFolder(filepath.Join(dir, name)); upkeep.CodeOf(err) != code || mode(name) != want {
			t.Errorf("%s: mode %o, %v", name, mode(name), err)
		}
	}
	if err := listen.PrivateFolder(filepath.Join(dir, "a", "new")); err != nil || mode("a/new") != 0o700 {
		t.Error(err)
	}
	if err := listen.PrivateFolder(filepath.Join(dir, "foreign", "letter.txt", "x")); upkeep.CodeOf(err) != upkeep.CodeInvalid || upkeep.HintOf(err) == "" {
		t.Error(err)
	}
}
