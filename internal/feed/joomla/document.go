package joomla

import (
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"strings"

	"upkeep"
	"upkeep/internal/feed"
)

// maxUpdates bounds what one document may list.
const maxUpdates = 5000

// text is an element with what its attributes say.
type text struct {
	Text  string     `xml:",chardata"`
	Attrs []xml.Attr `xml:",any,attr"`
}

func (t *text) attr(name string) (string, bool) {
	for _, a := range t.Attrs {
		if a.Name.Local == name {
			return a.Value, true
		}
	}
	return "", false
}

// last is the last of several elements: Joomla overwrites those before it.
func last(elements []text) *text {
	if len(elements) == 0 {
		return nil
	}
	return &elements[len(elements)-1]
}

func said(elements []text) string {
	if t := last(elements); t != nil {
		return strings.ToValidUTF8(strings.TrimSpace(t.Text), "?")
	}
	return ""
}

// update is one release as a feed says it. Names are in lower case.
type update struct {
	Name      []text `xml:"name"`
	Element   []text `xml:"element"`
	Type      []text `xml:"type"`
	Folder    []text `xml:"folder"`
	Client    []text `xml:"client"`
	Version   []text `xml:"version"`
	Info      []text `xml:"infourl"`
	Changelog []text `xml:"changelogurl"`
	Downloads []struct {
		URL []text `xml:"downloadurl"`
	} `xml:"downloads"`
	Tags []struct {
		Tag []text `xml:"tag"`
	} `xml:"tags"`
	Platform  []text `xml:"targetplatform"`
	PHP       []text `xml:"php_minimum"`
	Databases []text `xml:"supported_databases"`
	SHA256    []text `xml:"sha256"`
	SHA384    []text `xml:"sha384"`
	SHA512    []text `xml:"sha512"`
}

// document is an update site's answer: updates, or a collection of entries
// that each lead to updates.
type document struct {
	XMLName  xml.Name
	Updates  []update `xml:"update"`
	Entries  []text   `xml:"extension"`
	Category []struct {
		Entries []text `xml:"extension"`
	} `xml:"category"`
}

// folding reads tokens with names in lower case, as Joomla's parser does.
type folding struct{ d *xml.Decoder }

// Token returns the next token.
func (f folding) Token() (xml.Token, error) {
	token, err := f.d.Token()
	switch t := token.(type) {
	case xml.StartElement:
		t = t.Copy()
		t.Name = xml.Name{Local: strings.ToLower(t.Name.Local)}
		for i := range t.Attr {
			t.Attr[i].Name = xml.Name{Local: strings.ToLower(t.Attr[i].Name.Local)}
		}
		return t, err
	case xml.EndElement:
		t.Name = xml.Name{Local: strings.ToLower(t.Name.Local)}
		return t, err
	}
	return token, err
}

// parse reads an update site's answer. CodeRefused when it is none.
func parse(body []byte) (*document, error) {
	decoder := xml.NewDecoder(bytes.NewReader(body))
	decoder.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil } // what matters is ASCII in all of them
	d := &document{}
	if err := xml.NewTokenDecoder(folding{decoder}).Decode(d); err != nil {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "is no list of updates: %w", err)
	}
	if d.XMLName.Local != "updates" && d.XMLName.Local != "extensionset" {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "is no list of updates but <%s>", d.XMLName.Local)
	}
	for i := range d.Category {
		d.Entries = append(d.Entries, d.Category[i].Entries...)
	}
	if len(d.Updates) > maxUpdates || len(d.Entries) > maxUpdates {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "lists more than %d updates", maxUpdates)
	}
	return d, nil
}

// validDocument tells an update site's answer from the page of whoever stands
// between.
func validDocument(entry *feed.Entry) error {
	if entry.Status != http.StatusOK {
		return upkeep.Errorf(upkeep.CodeRefused, "answers %d", entry.Status)
	}
	_, err := parse(entry.Body)
	return err
}

// clientName is the application that a feed means: by name or by number.
func clientName(value, otherwise string) string {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "0", "site":
		return "site"
	case "1", "administrator":
		return "administrator"
	case "3", "api":
		return "api"
	case "":
		return otherwise
	}
	return value
}

// stability is the number of the last tag: a release without one, or with one
// that Joomla does not know, is stable.
func (u *update) stability() int {
	level := 4
	for i := range u.Tags {
		for j := range u.Tags[i].Tag {
			level = stabilityOf(u.Tags[i].Tag[j].Text)
		}
	}
	return level
}

func stabilityOf(tag string) int {
	switch strings.ToLower(strings.TrimSpace(tag)) {
	case "dev":
		return 0
	case "alpha":
		return 1
	case "beta":
		return 2
	case "rc":
		return 3
	}
	return 4
}

// hashes are what the package's content must have.
func (u *update) hashes() map[string]string {
	hashes := map[string]string{}
	for algorithm, elements := range map[string][]text{"sha256": u.SHA256, "sha384": u.SHA384, "sha512": u.SHA512} {
		if sum := strings.ToLower(said(elements)); sum != "" {
			hashes[algorithm] = sum
		}
	}
	return hashes
}

// download is the address of the package, "" when the feed names none.
func (u *update) download() string {
	for i := range u.Downloads {
		if address := said(u.Downloads[i].URL); address != "" {
			return address
		}
	}
	return ""
}

// databaseOf is the least version of the site's own database that a list
// names. ok is false when the list leaves that database out.
func databaseOf(list map[string]string, server string) (want string, ok bool) {
	if list == nil {
		return "", true
	}
	name := "mysql"
	switch lower := strings.ToLower(server); {
	case strings.Contains(lower, "mariadb"):
		name = "mariadb"
	case strings.HasPrefix(lower, "postgresql"):
		name = "postgresql"
	}
	want, ok = list[name]
	return want, ok
}

func (u *update) databases() map[string]string {
	t := last(u.Databases)
	if t == nil {
		return nil
	}
	list := map[string]string{}
	for _, a := range t.Attrs {
		list[a.Name.Local] = a.Value
	}
	return list
}
