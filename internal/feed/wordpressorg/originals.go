package wordpressorg

import (
	"archive/zip"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"upkeep"
	"upkeep/internal/feed"
)

// maxFiles bounds the files of one component.
const maxFiles = 50_000

// Names that site owners and hosts change without touching the program.
var (
	coreSoft   = [...]string{"readme.html", "license.txt", "wp-config-sample.php"}
	pluginSoft = [...]string{"readme.txt", "readme.md", "README.txt", "README.md"}
)

// Originals returns what the files of the installed releases are, by ref.
// Components that wordpress.org publishes no hashes for are left out; so are
// those it could not be asked about, which the errors tell.
func (p *Publisher) Originals(ctx context.Context, components []upkeep.Component) (map[string]upkeep.Original, []error) {
	var (
		mu        sync.Mutex
		problems  []error
		originals = make(map[string]upkeep.Original)
	)
	_ = forEach(ctx, components, func(ctx context.Context, c upkeep.Component) error {
		original, err := p.original(ctx, &c)
		mu.Lock()
		defer mu.Unlock()
		if err != nil {
			problems = append(problems, err)
		} else if len(original.Files) > 0 {
			originals[c.Ref()] = original
		}
		return nil
	})
	return originals, problems
}

func (p *Publisher) original(ctx context.Context, c *upkeep.Component) (_ upkeep.Original, err error) {
	defer upkeep.Wrap(&err, "original files of %s %s", c.Ref(), c.Version)
	if c.Version == "" || Foreign(c.UpdateURI) {
		return upkeep.Original{}, nil
	}
	switch c.Kind {
	case upkeep.Core:
		return p.coreOriginal(ctx, c)
	case upkeep.Plugin:
		return p.pluginOriginal(ctx, c)
	case upkeep.Theme:
		return p.themeOriginal(ctx, c)
	}
	return upkeep.Original{}, nil
}

func (p *Publisher) coreOriginal(ctx context.Context, c *upkeep.Component) (upkeep.Original, error) {
	query := url.Values{"version": {string(c.Version)}, "locale": {cmp.Or(c.Locale, English)}}
	answer, err := p.client.Ask(ctx, feed.Request{
		URL: p.o.API + "/core/checksums/1.0/?" + query.Encode(), MaxAge: p.o.Details, Valid: holding("checksums"),
	})
	if err != nil || answer.Status != http.StatusOK {
		return upkeep.Original{}, err
	}
	var wire struct {
		Checksums table[text] `json:"checksums"` // false when unknown
	}
	if err := decode(answer.Body, &wire, "checksums"); err != nil {
		return upkeep.Original{}, err
	}
	original := upkeep.Original{Files: make(map[string][]string), Soft: slices.Clone(coreSoft[:])}
	for name, sum := range wire.Checksums {
		// What core brings below wp-content is updated apart from core.
		if !strings.HasPrefix(name, "wp-content/") {
			addFile(original.Files, name, sum)
		}
	}
	return original, nil
}

// holding accepts an answer with the key; a 404 is one as well.
func holding(key string) func(*feed.Entry) error {
	return func(entry *feed.Entry) error {
		if entry.Status != http.StatusOK {
			return nil
		}
		return decode(entry.Body, &struct{}{}, key)
	}
}

// pluginWire answers plugin-checksums. A tag that was zipped twice has two
// hashes for a file.
type pluginWire struct {
	Files table[struct {
		MD5    oneOrMany `json:"md5"`
		SHA256 oneOrMany `json:"sha256"`
	}] `json:"files"`
}

type oneOrMany []text

// UnmarshalJSON never fails: anything but a string or a list is nothing.
func (m *oneOrMany) UnmarshalJSON(raw []byte) error {
	var one text
	if _ = one.UnmarshalJSON(raw); one != "" {
		*m = oneOrMany{one}
		return nil
	}
	var many list[text]
	_ = many.UnmarshalJSON(raw)
	*m = oneOrMany(many)
	return nil
}

