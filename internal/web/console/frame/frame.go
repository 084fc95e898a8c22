// Package frame is what all pages of the console have in common: the layout,
// the language of whoever reads, who that is, and what becomes of an error. A
// page is a handler that gets a Visit.
package frame

import (
	"errors"
	"html/template"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"upkeep"
	"upkeep/internal/catalogue"
	"upkeep/internal/web/access"
	"upkeep/internal/web/console/asset"
	"upkeep/internal/web/reply"
)

// SignIn is the page that whoever has not signed in is led to.
const SignIn = "/signin"

// Account is the page on which people look after their own access.
const Account = "/account"

// Config is what a Frame is made of.
type Config struct {
	Assets  *asset.Set
	Version string // of the program
	Now     upkeep.Clock
	Zone    *time.Location // in which times are shown
	Log     *slog.Logger
}

// Frame turns handlers of pages into http.Handlers.
type Frame struct {
	Config
	texts  map[catalogue.Language]*catalogue.Texts
	layout map[catalogue.Language]*template.Template
	failed *View

	question *View
}

// New returns a frame, without pages.
func New(c Config) (*Frame, error) {
	f := &Frame{Config: c, texts: map[catalogue.Language]*catalogue.Texts{}, layout: map[catalogue.Language]*template.Template{}}
	for _, language := range languages() {
		texts, err := catalogue.Open(language)
		if err != nil {
			return nil, err
		}
		w := &Words{Texts: texts, Zone: c.Zone, Now: c.Now}
		layout, err := template.New("layout").Funcs(w.functions(c.Assets)).ParseFS(files, "*.html")
		if err != nil {
			return nil, err
		}
		f.texts[language], f.layout[language] = texts, layout
	}
	var err error
	if f.failed, err = f.View(files, "error.html"); err != nil {
		return nil, err
	}
	f.question, err = f.View(files, "question.html")
	return f, err
}

// View is a page's template in every language.
type View struct {
	name string
	in   map[catalogue.Language]*template.Template
}

// View reads a page's template, which defines "content", and may define
// "scripts" that it needs besides and parts of its own.
func (f *Frame) View(files fs.FS, name string) (*View, error) {
	v := &View{name: name, in: map[catalogue.Language]*template.Template{}}
	for language, layout := range f.layout {
		page, err := layout.Clone()
		if err != nil {
			return nil, err
		}
		if v.in[language], err = page.ParseFS(files, name); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// Handler answers one visit, or returns why not. It must not have written
// anything when it returns an error.
type Handler func(v *Visit) error

// Page makes an http.Handler of one. Who may ask is up to the gate before it.
func (f *Frame) Page(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v := f.visit(w, r)
		if !f.Assets.Complete() {
			http.Error(w, v.Texts.Text("console.no_assets"), http.StatusServiceUnavailable)
			return
		}
		if err := h(v); err != nil {
			f.fail(v, err)
		}
	})
}

func (f *Frame) visit(w http.ResponseWriter, r *http.Request) *Visit {
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Vary", "Accept-Language, Cookie")
	return &Visit{W: w, R: r, Who: access.Of(r), Texts: f.texts[languageOf(r)], frame: f}
}

// Refuse answers who may not: whoever has not signed in is led to where one
// does, and from there back.
func (f *Frame) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	v := f.visit(w, r)
	if upkeep.CodeOf(err) == upkeep.CodeUnauthorized && r.Method == http.MethodGet && r.URL.Path != SignIn {
		http.Redirect(w, r, SignIn+"?next="+url.QueryEscape(v.here()), http.StatusSeeOther)
		return
	}
	if upkeep.CodeOf(err) == upkeep.CodeHeld && v.Who.Account != nil && r.Method == http.MethodGet {
		http.Redirect(w, r, Account, http.StatusSeeOther) // without a second factor they see nothing else
		return
	}
	f.fail(v, err)
}

// Failure is what the page of an error shows.
type Failure struct {
	Status  int
	Message string
	Hint    string
}

// fail shows an error. What is internal is logged and not shown.
func (f *Frame) fail(v *Visit, err error) {
	if v.R.Context().Err() != nil {
		return // nobody is left to be told
	}
	e, ok := errors.AsType[*upkeep.Error](err)
	shown := Failure{Status: http.StatusInternalServerError}
	if !ok || e.Code == upkeep.CodeInternal {
		f.Log.Error("page", "method", v.R.Method, "path", v.R.URL.Path, "error", err)
		shown.Message, shown.Hint = v.Texts.Text("console.internal"), v.Texts.Text("console.internal_hint")
	} else {
		shown.Status = reply.Status(err)
		shown.Message, shown.Hint = v.Texts.Error(err)
	}
	if err := v.show(f.failed, shown.Status, Head{Title: v.Texts.Text("console.failed")}, shown); err != nil {
		f.Log.Error("page of an error", "path", v.R.URL.Path, "error", err)
	}
}
