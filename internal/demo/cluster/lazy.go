package cluster

import (
	"context"
	"crypto/rand"
	"strings"
	"sync"

	"upkeep/internal/cms"
)

// Lazy is a cluster that is started when something of it is first asked for.
type Lazy struct {
	Dir, Account string // as of Start

	once    sync.Once
	cluster *Cluster
	err     error
}

func (l *Lazy) get(ctx context.Context) (*Cluster, error) {
	l.once.Do(func() { l.cluster, l.err = Start(context.WithoutCancel(ctx), l.Dir, l.Account) })
	return l.cluster, l.err
}

// Exec is that of the cluster.
func (l *Lazy) Exec(ctx context.Context, name, script string) (string, error) {
	c, err := l.get(ctx)
	if err != nil {
		return "", err
	}
	return c.Exec(ctx, name, script)
}

// CreateDatabase is that of the cluster. The role has a password, which nobody
// asks for and installers want.
func (l *Lazy) CreateDatabase(ctx context.Context, name string) (*cms.Database, error) {
	c, err := l.get(ctx)
	if err != nil {
		return nil, err
	}
	db, err := c.CreateDatabase(ctx, name)
	db.Password = rand.Text()
	return db, err
}

// Copy fills an empty database with what another holds, as its own role, with
// one text in the place of another.
func (l *Lazy) Copy(ctx context.Context, from, to *cms.Database, change *strings.Replacer) error {
	c, err := l.get(ctx)
	if err != nil {
		return err
	}
	dump, err := c.Dump(ctx, from.Name)
	if err == nil {
		_, err = c.ExecAs(ctx, to.User, to.Name, change.Replace(dump))
	}
	return err
}

// DropDatabase removes a database with its role.
func (l *Lazy) DropDatabase(ctx context.Context, name string) error {
	_, err := l.Exec(ctx, "postgres", "DROP DATABASE IF EXISTS "+name+" WITH (FORCE);\nDROP ROLE IF EXISTS "+name+";")
	return err
}

// Stop stops the cluster, when it was started.
func (l *Lazy) Stop(ctx context.Context) error {
	if l.cluster == nil {
		return nil
	}
	return l.cluster.Stop(ctx)
}
