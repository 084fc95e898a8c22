package header_test

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"upkeep/internal/cms/wordpress/header"
)

// theRule is WordPress's get_file_data over each input.
const theRule = `
error_reporting(0);
echo json_encode(array_map(function ($file) {
	$file = str_replace("\r", "\n", substr($file, 0, 8192));
	$found = [];
	foreach (['Plugin Name' => 'Name', 'Version' => 'Version', 'Update URI' => 'UpdateURI', 'Network' => 'Network'] as $name => $key) {
		if (preg_match('/^(?:[ \t]*<\?(?:php)?)?[ \t\/*#@]*' . preg_quote($name, '/') . ':(.*)$/mi', $file, $m) && $m[1]) {
			$value = trim(preg_replace('/\s*(?:\*\/|\?>).*/', '', $m[1]));
			if ($value !== '') $found[$key] = $value;
		}
	}
	return (object) $found;
}, json_decode(stream_get_contents(STDIN), true)));`

func TestHeadersAsWordPressReadsThem(t *testing.T) {
	interpreter, err := exec.LookPath("php")
	if err != nil {
		t.Skip("no PHP to compare with")
	}
	r := rand.New(rand.NewPCG(3, 3))
	pieces := []string{
		"Plugin Name:", "plugin name:", "Plugin Name :", "PLUGIN NAME: x", "Version:", "Version: 1.0", "Version:0", "Version: 0", "version",
		"Update URI: false", "Update URI:", "Network: true", "Networ\u212a: true", "\n", "\n", "\n", "\r", "\r\n", " ", "\t", "*", " * ", "/**", "*/", "?>", "<?", "<?php", "<?PHP ",
		"//", "#", "@", "\ufeff", "é", "\u00a0", "\v", "\f", "\x00", "\u2028", "\u0085", "a:b", ":", "x", "<?=", "-->", "<!--", strings.Repeat("y", 4090),
	}
	files := make([]string, 5_000)
	for i := range files {
		for range r.IntN(12) {
			files[i] += pieces[r.IntN(len(pieces))]
		}
	}
	input, err := json.Marshal(files)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), interpreter, "-n", "-r", theRule)
	cmd.Stdin = strings.NewReader(string(input))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []map[string]string
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	for i, want := range answers {
		got := header.Parse([]byte(files[i]), header.Plugin, true)
		maps.DeleteFunc(got, func(key, _ string) bool { return !strings.Contains("Name Version UpdateURI Network", key) })
		if !maps.Equal(got, want) {
			t.Errorf("%.200q: %q, want %q", files[i], got, want)
		}
	}
}
