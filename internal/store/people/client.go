package people

import (
	"context"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
	"upkeep/person"
)

const clientColumns = `SELECT name, title, mail, language, contacts, created FROM client`

func scanClient(row records.Row) (*person.Client, error) {
	var c person.Client
	err := row.Scan(&c.Name, &c.Title, &c.Mail, &c.Language, column.Document{Of: &c.Contacts}, (*column.Stamp)(&c.Created))
	return &c, err
}

// Clients returns the clients in view, by name.
func (r Records) Clients(ctx context.Context, view person.View) (clients []*person.Client, err error) {
	err = r.Read(ctx, func(tx *records.Tx) error {
		clients, err = records.Collect(ctx, tx, clientColumns+` WHERE ($1 OR name = $2) ORDER BY name`, []any{view.All, view.Client}, scanClient)
		return err
	})
	return clients, err
}

// Client returns a client in view. CodeNotFound when there is none, there.
func (r Records) Client(ctx context.Context, view person.View, name string) (c *person.Client, err error) {
	err = r.Read(ctx, func(tx *records.Tx) error {
		row := tx.QueryRowContext(ctx, clientColumns+` WHERE name = $1 AND ($2 OR name = $3)`, name, view.All, view.Client)
		c, err = records.Single(row, scanClient, "client", name)
		return err
	})
	return c, err
}

// PutClient keeps a client, in place of the one of the same name.
func (r Records) PutClient(ctx context.Context, c *person.Client) (err error) {
	defer upkeep.Wrap(&err, "keep client %s", c.Name)
	if err := c.Validate(); err != nil {
		return err
	}
	contacts := c.Contacts
	if contacts == nil {
		contacts = []person.Contact{}
	}
	return r.Write(ctx, func(tx *records.Tx) error {
		return tx.QueryRowContext(ctx, `INSERT INTO client (name, title, mail, language, contacts, created) VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (name) DO UPDATE SET title = excluded.title, mail = excluded.mail, language = excluded.language, contacts = excluded.contacts
			RETURNING created`,
			c.Name, c.Title, c.Mail, c.Language, column.Document{Of: contacts}, column.Stamp(tx.Now)).Scan((*column.Stamp)(&c.Created))
	})
}

// DeleteClient forgets a client. CodeConflict while it owns sites, or accounts
// are for it.
func (r Records) DeleteClient(ctx context.Context, name string) (err error) {
	defer upkeep.Wrap(&err, "remove client %s", name)
	return r.Write(ctx, func(tx *records.Tx) error {
		needed, err := records.One[bool](tx.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM subscription WHERE client = $1)
			OR EXISTS (SELECT 1 FROM account WHERE client = $2)`, name, name))
		if err != nil {
			return err
		}
		if needed {
			return upkeep.Errorf(upkeep.CodeConflict, "sites or accounts belong to it").
				WithHint("Look at them: upkeep client show %s.", name)
		}
		deleted, err := records.Changed(tx.ExecContext(ctx, `DELETE FROM client WHERE name = $1`, name))
		if err == nil && !deleted {
			return upkeep.Errorf(upkeep.CodeNotFound, "client %s does not exist", name)
		}
		return err
	})
}
