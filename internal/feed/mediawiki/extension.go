package mediawiki

import (
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/feed"
)

// perBatch is how many extensions one request asks for: so many values the API
// takes.
const perBatch = 50

var (
	nameForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$`)
	branchForm  = regexp.MustCompile(`^REL(\d{1,3})_(\d{1,3})$`)
	archiveForm = regexp.MustCompile(`-([0-9a-f]{7,40})\.tar\.gz$`)
)

// archiveOf is what ExtensionDistributor calls a component, "" for what it must
// not be asked about: what comes with MediaWiki is updated with it, and of what
// was not taken from there nobody can tell whether it is older. One that was
// unpacked over what came with MediaWiki goes on its own way.
func archiveOf(c *upkeep.Component) string {
	if c.Headers["revision"] == "" || c.Headers["composer"] != "" || !nameForm.MatchString(c.ID) {
		return ""
	}
	switch c.Kind {
	case upkeep.Plugin:
		return "extensions/" + c.ID
	case upkeep.Theme:
		return "skins/" + c.ID
	}
	return ""
}

// extension is an extension or skin that any number of sites have.
type extension struct {
	archives map[string]string // branch → address
	known    bool
	fetched  time.Time
	stale    bool
}

// collect notes what has to be asked for a site, once for all sites.
func (c *check) collect(site *upkeep.Inventory) {
	for i := range site.Components {
		if key := archiveOf(&site.Components[i]); key != "" && c.extensions[key] == nil {
			c.extensions[key] = &extension{}
		}
	}
}

// askExtensions asks where the archives of all of them are.
func (c *check) askExtensions(ctx context.Context) error {
	for _, kind := range []string{"extensions", "skins"} {
		var names []string
		for _, key := range slices.Sorted(maps.Keys(c.extensions)) {
			if name, ok := strings.CutPrefix(key, kind+"/"); ok {
				names = append(names, name)
			}
		}
		for batch := range slices.Chunk(names, perBatch) {
			if err := c.problem(ctx, c.askBatch(ctx, kind, batch)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *check) askBatch(ctx context.Context, kind string, names []string) (err error) {
	defer upkeep.Wrap(&err, "ask for %d extensions", len(names))
	p := c.publisher
	parameter := map[string]string{"extensions": "edbexts", "skins": "edbskins"}[kind]
	query := url.Values{"action": {"query"}, "list": {"extdistbranches"}, parameter: {strings.Join(names, "|")}, "format": {"json"}}
	answer, err := p.client.Ask(ctx, feed.Request{URL: p.o.API + "?" + query.Encode(), MaxAge: p.o.MaxAge, Limit: 4 << 20, Valid: func(entry *feed.Entry) error {
		if _, err := readArchives(entry, kind); err != nil {
			return err
		}
		return nil
	}})
	if err != nil {
		return err
	}
	found, err := readArchives(&answer.Entry, kind)
	if err != nil {
		return err
	}
	for _, name := range names {
		*c.extensions[kind+"/"+name] = extension{archives: found[name], known: true, fetched: answer.Fetched, stale: answer.Stale}
	}
	return answer.Problem
}

// readArchives reads the API's answer: name → branch → address. PHP writes an
// empty object as a list.
func readArchives(entry *feed.Entry, kind string) (map[string]map[string]string, error) {
	var said struct {
		Query struct {
			Branches map[string]json.RawMessage `json:"extdistbranches"`
		} `json:"query"`
	}
	if entry.Status != http.StatusOK || json.Unmarshal(entry.Body, &said) != nil {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "the answer is no list of archives (status %d)", entry.Status)
	}
	var names map[string]json.RawMessage
	found := map[string]map[string]string{}
	if json.Unmarshal(said.Query.Branches[kind], &names) != nil {
		return found, nil
	}
	for name, raw := range names {
		var values map[string]any
		if json.Unmarshal(raw, &values) != nil {
			continue
		}
		found[name] = map[string]string{}
		for branch, value := range values {
			match := branchForm.FindStringSubmatch(branch)
			if address, ok := value.(string); ok && match != nil && archiveForm.MatchString(address) && fetchable(address) {
				found[name][match[1]+"."+match[2]] = address
			}
		}
	}
	return found, nil
}

func fetchable(address string) bool {
	u, err := url.Parse(address)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && len(address) <= 2000
}

// answerExtension adds the archives for the branches that a site may be on:
// that of its MediaWiki, and those that are offered.
func (c *check) answerExtension(ctx context.Context, said *feed.SiteAnswer, e *extension, component *upkeep.Component, own string) error {
	if !e.known {
		said.Stale = true
		return nil
	}
	said.Age(e.fetched, e.stale)
	offered := map[string]bool{own: true}
	for i := range said.Releases {
		if said.Releases[i].Kind == upkeep.Core {
			offered[said.Releases[i].Branch] = true
		}
	}
	for _, branch := range slices.Sorted(maps.Keys(e.archives)) {
		if !offered[branch] {
			continue
		}
		address := e.archives[branch]
		version, err := c.snapshot(ctx, component, branch, address)
		if err := c.problem(ctx, err); err != nil {
			return err
		}
		if version == "" {
			said.Stale = said.Stale || err != nil
			continue
		}
		page := "Extension:"
		if component.Kind == upkeep.Theme {
			page = "Skin:"
		}
		said.Releases = append(said.Releases, upkeep.Release{
			Kind: component.Kind, Slug: component.Slug, ID: component.ID, Version: upkeep.Version(version), Package: address, Source: Source,
			Checked: e.fetched, RequiresCMS: upkeep.Version(branch), URL: "https://www.mediawiki.org/wiki/" + page + url.PathEscape(component.ID),
		})
	}
	return nil
}

// snapshot is the version of an archive: when its commit was made stands only
// inside. It is fetched once for the fleet, and not at all where the installed
// one is of the same commit.
func (c *check) snapshot(ctx context.Context, component *upkeep.Component, branch, address string) (_ string, err error) {
	defer upkeep.Wrap(&err, "archive of %s for %s", component.ID, branch)
	p := c.publisher
	revision := archiveForm.FindStringSubmatch(address)[1]
	if own := component.Headers["revision"]; strings.HasPrefix(own, revision) || strings.HasPrefix(revision, own) {
		return string(component.Version), nil
	}
	key := Source + "/1/" + address
	if entry, err := p.client.Cache().Get(ctx, key); err == nil {
		return string(entry.Body), nil
	} else if upkeep.CodeOf(err) != upkeep.CodeNotFound {
		return "", err
	}
	if p.o.Packages == nil {
		return "", nil
	}
	pkg, err := p.o.Packages.Fetch(ctx, upkeep.Release{Kind: component.Kind, Slug: component.Slug, Version: upkeep.Version(revision), Package: address, Source: Source}, nil)
	if err != nil {
		return "", err
	}
	version := ""
	err = feed.Tarball(pkg.Path, func(name string, content io.Reader) (bool, error) {
		if name != "version" {
			return true, nil
		}
		text, err := io.ReadAll(io.LimitReader(content, 4096))
		version = p.o.Snapshot(text)
		return false, err
	})
	if err != nil {
		return "", err
	}
	return version, p.client.Cache().Put(ctx, key, feed.Entry{Status: http.StatusOK, Body: []byte(version), Fetched: p.client.Clock()()})
}
