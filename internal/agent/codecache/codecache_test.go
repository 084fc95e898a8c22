package codecache_test

import (
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"upkeep/internal/agent/codecache"
	"upkeep/internal/cms"
)

// gate answers as that of a site does, with PHP or without.
type gate struct {
	says     string // about the reset
	held     string // body of that answer
	compiles []string
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get(cms.TokenHeader) != "secret" {
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	switch {
	case r.Header.Get(cms.ResetHeader) != "":
		w.Header().Set(cms.ResetHeader, g.says)
		_, _ = io.WriteString(w, g.held)
	case r.Header.Get(cms.CompileHeader) != "":
		_ = json.NewDecoder(r.Body).Decode(&g.compiles)
		w.Header().Set(cms.CompileHeader, "1")
	}
}

// What the update brought is compiled of what was held, and nothing else; where
// PHP may not notice changes, or nobody says what it held, it is to forget again.
func TestRenew(t *testing.T) {
	held := `{"root": "/srv/shop", "scripts": ["index.php", "wp-includes/plugin.php", "wp-config.php"]}`
	arrived := func(path string) bool { return filepath.Dir(path) == "/srv/shop/wp-includes" }
	for name, test := range map[string]struct {
		gate  *gate
		token string
		fresh bool
		want  []string
	}{
		"compiles":        {&gate{says: "done", held: held}, "secret", true, []string{"wp-includes/plugin.php"}},
		"refused":         {&gate{says: "refused", held: held}, "secret", false, nil},
		"says not what":   {&gate{says: "done"}, "secret", false, nil},
		"answers no list": {&gate{says: "done", held: "<html>"}, "secret", false, nil},
		"lets nobody in":  {&gate{says: "done", held: held}, "other", false, nil},
	} {
		server := httptest.NewServer(test.gate)
		site := codecache.Site{URL: server.URL, Token: test.token, Log: slog.New(slog.DiscardHandler)}
		if fresh := site.Renew(t.Context(), arrived); fresh != test.fresh || !slices.Equal(test.gate.compiles, test.want) {
			t.Errorf("%s: %v, compiled %v, want %v, %v", name, fresh, test.gate.compiles, test.fresh, test.want)
		}
		server.Close()
	}
	if (codecache.Site{}).Renew(t.Context(), arrived) {
		t.Error("a site without an address was renewed")
	}
}

// A gate that PHP does not run yet is asked again; one that never confirms is waited
// for as long as code is usually trusted.
func TestForgetAsksAgain(t *testing.T) {
	late := &gate{}
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked++; asked == 3 {
			late.says = "done"
		}
		late.ServeHTTP(w, r)
	}))
	defer server.Close()
	site := codecache.Site{URL: server.URL, Token: "secret", Log: slog.New(slog.DiscardHandler)}
	if err := site.Forget(t.Context()); err != nil || asked != 3 {
		t.Errorf("asked %d times, %v", asked, err)
	}
	site.Token = "other"
	began := time.Now()
	if err := site.Forget(t.Context()); err != nil || time.Since(began) < 2*time.Second {
		t.Errorf("waited %v, %v", time.Since(began), err)
	}
}

// The token stays on the site.
func TestTheTokenStaysOnTheSite(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("a redirect was followed out of the site")
	}))
	defer elsewhere.Close()
	site := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusFound))
	defer site.Close()
	if (codecache.Site{URL: site.URL, Token: "secret", Log: slog.New(slog.DiscardHandler)}).Renew(t.Context(), func(string) bool { return true }) {
		t.Error("renewed by a redirect")
	}
}
