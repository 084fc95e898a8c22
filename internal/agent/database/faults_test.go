package database_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/database"
	"upkeep/internal/demo"
)

// manyRows fills table big with n rows of about 200 bytes.
func manyRows(n int) string {
	return fmt.Sprintf(`CREATE TABLE big (id INT NOT NULL AUTO_INCREMENT PRIMARY KEY, name VARCHAR(64) NOT NULL UNIQUE, value LONGTEXT, at DATETIME) ENGINE=InnoDB;
SET unique_checks = 0;
INSERT INTO big SELECT seq, CONCAT('option_', seq), REPEAT(MD5(seq), 5), '2024-01-01' + INTERVAL seq SECOND FROM seq_1_to_%d;`, n)
}

func TestRestoreTouchesOnlyChangedRows(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, manyRows(20_000)+"CREATE TABLE other (a INT PRIMARY KEY); INSERT INTO other VALUES (1);")
	db := open(t, site)
	dir, objects := dump(t, db)
	sql(t, site, "UPDATE big SET value = 'changed' WHERE id IN (7, 10000); DELETE FROM big WHERE id = 15000; INSERT INTO big VALUES (30000, 'new', NULL, NULL);")
	stats := restore(t, db, dir)
	same(t, objects, scan(t, db))
	if stats.RowsDeleted != 3 || stats.RowsInserted != 3 || stats.Repaired != 1 || stats.Rebuilt != 0 || stats.Segments > 4 {
		t.Errorf("%+v", stats)
	}
}

