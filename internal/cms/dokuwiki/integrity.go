package dokuwiki

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/dokuwiki/layout"
	"upkeep/internal/cms/integrity"
)

// Integrity compares DokuWiki's own files with its release, those of the
// plugins and the template that come with it included. Of others no hashes
// are published. The owner's own files, pages and media are not compared, nor
// what an owner may add to folders of DokuWiki, unless it is PHP.
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
			for _, top := range []string{"bin", "inc", "lib/exe", "lib/images", "lib/scripts", "lib/styles", "lib/tpl/dokuwiki", "vendor"} {
				strangers, err := integrity.Strangers(ctx, root, top, original.Files, suspect)
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

// compared leaves out what is the owner's, and what the site keeps elsewhere.
func compared(l *cms.Layout) func(name string) bool {
	elsewhere := []string{"data/"}
	for below, key := range map[string]string{"conf/": layout.DirDefaults, "lib/plugins/": layout.DirPlugins, "lib/tpl/": layout.DirTemplates} {
		if l.Dirs[key] != filepath.Join(l.Root, below) {
			elsewhere = append(elsewhere, below)
		}
	}
	return func(name string) bool {
		return name != "install.php" && !slices.ContainsFunc(elsewhere, func(below string) bool { return strings.HasPrefix(name, below) })
	}
}

// suspect is PHP where no release has any, but for the file by which owners
// say where things are.
func suspect(name string) bool {
	return integrity.Executable(name) && name != "inc/preload.php" && name != "inc/preload.upkeep.php"
}
