package drupal

import (
	"context"
	"path/filepath"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/drupal/layout"
)

var _ cms.Proposer = (*Driver)(nil)

// Propose says how composer.lock would change, for a project that is deployed
// from elsewhere: with that lock Composer puts the same packages together there.
// A component that Composer does not manage changes nothing.
func (d *Driver) Propose(ctx context.Context, h cms.Host, l *cms.Layout, updates []upkeep.Update, dir string) (_ string, err error) {
	defer upkeep.Wrap(&err, "propose a lock")
	if l.Dirs[layout.DirProject] == "" {
		return "", upkeep.Errorf(upkeep.CodeInvalid, "no project of Composer's that could be updated").
			WithHint("Update this site where it is deployed from.")
	}
	w, err := workshop(h, l, filepath.Join(dir, "composer"))
	if err != nil {
		return "", err
	}
	for i := range updates {
		u := &updates[i]
		managed, err := packageOf(h, l, &u.Component)
		if err != nil {
			return "", err
		}
		if managed == nil {
			continue
		}
		if _, err := w.Add(ctx, wantedOf(u)); err != nil {
			return "", upkeep.Errorf(upkeep.CodeOf(err), "%s %s: %w", u.Ref(), u.Release.Version, err).WithHint("%s", upkeep.HintTextOf(err))
		}
	}
	return w.Difference()
}
