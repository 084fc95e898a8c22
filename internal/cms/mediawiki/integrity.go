package mediawiki

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/integrity"
)

// Integrity compares MediaWiki's own files with its release, those of the
// extensions and skins that come with it included where they are at their
// usual place. Uploads are not compared, nor what the owner added, unless it is
// PHP in folders of MediaWiki's.
func (d *Driver) Integrity(ctx context.Context, h cms.Host, l *cms.Layout, originals map[string]upkeep.Original) (_ []upkeep.Finding, err error) {
	defer upkeep.Wrap(&err, "integrity of %s", l.Root)
	original, known := originals[string(upkeep.Core)]
	if !known {
		return nil, nil
	}
	e := &integrity.Examination{
		Host: h, Ref: string(upkeep.Core), Original: original, Dir: l.Root, Compared: compared(l),
		Suspects: func(ctx context.Context, root *os.Root) ([]string, error) {
			var found []string
			for _, top := range []string{"includes", "languages", "maintenance", "mw-config", "resources", "images"} {
				strangers, err := integrity.Strangers(ctx, root, top, original.Files, integrity.Executable)
				if err != nil {
					return nil, err
				}
				found = append(found, strangers...)
			}
			return found, nil
		},
	}
	return e.Run(ctx)
}

// compared leaves out what is the owner's, what an owner may take away whole
// (extensions and skins that are not used, the installer, tests) and what a
// snapshot of ExtensionDistributor took the place of.
func compared(l *cms.Layout) func(name string) bool {
	return func(name string) bool {
		top, rest, _ := strings.Cut(name, "/")
		switch top {
		case "images", "cache", "tests", "docs", "mw-config":
			return false
		case "extensions", "skins":
			own, _, below := strings.Cut(rest, "/")
			dir := filepath.Join(l.Root, top, own)
			if !below || l.Dirs[top] != filepath.Join(l.Root, top) || !isFolder(dir) {
				return false
			}
			_, err := os.Lstat(filepath.Join(dir, "version"))
			return err != nil
		}
		return true
	}
}
