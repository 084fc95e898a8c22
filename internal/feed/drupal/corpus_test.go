package drupal

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// corpus returns the folder of recorded answers, or skips.
func corpus(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("UPKEEP_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "shared", "corpus")
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus in %s: set UPKEEP_CORPUS", dir)
	}
	return dir
}

func read(t testing.TB, file string, value any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err == nil && value != nil {
		err = json.Unmarshal(text, value)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Drupal's own update module said what each installed version is.
func TestStatusIsThatOfDrupal(t *testing.T) {
	dir := corpus(t)
	var vectors struct {
		Cases []struct {
			Fixture, Installed, Status string
			Type                       string  `json:"install_type"`
			Recommended                *string `json:"recommended"`
			Latest                     *string `json:"latest_version"`
			Also                       []string
			Dev                        *string  `json:"dev_version"`
			Security                   []string `json:"security_updates"`
			Reason                     *string
		}
	}
	read(t, filepath.Join(dir, "vectors", "drupal_update_status.json"), &vectors)
	for _, c := range vectors.Cases {
		text, err := os.ReadFile(filepath.Join(dir, "drupal", "release-history", c.Fixture))
		if err != nil {
			t.Fatal(err)
		}
		h := parse(text)
		if c.Status == "" {
			if h != nil {
				t.Errorf("%s is taken for a history", c.Fixture)
			}
			continue
		}
		if h == nil {
			t.Errorf("%s is not read", c.Fixture)
			continue
		}
		site := installed{version: c.Installed}
		if own := h.release(c.Installed); c.Type == "dev" && own != nil && own.Date != nil {
			site.datestamp = number(*own.Date) // as the vectors were made
		}
		got := judge(h, site)
		same := got.state == c.Status && is(got.recommended, c.Recommended) && is(got.latest, c.Latest) && is(got.dev, c.Dev) &&
			is(got.reason, c.Reason) && slices.Equal(got.security, c.Security) && slices.Equal(got.also, c.Also)
		if !same {
			t.Errorf("%s %s: %+v, want %+v", c.Fixture, c.Installed, got, c)
		}
	}
}

func is(got string, want *string) bool {
	return want == nil && got == "" || want != nil && got == *want
}

func TestVersionIsThatOfDrupal(t *testing.T) {
	var vectors struct{ Cases [][]json.RawMessage }
	read(t, filepath.Join(corpus(t), "vectors", "drupal_extension_version.json"), &vectors)
	for _, c := range vectors.Cases {
		var text string
		var want *struct{ Major, Minor, Extra *string }
		if err := json.Unmarshal(c[0], &text); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(c[1], &want); err != nil {
			t.Fatal(err)
		}
		v, ok := parseVersion(text)
		if ok != (want != nil) || ok && !(v.major == *want.Major && is(v.minor, want.Minor) && is(v.extra, want.Extra)) {
			t.Errorf("%q: %+v %v, want %+v", text, v, ok, want)
		}
	}
}
