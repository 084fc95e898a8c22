package access_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/web/access"
	"upkeep/internal/web/query"
	"upkeep/person"
)

// signedIn knows one token of each account.
type signedIn map[string]*person.Account

func (s signedIn) Enter(_ context.Context, token string) (*person.Session, *person.Account, error) {
	if account, ok := s[token]; ok {
		return &person.Session{ID: 7}, account, nil
	}
	return nil, nil, upkeep.Errorf(upkeep.CodeUnauthorized, "nobody")
}

func accounts() signedIn {
	return signedIn{
		"owner": {Mail: "o@example.org", Role: person.OwnerRole, Code: true}, "bare": {Mail: "b@example.org", Role: person.OwnerRole},
		"operator": {Mail: "p@example.org", Role: person.OperatorRole, Passkeys: 1}, "auditor": {Mail: "a@example.org", Role: person.AuditorRole},
		"client": {Mail: "c@example.org", Role: person.ClientRole, Client: "martin"}, "part": {Mail: "d@example.org", Role: person.AuditorRole, Client: "martin"},
	}
}

const origin = "https://upkeep.example"

// newGate has a route for each audience, which says who asked.
func newGate(proxies ...netip.Prefix) *access.Gate {
	echo := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, query.Actor(r)+" "+access.Of(r).Address)
	})
	var routes []access.Route
	for name, audience := range audiences() {
		routes = append(routes, access.Route{Pattern: "/" + name, For: audience, Handler: echo})
	}
	return access.New(access.Config{Routes: routes, Sessions: accounts(), Origin: &url.URL{Scheme: "https", Host: "upkeep.example"}, Proxies: proxies})
}

func audiences() map[string]access.Audience {
	return map[string]access.Audience{"nobody": access.Nobody, "anyone": access.Anyone, "person": access.Person, "reader": access.Reader,
		"staff": access.Staff, "owner": access.Owner, "visitor": access.Visitor, "signer": access.Signer, "machine": access.Machine}
}

// request is one of a browser on our own pages, until change makes another of it.
func request(t *testing.T, method, path, token string, change func(r *http.Request)) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, origin+path, nil)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Origin", origin)
	if token != "" {
		r.AddCookie(&http.Cookie{Name: "__Host-upkeep", Value: token})
	}
	if change != nil {
		change(r)
	}
	return r
}

func ask(h http.Handler, r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func TestAudiences(t *testing.T) {
	admitted := map[string]string{
		"":         "anyone",
		"owner":    "anyone person reader staff owner",
		"operator": "anyone person reader staff",
		"auditor":  "anyone person reader",
		"client":   "anyone person visitor signer",
		"part":     "anyone person visitor",
		"bare":     "anyone person", // until there is a second factor
	}
	h := newGate().Public("a-token-of-programs")
	for token, routes := range admitted {
		for name := range audiences() {
			w := ask(h, request(t, http.MethodGet, "/"+name, token, nil))
			if got, want := w.Code == http.StatusOK, strings.Contains(" "+routes+" ", " "+name+" "); got != want {
				t.Errorf("%q asks %s: status %d", token, name, w.Code)
			}
		}
	}
	for name := range audiences() {
		for _, given := range []string{"", "a-token-of-program", "a-token-of-programs"} {
			w := ask(h, request(t, http.MethodPost, "/"+name, "owner", func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+given) }))
			want := given == "a-token-of-programs" && name != "nobody" && name != "person" && name != "visitor" && name != "signer"
			if got := w.Code == http.StatusOK; got != want {
				t.Errorf("a program with %q asks %s: status %d", given, name, w.Code)
			}
		}
	}
	if w := ask(newGate().Public(""), request(t, http.MethodGet, "/staff", "", func(r *http.Request) { r.Header.Set("Authorization", "Bearer ") })); w.Code != http.StatusUnauthorized {
		t.Errorf("no token is set, and none was given: status %d", w.Code)
	}
}

// What another site has a browser send is not done, whatever it looks like.
func TestRequestsOfOtherSites(t *testing.T) {
	h := newGate().Public("")
	for what, change := range map[string]func(r *http.Request){
		"":                                 nil,
		"without Sec-Fetch-Site":           func(r *http.Request) { r.Header.Del("Sec-Fetch-Site") },
		"without Origin":                   func(r *http.Request) { r.Header.Del("Origin") },
		"! without either":                 func(r *http.Request) { r.Header.Del("Origin"); r.Header.Del("Sec-Fetch-Site") },
		"! from another site":              func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "cross-site") },
		"! from a neighbour":               func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "same-site") },
		"! of another origin":              func(r *http.Request) { r.Header.Set("Origin", "https://evil.example"); r.Header.Del("Sec-Fetch-Site") },
		"! of our name without TLS":        func(r *http.Request) { r.Header.Set("Origin", "http://upkeep.example"); r.Header.Del("Sec-Fetch-Site") },
		"! of nowhere":                     func(r *http.Request) { r.Header.Set("Origin", "null"); r.Header.Del("Sec-Fetch-Site") },
		"! to a name that points here":     func(r *http.Request) { r.Host = "evil.example" },
		"! to a name that begins as ours":  func(r *http.Request) { r.Host = "upkeep.example.evil.example" },
		"! same-origin, by its own origin": func(r *http.Request) { r.Host = "evil.example"; r.Header.Set("Origin", "https://evil.example") },
	} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch} {
			w := ask(h, request(t, method, "/staff", "owner", change))
			if done := w.Code == http.StatusOK; done == strings.HasPrefix(what, "!") {
				t.Errorf("%s %s: status %d", method, what, w.Code)
			}
		}
	}
}

