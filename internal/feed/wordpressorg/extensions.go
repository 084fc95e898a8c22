package wordpressorg

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/feed"
)

// question is a question about a plugin or theme that any number of sites
// share: the same file with the same headers and wanted locales.
type question struct {
	key     string // in the cache
	kind    upkeep.Kind
	id      string // plugin file or theme folder
	slug    string // folder, or file without .php
	headers map[string]string
	locales []string

	known   bool
	record  record
	fetched time.Time
	stale   bool

	info       *infoWire // of plugins that are absent or doubtful; nil when not asked
	confidence Confidence
}

// record is what is remembered about one question.
type record struct {
	Item         *itemWire         `json:"item,omitempty"` // nil: wordpress.org does not know it
	Translations []translationWire `json:"translations,omitempty"`
}

// askable is false for what wordpress.org must not be asked about: it has no
// say in components that name another publisher, or none.
func askable(c *upkeep.Component) bool {
	return (c.Kind == upkeep.Plugin || c.Kind == upkeep.Theme) && c.ID != "" && !Foreign(c.UpdateURI)
}

func newQuestion(key string, c *upkeep.Component, locales []string) *question {
	return &question{key: key, kind: c.Kind, id: c.ID, slug: folder(c.ID), headers: wireHeaders(c), locales: locales}
}

// questionKey is the same for components that the same answer fits. A fleet
// has ten thousands of them, most of them alike, so it is made of the fields
// directly. Lengths keep neighbouring fields apart.
func questionKey(c *upkeep.Component, locales []string) string {
	fields := []string{string(c.Kind), c.ID, c.Name, string(c.Version), c.UpdateURI, c.Parent,
		string(c.RequiresCMS), string(c.RequiresPHP), strings.Join(c.RequiresComponents, ","), strings.Join(locales, ",")}
	for _, name := range [...]string{"Name", "Plugin Name", "Theme Name", "Author", "AuthorURI", "Author URI",
		"PluginURI", "Plugin URI", "Description", "TextDomain", "Text Domain", "DomainPath", "Domain Path"} {
		fields = append(fields, c.Headers[name])
	}
	text := make([]byte, 0, 1024)
	for _, field := range fields {
		text = strconv.AppendInt(text, int64(len(field)), 10)
		text = append(append(text, ':'), field...)
	}
	sum := sha256.Sum256(text)
	return "wordpress.org/1/" + hex.EncodeToString(sum[:])
}

// Foreign reports whether an Update URI header names somebody other than
// wordpress.org, or nobody ("false").
func Foreign(updateURI string) bool {
	updateURI = strings.TrimSpace(updateURI)
	if updateURI == "" {
		return false
	}
	if !strings.Contains(updateURI, "://") {
		updateURI = "https://" + updateURI // the header may leave it out: "w.org/plugin/akismet"
	}
	u, err := url.Parse(updateURI)
	if err != nil {
		return true
	}
	host := strings.ToLower(strings.TrimPrefix(u.Hostname(), "www."))
	return host != "wordpress.org" && host != "w.org"
}

// folder is the slug that a plugin file or theme folder stands for.
func folder(id string) string {
	dir, _, found := strings.Cut(id, "/")
	if !found {
		return strings.TrimSuffix(id, ".php")
	}
	return dir
}

// header returns the first of the names that a component's file has, by the
// name in the file or by the key that WordPress gives it.
func header(c *upkeep.Component, names ...string) string {
	for _, name := range names {
		if value := c.Headers[name]; value != "" {
			return value
		}
	}
	return ""
}

