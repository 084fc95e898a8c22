package mediawiki

import (
	"regexp"
	"strings"
	"time"

	"upkeep/internal/cms/php"
)

// CompareVersions orders versions of MediaWiki, and snapshots of its
// extensions, as PHP does.
func CompareVersions(a, b string) int { return php.CompareVersions(a, b) }

// versionDefined is where MediaWiki says its version since 1.35, versionSet
// where it did before.
var (
	versionDefined = regexp.MustCompile(`(?m)^\s*define\(\s*['"]MW_VERSION['"]\s*,\s*['"]([0-9][0-9A-Za-z.+-]*)['"]\s*\)\s*;`)
	versionSet     = regexp.MustCompile(`(?m)^\s*\$wgVersion\s*=\s*['"]([0-9][0-9A-Za-z.+-]*)['"]\s*;`)
)

func match(form *regexp.Regexp, text []byte) string {
	if found := form.FindSubmatch(text); found != nil {
		return string(found[1])
	}
	return ""
}

// snapshotForm is the file "version" that ExtensionDistributor puts into its
// archives: name and branch, the time of the commit, its hash.
var snapshotForm = regexp.MustCompile(`^[^\n:]+: REL(\d+)_(\d+)\r?\n(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\s+([0-9a-f]{7,40})\s*$`)

// snapshot is the version of an extension that is known by its commit: branch
// and time, "1.43-20241201105327", which are ordered as they look; "" for none.
func snapshot(text []byte) (version, revision string) {
	found := snapshotForm.FindSubmatch(text)
	if found == nil {
		return "", ""
	}
	at, err := time.Parse("2006-01-02T15:04:05", string(found[3]))
	if err != nil {
		return "", ""
	}
	return string(found[1]) + "." + string(found[2]) + "-" + at.Format("20060102150405"), string(found[4])
}

// Snapshot reads the file "version" of an archive of ExtensionDistributor; ""
// when it is none.
func Snapshot(text []byte) string {
	version, _ := snapshot([]byte(strings.TrimSpace(string(text))))
	return version
}

// bundled are the extensions and skins that some release from 1.31 to 1.45
// brings itself: they are updated with it.
var bundled = func() map[string]bool {
	all := map[string]bool{}
	for _, name := range strings.Fields(`
		AbuseFilter CategoryTree Cite CiteThisPage CodeEditor CommunityConfiguration ConfirmEdit DiscussionTools Echo Gadgets ImageMap
		InputBox Interwiki Linter LocalisationUpdate LoginNotify Math MultimediaViewer Nuke OATHAuth PageImages ParserFunctions
		PdfHandler Poem Renameuser ReplaceText Scribunto SecureLinkFixer SpamBlacklist SyntaxHighlight_GeSHi TemplateData
		TextExtracts Thanks TitleBlacklist VisualEditor WikiEditor MinervaNeue MonoBook Timeless Vector`) {
		all[name] = true
	}
	return all
}()
