package demo

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"strings"

	"upkeep/internal/cms"
	"upkeep/internal/demo/cluster"
)

// Cluster returns the world's PostgreSQL, which is started when it is first
// asked for and dies with this process.
func (w *World) Cluster(ctx context.Context) (*cluster.Cluster, error) {
	w.cluster.Do(func() {
		w.postgres, w.noPostgres = cluster.Start(context.WithoutCancel(ctx), filepath.Join(w.Dir, "postgresql"), w.opts.Account)
	})
	return w.postgres, w.noPostgres
}

// CreateDatabase makes an empty database for a site, on PostgreSQL or on
// MariaDB. Prefix and name of both look the same.
func (w *World) CreateDatabase(ctx context.Context, s *Site, postgreSQL bool) (*cms.Database, error) {
	if !postgreSQL {
		return w.MariaDB.CreateDatabase(ctx, "site_"+s.Name)
	}
	c, err := w.Cluster(ctx)
	if err != nil {
		return nil, err
	}
	db, err := c.CreateDatabase(ctx, "site_"+s.Name)
	if err == nil {
		db.Password = rand.Text() // nobody asks for it, and installers want one
	}
	return db, err
}

func (s *Site) onPostgreSQL() bool { return s.Database != nil && s.Database.Engine == "postgresql" }

// copyPostgreSQL loads the original's dump as the clone's own role.
func (w *World) copyPostgreSQL(ctx context.Context, from, to *Site) error {
	c, err := w.Cluster(ctx)
	if err != nil {
		return err
	}
	dump, err := c.Dump(ctx, from.Database.Name)
	if err == nil {
		_, err = c.ExecAs(ctx, to.Database.User, to.Database.Name, strings.ReplaceAll(dump, from.host(), to.host()))
	}
	return err
}

func (w *World) dropDatabase(ctx context.Context, s *Site) error {
	name := s.Database.Name
	if !s.onPostgreSQL() {
		_, err := w.MariaDB.Exec(ctx, "", "DROP DATABASE IF EXISTS `"+name+"`; DROP USER IF EXISTS `"+name+"`@localhost;")
		return err
	}
	c, err := w.Cluster(ctx)
	if err == nil {
		_, err = c.Exec(ctx, "postgres", "DROP DATABASE IF EXISTS "+name+" WITH (FORCE);\nDROP ROLE IF EXISTS "+name+";")
	}
	return err
}
