package resolve

// Codes of reasons. Each has a text per language in the catalogue, under
// "reason.<code>"; the names in braces are its params. Those of the first
// group hold an update, the others explain one that is not held.
const (
	SiteHeld          = "site_held"          // a person holds the whole site {hold, because}
	SiteFinding       = "site_finding"       // an examination found something about the whole site {finding, detail, task}
	Hold              = "hold"               // a person or a failed intervention holds the component {hold, because}
	HoldRelease       = "hold_release"       // … holds just this release {hold, because, version}
	NotMaintained     = "not_maintained"     // the CMS is known, but nobody's releases are
	PolicyHold        = "policy_hold"        // the site's policy holds the component {word}
	Modified          = "modified"           // files were changed by hand {files, count, task}
	ComponentFinding  = "component_finding"  // another blocking finding {finding, detail, task}
	Symlinked         = "symlinked"          // the component is a symbolic link {target, task}
	ClosedByPublisher = "closed"             // the publisher withdrew the component {why, since, task}
	LicenceMissing    = "licence_missing"    // the vendor offers no package {source, task}
	RequiresPHP       = "requires_php"       // {want, have, task}
	RequiresDatabase  = "requires_database"  // {want, have, task}
	RequiresCMS       = "requires_cms"       // {want, have, task}; have is the version after core's own update
	TooFarBehind      = "too_far_behind"     // its updater takes over from newer ones only {from, have, task}
	RequiresComponent = "requires_component" // a component that it needs is not there {slug, task}

	Major          = "major"           // another branch of core: quoted, or allowed by policy {from, to}
	MajorAvailable = "major_available" // a newer branch of core exists besides {version}
	InBranch       = "in_branch"       // within the branch: treated as security {branch}
	NewerSkipped   = "newer_skipped"   // a newer release is not acceptable {version, because}
	FromVendor     = "from_vendor"     // the site's own updater of the vendor recorded it {source}
	OtherLocale    = "other_locale"    // only another language's build is published {locale, want}

	CoreFirst       = "core_first"       // core within its branch goes before extensions
	ExtensionsFirst = "extensions_first" // a new branch of core comes after what need not wait for it
	AfterCore       = "after_core"       // needs the new core {version}
	AfterComponent  = "after_component"  // needs another component, which is updated first {component}
	WithFolder      = "with_folder"      // shares a folder with another component {component}
	WithFamily      = "with_family"      // the names say that they belong together {component}; a guess
	WithParent      = "with_parent"      // child theme with its parent {component}
	WithComponent   = "with_component"   // translation of a component that is updated {component}
	Needed          = "needed"           // not asked for, but what was asked for needs it {component}

	NoSource      = "no_source"      // names another publisher, whose updater recorded nothing {uri}
	SchemaPending = "schema_pending" // the database waits for a migration already {files, database}
)

// Task returns the code of the task that lifts a hold with the given reason,
// or "" when there is nothing to do but decide.
func Task(code string) string {
	switch code {
	case LicenceMissing:
		return "buy_licence"
	case Modified:
		return "examine_modified"
	case ComponentFinding, SiteFinding:
		return "examine_finding"
	case Symlinked:
		return "update_by_hand"
	case ClosedByPublisher:
		return "replace_component"
	case RequiresPHP:
		return "raise_php"
	case RequiresDatabase:
		return "raise_database"
	case RequiresCMS, TooFarBehind:
		return "decide_core"
	case RequiresComponent:
		return "install_component"
	}
	return ""
}
