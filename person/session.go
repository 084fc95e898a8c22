package person

import (
	"encoding/json"
	"time"
)

// Proof says how somebody proved who they are.
type Proof string

// The proofs.
const (
	ByPassword Proof = "password"      // and nothing more
	ByCode     Proof = "password_code" // and a one-time code, or a recovery code
	ByKey      Proof = "password_key"  // and a passkey
	ByPasskey  Proof = "passkey"       // alone: the device knew its person
	ByProvider Proof = "provider"      // the agency's own sign-in
	ByLink     Proof = "link"          // a one-time link, and a password chosen
)

// Session is somebody being signed in on one browser.
type Session struct {
	ID      SessionID `json:"id"`
	Account AccountID `json:"account"`
	Proof   Proof     `json:"proof"`
	Half    bool      `json:"half,omitempty"` // the second factor is still to come: it opens nothing
	Address string    `json:"address"`
	Agent   string    `json:"agent,omitempty"` // what the browser says it is
	Created time.Time `json:"created"`
	Seen    time.Time `json:"seen"`
	Expires time.Time `json:"expires"` // at the latest
}

// Link is a one-time link that lets an account choose a password.
type Link struct {
	Account AccountID `json:"account"`
	Expires time.Time `json:"expires"`
	Used    time.Time `json:"used,omitzero"`
}

// Tries counts failures of one account or from one address.
type Tries struct {
	Failures int       // in a row
	Last     time.Time // of them
	Until    time.Time // before it no other is heard
}

// Caller is where a request comes from.
type Caller struct {
	Address string
	Agent   string // what the browser says it is
}

// Entered is somebody who came in, or halfway.
type Entered struct {
	Token   string // of the session, for the browser alone
	Session *Session
	Account *Account
}

// CodeSetup is what a person puts into their program for one-time codes.
type CodeSetup struct {
	URL    string // for a picture of it
	Secret string // to type
}

// KeyRequest is what a browser asks a device for, and the ticket that its
// answer comes back with.
type KeyRequest struct {
	Options json.RawMessage `json:"options"`
	Ticket  string          `json:"ticket"`
}

// KeyAnswer is what a device answered.
type KeyAnswer struct {
	Ticket     string          `json:"ticket"`
	Credential json.RawMessage `json:"credential"`
}
