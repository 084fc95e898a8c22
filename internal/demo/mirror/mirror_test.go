package mirror_test

import (
	"archive/zip"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/demo/mirror"
)

// compare orders plain dotted numbers, which is all these tests use.
func compare(a, b upkeep.Version) int {
	return slices.CompareFunc(strings.Split(string(a), "."), strings.Split(string(b), "."), func(x, y string) int {
		m, _ := strconv.Atoi(x)
		n, _ := strconv.Atoi(y)
		return cmp.Compare(m, n)
	})
}

func pack(t *testing.T, path string, files map[string]string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := zip.NewWriter(f)
	for name, content := range files {
		member, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.WriteString(member, content)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// start serves a mirror of a few packages.
func start(t *testing.T) (*mirror.Mirror, string) {
	t.Helper()
	dir := t.TempDir()
	for _, version := range []string{"6.8.8", "7.1", "6.7.2"} {
		pack(t, filepath.Join(dir, "core", version+".zip"), map[string]string{
			"wordpress/wp-includes/version.php": "<?php\n$wp_version = '" + version + "';\n$required_php_version = '7.4';\n$required_mysql_version = '5.5.5';",
			"wordpress/index.php":               "<?php // " + version,
		})
	}
	pack(t, filepath.Join(dir, "unpacked", "wp-load.php", "inner.zip"), nil) // inside a WordPress tree: passed over
	for _, version := range []string{"5.3", "5.4"} {
		pack(t, filepath.Join(dir, "a"+version+".zip"), map[string]string{
			"akismet/akismet.php": "<?php\r\n/**\r\n * Plugin Name: Akismet\r\n * Version: " + version + "\r\n * Requires PHP: 7.2\r\n * Requires at least: 5.8\r\n */",
			"akismet/more.php":    "<?php\n/* Plugin Name: More\n Version: 1." + version + " */",
			"akismet/inc/x.php":   "<?php\n/* Plugin Name: Not one */",
		})
	}
	pack(t, filepath.Join(dir, "t.zip"), map[string]string{"ashes/style.css": "/*\nTheme Name: Ashes\nVersion: 1.2\nRequires PHP: 7.4\n*/"})
	m, err := mirror.New(mirror.Options{Dir: dir, Compare: compare})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	return m, server.URL
}

func ask(t *testing.T, address string, form url.Values, into any) int {
	t.Helper()
	resp, err := http.PostForm(address, form)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		t.Fatalf("%s: %v in %s", address, err, body)
	}
	return resp.StatusCode
}

func TestAnswers(t *testing.T) {
	m, at := start(t)
	m.Close("gone", "Security Issue")
	plugins := url.Values{"locale": {"[]"}, "plugins": {`{"plugins":{"akismet/akismet.php":{"Version":"5.3"},"akismet/more.php":{"Version":"1.5.4"},"own/own.php":{"Version":"1"}},"active":[]}`}}
	themes := url.Values{"themes": {`{"active":"ashes","themes":{"ashes":{"Version":"1.2"}}}`}}
	tests := []struct {
		path string
		form url.Values
		want []string // what the answer holds
		not  []string
	}{
		{"/core/version-check/1.7/?version=6.8.3&locale=en_US", nil,
			[]string{`"response":"upgrade"`, `"current":"7.1"`, `"current":"6.8.8"`, `"new_files":true`, `"partial":false`, `"translations":[]`}, []string{"6.7.2"}},
		{"/core/version-check/1.7/?version=7.1&locale=en_US", nil, []string{`"response":"latest"`}, []string{"autoupdate", "upgrade"}},
		{"/plugins/update-check/1.1/", plugins, []string{`"plugins":{"akismet/akismet.php"`, `"no_update":{"akismet/more.php"`, `"requires_plugins":[]`, `"requires_php":"7.2"`}, []string{"own/own.php", "Not one"}},
		{"/themes/update-check/1.1/", themes, []string{`"themes":[]`, `"no_update":{"ashes"`}, nil},
		{"/core/checksums/1.0/?version=7.1&locale=en_US", nil, []string{`"index.php":"`, `"wp-includes/version.php":"`}, nil},
		{"/core/checksums/1.0/?version=9.9&locale=en_US", nil, []string{`{"checksums":false}`}, nil},
		{"/plugin-checksums/akismet/5.3.json", nil, []string{`"akismet.php":{"md5":"`, `"inc/x.php":{`}, nil},
		{"/plugins/info/1.2/?action=plugin_information&request[slug]=gone", nil, []string{`"error":"closed"`, `"reason_text":"Security Issue"`}, nil},
		{"/plugins/info/1.2/?action=plugin_information&request[slug]=own", nil, []string{`"error":"Plugin not found."`}, nil},
		{"/plugins/info/1.2/?action=plugin_information&request[slug]=akismet", nil, []string{`"name":"Akismet"`, `"version":"5.4"`}, nil},
		{"/translations/plugins/1.0/?slug=akismet", nil, []string{`{"translations":[]}`}, nil},
	}
	for _, test := range tests {
		var raw json.RawMessage
		ask(t, at+test.path, test.form, &raw)
		for _, want := range test.want {
			if !strings.Contains(string(raw), want) {
				t.Errorf("%s: no %s in %s", test.path, want, raw)
			}
		}
		for _, not := range test.not {
			if strings.Contains(string(raw), not) {
				t.Errorf("%s: %s in %s", test.path, not, raw)
			}
		}
	}
	if n := m.Requests()["/core/version-check/1.7/"]; n != 2 {
		t.Errorf("core check counted %d times", n)
	}
}

// TestFormatIsThatOfRecordedAnswers compares fields and their types.
func TestFormatIsThatOfRecordedAnswers(t *testing.T) {
	dir := cmp.Or(os.Getenv("UPKEEP_CORPUS"), filepath.Join("..", "..", "..", "..", "shared", "corpus"))
	read := func(name string) (value map[string]any) {
		body, err := os.ReadFile(filepath.Join(dir, "wordpress", "api-recorded", name))
		if err != nil {
			t.Skipf("no corpus in %s: set UPKEEP_CORPUS", dir)
		}
		if err := json.Unmarshal(body, &value); err != nil {
			t.Fatal(err)
		}
		return value
	}
	_, at := start(t)
	tests := []struct {
		recorded, path string
		form           url.Values
		into           []any // path to the object that is compared
		other          []any // the same in the recorded answer
		without        []string
	}{
		{"core-version-check.1.7.latest.6.7.1-en_CA.json", "/core/version-check/1.7/?version=7.1", nil, []any{"offers", 0}, []any{"offers", 0}, nil},
		{"core-version-check.1.7.upgrade.6.7-en_CA.json", "/core/version-check/1.7/?version=6.8.3", nil, []any{"offers", 1}, []any{"offers", 2}, nil},
		{"plugins-update-check.1.1.mixed.json", "/plugins/update-check/1.1/", url.Values{"plugins": {`{"plugins":{"akismet/akismet.php":{"Version":"5.3"}}}`}},
			[]any{"plugins", "akismet/akismet.php"}, []any{"plugins", "akismet/akismet.php"}, []string{"icons", "banners"}},
		{"themes-update-check.1.1.mixed.json", "/themes/update-check/1.1/", url.Values{"themes": {`{"themes":{"ashes":{"Version":"1.0"}}}`}},
			[]any{"themes", "ashes"}, []any{"themes", "twentytwentyfour"}, []string{"requires"}}, // the file names no minimum
	}
	for _, test := range tests {
		var answer map[string]any
		ask(t, at+test.path, test.form, &answer)
		ours, theirs := dig(answer, test.into), dig(read(test.recorded), test.other)
		for field, value := range theirs {
			if got := fmt.Sprintf("%T", ours[field]); got != fmt.Sprintf("%T", value) && !slices.Contains(test.without, field) {
				t.Errorf("%s: field %s is %s, recorded %T", test.recorded, field, got, value)
			}
		}
		for field := range ours {
			if _, ok := theirs[field]; !ok {
				t.Errorf("%s: field %s was never recorded", test.recorded, field)
			}
		}
	}
}

func dig(value any, path []any) map[string]any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			value = value.(map[string]any)[step]
		case int:
			value = value.([]any)[step]
		}
	}
	return value.(map[string]any)
}

