package joomla

import (
	"context"
	"encoding/json"
	"strconv"

	"upkeep"
)

// lists are joomla.org's lists of releases of core before 5.1: those of the
// installed major version, then those of the next one.
var lists = [...]string{"/core/list.xml", "/core/sts/list_sts.xml"}

// askLists asks for releases of core as Joomla up to 5.0 does.
func (c *check) askLists(ctx context.Context) error {
	like := *c.core
	like.Headers = map[string]string{"type": "file", "element": "joomla", "client": "site"}
	seen := map[string]bool{}
	for _, list := range lists {
		d, err := c.ask(ctx, c.o.Updates+list)
		if err != nil {
			return err
		}
		if d == nil {
			continue
		}
		for i := range d.Entries {
			details, fits := c.entry(&like, &d.Entries[i])
			if !fits || seen[details] {
				continue
			}
			seen[details] = true
			d, err := c.ask(ctx, c.mirrored(details))
			if err != nil {
				return err
			}
			if d != nil {
				c.offerCore(&like, d)
			}
		}
	}
	return nil
}

func (c *check) offerCore(like *upkeep.Component, d *document) {
	for i := range d.Updates {
		u := &d.Updates[i]
		platform := last(u.Platform)
		if platform == nil || u.stability() < c.least() || said(u.Element) != "joomla" || said(u.Type) != "file" {
			continue
		}
		if expression, _ := platform.attr("version"); !c.fits(like, expression, said(u.Version)) {
			continue
		}
		if release, ok := c.release(u); ok {
			release.Package = c.mirrored(address(u.download()))
			c.addCore(release)
		}
	}
}

func (c *check) addCore(r upkeep.Release) {
	r.Kind, r.Slug, r.Source, r.Branch = upkeep.Core, "joomla", Source, c.o.Branch(string(r.Version))
	r.ByHand = r.Branch != "3" && c.o.Branch(string(c.core.Version)) == "3"
	c.said.Releases = append(c.said.Releases, r)
}

// least is the least stability of core that the owner takes.
func (c *check) least() int {
	if level, err := strconv.Atoi(c.core.Headers["stability"]); err == nil {
		return level
	}
	return 4
}

// target is what the repository says of a package besides its hashes.
type target struct {
	Element   string `json:"element"`
	Type      string `json:"type"`
	Version   string `json:"version"`
	Channel   string `json:"channel"`
	Stability string `json:"stability"`
	Platform  struct {
		Name    string `json:"name"`
		Version string `json:"version"`
	} `json:"targetplatform"`
	PHP       string            `json:"php_minimum"`
	Databases map[string]string `json:"supported_databases"`
	Downloads []struct {
		URL string `json:"url"`
	} `json:"downloads"`
	Info struct {
		URL string `json:"url"`
	} `json:"infourl"`
}

// askRepository asks for releases of core as Joomla from 5.1 on does: every
// package that the repository signs for this Joomla. Those of the next major
// version are offered too, and become a quote.
func (c *check) askRepository(ctx context.Context) error {
	targets, err := c.targets(ctx)
	if err != nil || targets == nil {
		return err
	}
	for _, signed := range targets {
		var t target
		if json.Unmarshal(signed.custom, &t) != nil || t.Element != "joomla" || t.Type != "file" || t.Platform.Name != "joomla" || stabilityOf(t.Stability) < c.least() {
			continue // what cannot be read is for a later Joomla
		}
		if !c.fits(c.core, t.Platform.Version, t.Version) {
			continue
		}
		want, supported := databaseOf(t.Databases, c.site.Database)
		if !supported || t.Version == "" {
			continue
		}
		release := upkeep.Release{
			Version: upkeep.Version(t.Version), Checked: c.said.Checked, URL: address(t.Info.URL),
			RequiresPHP: upkeep.Version(t.PHP), RequiresDatabase: upkeep.Version(want), Hashes: signed.hashes,
		}
		if len(t.Downloads) > 0 {
			release.Package = c.mirrored(address(t.Downloads[0].URL))
		}
		c.addCore(release)
	}
	return nil
}
