package frame

import (
	"compress/gzip"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"upkeep/internal/catalogue"
	"upkeep/internal/web/access"
)

// languages are those that pages are in, the first for whoever asks for none.
func languages() []catalogue.Language {
	return []catalogue.Language{catalogue.French, catalogue.English}
}

// What a reader chose, in cookies.
const (
	languageCookie = "upkeep-language"
	themeCookie    = "upkeep-theme"
)

func themes() []string { return []string{"auto", "light", "dark"} }

// languageOf is the language that was chosen, else the one that the browser
// asks for.
func languageOf(r *http.Request) catalogue.Language {
	if cookie, err := r.Cookie(languageCookie); err == nil && slices.Contains(languages(), catalogue.Language(cookie.Value)) {
		return catalogue.Language(cookie.Value)
	}
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil || len(wanted) == 0 {
		return catalogue.French
	}
	tags := []language.Tag{language.French, language.English}
	_, at, _ := language.NewMatcher(tags).Match(wanted...)
	return languages()[at]
}

func themeOf(r *http.Request) string {
	if cookie, err := r.Cookie(themeCookie); err == nil && slices.Contains(themes(), cookie.Value) {
		return cookie.Value
	}
	return themes()[0]
}

// year is how long a choice is kept, in seconds.
const year = 365 * 24 * 60 * 60

// Prefer keeps a choice of language or theme and leads back.
func Prefer(v *Visit) error {
	if chosen := v.R.PostFormValue("language"); slices.Contains(languages(), catalogue.Language(chosen)) {
		v.keep(languageCookie, chosen)
	}
	if chosen := v.R.PostFormValue("theme"); slices.Contains(themes(), chosen) {
		v.keep(themeCookie, chosen)
	}
	return v.Go(access.Next(v.R.PostFormValue("next"), "/"))
}

// keep sets a cookie that no script reads.
func (v *Visit) keep(name, value string) {
	secure := v.R.TLS != nil || strings.HasPrefix(v.R.Header.Get("Origin"), "https:")
	http.SetCookie(v.W, &http.Cookie{Name: name, Value: value, Path: "/", MaxAge: year, HttpOnly: true, Secure: secure, SameSite: http.SameSiteLaxMode})
}

// compressed writes a page to a browser that takes it smaller.
func (v *Visit) compressed(status int, text string) error {
	v.W.Header().Set("Content-Encoding", "gzip")
	v.W.Header().Add("Vary", "Accept-Encoding")
	v.W.WriteHeader(status)
	out, err := gzip.NewWriterLevel(v.W, gzip.BestSpeed)
	if err != nil {
		return err
	}
	_, _ = out.Write([]byte(text)) // who asked has gone when it fails
	_ = out.Close()
	return nil
}
