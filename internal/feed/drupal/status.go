package drupal

import "strings"

// The states of an installed version, as Drupal's update module has them.
const (
	statusCurrent      = "CURRENT"
	statusNotCurrent   = "NOT_CURRENT"
	statusNotSecure    = "NOT_SECURE"
	statusNotSupported = "NOT_SUPPORTED"
	statusRevoked      = "REVOKED"
	statusUnknown      = "UNKNOWN"
	statusNotChecked   = "NOT_CHECKED"
)

// installed is a project on a site.
type installed struct {
	version   string
	datestamp float64 // of the package; 0 when it has none
}

// status is what drupal.org's history means for an installed version.
type status struct {
	state       string
	reason      string   // why nothing is known
	recommended string   // the version to go to
	latest      string   // the newest of the same major, be it a beta
	dev         string   // the snapshot of the same major
	also        []string // the newest of each later major
	security    []string // security updates that are newer, newest first

	target string // the major that is looked at
}

// projectStates are those of a project in which its releases do not matter.
func projectState(h *history) string {
	if h.Status == nil {
		return ""
	}
	switch *h.Status {
	case "insecure":
		return statusNotSecure
	case "unpublished", "revoked":
		return statusRevoked
	case "unsupported":
		return statusNotSupported
	}
	return ""
}

// judgement is a status being worked out.
type judgement struct {
	*status
	history *history
	site    installed

	candidate string // the first release of the last version without its extra
	without   string // that version
	supported bool   // whether the last release that was looked at is
	majors    map[string]bool
}

// judge is update_calculate_project_update_status of Drupal 8 and later.
func judge(h *history, site installed) status {
	s := status{state: projectState(h)}
	if s.state != "" {
		return s
	}
	if site.version == "" {
		s.state, s.reason = statusUnknown, "Empty version"
		return s
	}
	v, ok := parseVersion(site.version)
	if !ok {
		s.state, s.reason = statusUnknown, "Invalid version: "+site.version
		return s
	}
	s.target = v.major
	if branches := h.branches(); !h.supports(site.version) && branches != nil {
		s.state = statusNotSupported
		for _, branch := range branches {
			if major, ok := branchMajor(branch); ok {
				s.target = highest(s.target, major) // never back
				break
			}
		}
	}
	if len(h.List.Releases) == 0 {
		s.state, s.reason = statusUnknown, noReleases
		return s
	}
	j := &judgement{status: &s, history: h, site: site, majors: map[string]bool{}}
	for i := range h.List.Releases {
		if !j.look(&h.List.Releases[i]) {
			break
		}
	}
	if s.recommended == "" && j.supported {
		s.recommended = s.latest
	}
	j.conclude()
	return s
}

const noReleases = "No available releases found"

// look takes one release into account; false when there is no more to be seen.
func (j *judgement) look(r *release) bool {
	v, ok := parseVersion(r.Version)
	if !r.valid() || !ok {
		return true
	}
	ours := r.Version == j.site.version
	j.supported = j.history.supports(r.Version) && !r.is("Unsupported")
	switch {
	case ours:
		j.own(r)
	case !r.published() || !j.supported || r.is("Insecure"), r.Date == nil && v.extra == "dev":
		return true
	}
	if number(v.major) > number(j.target) {
		if !j.majors[v.major] {
			j.majors[v.major] = true
			j.also = append(j.also, r.Version)
		}
		return true
	}
	if number(v.major) == number(j.target) {
		j.rank(r, v)
	}
	if ours {
		return false
	}
	j.secure(r)
	return true
}

// own judges the release that is installed.
func (j *judgement) own(r *release) {
	switch {
	case r.is("Insecure"):
		j.state = statusNotSecure
	case !r.published():
		j.state = statusRevoked
	case !j.supported:
		j.state = statusNotSupported
	}
}

// rank finds what is latest and what to recommend within the major.
func (j *judgement) rank(r *release, v extensionVersion) {
	if j.latest == "" {
		j.latest = r.Version
	}
	if j.dev == "" && v.extra == "dev" {
		j.dev = r.Version
	}
	if j.recommended != "" || !j.supported {
		return
	}
	without := r.Version
	if v.extra != "" && v.extra != "0" {
		without = strings.ReplaceAll(without, "-"+v.extra, "")
	}
	if j.without != without {
		j.without, j.candidate = without, r.Version
	}
	if !v.hasExtra {
		j.recommended = j.candidate
	}
}

// leeway is how far, in seconds, a snapshot's own stamp may lie from the time
// of its package.
const leeway = 100

// secure notes a security update, unless the installed snapshot is younger.
func (j *judgement) secure(r *release) {
	if isDev(j.site.version) {
		if j.site.datestamp == 0 || r.date() > 0 && j.site.datestamp+leeway > r.date() {
			return
		}
	}
	if r.is("Security update") {
		j.security = append(j.security, r.Version)
	}
}

// conclude says what it all means, unless something said so already.
func (j *judgement) conclude() {
	switch {
	case j.state != "":
	case j.recommended == "":
		j.state, j.reason = statusUnknown, noReleases
	case isDev(j.site.version):
		j.concludeSnapshot()
	case j.site.version == j.recommended || j.site.version == j.latest:
		j.state = statusCurrent
	default:
		j.state = statusNotCurrent
	}
}

func (j *judgement) concludeSnapshot() {
	newest := j.history.release(j.latest)
	if snapshot := j.history.release(j.dev); snapshot != nil && (newest == nil || snapshot.date() > newest.date()) {
		newest = snapshot
	}
	switch {
	case j.site.datestamp == 0:
		j.state, j.reason = statusNotChecked, "Unknown release date"
	case newest == nil || j.site.datestamp+leeway > newest.date():
		j.state = statusCurrent
	default:
		j.state = statusNotCurrent
	}
}
