package joomla

import (
	"context"
	"os"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/integrity"
)

// Integrity compares Joomla's own files with its release. Of extensions no
// hashes are published. What owners change or throw away in a release is not
// compared: images, the installer, samples of server configurations.
func (d *Driver) Integrity(ctx context.Context, h cms.Host, l *cms.Layout, originals map[string]upkeep.Original) (_ []upkeep.Finding, err error) {
	defer upkeep.Wrap(&err, "integrity of %s", l.Root)
	original, known := originals[string(upkeep.Core)]
	if !known {
		return nil, nil
	}
	e := &integrity.Examination{
		Host: h, Ref: string(upkeep.Core), Original: original, Dir: l.Root, Compared: compared,
		Suspects: func(ctx context.Context, root *os.Root) ([]string, error) {
			var found []string
			for _, top := range []string{"includes", "libraries/src", "media/vendor", "media/system", "images", "administrator/includes", "cli"} {
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

// compared reports whether a file of the release is Joomla's rather than the
// owner's.
func compared(name string) bool {
	for _, own := range [...]string{"installation/", "images/", "tmp/", "cache/", "administrator/cache/", "administrator/logs/"} {
		if strings.HasPrefix(name, own) {
			return false
		}
	}
	return strings.Contains(name, "/") || strings.HasSuffix(name, ".php")
}
