package people

import (
	"context"
	"net/http"
	"net/url"

	"upkeep/internal/web"
	"upkeep/person"
)

// Remote calls the API. It implements every interface that an API is made of;
// which clients are in view is up to the server.
type Remote struct{ Server *web.Client }

var (
	_ Accounts = Remote{}
	_ Entries  = Remote{}
	_ Clients  = Remote{}
)

func accountPath(mail, rest string) string { return "/v1/accounts/" + url.PathEscape(mail) + rest }

// pointer is web.Call for a pointer: nil with every error.
func pointer[T any](ctx context.Context, c Remote, req web.Request) (*T, error) {
	v, err := web.Call[T](ctx, c.Server, req)
	if err != nil {
		return nil, err
	}
	return &v, nil
}

// done calls what answers nothing.
func done(ctx context.Context, c Remote, req web.Request) error {
	_, err := web.Call[struct{}](ctx, c.Server, req)
	return err
}

// ListAccounts implements Accounts.
func (c Remote) ListAccounts(ctx context.Context) ([]*person.Account, error) {
	return web.Call[[]*person.Account](ctx, c.Server, web.Request{Method: http.MethodGet, Path: "/v1/accounts"})
}

// AccountByMail implements Accounts.
func (c Remote) AccountByMail(ctx context.Context, mail string) (*person.Account, error) {
	return pointer[person.Account](ctx, c, web.Request{Method: http.MethodGet, Path: accountPath(mail, "")})
}

// AddAccount implements Accounts.
func (c Remote) AddAccount(ctx context.Context, actor string, account *person.Account) (string, error) {
	added, err := web.Call[Added](ctx, c.Server, web.Request{Method: http.MethodPost, Path: "/v1/accounts", Actor: actor, Body: account})
	if err == nil {
		*account = *added.Account
	}
	return added.Link, err
}

// SetAccount implements Accounts.
func (c Remote) SetAccount(ctx context.Context, actor, mail string, set *person.Account) (*person.Account, error) {
	return pointer[person.Account](ctx, c, web.Request{Method: http.MethodPut, Path: accountPath(mail, ""), Actor: actor, Body: set})
}

// DisableAccount implements Accounts.
func (c Remote) DisableAccount(ctx context.Context, actor, mail string, disabled bool) (*person.Account, error) {
	return pointer[person.Account](ctx, c,
		web.Request{Method: http.MethodPost, Path: accountPath(mail, "/disable"), Actor: actor, Body: DisableRequest{disabled}})
}

// ResetAccount implements Entries.
func (c Remote) ResetAccount(ctx context.Context, actor, mail string, factors bool) (string, error) {
	reset, err := web.Call[Reset](ctx, c.Server,
		web.Request{Method: http.MethodPost, Path: accountPath(mail, "/reset"), Actor: actor, Body: ResetRequest{factors}})
	return reset.Link, err
}

// ListSessions implements Entries.
func (c Remote) ListSessions(ctx context.Context, mail string) ([]person.Session, error) {
	return web.Call[[]person.Session](ctx, c.Server, web.Request{Method: http.MethodGet, Path: accountPath(mail, "/sessions")})
}

// EndSession implements Entries.
func (c Remote) EndSession(ctx context.Context, actor, mail string, id person.SessionID) error {
	return done(ctx, c, web.Request{Method: http.MethodDelete, Path: accountPath(mail, "/sessions/"+id.String()), Actor: actor})
}

// EndSessions implements Entries.
func (c Remote) EndSessions(ctx context.Context, actor, mail string) error {
	return done(ctx, c, web.Request{Method: http.MethodDelete, Path: accountPath(mail, "/sessions"), Actor: actor})
}

// Clients implements Clients.
func (c Remote) Clients(ctx context.Context, _ person.View) ([]*person.Client, error) {
	return web.Call[[]*person.Client](ctx, c.Server, web.Request{Method: http.MethodGet, Path: "/v1/clients"})
}

func clientPath(name string) string { return "/v1/clients/" + url.PathEscape(name) }

// Client implements Clients.
func (c Remote) Client(ctx context.Context, _ person.View, name string) (*person.Client, error) {
	return pointer[person.Client](ctx, c, web.Request{Method: http.MethodGet, Path: clientPath(name)})
}

// SetClient implements Clients.
func (c Remote) SetClient(ctx context.Context, actor string, client *person.Client) error {
	set, err := pointer[person.Client](ctx, c, web.Request{Method: http.MethodPut, Path: "/v1/clients", Actor: actor, Body: client})
	if err == nil {
		*client = *set
	}
	return err
}

// RemoveClient implements Clients.
func (c Remote) RemoveClient(ctx context.Context, actor, name string) error {
	return done(ctx, c, web.Request{Method: http.MethodDelete, Path: clientPath(name), Actor: actor})
}
