package config_test

import (
	"testing"

	"upkeep/internal/cms/php/config"
)

func TestCalls(t *testing.T) {
	for source, want := range map[string]string{
		`load('A'); load( "B", $x );`:                         "A B",
		`load(['A', 'B']);`:                                   "A B",
		`if (true) { load('A'); }`:                            "A",
		`if (false) load('A');`:                               "",
		`if (getenv('X')) load('A');`:                         "?",
		`load(getenv('X'));`:                                  "?",
		`load('A'); other();`:                                 "?",
		`foreach ($a as $b) { load($b); }`:                    "?",
		`function load($x) { $GLOBALS['a'] = 1; } load('A');`: "?",
		`require "$IP/skipped.php"; load('A');`:               "A",
		`require 'else.php'; load('A');`:                      "?",
		`$a = 1; $b[UNKNOWN] = ['x' => C::class]; load('A');`: "A",
		`return; load('A');`:                                  "",
		`$a = load('A');`:                                     "?",
	} {
		read := config.Read([]byte("<?php "+source), config.Source{Path: "/srv/x.php", Calls: []string{"load"}, Skips: []string{"skipped.php"}})
		got := ""
		values, certainty := read.Calls("load")
		if certainty == config.Dynamic {
			got = "?"
		}
		for _, value := range values {
			if len(got) > 0 {
				got += " "
			}
			if got += value.Text(); value.Get("0") != nil {
				got = value.Get("0").Text() + " " + value.Get("1").Text()
			}
		}
		if got != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}

// A key that only running the file tells leaves what stands beside it alone.
func TestUnknownKeyTouchesNothingElse(t *testing.T) {
	read := config.Read([]byte(`<?php $name = 'x'; $list[CACHE_DB] = ['a' => $name]; $list[f($other)] = 1;`), config.Source{})
	if value, certainty := read.Variable("list"); certainty != config.Dynamic {
		t.Errorf("list %v %v", value, certainty)
	}
	read = config.Read([]byte(`<?php $name = 'x'; $list[CACHE_DB] = ['a' => $name];`), config.Source{})
	if value, certainty := read.Variable("name"); certainty != config.Static || value.Text() != "x" {
		t.Errorf("name %v %v", value, certainty)
	}
	read = config.Read([]byte(`<?php $name = 'x'; $list[$name = 'y'] = 1;`), config.Source{})
	if value, certainty := read.Variable("name"); certainty == config.Static && value.Text() == "x" {
		t.Errorf("name %v %v", value, certainty)
	}
}
