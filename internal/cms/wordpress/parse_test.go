package wordpress

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// corpus reads a golden vector file into out, or skips the test.
func corpus(t *testing.T, name string, out any) {
	t.Helper()
	dir := os.Getenv("UPKEEP_CORPUS")
	if dir == "" {
		dir = "../../../../shared/corpus"
	}
	data, err := os.ReadFile(filepath.Join(dir, "vectors", name))
	if err != nil {
		t.Skipf("no corpus (set UPKEEP_CORPUS): %v", err)
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
}

// headersWanted decodes PHP's map, which is a list when empty.
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

func setFor(kind string, headers map[string]string) headerSet {
	if kind == "theme" || headers["ThemeURI"] != "" || headers["Template"] != "" {
		return themeHeaders
	}
	return pluginHeaders
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
		got := parseHeaders(content, setFor(c.Kind, want), true)
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
		got := parseHeaders([]byte(c.Leading), setFor(c.Kind, want), true)
		delete(got, "_sitewide")
		if !maps.Equal(got, want) {
			t.Errorf("%s %s: got %q, want %q", c.Repo, c.Path, got, want)
		}
	}
}

func TestParseHeaders(t *testing.T) {
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
		"cut at the limit":    {strings.Repeat("\n", headerBytes-15) + "Plugin Name: AB", "AB", "AB"},
		"cut past the limit":  {strings.Repeat("\n", headerBytes-14) + "Plugin Name: AB", "A", "A"},
		"name at end of file": {"Plugin Name:", "", ""},
	} {
		if got := parseHeaders([]byte(c.content), pluginHeaders, true)["Name"]; got != c.short {
			t.Errorf("%s: %q, want %q", name, got, c.short)
		}
		if got := parseHeaders([]byte(c.content), pluginHeaders, false)["Name"]; got != c.long {
			t.Errorf("%s, older rule: %q, want %q", name, got, c.long)
		}
	}
}

func TestDBHostAgreesWithWordPress(t *testing.T) {
	var vectors struct {
		WordPress struct {
			Cases []struct {
				In, Host string
				Port     *int
				Socket   *string
				IPv6, OK bool
			}
		}
	}
	corpus(t, "db_host.json", &vectors)
	for _, c := range vectors.WordPress.Cases {
		got, ok := parseDBHost(c.In)
		want := dbAddress{host: c.Host, ipv6: c.IPv6}
		if c.Port != nil {
			want.port = *c.Port
		}
		if c.Socket != nil {
			want.socket = *c.Socket
		}
		if ok != c.OK || got != want {
			t.Errorf("%q: %+v %v, want %+v %v", c.In, got, ok, want, c.OK)
		}
	}
	if len(vectors.WordPress.Cases) == 0 {
		t.Error("no cases")
	}
}

func TestRequiredPlugins(t *testing.T) {
	got := requiredPlugins(" woocommerce, akismet,Bad_Slug, -x, woocommerce ,a--b,")
	if strings.Join(got, " ") != "akismet woocommerce" {
		t.Errorf("got %q", got)
	}
}

func TestNeighbours(t *testing.T) {
	tables := map[string]bool{}
	for _, name := range strings.Fields(`wp_options wp_posts wp_users wp_2_options wp_2_posts
		shop_options shop_posts shop_users shop_3_options shop_3_posts wp_blog_options wp_blog_posts
		wp_plugin_options options posts users`) {
		tables[name] = true
	}
	if got := strings.Join(neighbours(tables, "wp_"), " "); got != " shop_ wp_blog_" {
		t.Errorf("neighbours of wp_: %q", got)
	}
	if got := strings.Join(neighbours(tables, "shop_"), " "); got != " wp_blog_ wp_" {
		t.Errorf("neighbours of shop_: %q", got)
	}
}

func TestSystemFolder(t *testing.T) {
	for dir, want := range map[string]bool{
		"/": true, "/etc": true, "/etc/apache2": true, "/srv": true, "/home": true, "/usr/share": true, "/proc/1/root": true,
		"/srv/media": false, "/var/www": false, "/usr/share/wordpress": false, "/mnt/uploads": false,
	} {
		if systemFolder(dir) != want {
			t.Errorf("%s: want %v", dir, want)
		}
	}
}

func TestCacheSurvivesSaveAndLoad(t *testing.T) {
	c, d := NewCache(), NewCache()
	key := fileKey{1, 2, 3, 4, 5}
	c.remember(key, "plugin", map[string]string{"Name": "A"})
	c.rememberPHP("/srv", "8.2.1", time.Unix(1000, 0))
	var saved strings.Builder
	if err := c.Save(&saved); err != nil {
		t.Fatal(err)
	}
	if err := d.Load(strings.NewReader(saved.String())); err != nil {
		t.Fatal(err)
	}
	if headers, ok := d.headers(key, "plugin"); !ok || headers["Name"] != "A" {
		t.Errorf("got %v %v", headers, ok)
	}
	if _, ok := d.headers(key, "theme"); ok {
		t.Error("headers of another sort")
	}
	if version, ok := d.phpVersion("/srv", time.Unix(1000+80000, 0)); !ok || version != "8.2.1" {
		t.Errorf("php %q %v", version, ok)
	}
	if _, ok := d.phpVersion("/srv", time.Unix(1000+90000, 0)); ok {
		t.Error("the interpreter's version is believed for ever")
	}
	if err := d.Load(strings.NewReader("{")); err == nil {
		t.Error("a damaged cache was loaded")
	}
}

func TestKeyOfTrustsOnlySettledFiles(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.php")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(file, old, old); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	// An old modification time may have been set; the change time cannot.
	if _, steady := keyOf(info, time.Now()); steady {
		t.Error("a file changed just now counts as settled")
	}
	if _, steady := keyOf(info, time.Now().Add(time.Minute)); !steady {
		t.Error("a file left alone for a minute does not count as settled")
	}
}

func FuzzHeaders(f *testing.F) {
	for _, seed := range []string{"<?php // Plugin Name: A */", "Version:0", "\r<?\tAuthor: ?>", "Plugin Name:\x00 a \x0b"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		for key, value := range parseHeaders(content, pluginHeaders, true) {
			if value == "" || strings.ContainsAny(value, "\n\r") || strings.Contains(value, "*/") {
				t.Errorf("%s: %q", key, value)
			}
		}
	})
}

func FuzzDBHost(f *testing.F) {
	for _, seed := range []string{"localhost:3306:/x", "[::1]:3306", "a:b", ":/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if a, ok := parseDBHost(value); ok && (a.port < 0 || strings.Contains(a.host, "/")) {
			t.Errorf("%q: %+v", value, a)
		}
	})
}

func FuzzCatalogues(f *testing.F) {
	f.Add([]byte("\xde\x12\x04\x95\x00\x00\x00\x00\x01\x00\x00\x00\x1c\x00\x00\x00\x24\x00\x00\x00\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x00\x00\x00\x2d\x00\x00\x00"))
	f.Add([]byte("msgid \"\"\nmsgstr \"\"\n\"PO-Revision-Date: 2024-01-02 03:04:05+0000\\n\"\n"))
	f.Add([]byte("<?php\nreturn ['po-revision-date'=>'2024-01-02']"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		name := filepath.Join(dir, "x.mo")
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for _, catalogue := range catalogues {
			if _, err := catalogue.set.read(file); err != nil {
				t.Error(err)
			}
		}
	})
}
