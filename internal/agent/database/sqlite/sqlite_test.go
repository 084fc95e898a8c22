package sqlite_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/database/sqlite"
	"upkeep/internal/cms"
)

// client runs a script with the plain client, as an operator would.
func client(t testing.TB, file, script string) string {
	t.Helper()
	cmd := exec.Command("sqlite3", "-bail", file)
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sqlite3 %s: %v: %s", file, err, out)
	}
	return string(out)
}

func open(t testing.TB, files ...string) *sqlite.DB {
	t.Helper()
	db, err := sqlite.New(cms.Database{Engine: "sqlite", File: files[0], Files: files[1:]})
	if err != nil {
		t.Fatal(err)
	}
	return db
}

func dump(t testing.TB, db *sqlite.DB, dir string) []upkeep.Object {
	t.Helper()
	objects, err := db.Dump(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func scan(t testing.TB, db *sqlite.DB) []upkeep.Object {
	t.Helper()
	objects, err := db.Scan(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func restore(t testing.TB, db *sqlite.DB, dir string) []upkeep.Object {
	t.Helper()
	objects, err := db.Restore(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// same fails the test unless both identities are equal.
func same(t testing.TB, want, got []upkeep.Object) {
	t.Helper()
	before, after := upkeep.Manifest{Tables: want}, upkeep.Manifest{Tables: got}
	for _, d := range before.Compare(&after) {
		t.Errorf("%s: %s", d.Path, d.Change)
	}
}

// content is what of an identity does not depend on where rows lie in a file.
func content(objects []upkeep.Object) []upkeep.Object {
	return slices.DeleteFunc(slices.Clone(objects), func(o upkeep.Object) bool { return o.Kind == "file" })
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// importText reads the SQL of a dump with the plain client.
func importText(t testing.TB, dir, file string) {
	t.Helper()
	parts, err := filepath.Glob(filepath.Join(dir, "text", "0-*", "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, part := range parts {
		all.Write(read(t, part))
	}
	client(t, file, "PRAGMA synchronous = off;\n"+all.String())
}

// nasty is what a site's database can hold that is easily lost.
const nasty = `
PRAGMA synchronous = off; PRAGMA application_id = 77; PRAGMA user_version = 42;
CREATE TABLE plain (a, b TEXT, c BLOB, d REAL, e INTEGER, f DATETIME, g BOOLEAN, h TIMESTAMP);
INSERT INTO plain (rowid, a, b, c, d, e, f, g, h) VALUES
 (7, NULL, 'it''s', x'00ff', 0.1, 9223372036854775807, '2024-01-02 03:04:05', 1, 1700000000),
 (9, 1.0, char(0) || 'nul' || char(10) || char(13) || '\n', x'', 5e-324, -9223372036854775808, 'never', 0, '2024-01-02'),
 (-3, x'', '', zeroblob(3), 1.7976931348623157e308, 0, NULL, NULL, NULL),
 (9000000000000000000, CAST(x'ff80' AS TEXT), 'é𝄞' || char(10) || '.quit' || char(10), x'27', 9e999, 1, '', 2, 0.1),
 (11, -9e999, 'two
lines', 12345678901234567890.0, 123456789.123456789, -1, 2.5, 'yes', x'00');
CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);
INSERT INTO counted VALUES (100, 'x'); DELETE FROM counted; INSERT INTO counted (v) VALUES ('y');
CREATE TABLE upside (id INTEGER PRIMARY KEY DESC, v); INSERT INTO upside VALUES (5, 'five'), (2, 'two');
CREATE TABLE named (rowid TEXT, _rowid_ TEXT, oid TEXT); INSERT INTO named VALUES ('b', 'c', 'a'), ('a', NULL, 'z'), ('a', NULL, 'z');
CREATE TABLE "we ird ""' -- x" ("a b" TEXT, 'c' INT); INSERT INTO "we ird ""' -- x" VALUES ('1', 2);
CREATE TABLE keyed (a TEXT COLLATE NOCASE, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID; INSERT INTO keyed VALUES ('B', 1), ('a', 2), ('A', 3);
CREATE TABLE strict_one (a INT, b ANY, c TEXT NOT NULL DEFAULT 'd') STRICT; INSERT INTO strict_one VALUES (1, 1.5, 'x'), (2, '1', 'y');
CREATE TABLE made (a INT, b INT GENERATED ALWAYS AS (a * 2) STORED, c TEXT AS (a || 'x')); INSERT INTO made (a) VALUES (4), (5);
CREATE TABLE parent (id INTEGER PRIMARY KEY); CREATE TABLE achild (p INT REFERENCES parent (id) ON DELETE CASCADE);
INSERT INTO parent VALUES (1); INSERT INTO achild VALUES (1), (99);
CREATE INDEX part ON plain (b) WHERE e > 0; CREATE UNIQUE INDEX expr ON counted (lower(v), id DESC);
CREATE VIEW seen AS SELECT b, c FROM plain -- the end
;
CREATE TABLE log (t TEXT);
CREATE TRIGGER watch AFTER INSERT ON plain BEGIN INSERT INTO log VALUES (new.b); SELECT 1; END;
CREATE TRIGGER instead INSTEAD OF INSERT ON seen BEGIN INSERT INTO log VALUES ('no'); END;
CREATE VIRTUAL TABLE words USING fts5(title, body); INSERT INTO words VALUES ('one', 'two three'), ('four', 'five');
CREATE VIRTUAL TABLE old_words USING fts3(body); INSERT INTO old_words VALUES ('mediawiki searches so');
ANALYZE;
`

func TestDumpImportedByTheClientIsTheSame(t *testing.T) {
	t.Parallel()
	for _, before := range []string{"", "PRAGMA page_size = 1024; PRAGMA auto_vacuum = 2;", "PRAGMA encoding = 'UTF-16le';", "PRAGMA journal_mode = wal;"} {
		t.Run(before, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "wiki.sqlite")
			client(t, file, before+nasty)
			info, err := os.Stat(dir)
			if err != nil {
				t.Fatal(err)
			}
			db := open(t, file)
			objects := dump(t, db, filepath.Join(dir+"-dump"))
			same(t, objects, scan(t, db))
			if after, err := os.Stat(dir); err != nil || !after.ModTime().Equal(info.ModTime()) {
				t.Errorf("reading changed the time of the folder: %v", err)
			}
			copied := filepath.Join(dir, "copy")
			importText(t, dir+"-dump", copied)
			same(t, content(objects), content(scan(t, open(t, copied))))
			if out := client(t, copied, "PRAGMA integrity_check; SELECT count(*) FROM words WHERE words MATCH 'three'; SELECT count(*) FROM old_words WHERE old_words MATCH 'mediawiki';"); out != "ok\n1\n1\n" {
				t.Errorf("imported: %s", out)
			}
			everything := "SELECT group_concat(quote(rowid)||quote(a)||typeof(a)||hex(b)||typeof(b)||quote(c)||hex(d)||quote(e)||quote(f)||typeof(f)||quote(g)||quote(h)) FROM plain; SELECT * FROM sqlite_sequence; SELECT quote(rowid), v FROM upside; SELECT count(*) FROM log; PRAGMA user_version; PRAGMA page_size; PRAGMA journal_mode;"
			if want, got := client(t, file, everything), client(t, copied, everything); want != got {
				t.Errorf("imported\n%s\noriginal\n%s", got, want)
			}
		})
	}
}

func TestRestoreGivesTheBytesBack(t *testing.T) {
	t.Parallel()
	const wal = "PRAGMA journal_mode = wal;"
	for _, mode := range []string{"", wal} {
		template := filepath.Join(t.TempDir(), "template")
		client(t, template, mode+nasty)
		for name, damage := range map[string]func(t *testing.T, file string){
			"nothing": func(*testing.T, string) {},
			"rows":    func(t *testing.T, file string) { client(t, file, "UPDATE plain SET b = 'x'; DELETE FROM counted;") },
			"schema": func(t *testing.T, file string) {
				client(t, file, "DROP TABLE plain; CREATE TABLE new (a); PRAGMA journal_mode = delete; VACUUM;")
			},
			"gone":    func(t *testing.T, file string) { must(t, os.Remove(file)) },
			"folder":  func(t *testing.T, file string) { must(t, os.RemoveAll(filepath.Dir(file))) },
			"cut off": func(t *testing.T, file string) { must(t, os.Truncate(file, 5000)) },
			"longer": func(t *testing.T, file string) {
				must(t, os.WriteFile(file, append(read(t, file), make([]byte, 99999)...), 0o600))
			},
			"rubbish":  func(t *testing.T, file string) { must(t, os.WriteFile(file, []byte("not a database"), 0o400)) },
			"a folder": func(t *testing.T, file string) { must(t, errors.Join(os.Remove(file), os.Mkdir(file, 0o700))) },
			"journals": func(t *testing.T, file string) {
				for _, suffix := range []string{"-wal", "-shm", "-journal"} {
					must(t, os.WriteFile(file+suffix, bytes.Repeat([]byte("x"), 9000), 0o600))
				}
			},
		} {
			t.Run(name+" "+mode, func(t *testing.T) {
				dir := t.TempDir()
				file := filepath.Join(dir, "data", "wiki.sqlite")
				must(t, os.Mkdir(filepath.Dir(file), 0o755))
				must(t, os.WriteFile(file, read(t, template), 0o600))
				db := open(t, file)
				objects, before := dump(t, db, filepath.Join(dir, "dump")), read(t, file)
				damage(t, file)
				for range 2 {
					same(t, objects, restore(t, db, filepath.Join(dir, "dump")))
					if !bytes.Equal(before, read(t, file)) {
						t.Error("not the same bytes")
					}
				}
				if left, err := filepath.Glob(file + "-*"); err != nil || len(left) > 0 {
					t.Errorf("left: %v %v", left, err)
				}
				same(t, objects, scan(t, db))
			})
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A dump over an older one must be the dump that it would be in an empty folder.
func TestDumpOverAnOlderOne(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, queue := filepath.Join(dir, "wiki.sqlite"), filepath.Join(dir, "queue.sqlite")
	client(t, file, nasty)
	client(t, queue, "CREATE TABLE job (id INTEGER PRIMARY KEY); INSERT INTO job VALUES (1);")
	db := open(t, file, queue)
	over := filepath.Join(dir, "over")
	for n, change := range []string{"", "", "DELETE FROM plain WHERE rowid = 7;", "DROP TABLE made; VACUUM;"} {
		client(t, file, change)
		objects := dump(t, db, over)
		fresh := filepath.Join(dir, fmt.Sprint("fresh", n))
		same(t, objects, dump(t, db, fresh))
		if out, err := exec.Command("diff", "-r", over, fresh).CombinedOutput(); err != nil {
			t.Errorf("after %q: %s", change, out)
		}
		if !slices.ContainsFunc(objects, func(o upkeep.Object) bool { return o.Name == "queue.sqlite/job" && o.Rows == 1 }) {
			t.Errorf("the second file is missing: %v", objects)
		}
	}
	counts, err := db.CountRows(t.Context(), nil)
	if err != nil || counts["plain"] != 4 || counts["queue.sqlite/job"] != 1 || counts["words_content"] != 2 {
		t.Errorf("%v, %v", counts, err)
	}
	elsewhere := open(t, filepath.Join(dir, "new", "a"), filepath.Join(dir, "new", "b"))
	must(t, elsewhere.RestoreInto(t.Context(), over, nil))
	if !bytes.Equal(read(t, file), read(t, filepath.Join(dir, "new", "a"))) {
		t.Error("restored elsewhere: other bytes")
	}
	if err := elsewhere.RestoreInto(t.Context(), over, nil); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("into one that is there: %v", err)
	}
}

// process is a client that stays open.
type process struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out io.Reader
}

func start(t testing.TB, file string) *process {
	t.Helper()
	p := &process{cmd: exec.Command("sqlite3", "-bail", file)}
	var err1, err2 error
	p.in, err1 = p.cmd.StdinPipe()
	p.out, err2 = p.cmd.StdoutPipe()
	must(t, errors.Join(err1, err2, p.cmd.Start()))
	t.Cleanup(func() { _ = p.in.Close(); _ = p.cmd.Process.Kill(); _ = p.cmd.Wait() })
	return p
}

// do runs a script and waits until it is done.
func (p *process) do(t testing.TB, script string) {
	t.Helper()
	_, err := io.WriteString(p.in, script+"\nSELECT 'done';\n")
	must(t, err)
	answer := make([]byte, 5)
	if _, err := io.ReadFull(p.out, answer); err != nil || string(answer) != "done\n" {
		t.Fatalf("%q, %v", answer, err)
	}
}

// Money moves between two tables while dumps are made: each must hold all of it.
func TestDumpUnderWritersIsOneMoment(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"delete", "wal"} {
		dir := t.TempDir()
		file := filepath.Join(dir, "bank.sqlite")
		client(t, file, "PRAGMA journal_mode = "+mode+`; CREATE TABLE a (n INT); CREATE TABLE b (n INT); INSERT INTO a VALUES (1000000); INSERT INTO b VALUES (0); CREATE TABLE filler AS WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 5000) SELECT n, hex(randomblob(40)) h FROM s;`)
		writer := start(t, file)
		stop, stopped := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				default:
					// Large enough to spill from the writer's cache before it commits.
					_, _ = io.WriteString(writer.in, ".timeout 10000\nBEGIN IMMEDIATE; UPDATE a SET n = n - 1; UPDATE filler SET h = hex(randomblob(40)) WHERE n % 7 = 0; UPDATE b SET n = n + 1; COMMIT;\n")
				}
			}
		}()
		moments := map[string]bool{}
		for n := range 4 {
			out := filepath.Join(dir, fmt.Sprint("dump", n))
			dump(t, open(t, file), out)
			got := client(t, filepath.Join(out, "files", "0-bank.sqlite"), "SELECT a.n + b.n FROM a, b; PRAGMA integrity_check; SELECT a.n FROM a;")
			if !strings.HasPrefix(got, "1000000\nok\n") {
				t.Errorf("%s: %s", mode, got)
			}
			moments[got] = true
		}
		close(stop)
		_ = writer.cmd.Process.Kill()
		<-stopped
		if len(moments) < 2 {
			t.Errorf("%s: nothing was written meanwhile", mode)
		}
	}
}

// A writer that was killed in the middle leaves a journal or a log: a drain
// brings the file to the last committed state.
func TestDrainEndsWhoDoesNot(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"delete", "wal"} {
		t.Run(mode, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "wiki.sqlite")
			client(t, file, "PRAGMA journal_mode = "+mode+"; CREATE TABLE t (v BLOB); INSERT INTO t VALUES ('committed');")
			idle, busy := start(t, file), start(t, file)
			idle.do(t, "SELECT 1 FROM t LIMIT 0;")
			busy.do(t, "PRAGMA cache_size = 1; BEGIN IMMEDIATE; INSERT INTO t VALUES (zeroblob(900000)); UPDATE t SET v = 'lost';")
			db := open(t, file)
			ended, err := db.Drain(t.Context(), 100*time.Millisecond)
			if err != nil || ended != 2 {
				t.Fatalf("ended %d, %v", ended, err)
			}
			if ended, err := db.Drain(t.Context(), time.Second); err != nil || ended != 0 {
				t.Errorf("again: ended %d, %v", ended, err)
			}
			if left, _ := filepath.Glob(file + "-*"); len(left) > 0 {
				t.Errorf("left beside it: %v", left)
			}
			rows, err := db.Query(t.Context(), "SELECT v FROM t WHERE v = ?", "committed")
			if err != nil || len(rows) != 1 {
				t.Errorf("%q, %v", rows, err)
			}
		})
	}
}

