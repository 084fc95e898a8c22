package verify_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/verify"
)

const good = `<!doctype html><html><head><title>My shop – home</title></head><body><h1>Welcome</h1>%s</body></html>`

func page(body string) string { return fmt.Sprintf(good, strings.Repeat("<p>text</p>", 400)+body) }

func TestCompareNoticesWhatIsWorse(t *testing.T) {
	send := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		}
	}
	tests := []struct {
		name  string
		now   http.HandlerFunc
		wrong string // part of Got; "" when it is as good as before
	}{
		{"the same with another nonce", send(200, page("<p>visit 17</p>")), ""},
		{"status", send(500, page("")), "500"},
		{"white page", send(200, ""), "cut off"},
		{"cut short", send(200, page("")[:500]), "cut off"},
		{"critical error with 200", send(200, page("<p>There has been a critical error on this website.</p>")), "critical_error"},
		{"fatal in the text", send(200, page("<b>Fatal error</b>: Uncaught Error")), "php_error"},
		{"another page", send(200, strings.Replace(page(""), "My shop – home", "Install", 1)), "title"},
		{"title reworded", send(200, strings.Replace(page(""), "home", "start", 1)), ""},
		{"much smaller", send(200, fmt.Sprintf(good, "")), "bytes"},
		{"dies without answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "EOF"},
		{"sent elsewhere", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/" {
				http.Redirect(w, r, "/wp-admin/install.php", http.StatusFound)
				return
			}
			send(200, page(""))(w, r)
		}, "/wp-admin/install.php"},
	}
	verifier := verify.Verifier{TokenHeader: "X-Probe", Now: time.Now}
	pages := []upkeep.Page{{Path: "/", Role: "home"}}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var handler http.HandlerFunc = send(200, page("<p>visit 16</p>"))
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { handler(w, r) }))
			defer server.Close()
			before, err := verifier.Look(t.Context(), server.URL, pages, "")
			if err != nil {
				t.Fatal(err)
			}
			handler = test.now
			after, err := verifier.Look(t.Context(), server.URL, pages, "")
			if err != nil {
				t.Fatal(err)
			}
			check := verify.Compare(before, after)[0]
			if check.OK != (test.wrong == "") || !strings.Contains(check.Got, test.wrong) {
				t.Errorf("got %+v, want something with %q", check, test.wrong)
			}
		})
	}
}

func TestWhatIsHealedIsNotWorse(t *testing.T) {
	was := upkeep.Probe{Page: upkeep.Page{Path: "/"}, Status: 500, Type: "text/html", Title: "Error", Size: 90000, Markers: []string{"critical_error"}}
	for _, test := range []struct {
		is upkeep.Probe
		ok bool
	}{
		{upkeep.Probe{Page: was.Page, Status: 200, Type: "text/html", Title: "My shop", Size: 800, FinalURL: "/home"}, true},
		{upkeep.Probe{Page: was.Page, Status: 200, Type: "text/html", Size: 800, Markers: []string{"php_error"}}, false},
		{upkeep.Probe{Page: was.Page, Status: 404, Type: "text/html", Size: 800}, false},
	} {
		if check := verify.Compare([]upkeep.Probe{was}, []upkeep.Probe{test.is})[0]; check.OK != test.ok {
			t.Errorf("%+v: %+v", test.is, check)
		}
	}
}

func TestLookPassesTheTokenAndDefeatsCaches(t *testing.T) {
	seen := map[string]bool{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if seen[r.URL.String()] {
			t.Error("the same address twice: a cache would have answered")
		}
		seen[r.URL.String()] = true
		if r.Header.Get("X-Probe") != "secret" || r.Header.Get("Cache-Control") == "" {
			t.Errorf("headers %v", r.Header)
		}
		if r.URL.Path != "/blog/" || r.URL.Query().Get("p") != "7" {
			t.Errorf("address %s", r.URL)
		}
		w.Header().Set("Age", "30")
	}))
	defer server.Close()
	verifier := verify.Verifier{TokenHeader: "X-Probe", Now: time.Now}
	for range 2 {
		probes, err := verifier.Look(t.Context(), server.URL+"/blog/", []upkeep.Page{{Path: "/?p=7"}}, "secret")
		if err != nil || probes[0].Status != 200 || !probes[0].Cached {
			t.Errorf("%+v %v", probes, err)
		}
	}
}

func TestTheTokenStaysOnTheSite(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect was followed out of the site")
	}))
	defer elsewhere.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, strings.Replace(elsewhere.URL, "127.0.0.1", "localhost", 1), http.StatusFound)
	}))
	defer server.Close()
	verifier := verify.Verifier{TokenHeader: "X-Probe", Now: time.Now}
	probes, err := verifier.Look(t.Context(), server.URL, []upkeep.Page{{Path: "/"}}, "secret")
	if err != nil || probes[0].Status != http.StatusFound {
		t.Errorf("%+v %v", probes, err)
	}
}

// Another site of the same code is asked by its name where the site itself is: what
// that name leads to elsewhere never sees the token.
func TestAnotherSiteIsAskedWhereTheSiteIs(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		asked = append(asked, r.Host+r.URL.Path+" "+r.Header.Get("X-Probe"))
		mu.Unlock()
		if r.URL.Path == "/away" {
			http.Redirect(w, r, "http://elsewhere.invalid/", http.StatusFound)
		}
	}))
	defer server.Close()
	verifier := verify.Verifier{TokenHeader: "X-Probe", Now: time.Now}
	pages := []upkeep.Page{{Host: "second.invalid", Path: "/a"}, {Host: "second.invalid", Path: "/away"}}
	probes, err := verifier.Look(t.Context(), server.URL, pages, "secret")
	if err != nil || probes[0].Status != http.StatusOK || probes[1].Status != http.StatusFound || probes[0].FinalURL != "/a" {
		t.Errorf("%+v %v", probes, err)
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(server.URL, "http://"), ":")
	slices.Sort(asked)
	if want := []string{"second.invalid:" + port + "/a secret", "second.invalid:" + port + "/away secret"}; !slices.Equal(asked, want) {
		t.Errorf("asked %q", asked)
	}
	checks := verify.Compare(probes, []upkeep.Probe{{Page: pages[0], Status: 500}, probes[1]})
	if checks[0].OK || checks[0].Subject != "second.invalid/a" || !checks[1].OK {
		t.Errorf("%+v", checks)
	}
}

func TestTheSameKindByAnotherName(t *testing.T) {
	for _, test := range []struct {
		was, is string
		ok      bool
	}{
		{"application/xml", "text/xml", true}, {"application/javascript", "text/javascript", true},
		{"application/xml", "text/html", false}, {"text/html", "", false},
	} {
		page := upkeep.Page{Path: "/feed.php"}
		was, is := upkeep.Probe{Page: page, Status: 200, Type: test.was}, upkeep.Probe{Page: page, Status: 200, Type: test.is}
		if check := verify.Compare([]upkeep.Probe{was}, []upkeep.Probe{is})[0]; check.OK != test.ok {
			t.Errorf("%s, then %s: %+v", test.was, test.is, check)
		}
	}
}
