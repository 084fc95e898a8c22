// Package entrance is how people come in and go: the pages of signing in, of
// the second factor, and of one-time links.
package entrance

import (
	"context"
	"embed"
	"errors"
	"net/http"
	"net/url"

	"upkeep"
	"upkeep/internal/web/access"
	"upkeep/internal/web/console/frame"
	"upkeep/internal/web/reply"
	"upkeep/person"
)

//go:embed *.html
var files embed.FS

// Door lets in whoever proves who they are. CodeUnauthorized when they do not,
// CodeHeld when too many tries before did not.
type Door interface {
	// SignIn lets in by password: halfway when there is a second factor.
	SignIn(ctx context.Context, from person.Caller, mail, password string) (*person.Entered, error)
	// Halfway returns the account that a token is halfway into.
	Halfway(ctx context.Context, token string) (*person.Account, error)
	// SignInByCode finishes what is halfway.
	SignInByCode(ctx context.Context, from person.Caller, token, code string) (*person.Entered, error)
	// AskPasskey asks for a passkey, of the account that the token is halfway
	// into, if any.
	AskPasskey(ctx context.Context, token string) (*person.KeyRequest, error)
	// SignInByPasskey takes what a device answered.
	SignInByPasskey(ctx context.Context, from person.Caller, token string, answer person.KeyAnswer) (*person.Entered, error)
}

// Links lets in by one-time links, and out.
type Links interface {
	// OpenLink returns whose link it is, without using it. CodeNotFound when
	// it cannot be used.
	OpenLink(ctx context.Context, token string) (*person.Account, error)
	// UseLink chooses a password.
	UseLink(ctx context.Context, from person.Caller, token, password string) (*person.Entered, error)
	// SignOut ends the session of a token.
	SignOut(ctx context.Context, token string) error
}

// People is both.
type People interface {
	Door
	Links
}

// Pages are the pages.
type Pages struct {
	frame      *frame.Frame
	people     People
	door, link *frame.View
}

// New returns the pages.
func New(f *frame.Frame, people People) (*Pages, error) {
	p := &Pages{frame: f, people: people}
	var errs [2]error
	p.door, errs[0] = f.View(files, "door.html")
	p.link, errs[1] = f.View(files, "link.html")
	return p, errors.Join(errs[:]...)
}

// Routes is every address of the entrance. All are for anyone: whoever comes
// here is not known yet.
func (p *Pages) Routes() []access.Route {
	var routes []access.Route
	for pattern, page := range map[string]frame.Handler{
		"GET " + frame.SignIn:  p.showSignIn,
		"POST " + frame.SignIn: p.doSignIn,
		"GET /signin/code":     p.showCode,
		"POST /signin/code":    p.doCode,
		"POST /signin/key/ask": p.askKey,
		"POST /signin/key":     p.doKey,
		"POST /signout":        p.signOut,
		"GET /link/{token}":    p.showLink,
		"POST /link/{token}":   p.useLink,
	} {
		routes = append(routes, access.Route{Pattern: pattern, For: access.Anyone, Handler: p.frame.Page(page)})
	}
	return routes
}

// Form is what a page of the entrance shows.
type Form struct {
	Next          string
	Mail          string
	Halfway       bool // the second factor is asked for
	Key           bool // a passkey may be
	Code          bool // a code may be
	Message, Hint string
}

// caller is where a visit comes from.
func caller(v *frame.Visit) person.Caller {
	return person.Caller{Address: v.Who.Address, Agent: v.R.UserAgent()}
}

// home is the front page of an account.
func home(account *person.Account) string {
	if account.View().All {
		return "/"
	}
	return "/portal"
}

// in gives the browser its session, and says where to go.
func in(v *frame.Visit, entered *person.Entered, next string) string {
	access.SetToken(v.W, entered.Token, entered.Session.Expires)
	switch {
	case entered.Session.Half:
		return "/signin/code?next=" + url.QueryEscape(next)
	case entered.Account.Staff() && entered.Account.Bare():
		return frame.Account
	}
	return access.Next(next, home(entered.Account))
}

// again shows a form with what was wrong with it.
func (p *Pages) again(v *frame.Visit, page *frame.View, title string, form Form, err error) error {
	switch upkeep.CodeOf(err) {
	case upkeep.CodeUnauthorized, upkeep.CodeInvalid, upkeep.CodeHeld:
		form.Message, form.Hint = v.Texts.Error(err)
		return v.ShowAs(page, reply.Status(err), frame.Head{Title: title}, form)
	}
	return err
}

