// Package people is the API of who may sign in, and of who owns sites; and the
// client for it.
package people

import (
	"context"
	"net/http"

	"upkeep/internal/web/access"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
	"upkeep/person"
)

// Accounts keeps accounts. They are addressed by mail address. CodeNotFound
// when nobody has it.
type Accounts interface {
	// ListAccounts returns all accounts, by mail address.
	ListAccounts(ctx context.Context) ([]*person.Account, error)
	// AccountByMail returns one account.
	AccountByMail(ctx context.Context, mail string) (*person.Account, error)
	// AddAccount adds an account, and returns the one-time link by which its
	// person chooses a password. CodeConflict when the address is taken.
	AddAccount(ctx context.Context, actor string, account *person.Account) (link string, err error)
	// SetAccount changes all but the mail address. When what the account may do
	// changes, its sessions end.
	SetAccount(ctx context.Context, actor, mail string, set *person.Account) (*person.Account, error)
	// DisableAccount keeps an account from signing in, or with false lets it.
	DisableAccount(ctx context.Context, actor, mail string, disabled bool) (*person.Account, error)
}

// Entries lets people in again, and puts them out.
type Entries interface {
	// ResetAccount returns a new one-time link, which replaces those before;
	// with factors it takes one-time codes and passkeys away first.
	ResetAccount(ctx context.Context, actor, mail string, factors bool) (link string, err error)
	// ListSessions returns where an account is signed in, the last seen first.
	ListSessions(ctx context.Context, mail string) ([]person.Session, error)
	// EndSession ends one session.
	EndSession(ctx context.Context, actor, mail string, id person.SessionID) error
	// EndSessions ends all sessions.
	EndSessions(ctx context.Context, actor, mail string) error
}

// Clients keeps whoever owns sites. What view does not hold is not found.
type Clients interface {
	// Clients returns the clients in view, by name.
	Clients(ctx context.Context, view person.View) ([]*person.Client, error)
	// Client returns one client.
	Client(ctx context.Context, view person.View, name string) (*person.Client, error)
	// SetClient keeps a client, new or changed, and sets its Created.
	SetClient(ctx context.Context, actor string, client *person.Client) error
	// RemoveClient forgets one. CodeConflict while anything belongs to it.
	RemoveClient(ctx context.Context, actor, name string) error
}

// API answers about people.
type API struct {
	Accounts Accounts
	Entries  Entries
	Clients  Clients
	Replies  reply.Replier
}

// Routes is every address of the API about people, with whom it is for.
func (a *API) Routes() []access.Route {
	table := []struct {
		pattern string
		who     access.Audience
		answer  reply.Handler
	}{
		{"GET /v1/accounts", access.Owner, a.accountList},
		{"POST /v1/accounts", access.Owner, a.accountAdd},
		{"GET /v1/accounts/{mail}", access.Owner, a.accountShow},
		{"PUT /v1/accounts/{mail}", access.Owner, a.accountSet},
		{"POST /v1/accounts/{mail}/disable", access.Owner, a.accountDisable},
		{"POST /v1/accounts/{mail}/reset", access.Owner, a.accountReset},
		{"GET /v1/accounts/{mail}/sessions", access.Owner, a.sessionList},
		{"DELETE /v1/accounts/{mail}/sessions", access.Owner, a.sessionEndAll},
		{"DELETE /v1/accounts/{mail}/sessions/{id}", access.Owner, a.sessionEnd},

		{"GET /v1/clients", access.Reader, a.clientList},
		{"PUT /v1/clients", access.Staff, a.clientSet},
		{"GET /v1/clients/{client}", access.Reader, a.clientShow},
		{"DELETE /v1/clients/{client}", access.Staff, a.clientRemove},
	}
	routes := make([]access.Route, 0, len(table))
	for _, t := range table {
		routes = append(routes, access.Route{Pattern: t.pattern, For: t.who, Handler: a.Replies.Answer(t.answer)})
	}
	return routes
}

