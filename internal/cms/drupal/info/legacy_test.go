package info

import (
	"reflect"
	"testing"
)

// agree reads a file of Drupal 7 in both ways.
func agree(t *testing.T, name string, text []byte) (plain bool) {
	t.Helper()
	got, plain := plainLines(text)
	if !plain {
		return false
	}
	if want := byPattern(text); !reflect.DeepEqual(got, want) {
		t.Errorf("%s: by lines %#v, by the pattern %#v\n%s", name, got, want, text)
	}
	return true
}

func TestPlainLines(t *testing.T) {
	for text, plain := range map[string]bool{
		"name = Block\n; a = b\n\n  files[] = a.test\nfiles[] = b.test \ndependencies[] = token (>=7.x-1.5)\nhidden = TRUE\n": true,
		"version = \"7.x-1.2\"\nscripts[js/a.js] = 'x = y'\nregions[a][b] = c\n":                                              true,
		"a = \nb = c\n":         false,
		"a\nb = c\n":            false,
		"a = \"b\nc\"\n":        false,
		"a = \"b\" c\n":         false,
		"a = \"b \\\" c\"\n":    false,
		"a = b\r\n":             false,
		"[a] = b\n":             false,
		"a[b = c\n":             false,
		"a = b = c ; d\n":       true,
		"a = \"\"\n":            true,
		"a = \"\n":              false,
		"a;b = c\n":             false,
		"a[] = null\na[] = 0\n": true,
	} {
		if agree(t, text, []byte(text)) != plain {
			t.Errorf("plain is not %v: %q", plain, text)
		}
	}
}

// Every info file of a Drupal 7 says what it says by the pattern.
func TestLinesOfARelease(t *testing.T) { ofARelease(t, "UPKEEP_TEST_DRUPAL7_OLD", ".info", 50, agree) }

func FuzzPlainLines(f *testing.F) {
	f.Add([]byte("name = Block\n; a = b\nfiles[] = 'a.test'\nhidden = TRUE\n"))
	f.Fuzz(func(t *testing.T, text []byte) { agree(t, "", text) })
}
