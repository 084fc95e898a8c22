package upkeep

import "time"

// Release is a version of a component that its publisher offers.
type Release struct {
	Kind    Kind      `json:"kind"`
	Slug    string    `json:"slug"`
	ID      string    `json:"id,omitempty"` // the component it is for, where one slug has several; "" is any of the slug
	Version Version   `json:"version"`
	Package string    `json:"package,omitempty"` // URL; "" when a licence is missing
	Key     string    `json:"key,omitempty"`     // name of the site's key that the URL needs besides, "" for none
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
	ByHand             bool     `json:"by_hand,omitempty"`       // core: a site is moved there by people, whatever the policy allows
	UpgradesFrom       Version  `json:"upgrades_from,omitempty"` // core: no older installation can be brought to it

	Hashes    map[string]string `json:"hashes,omitempty"`    // algorithm → lower-case hex of the package, where published
	Signature string            `json:"signature,omitempty"` // URL of the package's OpenPGP signature, where the publisher's keys are known
}

// Closed says that the publisher withdrew a component.
type Closed struct {
	Kind   Kind      `json:"kind"`
	Slug   string    `json:"slug"`
	Reason string    `json:"reason,omitempty"`
	Since  time.Time `json:"since"`
}

// Original is what a publisher says a component's files are.
type Original struct {
	// Files maps a slash path below the component to the accepted hashes,
	// lower-case hex: MD5 (32 digits) or SHA-256 (64).
	Files map[string][]string `json:"files"`
	// Soft lists names whose modification is reported but does not block.
	Soft []string `json:"soft,omitempty"`
	// Dir is the component's folder on the site, "" for the usual one.
	Dir string `json:"dir,omitempty"`
}
