// Package upkeep is the vocabulary of the system: sites, components, updates,
// interventions, backups, manifests, verdicts, with the rules that belong to
// them. It does no input or output and imports nothing of ours.
package upkeep

import (
	"strconv"
	"time"
)

// CMS names a content management system, in the lower-case form that
// commands, records and pages use.
type CMS string

// The CMSs that drivers exist or are planned for.
const (
	WordPress CMS = "wordpress"
	Joomla    CMS = "joomla"
	Drupal    CMS = "drupal"
	DokuWiki  CMS = "dokuwiki"
	MediaWiki CMS = "mediawiki"
)

// NotMaintained is the error of an update of a site whose CMS is known, but
// not maintained automatically. CodeHeld.
func NotMaintained(cms CMS) *Error {
	return Errorf(CodeHeld, "%s is known, not maintained automatically", cms).
		WithHint("Back the site up (upkeep backup create), update it by hand, and look at it: upkeep site verify.")
}

// Version is a version as its vendor wrote it. Order differs between CMSs, so
// it has no methods that compare; drivers and resolve bring the order.
type Version string

// SiteID numbers a site.
type SiteID int64

// InterventionID numbers an intervention.
type InterventionID int64

// BackupID numbers a backup.
type BackupID int64

// String returns the decimal number.
func (id SiteID) String() string { return strconv.FormatInt(int64(id), 10) }

// String returns the decimal number.
func (id InterventionID) String() string { return strconv.FormatInt(int64(id), 10) }

// String returns the decimal number.
func (id BackupID) String() string { return strconv.FormatInt(int64(id), 10) }

// Clock tells the time. It is a field wherever time matters, so that tests
// can hold it.
type Clock func() time.Time
