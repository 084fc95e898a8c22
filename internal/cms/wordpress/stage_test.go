package wordpress_test

import (
	"archive/zip"
	"bytes"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
)

// pack zips files by name.
func pack(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(files[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// slim reports whether a release is still complete to the driver with this
// file and its like alone: a hundredth of the size makes tests quick.
func slim(name string) bool {
	name = strings.TrimPrefix(name, "wordpress/")
	switch path.Dir(name) {
	case ".", "wp-admin", "wp-admin/includes", "wp-includes":
		return strings.HasSuffix(name, ".php")
	}
	return name == "wp-admin/css/common.css" || name == "wp-includes/js/jquery/jquery.js"
}

// repack makes a slim copy of a core with changes: content by name, nil takes
// the entry out.
func repack(t *testing.T, archive string, change map[string]*string) []byte {
	t.Helper()
	r, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, file := range r.File {
		if _, changed := change[file.Name]; changed || !slim(file.Name) {
			continue
		}
		if err := w.Copy(file); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(change)) {
		if change[name] == nil {
			continue
		}
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(*change[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func fixtureZip(t *testing.T, r fixtures.Release) []byte {
	t.Helper()
	archive, err := r.Zip()
	if err != nil {
		t.Fatal(err)
	}
	return archive
}

// withLanguages gives a site a language folder of German packs.
func withLanguages(t *testing.T, b *bench) {
	t.Helper()
	dir := filepath.Join(b.site.Content, "languages")
	po := "msgid \"\"\nmsgstr \"\"\n\"PO-Revision-Date: 2023-01-01 10:00:00+0000\\n\"\n"
	for _, name := range []string{"de_DE.po", "de_DE.mo", "plugins/guestbook-lite-de_DE.po", "plugins/guestbook-lite-de_DE.mo"} {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(po), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	b.own(dir)
}

func TestStageRefuses(t *testing.T) {
	w := startWorld(t)
	b := newBench(t, w, demo.Spec{Name: "stage", Extensions: []fixtures.Release{
		fixtures.Plugin(fixtures.Guestbook, "1.0"), fixtures.Plugin(fixtures.TwoInOne, "1.0"), fixtures.Plugin(fixtures.LoneWolf, "1.0"),
		fixtures.Theme(fixtures.Paper, "1.0"), fixtures.Theme(fixtures.PaperChild, "1.0"),
	}})
	withLanguages(t, b)
	const guestbook, wolf, paper, child = "plugin:guestbook-lite/guestbook-lite.php", "plugin:lone-wolf.php", "theme:paper", "theme:paper-child"
	two := fixtures.Plugin(fixtures.TwoInOne, "1.0").Mains()
	header := func(extra string) string { return "<?php\n/*\nPlugin Name: G\nVersion: 1.1\n" + extra + "*/" }
	plugin := func(text string) map[string]string {
		return map[string]string{"guestbook-lite/guestbook-lite.php": text}
	}
	with := func(files map[string]string, name, text string) map[string]string {
		files[name] = text
		return files
	}
	pot := "msgid \"\"\n"
	cases := []struct {
		name, ref, version string
		files              map[string]string
		want               string
	}{
		{"two folders", guestbook, "1.1", with(plugin(header("")), "other/x.php", ""), "instead of one folder"},
		{"other folder", guestbook, "1.1", map[string]string{"guestbook-main/guestbook-lite.php": header("")}, "instead of one folder"},
		{"no folder", guestbook, "1.1", map[string]string{"guestbook-lite.php": header("")}, "instead of one folder"},
		{"other file", guestbook, "1.1", map[string]string{"guestbook-lite/main.php": header("")}, "holds no guestbook-lite/guestbook-lite.php"},
		{"no header", guestbook, "1.1", plugin("<?php"), "no plugin header"},
		{"other version", guestbook, "1.2", plugin(header("")), `"1.1", promised "1.2"`},
		{"no version", guestbook, "1.1", plugin("<?php\n/* Plugin Name: G */"), `""`},
		{"newer PHP", guestbook, "1.1", plugin(header("Requires PHP: 99.0\n")), "needs PHP 99.0"},
		{"newer WordPress", guestbook, "1.1", plugin(header("Requires at least: 99.0\n")), "needs WordPress 99.0"},
		{"missing plugin", guestbook, "1.1", plugin(header("Requires Plugins: woocommerce\n")), "needs the plugin woocommerce"},
		{"companion lost", "plugin:" + two[0], "1.1", map[string]string{two[0]: header("")}, "lacks the plugin " + two[1]},
		{"single file grown", wolf, "1.1", map[string]string{"lone-wolf/lone-wolf.php": header(""), "lone-wolf/inc/x.php": ""}, "has become a folder"},
		{"theme without style", paper, "1.1", map[string]string{"paper/index.php": ""}, "no theme header"},
		{"theme version", paper, "1.1", map[string]string{"paper/style.css": "/*\nTheme Name: Paper\nVersion: 1.0\n*/"}, "promised"},
		{"theme turned child", paper, "1.1", map[string]string{"paper/style.css": "/*\nTheme Name: Paper\nVersion: 1.1\nTemplate: other\n*/"}, "child of theme"},
		{"child turned theme", child, "1.1", map[string]string{"paper-child/style.css": "/*\nTheme Name: Paper\nVersion: 1.1\n*/"}, "child of theme"},
		{"language with PHP", "language:plugins/guestbook-lite-de_DE", "2024-01-01 00:00:00", map[string]string{"guestbook-lite-de_DE.mo": "x", "x.php": "<?php"}, "no language file"},
		{"language of another", "language:plugins/guestbook-lite-de_DE", "2024-01-01 00:00:00", map[string]string{"akismet-de_DE.mo": "x"}, "no language file"},
		{"language of another locale", "language:plugins/guestbook-lite-de_DE", "2024-01-01 00:00:00", map[string]string{"guestbook-lite-fr_FR.mo": "x"}, "no language file"},
		{"language that acts", "language:plugins/guestbook-lite-de_DE", "2024-01-01 00:00:00", map[string]string{"guestbook-lite-de_DE.l10n.php": "<?php return ['a'=>system('id')];"}, "more than a list"},
		{"language that calls", "language:plugins/guestbook-lite-de_DE", "2024-01-01 00:00:00", map[string]string{"guestbook-lite-de_DE.l10n.php": "<?php return 'system'('id');"}, "more than a list"},
		{"language folder", "language:plugins/guestbook-lite-de_DE", "2024-01-01 00:00:00", map[string]string{"x/guestbook-lite-de_DE.mo": pot}, "no language file"},
		{"empty language", "language:plugins/guestbook-lite-de_DE", "2024-01-01 00:00:00", map[string]string{"guestbook-lite-de_DE.po": pot}, "no translations"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b.t = t
			_, err := b.stage(c.ref, upkeep.Release{Version: upkeep.Version(c.version)}, pack(t, c.files))
			if upkeep.CodeOf(err) != upkeep.CodeRefused || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want refused with %q", err, c.want)
			}
		})
	}
	b.t = t
	t.Run("faults", func(t *testing.T) {
		b.t = t
		for _, fault := range fixtures.PackageFaults() {
			_, err := b.stage(guestbook, upkeep.Release{Version: "1.1"}, fixtureZip(t, fixtures.Plugin(fixtures.Guestbook, "1.1").With(fault)))
			if upkeep.CodeOf(err) != upkeep.CodeRefused {
				t.Errorf("%s: got %v, want refused", fault, err)
			}
		}
	})
	b.t = t
	t.Run("core", func(t *testing.T) { refuseCore(t, b) })
}

func refuseCore(t *testing.T, b *bench) {
	b.t = t
	set, err := b.site.World().Packages()
	if err != nil {
		t.Fatal(err)
	}
	core, err := set.Core("6.2.6")
	if err != nil {
		t.Fatal(err)
	}
	version, err := os.ReadFile(filepath.Join(core.Tree, "wp-includes/version.php"))
	if err != nil {
		t.Fatal(err)
	}
	needs := func(old, new string) *string {
		text := strings.Replace(string(version), old, new, 1)
		if text == string(version) {
			t.Fatalf("no %q in version.php", old)
		}
		return &text
	}
	empty, evil := "<?php", "<?php $_old_files = array( '../../etc/passwd' ); function update_core( $from, $to ) {}"
	variable := func(name string) string {
		for statement := range strings.SplitAfterSeq(string(version), ";") {
			if at := strings.Index(statement, "$"+name); at >= 0 {
				return statement[at:]
			}
		}
		t.Fatalf("no $%s", name)
		return ""
	}
	const versionFile = "wordpress/wp-includes/version.php"
	for _, c := range []struct {
		name    string
		release upkeep.Release
		change  map[string]*string
		want    string
	}{
		{"other version", upkeep.Release{Version: "6.2.7"}, nil, "promised"},
		{"other locale", upkeep.Release{Version: "6.2.6", Locale: "de_DE"}, nil, "build for locale"},
		{"partial", upkeep.Release{Version: "6.2.6"}, map[string]*string{"wordpress/wp-admin/admin.php": nil}, "complete release"},
		{"configuration inside", upkeep.Release{Version: "6.2.6"}, map[string]*string{"wordpress/wp-config.php": &empty}, "no release does"},
		{"hidden file", upkeep.Release{Version: "6.2.6"}, map[string]*string{"wordpress/.htaccess": &empty}, "no release does"},
		{"second folder", upkeep.Release{Version: "6.2.6"}, map[string]*string{"extra/x.php": &empty}, "one folder"},
		{"newer PHP", upkeep.Release{Version: "6.2.6"}, map[string]*string{versionFile: needs(variable("required_php_version"), "$required_php_version = '99.0';")}, "needs PHP 99.0"},
		{"newer database", upkeep.Release{Version: "6.2.6"}, map[string]*string{versionFile: needs(variable("required_mysql_version"), "$required_mysql_version = '99.0';")}, "needs MySQL 99.0"},
		{"extension", upkeep.Release{Version: "6.2.6"}, map[string]*string{versionFile: needs(variable("required_mysql_version"), variable("required_mysql_version")+"\n$required_php_extensions = array( 'json', 'nosuch' );")}, "extension nosuch"},
		{"obsolete outside", upkeep.Release{Version: "6.2.6"}, map[string]*string{"wordpress/wp-admin/includes/update-core.php": &evil}, "obsolete"},
		{"no list", upkeep.Release{Version: "6.2.6"}, map[string]*string{"wordpress/wp-admin/includes/update-core.php": &empty}, "does not read"},
	} {
		_, err := b.stage("core", c.release, repack(t, core.Zip, c.change))
		if upkeep.CodeOf(err) != upkeep.CodeRefused || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want refused with %q", c.name, err, c.want)
		}
	}
}

// kinds of a move, for messages.
func targets(staged *cms.Staged) []string {
	var to []string
	for _, move := range staged.Moves {
		to = append(to, filepath.Base(move.To))
	}
	return to
}
