// Package person is the vocabulary of who may do what: accounts, what they may
// see, how they prove who they are, and their sessions. It does no input or
// output.
package person

import (
	"net/mail"
	"strconv"
	"strings"
	"time"

	"upkeep"
)

// AccountID numbers an account.
type AccountID int64

// SessionID numbers a session.
type SessionID int64

// String returns the decimal number.
func (id AccountID) String() string { return strconv.FormatInt(int64(id), 10) }

// String returns the decimal number.
func (id SessionID) String() string { return strconv.FormatInt(int64(id), 10) }

// Role is what an account is for.
type Role string

// The roles.
const (
	OwnerRole    Role = "owner"    // everything, people too
	OperatorRole Role = "operator" // all work on all sites
	ClientRole   Role = "client"   // what belongs to one client
	AuditorRole  Role = "auditor"  // reads, until a date
)

// Account is a person who may sign in.
type Account struct {
	ID       AccountID `json:"id"`
	Mail     string    `json:"mail"` // what they sign in with, unique, in small letters
	Name     string    `json:"name,omitempty"`
	Role     Role      `json:"role"`
	Client   string    `json:"client,omitempty"`   // short name: they see what is this client's, and nothing else
	Language string    `json:"language,omitempty"` // "" is the browser's
	Until    time.Time `json:"until,omitzero"`     // an auditor's last instant
	Created  time.Time `json:"created"`
	Disabled time.Time `json:"disabled,omitzero"`  // since when they may not sign in
	SignedIn time.Time `json:"signed_in,omitzero"` // the last time
	Password bool      `json:"password"`           // they have chosen one
	Code     bool      `json:"code"`               // they use one-time codes
	Passkeys int       `json:"passkeys"`           // how many
}

// Validate returns CodeInvalid naming the first field that is wrong.
func (a *Account) Validate() error {
	if at, err := mail.ParseAddress(a.Mail); err != nil || at.Address != a.Mail || a.Mail != strings.ToLower(a.Mail) || len(a.Mail) > 254 {
		return upkeep.Errorf(upkeep.CodeInvalid, "mail address %q: want one such as ann@example.org, in small letters", a.Mail)
	}
	if len(a.Name) > 100 || strings.ContainsFunc(a.Name, isControl) {
		return upkeep.Errorf(upkeep.CodeInvalid, "name %q: want at most 100 characters on one line", a.Name)
	}
	if a.Client != "" {
		if err := upkeep.ValidClientName(a.Client); err != nil {
			return err
		}
	}
	if err := validLanguage(a.Language); err != nil {
		return err
	}
	return a.validateRole()
}

func (a *Account) validateRole() error {
	switch a.Role {
	case OwnerRole, OperatorRole:
		if a.Client != "" {
			return upkeep.Errorf(upkeep.CodeInvalid, "role %s is for all sites, not for those of client %s", a.Role, a.Client).
				WithHint("Leave --client out, or choose --role client.")
		}
	case ClientRole:
		if a.Client == "" {
			return upkeep.Errorf(upkeep.CodeInvalid, "role client: whose sites is missing").WithHint("Name the client with --client.")
		}
	case AuditorRole:
		if a.Until.IsZero() {
			return upkeep.Errorf(upkeep.CodeInvalid, "role auditor: until when is missing").WithHint("Give the last day with --until.")
		}
	default:
		return upkeep.Errorf(upkeep.CodeInvalid, "role %q: want owner, operator, client or auditor", a.Role)
	}
	if a.Role != AuditorRole && !a.Until.IsZero() {
		return upkeep.Errorf(upkeep.CodeInvalid, "role %s has no last day", a.Role).WithHint("Leave --until out, or choose --role auditor.")
	}
	return nil
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// MayEnter reports whether the account may be signed in at an instant.
func (a *Account) MayEnter(now time.Time) bool {
	return a.Disabled.IsZero() && (a.Until.IsZero() || now.Before(a.Until))
}

// Staff reports whether the account works on all sites.
func (a *Account) Staff() bool { return a.Role == OwnerRole || a.Role == OperatorRole }

// View returns what the account may see.
func (a *Account) View() View {
	return View{All: a.Client == "" && a.Role != ClientRole, Client: a.Client}
}

// Bare reports whether the account can be entered with a password alone.
func (a *Account) Bare() bool { return !a.Code && a.Passkeys == 0 }

// View is what of the fleet somebody may see. Queries take it as an argument
// and answer nothing outside. The zero value is nothing.
type View struct {
	All    bool   // every site
	Client string // else those of this client; "" is none
}

// Credentials are what an account proves itself with, beside its passkeys.
type Credentials struct {
	Password string // as argon2id writes it; "" is none
	Code     []byte // the sealed secret of one-time codes; nil is none
	Pending  []byte // one that no code was given for yet
	Step     int64  // of the last code that was taken, so that none counts twice
}

// Passkey is a key that an account's device keeps.
type Passkey struct {
	ID      string    `json:"id"`
	Account AccountID `json:"account"`
	Name    string    `json:"name"`
	Created time.Time `json:"created"`
	Used    time.Time `json:"used,omitzero"`
	Record  []byte    `json:"-"` // what checking it needs
}
