package inventory

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// same reads a manifest in both ways.
func same(t *testing.T, name string, text []byte) (plain bool) {
	t.Helper()
	got, plain := plainHead(text)
	if !plain {
		return false
	}
	m := ParseManifest(text)
	if (m == nil) != (got == nil) {
		t.Errorf("%s: plain %v, XML %v\n%s", name, got, m, text)
		return true
	}
	if want := (&Head{}); m != nil {
		if *want = (Head{m.Type, m.Name, m.Version, m.Key != nil}); *got != *want {
			t.Errorf("%s: plain %+v, XML %+v\n%s", name, got, want, text)
		}
	}
	return true
}

// What is plain says what it says to a reader of all of XML.
func TestPlainManifests(t *testing.T) {
	for text, plain := range map[string]bool{
		`<?xml version="1.0" encoding="UTF-8"?>` + "\n<extension type=\"plugin\" group='a'>\n\t<!-- a -->\n<name>A &amp; B</name></extension>":        false,
		`<?xml version="1.0"?><extension type="plugin"><name> a </name><version>1.0</version><dlid prefix="k="/></extension>`:                         true,
		`<extension type='plugin'><config><name>no</name><version>no</version></config><version>2</version><d>&copy; <![CDATA[<b>]]></d></extension>`: true,
		`<metafile client="site"><version>1</version ><version>2</version></metafile> <what follows>`:                                                 true,
		`<extension><version/><name></name></extension>`:                                                                                              true,
		`<form><version>1</version></form>`: true,
		`<form>`:                            true,
		`<extension><version>1<b/>2</version></extension>`:                        false,
		`<extension><version>1<!-- -->2</version></extension>`:                    false,
		`<extension><version>1</extension>`:                                       false,
		`<extension><a b=1/></extension>`:                                         false,
		`<extension><a b></a></extension>`:                                        false,
		`<extension><a b="<"/></extension>`:                                       false,
		`<extension><a b="1"c="2"/></extension>`:                                  false,
		"<extension><d>\x01</d><version>1</version></extension>":                  false,
		"<extension><d>\xe9</d><version>1</version></extension>":                  false,
		`<extension><d>]]></d><version>1</version></extension>`:                   false,
		`<extension><!-- a -- b --><version>1</version></extension>`:              false,
		`<extension><d>&#0;</d><version>1</version></extension>`:                  false,
		`<!DOCTYPE a><extension><version>1</version></extension>`:                 false,
		`<?xml version="1.1"?><extension><version>1</version></extension>`:        false,
		`<extension><x:version>1</x:version></extension>`:                         false,
		`<extension type="a&amp;b"></extension>`:                                  false,
		`<extension><version>1.0</version>`:                                       false,
		"\xef\xbb\xbf<extension type=\"module\"><version>1</version></extension>": true,
	} {
		if same(t, text, []byte(text)) != plain {
			t.Errorf("plain is not %v: %s", plain, text)
		}
	}
}

// Every file of a Joomla, and every beginning of some, is read as XML is.
func TestManifestsOfARelease(t *testing.T) {
	tree := os.Getenv("UPKEEP_TEST_JOOMLA_OLD")
	if tree == "" {
		t.Skip("UPKEEP_TEST_JOOMLA_OLD names no unpacked release")
	}
	files, plain := 0, 0
	err := filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".xml") {
			return err
		}
		text, err := os.ReadFile(path)
		if files++; same(t, path, text) {
			plain++
		}
		for i := 0; files%20 == 0 && i < len(text); i += 17 {
			same(t, path, text[:i])
		}
		return err
	})
	if err != nil || files < 200 || plain < files*9/10 {
		t.Errorf("%d of %d are plain: %v", plain, files, err)
	}
}

func FuzzPlainManifest(f *testing.F) {
	f.Add([]byte(`<?xml version="1.0"?><extension type="plugin"><name> a </name><version>1.0</version><!-- a --><dlid prefix="k="/></extension>`))
	f.Add([]byte(`<extension><![CDATA[<b>]]><version>1</version></extension>`))
	f.Fuzz(func(t *testing.T, text []byte) { same(t, "", text) })
}