func TestRestoreRefusesWhileSomebodyWrites(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "wiki.sqlite")
	client(t, file, "CREATE TABLE t (v);")
	db := open(t, file)
	dump(t, db, filepath.Join(dir, "dump"))
	writer := start(t, file)
	writer.do(t, "BEGIN IMMEDIATE; INSERT INTO t VALUES (1);")
	if _, err := db.Restore(t.Context(), filepath.Join(dir, "dump"), nil); upkeep.CodeOf(err) != upkeep.CodeConflict || upkeep.HintOf(err) == "" {
		t.Errorf("want a conflict, have %v", err)
	}
	writer.do(t, "COMMIT;")
	restore(t, db, filepath.Join(dir, "dump"))
}

func TestDamagedDumpIsRefused(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, dumped := filepath.Join(dir, "wiki.sqlite"), filepath.Join(dir, "dump")
	client(t, file, nasty)
	db := open(t, file)
	dump(t, db, dumped)
	client(t, file, "DELETE FROM plain;")
	before := read(t, file)
	copied := filepath.Join(dumped, "files", "0-wiki.sqlite")
	whole := read(t, copied)
	must(t, os.WriteFile(copied, append(whole[:len(whole)-1:len(whole)-1], 'x'), 0o600))
	if _, err := db.Restore(t.Context(), dumped, nil); upkeep.CodeOf(err) != upkeep.CodeDamaged {
		t.Errorf("want damaged, have %v", err)
	}
	if !bytes.Equal(before, read(t, file)) {
		t.Error("a damaged dump changed the file")
	}
	must(t, os.Remove(filepath.Join(dumped, "index.jsonl")))
	if _, err := db.Restore(t.Context(), dumped, nil); upkeep.CodeOf(err) != upkeep.CodeNotFound {
		t.Errorf("without an index: %v", err)
	}
}

