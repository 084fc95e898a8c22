package packages

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"upkeep"
)

// wikiDebs are Debian's DokuWiki and the packages that it takes libraries from.
var wikiDebs = [...]string{"dokuwiki", "php-phpseclib", "php-geshi", "libphp-simplepie", "libjs-jquery", "libjs-jquery-ui", "libjs-jquery-cookie"}

// wikiTree is the folder of the assembled DokuWiki below that of FillDokuWiki.
const wikiTree = "dokuwiki"

// DokuWiki returns the tree of the DokuWiki that FillDokuWiki put into dir.
// CodeNotFound, with a hint, when there is none.
func DokuWiki(dir string) (string, error) {
	tree := filepath.Join(dir, wikiTree)
	if _, err := os.Stat(filepath.Join(tree, "VERSION")); err != nil {
		return "", upkeep.Errorf(upkeep.CodeNotFound, "no dokuwiki in %s", dir).WithHint("Fetch it with make setup.")
	}
	return tree, nil
}

// FillDokuWiki fetches Debian's DokuWiki into dir (absolute) and puts it
// together as its authors publish it: one folder, with its own configuration,
// data and libraries, where Debian spreads these over the system. A complete
// folder is left as it is. The package is unpacked, not installed.
func FillDokuWiki(ctx context.Context, dir string, say func(string)) (_ string, err error) {
	defer upkeep.Wrap(&err, "fetch dokuwiki into %s", dir)
	if tree, err := DokuWiki(dir); err == nil {
		return tree, nil
	}
	say("downloading Debian's DokuWiki package (unpacked here, not installed)")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(dir, ".fill-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	root, err := unpackDebs(ctx, work, wikiDebs[:], wikiLinks[:])
	if err != nil {
		return "", err
	}
	tree := filepath.Join(work, wikiTree)
	if err := assemble(root, tree); err != nil {
		return "", err
	}
	if err := normalModes(tree); err != nil {
		return "", err
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, wikiTree)), os.Rename(tree, filepath.Join(dir, wikiTree))); err != nil {
		return "", err
	}
	return DokuWiki(dir)
}

// wikiLinks are links that some of the packages have where others have folders.
var wikiLinks = [...]string{"usr/share/php/phpseclib", "usr/share/dokuwiki/lib/plugins", "usr/share/dokuwiki/lib/tpl", "usr/share/dokuwiki/.htaccess"}

// unpackDebs downloads packages and unpacks them over each other, but for
// links, below the root of the system, that others have folders for.
func unpackDebs(ctx context.Context, work string, names, links []string) (string, error) {
	args := append([]string{"-qq", "-o", "APT::Sandbox::User=root", "download"}, names...)
	if _, err := output(ctx, work, "apt-get", args...); err != nil {
		return "", upkeep.Errorf(upkeep.CodeUnreachable, "%w", err).WithHint("Refresh the package lists: apt-get update")
	}
	root := filepath.Join(work, "root")
	for _, name := range names {
		files, err := filepath.Glob(filepath.Join(work, name+"_*.deb"))
		if err != nil || len(files) != 1 {
			return "", upkeep.Errorf(upkeep.CodeUnreachable, "%d packages %s arrived", len(files), name)
		}
		if _, err := output(ctx, work, "dpkg-deb", "-x", files[0], root); err != nil {
			return "", err
		}
		for _, link := range links {
			if info, err := os.Lstat(filepath.Join(root, link)); err == nil && info.Mode()&fs.ModeSymlink != 0 {
				if err := os.Remove(filepath.Join(root, link)); err != nil {
					return "", err
				}
			}
		}
	}
	return root, nil
}

// assemble makes one folder of what Debian spreads.
func assemble(root, tree string) error {
	for from, to := range map[string]string{
		"usr/share/dokuwiki": "", "var/lib/dokuwiki/lib": "lib", "var/lib/dokuwiki/data": "data", "etc/dokuwiki": "conf",
		"usr/share/php/phpseclib": "vendor/debian/php/phpseclib", "usr/share/php/simplepie": "vendor/debian/php/simplepie",
		"usr/share/php-geshi": "vendor/debian/php-geshi", "usr/share/javascript": "vendor/debian/javascript",
	} {
		source := filepath.Join(root, from)
		// Accounts are made when the package is installed.
		for _, name := range []string{"acl.auth.php", "users.auth.php", "plugins.local.php"} {
			if to == "conf" {
				if err := os.RemoveAll(filepath.Join(source, name)); err != nil {
					return err
				}
			}
		}
		if err := materialize(root, source, filepath.Join(tree, to)); err != nil {
			return err
		}
	}
	for _, name := range []string{"inc/preload.php", ".htaccess.dist.md5sum"} {
		if err := os.RemoveAll(filepath.Join(tree, name)); err != nil {
			return err
		}
	}
	return filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".php" {
			return err
		}
		return home(path)
	})
}

// home leads a script from Debian's places to those in the folder itself.
func home(script string) error {
	text, err := os.ReadFile(script)
	if err != nil {
		return err
	}
	led := strings.NewReplacer(
		"$vendorDir . '/usr/share/", "DOKU_INC . 'vendor/debian/", "'/usr/share/", "DOKU_INC . 'vendor/debian/",
		"'/var/lib/dokuwiki/data'", "'./data'",
	).Replace(string(text))
	if led == string(text) {
		return nil
	}
	return os.WriteFile(script, []byte(led), 0o644)
}