func (p *Publisher) pluginOriginal(ctx context.Context, c *upkeep.Component) (upkeep.Original, error) {
	slug := cmp.Or(c.Slug, folder(c.ID))
	if c.ID == "hello.php" {
		slug = "hello-dolly" // what WordPress brings is published under another name than its file
	}
	address := p.o.Downloads + "/plugin-checksums/" + url.PathEscape(slug) + "/" + url.PathEscape(string(c.Version)) + ".json"
	answer, err := p.client.Ask(ctx, feed.Request{URL: address, MaxAge: p.o.Details, Valid: holding("files")})
	if err != nil || answer.Status != http.StatusOK {
		return upkeep.Original{}, err
	}
	var wire pluginWire
	if err := decode(answer.Body, &wire, "files"); err != nil {
		return upkeep.Original{}, err
	}
	original := upkeep.Original{Files: make(map[string][]string), Soft: slices.Clone(pluginSoft[:])}
	single := !strings.Contains(c.ID, "/") // then the component is that one file
	for name, sums := range wire.Files {
		if !single || name == c.ID {
			addFile(original.Files, name, append(sums.MD5, sums.SHA256...)...)
		}
	}
	return original, nil
}

var sumForm = regexp.MustCompile(`^([0-9a-f]{32}|[0-9a-f]{64})$`)

// addFile adds a file whose path stays below the component.
func addFile(files map[string][]string, name string, sums ...text) {
	if path.Clean(name) != name || path.IsAbs(name) || name == ".." || strings.HasPrefix(name, "../") || len(files) >= maxFiles {
		return
	}
	for _, sum := range sums {
		if lower := strings.ToLower(string(sum)); sumForm.MatchString(lower) {
			files[name] = append(files[name], lower)
		}
	}
}

// themeOriginal hashes the package of the installed release, since no hashes
// of themes are published.
func (p *Publisher) themeOriginal(ctx context.Context, c *upkeep.Component) (upkeep.Original, error) {
	if p.o.Packages == nil || !slugForm.MatchString(c.ID) {
		return upkeep.Original{}, nil
	}
	name := url.PathEscape(c.ID) + "." + url.PathEscape(string(c.Version)) + ".zip"
	pkg, err := p.o.Packages.Fetch(ctx, upkeep.Release{
		Kind: c.Kind, Slug: c.ID, Version: c.Version, Package: p.o.Downloads + "/theme/" + name, Source: Source,
	}, nil)
	if upkeep.CodeOf(err) == upkeep.CodeNotFound {
		return upkeep.Original{}, nil
	}
	if err != nil {
		return upkeep.Original{}, err
	}
	original, err := OriginalOf(pkg.Path, c.ID)
	original.Dir = c.Path // themes may be in more than one root
	return original, err
}

// OriginalOf returns what the files below the folder top of a zip package
// are. CodeRefused when the package cannot be read.
func OriginalOf(file, top string) (_ upkeep.Original, err error) {
	defer upkeep.Wrap(&err, "hash package %s", file)
	archive, err := zip.OpenReader(file)
	if err != nil {
		return upkeep.Original{}, upkeep.Errorf(upkeep.CodeRefused, "no zip package: %w", err)
	}
	defer archive.Close()
	original := upkeep.Original{Files: make(map[string][]string), Soft: slices.Clone(pluginSoft[:])}
	left := int64(feed.MaxPackage)
	for _, member := range archive.File {
		name, below := strings.CutPrefix(member.Name, top+"/")
		if !below || name == "" || !member.Mode().IsRegular() {
			continue
		}
		sum, n, err := hashMember(member, left)
		if err != nil {
			return upkeep.Original{}, err
		}
		left -= n
		addFile(original.Files, name, sum)
	}
	return original, nil
}

// hashMember refuses a member that unpacks to more than limit bytes.
func hashMember(member *zip.File, limit int64) (text, int64, error) {
	r, err := member.Open()
	if err != nil {
		return "", 0, upkeep.Errorf(upkeep.CodeRefused, "%s: %w", member.Name, err)
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(r, limit+1))
	if err != nil {
		return "", n, upkeep.Errorf(upkeep.CodeRefused, "%s: %w", member.Name, err)
	}
	if n > limit {
		return "", n, upkeep.Errorf(upkeep.CodeRefused, "unpacks to more than %d bytes", feed.MaxPackage)
	}
	return text(hex.EncodeToString(h.Sum(nil))), n, nil
}