// A person is who their session says, a program who it says itself.
func TestWhoAsks(t *testing.T) {
	claim := func(r *http.Request) { r.Header.Set(query.ActorHeader, "account:o@example.org") }
	if got := ask(newGate().Public(""), request(t, http.MethodGet, "/person", "client", claim)).Body.String(); !strings.HasPrefix(got, "account:c@example.org ") {
		t.Errorf("a client is %q", got)
	}
	if got := ask(newGate().Public(""), request(t, http.MethodGet, "/anyone", "", claim)).Body.String(); !strings.HasPrefix(got, "api ") {
		t.Errorf("nobody is %q", got)
	}
	if got := ask(newGate().Trusted(), request(t, http.MethodGet, "/staff", "", claim)).Body.String(); !strings.HasPrefix(got, "account:o@example.org ") {
		t.Errorf("a program is %q", got)
	}
}

func TestWhereARequestComesFrom(t *testing.T) {
	trusted := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8")}
	for _, tc := range []struct {
		proxies []netip.Prefix
		peer    string
		said    []string
		want    string
	}{
		{nil, "127.0.0.1:9", []string{"203.0.113.9"}, "127.0.0.1"},
		{trusted, "203.0.113.1:9", []string{"203.0.113.9"}, "203.0.113.1"},
		{trusted, "127.0.0.1:9", []string{"203.0.113.9"}, "203.0.113.9"},
		{trusted, "127.0.0.1:9", []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9"},
		{trusted, "127.0.0.1:9", []string{"198.51.100.1", "203.0.113.9, 10.1.2.3"}, "203.0.113.9"},
		{trusted, "127.0.0.1:9", []string{"nonsense"}, "127.0.0.1"},
		{trusted, "127.0.0.1:9", nil, "127.0.0.1"},
		{trusted, "[::ffff:127.0.0.1]:9", []string{"2001:db8::1"}, "2001:db8::1"},
	} {
		got := ask(newGate(tc.proxies...).Public(""), request(t, http.MethodGet, "/anyone", "", func(r *http.Request) {
			r.RemoteAddr = tc.peer
			r.Header["X-Forwarded-For"] = tc.said
		})).Body.String()
		if got != "api "+tc.want {
			t.Errorf("%s, said %q: %q, want %s", tc.peer, tc.said, got, tc.want)
		}
	}
}

func TestHeadersForBrowsers(t *testing.T) {
	for _, path := range []string{"/anyone", "/owner", "/nowhere"} {
		h := ask(newGate().Public(""), request(t, http.MethodGet, path, "", nil)).Header()
		policy := h.Get("Content-Security-Policy")
		if strings.Contains(policy, "unsafe") || !strings.Contains(policy, "default-src 'none'") || !strings.Contains(policy, "frame-ancestors 'none'") {
			t.Errorf("%s: policy %q", path, policy)
		}
		for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
			"Cross-Origin-Opener-Policy": "same-origin", "Strict-Transport-Security": "max-age=31536000"} {
			if got := h.Get(name); got != want {
				t.Errorf("%s: %s %q", path, name, got)
			}
		}
	}
}

func TestTheCookieIsOurs(t *testing.T) {
	w := httptest.NewRecorder()
	access.SetToken(w, "secret", time.Now().Add(time.Hour))
	said := w.Header().Get("Set-Cookie")
	for _, part := range []string{"__Host-upkeep=secret", "Path=/", "Secure", "HttpOnly", "SameSite=Lax", "Expires="} {
		if !strings.Contains(said, part) || strings.Contains(said, "Domain") {
			t.Errorf("%s: %s", part, said)
		}
	}
}

// After signing in nobody is led away.
func TestNextStaysHere(t *testing.T) {
	for next, want := range map[string]string{
		"/sites?q=a%20b": "/sites?q=a%20b", "/portal/sites/x": "/portal/sites/x", "": "/home", "https://evil.example": "/home", "//evil.example": "/home",
		"/\\evil.example": "/home", "\\\\evil.example": "/home", "/\t/evil.example": "/home", "/\n/evil.example": "/home", " //evil.example": "/home",
		"javascript:alert(1)": "/home", "/v1/sites": "/home", "evil.example": "/home", "/a\r\nSet-Cookie: x=y": "/home", "///evil.example": "/home",
	} {
		if got := access.Next(next, "/home"); got != want {
			t.Errorf("%q leads to %q", next, got)
		}
	}
}
