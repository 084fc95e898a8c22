package upkeep

import "time"

// Release is a version of a component that its publisher offers.
type Release struct {
	Kind    Kind      `json:"kind"`
	Slug    string    `json:"slug"`
	Version Version   `json:"version"`
	Package string    `json:"package,omitempty"` // URL; "" when a licence is missing
	Locale  string    `json:"locale,omitempty"`
	Source  string    `json:"source"` // publisher: "wordpress.org", or the vendor's host
	Checked time.Time `json:"checked"`

	Security bool   `json:"security,omitempty"`
	Branch   string `json:"branch,omitempty"` // core: "6.4"; another branch than the site's is a major
	URL      string `json:"url,omitempty"`
	Notice   string `json:"notice,omitempty"`

	RequiresCMS        Version  `json:"requires_cms,omitempty"`
	RequiresPHP        Version  `json:"requires_php,omitempty"`
	RequiresDatabase   Version  `json:"requires_database,omitempty"` // MySQL order
	RequiresComponents []string `json:"requires_components,omitempty"`

	Hashes map[string]string `json:"hashes,omitempty"` // algorithm → lower-case hex of the package, where published
}

// Closed says that the publisher withdrew a component.
type Closed struct {
	Kind   Kind      `json:"kind"`
	Slug   string    `json:"slug"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
}
