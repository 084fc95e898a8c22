package portal

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"regexp"

	"upkeep"
	"upkeep/internal/demo"
)

// Spec says which Joomla to make: of an unpacked release with its
// installer.
type Spec struct {
	Name       string
	Tree       string    // folder of the release
	Extensions []Release // put in by Joomla's own installer
	Defines    string    // root defines.php of the owner's
	PostgreSQL bool      // instead of MariaDB
}

// runCommand runs one of Joomla's commands, as the site's account.
const runCommand = `$in = json_decode(stream_get_contents(STDIN), true);
$_SERVER['argv'] = $argv = $in['argv'];
$_SERVER['argc'] = $argc = count($argv);
putenv('JOOMLA_INSTALLATION_DISABLE_LOCALHOST_CHECK=1'); // a socket is no stranger
require $in['script'];
`

var version = regexp.MustCompile(`<version>([^<]*)</version>`)

// Add makes a Joomla by its own installer and serves it. It takes some ten
// seconds. A site that cannot be made leaves nothing behind.
func Add(ctx context.Context, w *demo.World, spec Spec) (_ *demo.Site, err error) {
	defer upkeep.Wrap(&err, "add joomla %s", spec.Name)
	return w.Make(ctx, demo.Spec{Name: spec.Name}, func(s *demo.Site) error {
		s.CMS, s.Content, s.Config = upkeep.Joomla, filepath.Join(s.Root, "images"), filepath.Join(s.Root, "configuration.php")
		s.Password = "a long enough password 1"
		if err := w.CopyTree(spec.Tree, s.Root); err != nil {
			return err
		}
		if s.Database, err = w.CreateDatabase(ctx, s, map[bool]string{true: "postgresql"}[spec.PostgreSQL]); err != nil {
			return err
		}
		s.Database.Prefix = "jos_"
		manifest, err := os.ReadFile(filepath.Join(s.Root, "administrator/manifests/files/joomla.xml"))
		if match := version.FindSubmatch(manifest); match != nil {
			s.Version = string(match[1])
		}
		if err = errors.Join(err, install(ctx, s)); err != nil {
			return err
		}
		if err := furnish(ctx, s, &spec); err != nil {
			return err
		}
		if err := w.Serve(ctx, s); err != nil {
			return err
		}
		for _, path := range []string{"", "administrator/index.php", "index.php?option=com_users&view=login"} { // the first request writes what later ones find
			if err := s.Read(ctx, path); err != nil {
				return err
			}
		}
		return nil
	})
}

// install runs the installer, and takes it away as it asks to.
func install(ctx context.Context, s *demo.Site) error {
	if Legacy(s.Root) {
		return installLegacy(ctx, s)
	}
	kind, host := "mysqli", "localhost:"+s.Database.Socket
	if s.Database.Engine == "postgresql" {
		kind, host = "pgsql", s.Database.Socket
	}
	err := command(ctx, s, "installation/joomla.php", "install", "--site-name=Portal", "--admin-user=Admin", "--admin-username="+s.User,
		"--admin-password="+s.Password, "--admin-email=admin@example.org", "--db-type="+kind, "--db-host="+host,
		"--db-user="+s.Database.User, "--db-pass="+s.Database.Password, "--db-name="+s.Database.Name, "--db-prefix="+s.Database.Prefix,
		"--db-encryption=0", "--no-interaction")
	if err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(s.Root, "installation"))
}

// furnish puts in extensions, as an administrator would.
func furnish(ctx context.Context, s *demo.Site, spec *Spec) error {
	if spec.Defines != "" {
		if err := s.World().WriteOwned(s, filepath.Join(s.Root, "defines.php"), spec.Defines, 0o644); err != nil {
			return err
		}
	}
	for _, release := range spec.Extensions {
		if err := enter(ctx, s, release); err != nil {
			return err
		}
		if _, err := s.SQL(ctx, "UPDATE jos_extensions SET enabled = 1 WHERE element IN ('"+Tally+"', '"+Ribbon+"')"); err != nil {
			return err
		}
	}
	return nil
}

// enter has Joomla install a release.
func enter(ctx context.Context, s *demo.Site, release Release) error {
	if Legacy(s.Root) {
		dir := filepath.Join(s.Dir, "package")
		files, err := release.files()
		if err != nil {
			return err
		}
		for name, content := range files {
			if err := s.World().WriteOwned(s, filepath.Join(dir, name), content, 0o644); err != nil {
				return err
			}
		}
		return errors.Join(legacy(ctx, s, legacyInstall, dir), os.RemoveAll(dir))
	}
	zip, err := release.Package()
	if err != nil {
		return err
	}
	file := filepath.Join(s.Dir, "package.zip")
	if err := s.World().WriteOwned(s, file, string(zip), 0o644); err != nil {
		return err
	}
	return errors.Join(command(ctx, s, "cli/joomla.php", "extension:install", "--path="+file, "--no-interaction"), os.Remove(file))
}

func command(ctx context.Context, s *demo.Site, script string, args ...string) error {
	input, err := json.Marshal(map[string]any{"script": filepath.Join(s.Root, script), "argv": append([]string{script}, args...)})
	if err != nil {
		return err
	}
	_, err = s.World().RunPHP(ctx, s.Root, runCommand, input)
	return err
}
