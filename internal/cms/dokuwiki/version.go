package dokuwiki

import (
	"cmp"
	"strings"
)

// CompareVersions orders versions of DokuWiki, its plugins and its templates:
// dates, with a letter for each hotfix, so that their texts compare. A release
// candidate goes before the release of its day.
func CompareVersions(a, b string) int {
	dateA, candidateA := strings.CutPrefix(a, "rc")
	dateB, candidateB := strings.CutPrefix(b, "rc")
	return cmp.Or(strings.Compare(dateA, dateB), strings.Compare(rank(candidateA), rank(candidateB)))
}

func rank(candidate bool) string {
	if candidate {
		return ""
	}
	return "release"
}

// Branch is the date of a release without the letter of its hotfix: within it
// only bugs and security are fixed, another date is another DokuWiki.
func Branch(version string) string {
	version = strings.TrimPrefix(version, "rc")
	if len(version) > len("2006-01-02") {
		version = version[:len("2006-01-02")]
	}
	return version
}
