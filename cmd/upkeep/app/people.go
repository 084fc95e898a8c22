package app

import (
	"context"
	"time"

	"upkeep"
	"upkeep/internal/people"
	"upkeep/internal/people/password"
	store "upkeep/internal/store/people"
	"upkeep/internal/web/access"
	"upkeep/internal/web/console"
	"upkeep/internal/web/console/entrance"
	clients "upkeep/internal/web/console/portal"
	"upkeep/internal/web/console/self"
	api "upkeep/internal/web/people"
	"upkeep/internal/web/portal"
	"upkeep/internal/web/reply"
)

// checksAtOnce is how many passwords are checked at once, each in 64 MB.
const checksAtOnce = 3

func (a *app) newPeople() (*people.People, error) {
	origin, err := a.settings.origin()
	if err != nil {
		return nil, err
	}
	kept := store.Records{DB: a.db.Records()}
	return people.New(people.Config{
		Accounts: kept, Credentials: kept, Passkeys: kept, Sessions: kept, Once: kept, Brakes: kept, Owners: kept,
		Sealer: a.keeper, Hasher: password.NewHasher(password.Usual(), checksAtOnce), Origin: origin,
		Note: func(ctx context.Context, actor, kind string, facts map[string]any) error {
			_, err := a.ledger.Append(ctx, upkeep.LedgerEntry{Actor: actor, Kind: kind, Facts: facts})
			return err
		},
		Now: time.Now,
	})
}

// admit gives the gate what it needs to know people, and the API about them.
func (a *app) admit(c *access.Config) (err error) {
	about := &api.API{Accounts: a.people, Entries: a.people, Clients: a.people, Replies: reply.Replier{Log: a.log}}
	kept := store.Records{DB: a.db.Records()}
	c.Routes = append(append(c.Routes, about.Routes()...), portal.Routes(kept, about.Replies)...)
	if c.Origin, err = a.settings.origin(); err != nil {
		return err
	}
	if c.Proxies, err = a.settings.proxies(); err != nil {
		return err
	}
	c.Sessions = a.people
	return nil
}

// doors adds the pages by which people come in, and look after their access.
func (a *app) doors(c *access.Config, pages *console.Console) error {
	in, err := entrance.New(pages.Frame(), a.people)
	if err != nil {
		return err
	}
	own, err := self.New(pages.Frame(), a.people)
	if err != nil {
		return err
	}
	theirs, err := clients.New(pages.Frame(), store.Records{DB: a.db.Records()})
	if err != nil {
		return err
	}
	for _, routes := range [][]access.Route{in.Routes(), own.Routes(), theirs.Routes()} {
		c.Routes = append(c.Routes, routes...)
	}
	return nil
}
