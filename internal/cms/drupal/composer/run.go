package composer

import (
	"context"
	_ "embed"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/cms/php"
)

//go:embed scripts/composer.php
var runSource string

// runSeconds bounds one run of Composer, which the script that runs it must
// outlive to say so.
const runSeconds = 270

// Codes by which Composer ends.
const (
	endedWell   = 0
	unsolvable  = 2
	unreachable = 100
)

// outcome is how a run of Composer went.
type outcome struct {
	Code int    `json:"code"`
	Text string `json:"text"` // the end of what it printed
	Late bool   `json:"late"`
}

// err is nil when Composer ended well. CodeUnreachable when what it asked did
// not answer, CodeRefused when it says that the project cannot be so.
func (o *outcome) err() error {
	switch {
	case o.Late:
		return upkeep.Errorf(upkeep.CodeUnreachable, "composer took longer than %d seconds", runSeconds)
	case o.Code == endedWell:
		return nil
	case o.Code == unreachable:
		return upkeep.Errorf(upkeep.CodeUnreachable, "composer: %s", o.reason())
	}
	return upkeep.Errorf(upkeep.CodeRefused, "composer: %s", o.reason())
}

// maxReason bounds what is told of Composer's words.
const maxReason = 600

// noise are lines that say what Composer does, not what is the matter.
var noise = regexp.MustCompile(`^(Loading|Updating|Running|Info from|Warning from|Installing|Verifying|Package operations|  - (Downloading|Installing|Upgrading|Syncing)|update \[|install \[|You can also try)`)

// reason is what of Composer's words says why it did not go on.
func (o *outcome) reason() string {
	lines := slices.DeleteFunc(strings.Split(o.Text, "\n"), func(line string) bool { return strings.TrimSpace(line) == "" || noise.MatchString(line) })
	text := strings.Join(strings.Fields(strings.Join(lines, " ")), " ")
	return text[:min(len(text), maxReason)]
}

// run runs Composer in the copy, with a home and a cache of its own, and no
// settings but the project's. Scripts of the project do not run; its plugins,
// which it must allow by name, do: without them nothing would come to its
// place.
func (w *Workshop) run(ctx context.Context, dir string, arguments ...string) (*outcome, error) {
	home := filepath.Join(w.Base, "home")
	question := map[string]any{
		"command": w.Command, "arguments": append(arguments, "--no-interaction", "--no-ansi"), "dir": dir, "seconds": runSeconds,
		"environment": map[string]string{
			"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C.UTF-8", "HOME": home, "COMPOSER_HOME": home, "COMPOSER_CACHE_DIR": filepath.Join(w.Base, "cache"),
			"COMPOSER_ROOT_VERSION": "1.0.0", "COMPOSER_ALLOW_SUPERUSER": "0", "COMPOSER_DISABLE_XDEBUG_WARN": "1",
		},
	}
	o := &outcome{}
	return o, w.Host.PHP(ctx, cms.Script{Name: "composer.php", Source: runSource, Dir: w.Base}, question, o)
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
