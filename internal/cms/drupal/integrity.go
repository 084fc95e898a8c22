package drupal

import (
	"context"
	"os"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal/inventory"
	"upkeep/internal/cms/drupal/layout"
	"upkeep/internal/cms/integrity"
)

// Integrity compares Drupal, and what modules and themes of drupal.org there
// are, with the packages of their versions. The owner's own files are not
// compared, nor what an owner may add beside core, unless it is PHP.
func (d *Driver) Integrity(ctx context.Context, h cms.Host, l *cms.Layout, originals map[string]upkeep.Original) (_ []upkeep.Finding, err error) {
	defer upkeep.Wrap(&err, "integrity of %s", l.Root)
	inv, err := inventory.Take(ctx, h, l, d.Clock(), &d.known)
	if err != nil {
		return nil, err
	}
	var findings []upkeep.Finding
	for i := range inv.Components {
		c := &inv.Components[i]
		original, known := originals[c.Ref()]
		if !known {
			continue
		}
		e := &integrity.Examination{Host: h, Ref: c.Ref(), Original: original, Dir: c.Path,
			Suspects: func(ctx context.Context, root *os.Root) ([]string, error) {
				return integrity.Strangers(ctx, root, ".", original.Files, integrity.Executable)
			}}
		if c.Kind == upkeep.Core {
			e.Compared = func(name string) bool { return compared(h, l, name) }
			e.Suspects = func(ctx context.Context, root *os.Root) ([]string, error) {
				tops := whole[l.Options[layout.OptionGeneration]]
				if l.Dirs[layout.DirProject] != "" {
					tops = []string{"core"}
				}
				return strangers(ctx, root, tops, original)
			}
		}
		found, err := e.Run(ctx)
		if err != nil {
			return nil, err
		}
		findings = append(findings, found...)
	}
	return findings, nil
}

// compared leaves out what owners adapt or take away.
func compared(h cms.Host, l *cms.Layout, name string) bool {
	top, _, below := strings.Cut(name, "/")
	switch {
	case l.Dirs[layout.DirProject] != "":
		// Of a release only core is what Composer brings; drupal.org notes
		// in its info files that it packed it.
		return top == "core" && below && name != "core/install.php" && !strings.HasSuffix(name, ".info.yml")
	case !below:
		return !slices.Contains(kept, name) && (slices.Contains(required, name) || there(h, l, name))
	case top == "sites", name == "core/install.php":
		return false
	case l.Options[layout.OptionGeneration] == layout.Eight:
		return slices.Contains(whole[layout.Eight], top)
	}
	return true
}

// strangers are files of PHP in folders that are a release's alone.
func strangers(ctx context.Context, root *os.Root, tops []string, original upkeep.Original) ([]string, error) {
	var found []string
	for _, top := range tops {
		more, err := integrity.Strangers(ctx, root, top, original.Files, integrity.Executable)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}
