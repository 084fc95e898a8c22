package resolve

import (
	"cmp"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"upkeep"
)

// candidates returns the releases of a component that are newer than what is
// installed, newest first. Whatever a publisher puts on its list of updates,
// only the comparison counts: a downgrade is never a candidate.
func (r *resolver) candidates(c *upkeep.Component) []upkeep.Release {
	var found []upkeep.Release
	for i := range r.Releases {
		if release := &r.Releases[i]; r.isFor(release, c) && r.newer(c, release.Version, c.Version) {
			found = append(found, *release)
		}
	}
	if vendor := r.vendor(c); vendor != nil && r.newer(c, vendor.Version, c.Version) {
		found = append(found, *vendor)
	}
	slices.SortStableFunc(found, func(a, b upkeep.Release) int {
		switch {
		case r.newer(c, a.Version, b.Version):
			return -1
		case r.newer(c, b.Version, a.Version):
			return 1
		}
		// The same version twice: the build of the site's language, then one
		// that can be had at all.
		return cmp.Or(preferTrue(a.Locale == c.Locale, b.Locale == c.Locale),
			preferTrue(a.Package != "", b.Package != ""), preferTrue(a.Security, b.Security),
			cmp.Compare(a.Package, b.Package), cmp.Compare(a.RequiresCMS, b.RequiresCMS), cmp.Compare(a.RequiresPHP, b.RequiresPHP),
			slices.Compare(a.RequiresComponents, b.RequiresComponents))
	})
	return slices.CompactFunc(found, func(a, b upkeep.Release) bool { return a.Version == b.Version })
}

// preferTrue orders what is true before what is not.
func preferTrue(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return -1
	}
	return 1
}

// isFor reports whether a release is of the installed component, and of its
// publisher: a component that names another one, or whose vendor's updater
// answered, takes nothing from elsewhere.
func (r *resolver) isFor(release *upkeep.Release, c *upkeep.Component) bool {
	if release.Kind != c.Kind {
		return false
	}
	switch {
	case c.Kind == upkeep.Core:
		return true
	case c.Kind == upkeep.Language && release.Locale != c.Locale:
		return false
	case release.ID != "" && release.ID != c.ID, release.ID == "" && (c.Slug == "" || release.Slug != c.Slug):
		return false
	}
	if vendor := r.vendor(c); vendor != nil {
		return release.Source == vendor.Source
	}
	return c.UpdateURI == "" || r.Publisher(c.UpdateURI) == release.Source
}

// vendor returns the update that a vendor's updater recorded in the site, nil
// when that was none but the publisher's own, seen through a mirror: then
// packages that we know of come from the same host.
func (r *resolver) vendor(c *upkeep.Component) *upkeep.Release {
	if c.Vendor == nil || c.UpdateURI != "" {
		return c.Vendor
	}
	same := func(release upkeep.Release) bool {
		return release.Kind == c.Kind && (release.ID == c.ID || release.ID == "" && release.Slug == c.Slug) &&
			hostOf(release.Package) != "" && hostOf(release.Package) == hostOf(c.Vendor.Package)
	}
	if slices.ContainsFunc(r.Releases, same) {
		return nil
	}
	return c.Vendor
}

// hostOf is the host of an address, "" when it has none.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Host
}

// PublisherOf is the publisher that an Update URI names: its host.
func PublisherOf(uri string) string {
	uri = strings.TrimSpace(uri)
	if !strings.Contains(uri, "://") {
		uri = "https://" + uri
	}
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimPrefix(u.Hostname(), "www."))
}

// newer compares two versions of a component. Translations are told apart by
// the time of their revision.
func (r *resolver) newer(c *upkeep.Component, a, b upkeep.Version) bool {
	if a == "" {
		return false
	}
	if c.Kind == upkeep.Language {
		at, aOK := revision(a)
		bt, bOK := revision(b)
		if aOK && bOK {
			return at.After(bt)
		}
		return aOK && b == "" // what cannot be compared is left alone
	}
	return r.Compare(a, b) > 0
}

