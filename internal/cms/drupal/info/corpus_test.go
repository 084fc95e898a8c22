package info

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"
)

// Drupal's own parser said what the files of the corpus hold.
func TestParseIsThatOfDrupal7(t *testing.T) {
	dir := os.Getenv("UPKEEP_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "..", "shared", "corpus")
	}
	text, err := os.ReadFile(filepath.Join(dir, "vectors", "drupal7_info_format.json"))
	if err != nil {
		t.Skip("no corpus: set UPKEEP_CORPUS")
	}
	var vectors struct {
		Cases []struct {
			File, Content string
			Parsed        any
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, c := range vectors.Cases {
		source := []byte(c.Content)
		if c.File != "" {
			if source, err = os.ReadFile(filepath.Join(dir, "vectors", c.File)); err != nil {
				t.Fatal(err)
			}
		}
		if got := plain(Parse(source)); !reflect.DeepEqual(got, c.Parsed) {
			t.Errorf("%s%s:\n%#v, want\n%#v", c.File, c.Content, got, c.Parsed)
		}
	}
}

// plain makes lists of what PHP's JSON writes as such.
func plain(value any) any {
	m, ok := value.(map[string]any)
	if !ok {
		return value
	}
	list, isList := []any{}, len(m) > 0
	for i, key := range ordered(m) {
		isList = isList && key == next(map[string]any(reduce(m, i)))
		list = append(list, plain(m[key]))
	}
	if isList {
		return list
	}
	out := map[string]any{}
	for key, v := range m {
		out[key] = plain(v)
	}
	return out
}

// reduce is a map with n entries.
func reduce(m map[string]any, n int) map[string]any {
	out := map[string]any{}
	for key := range m {
		if len(out) == n {
			break
		}
		out[key] = nil
	}
	return out
}
