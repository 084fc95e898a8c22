package joomla

import (
	"context"
	"encoding/json"
	"strconv"
	"strings"

	"upkeep"
)

// updateSite is where a site asks for updates of an extension, as its
// inventory says.
type updateSite struct {
	Type     string `json:"type"`
	Location string `json:"location"`
	Key      string `json:"key"`
	Enabled  bool   `json:"enabled"`
}

// askExtensions asks the update sites of everything that is updated by itself:
// not what comes with Joomla, nor what comes with a package.
func (c *check) askExtensions(ctx context.Context) error {
	for i := range c.site.Components {
		e := &c.site.Components[i]
		if e.Kind == upkeep.Core || e.Headers["bundled"] != "" || e.Headers["package"] != "" {
			continue
		}
		var sites []updateSite
		if json.Unmarshal([]byte(e.Headers["update_sites"]), &sites) != nil {
			continue
		}
		for _, site := range sites {
			if !site.Enabled || address(site.Location) == "" {
				continue
			}
			if err := c.askSite(ctx, e, site); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *check) askSite(ctx context.Context, e *upkeep.Component, site updateSite) error {
	d, err := c.ask(ctx, c.mirrored(address(site.Location)))
	if err != nil || d == nil {
		return err
	}
	c.offer(e, site, d)
	for i := range d.Entries {
		details, fits := c.entry(e, &d.Entries[i])
		if !fits {
			continue
		}
		d, err := c.ask(ctx, c.mirrored(details))
		if err != nil {
			return err
		}
		if d != nil {
			c.offer(e, site, d)
		}
	}
	return nil
}

// entry returns where a collection's entry leads when it is for the component
// on this Joomla.
func (c *check) entry(e *upkeep.Component, entry *text) (details string, fits bool) {
	get := func(name, otherwise string) string {
		if value, ok := entry.attr(name); ok && value != "" {
			return value
		}
		return otherwise
	}
	client := clientName(get("client", get("client_id", "")), "site")
	if !is(e, get("type", ""), get("element", ""), get("folder", ""), client) || get("targetplatform", "joomla") != "joomla" {
		return "", false
	}
	parts := strings.SplitN(string(c.core.Version), ".", 3)
	running := strings.Join(parts[:min(2, len(parts))], ".")
	if !c.fits(e, get("targetplatformversion", running), get("version", "")) {
		return "", false
	}
	details = address(get("detailsurl", ""))
	return details, details != ""
}

// is reports whether what a feed names is the component. Which application it
// belongs to matters where there may be one in each.
func is(e *upkeep.Component, kind, element, folder, client string) bool {
	if kind != e.Headers["type"] || element != e.Headers["element"] || folder != e.Headers["folder"] {
		return false
	}
	switch kind {
	case "module", "template", "language":
		return client == e.Headers["client"]
	}
	return true // Joomla compares it there too, and every vendor writes what it likes
}

// fits reports whether an expression matches the site's Joomla. One that
// cannot be evaluated is said to be so: there may be an update.
func (c *check) fits(e *upkeep.Component, expression, version string) bool {
	match, known := matches(expression, string(c.core.Version))
	if !known {
		c.said.Findings = append(c.said.Findings, upkeep.Finding{
			Code: "platform_unknown", Component: e.Ref(), Detail: strings.ToValidUTF8(version+" "+expression[:min(len(expression), 200)], "?"),
		})
	}
	return match
}

// offer adds the releases of a document that are of the component, fit the
// site's Joomla and are as stable as its owner wants.
func (c *check) offer(e *upkeep.Component, site updateSite, d *document) {
	least, err := strconv.Atoi(c.core.Headers["stability_of_extensions"])
	if err != nil {
		least = 4
	}
	for i := range d.Updates {
		u := &d.Updates[i]
		platform := last(u.Platform)
		if platform == nil || u.stability() < least || !is(e, said(u.Type), said(u.Element), said(u.Folder), clientName(said(u.Client), "administrator")) {
			continue
		}
		expression, _ := platform.attr("version")
		if name, _ := platform.attr("name"); name != "joomla" || !c.fits(e, expression, said(u.Version)) {
			continue
		}
		release, ok := c.release(u)
		if !ok {
			continue
		}
		release.Kind, release.Slug, release.ID = e.Kind, e.Slug, e.ID
		release.Source = hostOf(site.Location)
		release.Package, release.Key = address(u.download()), site.Key
		if e.Headers["key"] == "missing" {
			release.Package = "" // what comes without the key is a page that asks for it
		}
		c.said.Releases = append(c.said.Releases, release)
	}
}

// release is what a feed's update says, but for whose it is.
func (c *check) release(u *update) (upkeep.Release, bool) {
	r := upkeep.Release{
		Version: upkeep.Version(said(u.Version)), Checked: c.said.Checked, URL: address(said(u.Info)),
		RequiresPHP: upkeep.Version(said(u.PHP)), Hashes: u.hashes(),
	}
	want, ok := databaseOf(u.databases(), c.site.Database)
	r.RequiresDatabase = upkeep.Version(want)
	return r, ok && r.Version != "" && len(r.Version) < 100
}

// hostOf is the vendor's name: the host of the address.
func hostOf(location string) string {
	_, rest, _ := strings.Cut(location, "://")
	host, _, _ := strings.Cut(rest, "/")
	return strings.ToLower(strings.TrimPrefix(host, "www."))
}
