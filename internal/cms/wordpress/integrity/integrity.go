// Package integrity compares the files of a WordPress site with what their
// publishers released.
package integrity

import (
	"cmp"
	"context"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/integrity"
	"upkeep/internal/cms/wordpress/layout"
)

// Examine compares the installed files with what their publisher released.
// Modified and missing files give a blocking finding "modified" for each
// component, or one that does not block when only soft files differ; files
// that no release has give "unknown_file".
func Examine(ctx context.Context, h cms.Host, l *cms.Layout, originals map[string]upkeep.Original) (_ []upkeep.Finding, err error) {
	defer upkeep.Wrap(&err, "integrity of %s", l.Root)
	var findings []upkeep.Finding
	for _, ref := range slices.Sorted(maps.Keys(originals)) {
		e := newExamination(h, l, ref, originals[ref])
		if e == nil {
			continue
		}
		found, err := e.Run(ctx)
		if err != nil {
			return nil, err
		}
		findings = append(findings, found...)
	}
	return findings, nil
}

// newExamination returns nil for what cannot be compared: kinds that nobody
// publishes hashes of, and refs that lead out of their folder.
func newExamination(h cms.Host, l *cms.Layout, ref string, original upkeep.Original) *integrity.Examination {
	e := &integrity.Examination{Host: h, Ref: ref, Original: original}
	kind, id, _ := strings.Cut(ref, ":")
	if ref != string(upkeep.Core) && !filepath.IsLocal(id) {
		return nil
	}
	anything := func(ctx context.Context, root *os.Root) ([]string, error) {
		return integrity.Strangers(ctx, root, ".", original.Files, func(string) bool { return true })
	}
	switch upkeep.Kind(kind) {
	case upkeep.Core:
		e.Dir = layout.CoreDir(l)
		// Plugins and themes that come with core are updated apart.
		e.Compared = func(name string) bool { return !strings.HasPrefix(name, "wp-content/") }
		e.Suspects = func(ctx context.Context, root *os.Root) ([]string, error) { return inCore(ctx, root, original.Files) }
	case upkeep.Plugin:
		e.Dir, e.Suspects = filepath.Join(l.Dirs[layout.DirPlugins], path.Dir(id)), anything
		if path.Dir(id) == "." { // the one file of a plugin without a folder
			e.Compared = func(name string) bool { return name == id }
			e.Suspects = func(context.Context, *os.Root) ([]string, error) { return nil, nil }
		}
	case upkeep.Theme:
		e.Dir, e.Suspects = cmp.Or(original.Dir, filepath.Join(l.Dirs[layout.DirThemes], id)), anything
	default:
		return nil
	}
	return e
}

// inCore lists the PHP files that no release has in core's own folders, and
// those in the root that pass for core's. Others there are the site's own
// business.
func inCore(ctx context.Context, root *os.Root, published map[string][]string) ([]string, error) {
	var found []string
	for _, top := range []string{"wp-admin", "wp-includes"} {
		strangers, err := integrity.Strangers(ctx, root, top, published, integrity.Executable)
		if err != nil {
			return nil, err
		}
		found = append(found, strangers...)
	}
	entries, err := fs.ReadDir(root.FS(), ".")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if _, known := published[name]; known || entry.IsDir() || name == "wp-config.php" {
			continue
		}
		if strings.HasPrefix(name, "wp-") && integrity.Executable(name) {
			found = append(found, name)
		}
	}
	return found, nil
}