func TestRestoreFollowsNoLink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file, dumped, secret := filepath.Join(dir, "data", "wiki.sqlite"), filepath.Join(dir, "dump"), filepath.Join(dir, "secret")
	must(t, os.Mkdir(filepath.Dir(file), 0o755))
	client(t, file, "CREATE TABLE t (v);")
	db := open(t, file)
	dump(t, db, dumped)
	must(t, os.WriteFile(secret, []byte("kept"), 0o600))
	must(t, errors.Join(os.Remove(file), os.Symlink(secret, file)))
	restore(t, db, dumped)
	if string(read(t, secret)) != "kept" {
		t.Error("written through a link in the place of the file")
	}
	must(t, errors.Join(os.Rename(filepath.Dir(file), filepath.Join(dir, "moved")), os.Symlink(filepath.Join(dir, "moved"), filepath.Dir(file))))
	if _, err := db.Restore(t.Context(), dumped, nil); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("through a link in the path: %v", err)
	}
}

func TestQueryReadsButCannotWrite(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "wiki.sqlite")
	client(t, file, nasty)
	db := open(t, file)
	rows, err := db.Query(t.Context(), "SELECT b, c, e, f, g FROM plain WHERE rowid = ? AND b = ?", 7, "it's")
	if err != nil || len(rows) != 1 || fmt.Sprintf("%q", rows[0]) != `["it's" "\x00\xff" "9223372036854775807" "2024-01-02 03:04:05" "1"]` {
		t.Errorf("%q, %v", rows, err)
	}
	if rows, err := db.Query(t.Context(), "PRAGMA user_version"); err != nil || string(rows[0][0]) != "42" {
		t.Errorf("%q, %v", rows, err)
	}
	if _, err := db.Query(t.Context(), "DELETE FROM plain"); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("a write: %v", err)
	}
	if _, err := db.Query(t.Context(), "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s) SELECT n FROM s"); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("without an end: %v", err)
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "rubbish"), bytes.Repeat([]byte("rubbish "), 1000), 0o600))
	for name, want := range map[string]upkeep.Code{"rubbish": upkeep.CodeDamaged, "nothing": upkeep.CodeNotFound} {
		db := open(t, filepath.Join(dir, name))
		if _, err := db.Dump(t.Context(), filepath.Join(dir, "dump"), nil); upkeep.CodeOf(err) != want || upkeep.HintOf(err) == "" {
			t.Errorf("%s: want %s with a hint, have %v", name, want, err)
		}
		if err := db.SeesAll(t.Context()); upkeep.CodeOf(err) != want {
			t.Errorf("%s is not told before: %v", name, err)
		}
		if _, err := db.Drain(t.Context(), time.Second); err != nil {
			t.Errorf("%s: a drain before a restore: %v", name, err)
		}
	}
	if _, err := sqlite.New(cms.Database{File: "wiki.sqlite"}); upkeep.CodeOf(err) != upkeep.CodeInvalid {
		t.Errorf("a relative path: %v", err)
	}
}

