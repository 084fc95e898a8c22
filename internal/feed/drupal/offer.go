package drupal

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/feed"
)

// offer is what a history has for one component.
type offer struct {
	publisher *Publisher
	component *upkeep.Component
	*told
	legacy bool
	status status
}

// make adds what there is to a site's answer.
func (o *offer) make(said *feed.SiteAnswer) {
	c := o.component
	site := installed{version: string(c.Version), datestamp: number(c.Headers["datestamp"])}
	if o.legacy {
		o.status = judgeLegacy(o.history, site)
	} else {
		o.status = judge(o.history, site)
	}
	if projectState(o.history) != "" {
		said.Closed = append(said.Closed, upkeep.Closed{Kind: c.Kind, Slug: c.Slug, Reason: *o.history.Status})
		return
	}
	switch o.status.state {
	case statusNotSecure:
		said.Findings = append(said.Findings, upkeep.Finding{Code: "security_warning", Component: c.Ref(), Detail: string(c.Version)})
	case statusRevoked, statusNotSupported:
		said.Findings = append(said.Findings, upkeep.Finding{Code: "obsolete", Component: c.Ref(), Detail: strings.TrimSpace(string(c.Version) + " → " + o.status.recommended)})
	}
	for i := range o.history.List.Releases {
		if r := &o.history.List.Releases[i]; o.fits(r) {
			said.Releases = append(said.Releases, o.release(r))
		}
	}
}

// fits reports whether the installed version may go to a release: one that is
// published, secure, supported and newer, of its own major, or of core's next
// ones. Betas are for who has one.
func (o *offer) fits(r *release) bool {
	have := string(o.component.Version)
	if !r.published() || r.is("Insecure") || r.is("Unsupported") || isDev(r.Version) || o.publisher.o.Compare(r.Version, have) <= 0 {
		return false
	}
	if strings.Contains(r.Version, "-beta") || strings.Contains(r.Version, "-alpha") || strings.Contains(r.Version, "-rc") {
		if !prerelease.MatchString(have) {
			return false
		}
	}
	if o.legacy {
		major, _, _ := legacyParts(r)
		own := legacyMajor.FindStringSubmatch(have)
		return own != nil && number(major) == number(own[1]) && (o.history.Branches == nil || o.history.supports(r.Version))
	}
	v, ok := parseVersion(r.Version)
	own, okOwn := parseVersion(have)
	if !ok || !okOwn || !r.valid() || !o.history.supports(r.Version) {
		return false
	}
	if o.component.Kind == upkeep.Core {
		return number(v.major) >= number(own.major)
	}
	// 8.x-2.0 and 2.0.0 are not of one series.
	return number(v.major) == number(own.major) && strings.HasPrefix(r.Version, corePrefix) == strings.HasPrefix(have, corePrefix)
}

var prerelease = regexp.MustCompile(`-(alpha|beta|rc)\d*$`)

func (o *offer) release(r *release) upkeep.Release {
	c := o.component
	made := upkeep.Release{
		Kind: c.Kind, Slug: c.Slug, Version: upkeep.Version(r.Version), Package: r.download(), Source: Source,
		Checked: o.fetched, URL: address(r.Link), Hashes: r.hashes(),
		Security: slices.ContainsFunc(o.status.security, func(fixed string) bool { return o.publisher.o.Compare(fixed, r.Version) <= 0 }),
	}
	if c.Kind == upkeep.Core {
		made.Branch, _, _ = strings.Cut(r.Version, ".")
	} else {
		made.RequiresCMS = upkeep.Version(r.Core)
	}
	return made
}

func (r *release) download() string {
	if r.Download == nil {
		return ""
	}
	return address(*r.Download)
}

// hashes are what is published of the package: an MD5, and of late nothing.
func (r *release) hashes() map[string]string {
	if !md5Form.MatchString(r.Hash) {
		return nil
	}
	return map[string]string{"md5": r.Hash}
}

var md5Form = regexp.MustCompile(`^[0-9a-f]{32}$`)

// address returns a package's or page's address when it is one that can be
// fetched.
func address(text string) string {
	u, err := url.Parse(cmp.Or(text, ":"))
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(text) > 2000 {
		return ""
	}
	return text
}
