package wordpress_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/cms"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
)

func (b *bench) write(name, text string) {
	b.t.Helper()
	file := filepath.Join(b.site.Root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o640); err != nil {
		b.t.Fatal(err)
	}
	b.own(file)
}

// TestUpdate takes a real WordPress of an old release with its plugins,
// themes and languages to newer ones, several at a time.
func TestUpdate(t *testing.T) {
	w := startWorld(t)
	set, err := w.Packages()
	if err != nil {
		t.Fatal(err)
	}
	core := set.Newest()
	old := []fixtures.Release{
		fixtures.Plugin(fixtures.Guestbook, "1.0"), fixtures.Plugin(fixtures.Diary, "1.0"), fixtures.Plugin(fixtures.Notes, "1.0"),
		fixtures.Plugin(fixtures.TwoInOne, "1.0"), fixtures.Plugin(fixtures.LoneWolf, "1.0"),
		fixtures.Theme(fixtures.Paper, "1.0"), fixtures.Theme(fixtures.PaperChild, "1.0"),
	}
	for _, spec := range []demo.Spec{
		{Name: "plain", Extensions: old},
		{Name: "network", Network: true, Extensions: old},
		{Name: "bedrock", Layout: demo.Bedrock, Extensions: old},
		{Name: "outside", Outside: true, ConfigAbove: true, Extensions: old},
	} {
		t.Run(spec.Name, func(t *testing.T) {
			b := newBench(t, w, spec)
			withLanguages(t, b)
			if _, err := b.site.PHP(t.Context(), offers); err != nil {
				t.Fatal(err)
			}
			// What is the site's own stays, what nobody knows is reported.
			b.write("wp-admin/.htaccess", "Require valid-user\n")
			b.write("wp-includes/own.php", "<?php // somebody's\n")
			b.write("wp.php", "<?php // of a very old release\n")

			var staged []cms.Staged
			for _, release := range old {
				next := release
				next.Version = "1.1"
				refs := []string{next.Component()}
				if next.Kind == upkeep.Plugin {
					refs = nil
					for _, id := range next.Mains() {
						refs = append(refs, "plugin:"+id)
					}
				}
				for _, ref := range refs {
					staged = append(staged, b.mustStage(ref, upkeep.Release{Version: next.Version}, fixtureZip(t, next)))
				}
			}
			staged = append(staged, b.mustStage("language:plugins/guestbook-lite-de_DE", upkeep.Release{Version: "2024-05-01 10:00:00", Locale: "de_DE"}, pack(t, map[string]string{
				"guestbook-lite-de_DE.po":                                    "msgid \"\"\nmsgstr \"\"\n\"PO-Revision-Date: 2024-05-01 10:00:00+0000\\n\"\n",
				"guestbook-lite-de_DE.mo":                                    "mo",
				"guestbook-lite-de_DE.l10n.php":                              "<?php\nreturn ['po-revision-date'=>'2024-05-01 10:00:00+0000','messages'=>['it\\'s'=>'es ist','a'=>'b' . \"\\0\" . 'c']];\n",
				"guestbook-lite-de_DE-0123456789abcdef0123456789abcdef.json": "{}",
			})))
			archive, err := os.ReadFile(core.Zip)
			if err != nil {
				t.Fatal(err)
			}
			own := b.mustStage("core", upkeep.Release{Version: core.Version}, archive)
			staged = append(staged, own)

			to := targets(&own)
			if to[len(to)-1] != "wp-includes" || to[0] != "wp-admin" || slices.Contains(to, "wp-content") || !slices.Contains(to, "wp-settings.php") {
				t.Errorf("moves %v", to)
			}
			if len(own.Findings) != 1 || len(own.Findings[0].Paths) != 1 || filepath.Base(own.Findings[0].Paths[0]) != "own.php" {
				t.Errorf("findings %+v", own.Findings)
			}
			if len(own.Drop) != 1 || filepath.Base(own.Drop[0]) != "wp.php" {
				t.Errorf("drop %v", own.Drop)
			}

			allOK(t, b.update(staged...))

			if text, err := os.ReadFile(filepath.Join(b.site.Root, "wp-admin/.htaccess")); err != nil || !strings.HasPrefix(string(text), "Require") {
				t.Errorf("the password of wp-admin is gone: %v", err)
			}
			if there(filepath.Join(b.site.Root, "wp.php")) || there(filepath.Join(b.site.Root, "wp-includes/own.php")) {
				t.Error("what should have gone is there")
			}
			if n := count(b.swaps, filepath.Join(b.site.Content, "plugins", fixtures.TwoInOne)); n != 1 {
				t.Errorf("folder of two plugins swapped %d times", n)
			}
			b.told(t)
			if status, _, body := b.ask("GET", "", "", map[string]string{cms.TokenHeader: probeToken, cms.ResetHeader: "1"}); status != 200 {
				t.Errorf("the page: %d %.300s", status, body)
			}
			if status, _, body := b.ask("GET", "", "", map[string]string{cms.TokenHeader: probeToken}); status != 200 || !strings.Contains(body, "1.1") {
				t.Errorf("the page: %d %.300s", status, body)
			}
		})
	}
}

