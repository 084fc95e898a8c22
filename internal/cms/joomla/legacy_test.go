package joomla_test

import (
	"slices"
	"strings"
	"testing"

	"upkeep"
)

// legacyRelease is the files of a small Joomla 3.
func legacyRelease(version string) map[string]string {
	files := release(version)
	for name := range files {
		if strings.HasPrefix(name, "api/") || strings.HasPrefix(name, "media/vendor/") || strings.Contains(name, "/src/Model/") || name == "cli/joomla.php" {
			delete(files, name)
		}
	}
	files["libraries/import.legacy.php"], files["administrator/components/com_joomlaupdate/models/default.php"] = "<?php", "<?php // "+version
	files["components/com_content/views/article/tmpl/default.php"] = "<?php // " + version
	return files
}

// Joomla 3 takes its own releases, and no later one.
func TestJoomla3(t *testing.T) {
	change := legacyRelease("3.10.11")
	for _, name := range []string{"api/index.php", "media/vendor/joomla.asset.json", "cli/joomla.php", "administrator/components/com_joomlaupdate/src/Model/UpdateModel.php"} {
		change[name] = ""
	}
	p := newPortal(t, change)
	l := p.detect()
	inv, err := p.driver.Inventory(t.Context(), p, l)
	if err != nil || inv.Core().Version != "3.10.11" || len(inv.Components) < 5 {
		t.Fatalf("%v: %+v", err, inv)
	}
	for _, f := range slices.Concat(l.Findings, inv.Findings) {
		if f.Blocks {
			t.Errorf("blocked by %+v", f)
		}
	}
	if !slices.ContainsFunc(inv.Findings, func(f upkeep.Finding) bool { return f.Code == "php_too_new" && f.Detail == "8.2.30" }) {
		t.Errorf("findings %+v", inv.Findings)
	}
	update := upkeep.Update{Component: *inv.Core(), Release: upkeep.Release{Version: "3.10.12"}}
	staged, err := p.stage(update, legacyRelease("3.10.12"))
	if err != nil {
		t.Fatal(err)
	}
	if f := staged.Findings; len(f) != 1 || f[0].Code != "override_outdated" || len(f[0].Paths) != 1 {
		t.Errorf("findings %+v", f)
	}
	update.Release.Version = "4.4.14"
	if _, err := p.stage(update, release("4.4.14")); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("the next major version: %v", err)
	}
	update.Release.Version = "3.10.12"
	if _, err := p.stage(update, release("3.10.12")); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("a package that is none of Joomla 3: %v", err)
	}
}

// What is older is shown, and nothing of it is updated.
func TestOlderJoomlasAreListedAndHeld(t *testing.T) {
	for _, version := range []string{"2.5.28", "3.7.5"} {
		p := newPortal(t, map[string]string{"administrator/manifests/files/joomla.xml": "<extension type=\"file\"><version>" + version + "</version></extension>"})
		l := p.detect()
		if !slices.ContainsFunc(l.Findings, func(f upkeep.Finding) bool { return f.Code == "cms_too_old" && f.Blocks && f.Component == "" }) {
			t.Errorf("findings %+v", l.Findings)
		}
		if inv, err := p.driver.Inventory(t.Context(), p, l); err != nil || string(inv.Core().Version) != version {
			t.Errorf("%v: %+v", err, inv)
		}
	}
}
