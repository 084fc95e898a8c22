package console_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/store/standing"
)

// answer is a page as a browser without JavaScript gets it.
type answer struct {
	*http.Response
	text string
}

// ask sends a request with the token; fields make it a form.
func (r *rig) ask(t testing.TB, method, path, language string, fields url.Values) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, r.server.URL+path, strings.NewReader(fields.Encode()))
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept-Language", language)
	if fields != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	return answer{res, string(text)}
}

func (r *rig) get(t testing.TB, path string) answer { return r.ask(t, http.MethodGet, path, "en", nil) }

func TestPagesAreReadWithoutScript(t *testing.T) {
	r := newRig(t)
	must(t, r.Fill(t.Context()))
	for _, page := range r.paths(t) {
		for _, language := range []string{"fr", "en"} {
			a := r.ask(t, http.MethodGet, page[1], language, nil)
			want := http.StatusOK
			if page[0] == "site-missing" {
				want = http.StatusNotFound
			}
			if a.StatusCode != want || !strings.Contains(a.text, `<html lang="`+language+`"`) || !strings.Contains(a.text, "</html>") {
				t.Errorf("%s in %s: %d", page[1], language, a.StatusCode)
			}
			for _, bad := range []string{"console.", "reason.", "style=", "<script>", "javascript:", "onclick", "%!", "ZgotmplZ", "<no value>"} {
				if strings.Contains(a.text, bad) {
					t.Errorf("%s in %s holds %q", page[1], language, bad)
				}
			}
			if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") {
				t.Errorf("%s: policy %q", page[1], policy)
			}
		}
	}
}

func TestLanguageAndThemeAreChosen(t *testing.T) {
	r := newRig(t)
	for accepts, want := range map[string]string{"": "fr", "fr-BE,en;q=0.5": "fr", "en-GB,fr;q=0.9": "en", "de, en;q=0.3": "en", "de": "fr", "%%": "fr"} {
		if a := r.ask(t, http.MethodGet, "/shortcuts", accepts, nil); !strings.Contains(a.text, `<html lang="`+want+`"`) {
			t.Errorf("%q: not in %s", accepts, want)
		}
	}
	a := r.ask(t, http.MethodPost, "/preferences", "fr", url.Values{"language": {"en"}, "theme": {"dark"}, "next": {"//elsewhere.example/"}})
	if a.Header.Get("Location") != "/" || len(a.Cookies()) != 2 {
		t.Errorf("led to %q with %v", a.Header.Get("Location"), a.Cookies())
	}
	for _, cookie := range a.Cookies() {
		if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode {
			t.Errorf("%v", cookie)
		}
	}
}

// hostile is what would do harm if it were not only text.
const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>`

func TestHostileTextStaysText(t *testing.T) {
	r := newRig(t)
	must(t, r.Fill(t.Context()))
	ctx := t.Context()
	site, err := r.SiteByName(ctx, "cabinet-delorme.example")
	must(t, err)
	must(t, r.UpdateSite(ctx, site.ID, func(s *upkeep.Site) error {
		s.Name, s.URL = "cabinet-delorme.example", "https://cabinet-delorme.example/"+url.PathEscape(hostile)
		return nil
	}))
	all := standing.DB{DB: r.Records()}
	decided, err := all.Standing(ctx, site.ID)
	must(t, err)
	u := &decided.Updates[0]
	u.Component.Name, u.Release.Version, u.Release.URL = hostile, hostile, "javascript:alert(3)"
	u.Reasons = []upkeep.Reason{{Code: hostile, Params: map[string]string{"why": hostile}}}
	decided.Offline, decided.Findings = []string{hostile}, []upkeep.Finding{{Code: hostile, Paths: []string{hostile}, Detail: hostile}}
	must(t, all.PutStanding(ctx, decided))
	_, err = r.CreateInventory(ctx, site.ID, &upkeep.Inventory{Taken: r.Now, CMS: upkeep.WordPress, PHP: hostile, Database: hostile,
		Components: []upkeep.Component{u.Component, {Kind: upkeep.Plugin, ID: hostile, Name: hostile, Version: hostile}}})
	must(t, err)
	must(t, r.CreateTask(ctx, &upkeep.Task{Site: site.ID, Component: hostile, Code: "raise_php", Params: map[string]string{"want": hostile}}))
	must(t, r.PutFleetHold(ctx, &upkeep.FleetHold{Actor: hostile, Because: hostile}))
	must(t, r.PutAttempt(ctx, site.ID, hostile))
	must(t, r.PutAttempt(ctx, site.ID, hostile))
	for _, path := range []string{"/", "/sites", "/sites/" + site.Name, "/sites?q=" + url.QueryEscape(hostile), "/sites/" + url.PathEscape(hostile), "/ledger",
		"/?done=" + url.QueryEscape(hostile), "/calendar?on=" + url.QueryEscape(hostile), "/releases/hold?cms=" + url.QueryEscape(hostile) + "&component=" + url.QueryEscape(hostile)} {
		a := r.get(t, path)
		for _, bad := range []string{"<script>alert", "<img src=x", `href="javascript`, "href=\"\"><script"} {
			if strings.Contains(a.text, bad) {
				t.Errorf("%s holds %s", path, bad)
			}
		}
	}
}

