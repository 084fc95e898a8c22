package people

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/people/password"
	"upkeep/person"
)

// linkLasts is how long a one-time link may wait to be used.
const linkLasts = 72 * time.Hour

// AccountByMail returns an account. CodeNotFound when nobody has the address.
func (p *People) AccountByMail(ctx context.Context, mail string) (*person.Account, error) {
	return p.Accounts.AccountByMail(ctx, small(mail))
}

// ListAccounts returns all accounts, by mail address.
func (p *People) ListAccounts(ctx context.Context) ([]*person.Account, error) {
	return p.Accounts.Accounts(ctx)
}

// AddAccount adds an account and returns the one-time link by which its person
// chooses a password. CodeConflict when the mail address is taken.
func (p *People) AddAccount(ctx context.Context, by string, account *person.Account) (link string, err error) {
	defer upkeep.Wrap(&err, "add account %s", account.Mail)
	account.Mail = small(account.Mail)
	if err := account.Validate(); err != nil {
		return "", err
	}
	if err := p.Accounts.CreateAccount(ctx, account); err != nil {
		return "", err
	}
	facts := map[string]any{"account": account.Mail, "role": account.Role}
	if account.Client != "" {
		facts["client"] = account.Client
	}
	if err := p.Note(ctx, by, kindAccountAdded, facts); err != nil {
		return "", err
	}
	return p.newLink(ctx, by, account)
}

// SetAccount changes an account's name, role, client, language and last day,
// and ends its sessions when what it may do changed.
func (p *People) SetAccount(ctx context.Context, by, mail string, set *person.Account) (*person.Account, error) {
	account, err := p.AccountByMail(ctx, mail)
	if err != nil {
		return nil, err
	}
	err = p.Accounts.UpdateAccount(ctx, account.ID, func(a *person.Account) error {
		a.Name, a.Role, a.Client, a.Language, a.Until = set.Name, set.Role, set.Client, set.Language, set.Until
		return a.Validate()
	})
	if err != nil {
		return nil, err
	}
	err = p.Note(ctx, by, kindAccountSet, map[string]any{"account": account.Mail, "role": set.Role, "client": set.Client})
	if err != nil {
		return nil, err
	}
	return p.Accounts.Account(ctx, account.ID)
}

// DisableAccount keeps an account from signing in, from now on, or with false
// lets it again.
func (p *People) DisableAccount(ctx context.Context, by, mail string, disabled bool) (*person.Account, error) {
	account, err := p.AccountByMail(ctx, mail)
	if err != nil {
		return nil, err
	}
	kind := kindAccountEnabled
	if disabled {
		kind = kindAccountDisabled
	}
	err = p.Accounts.UpdateAccount(ctx, account.ID, func(a *person.Account) error {
		switch {
		case !disabled:
			a.Disabled = time.Time{}
		case a.Disabled.IsZero():
			a.Disabled = p.Now().UTC()
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if err := p.Note(ctx, by, kind, map[string]any{"account": account.Mail}); err != nil {
		return nil, err
	}
	return p.Accounts.Account(ctx, account.ID)
}

// ResetAccount returns a new one-time link. With factors it takes the
// account's one-time codes and passkeys away first: for who has lost them. Its
// sessions end.
func (p *People) ResetAccount(ctx context.Context, by, mail string, factors bool) (link string, err error) {
	account, err := p.AccountByMail(ctx, mail)
	if err != nil {
		return "", err
	}
	if factors {
		if err := p.dropFactors(ctx, by, account); err != nil {
			return "", err
		}
	}
	if err := p.Sessions.DeleteSessions(ctx, account.ID, 0, 0); err != nil {
		return "", err
	}
	return p.newLink(ctx, by, account)
}

func (p *People) dropFactors(ctx context.Context, by string, account *person.Account) error {
	if err := p.dropCode(ctx, by, account); err != nil {
		return err
	}
	keys, err := p.Passkeys.Passkeys(ctx, account.ID)
	if err != nil {
		return err
	}
	for i := range keys {
		if err := p.dropPasskey(ctx, by, account, keys[i].ID); err != nil {
			return err
		}
	}
	return nil
}

// newLink makes a link, which replaces those before.
func (p *People) newLink(ctx context.Context, by string, account *person.Account) (string, error) {
	token := newToken()
	link := &person.Link{Account: account.ID, Expires: p.Now().UTC().Add(linkLasts)}
	if err := p.Once.CreateLink(ctx, link, hashOf(token)); err != nil {
		return "", err
	}
	if err := p.Note(ctx, by, kindLinkMade, map[string]any{"account": account.Mail}); err != nil {
		return "", err
	}
	return p.Origin.JoinPath("link", token).String(), nil
}

// OpenLink returns whose a one-time link is, without using it. CodeNotFound
// when it was never one, was used, or is too old.
func (p *People) OpenLink(ctx context.Context, token string) (*person.Account, error) {
	link, err := p.Once.Link(ctx, hashOf(token))
	if err != nil {
		return nil, spent(err)
	}
	account, err := p.Accounts.Account(ctx, link.Account)
	if err == nil && !account.MayEnter(p.Now()) {
		return nil, spent(nil)
	}
	return account, err
}

func spent(err error) error {
	if err != nil && upkeep.CodeOf(err) != upkeep.CodeNotFound {
		return err
	}
	return upkeep.Errorf(upkeep.CodeNotFound, "this link was used, or is too old").
		WithHint("Ask whoever looks after your access for another one.")
}

// UseLink chooses the password of whose link it is, ends their sessions and
// lets them in, halfway when they have a second factor.
func (p *People) UseLink(ctx context.Context, from person.Caller, token, given string) (*person.Entered, error) {
	account, err := p.OpenLink(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := password.Valid(given, account.Mail, account.Name); err != nil {
		return nil, err
	}
	if err := p.Once.UseLink(ctx, hashOf(token)); err != nil {
		return nil, spent(err)
	}
	if err := p.choose(ctx, actor(account), account, given); err != nil {
		return nil, err
	}
	if err := p.Sessions.DeleteSessions(ctx, account.ID, 0, 0); err != nil {
		return nil, err
	}
	return p.begin(ctx, account, from, person.ByLink, !account.Bare())
}

// choose keeps a password that a person chose.
func (p *People) choose(ctx context.Context, by string, account *person.Account, given string) error {
	if err := password.Valid(given, account.Mail, account.Name); err != nil {
		return err
	}
	if err := p.keep(ctx, account.ID, given); err != nil {
		return err
	}
	return p.Note(ctx, by, kindPasswordSet, map[string]any{"account": account.Mail})
}