func TestEditedRowsLeaveMostSegmentsOfADumpAlone(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, manyRows(20_000))
	db := open(t, site)
	first, _ := dump(t, db)
	sql(t, site, "UPDATE big SET value = CONCAT(value, 'longer') WHERE id = 3; DELETE FROM big WHERE id = 9000;")
	second, _ := dump(t, db)
	known := map[string]bool{}
	statements := func(dir string) []string {
		text, err := os.ReadFile(filepath.Join(dir, "2-table-big.sql"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Split(string(text), "INSERT INTO ")[1:]
	}
	for _, s := range statements(first) {
		known[s] = true
	}
	fresh, all := 0, 0
	for _, s := range statements(second) {
		if all++; !known[s] {
			fresh++
		}
		if len(s) > 257<<10 {
			t.Errorf("a statement of %d bytes", len(s))
		}
	}
	if all < 20 || fresh > 6 {
		t.Errorf("%d of %d statements are new", fresh, all)
	}
}

func TestMillionRowsInBoundedMemory(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE big (id INT PRIMARY KEY, v CHAR(32)) ENGINE=InnoDB; SET unique_checks = 0;"+
		"INSERT INTO big SELECT seq, MD5(seq) FROM seq_1_to_1000000;")
	db := open(t, site)
	runtime.GC()
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	var peak uint64
	_, err := db.Dump(t.Context(), t.TempDir(), func(p upkeep.Progress) {
		if runtime.ReadMemStats(&now); now.HeapInuse > before.HeapInuse {
			peak = max(peak, now.HeapInuse-before.HeapInuse)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if peak > 24<<20 {
		t.Errorf("the heap grew by %d MiB", peak>>20)
	}
}

func TestNeighboursAreNeitherDumpedNorTouched(t *testing.T) {
	site := newDatabase(t)
	site.Prefix, site.Neighbours = "wp_", []string{"wp_two_", "blog_"}
	script := ""
	for _, table := range []string{"wp_options", "wp_two_options", "blog_options", "unmatched"} {
		script += "CREATE TABLE " + table + " (id INT PRIMARY KEY, v INT); INSERT INTO " + table + " VALUES (1, 1);"
	}
	sql(t, site, script)
	db := open(t, site)
	dir, objects := dump(t, db)
	for _, o := range objects {
		if strings.HasPrefix(o.Name, "wp_two_") || strings.HasPrefix(o.Name, "blog_") {
			t.Errorf("%s is a neighbour's", o.Name)
		}
	}
	sql(t, site, "UPDATE wp_two_options SET v = 2; CREATE TABLE blog_new (a INT); CREATE TABLE wp_new (a INT); CREATE TRIGGER blog_options AFTER INSERT ON blog_options FOR EACH ROW DO 1; UPDATE wp_options SET v = 2; DROP TABLE unmatched;")
	restore(t, db, dir)
	same(t, objects, scan(t, db))
	if got := sql(t, site, "SELECT v FROM wp_two_options; SELECT COUNT(*) FROM blog_new; SELECT COUNT(*) FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE();"); got != "2\n0\n1\n" {
		t.Errorf("the neighbours' tables: %q", got)
	}
}

// TestRestoreSurvivesKillOfTheServer kills mariadbd again and again at
// different moments of a restore; the run that is let to its end must give
// the original.
func TestRestoreSurvivesKillOfTheServer(t *testing.T) {
	dir, err := openTempDir()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	ctx := t.Context()
	own, err := demo.StartMariaDB(ctx, filepath.Join(dir, "server"), demo.MariaDBOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = own.Kill(t.Context()) })
	site, err := own.CreateDatabase(ctx, "shop")
	if err != nil {
		t.Fatal(err)
	}
	exec := func(script string) {
		t.Helper()
		if _, err := own.Exec(ctx, "shop", script); err != nil {
			t.Fatal(err)
		}
	}
	exec(manyRows(20_000) + "CREATE TABLE altered LIKE big; INSERT INTO altered SELECT * FROM big; CREATE TABLE fk (id INT PRIMARY KEY, b INT, FOREIGN KEY (b) REFERENCES big (id)); INSERT INTO fk SELECT id, id FROM big;" +
		"CREATE TABLE log (n INT) ENGINE=InnoDB; CREATE DEFINER=shop@localhost TRIGGER tr AFTER DELETE ON big FOR EACH ROW INSERT INTO log VALUES (OLD.id);" +
		"CREATE DEFINER=shop@localhost VIEW v AS SELECT * FROM altered;")
	db, err := database.Open(ctx, *site)
	if err != nil {
		t.Fatal(err)
	}
	dump := filepath.Join(dir, "dump")
	objects, err := db.Dump(ctx, dump, nil)
	if err != nil {
		t.Fatal(err)
	}
	damage := "SET foreign_key_checks = 0; UPDATE big SET value = 'x' WHERE id % 50 = 0; ALTER TABLE altered ADD COLUMN c INT; DROP TABLE fk; CREATE TABLE stray (a INT); DROP VIEW v; INSERT INTO log VALUES (-1);"
	for kill := range 6 {
		exec(damage)
		damage = "SET foreign_key_checks = 0; UPDATE IGNORE big SET value = 'y' WHERE id % 70 = 0;"
		var calls atomic.Int32
		killed := make(chan error, 2)
		_, err := db.Restore(ctx, dump, func(upkeep.Progress) {
			if calls.Add(1) == int32(4+15*kill) {
				go func() { killed <- own.Kill(ctx) }()
			}
		})
		if err == nil {
			t.Logf("restore %d ended before the kill", kill)
			if err := own.Kill(ctx); err != nil {
				t.Fatal(err)
			}
			killed <- nil
		} else if code := upkeep.CodeOf(err); code != upkeep.CodeUnreachable {
			t.Errorf("killed server: code %q: %v", code, err)
		}
		select {
		case err := <-killed:
			if err != nil {
				t.Fatal(err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("never killed")
		}
		if err := own.Start(ctx); err != nil {
			t.Fatal(err)
		}
	}
	stats, err := db.Restore(ctx, dump, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, objects, stats.Objects)
	same(t, objects, scan(t, db))
	if out, err := own.Exec(ctx, "shop", "SHOW TABLES LIKE '\\_\\_upkeep%';"); err != nil || out != "" {
		t.Errorf("left behind: %q, %v", out, err)
	}
	_ = db.Close()
}

func TestDamagedDumpIsRefused(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE t (a INT PRIMARY KEY, b TEXT); INSERT INTO t VALUES (1, 'one'), (2, 'two');")
	db := open(t, site)
	dir, objects := dump(t, db)
	sql(t, site, "UPDATE t SET b = 'x';")
	name := filepath.Join(dir, "2-table-t.sql")
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.Replace(string(text), "two", "TWO", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Restore(t.Context(), dir, nil); upkeep.CodeOf(err) != upkeep.CodeDamaged {
		t.Errorf("want damaged, have %v", err)
	}
	if got := sql(t, site, "SELECT b FROM t;"); got != "x\nx\n" {
		t.Errorf("a damaged dump changed rows: %q", got)
	}
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	restore(t, db, dir)
	same(t, objects, scan(t, db))
	if err := os.Remove(filepath.Join(dir, "index.jsonl")); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Restore(t.Context(), dir, nil); upkeep.CodeOf(err) != upkeep.CodeNotFound {
		t.Errorf("without an index: %v", err)
	}
}

func TestQueryReadsButCannotWrite(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE t (a INT PRIMARY KEY, b TEXT, c BLOB); INSERT INTO t VALUES (1, 'é', NULL);")
	db := open(t, site)
	rows, err := db.Query(t.Context(), "SELECT a, b, c FROM t WHERE b = ? AND a = ?", "é", 1)
	if err != nil || len(rows) != 1 || string(rows[0][0]) != "1" || string(rows[0][1]) != "é" || rows[0][2] != nil {
		t.Errorf("%q, %v", rows, err)
	}
	if _, err := db.Query(t.Context(), "DELETE FROM t"); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("a write: %v", err)
	}
	if _, err := db.Query(t.Context(), "SELECT seq FROM seq_1_to_200000"); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("too many rows: %v", err)
	}
	if rows, err = db.Query(t.Context(), "SELECT b FROM t"); err != nil || len(rows) != 1 {
		t.Errorf("afterwards: %q, %v", rows, err)
	}
}

// TestRestoreFindsSegmentsThatAppearBetweenOthers inserts, right behind the
// last row of each segment, a row that is a segment of its own: every segment
// of the dump is still there.
func TestRestoreFindsSegmentsThatAppearBetweenOthers(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE big (id INT PRIMARY KEY, v LONGTEXT); INSERT INTO big SELECT seq * 2, REPEAT(MD5(seq), 10) FROM seq_1_to_2000;")
	db := open(t, site)
	dir, objects := dump(t, db)
	text, err := os.ReadFile(filepath.Join(dir, "2-table-big.sql"))
	if err != nil {
		t.Fatal(err)
	}
	script, n := "INSERT INTO big VALUES (1, 'before the first');", int64(1)
	for statement := range strings.SplitSeq(string(text), ";\n") {
		last := statement[strings.LastIndexByte(statement, '\n')+1:]
		var id int
		if _, err := fmt.Sscanf(last, "(%d,", &id); err == nil {
			script += fmt.Sprintf("INSERT INTO big VALUES (%d, REPEAT('x', 300000));\n", id+1)
			n++
		}
	}
	if n < 5 {
		t.Fatalf("only %d segments", n-1)
	}
	sql(t, site, script)
	stats := restore(t, db, dir)
	same(t, objects, scan(t, db))
	if stats.RowsDeleted != n || stats.RowsInserted != 0 {
		t.Errorf("%+v, want %d rows deleted", withoutObjects(stats), n)
	}
}
