package inventory

import (
	"cmp"
	"net/url"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/cms/php"
)

// addVendors keeps the updates that vendors' own updaters recorded in the
// site. Only code of the site can ask those vendors; what it was told last is
// in the records that WordPress keeps.
func (s *survey) addVendors() {
	for kind, name := range map[upkeep.Kind]string{
		upkeep.Plugin: "_site_transient_update_plugins", upkeep.Theme: "_site_transient_update_themes",
	} {
		recorded := s.stored(name, s.records.site(name))
		checked := time.Unix(number(recorded.Get("last_checked").Text()), 0).UTC()
		for i := range s.components {
			c := &s.components[i]
			if c.Kind != kind {
				continue
			}
			if release := vendorRelease(c, recorded.Get("response", c.ID)); release != nil {
				release.Checked = checked
				c.Vendor = release
			}
		}
	}
}

// vendorRelease returns the update that item offers, nil when there is none,
// it is not newer, or wordpress.org published it.
func vendorRelease(c *upkeep.Component, item *php.Value) *upkeep.Release {
	version := item.Get("new_version").Text()
	if version == "" || c.UpdateURI == "false" || php.CompareVersions(version, string(c.Version)) <= 0 {
		return nil
	}
	source := vendorOf(c, item)
	if source == "" {
		return nil
	}
	release := &upkeep.Release{
		Kind: c.Kind, Slug: cmp.Or(item.Get("slug").Text(), item.Get("theme").Text(), c.Slug),
		Version: upkeep.Version(version), Package: webAddress(item.Get("package").Text()), Source: source,
		URL: webAddress(item.Get("url").Text()), Notice: plainText(item.Get("upgrade_notice").Text()),
		RequiresCMS: upkeep.Version(item.Get("requires").Text()), RequiresPHP: upkeep.Version(item.Get("requires_php").Text()),
	}
	for _, slug := range item.Get("requires_plugins").All() {
		if slugForm.MatchString(slug.Text()) {
			release.RequiresComponents = append(release.RequiresComponents, slug.Text())
		}
	}
	return release
}

// vendorOf returns the host that publishes the component, "" for
// wordpress.org. The package decides: vendors copy the other fields.
func vendorOf(c *upkeep.Component, item *php.Value) string {
	if c.UpdateURI != "" {
		if own := hostOf(c.UpdateURI); !publicHost(own) {
			return own
		}
		return ""
	}
	if host := hostOf(item.Get("package").Text()); host != "" {
		if publicHost(host) {
			return ""
		}
		return host
	}
	if strings.HasPrefix(item.Get("id").Text(), "w.org/") {
		return ""
	}
	// No package: a licence is missing. wordpress.org never leaves it out.
	for _, address := range []string{item.Get("url").Text(), c.Headers["PluginURI"], c.Headers["ThemeURI"], c.Headers["AuthorURI"]} {
		if host := hostOf(address); host != "" && !publicHost(host) {
			return host
		}
	}
	return "vendor"
}

// hostOf is the host of an address, which may lack its scheme.
func hostOf(address string) string {
	address = strings.TrimSpace(address)
	if address == "" {
		return ""
	}
	if !strings.Contains(address, "://") {
		address = "https://" + address
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(strings.TrimPrefix(u.Hostname(), "www."))
}

func publicHost(host string) bool {
	return host == "w.org" || host == "wordpress.org" || strings.HasSuffix(host, ".wordpress.org") || strings.HasSuffix(host, ".w.org")
}

// webAddress returns an address of the web and "" for anything else.
func webAddress(address string) string {
	if !absolute(address) {
		return ""
	}
	return address
}

// noticeBytes bounds what is kept of a vendor's notice.
const noticeBytes = 500

func plainText(text string) string {
	return strings.ToValidUTF8(text[:min(len(text), noticeBytes)], "")
}