// revision reads a time as translation files write it.
func revision(version upkeep.Version) (time.Time, bool) {
	for _, layout := range [...]string{"2006-01-02 15:04:05-0700", time.DateTime, "2006-01-02 15:04-0700", "2006-01-02 15:04"} {
		if at, err := time.Parse(layout, string(version)); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// judgeComponent returns what holds every release of a component.
func (r *resolver) judgeComponent(c *upkeep.Component) []upkeep.Reason {
	reasons := slices.Clone(r.siteReasons)
	for i := range r.Holds {
		h := &r.Holds[i]
		if r.applies(h) && h.Component == c.Ref() && h.Version == "" {
			reasons = append(reasons, holdReason(Hold, h))
		}
	}
	for _, word := range r.Site.Policy.HoldComponents {
		if c.Matches(word) {
			reasons = append(reasons, reason(PolicyHold, "word", word))
		}
	}
	for _, f := range r.findings() {
		if r.blocks(&f) && f.Component == c.Ref() {
			reasons = append(reasons, findingReason(&f))
		}
	}
	if c.Link != "" {
		reasons = append(reasons, reason(Symlinked, "target", c.Link))
	}
	if closed := r.closedOf(c); closed != nil {
		reasons = append(reasons, closedReason(closed))
	}
	return reasons
}

// findingReason names a few files; the examination keeps the whole list.
func findingReason(f *upkeep.Finding) upkeep.Reason {
	if f.Code != Modified {
		return reason(ComponentFinding, "finding", f.Code, "detail", f.Detail)
	}
	const named = 5
	files := f.Paths
	if len(files) > named {
		files = append(slices.Clone(files[:named]), "…")
	}
	return reason(Modified, "files", strings.Join(files, ", "), "count", strconv.Itoa(len(f.Paths)))
}

// judgeRelease returns what holds one release of a component.
func (r *resolver) judgeRelease(c *upkeep.Component, release *upkeep.Release) []upkeep.Reason {
	var reasons []upkeep.Reason
	for i := range r.Holds {
		h := &r.Holds[i]
		if r.applies(h) && h.Component == c.Ref() && h.Version != "" && h.Version == release.Version {
			reasons = append(reasons, holdReason(HoldRelease, h))
		}
	}
	if release.Package == "" {
		reasons = append(reasons, reason(LicenceMissing, "source", release.Source))
	}
	return append(reasons, r.judgeRequirements(release)...)
}

// judgeRequirements compares with the site as it will be when the release's
// turn comes: core's update, when ready, goes before whatever needs it. What
// the inventory does not know cannot be refused.
func (r *resolver) judgeRequirements(release *upkeep.Release) []upkeep.Reason {
	var reasons []upkeep.Reason
	have := r.Inventory.PHP
	if want := release.RequiresPHP; want != "" && have != "" && compareNumbers(have, want) < 0 {
		reasons = append(reasons, reason(RequiresPHP, "want", string(want), "have", string(have)))
	}
	have = databaseVersion(r.Inventory.Database)
	if want := release.RequiresDatabase; want != "" && have != "" && compareNumbers(have, want) < 0 {
		reasons = append(reasons, reason(RequiresDatabase, "want", string(want), "have", string(have)))
	}
	if want := release.RequiresCMS; want != "" && release.Kind != upkeep.Core && r.coreAfter != "" &&
		!r.Meets(r.coreNow, want) && !r.Meets(r.coreAfter, want) {
		reasons = append(reasons, reason(RequiresCMS, "want", string(want), "have", string(r.coreAfter)))
	}
	if from := release.UpgradesFrom; from != "" && release.Kind == upkeep.Core && r.coreNow != "" && r.Compare(r.coreNow, from) < 0 {
		reasons = append(reasons, reason(TooFarBehind, "from", string(from), "have", string(r.coreNow)))
	}
	for _, slug := range release.RequiresComponents {
		if !r.present(slug) {
			reasons = append(reasons, reason(RequiresComponent, "slug", slug))
		}
	}
	return reasons
}

// present reports whether a component of the slug is installed.
func (r *resolver) present(slug string) bool {
	return slices.ContainsFunc(r.Inventory.Components, func(c upkeep.Component) bool {
		return c.Slug == slug && (c.Kind == upkeep.Plugin || c.Kind == upkeep.MustUse)
	})
}

// databaseVersion is the number in what a server calls itself. Old clients
// made MariaDB servers put "5.5.5-" before it.
func databaseVersion(server string) upkeep.Version {
	server = strings.TrimPrefix(server, "5.5.5-")
	if end := strings.IndexFunc(server, func(c rune) bool { return c != '.' && (c < '0' || c > '9') }); end >= 0 {
		server = server[:end]
	}
	return upkeep.Version(strings.TrimRight(server, "."))
}

// compareNumbers orders versions of PHP and of databases: what is installed
// and what is asked for are numbers with dots, whatever the CMS's own look
// like. What follows the numbers, such as "-beta1", does not count.
func compareNumbers(a, b upkeep.Version) int {
	return slices.Compare(numbersOf(a), numbersOf(b))
}

// numbersOf leaves out zeros at the end: 8.1 is 8.1.0.
func numbersOf(version upkeep.Version) []int {
	var numbers []int
	for part := range strings.SplitSeq(string(version), ".") {
		digits := part
		if end := strings.IndexFunc(part, func(c rune) bool { return c < '0' || c > '9' }); end >= 0 {
			digits = part[:end]
		}
		n, err := strconv.Atoi(digits)
		if err != nil {
			break
		}
		numbers = append(numbers, n)
		if digits != part {
			break
		}
	}
	for len(numbers) > 0 && numbers[len(numbers)-1] == 0 {
		numbers = numbers[:len(numbers)-1]
	}
	return numbers
}
