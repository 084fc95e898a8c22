package access

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"upkeep"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
	"upkeep/person"
)

// Sessions finds who is signed in.
type Sessions interface {
	// Enter returns the session and the account that a cookie's token stands
	// for. CodeUnauthorized when it stands for none, or for half of one.
	Enter(ctx context.Context, token string) (*person.Session, *person.Account, error)
}

// Config is what a Gate works with.
type Config struct {
	Routes   []Route
	Sessions Sessions       // nil: nobody can sign in
	Origin   *url.URL       // where people reach the pages; nil: nobody does
	Proxies  []netip.Prefix // whose word on where a request comes from is taken
	// Refuse answers a person who may not, or may not yet; nil answers in JSON.
	Refuse func(w http.ResponseWriter, r *http.Request, err error)
	Log    *slog.Logger // nil discards
}

// Gate is the one way to the routes.
type Gate struct {
	Config
	mux     *http.ServeMux
	replies reply.Replier
	foreign *http.CrossOriginProtection
}

// New returns the gate before c.Routes. It panics when two of them collide, as
// http.ServeMux does.
func New(c Config) *Gate {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	g := &Gate{Config: c, mux: http.NewServeMux(), replies: reply.Replier{Log: c.Log}, foreign: http.NewCrossOriginProtection()}
	for _, route := range c.Routes {
		g.mux.Handle(route.Pattern, g.only(route))
	}
	g.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { g.refuse(w, r, unknown(r)) })
	return g
}

func unknown(r *http.Request) error {
	return upkeep.Errorf(upkeep.CodeNotFound, "nothing answers %s %s", r.Method, r.URL.Path).
		WithHint("The API lives below /v1/.")
}

// only lets through whom the route is for. To others it does not exist, so
// that nobody learns from a refusal what there is.
func (g *Gate) only(route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := Of(r)
		switch {
		case !route.For.Admits(who) && who.Account == nil:
			g.refuse(w, r, upkeep.Errorf(upkeep.CodeUnauthorized, "nobody is signed in").
				WithHint("Sign in, or set UPKEEP_TOKEN to the server's token."))
		case !route.For.Admits(who):
			g.refuse(w, r, unknown(r))
		case route.For > Person && who.Account != nil && who.Account.Staff() && who.Account.Bare():
			g.refuse(w, r, upkeep.Errorf(upkeep.CodeHeld, "a second factor is missing").
				WithHint("Set up a passkey or one-time codes on the page of your account."))
		default:
			route.Handler.ServeHTTP(w, r)
		}
	})
}

func (g *Gate) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if g.Refuse != nil && !strings.HasPrefix(r.URL.Path, "/v1/") {
		g.Refuse(w, r, err)
		return
	}
	if upkeep.CodeOf(err) == upkeep.CodeUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	g.replies.Refuse(w, r, err)
}

// Trusted answers callers on the private socket or in this process, who have
// full rights and say themselves who they are.
func (g *Gate) Trusted() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.mux.ServeHTTP(w, as(r, Who{Machine: true, Address: "local"}))
	})
}

// Public answers everybody else: programs by the token, people by their
// session. An empty token lets no program in.
func (g *Gate) Public(token string) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.harden(w.Header())
		if given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			got := sha256.Sum256([]byte(given))
			if token == "" || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
				g.refuse(w, r, upkeep.Errorf(upkeep.CodeUnauthorized, "the token is missing or wrong").
					WithHint("Set UPKEEP_TOKEN to the server's token."))
				return
			}
			g.mux.ServeHTTP(w, as(r, Who{Machine: true, Address: g.address(r)}))
			return
		}
		g.person(w, r)
	})
}

// person lets somebody with a browser through to what is for them. What they
// say of themselves in headers does not count.
func (g *Gate) person(w http.ResponseWriter, r *http.Request) {
	who := Who{Address: g.address(r)}
	r.Header.Del(query.ActorHeader)
	if err := g.own(r); err != nil {
		g.refuse(w, as(r, who), err)
		return
	}
	if token := Token(r); token != "" && g.Sessions != nil {
		session, account, err := g.Sessions.Enter(r.Context(), token)
		switch upkeep.CodeOf(err) {
		case "":
			who.Account, who.Session = account, session.ID
			r.Header.Set(query.ActorHeader, Actor(account))
		case upkeep.CodeUnauthorized, upkeep.CodeNotFound:
		default:
			g.refuse(w, as(r, who), err)
			return
		}
	}
	g.mux.ServeHTTP(w, as(r, who))
}

// own refuses what another site had a browser send, and names of this machine
// that are not the one it is known by: a name of theirs that points here would
// make their pages ours.
func (g *Gate) own(r *http.Request) error {
	if g.Origin == nil || r.Host != g.Origin.Host {
		return upkeep.Errorf(upkeep.CodeUnauthorized, "nobody is known as %q here", r.Host).
			WithHint("Open the address that console.url in config.json says, or set UPKEEP_TOKEN to the server's token.")
	}
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return nil
	}
	origin := g.Origin.Scheme + "://" + g.Origin.Host
	said := r.Header.Get("Origin")
	if err := g.foreign.Check(r); err != nil || said != "" && said != origin || said == "" && r.Header.Get("Sec-Fetch-Site") == "" {
		return upkeep.Errorf(upkeep.CodeRefused, "the request comes from another site").
			WithHint("Open the page here again, and repeat it there.")
	}
	return nil
}

func as(r *http.Request, who Who) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), whoKey{}, who))
}

// harden says what browsers may do with our answers.
func (g *Gate) harden(h http.Header) {
	for name, value := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; " +
			"connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"Permissions-Policy":           "camera=(), geolocation=(), microphone=(), payment=(), publickey-credentials-get=(self), publickey-credentials-create=(self)",
		"Referrer-Policy":              "same-origin",
		"X-Content-Type-Options":       "nosniff",
		"X-Frame-Options":              "DENY",
	} {
		h.Set(name, value)
	}
	if g.Origin != nil && g.Origin.Scheme == "https" {
		h.Set("Strict-Transport-Security", "max-age=31536000")
	}
}

// address is where a request comes from: the peer, or whom the last proxy that
// we trust had it from.
func (g *Gate) address(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	at := peer.Addr().Unmap()
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for i := len(said) - 1; i >= 0 && g.proxy(at); i-- {
		before, err := netip.ParseAddr(strings.TrimSpace(said[i]))
		if err != nil {
			break
		}
		at = before.Unmap()
	}
	return at.String()
}

func (g *Gate) proxy(at netip.Addr) bool {
	for _, prefix := range g.Proxies {
		if prefix.Contains(at) {
			return true
		}
	}
	return false
}
