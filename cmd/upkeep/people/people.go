// Package people has the commands about who may sign in, and who owns sites.
package people

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
	api "upkeep/internal/web/people"
	"upkeep/person"
)

// NewAccount returns the commands about accounts.
func NewAccount(e *console.Env) *cobra.Command {
	return e.Noun("account", "account", newAccountList(e), newAccountShow(e), newAccountAdd(e), newAccountSet(e),
		newAccountDisable(e), newAccountEnable(e), newAccountReset(e), newAccountSessions(e))
}

// calling is e.Calling for a body that asks about people.
func calling(e *console.Env, body func(ctx context.Context, c api.Remote, args []string) error) func(*cobra.Command, []string) error {
	return e.Calling(func(ctx context.Context, c *web.Client, args []string) error {
		return body(ctx, api.Remote{Server: c}, args)
	})
}

func newAccountList(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("account.list", "list", console.PlainExits)
	e.ListFormat(cmd.Flags(), &format)
	cmd.RunE = calling(e, func(ctx context.Context, c api.Remote, _ []string) error {
		accounts, err := c.ListAccounts(ctx)
		if err != nil {
			return err
		}
		return accountList(e).Write(e.Out, format, accounts)
	})
	return cmd
}

func accountList(e *console.Env) *terminal.List[*person.Account] {
	type a = *person.Account
	column := func(title, name string, of func(a) string) terminal.Column[a] {
		return terminal.Column[a]{Title: e.Text(title), Name: name, Cell: func(x *a) string { return of(*x) }}
	}
	return &terminal.List[a]{
		Empty: e.Text("account.none"),
		ID:    func(x *a) string { return (*x).Mail },
		Columns: []terminal.Column[a]{
			column("col.account", "mail", func(x a) string { return x.Mail }),
			column("col.name", "name", func(x a) string { return x.Name }),
			column("col.role", "role", func(x a) string { return e.Text("role." + string(x.Role)) }),
			column("col.client", "client", func(x a) string { return x.Client }),
			column("col.state", "state", func(x a) string { return standing(e, x) }),
			column("col.signed_in", "signed_in", func(x a) string { return terminal.Instant(x.SignedIn) }),
		},
	}
}

// standing says whether an account can be entered, and by what.
func standing(e *console.Env, a *person.Account) string {
	switch {
	case !a.Disabled.IsZero():
		return e.Text("account.disabled")
	case !a.Until.IsZero() && !e.Clock().Before(a.Until):
		return e.Text("account.over")
	case !a.Password && a.Passkeys == 0:
		return e.Text("account.invited")
	case a.Bare():
		return e.Text("account.bare")
	}
	return e.Text("account.open")
}

func newAccountShow(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("account.show", "show <mail>", console.PlainExits)
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = calling(e, func(ctx context.Context, c api.Remote, args []string) error {
		account, err := c.AccountByMail(ctx, args[0])
		if err != nil {
			return err
		}
		return showAccount(e, account, format)
	})
	return cmd
}

func showAccount(e *console.Env, a *person.Account, format string) error {
	if format == "json" {
		return terminal.JSON(e.Stdout, a)
	}
	fields := []terminal.Field{
		{Label: e.Text("col.account"), Value: a.Mail, Paint: terminal.Bold},
		{Label: e.Text("col.name"), Value: a.Name},
		{Label: e.Text("col.role"), Value: e.Text("role." + string(a.Role))},
		{Label: e.Text("col.client"), Value: a.Client},
		{Label: e.Text("col.until"), Value: lastInstant(a)},
		{Label: e.Text("col.state"), Value: standing(e, a)},
		{Label: e.Text("col.passkeys"), Value: strconv.Itoa(a.Passkeys)},
		{Label: e.Text("col.signed_in"), Value: terminal.Instant(a.SignedIn)},
	}
	return e.Out.Fields("", fields)
}

// lastInstant is until when an account may enter, "" for ever.
func lastInstant(a *person.Account) string {
	if a.Until.IsZero() {
		return ""
	}
	return terminal.Instant(a.Until)
}

// accountOptions are the flags that say what an account may do.
type accountOptions struct {
	Name, Role, Client, Language, Until string
	Format                              string
}

