package upkeeptest_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
	"upkeep/internal/upkeeptest"
)

// A whole update of a site on which there is everything that can be: core
// over four branches, plugins, a theme and a language, then a restore.
func TestCoreWithEverythingElse(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, demo.Spec{Posts: 3, Uploads: 2})
	speakFrench(t, site, "2022-01-01 10:00:00+0000")
	oddFiles(t, site)
	oddObjects(t, site)
	offers := upkeeptest.Basics("1.1")
	p := upkeeptest.AdoptWith(t, site, []string{"--majors"}, offers...)
	offerFrench(t, p, "6.1.9", "2024-06-01 10:00:00+0000")
	p.Run(t, "update", "list", "shop") // asks the publisher anew
	before, switched := upkeeptest.StateOf(t, site), active(t, site)
	present := 0
	for _, path := range obsolete(t, tree(t, newest)) {
		if _, err := os.Lstat(filepath.Join(site.Root, path)); err == nil {
			present++
		}
	}
	if present < 5 {
		t.Errorf("only %d files that will be obsolete: this shows nothing", present)
	}
	agrees(t, p, site)

	iv := updateAll(t, p, site)
	agrees(t, p, site)
	if now := active(t, site); now != switched {
		t.Errorf("active is\n%s\nnot\n%s", now, switched)
	}
	after := upkeeptest.StateOf(t, site)
	if a, b := belowUploads(before), belowUploads(after); !slices.Equal(a, b) {
		t.Errorf("what visitors uploaded is\n%q\nnot\n%q", b, a)
	}
	for ref, version := range map[string]string{"plugin:guestbook-lite/guestbook-lite.php": "1.1", "theme:paper": "1.1", "core": newest} {
		if !slices.ContainsFunc(iv.Outcomes, func(o upkeep.Outcome) bool { return o.Ref == ref && string(o.To) == version }) {
			t.Errorf("%s was not updated: %+v", ref, iv.Outcomes)
		}
	}
	po, err := os.ReadFile(filepath.Join(site.Content, "languages", "fr_FR.po"))
	if err != nil || !strings.Contains(string(po), "2024-06-01") {
		t.Errorf("the language was not updated: %v %s", err, po)
	}
	upkeeptest.Works(t, site)
	restore(t, p, site, before)
}

// An update of which nothing is good is undone without a trace.
func TestAllBadLeavesNoTrace(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, demo.Spec{Posts: 3, Uploads: 2})
	oddFiles(t, site)
	oddObjects(t, site)
	p := upkeeptest.AdoptWith(t, site, []string{"--majors"},
		fixtures.Plugin(fixtures.Guestbook, "1.1").With(fixtures.HalfMigrate), fixtures.Plugin(fixtures.Diary, "1.1").With(fixtures.DropsTable))
	if err := p.Mirror.Add(repack(t, newest, "6.6.9", broken)); err != nil {
		t.Fatal(err)
	}
	p.Run(t, "update", "list", "shop")
	before := upkeeptest.StateOf(t, site)
	out, code := p.Run(t, "site", "update", "shop", "--yes")
	iv := p.Last(t)
	if code != 4 || iv.State != upkeep.Undone || iv.Identity == nil || !iv.Identity.Proven() {
		t.Errorf("exit %d, ended %s, identity %+v\n%s", code, iv.State, iv.Identity, out)
	}
	for _, o := range iv.Outcomes {
		if o.Result != upkeep.Guilty {
			t.Errorf("%+v", o)
		}
	}
	upkeeptest.Same(t, before, site, upkeeptest.Volatile...)
	upkeeptest.Works(t, site)
}

