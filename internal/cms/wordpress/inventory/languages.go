package inventory

import (
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"upkeep"
	"upkeep/internal/cms/wordpress/header"
	"upkeep/internal/cms/wordpress/layout"
)

// catalogueName is a translation file: text domain, locale, format.
var catalogueName = regexp.MustCompile(`^(?:(.+)-)?([a-z]{2,3}(?:_[A-Z]{2})?(?:_[a-z0-9]+)?)\.(mo|po|l10n\.php)$`)

// coreDomains are the files that make up core's own pack besides the one
// without a domain.
var coreDomains = map[string]bool{"admin": true, "admin-network": true, "continents-cities": true}

// catalogues says how each format is read, best first.
var catalogues = [...]struct {
	format string
	set    header.Set
}{
	{"po", header.Set{Name: "po", Read: readPO}},
	{"l10n.php", header.Set{Name: "l10n", Read: readL10n}},
	{"mo", header.Set{Name: "mo", Read: readMO}},
}

// languagePack is the files of one text domain and locale.
type languagePack struct {
	domain, locale string
	formats        map[string]string // format → file name
}

// readLanguages finds the installed language packs. Their version is the time
// of their last revision.
func (s *survey) readLanguages() error {
	for _, sub := range []string{"", "plugins", "themes"} {
		if err := s.readLanguageDir(sub); err != nil {
			return err
		}
	}
	return nil
}

func (s *survey) readLanguageDir(sub string) (err error) {
	dir := filepath.Join(s.layout.Dirs[layout.DirLanguages], sub)
	defer upkeep.Wrap(&err, "languages in %s", dir)
	root, err := s.folder(dir)
	if root == nil || err != nil {
		return err
	}
	defer root.Close()
	entries, err := listing(root)
	if err != nil {
		return err
	}
	packs := map[string]*languagePack{}
	for _, entry := range entries {
		match := catalogueName.FindStringSubmatch(entry.Name())
		if match == nil || entry.IsDir() || (sub == "") != (match[1] == "") || coreDomains[match[1]] && sub == "" {
			continue
		}
		key := strings.TrimSuffix(entry.Name(), "."+match[3])
		if packs[key] == nil {
			packs[key] = &languagePack{domain: match[1], locale: match[2], formats: map[string]string{}}
		}
		packs[key].formats[match[3]] = entry.Name()
	}
	for _, key := range sortedKeys(packs) {
		if pack := packs[key]; pack.formats["mo"] != "" || pack.formats["l10n.php"] != "" {
			s.addLanguage(root, dir, path.Join(sub, key), pack)
		}
	}
	return nil
}

func (s *survey) addLanguage(root *os.Root, dir, id string, pack *languagePack) {
	c := upkeep.Component{
		Kind: upkeep.Language, ID: id, Slug: pack.domain, Name: id, Locale: pack.locale,
		Path: filepath.Join(dir, pack.formats["l10n.php"]),
	}
	if file := pack.formats["mo"]; file != "" {
		c.Path = filepath.Join(dir, file)
	}
	if c.Slug == "" {
		c.Slug = layout.CoreDomain
	}
	for _, catalogue := range catalogues {
		file := pack.formats[catalogue.format]
		if file == "" || c.Version != "" {
			continue
		}
		headers, err := s.reader.headersOf(root, file, catalogue.set, false)
		if err != nil {
			s.find(upkeep.Finding{Code: "unreadable", Paths: []string{filepath.Join(dir, file)}}.Because(err))
			continue
		}
		c.Version = upkeep.Version(headers["Revision"])
	}
	s.components = append(s.components, c)
}

var (
	poRevision   = regexp.MustCompile(`(?m)^"PO-Revision-Date:[ \t]*(.*?)[ \t]*(?:\\n)?"[ \t\r]*$`)
	l10nRevision = regexp.MustCompile(`'po-revision-date'\s*=>\s*'([^'\\]*)'`)
	moRevision   = regexp.MustCompile(`(?m)^PO-Revision-Date:[ \t]*(.*?)[ \t\r]*$`)
)

func readPO(f *os.File) (map[string]string, error) { return revisionIn(f, poRevision) }

func readL10n(f *os.File) (map[string]string, error) { return revisionIn(f, l10nRevision) }

func revisionIn(r io.Reader, form *regexp.Regexp) (map[string]string, error) {
	text, err := io.ReadAll(io.LimitReader(r, header.Limit))
	if err != nil {
		return nil, err
	}
	match := form.FindSubmatch(text)
	if match == nil {
		return nil, nil
	}
	return map[string]string{"Revision": string(match[1])}, nil
}

// readMO reads the header of a compiled catalogue: the translation of the
// empty string, which sorts first.
func readMO(f *os.File) (map[string]string, error) {
	var head [20]byte
	if _, err := io.ReadFull(f, head[:]); err != nil {
		return nil, nil // too short to be one
	}
	var order binary.ByteOrder = binary.LittleEndian
	switch {
	case bytes.Equal(head[:4], []byte{0xde, 0x12, 0x04, 0x95}):
	case bytes.Equal(head[:4], []byte{0x95, 0x04, 0x12, 0xde}):
		order = binary.BigEndian
	default:
		return nil, nil
	}
	var entry [8]byte
	if _, err := f.ReadAt(entry[:], int64(order.Uint32(head[16:]))); err != nil {
		return nil, nil
	}
	length, offset := order.Uint32(entry[:]), order.Uint32(entry[4:])
	return revisionIn(io.NewSectionReader(f, int64(offset), int64(min(length, header.Limit))), moRevision)
}
