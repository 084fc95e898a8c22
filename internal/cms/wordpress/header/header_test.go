package header

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func corpus(t *testing.T, name string, out any) {
	t.Helper()
	dir := os.Getenv("UPKEEP_CORPUS")
	if dir == "" {
		dir = "../../../../../shared/corpus"
	}
	data, err := os.ReadFile(filepath.Join(dir, "vectors", name))
	if err != nil {
		t.Skipf("no corpus (set UPKEEP_CORPUS): %v", err)
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
}

func headersWanted(t *testing.T, raw json.RawMessage) map[string]string {
	t.Helper()
	if string(raw) == "[]" {
		return map[string]string{}
	}
	var m map[string]string
	if err := json.Unmarshal(raw, &m); err != nil {
		t.Fatal(err)
	}
	for key, value := range m {
		if encoded, ok := strings.CutPrefix(value, "b64:"); ok { // not UTF-8
			decoded, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				t.Fatal(err)
			}
			m[key] = string(decoded)
		}
	}
	return m
}

func setFor(kind string, headers map[string]string) Set {
	if kind == "theme" || headers["ThemeURI"] != "" || headers["Template"] != "" {
		return Theme
	}
	return Plugin
}

func TestHeadersAgreeWithWordPress(t *testing.T) {
	var vectors struct {
		Cases []struct {
			Name    string
			Kind    string
			Content string `json:"content_b64"`
			Headers json.RawMessage
		}
	}
	corpus(t, "wp_file_headers.json", &vectors)
	for _, c := range vectors.Cases {
		content, err := base64.StdEncoding.DecodeString(c.Content)
		if err != nil {
			t.Fatal(err)
		}
		want := headersWanted(t, c.Headers)
		got := Parse(content, setFor(c.Kind, want), true)
		delete(got, "_sitewide")
		if !maps.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", c.Name, got, want)
		}
	}
	if len(vectors.Cases) == 0 {
		t.Error("no cases")
	}
}

func TestRealHeadersAgreeWithWordPress(t *testing.T) {
	var vectors struct {
		Cases []struct {
			Repo, Path, Kind string
			Leading          string `json:"leading_comment"`
			Headers          json.RawMessage
		}
	}
	corpus(t, "wp_real_headers.json", &vectors)
	for _, c := range vectors.Cases {
		want := headersWanted(t, c.Headers)
		got := Parse([]byte(c.Leading), setFor(c.Kind, want), true)
		delete(got, "_sitewide")
		if !maps.Equal(got, want) {
			t.Errorf("%s %s: got %q, want %q", c.Repo, c.Path, got, want)
		}
	}
}

func TestParse(t *testing.T) {
	for name, c := range map[string]struct {
		content     string
		short, long string // the name with and without a short tag allowed
	}{
		"plain":               {"<?php\n/*\nPlugin Name: A\n*/", "A", "A"},
		"one line":            {"<?php /* Plugin Name: A */ ?>", "A", "A"},
		"short tag":           {"<? // Plugin Name: A", "A", ""},
		"upper case tag":      {"<?PHP # plugin name: A", "A", "A"},
		"two tags":            {"<?php <?php Plugin Name: A", "", ""},
		"byte order mark":     {"\ufeff<?php // Plugin Name: A\n", "", ""},
		"zero":                {"Plugin Name:0\nPlugin Name: B", "", ""},
		"zero after a blank":  {"Plugin Name: 0", "0", "0"},
		"end of comment":      {"Plugin Name: A \t */ B ?> C", "A", "A"},
		"text before":         {"x Plugin Name: A", "", ""},
		"blank before colon":  {"Plugin Name : A", "", ""},
		"first wins":          {"Plugin Name:\nPlugin Name: A", "", ""},
		"carriage returns":    {"<?php\r/*\rPlugin Name: A\rVersion: 1", "A", "A"},
		"cut at the limit":    {strings.Repeat("\n", Limit-15) + "Plugin Name: AB", "AB", "AB"},
		"cut past the limit":  {strings.Repeat("\n", Limit-14) + "Plugin Name: AB", "A", "A"},
		"name at end of file": {"Plugin Name:", "", ""},
	} {
		if got := Parse([]byte(c.content), Plugin, true)["Name"]; got != c.short {
			t.Errorf("%s: %q, want %q", name, got, c.short)
		}
		if got := Parse([]byte(c.content), Plugin, false)["Name"]; got != c.long {
			t.Errorf("%s, older rule: %q, want %q", name, got, c.long)
		}
	}
}

func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{"<?php // Plugin Name: A */", "Version:0", "\r<?\tAuthor: ?>", "Plugin Name:\x00 a \x0b"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for key, value := range Parse(content, Plugin, true) {
			if value == "" || strings.ContainsAny(value, "\n\r") || strings.Contains(value, "*/") {
				t.Errorf("%s: %q", key, value)
			}
		}
	})
}
