package mediawiki

import (
	"context"
	_ "embed"

	"upkeep"
	"upkeep/internal/cms"
)

//go:embed scripts/update.php
var updateSource string

// Migrate runs MediaWiki's own updater, past the gate, as maintenance/run.php
// update --quick does, or maintenance/update.php before 1.40: it brings the
// tables of core and of every extension that is switched on to the level of the
// files, and empties caches of texts.
func (d *Driver) Migrate(ctx context.Context, w cms.Work, l *cms.Layout, staged []cms.Staged) (err error) {
	defer upkeep.Wrap(&err, "migrate %s", l.Root)
	if len(staged) == 0 {
		return nil
	}
	answer, err := run(ctx, w, l, "update.php", updateSource)
	if err != nil {
		return err
	}
	if problem := answer.problem(l.Root); problem != nil {
		return upkeep.Errorf(upkeep.CodeRefused, "maintenance/update.php: %s", problem).
			WithHint("The log of the site's PHP says more.")
	}
	return nil
}
