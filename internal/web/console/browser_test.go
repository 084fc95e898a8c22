package console_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"upkeep/internal/store/standing"
)

// pictures is where what the pages look like is kept; git ignores it.
const pictures = "../../../.cache/pictures"

// tab is a page of a real Chromium that says the token.
type tab struct {
	testing.TB
	ctx  context.Context
	mu   sync.Mutex
	said []string // what it complained of: exceptions, errors, what the policy of the page forbids
}

func newTab(tb testing.TB) *tab {
	tb.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		tb.Fatal("chromium is not here: make setup")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("font-render-hinting", "none"), chromedp.Flag("hide-scrollbars", true), chromedp.UserDataDir(tb.TempDir()))
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
	tb.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocated)
	tb.Cleanup(cancel)
	t := &tab{TB: tb, ctx: ctx}
	must(tb, chromedp.Listen(ctx, t.note))
	call(t, network.Enable, network.EnableParams{})
	call(t, log.Enable, cdp.Empty{})
	return t
}

// call sends the browser a command.
func call[P, R any](t *tab, command cdp.Command[P, R], params P) {
	t.Helper()
	_, err := chromedp.Call(t.ctx, command, params)
	must(t, err)
}

// value evaluates a script in the page.
func value[T any](t *tab, script string) T {
	t.Helper()
	found, err := chromedp.Run(t.ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	must(t, err)
	return found
}

func (t *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	must(t, chromedp.Do(t.ctx, steps...))
}

func (t *tab) note(event any) {
	text := ""
	switch e := event.(type) {
	case *runtime.EventExceptionThrown:
		text = e.ExceptionDetails.Text
	case *log.EventEntryAdded:
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			text = e.Entry.Text + " " + e.Entry.URL
		}
	}
	if text != "" {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.said = append(t.said, text)
	}
}

// quiet fails when the pages complained.
func (t *tab) quiet() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, text := range slices.Compact(slices.Sorted(slices.Values(t.said))) {
		if !strings.HasSuffix(text, "/sites/nobody.example") { // its page says that it does not exist
			t.Errorf("the browser says: %s", text)
		}
	}
	t.said = nil
}

// look is how somebody looks at pages.
type look struct {
	device, language, theme string
	width, height           int64
}

func looks() []look {
	return []look{{"desktop", "fr", "light", 1440, 900}, {"desktop", "en", "dark", 1440, 900}, {"phone", "fr", "light", 390, 844}, {"phone", "en", "dark", 390, 844}}
}

func (t *tab) as(l look) {
	t.Helper()
	t.do(chromedp.EmulateViewport(l.width, l.height))
	call(t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: l.theme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	call(t, network.SetExtraHTTPHeaders, network.SetExtraHTTPHeadersParams{Headers: network.Headers{"Authorization": "Bearer " + token, "Accept-Language": l.language}})
}

// shoot keeps a picture of the whole page.
func (t *tab) shoot(name string) {
	t.Helper()
	picture, err := chromedp.Run(t.ctx, chromedp.FullScreenshot(100))
	must(t, err)
	must(t, os.MkdirAll(pictures, 0o755))
	must(t, os.WriteFile(filepath.Join(pictures, name+".png"), picture, 0o644))
}

// violation is what axe found wrong with a page.
type violation struct {
	ID    string
	Help  string
	Nodes []struct{ HTML, FailureSummary string }
}

func (v violation) String() string {
	var nodes []string
	for _, n := range v.Nodes[:min(len(v.Nodes), 4)] {
		nodes = append(nodes, n.HTML+"\n      "+n.FailureSummary)
	}
	return fmt.Sprintf("%s (%s), %d times:\n    %s", v.ID, v.Help, len(v.Nodes), strings.Join(nodes, "\n    "))
}

// examine has axe look at the page by the rules of WCAG 2.2 AA, and more.
func (t *tab) examine() []violation {
	t.Helper()
	axe, err := os.ReadFile("../../../.cache/browser/axe.js")
	if err != nil {
		t.Fatal("axe is not here: make assets")
	}
	value[int](t, string(axe)+";0")
	text := value[string](t, `axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(r => JSON.stringify(r.violations))`)
	var found []violation
	must(t, json.Unmarshal([]byte(text), &found))
	return found
}

// TestPagesInABrowser opens every page in both languages, light and dark, on a
// desk and on a phone: nothing is wrong for axe, the browser complains of
// nothing, nothing is wider than the screen.
func TestPagesInABrowser(t *testing.T) {
	r := newRig(t)
	must(t, r.Fill(t.Context()))
	b := newTab(t)
	for _, l := range looks() {
		b.as(l)
		for _, page := range r.paths(t) {
			name := strings.Join([]string{page[0], l.device, l.language, l.theme}, "-")
			b.do(chromedp.Navigate(r.server.URL+page[1]), chromedp.WaitReady("#content"))
			for _, v := range b.examine() {
				t.Errorf("%s: %s", name, v)
			}
			if wide := value[int](b, `document.documentElement.scrollWidth - document.documentElement.clientWidth`); wide > 0 {
				t.Errorf("%s: %d pixels wider than the screen", name, wide)
			}
			b.shoot(name)
		}
	}
	b.quiet()
}

// paths are the pages, each with the name of its pictures.
func (r *rig) paths(t *testing.T) [][2]string {
	return [][2]string{
		{"today", "/"},
		{"shortcuts", "/shortcuts"},
		{"sites", "/sites"},
		{"sites-security", "/sites?show=security&sort=deadline"},
		{"sites-none", "/sites?q=nowhere"},
		{"site", "/sites/reservation.beaurivage.example"},
		{"site-urgent", "/sites/cabinet-delorme.example"},
		{"site-missing", "/sites/nobody.example"},
		{"intervention-search", r.last(t, "boutique.velo-libre.example")},
		{"intervention-running", r.last(t, "traiteur-olivier.example")},
		{"intervention-undone", r.last(t, "festival-des-brumes.example")},
		{"intervention-incident", r.last(t, "laboratoire-halde.example")},
		{"intervention-partial", r.last(t, "hotel-beaurivage.example")},
		{"intervention-done", r.last(t, "velo-libre.example")},
		{"intervention-cancel", r.last(t, "traiteur-olivier.example") + "/cancel"},
		{"interventions", "/interventions"},
		{"hold", "/hold"},
		{"releases", "/releases"},
		{"release", "/releases/way?cms=wordpress&component=plugin%3Awordpress-seo%2Fwordpress-seo.php&version=24.1"},
		{"release-hold", "/releases/hold?cms=wordpress&component=core&version=6.8"},
		{"calendar", "/calendar"},
		{"calendar-week", "/calendar?view=week"},
		{"hosts", "/hosts"},
		{"dismiss", "/applications/1/dismiss"},
		{"plans", "/plans"},
		{"plan", "/plans/avance"},
		{"ledger", "/ledger"},
		{"backups", "/sites/velo-libre.example/backups"},
		{"backup", "/backups/3"},
		{"site-plan", "/sites/garage-perrin.example/plan"},
	}
}

// last is the page of the last intervention on a site.
func (r *rig) last(t *testing.T, site string) string {
	t.Helper()
	line, err := standing.DB{DB: r.Records()}.Line(t.Context(), site)
	must(t, err)
	return "/interventions/" + line.Last.String()
}
