package drupal

import (
	"encoding/xml"
	"slices"
	"strings"
)

// history is what drupal.org says of one project.
type history struct {
	Title       string   `xml:"title"`
	ShortName   *string  `xml:"short_name"`
	Status      *string  `xml:"project_status"`
	Branches    *string  `xml:"supported_branches"` // prefixes of versions, with commas between
	Link        string   `xml:"link"`
	Supported   *string  `xml:"supported_majors"` // of the form that Drupal 7 reads
	Recommended *string  `xml:"recommended_major"`
	Default     *string  `xml:"default_major"`
	List        releases `xml:"releases"`
}

type releases struct {
	Releases []release `xml:"release"`
}

// release is one of a project's, newest first. Fields are nil where the
// history has none: Drupal tells that from an empty one.
type release struct {
	Version  string  `xml:"version"`
	Status   string  `xml:"status"` // published or unpublished
	Link     string  `xml:"release_link"`
	Download *string `xml:"download_link"`
	Date     *string `xml:"date"` // seconds since 1970
	Hash     string  `xml:"mdhash"`
	Core     string  `xml:"core_compatibility"` // a constraint of Composer's
	Major    *string `xml:"version_major"`      // this and the next two of the form that Drupal 7 reads
	Patch    *string `xml:"version_patch"`
	Extra    string  `xml:"version_extra"`
	Terms    []struct {
		Name  string `xml:"name"`
		Value string `xml:"value"`
	} `xml:"terms>term"`
}

// parse reads a release history; nil when it is none: drupal.org answers 200
// with an error for projects that it does not know.
func parse(body []byte) *history {
	h := &history{}
	if xml.Unmarshal(body, h) != nil || h.ShortName == nil {
		return nil
	}
	// A version that is there twice has the place of the first and says what
	// the last does, as the keys of a PHP array.
	at := map[string]int{}
	var kept []release
	for _, r := range h.List.Releases {
		if i, twice := at[r.Version]; twice {
			kept[i] = r
			continue
		}
		at[r.Version] = len(kept)
		kept = append(kept, r)
	}
	h.List.Releases = kept
	return h
}

// branches are the prefixes of supported versions; none when it is not said.
// One that is said to be empty is that of every version.
func (h *history) branches() []string {
	if h.Branches == nil {
		return nil
	}
	return strings.Split(*h.Branches, ",")
}

func (h *history) supports(version string) bool {
	return slices.ContainsFunc(h.branches(), func(branch string) bool { return strings.HasPrefix(version, branch) })
}

func (h *history) release(version string) *release {
	for i := range h.List.Releases {
		if h.List.Releases[i].Version == version {
			return &h.List.Releases[i]
		}
	}
	return nil
}

// is reports whether a release has been given a type: "Security update",
// "Insecure", "Unsupported".
func (r *release) is(kind string) bool {
	for _, term := range r.Terms {
		if term.Name == "Release type" && term.Value == kind {
			return true
		}
	}
	return false
}

func (r *release) published() bool { return r.Status == "published" }

// valid reports whether Drupal 8 and later take a release for one.
func (r *release) valid() bool {
	return r.Version != "" && (r.Status == "published" || r.Status == "unpublished") && r.Link != "" &&
		(r.Download == nil || *r.Download != "") && (r.Date == nil || numeric.MatchString(*r.Date))
}

// date is when a release was made; -1 when that is not said.
func (r *release) date() float64 {
	if r.Date == nil {
		return -1
	}
	return number(*r.Date)
}