// Without leave for a new branch the site gets the release of its own.
func TestMinorStaysInItsBranch(t *testing.T) {
	t.Parallel()
	site := upkeeptest.WordPress(t, demo.Spec{Version: "6.2.6"})
	p := upkeeptest.Adopt(t, site)
	if err := p.Mirror.Add(repack(t, "6.2.6", "6.2.7", map[string]string{"wp-includes/new-in-branch.php": "<?php // new\n"})); err != nil {
		t.Fatal(err)
	}
	p.Run(t, "update", "list", "shop")
	if out, code := p.Run(t, "site", "update", "shop", "--yes"); code != 0 {
		t.Fatalf("exit %d\n%s", code, out)
	}
	if version, _ := versionIn(t, site.Root); version != "6.2.7" {
		t.Errorf("WordPress is %s", version)
	}
	if _, err := os.Stat(filepath.Join(site.Root, "wp-includes/new-in-branch.php")); err != nil {
		t.Error(err)
	}
	backedUp(t, p, p.Last(t))
	quoted := upkeeptest.JSON[[]struct {
		upkeep.Update
	}](t, p, "update", "list", "shop")
	if len(quoted) == 0 || quoted[0].Disposition != upkeep.Quote || quoted[0].Release.Version != newest {
		t.Errorf("the new branch is not quoted: %+v", quoted)
	}
	upkeeptest.Works(t, site)
}

// belowUploads are the lines of a state about what visitors uploaded.
func belowUploads(s *upkeeptest.State) []string {
	return slices.DeleteFunc(slices.Clone(s.Files), func(line string) bool { return !strings.Contains(line, "/wp-content/uploads/") })
}

// oddFiles puts among a site's uploads what no upload should be.
func oddFiles(t *testing.T, site *demo.Site) {
	t.Helper()
	dir := filepath.Join(site.Content, "uploads", "odd")
	uid, gid := site.World().Account()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return dir + "/" + name }
	must(os.MkdirAll(at("deep/deeper"), 0o755))
	for i, name := range []string{"new\nline", "\xff\xfe invalid", "-rf", " ", "'quote\" $HOME `id`", "été 🌞", "*", "deep.php", "deep/deeper/x"} {
		must(os.WriteFile(at(name), []byte(name), 0o644))
		must(os.Chtimes(at(name), time.Time{}, time.Unix(int64(i)*86400*365, 123456789)))
	}
	must(os.Link(at("-rf"), at("hard link")))
	must(os.Symlink("-rf", at("link")))
	must(os.Symlink("nowhere at all", at("dangling")))
	must(os.Symlink(".", at("loop")))
	must(os.Symlink("/etc/hostname", at("out")))
	must(unix.Mkfifo(at("fifo"), 0o600))
	must(os.Mkdir(at("sticky"), 0o755))
	command(t, "chown", "-hR", fmt.Sprintf("%d:%d", uid, gid), dir)
	must(os.Chmod(at("sticky"), os.ModeSticky|os.ModeSetgid|0o775))
	must(os.Chmod(at("*"), 0o400))
	must(os.Chmod(at(" "), 0o600))
	must(os.Lchown(at("deep.php"), uid, 100))
	must(os.Chown(at("deep/deeper/x"), 0, 0))
}

