package upkeeptest_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/demo"
	"upkeep/internal/upkeeptest"
)

// subject is what the suite has to know of a CMS. Everything that it expects
// is the same for all of them.
type subject struct {
	name string
	// site is a new one. None of what is offered for it is installed.
	site func(t *testing.T) *demo.Site
	// adopt returns the program with that site. What it offers is good, or
	// breaks the site after it has changed what the site keeps.
	adopt func(t *testing.T, site *demo.Site, good bool) *upkeeptest.Program
	// agrees fails the test unless the inventory is what the CMS says itself.
	agrees func(t *testing.T, p *upkeeptest.Program, site *demo.Site)
	// extensions is a folder, below the root, that holds plugins each in its
	// own; code is a file of one that the CMS runs on every request.
	extensions, code string
	writes           []attempt // every way in which the CMS takes something from a visitor
	page, mark       string    // a page, and what it shows when it is not the gate's
	original         string    // a file of core
	modified         func(t *testing.T, site *demo.Site) *upkeeptest.Program
	brought, dropped string // files of the root that a good core brings and takes away
	script           string // a file that a good core replaces
	brief            bool   // the rest is covered at length elsewhere
	small            bool   // nothing is killed on it: no real program, or one that is gone over on another engine
}

// attempt is a request that a CMS would write something for.
type attempt struct{ path, body string }

func TestEveryDriver(t *testing.T) {
	for _, s := range slices.Concat([]subject{wordpressSubject(), dokuwikiSubject()}, mediawikis(t), joomlas(t), drupals(t), composerSubject(t)) {
		t.Run(s.name, func(t *testing.T) {
			t.Run("inventory", s.inventory)
			t.Run("freeze", s.freeze)
			t.Run("hostile", s.hostile)
			if s.brief {
				return
			}
			t.Run("good", s.good)
			t.Run("broken", s.broken)
			t.Run("modified", s.held)
			if !s.small {
				t.Run("killed", s.killed)
			}
		})
	}
}

// inventory equals the CMS's own answer, and nothing of the site ran for it.
func (s subject) inventory(t *testing.T) {
	t.Parallel()
	site := s.site(t)
	ran := filepath.Join(site.Dir, "ran")
	wire := "<?php\n@touch('" + ran + "');\n" // nobody else writes there
	plant(t, site, filepath.Join(s.extensions, "tripwire", s.code), wire)
	if err := os.Chmod(site.Dir, 0o777); err != nil {
		t.Fatal(err)
	}
	p := s.adopt(t, site, true)
	p.Run(t, "site", "inventory", "shop")
	if _, err := os.Stat(ran); err == nil {
		t.Error("code of the site ran for its inventory")
	}
	if err := os.RemoveAll(filepath.Join(site.Root, s.extensions, "tripwire")); err != nil {
		t.Fatal(err)
	}
	p.Run(t, "site", "inventory", "shop")
	s.agrees(t, p, site)
}

