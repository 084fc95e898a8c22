// Package people keeps who may sign in: accounts with their credentials,
// sessions, one-time links, failures, and the clients that own sites. What a
// person may see is a condition of its queries.
package people

import (
	"context"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
	"upkeep/person"
)

// Records keeps people in the open records.
type Records struct{ *records.DB }

const accountColumns = `SELECT id, mail, name, role, COALESCE(client, ''), language, until, created, disabled, signed_in,
	password <> '', code IS NOT NULL, (SELECT COUNT(*) FROM passkey WHERE passkey.account = account.id) FROM account`

func scanAccount(row records.Row) (*person.Account, error) {
	var a person.Account
	err := row.Scan(&a.ID, &a.Mail, &a.Name, &a.Role, &a.Client, &a.Language, (*column.Stamp)(&a.Until), (*column.Stamp)(&a.Created),
		(*column.Stamp)(&a.Disabled), (*column.Stamp)(&a.SignedIn), &a.Password, &a.Code, &a.Passkeys)
	return &a, err
}

func findAccount(ctx context.Context, tx *records.Tx, id person.AccountID) (*person.Account, error) {
	return records.Single(tx.QueryRowContext(ctx, accountColumns+` WHERE id = $1`, id), scanAccount, "account", id)
}

// Account returns an account by number.
func (r Records) Account(ctx context.Context, id person.AccountID) (account *person.Account, err error) {
	err = r.Read(ctx, func(tx *records.Tx) error {
		account, err = findAccount(ctx, tx, id)
		return err
	})
	return account, err
}

// AccountByMail returns an account by its mail address.
func (r Records) AccountByMail(ctx context.Context, mail string) (account *person.Account, err error) {
	err = r.Read(ctx, func(tx *records.Tx) error {
		row := tx.QueryRowContext(ctx, accountColumns+` WHERE mail = $1`, mail)
		account, err = records.Single(row, scanAccount, "account", mail)
		return err
	})
	return account, err
}

// Accounts returns every account, by mail address.
func (r Records) Accounts(ctx context.Context) (accounts []*person.Account, err error) {
	err = r.Read(ctx, func(tx *records.Tx) error {
		accounts, err = records.Collect(ctx, tx, accountColumns+` ORDER BY mail`, nil, scanAccount)
		return err
	})
	return accounts, err
}

// text is a reference by name as columns keep it: NULL for none.
func text(name string) any {
	if name == "" {
		return nil
	}
	return name
}

// CreateAccount adds an account and sets its ID and Created. CodeConflict when
// the mail address is taken, CodeNotFound when there is no such client.
func (r Records) CreateAccount(ctx context.Context, a *person.Account) (err error) {
	return r.Write(ctx, func(tx *records.Tx) error {
		if err := checkClient(ctx, tx, a.Client); err != nil {
			return err
		}
		a.Created = tx.Now
		return tx.QueryRowContext(ctx, `INSERT INTO account (mail, name, role, client, language, until, created, password, step)
			VALUES ($1, $2, $3, $4, $5, $6, $7, '', 0) RETURNING id`,
			a.Mail, a.Name, a.Role, text(a.Client), a.Language, column.Stamp(a.Until), column.Stamp(a.Created)).Scan(&a.ID)
	})
}

func checkClient(ctx context.Context, tx *records.Tx, name string) error {
	if name == "" {
		return nil
	}
	_, err := records.Single(tx.QueryRowContext(ctx, clientColumns+` WHERE name = $1`, name), scanClient, "client", name)
	return err
}

// UpdateAccount changes an account by change; its ID, mail address and Created
// stay. When what it may do changes, its sessions end in the same transaction.
// CodeConflict when nobody would be left who may decide about people.
func (r Records) UpdateAccount(ctx context.Context, id person.AccountID, change func(*person.Account) error) (err error) {
	defer upkeep.Wrap(&err, "update account %s", id)
	return r.Write(ctx, func(tx *records.Tx) error {
		a, err := findAccount(ctx, tx, id)
		if err != nil {
			return err
		}
		before := *a
		if err := change(a); err != nil {
			return err
		}
		if err := checkClient(ctx, tx, a.Client); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE account SET name = $1, role = $2, client = $3, language = $4, until = $5, disabled = $6 WHERE id = $7`,
			a.Name, a.Role, text(a.Client), a.Language, column.Stamp(a.Until), column.Stamp(a.Disabled), id)
		if err != nil {
			return err
		}
		if before.Role == a.Role && before.Client == a.Client && before.Until.Equal(a.Until) && before.Disabled.Equal(a.Disabled) {
			return nil
		}
		if err := deleteSessions(ctx, tx, id, 0); err != nil {
			return err
		}
		return checkOwner(ctx, tx)
	})
}

func checkOwner(ctx context.Context, tx *records.Tx) error {
	owners, err := records.One[int](tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM account WHERE role = 'owner' AND disabled IS NULL`))
	if err == nil && owners == 0 {
		return upkeep.Errorf(upkeep.CodeConflict, "no owner would be left").WithHint("Make somebody else owner first: upkeep account add --role owner.")
	}
	return err
}

