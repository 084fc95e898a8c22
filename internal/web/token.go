package web

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"upkeep"
)

// RequireToken lets requests through that carry the bearer token.
func RequireToken(h http.Handler, token string) http.Handler {
	want := sha256.Sum256([]byte(token))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		got := sha256.Sum256([]byte(given))
		if !ok || token == "" || subtle.ConstantTimeCompare(want[:], got[:]) != 1 {
			w.Header().Set("WWW-Authenticate", "Bearer")
			_ = respond(w, http.StatusUnauthorized, upkeep.Errorf(upkeep.CodeUnauthorized, "the token is missing or wrong").
				WithHint("Set UPKEEP_TOKEN to the server's token."))
			return
		}
		h.ServeHTTP(w, r)
	})
}