// A program may order text by rules of its own, which nobody else knows: its
// columns and indexes are dumped, counted and given back all the same.
func TestOrderOfTheirOwn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "theirs.sqlite")
	php := func(statements string) {
		t.Helper()
		out, err := exec.Command("php", "-r", `$d = new PDO("sqlite:$argv[1]"); $d->setAttribute(PDO::ATTR_ERRMODE, PDO::ERRMODE_EXCEPTION);
			$d->sqliteCreateCollation('NOCASE_UTF8', 'strcasecmp'); $d->exec($argv[2]);`, file, statements).CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	php(`CREATE TABLE t (name TEXT NOT NULL COLLATE NOCASE_UTF8, n INTEGER, PRIMARY KEY (name)); CREATE INDEX i ON t (n, name);
		INSERT INTO t VALUES ('b', 1), ('A', 2), ('c', 3);`)
	db := open(t, file)
	objects, before := dump(t, db, filepath.Join(dir, "dump")), read(t, file)
	counts, err := db.CountRows(t.Context(), nil)
	if err != nil || len(counts) != 1 || counts["t"] != 3 {
		t.Errorf("%v, %v", counts, err)
	}
	php("DELETE FROM t WHERE name = 'a'")
	same(t, objects, restore(t, db, filepath.Join(dir, "dump")))
	if !bytes.Equal(before, read(t, file)) {
		t.Error("not the same bytes")
	}
}
