// Package people knows who may sign in and how they prove who they are: by
// password, one-time code, passkey or a one-time link. It keeps sessions, and
// slows down who guesses.
package people

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"upkeep"
	"upkeep/internal/people/password"
	"upkeep/person"
)

// Accounts keeps accounts. A change of what an account may do ends its
// sessions with it.
type Accounts interface {
	Account(ctx context.Context, id person.AccountID) (*person.Account, error)
	AccountByMail(ctx context.Context, mail string) (*person.Account, error)
	Accounts(ctx context.Context) ([]*person.Account, error)
	CreateAccount(ctx context.Context, account *person.Account) error
	UpdateAccount(ctx context.Context, id person.AccountID, change func(*person.Account) error) error
}

// Credentials keeps what accounts prove themselves with.
type Credentials interface {
	Credentials(ctx context.Context, id person.AccountID) (*person.Credentials, error)
	UpdateCredentials(ctx context.Context, id person.AccountID, change func(*person.Credentials) error) error
	PutRecoveryCodes(ctx context.Context, id person.AccountID, hashes []string) error
	UseRecoveryCode(ctx context.Context, id person.AccountID, hash string) error
}

// Passkeys keeps passkeys.
type Passkeys interface {
	Passkeys(ctx context.Context, id person.AccountID) ([]person.Passkey, error)
	CreatePasskey(ctx context.Context, key *person.Passkey) error
	UsePasskey(ctx context.Context, id string, record []byte) error
	DeletePasskey(ctx context.Context, account person.AccountID, id string) error
}

// Sessions keeps sessions, under the hashes of their tokens.
type Sessions interface {
	CreateSession(ctx context.Context, session *person.Session, hash string) error
	Session(ctx context.Context, hash string) (*person.Session, error)
	Sessions(ctx context.Context, account person.AccountID) ([]person.Session, error)
	SeeSession(ctx context.Context, id person.SessionID) error
	// DeleteSessions ends one session of an account, or with 0 all but spare.
	DeleteSessions(ctx context.Context, account person.AccountID, id, spare person.SessionID) error
}

// Once keeps what counts once: links, and the challenges of passkeys.
type Once interface {
	CreateLink(ctx context.Context, link *person.Link, hash string) error
	Link(ctx context.Context, hash string) (*person.Link, error)
	UseLink(ctx context.Context, hash string) error
	CreateChallenge(ctx context.Context, hash string, record []byte, expires time.Time) error
	TakeChallenge(ctx context.Context, hash string) ([]byte, error)
}

// Brakes counts failures.
type Brakes interface {
	// Try calls heard with the tries under key, which it may change, and keeps
	// them in the same transaction, unless heard returns an error.
	Try(ctx context.Context, key string, heard func(tries *person.Tries, now time.Time) error) error
	ForgetTries(ctx context.Context, key string) error
}

// Sealer keeps secrets from whoever has only the records.
type Sealer interface {
	Seal(plain []byte) ([]byte, error)
	Open(sealed []byte) ([]byte, error)
}

// Config is what People work with.
type Config struct {
	Accounts    Accounts
	Credentials Credentials
	Passkeys    Passkeys
	Sessions    Sessions
	Once        Once
	Brakes      Brakes
	Owners      Owners
	Sealer      Sealer
	Hasher      *password.Hasher
	Origin      *url.URL // where people reach the pages
	// Note writes a line of the ledger.
	Note func(ctx context.Context, actor, kind string, facts map[string]any) error
	Now  upkeep.Clock
	// Pause waits, so that each refusal comes as late as any other; nil waits
	// for the machine's clock.
	Pause func(ctx context.Context, since time.Time)
}

// People lets in whoever may.
type People struct {
	Config
	keys *webauthn.WebAuthn
}

// New returns People. CodeInvalid when the origin is none that passkeys can
// be of.
func New(c Config) (*People, error) {
	if c.Pause == nil {
		c.Pause = pause
	}
	keys, err := webauthn.New(&webauthn.Config{
		RPID: c.Origin.Hostname(), RPDisplayName: "Upkeep", RPOrigins: []string{c.Origin.Scheme + "://" + c.Origin.Host},
	})
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "console.url %s: passkeys cannot be of it: %w", c.Origin, err)
	}
	return &People{Config: c, keys: keys}, nil
}

// Ledger kinds.
const (
	kindAccountAdded    = "account_added"
	kindAccountSet      = "account_set"
	kindAccountDisabled = "account_disabled"
	kindAccountEnabled  = "account_enabled"
	kindLinkMade        = "link_made"
	kindPasswordSet     = "password_set"
	kindSignedIn        = "signed_in"
	kindSignInFailed    = "sign_in_failed"
	kindSignedOut       = "signed_out"
	kindSessionEnded    = "session_ended"
	kindCodeSet         = "code_set"
	kindCodeRemoved     = "code_removed"
	kindRecoveryUsed    = "recovery_used"
	kindPasskeyAdded    = "passkey_added"
	kindPasskeyRemoved  = "passkey_removed"
)

// actor names a person as the ledger does.
func actor(account *person.Account) string { return "account:" + account.Mail }

// newToken returns 256 random bits for a browser or a link.
func newToken() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // it never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

// hashOf is how a token is kept: who reads the records cannot use it.
func hashOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// refusal is the least time in which a sign-in is refused, well above what
// checking takes: how long it took then says nothing.
const refusal = 600 * time.Millisecond

func pause(ctx context.Context, since time.Time) {
	timer := time.NewTimer(time.Until(since.Add(refusal)))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