// oddObjects puts into a site's database what WordPress would not. All is as
// the site's own account makes it.
func oddObjects(t *testing.T, site *demo.Site) {
	t.Helper()
	definer := "`" + site.Database.User + "`@`localhost`"
	query(t, site, strings.ReplaceAll(`
SET SESSION sql_mode = '';
CREATE TABLE wp_audit (id bigint unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, what varchar(200) COLLATE utf8mb4_bin, at datetime DEFAULT '0000-00-00 00:00:00',
	raw varbinary(20), twice int GENERATED ALWAYS AS (CHAR_LENGTH(what) * 2) STORED, KEY what (what)) AUTO_INCREMENT = 4711;
INSERT INTO wp_audit (what, at, raw) VALUES ('zero', '0000-00-00 00:00:00', x'00ff1b5c27'), ('é🌞', NOW(), NULL);
DELETE FROM wp_audit WHERE what = 'zero';
CREATE TABLE wp_latin (t varchar(20)) CHARSET latin1;
INSERT INTO wp_latin VALUES (x'e9e8');
CREATE TABLE wp_parent (id int PRIMARY KEY) ENGINE=InnoDB;
CREATE TABLE wp_child (id int, FOREIGN KEY (id) REFERENCES wp_parent (id) ON DELETE CASCADE) ENGINE=InnoDB;
INSERT INTO wp_parent VALUES (1), (2); INSERT INTO wp_child VALUES (2);
CREATE DEFINER=@ VIEW wp_titles AS SELECT ID, post_title FROM wp_posts WHERE post_status = 'publish';
CREATE DEFINER=@ VIEW wp_above AS SELECT COUNT(*) AS n FROM wp_titles;
CREATE SEQUENCE wp_numbers START WITH 100 INCREMENT BY 10;
SELECT NEXTVAL(wp_numbers);
DELIMITER ;;
CREATE DEFINER=@ TRIGGER wp_watch AFTER UPDATE ON wp_posts FOR EACH ROW BEGIN INSERT INTO wp_audit (what, at) VALUES (CONCAT('post ', NEW.ID), NOW()); END;;
CREATE DEFINER=@ TRIGGER wp_options_seen AFTER INSERT ON wp_options FOR EACH ROW BEGIN IF NEW.option_name NOT LIKE '%transient%' AND NEW.option_name <> 'cron' THEN INSERT INTO wp_audit (what) VALUES (NEW.option_name); END IF; END;;
CREATE DEFINER=@ PROCEDURE wp_tidy(IN n int) BEGIN DELETE FROM wp_audit WHERE id < n; END;;
CREATE DEFINER=@ FUNCTION wp_double(n int) RETURNS int DETERMINISTIC RETURN n * 2;;
CREATE DEFINER=@ EVENT wp_nightly ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE DO CALL wp_tidy(1);;
DELIMITER ;
`, "@", definer))
}

// speakFrench gives a site a translation of core.
func speakFrench(t *testing.T, site *demo.Site, revised string) {
	t.Helper()
	dir := filepath.Join(site.Content, "languages")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range catalogues(revised) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	uid, gid := site.World().Account()
	command(t, "chown", "-R", fmt.Sprintf("%d:%d", uid, gid), dir)
}

// offerFrench has the publisher offer a newer one.
func offerFrench(t *testing.T, p *upkeeptest.Program, version, revised string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "core", version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	for name, text := range catalogues(revised) {
		if err := write(w, name, text); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "fr_FR.zip")
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.Mirror.Add(path); err != nil {
		t.Fatal(err)
	}
}

// catalogues are the files of a small translation.
func catalogues(revised string) map[string]string {
	head := "PO-Revision-Date: " + revised + "\nProject-Id-Version: WordPress\nX-Generator: tests\nLanguage: fr\nContent-Type: text/plain; charset=UTF-8\n"
	po := "msgid \"\"\nmsgstr \"\"\n"
	for line := range strings.Lines(head) {
		po += "\"" + strings.TrimSuffix(line, "\n") + "\\n\"\n"
	}
	po += "\nmsgid \"Log In\"\nmsgstr \"Se connecter\"\n"
	mo := catalogue([][2]string{{"", head}, {"Log In", "Se connecter"}})
	return map[string]string{"fr_FR.po": po, "fr_FR.mo": mo, "admin-fr_FR.po": po, "admin-fr_FR.mo": mo}
}

// catalogue is a .mo file of texts, sorted.
func catalogue(texts [][2]string) string {
	n := uint32(len(texts))
	head := []uint32{0x950412de, 0, n, 28, 28 + 8*n, 0, 28 + 16*n}
	var body string
	at := 28 + 16*n
	for side := range 2 {
		for _, pair := range texts {
			head = append(head, uint32(len(pair[side])), at)
			body += pair[side] + "\x00"
			at += uint32(len(pair[side])) + 1
		}
	}
	var out []byte
	for _, number := range head {
		out = binary.LittleEndian.AppendUint32(out, number)
	}
	return string(out) + body
}
