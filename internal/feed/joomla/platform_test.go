package joomla

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTargetPlatformAsPCRE(t *testing.T) {
	corpus := os.Getenv("UPKEEP_CORPUS")
	if corpus == "" {
		t.Skip("UPKEEP_CORPUS names no folder")
	}
	text, err := os.ReadFile(filepath.Join(corpus, "vectors/joomla_targetplatform.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct{ Cases [][3]any }
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors.Cases) < 500 {
		t.Fatalf("%d cases", len(vectors.Cases))
	}
	for _, c := range vectors.Cases {
		expression, version := c[0].(string), c[1].(string)
		want := c[2] == 1.0
		if got, known := matches(expression, version); got != want || !known {
			t.Errorf("%q on %s: got %t, known %t; PHP says %v", expression, version, got, known, c[2])
		}
	}
}

func TestTargetPlatform(t *testing.T) {
	for _, c := range []struct {
		expression, version string
		match, known        bool
	}{
		{"3.1", "3.10.12", true, true},           // no end anchor
		{"5", "54.0.0", true, true},              //
		{"4|5", "3.5.1", true, true},             // the anchor is the first alternative's
		{"5.[34]", "5x3", true, true},            // a dot is any character
		{"((?!6).)*", "6.0.0", true, true},       // empty is a match
		{"(?!6)", "6.0.0", false, true},          // lookahead
		{"(?<=x)5", "5.0.0", false, true},        // lookbehind
		{`(5|6)\.(\d)\.\2`, "5.3.3", true, true}, // backreference
		{"5/", "5.0.0", false, true},             // unknown modifier: PHP finds nothing
		{`5\.0\`, "5.0.0", false, true},          // escapes the delimiter
		{"(5", "5.0.0", false, false},            // broken: unknown, never none
		{`5\K.0`, "5.0.0", false, false},         // what only PCRE has
		{strings.Repeat("(", 2000), "5", false, false},
	} {
		if match, known := matches(c.expression, c.version); match != c.match || known != c.known {
			t.Errorf("%.40q on %s: %t, known %t", c.expression, c.version, match, known)
		}
	}
}

func TestAnExpressionThatNeverEndsIsUnknown(t *testing.T) {
	began := time.Now()
	if _, known := matches("(1+)+(1+)+(1+)+(1+)+$", strings.Repeat("1", 200)+"x"); known {
		t.Error("known")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}