const credentialColumns = `SELECT password, code, pending, step FROM account`

func scanCredentials(row records.Row) (*person.Credentials, error) {
	var c person.Credentials
	err := row.Scan(&c.Password, &c.Code, &c.Pending, &c.Step)
	return &c, err
}

// Credentials returns what an account proves itself with.
func (r Records) Credentials(ctx context.Context, id person.AccountID) (c *person.Credentials, err error) {
	err = r.Read(ctx, func(tx *records.Tx) error {
		c, err = records.Single(tx.QueryRowContext(ctx, credentialColumns+` WHERE id = $1`, id), scanCredentials, "account", id)
		return err
	})
	return c, err
}

// UpdateCredentials changes what an account proves itself with.
func (r Records) UpdateCredentials(ctx context.Context, id person.AccountID, change func(*person.Credentials) error) error {
	return r.Write(ctx, func(tx *records.Tx) error {
		c, err := records.Single(tx.QueryRowContext(ctx, credentialColumns+` WHERE id = $1`, id), scanCredentials, "account", id)
		if err != nil {
			return err
		}
		if err := change(c); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE account SET password = $1, code = $2, pending = $3, step = $4 WHERE id = $5`,
			c.Password, c.Code, c.Pending, c.Step, id)
		return err
	})
}

// PutRecoveryCodes replaces an account's recovery codes, of which only hashes
// are kept.
func (r Records) PutRecoveryCodes(ctx context.Context, id person.AccountID, hashes []string) error {
	return r.Write(ctx, func(tx *records.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM recovery_code WHERE account = $1`, id); err != nil {
			return err
		}
		for _, hash := range hashes {
			if _, err := tx.ExecContext(ctx, `INSERT INTO recovery_code (account, hash) VALUES ($1, $2)`, id, hash); err != nil {
				return err
			}
		}
		return nil
	})
}

// UseRecoveryCode takes a recovery code, which counts no more. CodeNotFound
// when the account has no such.
func (r Records) UseRecoveryCode(ctx context.Context, id person.AccountID, hash string) error {
	return r.removed(ctx, "recovery code", `DELETE FROM recovery_code WHERE account = $1 AND hash = $2`, id, hash)
}

// removed runs a statement that has to touch a row. CodeNotFound when it does
// not; the row is not named, since what names it may be a secret.
func (r Records) removed(ctx context.Context, what upkeep.Phrase, statement string, args ...any) error {
	return r.Write(ctx, func(tx *records.Tx) error {
		found, err := records.Changed(tx.ExecContext(ctx, statement, args...))
		if err == nil && !found {
			return upkeep.Errorf(upkeep.CodeNotFound, "there is no such %s", what)
		}
		return err
	})
}

const passkeyColumns = `SELECT id, account, name, created, used, record FROM passkey`

func scanPasskey(row records.Row) (k person.Passkey, err error) {
	err = row.Scan(&k.ID, &k.Account, &k.Name, (*column.Stamp)(&k.Created), (*column.Stamp)(&k.Used), &k.Record)
	return k, err
}

// Passkeys returns an account's passkeys, the oldest first.
func (r Records) Passkeys(ctx context.Context, id person.AccountID) (keys []person.Passkey, err error) {
	err = r.Read(ctx, func(tx *records.Tx) error {
		keys, err = records.Collect(ctx, tx, passkeyColumns+` WHERE account = $1 ORDER BY created, id`, []any{id}, scanPasskey)
		return err
	})
	return keys, err
}

// CreatePasskey adds a passkey and sets its Created.
func (r Records) CreatePasskey(ctx context.Context, k *person.Passkey) error {
	return r.Write(ctx, func(tx *records.Tx) error {
		k.Created = tx.Now
		_, err := tx.ExecContext(ctx, `INSERT INTO passkey (id, account, name, created, record) VALUES ($1, $2, $3, $4, $5)`,
			k.ID, k.Account, k.Name, column.Stamp(k.Created), k.Record)
		return err
	})
}

// UsePasskey notes that a passkey was used, and what checking it needs now.
func (r Records) UsePasskey(ctx context.Context, id string, record []byte) error {
	return r.Write(ctx, func(tx *records.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE passkey SET used = $1, record = $2 WHERE id = $3`, column.Stamp(tx.Now), record, id)
		return err
	})
}

// DeletePasskey takes a passkey from an account. CodeNotFound when it has no
// such.
func (r Records) DeletePasskey(ctx context.Context, account person.AccountID, id string) error {
	return r.removed(ctx, "passkey", `DELETE FROM passkey WHERE account = $1 AND id = $2`, account, id)
}
