package wordpress

import (
	"strings"

	"upkeep/internal/cms/php"
)

// VersionMeets reports whether WordPress version have satisfies a "Requires
// at least" of want, as is_wp_version_compatible does: pre-releases count as
// their release, and "6.4.0" asks for 6.4.
func VersionMeets(have, want string) bool {
	want = strings.TrimSpace(want)
	if strings.Count(want, ".") > 1 {
		want = strings.TrimSuffix(want, ".0")
	}
	have, _, _ = strings.Cut(have, "-")
	return want == "" || php.CompareVersions(have, want) >= 0
}
