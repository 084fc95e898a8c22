package people

import (
	"context"

	"upkeep"
	"upkeep/person"
)

// wrong is the one answer to a sign-in that fails, whether there is such an
// account or not, may it enter or not.
func wrong() error {
	return upkeep.Errorf(upkeep.CodeUnauthorized, "the mail address or the password is wrong").
		WithHint("Forgotten? Whoever looks after your access can send you a link.")
}

// SignIn lets somebody in by password: halfway when they have a second factor.
// CodeUnauthorized when it is wrong, CodeHeld when too many before were.
func (p *People) SignIn(ctx context.Context, from person.Caller, mail, given string) (*person.Entered, error) {
	began := p.Now()
	entered, err := p.signIn(ctx, from, small(mail), given)
	if err != nil {
		p.Pause(ctx, began)
	}
	return entered, err
}

func (p *People) signIn(ctx context.Context, from person.Caller, mail, given string) (*person.Entered, error) {
	if err := p.heard(ctx, addressKey(from.Address), addressBrake()); err != nil {
		return nil, err
	}
	if err := p.heard(ctx, mailKey(mail), accountBrake()); err != nil {
		return nil, err
	}
	account, kept, err := p.known(ctx, mail)
	if err != nil {
		return nil, err
	}
	right, stale, err := p.Hasher.Check(ctx, kept, given)
	if err != nil {
		return nil, err
	}
	if !right {
		return nil, p.failed(ctx, account, from, "password", wrong())
	}
	if stale {
		if err := p.keep(ctx, account.ID, given); err != nil {
			return nil, err
		}
	}
	if err := p.forget(ctx, mailKey(mail)); err != nil {
		return nil, err
	}
	if err := p.forgive(ctx, addressKey(from.Address), addressBrake()); err != nil {
		return nil, err
	}
	return p.begin(ctx, account, from, person.ByPassword, !account.Bare())
}

// known returns the account with a mail address and its kept password; for
// one that is not there or may not enter, none and "".
func (p *People) known(ctx context.Context, mail string) (*person.Account, string, error) {
	account, err := p.Accounts.AccountByMail(ctx, mail)
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", err
	}
	credentials, err := p.Credentials.Credentials(ctx, account.ID)
	if err != nil {
		return nil, "", err
	}
	if !account.MayEnter(p.Now()) {
		return account, "", nil
	}
	return account, credentials.Password, nil
}

// failed enters a failure on the ledger and returns why, unless that fails.
// Who is unknown stays unnamed.
func (p *People) failed(ctx context.Context, account *person.Account, from person.Caller, factor string, why error) error {
	facts := map[string]any{"factor": factor, "address": from.Address}
	if account != nil {
		facts["account"] = account.Mail
	}
	if err := p.Note(ctx, "upkeep", kindSignInFailed, facts); err != nil {
		return err
	}
	return why
}

func (p *People) forget(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := p.Brakes.ForgetTries(ctx, key); err != nil {
			return err
		}
	}
	return nil
}

// keep keeps a password that was found right, or allowed.
func (p *People) keep(ctx context.Context, id person.AccountID, given string) error {
	hash, err := p.Hasher.Hash(ctx, given)
	if err != nil {
		return err
	}
	return p.Credentials.UpdateCredentials(ctx, id, func(c *person.Credentials) error {
		c.Password = hash
		return nil
	})
}

// Halfway returns the account that a token is halfway into.
func (p *People) Halfway(ctx context.Context, token string) (*person.Account, error) {
	session, account, err := p.find(ctx, token)
	if err == nil && !session.Half {
		err = signedOut()
	}
	return account, err
}

// SignInByCode finishes what SignIn began, by a one-time code or a recovery
// code.
func (p *People) SignInByCode(ctx context.Context, from person.Caller, token, code string) (*person.Entered, error) {
	began := p.Now()
	half, account, err := p.find(ctx, token)
	if err == nil && !half.Half {
		err = signedOut()
	}
	if err != nil {
		return nil, err
	}
	if err := p.heard(ctx, codeKey(account.ID), accountBrake()); err != nil {
		return nil, err
	}
	err = p.checkCode(ctx, account, code)
	if upkeep.CodeOf(err) == upkeep.CodeUnauthorized {
		p.Pause(ctx, began)
		return nil, p.failed(ctx, account, from, "code", err)
	}
	if err != nil {
		return nil, err
	}
	return p.finish(ctx, from, half, account, person.ByCode)
}

// finish replaces half a session by a whole one, of another token.
func (p *People) finish(ctx context.Context, from person.Caller, half *person.Session, account *person.Account, proof person.Proof) (*person.Entered, error) {
	if err := p.forget(ctx, codeKey(account.ID)); err != nil {
		return nil, err
	}
	if err := p.Sessions.DeleteSessions(ctx, account.ID, half.ID, 0); err != nil {
		return nil, err
	}
	return p.begin(ctx, account, from, proof, false)
}

// ChangePassword replaces a password by another, for who is signed in. All
// other sessions of theirs end, and theirs goes on with another token.
func (p *People) ChangePassword(ctx context.Context, from person.Caller, token, old, given string) (*person.Entered, error) {
	session, account, err := p.Enter(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := p.prove(ctx, account, old); err != nil {
		return nil, err
	}
	if err := p.choose(ctx, actor(account), account, given); err != nil {
		return nil, err
	}
	return p.again(ctx, from, session, account)
}

// prove has a person repeat the password, with the same brake as for strangers.
func (p *People) prove(ctx context.Context, account *person.Account, given string) error {
	began := p.Now()
	if err := p.heard(ctx, passwordKey(account.ID), accountBrake()); err != nil {
		return err
	}
	credentials, err := p.Credentials.Credentials(ctx, account.ID)
	if err != nil {
		return err
	}
	right, _, err := p.Hasher.Check(ctx, credentials.Password, given)
	if err != nil {
		return err
	}
	if !right {
		p.Pause(ctx, began)
		return upkeep.Errorf(upkeep.CodeInvalid, "the present password is wrong")
	}
	return p.forget(ctx, passwordKey(account.ID))
}

// again gives a person who is signed in a new session in place of all, since
// what they may do, or how they prove themselves, has changed.
func (p *People) again(ctx context.Context, from person.Caller, session *person.Session, account *person.Account) (*person.Entered, error) {
	if err := p.Sessions.DeleteSessions(ctx, account.ID, 0, 0); err != nil {
		return nil, err
	}
	fresh, err := p.Accounts.Account(ctx, account.ID)
	if err != nil {
		return nil, err
	}
	return p.begin(ctx, fresh, from, session.Proof, false)
}
