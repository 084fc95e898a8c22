package dokuwiki

import (
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // it is how the repository tells authors apart
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/feed"
)

// perBatch is how many extensions one request asks for.
const perBatch = 200

// nameForm is what DokuWiki takes as the name of a plugin or template.
var nameForm = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]{0,99}$`)

// repositoryID is what the repository calls a component, "" for what it must
// not be asked about: what comes with DokuWiki is updated with it.
func repositoryID(c *upkeep.Component) string {
	if c.Headers["bundled"] != "" || !nameForm.MatchString(c.Slug) {
		return ""
	}
	switch c.Kind {
	case upkeep.Plugin:
		return c.Slug
	case upkeep.Theme:
		return "template:" + c.Slug
	}
	return ""
}

// extension is a plugin or template that any number of sites have.
type extension struct {
	id      string
	known   bool
	record  record
	fetched time.Time
	stale   bool
}

// record is what the repository says of one extension; without an ID it does
// not know it.
type record struct {
	ID       string   `json:"id,omitempty"`
	Name     string   `json:"name,omitempty"`
	Author   string   `json:"author,omitempty"`
	EmailID  string   `json:"email_id,omitempty"`
	Updated  string   `json:"updated,omitempty"`
	Package  string   `json:"package,omitempty"`
	Issue    string   `json:"issue,omitempty"`
	Warning  string   `json:"warning,omitempty"`
	Message  string   `json:"message,omitempty"`
	Bundled  bool     `json:"bundled,omitempty"`
	Obsolete bool     `json:"obsolete,omitempty"`
	PHPMin   string   `json:"php_min,omitempty"`
	PHPMax   string   `json:"php_max,omitempty"`
	Depends  []string `json:"depends,omitempty"`
	Conflict []string `json:"conflicts,omitempty"`
}

func (e *extension) key() string { return "dokuwiki.org/1/" + e.id }

// askExtensions answers from memory what is young enough and asks the rest.
func (c *check) askExtensions(ctx context.Context) error {
	var open []*extension
	for _, id := range slices.Sorted(maps.Keys(c.extensions)) {
		e := c.extensions[id]
		if err := e.recall(ctx, c.publisher); err != nil {
			return err
		}
		if !e.known || e.stale {
			open = append(open, e)
		}
	}
	for batch := range slices.Chunk(open, perBatch) {
		if err := c.problem(ctx, c.askBatch(ctx, batch)); err != nil {
			return err
		}
	}
	return nil
}

// recall takes what is remembered; it is stale until asked anew when too old.
func (e *extension) recall(ctx context.Context, p *Publisher) error {
	entry, err := p.client.Cache().Get(ctx, e.key())
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if json.Unmarshal(entry.Body, &e.record) != nil {
		return nil // asked anew
	}
	e.known, e.fetched = true, entry.Fetched
	e.stale = p.o.MaxAge <= 0 || entry.Age(p.client.Clock()()) >= p.o.MaxAge
	return nil
}

// askBatch asks for some extensions in one request and remembers each answer,
// also that the repository does not know one.
func (c *check) askBatch(ctx context.Context, batch []*extension) (err error) {
	defer upkeep.Wrap(&err, "ask for %d extensions", len(batch))
	p := c.publisher
	form := url.Values{"fmt": {"json"}}
	for _, e := range batch {
		form.Add("ext[]", e.id)
	}
	answer, err := p.client.Ask(ctx, feed.Request{URL: p.o.Repository, Form: form, Once: true})
	if err != nil {
		return err
	}
	var items []map[string]any
	if answer.Status != http.StatusOK || json.Unmarshal(answer.Body, &items) != nil {
		return upkeep.Errorf(upkeep.CodeRefused, "the answer is no list of extensions (status %d)", answer.Status)
	}
	said := map[string]record{}
	for _, item := range items {
		if r := readItem(item); r.ID != "" {
			said[r.ID] = r
		}
	}
	for _, e := range batch {
		e.record, e.known, e.fetched, e.stale = said[e.id], true, answer.Fetched, false
		body, err := json.Marshal(e.record)
		if err != nil {
			return err
		}
		if err := p.client.Cache().Put(ctx, e.key(), feed.Entry{Status: http.StatusOK, Body: body, Fetched: answer.Fetched}); err != nil {
			return err
		}
	}
	return nil
}

// text is a value that PHP wrote, as text; "" for what is none.
func text(value any) string {
	switch v := value.(type) {
	case string:
		if len(v) > 4000 {
			v = v[:4000]
		}
		return strings.ToValidUTF8(strings.TrimSpace(v), "?")
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return ""
}

// list is a list that PHP wrote: an array, an object when it has gaps, or one
// string with commas.
func list(value any) []string {
	var parts []any
	switch v := value.(type) {
	case string:
		for part := range strings.SplitSeq(v, ",") {
			parts = append(parts, part)
		}
	case []any:
		parts = v
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, v[key])
		}
	}
	var texts []string
	for _, part := range parts {
		if t := text(part); t != "" && len(texts) < 50 {
			texts = append(texts, t)
		}
	}
	return texts
}

func readItem(item map[string]any) record {
	bundled, _ := item["bundled"].(bool)
	return record{
		ID: text(item["plugin"]), Name: text(item["name"]), Author: text(item["author"]), EmailID: text(item["emailid"]),
		Updated: text(item["lastupdate"]), Package: address(text(item["downloadurl"])),
		Issue: text(item["securityissue"]), Warning: text(item["securitywarning"]), Message: text(item["updatemessage"]),
		Bundled: bundled, Obsolete: slices.Contains(list(item["tags"]), "!obsolete"),
		PHPMin: text(item["phpmin"]), PHPMax: text(item["phpmax"]), Depends: list(item["depends"]), Conflict: list(item["conflicts"]),
	}
}

// answer adds to a site's answer what is known about its component.
func (e *extension) answer(said *feed.SiteAnswer, c *upkeep.Component, site *upkeep.Inventory) {
	if !e.known {
		said.Stale = true
		return
	}
	said.Age(e.fetched, e.stale)
	r := &e.record
	if r.ID == "" || r.Bundled {
		return
	}
	if r.stranger(c) {
		said.Findings = append(said.Findings, upkeep.Finding{Code: "same_slug_stranger", Component: c.Ref(), Detail: cmp.Or(r.Name, r.ID)})
		return
	}
	r.judge(said, c, site)
	if r.Issue != "" {
		said.Closed = append(said.Closed, upkeep.Closed{Kind: c.Kind, Slug: c.Slug, Reason: r.Issue})
	}
	if r.Updated == "" {
		return
	}
	release := upkeep.Release{
		Kind: c.Kind, Slug: c.Slug, ID: c.ID, Version: upkeep.Version(r.Updated), Package: r.Package, Source: Source,
		Checked: e.fetched, Notice: r.Message, URL: "https://www.dokuwiki.org/" + page(c),
		RequiresPHP: upkeep.Version(r.PHPMin), Security: strings.Contains(strings.ToLower(r.Message), "security"),
	}
	for _, id := range r.Depends {
		if nameForm.MatchString(id) { // templates have a prefix; nothing depends on one
			release.RequiresComponents = append(release.RequiresComponents, id)
		}
	}
	said.Releases = append(said.Releases, release)
}

// page is an extension's page in the repository.
func page(c *upkeep.Component) string {
	if c.Kind == upkeep.Theme {
		return "template:" + url.PathEscape(c.Slug)
	}
	return "plugin:" + url.PathEscape(c.Slug)
}

// stranger reports whether the repository's extension has nothing in common
// with the installed one but its name: one's own plugin may well be called
// like a published one.
func (r *record) stranger(c *upkeep.Component) bool {
	if r.Author == "" && r.EmailID == "" || c.Headers["author"] == "" && c.Headers["email"] == "" {
		return false // nothing to compare
	}
	sum := md5.Sum([]byte(c.Headers["email"])) //nolint:gosec // see the import
	same := func(a, b string) bool { return a != "" && strings.EqualFold(a, b) }
	return !same(r.Author, c.Headers["author"]) && !same(r.EmailID, hex.EncodeToString(sum[:])) && !same(r.Name, c.Headers["name"]) &&
		!strings.HasSuffix(strings.ToLower(c.Headers["url"]), "dokuwiki.org/"+strings.ToLower(page(c)))
}

// judge adds what the owner should know of an extension.
func (r *record) judge(said *feed.SiteAnswer, c *upkeep.Component, site *upkeep.Inventory) {
	find := func(code, detail string, blocks bool) {
		said.Findings = append(said.Findings, upkeep.Finding{Code: code, Component: c.Ref(), Detail: detail, Blocks: blocks})
	}
	if r.Warning != "" {
		find("security_warning", r.Warning, false)
	}
	if r.Obsolete {
		find("obsolete", "", false)
	}
	if r.PHPMax != "" && site.PHP != "" && newer(string(site.PHP), r.PHPMax) {
		find("php_too_new", r.PHPMax, true)
	}
	for _, id := range r.Conflict {
		if slices.ContainsFunc(site.Components, func(other upkeep.Component) bool { return repositoryID(&other) == id && other.Active }) && c.Active {
			find("conflict", id, false)
		}
	}
}

// newer reports whether a PHP is beyond what an extension knows: "8.1" means
// any 8.1.
func newer(have, most string) bool {
	a, b := strings.Split(have, "."), strings.Split(most, ".")
	for i := range min(len(a), len(b)) {
		x, errX := strconv.Atoi(a[i])
		y, errY := strconv.Atoi(b[i])
		if errX != nil || errY != nil || x < y {
			return false
		}
		if x > y {
			return true
		}
	}
	return false
}
