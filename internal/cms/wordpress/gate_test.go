package wordpress_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep/internal/agent/codecache"
	"upkeep/internal/cms"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
)

// TestGate closes a real site behind nginx and PHP-FPM and knocks on every
// door WordPress has.
func TestGate(t *testing.T) {
	w := startWorld(t)
	b := newBench(t, w, demo.Spec{Name: "gate", Extensions: []fixtures.Release{fixtures.Plugin(fixtures.Guestbook, "1.0"), fixtures.Plugin(fixtures.LeadForm, "1.0")}})
	short := filepath.Join(b.site.Root, "short.php") // a plugin's own entry that loads half of WordPress
	if err := os.WriteFile(short, []byte("<?php define('SHORTINIT', true); require 'wp-load.php'; echo 'short ran';"), 0o644); err != nil {
		t.Fatal(err)
	}
	// A trace of every request that gets as far as plugins.
	trace := filepath.Join(b.site.Dir, "trace")
	tracer := "<?php file_put_contents('" + trace + "', $_SERVER['REQUEST_URI'] . \"\\n\", FILE_APPEND);"
	if err := errors.Join(os.MkdirAll(filepath.Join(b.site.Content, "mu-plugins"), 0o755), os.WriteFile(filepath.Join(b.site.Content, "mu-plugins/tracer.php"), []byte(tracer), 0o644)); err != nil {
		t.Fatal(err)
	}
	if b.ask("GET", "", "", nil); !there(trace) {
		t.Fatal("the tracer does not work")
	}
	if err := os.Remove(trace); err != nil {
		t.Fatal(err)
	}
	b.freeze()
	comments := func() string {
		out, err := b.site.SQL(t.Context(), "SELECT COUNT(*) FROM wp_comments; SELECT COUNT(*) FROM wp_users; SELECT SUM(LENGTH(option_value)) FROM wp_options")
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	before := comments()
	doors := []struct{ method, path, body string }{
		{"GET", "", ""},
		{"GET", "?wp_scrape_key=cfcd208495d565ef66e7dff9f98764da&wp_scrape_nonce=0", ""},
		{"POST", "?guestbook=sign", "name=a&text=b"},
		{"GET", "wp-json/", ""},
		{"GET", "?rest_route=/", ""},
		{"POST", "xmlrpc.php", "<?xml version='1.0'?><methodCall><methodName>demo.sayHello</methodName></methodCall>"},
		{"POST", "wp-admin/admin-ajax.php", "action=lead_send&email=a@example.org"},
		{"POST", "wp-admin/admin-post.php", "action=x"},
		{"GET", "wp-cron.php?doing_wp_cron", ""},
		{"POST", "wp-cron.php", ""},
		{"POST", "wp-comments-post.php", "comment=hello&author=a&email=a@example.org&comment_post_ID=1"},
		{"POST", "wp-login.php", "log=admin&pwd=x"},
		{"GET", "wp-signup.php", ""},
		{"GET", "wp-mail.php", ""},
		{"POST", "wp-trackback.php?p=1", "url=http://example.org/&title=x&excerpt=y"},
		{"GET", "wp-links-opml.php", ""},
		{"GET", "wp-admin/", ""},
		{"GET", "wp-admin/maint/repair.php", ""},
		{"GET", "short.php", ""},
	}
	for _, door := range doors {
		status, header, body := b.ask(door.method, door.path, door.body, nil)
		if strings.HasPrefix(door.path, "wp-cron") {
			continue // it answers before it begins; whether it ran the trace tells
		}
		if status != 503 || header.Get("Retry-After") == "" || !strings.Contains(header.Get("Cache-Control"), "no-cache") {
			t.Errorf("%s %s: %d %v", door.method, door.path, status, header)
		}
		if strings.Contains(body, "short ran") || strings.Contains(body, "Hello!") {
			t.Errorf("%s %s ran: %s", door.method, door.path, body)
		}
		if status, _, _ := b.ask(door.method, door.path, door.body, map[string]string{cms.TokenHeader: "wrong-token-0123456789"}); status != 503 {
			t.Errorf("%s %s with a wrong token: %d", door.method, door.path, status)
		}
	}
	for _, script := range []string{"wp-activate.php", "wp-admin/upgrade.php?step=1", "wp-admin/install.php", "wp-admin/setup-config.php"} {
		if status, _, body := b.ask("GET", script, "", nil); status < 400 {
			t.Errorf("%s: %d %.100s", script, status, body)
		}
	}
	if log, err := os.ReadFile(b.site.PHPLog()); err == nil && strings.Contains(string(log), "headers already sent") {
		t.Errorf("the gate fills the log: %s", log)
	}
	if got, err := os.ReadFile(trace); err == nil {
		t.Errorf("got past the gate: %s", got)
	}
	if after := comments(); after != before {
		t.Errorf("written behind the gate: %q, before %q", after, before)
	}
	status, header, body := b.ask("GET", "", "", map[string]string{cms.TokenHeader: probeToken, cms.ResetHeader: "1"})
	if status != 200 || header.Get(cms.ResetHeader) != "done" || strings.Contains(body, "Briefly") {
		t.Errorf("with the token: %d %v %.200s", status, header, body)
	}
	for _, name := range []string{cms.ResetHeader, cms.CompileHeader} {
		if _, header, _ := b.ask("POST", "", `["index.php"]`, map[string]string{name: "1"}); header.Get(name) != "" {
			t.Errorf("a stranger may ask for %s", name)
		}
	}
	t.Run("command line", func(t *testing.T) {
		// What wp-cli does to walk past the gate.
		out, err := b.site.PHP(t.Context(), "")
		if err == nil && !strings.Contains(out, "Briefly") {
			t.Errorf("the command line gets in: %.200s", out)
		}
	})
	t.Run("compiled ahead", func(t *testing.T) { compiledAhead(t, b) })
	t.Run("error under our eyes", func(t *testing.T) { errorUnderOurEyes(t, b) })
	t.Run("own upgrader", func(t *testing.T) { ownUpgrader(t, b) })
	t.Run("second freeze", func(t *testing.T) { secondFreeze(t, b) })
}

// compiledAhead has the web server's PHP hold code that nothing has run.
func compiledAhead(t *testing.T, b *bench) {
	const script = "wp-admin/includes/class-wp-plugins-list-table.php" // of no page
	pass := map[string]string{cms.TokenHeader: probeToken}
	old := time.Now().Add(-time.Hour) // PHP keeps no code of files that are younger than two seconds
	if err := os.Chtimes(b.site.Config, old, old); err != nil {
		t.Fatal(err)
	}
	held := func() []string {
		t.Helper()
		_, _, body := b.ask("GET", "", "", map[string]string{cms.TokenHeader: probeToken, cms.ResetHeader: "1"})
		var said codecache.Held
		if err := json.Unmarshal([]byte(body), &said); err != nil || said.Root != b.site.Root {
			t.Fatalf("%v: %.300s", err, body)
		}
		return said.Scripts
	}
	b.ask("GET", "", "", pass)
	if first := held(); !slices.Contains(first, "wp-includes/plugin.php") || slices.Contains(first, script) {
		t.Errorf("after a page, held: %v", first)
	}
	list := `["` + script + `", "../` + filepath.Base(b.site.Root) + `/index.php", "none.php", 7]`
	_, header, _ := b.ask("POST", "", list, map[string]string{cms.TokenHeader: probeToken, cms.CompileHeader: "1"})
	if header.Get(cms.CompileHeader) != "1" {
		t.Errorf("compiled %q of %s", header.Get(cms.CompileHeader), list)
	}
	// What the migration changes after that is not trusted from memory.
	config, err := os.ReadFile(b.site.Config)
	if err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(b.site.Config, config, 0o640)
	changed := strings.Replace(string(config), "<?php", "<?php header('X-Config: changed');", 1)
	if err := os.WriteFile(b.site.Config, []byte(changed), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, header, _ := b.ask("GET", "", "", pass); header.Get("X-Config") != "changed" {
		t.Error("a configuration of a moment ago is still in use")
	}
	if then := held(); !slices.Contains(then, script) {
		t.Errorf("held: %v", then)
	}
}

// errorUnderOurEyes has a plugin fail while we look at the log-in page, of which
// WordPress tells the owner by mail.
func errorUnderOurEyes(t *testing.T, b *bench) {
	sent := filepath.Join(b.site.Dir, "sent")
	listener := "<?php add_filter('pre_wp_mail', function ($none, $mail) { file_put_contents('" + sent + "', 'to:' . implode(',', (array) $mail['to'])); return true; }, 10, 2);"
	plugin := filepath.Join(b.site.Content, "plugins/guestbook-lite/guestbook-lite.php")
	good, err := os.ReadFile(plugin)
	if err != nil {
		t.Fatal(err)
	}
	fails := append(append([]byte(nil), good...), "\nadd_action('login_init', function () { nowhere(); });\n"...)
	if err := errors.Join(os.WriteFile(filepath.Join(b.site.Content, "mu-plugins/listener.php"), []byte(listener), 0o644), os.WriteFile(plugin, fails, 0o644)); err != nil {
		t.Fatal(err)
	}
	defer os.WriteFile(plugin, good, 0o644)
	if status, _, body := b.ask("GET", "wp-login.php", "", map[string]string{cms.TokenHeader: probeToken, cms.ResetHeader: "1"}); status != 200 {
		t.Errorf("reset: %d %.100s", status, body)
	}
	if status, _, _ := b.ask("GET", "wp-login.php", "", map[string]string{cms.TokenHeader: probeToken}); status != 500 {
		t.Errorf("the plugin does not fail: %d", status)
	}
	if mail, err := os.ReadFile(sent); err != nil || string(mail) != "to:" {
		t.Errorf("told by mail: %q, %v", mail, err)
	}
}

// upgraderCode lets WordPress's own upgrader, running as the site's account,
// begin and end its maintenance mode.
const upgraderCode = `<?php
$in = json_decode(file_get_contents('php://fd/3'), true);
define('UPKEEP_AT_WORK', true);
$_SERVER['HTTP_HOST'] = 'localhost'; $_SERVER['REQUEST_URI'] = '/'; $_SERVER['SERVER_PROTOCOL'] = 'HTTP/1.1'; $_SERVER['REQUEST_METHOD'] = 'GET';
require $in['root'] . '/wp-load.php';
require ABSPATH . 'wp-admin/includes/admin.php';
require ABSPATH . 'wp-admin/includes/class-wp-upgrader.php';
$upgrader = new Plugin_Upgrader(new Automatic_Upgrader_Skin());
$upgrader->init();
$connected = $upgrader->fs_connect(array(WP_CONTENT_DIR));
$upgrader->maintenance_mode(true);
$upgrader->maintenance_mode(false);
file_put_contents('php://fd/4', json_encode(array('connected' => $connected, 'method' => $wp_filesystem->method, 'file' => base64_encode((string) @file_get_contents(ABSPATH . '.maintenance')))));
`

func ownUpgrader(t *testing.T, b *bench) {
	want, err := os.ReadFile(filepath.Join(b.site.Root, ".maintenance"))
	if err != nil {
		t.Fatal(err)
	}
	var answer struct {
		Connected bool
		Method    string
		File      []byte
	}
	script := cms.Script{Name: "upgrader.php", Source: upgraderCode, Dir: b.site.Root}
	if err := b.PHP(t.Context(), script, map[string]string{"root": b.site.Root}, &answer); err != nil {
		t.Fatal(err)
	}
	if !answer.Connected || answer.Method != "direct" {
		t.Fatalf("the upgrader did not get to the files: %+v", answer)
	}
	if string(answer.File) != string(want) {
		t.Errorf("the upgrader changed the gate: %q", answer.File)
	}
	if status, _, _ := b.ask("GET", "", "", nil); status != 503 {
		t.Errorf("open after the upgrader: %d", status)
	}
	// Proof that the test would notice: with a writable root it does open.
	if err := os.Chmod(b.site.Root, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := b.PHP(t.Context(), script, map[string]string{"root": b.site.Root}, &answer); err != nil {
		t.Fatal(err)
	}
	if len(answer.File) != 0 {
		t.Error("with a writable root the upgrader should have removed the gate")
	}
}

// secondFreeze closes the site again with another token: no bytecode cache may
// answer with the first one.
func secondFreeze(t *testing.T, b *bench) {
	gate, err := b.driver.Gate(t.Context(), b, b.layout, "another-token-0123456789")
	if err != nil {
		t.Fatal(err)
	}
	file := gate.Files[0]
	_ = os.Remove(file.Path)
	if err := os.WriteFile(file.Path, file.Content, file.Mode); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := b.ask("GET", "", "", map[string]string{cms.TokenHeader: probeToken}); status != 503 {
		t.Errorf("the old token: %d", status)
	}
	if status, _, _ := b.ask("GET", "", "", map[string]string{cms.TokenHeader: "another-token-0123456789"}); status != 200 {
		t.Errorf("the new token: %d", status)
	}
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestGateNeedsAToken(t *testing.T) {
	b := bench{t: t}
	if _, err := b.driver.Gate(t.Context(), &b, &cms.Layout{Root: t.TempDir()}, "short"); err == nil {
		t.Error("a short token was taken")
	}
}
