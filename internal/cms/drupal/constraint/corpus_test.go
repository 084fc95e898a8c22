package constraint

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// Composer said what each version and constraint means.
func TestAsComposer(t *testing.T) {
	dir := os.Getenv("UPKEEP_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "..", "..", "shared", "corpus")
	}
	text, err := os.ReadFile(filepath.Join(dir, "vectors", "composer_semver.json"))
	if err != nil {
		t.Skip("no corpus: set UPKEEP_CORPUS")
	}
	var vectors struct {
		Normalize [][2]*string
		Stability [][2]string
		Satisfies [][3]any
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	for _, c := range vectors.Normalize {
		got, err := Normalize(*c[0])
		if (err == nil) != (c[1] != nil) || err == nil && got != *c[1] {
			t.Errorf("normalize %q: %q %v", *c[0], got, err)
		}
	}
	for _, c := range vectors.Stability {
		if got := Stability(c[0]); got != c[1] {
			t.Errorf("stability %q: %q, want %q", c[0], got, c[1])
		}
	}
	for _, c := range vectors.Satisfies {
		want, isBool := c[2].(bool)
		if got := Satisfies(c[0].(string), c[1].(string)); isBool && got != want {
			t.Errorf("%q satisfies %q: %v", c[0], c[1], got)
		}
	}
}
