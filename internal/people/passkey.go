package people

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"upkeep"
	"upkeep/person"
)

// challengeLasts is how long a device may take.
const challengeLasts = 5 * time.Minute

// keyOwner is an account as passkeys see it.
type keyOwner struct {
	account *person.Account
	keys    []webauthn.Credential
}

func (o *keyOwner) WebAuthnID() []byte                         { return []byte(o.account.ID.String()) }
func (o *keyOwner) WebAuthnName() string                       { return o.account.Mail }
func (o *keyOwner) WebAuthnCredentials() []webauthn.Credential { return o.keys }
func (o *keyOwner) WebAuthnDisplayName() string {
	if o.account.Name != "" {
		return o.account.Name
	}
	return o.account.Mail
}

func (p *People) owner(ctx context.Context, account *person.Account) (*keyOwner, error) {
	kept, err := p.Passkeys.Passkeys(ctx, account.ID)
	if err != nil {
		return nil, err
	}
	owner := &keyOwner{account: account}
	for i := range kept {
		var key webauthn.Credential
		if err := json.Unmarshal(kept[i].Record, &key); err != nil {
			return nil, upkeep.Errorf(upkeep.CodeDamaged, "a kept passkey does not read back: %w", err)
		}
		owner.keys = append(owner.keys, key)
	}
	return owner, nil
}

// ceremony is a challenge under way. Who it is for is part of it, so that an
// answer counts for nobody else.
type ceremony struct {
	Purpose string               `json:"purpose"`
	Hash    string               `json:"hash,omitempty"` // of the session's token that it belongs to
	Data    webauthn.SessionData `json:"data"`
}

// The purposes of challenges.
const (
	toAdd    = "add"
	toFinish = "finish"
	toEnter  = "enter"
)

func (p *People) challenge(ctx context.Context, c ceremony, options any) (*person.KeyRequest, error) {
	raw, err := json.Marshal(options)
	if err != nil {
		return nil, err
	}
	record, err := json.Marshal(c)
	if err != nil {
		return nil, err
	}
	ticket := newToken()
	err = p.Once.CreateChallenge(ctx, hashOf(ticket), record, p.Now().UTC().Add(challengeLasts))
	return &person.KeyRequest{Options: raw, Ticket: ticket}, err
}

// take returns the challenge of a ticket, which counts no more.
func (p *People) take(ctx context.Context, ticket, purpose, token string) (*webauthn.SessionData, error) {
	record, err := p.Once.TakeChallenge(ctx, hashOf(ticket))
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return nil, refusedKey(nil)
	}
	if err != nil {
		return nil, err
	}
	var c ceremony
	if err := json.Unmarshal(record, &c); err != nil {
		return nil, err
	}
	if c.Purpose != purpose || token != "" && c.Hash != hashOf(token) {
		return nil, refusedKey(nil)
	}
	return &c.Data, nil
}

// refusedKey is the one answer to a passkey that is not taken.
func refusedKey(err error) error {
	if err == nil {
		return upkeep.Errorf(upkeep.CodeUnauthorized, "the passkey was not accepted").WithHint("Try it again, or sign in another way.")
	}
	return upkeep.Errorf(upkeep.CodeUnauthorized, "the passkey was not accepted: %w", err).WithHint("Try it again, or sign in another way.")
}

