package drupal

import (
	"slices"
	"strings"
)

// judgeLegacy is update_calculate_project_update_status of Drupal 7: majors
// instead of branches are supported, and a newer security update alone makes
// what is installed insecure.
func judgeLegacy(h *history, site installed) status {
	s := status{state: projectState(h)}
	match := legacyMajor.FindStringSubmatch(site.version)
	if s.state != "" || match == nil {
		if s.state == "" {
			s.state, s.reason = statusUnknown, "Invalid version: "+site.version
		}
		return s
	}
	s.target = match[1]
	var supported []string
	if h.Supported != nil {
		supported = strings.Split(*h.Supported, ",")
	} else if h.Default != nil {
		supported = []string{*h.Default}
	}
	switch {
	case slices.ContainsFunc(supported, func(major string) bool { return number(major) == number(s.target) }):
	case h.Recommended != nil:
		s.target, s.state = highest(s.target, *h.Recommended), statusNotSupported
	case h.Default != nil:
		s.target = highest(s.target, *h.Default)
	case h.Branches != nil && !h.supports(site.version): // what drupal.org has said of late
		s.state = statusNotSupported
	}
	if len(h.List.Releases) == 0 {
		s.state, s.reason = statusUnknown, noReleases
		return s
	}
	j := &judgement{status: &s, history: h, site: site, majors: map[string]bool{}}
	for i := range h.List.Releases {
		if !j.lookLegacy(&h.List.Releases[i], supported) {
			break
		}
	}
	if s.recommended == "" {
		s.recommended = s.latest
	}
	if len(s.security) > 0 {
		s.state = statusNotSecure
	}
	j.conclude()
	return s
}

// lookLegacy takes one release into account; false when there is no more to be
// seen.
func (j *judgement) lookLegacy(r *release, supported []string) bool {
	ours := r.Version == j.site.version
	if ours {
		j.supported = !r.is("Unsupported")
		j.own(r)
	}
	if !r.published() || r.is("Insecure") || r.is("Unsupported") {
		return true
	}
	major, patch, extra := legacyParts(r)
	if major != "" && number(major) > number(j.target) {
		if slices.Contains(supported, major) && !j.majors[major] {
			j.majors[major] = true
			j.also = append(j.also, r.Version)
		}
		return true
	}
	if major != "" && number(major) == number(j.target) {
		j.rankLegacy(r, patch, extra)
	}
	if ours {
		return false
	}
	j.secure(r)
	return true
}

func (j *judgement) rankLegacy(r *release, patch, extra string) {
	if j.latest == "" {
		j.latest = r.Version
	}
	if j.dev == "" && extra == "dev" {
		j.dev = r.Version
	}
	if j.recommended != "" || patch == "" {
		return
	}
	if j.without != patch {
		j.without, j.candidate = patch, r.Version
	}
	if extra == "" {
		j.recommended = j.candidate
	}
}

// legacyParts are major, patch and extra of a release: as the history says, or
// from the version where it no longer does.
func legacyParts(r *release) (major, patch, extra string) {
	if r.Major != nil {
		major, extra = *r.Major, r.Extra
		if r.Patch != nil {
			patch = *r.Patch
		}
		return major, patch, extra
	}
	version, extra, _ := strings.Cut(strings.TrimPrefix(r.Version, "7.x-"), "-")
	major, patch, _ = strings.Cut(version, ".")
	if patch == "x" {
		patch = ""
	}
	return major, patch, extra
}