// wireHeaders is what WordPress itself would send.
func wireHeaders(c *upkeep.Component) map[string]string {
	name := cmp.Or(header(c, "Name", "Plugin Name", "Theme Name"), c.Name)
	h := map[string]string{
		"Name": name, "Title": name, "Version": string(c.Version),
		"Author": header(c, "Author"), "AuthorName": header(c, "Author"), "UpdateURI": c.UpdateURI,
	}
	if c.Kind == upkeep.Theme {
		h["Author URI"] = header(c, "AuthorURI", "Author URI")
		h["Template"], h["Stylesheet"] = cmp.Or(c.Parent, c.ID), c.ID
		return h
	}
	h["PluginURI"] = header(c, "PluginURI", "Plugin URI")
	h["AuthorURI"] = header(c, "AuthorURI", "Author URI")
	h["Description"] = header(c, "Description")
	h["TextDomain"] = header(c, "TextDomain", "Text Domain")
	h["DomainPath"] = header(c, "DomainPath", "Domain Path")
	h["RequiresWP"], h["RequiresPHP"] = string(c.RequiresCMS), string(c.RequiresPHP)
	h["RequiresPlugins"] = strings.Join(c.RequiresComponents, ", ")
	return h
}

// askExtensions answers from memory what is young enough and asks the rest.
func (c *check) askExtensions(ctx context.Context) error {
	var open []*question
	for _, key := range slices.Sorted(maps.Keys(c.questions)) {
		q := c.questions[key]
		if err := q.recall(ctx, c.publisher); err != nil {
			return err
		}
		if !q.known || q.stale {
			open = append(open, q)
		}
	}
	return forEach(ctx, batches(open), func(ctx context.Context, batch []*question) error {
		if err := c.askBatch(ctx, batch); err != nil {
			return c.problem(ctx, err)
		}
		return nil
	})
}

// recall takes what is remembered; it is stale until asked anew when too old.
func (q *question) recall(ctx context.Context, p *Publisher) error {
	entry, err := p.client.Cache().Get(ctx, q.key)
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	if json.Unmarshal(entry.Body, &q.record) != nil {
		return nil // asked anew
	}
	q.known, q.fetched = true, entry.Fetched
	q.stale = p.o.MaxAge <= 0 || entry.Age(p.client.Clock()()) >= p.o.MaxAge
	return nil
}

// batches groups questions that fit one request: the same kind and locales,
// and no file twice, since the request is a map by file.
func batches(open []*question) [][]*question {
	type slot struct {
		group string
		round int
	}
	seen := make(map[string]int)
	slots := make(map[slot][]*question)
	var order []slot
	for _, q := range open {
		group := string(q.kind) + " " + strings.Join(q.locales, " ")
		at := slot{group, seen[group+" "+q.id]}
		seen[group+" "+q.id]++
		if slots[at] == nil {
			order = append(order, at)
		}
		slots[at] = append(slots[at], q)
	}
	var out [][]*question
	for _, at := range order {
		out = slices.AppendSeq(out, slices.Chunk(slots[at], perBatch))
	}
	return out
}

// askBatch asks one request's worth of questions and remembers each answer.
func (c *check) askBatch(ctx context.Context, batch []*question) (err error) {
	defer upkeep.Wrap(&err, "check %d of kind %s", len(batch), batch[0].kind)
	p := c.publisher
	answer, err := p.client.Ask(ctx, batchRequest(p.o.API, batch))
	if err != nil {
		return err
	}
	if answer.Status != http.StatusOK {
		return upkeep.Errorf(upkeep.CodeRefused, "status %d", answer.Status)
	}
	var wire extensionsWire
	if err := decode(answer.Body, &wire, "plugins", "themes"); err != nil {
		return err
	}
	for _, q := range batch {
		q.record = wire.about(q)
		q.known, q.fetched, q.stale = true, answer.Fetched, false
		body, err := json.Marshal(q.record)
		if err != nil {
			return err
		}
		entry := feed.Entry{Status: http.StatusOK, Body: body, Fetched: answer.Fetched}
		if err := p.client.Cache().Put(ctx, q.key, entry); err != nil {
			return err
		}
	}
	return nil
}