// BeginPasskey has the device of who is signed in make a passkey.
func (p *People) BeginPasskey(ctx context.Context, token string) (*person.KeyRequest, error) {
	session, account, err := p.Enter(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := p.fresh(session); err != nil {
		return nil, err
	}
	owner, err := p.owner(ctx, account)
	if err != nil {
		return nil, err
	}
	options, data, err := p.keys.BeginRegistration(owner,
		webauthn.WithResidentKeyRequirement(protocol.ResidentKeyRequirementPreferred),
		webauthn.WithExclusions(webauthn.Credentials(owner.keys).CredentialDescriptors()))
	if err != nil {
		return nil, err
	}
	return p.challenge(ctx, ceremony{Purpose: toAdd, Hash: hashOf(token), Data: *data}, options.Response)
}

// FinishPasskey keeps the passkey that the device made. Other sessions end.
func (p *People) FinishPasskey(ctx context.Context, from person.Caller, token, name string, answer person.KeyAnswer) (*person.Entered, error) {
	session, account, err := p.Enter(ctx, token)
	if err != nil {
		return nil, err
	}
	data, err := p.take(ctx, answer.Ticket, toAdd, token)
	if err != nil {
		return nil, err
	}
	parsed, err := protocol.ParseCredentialCreationResponseBody(bytes.NewReader(answer.Credential))
	if err != nil {
		return nil, refusedKey(err)
	}
	owner, err := p.owner(ctx, account)
	if err != nil {
		return nil, err
	}
	made, err := p.keys.CreateCredential(owner, *data, parsed)
	if err != nil {
		return nil, refusedKey(err)
	}
	record, err := json.Marshal(made)
	if err != nil {
		return nil, err
	}
	if name = cut(name, 100); name == "" {
		name = "Passkey " + strconv.Itoa(len(owner.keys)+1)
	}
	key := &person.Passkey{ID: keyID(made.ID), Account: account.ID, Name: name, Record: record}
	if err := p.Passkeys.CreatePasskey(ctx, key); err != nil {
		return nil, err
	}
	if err := p.Note(ctx, actor(account), kindPasskeyAdded, map[string]any{"account": account.Mail, "name": name}); err != nil {
		return nil, err
	}
	return p.again(ctx, from, session, account)
}

// RemovePasskey takes a passkey away from who is signed in.
func (p *People) RemovePasskey(ctx context.Context, from person.Caller, token, id string) (*person.Entered, error) {
	session, account, err := p.Enter(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := p.fresh(session); err != nil {
		return nil, err
	}
	if err := p.dropPasskey(ctx, actor(account), account, id); err != nil {
		return nil, err
	}
	return p.again(ctx, from, session, account)
}

func (p *People) dropPasskey(ctx context.Context, by string, account *person.Account, id string) error {
	if err := p.Passkeys.DeletePasskey(ctx, account.ID, id); err != nil {
		return err
	}
	return p.Note(ctx, by, kindPasskeyRemoved, map[string]any{"account": account.Mail})
}

// ListPasskeys returns the passkeys of an account, the oldest first.
func (p *People) ListPasskeys(ctx context.Context, account person.AccountID) ([]person.Passkey, error) {
	return p.Passkeys.Passkeys(ctx, account)
}

// AskPasskey asks for a passkey: for any that the device knows its person by,
// or, of a token that is halfway in, for one of that account.
func (p *People) AskPasskey(ctx context.Context, token string) (*person.KeyRequest, error) {
	half, account, err := p.find(ctx, token)
	if err != nil || !half.Half {
		options, data, err := p.keys.BeginDiscoverableLogin(webauthn.WithUserVerification(protocol.VerificationRequired))
		if err != nil {
			return nil, err
		}
		return p.challenge(ctx, ceremony{Purpose: toEnter, Data: *data}, options.Response)
	}
	owner, err := p.owner(ctx, account)
	if err != nil {
		return nil, err
	}
	options, data, err := p.keys.BeginLogin(owner)
	if err != nil {
		return nil, refusedKey(err)
	}
	return p.challenge(ctx, ceremony{Purpose: toFinish, Hash: hashOf(token), Data: *data}, options.Response)
}

// SignInByPasskey lets in by a passkey: alone, or of a token that is halfway
// in, as the second factor.
func (p *People) SignInByPasskey(ctx context.Context, from person.Caller, token string, answer person.KeyAnswer) (*person.Entered, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBody(bytes.NewReader(answer.Credential))
	if err != nil {
		return nil, refusedKey(err)
	}
	half, account, err := p.find(ctx, token)
	if err != nil || !half.Half {
		return p.enterByPasskey(ctx, from, answer.Ticket, parsed)
	}
	data, err := p.take(ctx, answer.Ticket, toFinish, token)
	if err != nil {
		return nil, err
	}
	owner, err := p.owner(ctx, account)
	if err != nil {
		return nil, err
	}
	used, err := p.keys.ValidateLogin(owner, *data, parsed)
	if err != nil {
		return nil, p.keyFailed(ctx, account, from, err)
	}
	if err := p.used(ctx, used); err != nil {
		return nil, err
	}
	return p.finish(ctx, from, half, account, person.ByKey)
}

func (p *People) enterByPasskey(ctx context.Context, from person.Caller, ticket string, parsed *protocol.ParsedCredentialAssertionData) (*person.Entered, error) {
	data, err := p.take(ctx, ticket, toEnter, "")
	if err != nil {
		return nil, err
	}
	var account *person.Account
	_, used, err := p.keys.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
		id, err := strconv.ParseInt(string(handle), 10, 64)
		if err != nil {
			return nil, err
		}
		if account, err = p.Accounts.Account(ctx, person.AccountID(id)); err != nil {
			return nil, err
		}
		return p.owner(ctx, account)
	}, *data, parsed)
	if err == nil && !account.MayEnter(p.Now()) {
		err = refusedKey(nil)
	}
	if err != nil {
		return nil, p.keyFailed(ctx, account, from, err)
	}
	if err := p.used(ctx, used); err != nil {
		return nil, err
	}
	return p.begin(ctx, account, from, person.ByPasskey, false)
}

func (p *People) keyFailed(ctx context.Context, account *person.Account, from person.Caller, why error) error {
	if account == nil {
		return refusedKey(why)
	}
	return p.failed(ctx, account, from, "passkey", refusedKey(why))
}

// used keeps what a passkey counts. One that counts backwards was copied.
func (p *People) used(ctx context.Context, key *webauthn.Credential) error {
	if key.Authenticator.CloneWarning {
		return refusedKey(nil)
	}
	record, err := json.Marshal(key)
	if err != nil {
		return err
	}
	return p.Passkeys.UsePasskey(ctx, keyID(key.ID), record)
}

func keyID(id []byte) string { return base64.RawURLEncoding.EncodeToString(id) }