func TestActionsAreForms(t *testing.T) {
	r := newRig(t)
	must(t, r.Fill(t.Context()))
	for _, tc := range []struct {
		path   string
		fields url.Values
		leads  string
	}{
		{"/hold", url.Values{"because": {"move"}}, "/?done=held"},
		{"/resume", url.Values{}, "/?done=resumed"},
		{"/releases/hold", url.Values{"cms": {"wordpress"}, "component": {"core"}, "version": {"6.8"}, "because": {"wait"}}, "/releases?done=release_held"},
		{"/releases/allow", url.Values{"cms": {"wordpress"}, "component": {"core"}, "version": {"6.8"}}, "/releases?done=release_allowed"},
		{"/applications/1/dismiss", url.Values{"because": {"sold"}}, "/hosts?done=dismissed"},
		{"/sites/garage-perrin.example/plan", url.Values{"plan": {"base"}, "client": {"perrin"}}, "/sites/garage-perrin.example?done=subscribed"},
		{"/plans/base", url.Values{"title": {"Base"}, "extensions": {"12"}, "cadence_days": {"30"}, "soak_days": {"7"}, "security_hours": {"72"}, "wave_hours": {"24"}, "urgent_hours": {"1"}}, "/plans?done=plan_set"},
		{r.last(t, "traiteur-olivier.example") + "/cancel", url.Values{}, r.last(t, "traiteur-olivier.example") + "?done=cancelled"},
	} {
		a := r.ask(t, http.MethodPost, tc.path, "en", tc.fields)
		if a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != tc.leads {
			t.Errorf("%s: %d to %q", tc.path, a.StatusCode, a.Header.Get("Location"))
		}
		if shown := r.get(t, tc.leads); !strings.Contains(shown.text, `role="status"`) {
			t.Errorf("%s does not say that it was done", tc.leads)
		}
	}
	entries, err := r.LedgerEntries(t.Context(), 0, 1000)
	must(t, err)
	kinds := map[string]bool{}
	for _, e := range entries {
		kinds[e.Kind] = e.Actor == "api"
	}
	for _, kind := range []string{"fleet_held", "fleet_released", "release_held", "application_dismissed", "intervention_cancelled"} {
		if !kinds[kind] {
			t.Errorf("the ledger does not name who asked for %s: %v", kind, kinds)
		}
	}
	for path, fields := range map[string]url.Values{
		"/plans/base":                                {"title": {"Base"}, "extensions": {"many"}},
		"/sites/cabinet-delorme.example/update":      {},
		"/backups/0/verify":                          {},
		"/applications/99999999999999999999/dismiss": {},
	} {
		if a := r.ask(t, http.MethodPost, path, "fr", fields); a.StatusCode != http.StatusBadRequest || !strings.Contains(a.text, "</html>") {
			t.Errorf("%s: %d", path, a.StatusCode)
		}
	}
}

func TestSearchAnswersOnlyWhatChanges(t *testing.T) {
	r := newRig(t)
	must(t, r.Fill(t.Context()))
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, r.server.URL+"/sites?q=velo", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("HX-Target", "list")
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	must(t, err)
	if strings.Contains(string(text), "<html") || !strings.Contains(string(text), "boutique.velo-libre.example") || strings.Contains(string(text), "boulangerie") {
		t.Errorf("%s", text)
	}
}

// TestAssetsAreSentOnceAndSmall holds what a first visit weighs, and that the
// browser need not ask again.
func TestAssetsAreSentOnceAndSmall(t *testing.T) {
	r := newRig(t)
	must(t, r.Fill(t.Context()))
	const first, later = 300 << 10, 100 << 10
	for _, path := range []string{"/", "/sites", "/sites/velo-libre.example", "/interventions", "/releases"} {
		page, weight := r.fetch(t, path)
		all := weight
		for _, part := range strings.Split(page, `"`) {
			if !strings.HasPrefix(part, "/assets/") {
				continue
			}
			url, _, _ := strings.Cut(part, "#")
			if strings.Contains(page[:strings.Index(page, part)], `"`+url) {
				continue
			}
			_, size := r.fetch(t, url)
			all += size
		}
		if all > first || weight > later {
			t.Errorf("%s: %d bytes at first, %d later", path, all, weight)
		}
	}
}

// fetch asks as a browser does and returns the text, and how much was sent.
func (r *rig) fetch(t testing.TB, path string) (string, int) {
	t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, r.server.URL+path, nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept-Encoding", "br")
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	must(t, err)
	if strings.HasPrefix(path, "/assets/") {
		if res.StatusCode != http.StatusOK || !strings.Contains(res.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %d, %q", path, res.StatusCode, res.Header.Get("Cache-Control"))
		}
		if !strings.Contains(path, ".woff2") && res.Header.Get("Content-Encoding") == "" && len(raw) > 20<<10 {
			t.Errorf("%s is sent as it is", path)
		}
	}
	return string(raw), len(raw)
}

func TestAnInterventionIsFollowed(t *testing.T) {
	r := newRig(t)
	must(t, r.Fill(t.Context()))
	path := r.last(t, "traiteur-olivier.example")
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.server.URL+path+"/stream", nil)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	must(t, err)
	defer res.Body.Close()
	news := make([]byte, 0, 1<<20)
	wait := func(text string) {
		t.Helper()
		for !strings.Contains(string(news), text) {
			part := make([]byte, 64<<10)
			n, err := res.Body.Read(part)
			news = append(news, part[:n]...)
			if err != nil && !strings.Contains(string(news), text) {
				t.Fatalf("%v before %q in %s", err, text, news)
			}
		}
		news = news[:0]
	}
	wait("event: state")
	site, err := r.SiteByName(t.Context(), "traiteur-olivier.example")
	must(t, err)
	under, err := r.DB.Interventions(t.Context(), upkeep.InterventionFilter{Site: site.ID, Unended: true})
	must(t, err)
	advance := func(from, to upkeep.State) {
		t.Helper()
		must(t, r.AdvanceIntervention(t.Context(), under[0].ID, "seed/1/1", [2]upkeep.State{from, to}, nil))
	}
	advance(upkeep.Securing, upkeep.Undoing)
	wait("event: line")
	advance(upkeep.Undoing, upkeep.Incident)
	wait("event: end")
}
