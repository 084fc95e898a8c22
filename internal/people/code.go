package people

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"upkeep"
	"upkeep/person"
)

// How one-time codes are made: what every program for them takes.
const (
	codePeriod    = 30 * time.Second
	codeDrift     = 1 // codes before and after, for clocks that are not right
	recoveryCodes = 10
)

// BeginCode makes a new secret of one-time codes for who is signed in. It
// counts from when FinishCode sees a code of it.
func (p *People) BeginCode(ctx context.Context, token string) (*person.CodeSetup, error) {
	session, account, err := p.Enter(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := p.fresh(session); err != nil {
		return nil, err
	}
	key, err := totp.Generate(totp.GenerateOpts{Issuer: "Upkeep " + p.Origin.Hostname(), AccountName: account.Mail, SecretSize: 20})
	if err != nil {
		return nil, err
	}
	sealed, err := p.Sealer.Seal([]byte(key.Secret()))
	if err != nil {
		return nil, err
	}
	err = p.Credentials.UpdateCredentials(ctx, account.ID, func(c *person.Credentials) error {
		c.Pending = sealed
		return nil
	})
	return &person.CodeSetup{URL: key.URL(), Secret: key.Secret()}, err
}

// FinishCode has the codes of the new secret count, once it has seen one, and
// returns recovery codes, which are shown this once. Other sessions end.
func (p *People) FinishCode(ctx context.Context, from person.Caller, token, code string) (*person.Entered, []string, error) {
	session, account, err := p.Enter(ctx, token)
	if err != nil {
		return nil, nil, err
	}
	if err := p.fresh(session); err != nil {
		return nil, nil, err
	}
	if err := p.heard(ctx, codeKey(account.ID), accountBrake()); err != nil {
		return nil, nil, err
	}
	err = p.Credentials.UpdateCredentials(ctx, account.ID, func(c *person.Credentials) error {
		step, err := p.step(c.Pending, code, 0)
		if err != nil {
			return err
		}
		c.Code, c.Pending, c.Step = c.Pending, nil, step
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	codes, hashes := newRecoveryCodes()
	if err := p.Credentials.PutRecoveryCodes(ctx, account.ID, hashes); err != nil {
		return nil, nil, err
	}
	if err := p.forget(ctx, codeKey(account.ID)); err != nil {
		return nil, nil, err
	}
	if err := p.Note(ctx, actor(account), kindCodeSet, map[string]any{"account": account.Mail}); err != nil {
		return nil, nil, err
	}
	entered, err := p.again(ctx, from, session, account)
	return entered, codes, err
}

// RemoveCode ends one-time codes for who is signed in.
func (p *People) RemoveCode(ctx context.Context, from person.Caller, token string) (*person.Entered, error) {
	session, account, err := p.Enter(ctx, token)
	if err != nil {
		return nil, err
	}
	if err := p.fresh(session); err != nil {
		return nil, err
	}
	if err := p.dropCode(ctx, actor(account), account); err != nil {
		return nil, err
	}
	return p.again(ctx, from, session, account)
}

func (p *People) dropCode(ctx context.Context, by string, account *person.Account) error {
	if !account.Code {
		return nil
	}
	err := p.Credentials.UpdateCredentials(ctx, account.ID, func(c *person.Credentials) error {
		c.Code, c.Pending = nil, nil
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.Credentials.PutRecoveryCodes(ctx, account.ID, nil); err != nil {
		return err
	}
	return p.Note(ctx, by, kindCodeRemoved, map[string]any{"account": account.Mail})
}

// checkCode takes a one-time code that was not taken before, or a recovery
// code. CodeUnauthorized when it is neither.
func (p *People) checkCode(ctx context.Context, account *person.Account, code string) error {
	code = strings.ToUpper(strings.NewReplacer(" ", "", "-", "").Replace(code))
	if len(code) == int(otp.DigitsSix) {
		return p.Credentials.UpdateCredentials(ctx, account.ID, func(c *person.Credentials) error {
			step, err := p.step(c.Code, code, c.Step)
			c.Step = max(step, c.Step)
			return err
		})
	}
	err := p.Credentials.UseRecoveryCode(ctx, account.ID, hashOf(code))
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return wrongCode()
	}
	if err != nil {
		return err
	}
	return p.Note(ctx, actor(account), kindRecoveryUsed, map[string]any{"account": account.Mail})
}

// step returns at which step of time a code of a sealed secret is valid, after
// the last one that was taken.
func (p *People) step(sealed []byte, code string, last int64) (int64, error) {
	if len(sealed) == 0 {
		return 0, wrongCode()
	}
	secret, err := p.Sealer.Open(sealed)
	if err != nil {
		return 0, err
	}
	now := p.Now().Unix() / int64(codePeriod/time.Second)
	for step := max(now-codeDrift, last+1); step <= now+codeDrift; step++ {
		valid, err := hotp.ValidateCustom(code, uint64(step), string(secret), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && valid {
			return step, nil
		}
	}
	return 0, wrongCode()
}

func wrongCode() error {
	return upkeep.Errorf(upkeep.CodeUnauthorized, "the code is wrong").
		WithHint("Take the one that is shown now, and see that the clocks are right.")
}

// newRecoveryCodes returns codes of 80 bits, as they are read and as they are
// kept.
func newRecoveryCodes() (codes, hashes []string) {
	for range recoveryCodes {
		b := make([]byte, 10)
		_, _ = rand.Read(b) // it never fails
		code := base32.StdEncoding.EncodeToString(b)
		hashes = append(hashes, hashOf(code))
		codes = append(codes, code[:4]+"-"+code[4:8]+"-"+code[8:12]+"-"+code[12:])
	}
	return codes, hashes
}