func (o *accountOptions) addFlags(e *console.Env, cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.Name, "name", "", e.Text("flag.person_name"))
	f.Var(console.OneOf(&o.Role, []string{"owner", "operator", "client", "auditor"}), "role", e.Text("flag.role"))
	f.StringVar(&o.Client, "client", "", e.Text("flag.client_of"))
	f.Var(console.OneOf(&o.Language, []string{"fr", "en"}), "language", e.Text("flag.language"))
	f.StringVar(&o.Until, "until", "", e.Text("flag.until"))
	e.TextFormat(f, &o.Format)
}

// lastDay reads a day, the whole of which counts.
func lastDay(e *console.Env, word string) (time.Time, error) {
	day, err := time.ParseInLocation(time.DateOnly, word, time.Local)
	if err != nil {
		return time.Time{}, console.Usagef("%s", e.Text("usage.day", "value", word))
	}
	return day.AddDate(0, 0, 1), nil
}

// put writes what was given into an account. Another role begins without what
// belonged to the one before.
func (o *accountOptions) put(e *console.Env, cmd *cobra.Command, a *person.Account) (err error) {
	given := cmd.Flags().Changed
	if given("role") && person.Role(o.Role) != a.Role {
		a.Role, a.Client, a.Until = person.Role(o.Role), "", time.Time{}
	}
	if given("name") {
		a.Name = o.Name
	}
	if given("client") {
		a.Client = o.Client
	}
	if given("language") {
		a.Language = o.Language
	}
	if given("until") {
		a.Until, err = lastDay(e, o.Until)
	}
	return err
}

func newAccountAdd(e *console.Env) *cobra.Command {
	var opts accountOptions
	cmd := e.Command("account.add", "add <mail>", console.PlainExits)
	opts.addFlags(e, cmd)
	cmd.RunE = calling(e, func(ctx context.Context, c api.Remote, args []string) error {
		account := &person.Account{Mail: strings.ToLower(args[0])}
		if err := opts.put(e, cmd, account); err != nil {
			return err
		}
		if account.Role == "" {
			return console.Usagef("%s", e.Text("usage.role"))
		}
		link, err := c.AddAccount(ctx, e.Actor(), account)
		if err != nil {
			return err
		}
		return sayLink(e, account.Mail, link, opts.Format)
	})
	return cmd
}

// sayLink shows a one-time link, this once.
func sayLink(e *console.Env, mail, link, format string) error {
	if format == "json" {
		return terminal.JSON(e.Stdout, map[string]string{"mail": mail, "link": link})
	}
	fmt.Fprintln(e.Stderr, e.Text("account.link", "address", mail))
	_, err := fmt.Fprintln(e.Stdout, link)
	return err
}

func newAccountSet(e *console.Env) *cobra.Command {
	var opts accountOptions
	cmd := e.Command("account.set", "set <mail>", console.PlainExits)
	opts.addFlags(e, cmd)
	cmd.RunE = calling(e, func(ctx context.Context, c api.Remote, args []string) error {
		account, err := c.AccountByMail(ctx, args[0])
		if err != nil {
			return err
		}
		if err := opts.put(e, cmd, account); err != nil {
			return err
		}
		if account, err = c.SetAccount(ctx, e.Actor(), args[0], account); err != nil {
			return err
		}
		return showAccount(e, account, opts.Format)
	})
	return cmd
}

func newAccountDisable(e *console.Env) *cobra.Command {
	var opts console.ChangeOptions
	cmd := e.Command("account.disable", "disable <mail>", console.PlainExits)
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = calling(e, func(ctx context.Context, c api.Remote, args []string) error {
		account, err := c.AccountByMail(ctx, args[0])
		if err != nil {
			return err
		}
		if opts.DryRun {
			return e.WouldDo(opts.Format, "account.would_disable", "address", account.Mail)
		}
		if err := e.Confirm(ctx, opts.Yes, e.Text("account.ask_disable", "address", account.Mail)); err != nil {
			return err
		}
		if account, err = c.DisableAccount(ctx, e.Actor(), args[0], true); err != nil {
			return err
		}
		return showAccount(e, account, opts.Format)
	})
	return cmd
}

func newAccountEnable(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("account.enable", "enable <mail>", console.PlainExits)
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = calling(e, func(ctx context.Context, c api.Remote, args []string) error {
		account, err := c.DisableAccount(ctx, e.Actor(), args[0], false)
		if err != nil {
			return err
		}
		return showAccount(e, account, format)
	})
	return cmd
}

