package access

import (
	"net/http"
	"strings"
	"time"
)

// cookieName is the session's cookie. Browsers take the prefix only with
// Secure, from this very host and for all its paths, so that no neighbour can
// plant one.
const cookieName = "__Host-upkeep"

// Token returns the session's token that a browser sent, "" for none.
func Token(r *http.Request) string {
	cookie, err := r.Cookie(cookieName)
	if err != nil {
		return ""
	}
	return cookie.Value
}

// SetToken gives a browser the token of its session, until an instant. An
// empty token takes it away.
func SetToken(w http.ResponseWriter, token string, until time.Time) {
	cookie := &http.Cookie{Name: cookieName, Value: token, Path: "/", Expires: until, Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode}
	if token == "" {
		cookie.Expires, cookie.MaxAge = time.Time{}, -1
	}
	http.SetCookie(w, cookie)
}

// Next is where to go after signing in: next when it is a page here, else
// home. What a browser could take for another site's address is not.
func Next(next, home string) string {
	plain := strings.HasPrefix(next, "/") && !strings.HasPrefix(next, "//") && !strings.ContainsFunc(next, unsafe)
	if !plain || strings.HasPrefix(next, "/v1/") {
		return home
	}
	return next
}

// unsafe are the characters that browsers drop from addresses, or read as a
// slash.
func unsafe(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }
