package demo

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"upkeep"
)

// Clone makes a site that is the same as another but for its name, folder,
// port and database, in a fraction of the time that an installation takes.
// The original must not change after its first clone: its database is read
// only once.
func (w *World) Clone(ctx context.Context, from *Site, name string) (_ *Site, err error) {
	defer upkeep.Wrap(&err, "clone %s as %s", from.Name, name)
	spec := from.Spec
	spec.Name = name
	return w.Make(ctx, spec, func(s *Site) error { return w.copySite(ctx, from, s) })
}

func (w *World) copySite(ctx context.Context, from, s *Site) error {
	s.CMS, s.Generation, s.Version, s.User, s.Password = from.CMS, from.Generation, from.Version, from.User, from.Password
	s.Content, s.Config = s.Dir+strings.TrimPrefix(from.Content, from.Dir), s.Dir+strings.TrimPrefix(from.Config, from.Dir)
	entries, err := os.ReadDir(from.Dir)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == "log" {
			continue
		}
		if err := w.CopyTree(filepath.Join(from.Dir, entry.Name()), filepath.Join(s.Dir, entry.Name())); err != nil {
			return err
		}
	}
	if s.Database, err = w.CreateDatabase(ctx, s, from.Database.Engine); err != nil {
		return err
	}
	s.Database.Prefix = from.Database.Prefix
	if s.Database.Engine != "sqlite" { // copied with the other files
		err = w.cloneDatabase(ctx, from, s)
	}
	if err = errors.Join(err, w.cloneConfig(from, s)); err != nil {
		return err
	}
	return w.Serve(ctx, s)
}

// cloneDatabase loads the original's dump with the address changed. Both
// addresses are equally long, so serialized values stay whole.
func (w *World) cloneDatabase(ctx context.Context, from, to *Site) error {
	if from.Database.Engine == "postgresql" {
		return w.cluster.Copy(ctx, from.Database, to.Database, strings.NewReplacer(from.host(), to.host()))
	}
	once, _ := w.dumps.LoadOrStore(from.Name, sync.OnceValues(func() (string, error) { return from.Dump(context.WithoutCancel(ctx)) }))
	dump, err := once.(func() (string, error))()
	if err != nil {
		return err
	}
	_, err = w.MariaDB.Exec(ctx, to.Database.Name, strings.ReplaceAll(dump, from.host(), to.host()))
	return err
}

// cloneConfig puts the clone's own values into its copy of the configuration.
func (w *World) cloneConfig(from, to *Site) error {
	replace := strings.NewReplacer(from.host(), to.host(), from.Dir+"/", to.Dir+"/",
		"'"+from.Database.Name+"'", "'"+to.Database.Name+"'", "="+from.Database.Name+"\n", "="+to.Database.Name+"\n", from.Database.Password, to.Database.Password)
	for _, file := range []string{to.Config, filepath.Join(to.Dir, "project", ".env")} {
		text, err := os.ReadFile(file)
		if os.IsNotExist(err) {
			continue // only Bedrock has a .env
		}
		if err != nil {
			return err
		}
		if err := os.WriteFile(file, []byte(replace.Replace(string(text))), 0o640); err != nil {
			return err
		}
	}
	return nil
}

// Dump returns the site's database as mariadb-dump writes it: the same text
// for the same content.
func (s *Site) Dump(ctx context.Context) (string, error) {
	return s.world.MariaDB.Dump(ctx, s.Database.Name)
}

// Dump returns a whole database as mariadb-dump writes it, with routines,
// triggers and events and without a date.
func (m *MariaDB) Dump(ctx context.Context, name string) (string, error) {
	cmd := exec.CommandContext(ctx, "mariadb-dump", "--no-defaults", "--socket="+m.Socket, "--user="+administrator(),
		"--default-character-set=utf8mb4", "--single-transaction", "--quick", "--hex-blob", "--skip-dump-date", "--skip-comments",
		"--order-by-primary", "--routines", "--triggers", "--events", name)
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	if err := cmd.Run(); err != nil {
		return "", upkeep.Errorf(upkeep.CodeUnreachable, "mariadb-dump %s: %s: %w", strconv.Quote(name), strings.TrimSpace(errout.String()), err)
	}
	return out.String(), nil
}

func (w *World) discardAfter(ctx context.Context, s *Site, cause error) error {
	if err := w.discard(context.WithoutCancel(ctx), s); err != nil {
		return upkeep.Errorf(upkeep.CodeInternal, "%w; what is left of it in %s: %w", cause, s.Dir, err)
	}
	return cause
}