func (p *Pages) showSignIn(v *frame.Visit) error {
	next := v.R.URL.Query().Get("next")
	if v.Who.Account != nil {
		return v.Go(access.Next(next, home(v.Who.Account)))
	}
	return v.Show(p.door, frame.Head{Title: v.Texts.Text("entrance.signin")}, Form{Next: next, Key: true})
}

func (p *Pages) doSignIn(v *frame.Visit) error {
	mail, next := v.R.PostFormValue("mail"), v.R.PostFormValue("next")
	entered, err := p.people.SignIn(v.R.Context(), caller(v), mail, v.R.PostFormValue("password"))
	if err != nil {
		return p.again(v, p.door, v.Texts.Text("entrance.signin"), Form{Next: next, Mail: mail, Key: true}, err)
	}
	return v.Go(in(v, entered, next))
}

func (p *Pages) showCode(v *frame.Visit) error {
	next := v.R.URL.Query().Get("next")
	account, err := p.people.Halfway(v.R.Context(), access.Token(v.R))
	if err != nil {
		return p.restart(v, next, err)
	}
	form := halfway(account, next)
	return v.Show(p.door, frame.Head{Title: v.Texts.Text("entrance.factor")}, form)
}

func halfway(account *person.Account, next string) Form {
	return Form{Next: next, Halfway: true, Key: account.Passkeys > 0, Code: account.Code}
}

// restart leads back to the password when what was halfway has ended.
func (p *Pages) restart(v *frame.Visit, next string, err error) error {
	if upkeep.CodeOf(err) != upkeep.CodeUnauthorized {
		return err
	}
	return v.Go(frame.SignIn + "?next=" + url.QueryEscape(next))
}

func (p *Pages) doCode(v *frame.Visit) error {
	token, next := access.Token(v.R), v.R.PostFormValue("next")
	account, err := p.people.Halfway(v.R.Context(), token)
	if err != nil {
		return p.restart(v, next, err)
	}
	entered, err := p.people.SignInByCode(v.R.Context(), caller(v), token, v.R.PostFormValue("code"))
	if err != nil {
		form := halfway(account, next)
		return p.again(v, p.door, v.Texts.Text("entrance.factor"), form, err)
	}
	return v.Go(in(v, entered, next))
}

func (p *Pages) askKey(v *frame.Visit) error {
	asked, err := p.people.AskPasskey(v.R.Context(), access.Token(v.R))
	return v.JSON(asked, err)
}

func (p *Pages) doKey(v *frame.Visit) error {
	answer, err := reply.Decode[person.KeyAnswer](v.R)
	if err != nil {
		return v.JSON(nil, err)
	}
	entered, err := p.people.SignInByPasskey(v.R.Context(), caller(v), access.Token(v.R), answer)
	if err != nil {
		return v.JSON(nil, err)
	}
	return v.JSON(map[string]string{"next": in(v, entered, v.R.URL.Query().Get("next"))}, nil)
}

func (p *Pages) signOut(v *frame.Visit) error {
	if err := p.people.SignOut(v.R.Context(), access.Token(v.R)); err != nil {
		return err
	}
	access.SetToken(v.W, "", v.Now())
	v.W.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	http.Redirect(v.W, v.R, frame.SignIn, http.StatusSeeOther)
	return nil
}

func (p *Pages) showLink(v *frame.Visit) error {
	account, err := p.people.OpenLink(v.R.Context(), v.R.PathValue("token"))
	if err != nil {
		return err
	}
	return v.Show(p.link, frame.Head{Title: v.Texts.Text("entrance.link")}, Form{Mail: account.Mail})
}

func (p *Pages) useLink(v *frame.Visit) error {
	token := v.R.PathValue("token")
	account, err := p.people.OpenLink(v.R.Context(), token)
	if err != nil {
		return err
	}
	chosen, form := v.R.PostFormValue("password"), Form{Mail: account.Mail}
	if chosen != v.R.PostFormValue("again") {
		err = upkeep.Errorf(upkeep.CodeInvalid, "the two passwords are not the same")
		return p.again(v, p.link, v.Texts.Text("entrance.link"), form, err)
	}
	entered, err := p.people.UseLink(v.R.Context(), caller(v), token, chosen)
	if err != nil {
		return p.again(v, p.link, v.Texts.Text("entrance.link"), form, err)
	}
	return v.Go(in(v, entered, ""))
}
