package project

import (
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/demo"
)

//go:embed install
var installers embed.FS

// Spec says which Drupal to make.
type Spec struct {
	Name       string    `json:"name"`
	Tree       string    `json:"tree"`       // folder of a release
	Generation string    `json:"generation"` // "7", or "8" for every later one
	Modules    []Release `json:"modules"`    // put in, where the tree lacks them, and enabled
	Engine     string    `json:"engine"`     // of the database: "postgresql", "sqlite"; "" is MariaDB
}

// ModuleDir is where modules of others go.
func ModuleDir(generation string) string {
	if generation == "7" {
		return "sites/all/modules"
	}
	return "modules/contrib"
}

// Add makes a Drupal by its own installer, with the minimal profile, and
// serves it.
func Add(ctx context.Context, w *demo.World, spec Spec) (*demo.Site, error) {
	base := demo.Base{Name: spec.Name, CMS: upkeep.Drupal, Tree: spec.Tree, Content: "sites/default/files", Engine: spec.Engine}
	return w.Add(ctx, base, func(s *demo.Site) error {
		s.Generation = spec.Generation
		folder := filepath.Join(s.Root, "sites", "default")
		s.Config = filepath.Join(folder, "settings.php")
		for i := range spec.Modules {
			if _, err := os.Stat(filepath.Join(s.Root, ModuleDir(spec.Generation), spec.Modules[i].Module)); err == nil {
				continue
			}
			for name, text := range spec.Modules[i].Installed(ModuleDir(spec.Generation)) {
				if err := s.Write(name, text); err != nil {
					return err
				}
			}
		}
		if err := configure(s); err != nil {
			return err
		}
		if spec.Engine == "postgresql" { // Drupal wants it from 10 on, and some releases do not make it
			if _, err := s.SQL(ctx, "CREATE EXTENSION IF NOT EXISTS pg_trgm;"); err != nil {
				return err
			}
		}
		if err := install(ctx, s, spec.Modules); err != nil {
			return err
		}
		// As Drupal leaves them where it may.
		return errors.Join(os.Chmod(s.Config, 0o444), os.Chmod(folder, 0o555))
	})
}

// connection is how Drupal is told of its database. PostgreSQL's host is the
// folder of the socket, SQLite's name a file.
func connection(s *demo.Site) map[string]string {
	set := map[string]string{
		"driver": "mysql", "database": s.Database.Name, "username": s.Database.User, "password": s.Database.Password,
		"host": "localhost", "unix_socket": s.Database.Socket, "port": "", "prefix": "",
	}
	switch s.Database.Engine {
	case "postgresql":
		set["driver"], set["host"], set["unix_socket"] = "pgsql", s.Database.Socket, ""
	case "sqlite":
		set["driver"] = "sqlite"
	}
	return set
}

// configure writes settings.php as the installer would, who knows no sockets.
func configure(s *demo.Site) error {
	text, err := os.ReadFile(filepath.Join(filepath.Dir(s.Config), "default.settings.php"))
	if err != nil {
		return err
	}
	set := connection(s)
	lines := fmt.Sprintf("\n$databases['default']['default'] = array (\n  'database' => '%s',\n  'username' => '%s',\n  'password' => '%s',\n"+
		"  'prefix' => '',\n  'host' => '%s',\n  'port' => '',\n  'unix_socket' => '%s',\n  'driver' => '%s',\n);\n",
		set["database"], set["username"], set["password"], set["host"], set["unix_socket"], set["driver"])
	if s.Generation == "7" {
		lines += "$drupal_hash_salt = '" + rand.Text() + "';\n"
	} else {
		lines += "$settings['hash_salt'] = '" + rand.Text() + "';\n$settings['config_sync_directory'] = 'sites/default/files/config/sync';\n"
	}
	return errors.Join(s.Write("sites/default/settings.php", string(text)+lines), s.Write("sites/default/files/config/sync/README.txt", "Configuration goes here.\n"))
}

func install(ctx context.Context, s *demo.Site, with []Release) error {
	s.Password = rand.Text()
	modules := []string{}
	for i := range with {
		modules = append(modules, with[i].Module)
	}
	input, err := json.Marshal(map[string]any{
		"root": s.Root, "host": s.Host(), "title": "Site " + s.Name, "user": s.User, "password": s.Password, "modules": modules,
		"database": connection(s),
	})
	if err != nil {
		return err
	}
	script, err := installers.ReadFile("install/drupal" + s.Generation + ".php")
	if err != nil {
		return err
	}
	out, err := s.Run(ctx, strings.TrimPrefix(string(script), "<?php"), input)
	if err != nil {
		return err
	}
	var answer struct{ Version string }
	if err := json.Unmarshal(out[max(0, strings.LastIndexByte(string(out), '{')):], &answer); err != nil {
		return upkeep.Errorf(upkeep.CodeUnreachable, "the installer ended early: %s", out[max(0, len(out)-1000):])
	}
	s.Version = answer.Version
	return nil
}
