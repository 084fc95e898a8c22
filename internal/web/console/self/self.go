// Package self is the page on which people look after their own access: their
// password, one-time codes, passkeys, and where they are signed in.
package self

import (
	"bytes"
	"context"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"image/png"

	"github.com/pquerna/otp"

	"upkeep"
	"upkeep/internal/web/access"
	"upkeep/internal/web/console/frame"
	"upkeep/internal/web/reply"
	"upkeep/person"
)

//go:embed *.html
var files embed.FS

// Secrets changes what an account proves itself with, for who is signed in by
// a token. What it returns replaces the session. CodeHeld when they signed in
// too long ago for that.
type Secrets interface {
	// ChangePassword replaces the password.
	ChangePassword(ctx context.Context, from person.Caller, token, old, password string) (*person.Entered, error)
	// BeginCode makes a secret of one-time codes that does not count yet.
	BeginCode(ctx context.Context, token string) (*person.CodeSetup, error)
	// FinishCode has it count, and returns recovery codes.
	FinishCode(ctx context.Context, from person.Caller, token, code string) (*person.Entered, []string, error)
	// RemoveCode ends one-time codes.
	RemoveCode(ctx context.Context, from person.Caller, token string) (*person.Entered, error)
}

// Keys adds and removes passkeys, for who is signed in by a token.
type Keys interface {
	// BeginPasskey has the device make a passkey.
	BeginPasskey(ctx context.Context, token string) (*person.KeyRequest, error)
	// FinishPasskey keeps it under a name.
	FinishPasskey(ctx context.Context, from person.Caller, token, name string, answer person.KeyAnswer) (*person.Entered, error)
	// RemovePasskey removes one.
	RemovePasskey(ctx context.Context, from person.Caller, token, id string) (*person.Entered, error)
	// ListPasskeys returns those of an account.
	ListPasskeys(ctx context.Context, account person.AccountID) ([]person.Passkey, error)
}

// Sessions shows and ends sessions.
type Sessions interface {
	// ListSessions returns where an account is signed in.
	ListSessions(ctx context.Context, mail string) ([]person.Session, error)
	// EndSession ends one.
	EndSession(ctx context.Context, actor, mail string, id person.SessionID) error
	// EndOthers ends all but the one of the token.
	EndOthers(ctx context.Context, token string) error
}

// People is all of it.
type People interface {
	Secrets
	Keys
	Sessions
}

// Pages are the page and what is done on it.
type Pages struct {
	frame       *frame.Frame
	people      People
	page, codes *frame.View
}

// New returns the pages.
func New(f *frame.Frame, people People) (*Pages, error) {
	p := &Pages{frame: f, people: people}
	var errs [2]error
	p.page, errs[0] = f.View(files, "self.html")
	p.codes, errs[1] = f.View(files, "codes.html")
	return p, errors.Join(errs[:]...)
}

// Routes is every address of the page.
func (p *Pages) Routes() []access.Route {
	var routes []access.Route
	for pattern, page := range map[string]frame.Handler{
		"GET " + frame.Account:                p.show,
		"POST /account/password":              p.changePassword,
		"POST /account/code":                  p.beginCode,
		"POST /account/code/finish":           p.finishCode,
		"POST /account/code/remove":           p.removeCode,
		"POST /account/passkeys/ask":          p.beginPasskey,
		"POST /account/passkeys":              p.finishPasskey,
		"POST /account/passkeys/{key}/remove": p.removePasskey,
		"POST /account/sessions/{id}/end":     p.endSession,
		"POST /account/sessions/end":          p.endOthers,
	} {
		routes = append(routes, access.Route{Pattern: pattern, For: access.Person, Handler: p.frame.Page(page)})
	}
	return routes
}

// Shown is what the page shows.
type Shown struct {
	Account       *person.Account
	Passkeys      []person.Passkey
	Sessions      []person.Session
	Current       person.SessionID
	Missing       bool // a second factor, without which they see nothing else
	Message, Hint string
}

// Codes is what the pages about one-time codes show.
type Codes struct {
	Secret        string
	Picture       template.URL
	Recovery      []string
	Message, Hint string
}

func caller(v *frame.Visit) person.Caller {
	return person.Caller{Address: v.Who.Address, Agent: v.R.UserAgent()}
}

func head(v *frame.Visit) frame.Head {
	return frame.Head{Title: v.Texts.Text("self.title"), Place: "account"}
}

func (p *Pages) show(v *frame.Visit) error { return p.showWith(v, nil) }