// A frozen site takes nothing from visitors, shows itself to who has the
// token, and is as before when it is thawed.
func (s subject) freeze(t *testing.T) {
	t.Parallel()
	site := s.site(t)
	p := s.adopt(t, site, true)
	upkeeptest.Works(t, site)
	before := upkeeptest.StateOf(t, site)
	if out, code := p.Run(t, "site", "freeze", "shop", "--yes"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	for _, w := range append(s.writes, attempt{path: s.page}) {
		if status, _ := request(t, site, w, ""); status != http.StatusServiceUnavailable && status != http.StatusForbidden && status != http.StatusNotFound {
			t.Errorf("%s answers %d to a visitor of the frozen site", w.path, status)
		}
	}
	status, body := request(t, site, attempt{path: s.page}, tokenOf(t, p))
	if status != http.StatusOK || !strings.Contains(body, s.mark) {
		t.Errorf("who has the token gets %d: %.300s", status, body)
	}
	if status, _ := request(t, site, attempt{path: s.page}, strings.Repeat("x", 40)); status != http.StatusServiceUnavailable {
		t.Errorf("another token gets %d", status)
	}
	if out, code := p.Run(t, "site", "thaw", "shop"); code != 0 {
		t.Fatalf("exit %d: %s", code, out)
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	upkeeptest.Works(t, site)
}

// A tree made to lead astray does not, and the rest of it is read all the same.
func (s subject) hostile(t *testing.T) {
	t.Parallel()
	site := s.site(t)
	dir := filepath.Join(site.Root, s.extensions)
	for _, err := range []error{
		os.Symlink("/etc", filepath.Join(dir, "outside")),
		os.Symlink(".", filepath.Join(dir, "loop")),
		os.Symlink("nowhere", filepath.Join(dir, "dangling")),
		os.MkdirAll(filepath.Join(dir, "pipes"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"plugin.info.txt", "pipes.php", "style.css", "extension.json", "version"} {
		command(t, "mkfifo", filepath.Join(dir, "pipes", name))
	}
	plant(t, site, filepath.Join(s.extensions, "../../upkeep-long", strings.Repeat("x", 200), "y"), "z")
	p := s.adopt(t, site, true)
	inventory := upkeeptest.JSON[upkeep.Inventory](t, p, "site", "inventory", "shop")
	if len(inventory.Components) < 3 {
		t.Errorf("components: %+v", inventory.Components)
	}
	for i := range inventory.Components {
		c := &inventory.Components[i]
		if strings.HasPrefix(c.Path, "/etc") || strings.Contains(c.Name, "root:") {
			t.Errorf("looked outside: %+v", c)
		}
	}
}

func (s subject) good(t *testing.T) {
	t.Parallel()
	site := s.site(t)
	if err := os.Chmod(filepath.Join(site.Root, s.script), 0o755); err != nil {
		t.Fatal(err)
	}
	p := s.adopt(t, site, true)
	if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	iv := p.Last(t)
	if iv.State != upkeep.Done || iv.Before == 0 || iv.After == 0 || iv.Verdict == nil || !iv.Verdict.OK() {
		t.Errorf("ended %s, backups %d and %d, verdict %+v", iv.State, iv.Before, iv.After, iv.Verdict)
	}
	for _, outcome := range iv.Outcomes {
		if outcome.Result != upkeep.Applied {
			t.Errorf("%+v", outcome)
		}
	}
	if info, err := os.Stat(filepath.Join(site.Root, s.script)); err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%s was executable and is %v, %v", s.script, info.Mode(), err)
	}
	if _, err := os.Stat(filepath.Join(site.Root, s.brought)); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(site.Root, s.dropped)); err == nil {
		t.Errorf("%s is obsolete and still there", s.dropped)
	}
	s.agrees(t, p, site)
	upkeeptest.Works(t, site)
}

func (s subject) broken(t *testing.T) {
	t.Parallel()
	site := s.site(t)
	p := s.adopt(t, site, false)
	before := upkeeptest.StateOf(t, site)
	out, code := p.Run(t, "site", "update", "shop", "--yes")
	iv := p.Last(t)
	if code != 4 || iv.State != upkeep.Undone || iv.Identity == nil || !iv.Identity.Proven() {
		t.Errorf("exit %d, ended %s, identity %+v\n%s", code, iv.State, iv.Identity, out)
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	upkeeptest.Works(t, site)
}

// held: an original that was changed by hand is not overwritten.
func (s subject) held(t *testing.T) {
	t.Parallel()
	site := s.site(t)
	text, err := os.ReadFile(filepath.Join(site.Root, s.original))
	if err != nil {
		t.Fatal(err)
	}
	plant(t, site, s.original, string(text)+"\n// changed by hand\n")
	p := s.modified(t, site)
	updates := upkeeptest.JSON[[]struct{ upkeep.Update }](t, p, "update", "list", "shop")
	at := slices.IndexFunc(updates, func(u struct{ upkeep.Update }) bool { return u.Component.Kind == upkeep.Core })
	if at < 0 || updates[at].Disposition != upkeep.Held {
		t.Fatalf("core is not held: %+v", updates)
	}
	reasons := updates[at].Reasons
	if !slices.ContainsFunc(reasons, func(r upkeep.Reason) bool {
		return r.Code == "modified" && strings.Contains(r.Params["files"], filepath.Base(s.original))
	}) {
		t.Errorf("held because %+v", reasons)
	}
}

// killed: whatever dies, in whichever state, the site ends whole.
func (s subject) killed(t *testing.T) {
	for i, state := range upkeeptest.Midway {
		if testing.Short() && i%4 > 1 { // the transaction is the same for all; soak goes through all of it for each
			continue
		}
		victim := upkeeptest.Victims[i%2] // one a state: the transaction is the same for all, and was met by both
		t.Run(string(state)+"/"+victim.Name, func(t *testing.T) {
			t.Parallel()
			site := s.site(t)
			p := s.adopt(t, site, false)
			before := upkeeptest.StateOf(t, site)
			worker := p.Command(t, "site", "update", "shop", "--yes")
			if err := worker.Start(); err != nil {
				t.Fatal(err)
			}
			p.WaitState(t, state)
			victim.Kill(t, p, worker)
			_ = worker.Wait() // killed, or ending as it may: what counts is read below
			p.Settle(t)
			upkeeptest.Intact(t, p, site, before)
		})
	}
}

// plant writes a file below a site's root, as its owner.
func plant(t *testing.T, site *demo.Site, name, text string) {
	t.Helper()
	file := filepath.Join(site.Root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	uid, gid := site.World().Account()
	if err := errors.Join(os.Chown(filepath.Dir(file), uid, gid), os.Chown(file, uid, gid)); err != nil {
		t.Fatal(err)
	}
}

// request sends one and returns what came back.
func request(t *testing.T, site *demo.Site, w attempt, token string) (int, string) {
	t.Helper()
	method := http.MethodGet
	if w.body != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, site.Path(w.path), strings.NewReader(w.body))
	if err != nil {
		t.Fatal(err)
	}
	if w.body != "" {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if strings.HasPrefix(w.body, "<?xml") {
		r.Header.Set("Content-Type", "text/xml")
	}
	if token != "" {
		r.Header.Set(cms.TokenHeader, token)
	}
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, string(body)
}

// tokenOf is what lets through the gate that is closed now, from the agent's
// journal.
func tokenOf(t *testing.T, p *upkeeptest.Program) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(p.AgentDir(), "journal.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var entry struct {
			Note struct {
				Token string `json:"token"`
			} `json:"note"`
		}
		if json.Unmarshal([]byte(line), &entry) == nil && entry.Note.Token != "" {
			return entry.Note.Token
		}
	}
	t.Fatalf("no token in the journal: %.500s", text)
	return ""
}