// Added is what POST /v1/accounts answers.
type Added struct {
	Account *person.Account `json:"account"`
	Link    string          `json:"link"` // one-time; shown nowhere again
}

// DisableRequest says whether an account may sign in.
type DisableRequest struct {
	Disabled bool `json:"disabled"`
}

// ResetRequest asks for a one-time link.
type ResetRequest struct {
	Factors bool `json:"factors,omitempty"` // take one-time codes and passkeys away
}

// Reset is what POST /v1/accounts/{mail}/reset answers.
type Reset struct {
	Link string `json:"link"`
}

func (a *API) accountList(w http.ResponseWriter, r *http.Request) error {
	accounts, err := a.Accounts.ListAccounts(r.Context())
	return reply.List(w, accounts, err)
}

func (a *API) accountShow(w http.ResponseWriter, r *http.Request) error {
	account, err := a.Accounts.AccountByMail(r.Context(), r.PathValue("mail"))
	return reply.Or(w, account, err)
}

func (a *API) accountAdd(w http.ResponseWriter, r *http.Request) error {
	account, err := reply.Decode[person.Account](r)
	if err != nil {
		return err
	}
	link, err := a.Accounts.AddAccount(r.Context(), query.Actor(r), &account)
	return reply.Or(w, Added{&account, link}, err)
}

func (a *API) accountSet(w http.ResponseWriter, r *http.Request) error {
	account, err := reply.Decode[person.Account](r)
	if err != nil {
		return err
	}
	set, err := a.Accounts.SetAccount(r.Context(), query.Actor(r), r.PathValue("mail"), &account)
	return reply.Or(w, set, err)
}

func (a *API) accountDisable(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[DisableRequest](r)
	if err != nil {
		return err
	}
	account, err := a.Accounts.DisableAccount(r.Context(), query.Actor(r), r.PathValue("mail"), req.Disabled)
	return reply.Or(w, account, err)
}

func (a *API) accountReset(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[ResetRequest](r)
	if err != nil {
		return err
	}
	link, err := a.Entries.ResetAccount(r.Context(), query.Actor(r), r.PathValue("mail"), req.Factors)
	return reply.Or(w, Reset{link}, err)
}

func (a *API) sessionList(w http.ResponseWriter, r *http.Request) error {
	sessions, err := a.Entries.ListSessions(r.Context(), r.PathValue("mail"))
	return reply.List(w, sessions, err)
}

func (a *API) sessionEnd(w http.ResponseWriter, r *http.Request) error {
	id, err := reply.ID[person.SessionID](r)
	if err != nil {
		return err
	}
	return reply.Or(w, struct{}{}, a.Entries.EndSession(r.Context(), query.Actor(r), r.PathValue("mail"), id))
}

func (a *API) sessionEndAll(w http.ResponseWriter, r *http.Request) error {
	return reply.Or(w, struct{}{}, a.Entries.EndSessions(r.Context(), query.Actor(r), r.PathValue("mail")))
}

func (a *API) clientList(w http.ResponseWriter, r *http.Request) error {
	clients, err := a.Clients.Clients(r.Context(), access.Of(r).View())
	return reply.List(w, clients, err)
}

func (a *API) clientShow(w http.ResponseWriter, r *http.Request) error {
	client, err := a.Clients.Client(r.Context(), access.Of(r).View(), r.PathValue("client"))
	return reply.Or(w, client, err)
}

func (a *API) clientSet(w http.ResponseWriter, r *http.Request) error {
	client, err := reply.Decode[person.Client](r)
	if err != nil {
		return err
	}
	return reply.Or(w, &client, a.Clients.SetClient(r.Context(), query.Actor(r), &client))
}

func (a *API) clientRemove(w http.ResponseWriter, r *http.Request) error {
	return reply.Or(w, struct{}{}, a.Clients.RemoveClient(r.Context(), query.Actor(r), r.PathValue("client")))
}
