package frame

import (
	"bytes"
	"embed"
	"net/http"
	"net/url"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/catalogue"
	"upkeep/internal/web/access"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

//go:embed *.html
var files embed.FS

// Visit is one request for a page: who asks, in which language, and how it is
// answered.
type Visit struct {
	W     http.ResponseWriter
	R     *http.Request
	Who   access.Who
	Texts *catalogue.Texts
	frame *Frame
}

// Head is what the layout shows around a page.
type Head struct {
	Title string
	Place string  // which entry of the navigation it belongs to: "today", "fleet", …
	Trail []Crumb // pages above it
	Live  string  // id of what the search in the header replaces as one types; "" leads to the list of sites
}

// Crumb is a page above the one shown.
type Crumb struct{ Title, Path string }

// shell is what the layout's template gets.
type shell struct {
	Head
	Person   string // who is signed in, "" for nobody
	Reader   bool   // they see what concerns all sites
	Own      bool   // they have an account, and its page
	Language catalogue.Language
	Theme    string // "light", "dark" or "auto"
	Here     string // path and query of the page
	Version  string
	Notice   string // what was just done
	Search   string // what was searched for
	Data     any
}

// person is whoever is signed in, as they call themselves.
func (v *Visit) person() string {
	switch account := v.Who.Account; {
	case v.Who.Machine:
		return v.Actor()
	case account == nil:
		return ""
	case account.Name != "":
		return account.Name
	default:
		return account.Mail
	}
}

// Actor is who asks, as the ledger names them.
func (v *Visit) Actor() string { return query.Actor(v.R) }

// Works reports whether they may have work begun, and not only look.
func (v *Visit) Works() bool { return v.Who.Works() }

// Show answers with a page.
func (v *Visit) Show(page *View, head Head, data any) error {
	return v.show(page, http.StatusOK, head, data)
}

// ShowAs answers with a page under another status: a form that was not taken.
func (v *Visit) ShowAs(page *View, status int, head Head, data any) error {
	return v.show(page, status, head, data)
}

// JSON answers a script of a page.
func (v *Visit) JSON(body any, err error) error {
	if err != nil {
		replies := reply.Replier{Log: v.frame.Log}
		replies.Refuse(v.W, v.R, err)
		return nil
	}
	return reply.Or(v.W, body, nil)
}

func (v *Visit) show(page *View, status int, head Head, data any) error {
	shown := shell{Head: head, Person: v.person(), Reader: access.Reader.Admits(v.Who), Own: v.Who.Account != nil, Language: v.Texts.Language(), Theme: themeOf(v.R), Here: v.here(),
		Version: v.frame.Version, Notice: v.notice(), Search: v.R.URL.Query().Get("q"), Data: data}
	return v.render(page, "layout", status, shown)
}

// Part answers with a part of a page, for what was there to be replaced.
func (v *Visit) Part(page *View, part string, data any) error {
	return v.render(page, part, http.StatusOK, data)
}

// Text returns a part of a page as text.
func (v *Visit) Text(page *View, part string, data any) (string, error) {
	var out bytes.Buffer
	err := page.in[v.Texts.Language()].ExecuteTemplate(&out, part, data)
	return out.String(), err
}

// render writes nothing unless everything could be rendered.
func (v *Visit) render(page *View, part string, status int, data any) error {
	text, err := v.Text(page, part, data)
	if err != nil {
		return err
	}
	v.W.Header().Set("Content-Type", "text/html; charset=utf-8")
	if !strings.Contains(v.R.Header.Get("Accept-Encoding"), "gzip") {
		v.W.WriteHeader(status)
		_, _ = v.W.Write([]byte(text)) // who asked has gone when it fails
		return nil
	}
	return v.compressed(status, text)
}

// Partial reports whether only the named part of a page is asked for, by its id.
func (v *Visit) Partial(id string) bool { return v.R.Header.Get("HX-Target") == id }

// Go leads to another page of the console.
func (v *Visit) Go(path string) error {
	http.Redirect(v.W, v.R, path, http.StatusSeeOther)
	return nil
}

// done begins the keys of what was done.
const done = "console.done."

// Done leads to a page that tells what was just done, by the key of its text,
// which begins "console.done.".
func (v *Visit) Done(path, what string) error {
	separator := "?"
	if strings.Contains(path, "?") {
		separator = "&"
	}
	return v.Go(path + separator + "done=" + url.QueryEscape(strings.TrimPrefix(what, done)))
}

// notice is what was just done, in words; whatever else stands in the address
// is not shown.
func (v *Visit) notice() string {
	if key := done + v.R.URL.Query().Get("done"); v.Texts.Has(key) {
		return v.Texts.Text(key)
	}
	return ""
}

// Now is the instant of the visit.
func (v *Visit) Now() time.Time { return v.frame.Now() }

// Zone is where the reader's clock is.
func (v *Visit) Zone() *time.Location { return v.frame.Zone }

// here is the address of the page without what was just done.
func (v *Visit) here() string {
	q := v.R.URL.Query()
	q.Del("done")
	if len(q) == 0 {
		return v.R.URL.Path
	}
	return v.R.URL.Path + "?" + q.Encode()
}

// ID returns the number in the page's address. CodeInvalid when there is none.
func ID[T ~int64](v *Visit) (T, error) { return reply.ID[T](v.R) }

// Missing is where no page is.
func Missing(v *Visit) error {
	return upkeep.Errorf(upkeep.CodeNotFound, "there is no page %s", v.R.URL.Path)
}

// Shortcuts is the view of what keys do.
func (f *Frame) Shortcuts() (*View, error) { return f.View(files, "shortcuts.html") }
