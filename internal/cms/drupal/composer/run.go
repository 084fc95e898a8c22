package composer

import (
	"context"
	"path/filepath"
	"regexp"

	"upkeep"
	"upkeep/internal/cms/drupal/program"
	"upkeep/internal/cms/php"
)

// Codes by which Composer ends.
const (
	endedWell   = 0
	unsolvable  = 2
	unreachable = 100
)

// failure is nil when Composer ended well. CodeUnreachable when what it asked
// did not answer, CodeRefused when it says that the project cannot be so.
func failure(o *program.Outcome) error {
	switch {
	case o.Late:
		return upkeep.Errorf(upkeep.CodeUnreachable, "composer took longer than %d seconds", program.Seconds)
	case o.Code == endedWell:
		return nil
	case o.Code == unreachable:
		return upkeep.Errorf(upkeep.CodeUnreachable, "composer: %s", o.Reason(noise.MatchString))
	}
	return upkeep.Errorf(upkeep.CodeRefused, "composer: %s", o.Reason(noise.MatchString))
}

// noise are lines that say what Composer does, not what is the matter.
var noise = regexp.MustCompile(`^(Loading|Updating|Running|Info from|Warning from|Installing|Verifying|Package operations|  - (Downloading|Installing|Upgrading|Syncing)|(update|install) \[|You can also try)`)

// run runs Composer in the copy, with a home and a cache of its own, and no
// settings but the project's. Scripts of the project do not run; its plugins,
// which it must allow by name, do: without them nothing would come to its
// place.
func (w *Workshop) run(ctx context.Context, dir string, arguments ...string) (*program.Outcome, error) {
	home := filepath.Join(w.Base, "home")
	return program.Program{
		Command: w.Command, Arguments: append(arguments, "--no-interaction", "--no-ansi"), Dir: dir,
		Environment: map[string]string{
			"HOME": home, "COMPOSER_HOME": home, "COMPOSER_CACHE_DIR": filepath.Join(w.Base, "cache"), "COMPOSER_ROOT_VERSION": "1.0.0", "COMPOSER_DISABLE_XDEBUG_WARN": "1",
		},
	}.Run(ctx, w.Host)
}

var versionForm = regexp.MustCompile(`Composer version (\d+\.\d+\.\d+)`)

// flags are those of an update, as far as this Composer knows them: no look at
// advisories, which is ours, and nothing that need not change.
func (w *Workshop) flags(ctx context.Context, dir string) ([]string, error) {
	o, err := w.run(ctx, dir, "--version", "--no-plugins")
	if err != nil {
		return nil, err
	}
	match := versionForm.FindStringSubmatch(o.Text)
	if match == nil || php.CompareVersions(match[1], "2.1") < 0 {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "composer 2.1 or newer is needed").
			WithHint("Install a newer one on the host: https://getcomposer.org/download/.")
	}
	var flags []string
	for _, known := range []struct{ since, flag string }{{"2.4", "--no-audit"}, {"2.7", "--minimal-changes"}, {"2.9", "--no-security-blocking"}} {
		if php.CompareVersions(match[1], known.since) >= 0 {
			flags = append(flags, known.flag)
		}
	}
	return flags, nil
}
