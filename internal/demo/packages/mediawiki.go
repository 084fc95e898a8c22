package packages

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
)

// mediawikiDebs are Debian's MediaWiki, and mediawikiLinks where it leads to
// what it keeps below /var and /etc.
var (
	mediawikiDebs  = [...]string{"mediawiki", "mediawiki-classes"}
	mediawikiLinks = [...]string{
		"usr/share/mediawiki/extensions", "usr/share/mediawiki/images", "usr/share/mediawiki/config", "usr/share/mediawiki/LocalSettings.php",
	}
)

// mediawikiTree is the folder of the assembled MediaWiki below that of
// FillMediaWiki.
const mediawikiTree = "mediawiki"

// mediawikiKept are the extensions and skins that the assembled MediaWiki has,
// mediawikiTexts the languages: the rest is many megabytes for a demonstration.
var (
	mediawikiKept  = []string{"Cite", "ParserFunctions", "WikiEditor", "Vector", "MonoBook", "README"}
	mediawikiTexts = []string{"en", "fr", "qqq"}
)

// MediaWiki returns the tree of the MediaWiki that FillMediaWiki put into dir.
// CodeNotFound, with a hint, when there is none.
func MediaWiki(dir string) (string, error) {
	tree := filepath.Join(dir, mediawikiTree)
	if _, err := os.Stat(filepath.Join(tree, "includes", "Defines.php")); err != nil {
		return "", upkeep.Errorf(upkeep.CodeNotFound, "no mediawiki in %s", dir).WithHint("Fetch it with make setup.")
	}
	return tree, nil
}

// FillMediaWiki fetches Debian's MediaWiki into dir (absolute) and puts it
// together as its authors publish it, in one folder. A complete folder is left
// as it is. The package is unpacked, not installed.
func FillMediaWiki(ctx context.Context, dir string, say func(string)) (_ string, err error) {
	defer upkeep.Wrap(&err, "fetch mediawiki into %s", dir)
	if tree, err := MediaWiki(dir); err == nil {
		return tree, nil
	}
	say("downloading Debian's MediaWiki package (unpacked here, not installed)")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	work, err := os.MkdirTemp(dir, ".fill-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(work)
	root, err := unpackDebs(ctx, work, mediawikiDebs[:], mediawikiLinks[:])
	if err != nil {
		return "", err
	}
	tree := filepath.Join(root, "usr/share/mediawiki")
	for from, to := range map[string]string{"usr/share/mediawiki/extensions-core": "extensions", "var/lib/mediawiki/images": "images", "var/lib/mediawiki/cache": "cache"} {
		if err := os.Rename(filepath.Join(root, from), filepath.Join(tree, to)); err != nil {
			return "", err
		}
	}
	// What Debian sets for all wikis, and has its installer do otherwise.
	platform := os.WriteFile(filepath.Join(tree, "includes/PlatformSettings.php"), []byte("<?php // for whoever packs MediaWiki\n"), 0o644)
	overrides := os.RemoveAll(filepath.Join(tree, "mw-config/overrides"))
	if err := errors.Join(platform, overrides, lighten(tree), normalModes(tree)); err != nil {
		return "", err
	}
	if err := errors.Join(os.RemoveAll(filepath.Join(dir, mediawikiTree)), os.Rename(tree, filepath.Join(dir, mediawikiTree))); err != nil {
		return "", err
	}
	return MediaWiki(dir)
}

// lighten takes away extensions, skins and texts in other languages.
func lighten(tree string) error {
	for _, dir := range []string{"extensions", "skins"} {
		entries, err := os.ReadDir(filepath.Join(tree, dir))
		if err != nil {
			return err
		}
		for _, entry := range entries {
			if slices.Contains(mediawikiKept, entry.Name()) {
				continue
			}
			if err := os.RemoveAll(filepath.Join(tree, dir, entry.Name())); err != nil {
				return err
			}
		}
	}
	return filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		language, isText := strings.CutSuffix(entry.Name(), ".json")
		if err != nil || !isText || !strings.Contains(path, "/i18n/") || slices.Contains(mediawikiTexts, language) || strings.HasPrefix(language, "en-") {
			return err
		}
		return os.Remove(path)
	})
}
