package upkeep

import "time"

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
