package upkeep

import (
	"net/url"
	"path/filepath"
	"regexp"
	"time"
)

// Site is one installed CMS application on a host.
type Site struct {
	ID      SiteID    `json:"id"`
	Name    string    `json:"name"`           // short, unique, what operators type
	URL     string    `json:"url"`            // absolute, of the front page
	Host    HostID    `json:"host,omitempty"` // 0 is this machine
	Root    string    `json:"root"`           // absolute folder on the host
	CMS     CMS       `json:"cms"`
	Policy  Policy    `json:"policy"`
	Created time.Time `json:"created"`
	// Shut is until when a site on another host is frozen at most, by hand or
	// by a restore, so that nobody need ask the host; zero is open.
	Shut time.Time `json:"shut,omitzero"`
}

// Policy is what a site's plan says about updates. The zero value updates
// everything except majors, which are quoted.
type Policy struct {
	Majors         bool     `json:"majors,omitempty"`          // apply core branch changes without a quote
	Tracked        bool     `json:"tracked,omitempty"`         // update although a version control system keeps the files
	PHPLog         string   `json:"php_log,omitempty"`         // absolute path of the PHP error log, when known
	ExtraPages     []string `json:"extra_pages,omitempty"`     // paths to probe besides the driver's
	MaxFrozen      Duration `json:"max_frozen,omitempty"`      // after it the original state is thawed; 0 is 15 minutes
	DrainTimeout   Duration `json:"drain_timeout,omitempty"`   // 0 is 30 seconds
	HoldComponents []string `json:"hold_components,omitempty"` // component refs the operator holds
}

// Duration is a time.Duration written as "1m30s" in JSON.
type Duration time.Duration

// MarshalText writes the duration in time.Duration's notation.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads time.Duration's notation.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = Duration(parsed)
	return err
}

var siteName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]{0,61}[a-z0-9])?$`)

// Validate returns CodeInvalid naming the first field that is wrong.
func (s *Site) Validate() error {
	if !siteName.MatchString(s.Name) {
		return Errorf(CodeInvalid, "site name %q: want 1 to 63 of a-z, 0-9, '.' and '-'", s.Name).
			WithHint("Choose a name with --name, such as the domain.")
	}
	if u, err := url.Parse(s.URL); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return Errorf(CodeInvalid, "site url %q: want http:// or https:// and a host", s.URL).
			WithHint("Give the address of the front page with --url.")
	}
	if !filepath.IsAbs(s.Root) || filepath.Clean(s.Root) != s.Root || s.Root == "/" {
		return Errorf(CodeInvalid, "site root %q: want a clean absolute folder", s.Root).
			WithHint("Give the folder that holds the CMS, such as /srv/www/shop.")
	}
	return nil
}
