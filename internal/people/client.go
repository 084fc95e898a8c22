package people

import (
	"context"

	"upkeep/person"
)

// Owners keeps clients. What view does not hold is not found.
type Owners interface {
	Clients(ctx context.Context, view person.View) ([]*person.Client, error)
	Client(ctx context.Context, view person.View, name string) (*person.Client, error)
	PutClient(ctx context.Context, client *person.Client) error
	DeleteClient(ctx context.Context, name string) error
}

const (
	kindClientSet     = "client_set"
	kindClientRemoved = "client_removed"
)

// Clients returns the clients in view, by name.
func (p *People) Clients(ctx context.Context, view person.View) ([]*person.Client, error) {
	return p.Owners.Clients(ctx, view)
}

// Client returns a client in view.
func (p *People) Client(ctx context.Context, view person.View, name string) (*person.Client, error) {
	return p.Owners.Client(ctx, view, name)
}

// SetClient keeps a client, new or changed.
func (p *People) SetClient(ctx context.Context, by string, client *person.Client) error {
	if err := p.Owners.PutClient(ctx, client); err != nil {
		return err
	}
	return p.Note(ctx, by, kindClientSet, map[string]any{"client": client.Name, "title": client.Title})
}

// RemoveClient forgets a client that nothing belongs to.
func (p *People) RemoveClient(ctx context.Context, by, name string) error {
	if err := p.Owners.DeleteClient(ctx, name); err != nil {
		return err
	}
	return p.Note(ctx, by, kindClientRemoved, map[string]any{"client": name})
}
