// Package access lets requests through to the routes that are for whoever
// asks: it knows people by their session, programs by the token, and keeps
// what other sites make a browser send away from both.
package access

import (
	"net/http"

	"upkeep/person"
)

// Audience says for whom a route is. The zero value is nobody: a route that
// does not say is closed.
type Audience int

// The audiences.
const (
	Nobody  Audience = iota
	Anyone           // signed in or not
	Person           // whoever is signed in, for what is their own
	Reader           // whoever reads what concerns all sites: staff, auditors of all clients
	Staff            // whoever works on sites: owners, operators
	Owner            // whoever decides who may do what
	Visitor          // whoever sees what is one client's: the client, its auditors
	Signer           // whoever answers for a client
	Machine          // programs that hold the token or reach the socket
)

// Admits reports whether a route for the audience is for who.
func (a Audience) Admits(who Who) bool {
	if who.Machine {
		return a != Nobody && a != Person && a != Visitor && a != Signer
	}
	if a == Anyone {
		return true
	}
	if who.Account == nil {
		return false
	}
	role, view := who.Account.Role, who.Account.View()
	switch a {
	case Person:
		return true
	case Reader:
		return view.All
	case Staff:
		return who.Account.Staff()
	case Owner:
		return role == person.OwnerRole
	case Visitor:
		return !view.All
	case Signer:
		return role == person.ClientRole
	}
	return false
}

// Route is a pattern of http.ServeMux, for whom it is, and what answers.
type Route struct {
	Pattern string
	For     Audience
	Handler http.Handler
}

// Who is whoever asks. The zero value is somebody unknown.
type Who struct {
	Account *person.Account  // of a person who is signed in
	Session person.SessionID // theirs
	Machine bool             // a program with full rights
	Address string           // where the request comes from
}

// View returns what they may see.
func (w Who) View() person.View {
	switch {
	case w.Machine:
		return person.View{All: true}
	case w.Account != nil:
		return w.Account.View()
	}
	return person.View{}
}

// Works reports whether they may have work begun.
func (w Who) Works() bool { return Staff.Admits(w) }

// Actor names a person as the ledger does.
func Actor(account *person.Account) string { return "account:" + account.Mail }

type whoKey struct{}

// Of returns who asks, as the gate found out.
func Of(r *http.Request) Who {
	who, _ := r.Context().Value(whoKey{}).(Who)
	return who
}