func count(in []string, what string) (n int) {
	for _, s := range in {
		if s == what {
			n++
		}
	}
	return n
}

// offers is what WordPress remembers of a plugin of ours and of a bought one
// that only its vendor's updater can ask about.
const offers = `$o = new stdClass; $o->last_checked = time(); $o->checked = array('guestbook-lite/guestbook-lite.php' => '1.0', 'paid/paid.php' => '1.0');
$o->response = array('guestbook-lite/guestbook-lite.php' => (object) array('new_version' => '1.1'), 'paid/paid.php' => (object) array('new_version' => '2.0', 'package' => 'https://vendor.example/x'));
$o->translations = array(array('type' => 'plugin', 'slug' => 'guestbook-lite', 'language' => 'de_DE'), array('type' => 'plugin', 'slug' => 'paid', 'language' => 'de_DE'));
update_site_option('_site_transient_update_plugins', $o);`

// told checks what the plugin that listens to upgraders heard, what WordPress
// still believes it could update, and that nothing is left behind.
func (b *bench) told(t *testing.T) {
	t.Helper()
	heard, err := b.site.SQL(t.Context(), "SELECT option_value FROM "+b.layout.Database.Prefix+"options WHERE option_name = 'site_notes_updates'")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"core", "guestbook-lite/guestbook-lite.php", "lone-wolf.php", "paper-child", "guestbook-lite"} {
		if !strings.Contains(heard, want) {
			t.Errorf("plugins did not hear of %s: %s", want, heard)
		}
	}
	root := b.site.Root + "/.maintenance"
	gate, err := os.ReadFile(root)
	if err != nil {
		t.Fatal(err)
	}
	// site.PHP is a stranger to the gate: look with it open.
	if err := errors.Join(os.Chmod(b.site.Root, 0o755), os.Remove(root)); err != nil {
		t.Fatal(err)
	}
	out, err := b.site.PHP(t.Context(), `$o = get_site_transient('update_plugins');
		echo json_encode(array($o->checked, array_keys($o->response), array_column($o->translations, 'slug'), get_site_transient('update_core'), get_option('core_updater.lock'), get_option('auto_updater.lock')));`)
	if err := errors.Join(err, os.WriteFile(root, gate, 0o444)); err != nil {
		t.Fatal(err)
	}
	if want := `[{"guestbook-lite\/guestbook-lite.php":"1.1","paid\/paid.php":"1.0"},["paid\/paid.php"],["paid"],false,false,false]`; out != want {
		t.Errorf("left in the records:\n%s, want\n%s", out, want)
	}
}

