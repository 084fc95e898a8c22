package wordpressorg

import (
	"bytes"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"upkeep"
)

// The API is written in PHP: an empty map arrives as [], what is absent as
// false, a version now and then as a number. These types read all of it and
// turn what makes no sense into nothing.

// text is a string, or what PHP made of one.
type text string

// UnmarshalJSON never fails: false, null, lists and objects are "".
func (t *text) UnmarshalJSON(raw []byte) error {
	*t = ""
	if len(raw) == 0 {
		return nil
	}
	switch c := raw[0]; {
	case c == '"':
		var s string
		if json.Unmarshal(raw, &s) == nil {
			*t = text(strings.TrimSpace(s))
		}
	case c == '-' || c >= '0' && c <= '9':
		*t = text(raw)
	}
	return nil
}

// table is a map. Entries that cannot be read are left out.
type table[T any] map[string]T

// UnmarshalJSON never fails: anything but an object is the empty map.
func (t *table[T]) UnmarshalJSON(raw []byte) error {
	*t = nil
	var parts map[string]json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		return nil
	}
	*t = make(table[T], len(parts))
	for key, part := range parts {
		var value T
		if json.Unmarshal(part, &value) == nil && !isNull(part) {
			(*t)[key] = value
		}
	}
	return nil
}

// list is a list, or an object whose keys do not matter, as PHP writes a list
// with gaps. Elements that cannot be read are left out.
type list[T any] []T

// UnmarshalJSON never fails: anything else is the empty list.
func (l *list[T]) UnmarshalJSON(raw []byte) error {
	*l = nil
	var parts []json.RawMessage
	if json.Unmarshal(raw, &parts) != nil {
		var gaps map[string]json.RawMessage
		if json.Unmarshal(raw, &gaps) != nil {
			return nil
		}
		keys := make([]string, 0, len(gaps))
		for key := range gaps {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			parts = append(parts, gaps[key])
		}
	}
	for _, part := range parts {
		var value T
		if json.Unmarshal(part, &value) == nil && !isNull(part) {
			*l = append(*l, value)
		}
	}
	return nil
}

func isNull(raw []byte) bool { return bytes.Equal(bytes.TrimSpace(raw), []byte("null")) }

// coreWire answers core/version-check/1.7.
type coreWire struct {
	Offers       list[offerWire]       `json:"offers"`
	Translations list[translationWire] `json:"translations"`
}

type offerWire struct {
	Response text         `json:"response"` // "upgrade", "latest", "autoupdate", "development"
	Download text         `json:"download"`
	Locale   text         `json:"locale"`
	Packages packagesWire `json:"packages"`
	Current  text         `json:"current"`
	PHP      text         `json:"php_version"`
	MySQL    text         `json:"mysql_version"`
}

// packagesWire is the ways to get a core release.
type packagesWire struct{ Full, NoContent text }

// UnmarshalJSON never fails: anything but an object offers nothing.
func (p *packagesWire) UnmarshalJSON(raw []byte) error {
	var ways table[text]
	_ = ways.UnmarshalJSON(raw)
	*p = packagesWire{Full: ways["full"], NoContent: ways["no_content"]}
	return nil
}

// extensionsWire answers plugins/update-check/1.1 and themes/update-check/1.1.
type extensionsWire struct {
	Plugins      table[itemWire]       `json:"plugins"`
	Themes       table[itemWire]       `json:"themes"`
	NoUpdate     table[itemWire]       `json:"no_update"`
	Translations list[translationWire] `json:"translations"`
}

// itemWire is the newest release of one plugin or theme.
type itemWire struct {
	Slug            text       `json:"slug,omitempty"`  // plugins
	Theme           text       `json:"theme,omitempty"` // themes: their slug
	NewVersion      text       `json:"new_version"`
	URL             text       `json:"url,omitempty"`
	Package         text       `json:"package,omitempty"`
	Requires        text       `json:"requires,omitempty"`
	RequiresPHP     text       `json:"requires_php,omitempty"`
	RequiresPlugins list[text] `json:"requires_plugins,omitempty"`
	UpgradeNotice   text       `json:"upgrade_notice,omitempty"`
}

type translationWire struct {
	Type     text `json:"type"` // "core", "plugin", "theme"
	Slug     text `json:"slug"`
	Language text `json:"language"`
	Version  text `json:"version"` // of what is translated
	Updated  text `json:"updated"` // "2020-03-22 04:52:48": what identifies the translation
	Package  text `json:"package"`
}

// infoWire answers plugins/info/1.2.
type infoWire struct {
	Name        text `json:"name"`
	Slug        text `json:"slug"`
	Author      text `json:"author"` // HTML link
	Homepage    text `json:"homepage"`
	Error       text `json:"error"` // "closed", "Plugin not found."
	ClosedDate  text `json:"closed_date"`
	Reason      text `json:"reason"`
	ReasonText  text `json:"reason_text"`
	Description text `json:"description"`
}

// decode reads an answer that has to be an object with one of the keys.
// CodeRefused otherwise: an error page is not an answer without updates.
func decode(body []byte, into any, keys ...string) error {
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(body, &parts); err != nil {
		return upkeep.Errorf(upkeep.CodeRefused, "the answer is not json: %w", err)
	}
	if !slices.ContainsFunc(keys, func(key string) bool { return parts[key] != nil }) {
		return upkeep.Errorf(upkeep.CodeRefused, "the answer has none of %s", strings.Join(keys, ", "))
	}
	if err := json.Unmarshal(body, into); err != nil {
		return upkeep.Errorf(upkeep.CodeRefused, "the answer cannot be read: %w", err)
	}
	return nil
}

var (
	versionForm = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z.+_~ -]{0,63}$`)
	slugForm    = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z._-]{0,199}$`)
	localeForm  = regexp.MustCompile(`^[a-z]{2,3}(_[A-Za-z0-9]{2,12}){0,2}$`)
	updatedForm = regexp.MustCompile(`^\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?([+-]\d{4})?$`)
)

// version returns a version, or "" for what cannot be one.
func (t text) version() upkeep.Version {
	if !versionForm.MatchString(string(t)) {
		return ""
	}
	return upkeep.Version(t)
}

// cut returns at most n bytes of prose, whole characters.
func (t text) cut(n int) string {
	if len(t) <= n {
		return string(t)
	}
	return strings.ToValidUTF8(string(t[:n]), "")
}

// link returns a web address, or "".
func (t text) link() string {
	u, err := url.Parse(string(t))
	if err != nil || len(t) > 2048 || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return ""
	}
	return string(t)
}

// packageURL returns the address of a package, or "" unless it is one of
// wordpress.org or of the mirror in use.
func (p *Publisher) packageURL(t text) string {
	link := t.link()
	if u, err := url.Parse(link); err != nil || !slices.Contains(p.hosts, u.Host) {
		return ""
	}
	return link
}
