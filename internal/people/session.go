package people

import (
	"context"
	"strings"
	"time"

	"upkeep"
	"upkeep/person"
)

// spans are how long a session lasts.
type spans struct{ idle, most time.Duration }

// Who works on all sites signs in daily; a client looks in now and then.
func spansOf(account *person.Account) spans {
	if account.View().All {
		return spans{idle: 2 * time.Hour, most: 12 * time.Hour}
	}
	return spans{idle: 24 * time.Hour, most: 14 * 24 * time.Hour}
}

const (
	halfway   = 10 * time.Minute // for the second factor
	seenEvery = time.Minute      // a session is noted as seen so often at most
	freshness = 15 * time.Minute // after signing in what opens an account may be changed
	mostAgent = 200              // characters
)

// signedOut is what every session that opens nothing answers, whyever.
func signedOut() error {
	return upkeep.Errorf(upkeep.CodeUnauthorized, "nobody is signed in").WithHint("Sign in again.")
}

// begin makes a session with a new token: one that somebody planted in a
// browser before is worth nothing.
func (p *People) begin(ctx context.Context, account *person.Account, from person.Caller, proof person.Proof, half bool) (*person.Entered, error) {
	now := p.Now().UTC()
	session := &person.Session{
		Account: account.ID, Proof: proof, Half: half, Address: from.Address, Agent: cut(from.Agent, mostAgent),
		Created: now, Seen: now, Expires: now.Add(spansOf(account).most),
	}
	if half {
		session.Expires = now.Add(halfway)
	}
	token := newToken()
	if err := p.Sessions.CreateSession(ctx, session, hashOf(token)); err != nil {
		return nil, err
	}
	if half {
		return &person.Entered{Token: token, Session: session, Account: account}, nil
	}
	err := p.Note(ctx, actor(account), kindSignedIn, map[string]any{"proof": proof, "address": from.Address})
	return &person.Entered{Token: token, Session: session, Account: account}, err
}

func cut(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}

// Enter returns the session and the account that a browser's token stands
// for. CodeUnauthorized when it stands for none, or for half of one.
func (p *People) Enter(ctx context.Context, token string) (*person.Session, *person.Account, error) {
	session, account, err := p.find(ctx, token)
	if err != nil {
		return nil, nil, err
	}
	if session.Half {
		return nil, nil, signedOut()
	}
	if now := p.Now(); now.Sub(session.Seen) >= seenEvery {
		if err := p.Sessions.SeeSession(ctx, session.ID); err != nil {
			return nil, nil, err
		}
	}
	return session, account, nil
}

// find returns a session that has not ended, whole or half.
func (p *People) find(ctx context.Context, token string) (*person.Session, *person.Account, error) {
	session, err := p.Sessions.Session(ctx, hashOf(token))
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return nil, nil, signedOut()
	}
	if err != nil {
		return nil, nil, err
	}
	account, err := p.Accounts.Account(ctx, session.Account)
	if err != nil {
		return nil, nil, err
	}
	now := p.Now()
	if !now.Before(session.Expires) || now.Sub(session.Seen) > spansOf(account).idle || !account.MayEnter(now) {
		return nil, nil, signedOut()
	}
	return session, account, nil
}

// fresh refuses to change what opens an account long after its person signed
// in: the browser may be in other hands by now.
func (p *People) fresh(session *person.Session) error {
	if p.Now().Sub(session.Created) > freshness {
		return upkeep.Errorf(upkeep.CodeHeld, "you signed in some time ago").WithHint("Sign out, sign in again, and repeat it.")
	}
	return nil
}

// SignOut ends the session of a token.
func (p *People) SignOut(ctx context.Context, token string) error {
	session, account, err := p.find(ctx, token)
	if upkeep.CodeOf(err) == upkeep.CodeUnauthorized {
		return nil
	}
	if err != nil {
		return err
	}
	if err := p.Sessions.DeleteSessions(ctx, account.ID, session.ID, 0); err != nil {
		return err
	}
	return p.Note(ctx, actor(account), kindSignedOut, map[string]any{})
}

// ListSessions returns the sessions of an account, the last seen first.
func (p *People) ListSessions(ctx context.Context, mail string) ([]person.Session, error) {
	account, err := p.AccountByMail(ctx, mail)
	if err != nil {
		return nil, err
	}
	all, err := p.Sessions.Sessions(ctx, account.ID)
	var open []person.Session
	now := p.Now()
	for i := range all {
		if s := &all[i]; !s.Half && now.Before(s.Expires) && now.Sub(s.Seen) <= spansOf(account).idle {
			open = append(open, *s)
		}
	}
	return open, err
}

// EndSession ends one session of an account. CodeNotFound when it has no such.
func (p *People) EndSession(ctx context.Context, by, mail string, id person.SessionID) error {
	account, err := p.AccountByMail(ctx, mail)
	if err != nil {
		return err
	}
	if err := p.Sessions.DeleteSessions(ctx, account.ID, id, 0); err != nil {
		return err
	}
	return p.Note(ctx, by, kindSessionEnded, map[string]any{"account": account.Mail, "sessions": "one"})
}

// EndSessions ends all sessions of an account.
func (p *People) EndSessions(ctx context.Context, by, mail string) error {
	account, err := p.AccountByMail(ctx, mail)
	if err != nil {
		return err
	}
	return p.endAll(ctx, by, account, 0)
}

// EndOthers ends all sessions of who is signed in but the one that they ask
// from.
func (p *People) EndOthers(ctx context.Context, token string) error {
	session, account, err := p.Enter(ctx, token)
	if err != nil {
		return err
	}
	return p.endAll(ctx, actor(account), account, session.ID)
}

func (p *People) endAll(ctx context.Context, by string, account *person.Account, spare person.SessionID) error {
	if err := p.Sessions.DeleteSessions(ctx, account.ID, 0, spare); err != nil {
		return err
	}
	return p.Note(ctx, by, kindSessionEnded, map[string]any{"account": account.Mail, "sessions": "all"})
}