// showWith shows the page, and what was wrong with what was asked on it.
func (p *Pages) showWith(v *frame.Visit, wrong error) error {
	account := v.Who.Account
	shown := Shown{Account: account, Current: v.Who.Session, Missing: account.Staff() && account.Bare()}
	var err error
	if shown.Passkeys, err = p.people.ListPasskeys(v.R.Context(), account.ID); err != nil {
		return err
	}
	if shown.Sessions, err = p.people.ListSessions(v.R.Context(), account.Mail); err != nil {
		return err
	}
	if wrong == nil {
		return v.Show(p.page, head(v), shown)
	}
	shown.Message, shown.Hint = v.Texts.Error(wrong)
	return v.ShowAs(p.page, reply.Status(wrong), head(v), shown)
}

// told reports whether an error is one to show on the page that led to it.
func told(err error) bool {
	code := upkeep.CodeOf(err)
	return code == upkeep.CodeInvalid || code == upkeep.CodeHeld || code == upkeep.CodeUnauthorized
}

// changed gives the browser the session that replaces its own.
func (p *Pages) changed(v *frame.Visit, entered *person.Entered, err error, what string) error {
	if told(err) {
		return p.showWith(v, err)
	}
	if err != nil {
		return err
	}
	access.SetToken(v.W, entered.Token, entered.Session.Expires)
	return v.Done(frame.Account, what)
}

func (p *Pages) changePassword(v *frame.Visit) error {
	chosen := v.R.PostFormValue("password")
	if chosen != v.R.PostFormValue("again") {
		return p.showWith(v, upkeep.Errorf(upkeep.CodeInvalid, "the two passwords are not the same"))
	}
	entered, err := p.people.ChangePassword(v.R.Context(), caller(v), access.Token(v.R), v.R.PostFormValue("old"), chosen)
	return p.changed(v, entered, err, "password_set")
}

func (p *Pages) beginCode(v *frame.Visit) error {
	setup, err := p.people.BeginCode(v.R.Context(), access.Token(v.R))
	if told(err) {
		return p.showWith(v, err)
	}
	if err != nil {
		return err
	}
	picture, err := picture(setup.URL)
	if err != nil {
		return err
	}
	return v.Show(p.codes, head(v), Codes{Secret: setup.Secret, Picture: picture})
}

// picture draws what a telephone reads.
func picture(address string) (template.URL, error) {
	key, err := otp.NewKeyFromURL(address)
	if err != nil {
		return "", err
	}
	image, err := key.Image(240, 240)
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	if err := png.Encode(&out, image); err != nil {
		return "", err
	}
	return template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(out.Bytes())), nil //nolint:gosec // drawn here
}

func (p *Pages) finishCode(v *frame.Visit) error {
	entered, recovery, err := p.people.FinishCode(v.R.Context(), caller(v), access.Token(v.R), v.R.PostFormValue("code"))
	if told(err) {
		shown := Codes{}
		shown.Message, shown.Hint = v.Texts.Error(err)
		return v.ShowAs(p.codes, reply.Status(err), head(v), shown)
	}
	if err != nil {
		return err
	}
	access.SetToken(v.W, entered.Token, entered.Session.Expires)
	return v.Show(p.codes, head(v), Codes{Recovery: recovery})
}

func (p *Pages) removeCode(v *frame.Visit) error {
	entered, err := p.people.RemoveCode(v.R.Context(), caller(v), access.Token(v.R))
	return p.changed(v, entered, err, "code_removed")
}

func (p *Pages) beginPasskey(v *frame.Visit) error {
	asked, err := p.people.BeginPasskey(v.R.Context(), access.Token(v.R))
	return v.JSON(asked, err)
}

func (p *Pages) finishPasskey(v *frame.Visit) error {
	answer, err := reply.Decode[person.KeyAnswer](v.R)
	if err != nil {
		return v.JSON(nil, err)
	}
	entered, err := p.people.FinishPasskey(v.R.Context(), caller(v), access.Token(v.R), v.R.URL.Query().Get("name"), answer)
	if err != nil {
		return v.JSON(nil, err)
	}
	access.SetToken(v.W, entered.Token, entered.Session.Expires)
	return v.JSON(map[string]string{"next": frame.Account + "?done=passkey_added"}, nil)
}

func (p *Pages) removePasskey(v *frame.Visit) error {
	entered, err := p.people.RemovePasskey(v.R.Context(), caller(v), access.Token(v.R), v.R.PathValue("key"))
	return p.changed(v, entered, err, "passkey_removed")
}

func (p *Pages) endSession(v *frame.Visit) error {
	id, err := reply.ID[person.SessionID](v.R)
	if err != nil {
		return err
	}
	if err := p.people.EndSession(v.R.Context(), v.Actor(), v.Who.Account.Mail, id); err != nil {
		return err
	}
	return v.Done(frame.Account, "session_ended")
}

func (p *Pages) endOthers(v *frame.Visit) error {
	if err := p.people.EndOthers(v.R.Context(), access.Token(v.R)); err != nil {
		return err
	}
	return v.Done(frame.Account, "session_ended")
}
