package drupal

import (
	"cmp"
	"regexp"
	"strings"

	"upkeep/internal/cms/drupal/constraint"
	"upkeep/internal/cms/php"
)

var corePrefix = regexp.MustCompile(`^\d+\.x-`)

// CompareVersions orders versions of Drupal and its projects: 7.x-1.9 goes
// before 7.x-1.10, and what has a prefix before the same number without.
func CompareVersions(a, b string) int {
	bareA, bareB := corePrefix.ReplaceAllString(a, ""), corePrefix.ReplaceAllString(b, "")
	return cmp.Or(php.CompareVersions(bareA, bareB), cmp.Compare(len(b)-len(bareB), len(a)-len(bareA)))
}

// Branch is the major of a version of core: its minors follow each other as
// updates.
func Branch(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}

// Meets reports whether a version of core is what a module asks for, as
// Composer would.
func Meets(core, wanted string) bool { return constraint.Satisfies(core, wanted) }