func TestPackagesAndFaults(t *testing.T) {
	m, at := start(t)
	get := func(ranges string) (status int, body []byte, etag string, err error) {
		req, _ := http.NewRequest(http.MethodGet, at+"/plugin/akismet.5.4.zip", nil)
		if ranges != "" {
			req.Header.Set("Range", ranges)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return 0, nil, "", err
		}
		defer resp.Body.Close()
		body, err = io.ReadAll(resp.Body)
		return resp.StatusCode, body, resp.Header.Get("ETag"), err
	}
	status, whole, etag, err := get("")
	sum := sha256.Sum256(whole)
	if err != nil || status != http.StatusOK || etag != `"`+hex.EncodeToString(sum[:])+`"` {
		t.Fatalf("status %d etag %s: %v", status, etag, err)
	}
	if status, part, _, _ := get("bytes=10-"); status != http.StatusPartialContent || string(part) != string(whole[10:]) {
		t.Errorf("range: status %d, %d bytes", status, len(part))
	}
	m.Break(mirror.Fault{Path: "/plugin/", Corrupt: true, Times: 1})
	if _, bad, _, _ := get(""); len(bad) != len(whole) || string(bad) == string(whole) {
		t.Errorf("corrupt: %d bytes of %d", len(bad), len(whole))
	}
	if _, again, _, _ := get(""); string(again) != string(whole) {
		t.Error("a fault struck more often than it was to")
	}
	m.Break(mirror.Fault{Path: "/plugin/", Cut: 20})
	if _, part, _, err := get(""); err == nil || len(part) > 20 {
		t.Errorf("cut: %d bytes, %v", len(part), err)
	}
	m.Heal()
	m.Break(mirror.Fault{Path: "/plugin/", Delay: 30 * time.Millisecond, Status: http.StatusPaymentRequired})
	began := time.Now()
	if status, _, _, _ := get(""); status != http.StatusPaymentRequired || time.Since(began) < 30*time.Millisecond {
		t.Errorf("status %d after %s", status, time.Since(began))
	}
	m.Withhold("akismet")
	var answer map[string]any
	ask(t, at+"/plugins/update-check/1.1/", url.Values{"plugins": {`{"plugins":{"akismet/akismet.php":{"Version":"5.3"}}}`}}, &answer)
	if item := dig(answer, []any{"plugins", "akismet/akismet.php"}); item["package"] != "" {
		t.Errorf("withheld package is %v", item["package"])
	}
}

func TestAddRefusesWhatIsNoPackage(t *testing.T) {
	m, _ := start(t)
	path := filepath.Join(t.TempDir(), "x.zip")
	pack(t, path, map[string]string{"readme.txt": "nothing"})
	if err := m.Add(path); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("%v", err)
	}
	if err := os.WriteFile(path, []byte("no zip"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := m.Add(path); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("%v", err)
	}
}
