package people

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/internal/terminal"
	api "upkeep/internal/web/people"
	"upkeep/person"
)

func newClientShow(e *console.Env) *cobra.Command {
	var format string
	cmd := e.Command("client.show", "show <client>", console.PlainExits)
	e.TextFormat(cmd.Flags(), &format)
	cmd.RunE = calling(e, func(ctx context.Context, c api.Remote, args []string) error {
		client, err := c.Client(ctx, all(), args[0])
		if err != nil {
			return err
		}
		return showClient(ctx, e, c, client, format)
	})
	return cmd
}

func showClient(ctx context.Context, e *console.Env, c api.Remote, client *person.Client, format string) error {
	if format == "json" {
		return terminal.JSON(e.Stdout, client)
	}
	fields := []terminal.Field{
		{Label: e.Text("col.client"), Value: client.Name, Paint: terminal.Bold},
		{Label: e.Text("col.title"), Value: client.Title},
		{Label: e.Text("col.mail"), Value: client.Mail},
	}
	for _, at := range client.Contacts {
		said := strings.Join(strings.Fields(at.Name+" "+at.Role+" "+at.Mail+" "+at.Phone), " ")
		fields = append(fields, terminal.Field{Label: e.Text("col.contact"), Value: said})
	}
	sites, err := c.Server.Sites(ctx)
	if err != nil {
		return err
	}
	var names []string
	for i := range sites {
		if s := sites[i].Subscription; s != nil && s.Client == client.Name {
			names = append(names, sites[i].Name)
		}
	}
	accounts, err := c.ListAccounts(ctx)
	if err != nil {
		return err
	}
	var mails []string
	for _, a := range accounts {
		if a.Client == client.Name {
			mails = append(mails, a.Mail)
		}
	}
	return e.Out.Fields("", append(fields,
		terminal.Field{Label: e.Text("col.sites"), Value: strings.Join(names, ", ")},
		terminal.Field{Label: e.Text("col.accounts"), Value: strings.Join(mails, ", ")}))
}

func newClientSet(e *console.Env) *cobra.Command {
	var set person.Client
	var contacts []string
	var format string
	cmd := e.Command("client.set", "set <client>", console.PlainExits)
	cmd.Example = e.Text("cmd.client.set.example")
	f := cmd.Flags()
	f.StringVar(&set.Title, "title", "", e.Text("flag.client_title"))
	f.StringVar(&set.Mail, "mail", "", e.Text("flag.client_mail"))
	f.Var(console.OneOf(&set.Language, []string{"fr", "en"}), "language", e.Text("flag.language"))
	f.StringArrayVar(&contacts, "contact", nil, e.Text("flag.contact"))
	e.TextFormat(f, &format)
	cmd.RunE = calling(e, func(ctx context.Context, c api.Remote, args []string) error {
		client, err := c.Client(ctx, all(), args[0])
		if upkeep.CodeOf(err) == upkeep.CodeNotFound {
			client, err = &person.Client{Name: args[0], Title: args[0]}, nil
		}
		if err != nil {
			return err
		}
		if f.Changed("title") {
			client.Title = set.Title
		}
		if f.Changed("mail") {
			client.Mail = set.Mail
		}
		if f.Changed("language") {
			client.Language = set.Language
		}
		if f.Changed("contact") {
			client.Contacts = nil
			for _, said := range contacts {
				client.Contacts = append(client.Contacts, contactOf(said))
			}
		}
		if err := c.SetClient(ctx, e.Actor(), client); err != nil {
			return err
		}
		return showClient(ctx, e, c, client, format)
	})
	return cmd
}

// contactOf reads "Ann Martin, direction, ann@example.org, 01 23 45 67 89": what
// has an @ is the mail address, what begins with a digit or + the telephone.
func contactOf(said string) (contact person.Contact) {
	for i, part := range strings.Split(said, ",") {
		part = strings.TrimSpace(part)
		switch {
		case i == 0:
			contact.Name = part
		case strings.Contains(part, "@"):
			contact.Mail = part
		case strings.IndexAny(part, "+0123456789") == 0:
			contact.Phone = part
		default:
			contact.Role = part
		}
	}
	return contact
}

func newClientRemove(e *console.Env) *cobra.Command {
	var opts console.ChangeOptions
	cmd := e.Command("client.remove", "remove <client>", console.PlainExits)
	opts.AddFlags(e, cmd.Flags())
	cmd.RunE = calling(e, func(ctx context.Context, c api.Remote, args []string) error {
		client, err := c.Client(ctx, all(), args[0])
		if err != nil {
			return err
		}
		if opts.DryRun {
			return e.WouldDo(opts.Format, "client.would_remove", "client", client.Name)
		}
		if err := e.Confirm(ctx, opts.Yes, e.Text("client.ask_remove", "client", client.Name)); err != nil {
			return err
		}
		if err := c.RemoveClient(ctx, e.Actor(), client.Name); err != nil {
			return err
		}
		if opts.Format == "json" {
			return terminal.JSON(e.Stdout, client)
		}
		return e.Say("client.removed", "client", client.Name)
	})
	return cmd
}