// batchRequest is the request as WordPress writes it, but for what tells
// which site asks: which plugins are active, and installed translations.
func batchRequest(api string, batch []*question) feed.Request {
	byID := make(map[string]map[string]string, len(batch))
	for _, q := range batch {
		byID[q.id] = q.headers
	}
	form := url.Values{"translations": {"[]"}, "locale": {encode(batch[0].locales)}}
	if batch[0].kind == upkeep.Theme {
		form.Set("themes", encode(map[string]any{"active": batch[0].id, "themes": byID}))
		return feed.Request{URL: api + "/themes/update-check/1.1/", Form: form, Once: true}
	}
	form.Set("plugins", encode(map[string]any{"plugins": byID, "active": []string{}}))
	form.Set("all", "true")
	return feed.Request{URL: api + "/plugins/update-check/1.1/", Form: form, Once: true}
}

func encode(value any) string {
	out, err := json.Marshal(value)
	if err != nil || string(out) == "null" {
		return "[]"
	}
	return string(out)
}

// about picks what the answer says about one question.
func (w *extensionsWire) about(q *question) record {
	offered := w.Plugins
	if q.kind == upkeep.Theme {
		offered = w.Themes
	}
	var r record
	slug := q.slug
	for _, from := range []table[itemWire]{offered, w.NoUpdate} {
		item, ok := from[q.id]
		if !ok || item.NewVersion.version() == "" {
			continue
		}
		if published := cmp.Or(item.Slug, item.Theme); published != "" {
			slug = string(published)
		}
		r.Item = &item
		break
	}
	for _, t := range w.Translations {
		if string(t.Type) == string(q.kind) && (string(t.Slug) == slug || string(t.Slug) == q.slug) {
			r.Translations = append(r.Translations, t)
		}
	}
	return r
}

// answer adds to a site's answer what is known about its component.
func (q *question) answer(site *SiteAnswer, c *upkeep.Component, p *Publisher) {
	if !q.known {
		site.Missing = append(site.Missing, c.Ref())
		site.Stale = true
		return
	}
	site.Age(q.fetched, q.stale)
	if q.record.Item == nil {
		q.answerAbsent(site, c)
		return
	}
	if q.confidence == Stranger {
		site.Unknown = append(site.Unknown, c.Ref())
		site.Findings = append(site.Findings, upkeep.Finding{
			Code: "same_slug_stranger", Component: c.Ref(), Detail: q.info.Name.cut(200),
		})
		return
	}
	release := q.record.Item.release(c, p, q.fetched)
	if release.Slug == "" {
		site.Unknown = append(site.Unknown, c.Ref())
		return
	}
	site.Confidence[c.Ref()] = q.confidence
	site.Releases = append(site.Releases, release)
	for i := range q.record.Translations {
		t := &q.record.Translations[i]
		site.addLanguage(t, string(t.Slug), p, q.fetched) // the domain that its files are named after
	}
}

// release is the zero value when the item cannot be used: a package from
// elsewhere than wordpress.org is none of its releases.
func (w *itemWire) release(c *upkeep.Component, p *Publisher, checked time.Time) upkeep.Release {
	slug := string(cmp.Or(w.Slug, w.Theme, text(c.Slug)))
	address := p.packageURL(w.Package)
	if !slugForm.MatchString(slug) || address == "" && w.Package != "" {
		return upkeep.Release{}
	}
	r := upkeep.Release{
		Kind: c.Kind, Slug: slug, ID: c.ID, Version: w.NewVersion.version(), Package: address,
		Source: Source, Checked: checked, URL: w.URL.link(), Notice: w.UpgradeNotice.cut(2000),
		RequiresCMS: w.Requires.version(), RequiresPHP: w.RequiresPHP.version(),
	}
	for _, required := range w.RequiresPlugins {
		if slugForm.MatchString(string(required)) && len(r.RequiresComponents) < 50 {
			r.RequiresComponents = append(r.RequiresComponents, string(required))
		}
	}
	return r
}