// TestTrouble lets plugins fail in the ways of real ones, and damages an
// update after it was applied.
func TestTrouble(t *testing.T) {
	w := startWorld(t)
	t.Run("damaged", func(t *testing.T) { readBackNotices(t, w) })
	for _, fault := range []fixtures.Fault{fixtures.Fatal, fixtures.Parse, fixtures.AdminFatal} {
		t.Run(string(fault), func(t *testing.T) {
			name := strings.ReplaceAll(string(fault), "-", "")
			b := newBench(t, w, demo.Spec{Name: name, Extensions: []fixtures.Release{fixtures.Plugin(fixtures.Guestbook, "1.0"), fixtures.Plugin(fixtures.LoneWolf, "1.0")}})
			bad := fixtures.Plugin(fixtures.Guestbook, "1.1").With(fault)
			staged := []cms.Staged{b.mustStage(bad.Component(), upkeep.Release{Version: "1.1"}, fixtureZip(t, bad))}
			before := b.inventory()
			b.freeze()
			if err := b.driver.Apply(t.Context(), b, b.layout, staged); err != nil {
				t.Fatal(err)
			}
			err := b.driver.Migrate(t.Context(), b, b.layout, staged)
			if upkeep.CodeOf(err) != upkeep.CodeRefused || !strings.Contains(err.Error(), "wp-content/plugins/guestbook-lite/") {
				t.Errorf("migrate: %v", err)
			}
			if fault == fixtures.AdminFatal {
				return // it dies in a hook that only the visit of Migrate runs
			}
			checks, err := b.driver.ReadBack(t.Context(), b, b.layout, before, staged)
			if err != nil {
				t.Fatal(err)
			}
			verdict := upkeep.Verdict{Checks: checks}
			failed := verdict.Failures()
			if len(failed) == 0 {
				t.Fatal("nothing failed")
			}
			for _, check := range failed {
				if check.Code != "bootstrap" || check.Component != bad.Component() {
					t.Errorf("check %+v", check)
				}
			}
		})
	}
}

func readBackNotices(t *testing.T, w *demo.World) {
	b := newBench(t, w, demo.Spec{Name: "notices", Extensions: []fixtures.Release{fixtures.Plugin(fixtures.Guestbook, "1.0"), fixtures.Plugin(fixtures.Notes, "1.0")}})
	next := fixtures.Plugin(fixtures.Guestbook, "1.1")
	staged := []cms.Staged{b.mustStage(next.Component(), upkeep.Release{Version: "1.1"}, fixtureZip(t, next))}
	before := b.inventory()
	allOK(t, b.update(staged...))

	file := filepath.Join(b.site.Content, "plugins/guestbook-lite/guestbook-lite.php")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	sql := func(statement string) func() {
		return func() {
			if _, err := b.site.SQL(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, c := range []struct {
		name         string
		damage, mend func()
		want         string
	}{
		{"content", func() { _ = os.WriteFile(file, append(good, '\n'), 0o644) }, func() { _ = os.WriteFile(file, good, 0o644) }, "package_content"},
		{"version", func() { _ = os.WriteFile(file, []byte(strings.Replace(string(good), "1.1", "1.0", 1)), 0o644) }, func() { _ = os.WriteFile(file, good, 0o644) }, "version"},
		{"schema", sql("UPDATE wp_options SET option_value = option_value - 1 WHERE option_name = 'db_version'"), sql("UPDATE wp_options SET option_value = option_value + 1 WHERE option_name = 'db_version'"), "schema"},
		{"lock", sql("INSERT INTO wp_options (option_name, option_value) VALUES ('core_updater.lock', UNIX_TIMESTAMP())"), sql("DELETE FROM wp_options WHERE option_name = 'core_updater.lock'"), "leftover"},
		{"inactive", sql("CREATE TABLE aside AS SELECT * FROM wp_options WHERE option_name = 'active_plugins'; UPDATE wp_options SET option_value = 'a:0:{}' WHERE option_name = 'active_plugins'"),
			sql("UPDATE wp_options SET option_value = (SELECT option_value FROM aside) WHERE option_name = 'active_plugins'; DROP TABLE aside"), "active"},
	} {
		c.damage()
		checks, err := b.driver.ReadBack(t.Context(), b, b.layout, before, staged)
		if err != nil {
			t.Fatal(err)
		}
		verdict := upkeep.Verdict{Checks: checks}
		if !slices.ContainsFunc(verdict.Failures(), func(check upkeep.Check) bool { return check.Code == c.want }) {
			t.Errorf("%s: not noticed: %+v", c.name, checks)
		}
		c.mend()
	}
}