func newAccountReset(e *console.Env) *cobra.Command {
	var opts console.ChangeOptions
	var factors bool
	cmd := e.Command("account.reset", "reset <mail>", console.PlainExits)
	opts.AddFlags(e, cmd.Flags())
	cmd.Flags().BoolVar(&factors, "factors", false, e.Text("flag.factors"))
	cmd.RunE = calling(e, func(ctx context.Context, c api.Remote, args []string) error {
		account, err := c.AccountByMail(ctx, args[0])
		if err != nil {
			return err
		}
		if opts.DryRun {
			return e.WouldDo(opts.Format, "account.would_reset", "address", account.Mail)
		}
		if err := e.Confirm(ctx, opts.Yes, e.Text("account.ask_reset", "address", account.Mail)); err != nil {
			return err
		}
		link, err := c.ResetAccount(ctx, e.Actor(), args[0], factors)
		if err != nil {
			return err
		}
		return sayLink(e, account.Mail, link, opts.Format)
	})
	return cmd
}

func newAccountSessions(e *console.Env) *cobra.Command {
	var format string
	var end int64
	var endAll bool
	cmd := e.Command("account.sessions", "sessions <mail>", console.PlainExits)
	e.ListFormat(cmd.Flags(), &format)
	cmd.Flags().Int64Var(&end, "end", 0, e.Text("flag.end"))
	cmd.Flags().BoolVar(&endAll, "end-all", false, e.Text("flag.end_all"))
	cmd.RunE = calling(e, func(ctx context.Context, c api.Remote, args []string) error {
		switch {
		case end < 0:
			return console.Usagef("%s", e.Text("usage.id", "value", end))
		case endAll:
			if err := c.EndSessions(ctx, e.Actor(), args[0]); err != nil {
				return err
			}
		case end > 0:
			if err := c.EndSession(ctx, e.Actor(), args[0], person.SessionID(end)); err != nil {
				return err
			}
		}
		sessions, err := c.ListSessions(ctx, args[0])
		if err != nil {
			return err
		}
		return sessionList(e).Write(e.Out, format, sessions)
	})
	return cmd
}

func sessionList(e *console.Env) *terminal.List[person.Session] {
	type s = person.Session
	return &terminal.List[s]{
		Empty: e.Text("account.no_session"),
		ID:    func(x *s) string { return x.ID.String() },
		Columns: []terminal.Column[s]{
			{Title: e.Text("col.id"), Name: "id", Right: true, Cell: func(x *s) string { return x.ID.String() }},
			{Title: e.Text("col.since"), Name: "created", Cell: func(x *s) string { return terminal.Instant(x.Created) }},
			{Title: e.Text("col.seen"), Name: "seen", Cell: func(x *s) string { return terminal.Instant(x.Seen) }},
			{Title: e.Text("col.proof"), Name: "proof", Cell: func(x *s) string { return e.Text("proof." + string(x.Proof)) }},
			{Title: e.Text("col.address"), Name: "address", Cell: func(x *s) string { return x.Address }},
			{Title: e.Text("col.browser"), Name: "agent", Wrap: true, Cell: func(x *s) string { return x.Agent }},
		},
	}
}

// NewClient returns the commands about clients.
func NewClient(e *console.Env) *cobra.Command {
	return e.Noun("client", "client", newClientList(e), newClientShow(e), newClientSet(e), newClientRemove(e))
}

// all is what the commands see: which of it they may, the server knows.
func all() person.View { return person.View{All: true} }

func newClientList(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("client.list", "list", console.PlainExits)
	e.ListFormat(cmd.Flags(), &format)
	cmd.RunE = calling(e, func(ctx context.Context, c api.Remote, _ []string) error {
		clients, err := c.Clients(ctx, all())
		if err != nil {
			return err
		}
		type client = *person.Client
		list := terminal.List[client]{
			Empty: e.Text("client.none"),
			ID:    func(x *client) string { return (*x).Name },
			Columns: []terminal.Column[client]{
				{Title: e.Text("col.client"), Name: "name", Cell: func(x *client) string { return (*x).Name }},
				{Title: e.Text("col.title"), Name: "title", Wrap: true, Cell: func(x *client) string { return (*x).Title }},
				{Title: e.Text("col.mail"), Name: "mail", Cell: func(x *client) string { return (*x).Mail }},
			},
		}
		return list.Write(e.Out, format, clients)
	})
	return cmd
}
