package info

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// alike reads a file in both ways.
func alike(t *testing.T, name string, text []byte) (plain bool) {
	t.Helper()
	got, plain := plainYAML(text)
	if !plain {
		return false
	}
	if want, err := wholeYAML(text); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%s: plain %+v, YAML %+v, %v\n%s", name, got, want, err, text)
	}
	return true
}

func TestPlainInfo(t *testing.T) {
	for text, plain := range map[string]bool{
		"name: 'Views UI'\ntype: module\nversion: VERSION\ndependencies:\n  - drupal:views\n  - 'token:token (>=8.x-1.5)'\n": true,
		"# one\nname: Thing\ncore_version_requirement: ^8 || ^9\n\nhidden: true\ndescription: \"A.\"\nlibraries:\n- a/b\n":   true,
		"name: 7.4\nphp: 7.4\ncore: 8.x\nversion: 1e3\ndatestamp: 1600000000\nproject: 0x10\n":                               true,
		"name: 2020-01-01\nversion: 1_000\n": true,
		"version:\nname: A\n":                true,
		"base theme: stable9\n":              false,
		"base theme: claro\nhidden: false\n": true,
		"base theme: false\n":                true,
		"base theme: no\n":                   false,
		"'base theme': claro\n":              true,
		"'name: a\n":                         false,
		"install: []\n":                      true,
		"dependencies: []\n":                 false,
		"name: a\n  # b: c\n  - d\n":         false,
		"dependencies:\n  # one\n  - a\n":    true,
		"description: 'A \"b\" \\ c’s'\n":    true,
		"description: \"A 'b'\"\n":           true,
		"description: 'a\u2028b'\n":          false,
		"base theme: 'false'\n":              true,
		"name: null\n":                       false,
		"name: ~\n":                          false,
		"name: a\nname: b\n":                 false,
		"name: a\n  b\n":                     false,
		"name: a # b\n":                      false,
		"name: 'it''s'\n":                    false,
		"name: \"a\\n\"\n":                   false,
		"name: >\n  a\n":                     false,
		"name: a: b\n":                       false,
		"regions:\n  a: b\n":                 true,
		"libraries-override:\n  a/b:\n    css:\n      theme:\n        c/d.css: false\n        e.css: 'f.css'\n  g/h: i\nname: A\n": true,
		"libraries-extend:\n  a/b:\n    - c\n    - d\n  e:\n    - f\n":                                                             true,
		"regions:\n  a: b\n   c: d\n":  false,
		"regions:\n   a: b\n  c: d\n":  false,
		"regions:\n  a: b\n    c: d\n": false,
		"regions:\n  a:\n  b:\n":       true,
		"regions:\n  - a\n  b: c\n":    false,
		"regions:\n  a: b\n  - c\n":    false,
		"regions:\n  a: b\n- c\n":      false,
		"regions:\n- a\n  b: c\n":      false,
		"regions: a\n  b: c\n":         false,
		"name:\n  a: b\n":              false,
		"dependencies: a\n":            false,
		"dependencies:\n  - a\n - b\n": false,
		"name:\n  - a\n":               false,
		"---\nname: a\n":               false,
		"name: caf\xc3\xa9\n":          true,
		"name: caf\xe9\n":              false,
		"name: a\r\n":                  false,
	} {
		if alike(t, text, []byte(text)) != plain {
			t.Errorf("plain is not %v: %s", plain, text)
		}
	}
}

// ofARelease reads every info file of the release that a variable names, and every
// beginning of them, and wants most to be plain.
func ofARelease(t *testing.T, variable, suffix string, least int, read func(t *testing.T, name string, text []byte) (plain bool)) {
	t.Helper()
	tree := os.Getenv(variable)
	if tree == "" {
		t.Skipf("%s names no unpacked release", variable)
	}
	files, plain := 0, 0
	err := filepath.WalkDir(tree, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, suffix) {
			return err
		}
		text, err := os.ReadFile(path)
		if files++; read(t, path, text) {
			plain++
		}
		for i := range text {
			read(t, path, text[:i])
		}
		return err
	})
	if err != nil || files < least || plain < files*9/10 {
		t.Errorf("%d of %d are plain: %v", plain, files, err)
	}
}

// Every info file of a Drupal says what it says to a reader of all of YAML.
func TestInfoOfARelease(t *testing.T) {
	ofARelease(t, "UPKEEP_TEST_DRUPAL_OLD", ".info.yml", 200, alike)
}

func FuzzPlainInfo(f *testing.F) {
	f.Add([]byte("name: 'Views UI'\ntype: module\nhidden: true\nbase theme: claro\ndependencies:\n  - drupal:views\n"))
	f.Fuzz(func(t *testing.T, text []byte) { alike(t, "", text) })
}
