package database_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"upkeep"
)

// TestDumpOfALiveSiteIsOneState moves money between two tables in
// transactions while dumps are made, with an account that may lock tables and
// with one that may not: every dump holds the same sum.
func TestDumpOfALiveSiteIsOneState(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE a (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB; CREATE TABLE b LIKE a;"+
		"INSERT INTO a SELECT seq, 100 FROM seq_1_to_5000; INSERT INTO b SELECT * FROM a;"+
		"CREATE USER poor@localhost IDENTIFIED BY 'p'; GRANT SELECT, SHOW VIEW, TRIGGER ON `"+site.Name+"`.* TO poor@localhost;")
	poor := *site
	poor.User, poor.Password = "poor", "p"
	conn := visitor(t, site)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		for n := 0; ctx.Err() == nil; n++ {
			for _, statement := range []string{"START TRANSACTION", "UPDATE a SET v = v - 7 WHERE id = 1 + ? % 5000", "UPDATE b SET v = v + 7 WHERE id = 5000 - ? % 5000", "COMMIT"} {
				args := []any{n}[:strings.Count(statement, "?")]
				if _, err := conn.ExecContext(context.Background(), statement, args...); err != nil {
					done <- err
					return
				}
			}
		}
		done <- nil
	}()
	for range 4 {
		for _, db := range []string{site.User, "poor"} {
			by := site
			if db == "poor" {
				by = &poor
			}
			dir, _ := dump(t, open(t, by))
			copied := newDatabase(t)
			importDump(t, copied, dir)
			if got := sql(t, copied, "SELECT (SELECT SUM(v) FROM a) + (SELECT SUM(v) FROM b);"); got != "1000000\n" {
				t.Errorf("as %s: the sum is %q", by.User, got)
			}
		}
	}
	cancel()
	if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
		t.Error("the visitor was disturbed:", err)
	}
}

func TestRestoreSaysWhichDefinerItMayNotSet(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE t (a INT PRIMARY KEY); CREATE DEFINER=root@localhost VIEW v AS SELECT a FROM t;")
	db := open(t, site)
	dir, objects := dump(t, db)
	sql(t, site, "INSERT INTO t VALUES (1);")
	restore(t, db, dir) // the view did not change: no right is needed
	sql(t, site, "DROP VIEW v;")
	_, err := db.Restore(t.Context(), dir, nil)
	if upkeep.CodeOf(err) != upkeep.CodeUnauthorized || !strings.Contains(err.Error(), `view "v"`) || upkeep.HintOf(err) == "" {
		t.Errorf("want unauthorized, have %v", err)
	}
	restore(t, open(t, server.Admin(site.Name)), dir)
	same(t, objects, scan(t, db))
}

func TestFullTableIsNoSpace(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE m (a INT PRIMARY KEY, b CHAR(200)) ENGINE=MEMORY; INSERT INTO m SELECT seq, '' FROM seq_1_to_5000;")
	dir, objects := dump(t, open(t, site))
	sql(t, site, "DROP TABLE m; SET GLOBAL max_heap_table_size = 65536;")
	t.Cleanup(func() { sql(t, site, "SET GLOBAL max_heap_table_size = DEFAULT;") })
	if _, err := open(t, site).Restore(t.Context(), dir, nil); upkeep.CodeOf(err) != upkeep.CodeNoSpace {
		t.Errorf("want no space, have %v", err)
	}
	sql(t, site, "SET GLOBAL max_heap_table_size = DEFAULT;")
	db := open(t, site)
	restore(t, db, dir)
	same(t, objects, scan(t, db))
}

func TestInterruptedDumpIsNoDump(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, manyRows(5_000))
	db := open(t, site)
	ctx, cancel := context.WithCancel(t.Context())
	dir := t.TempDir()
	if _, err := db.Dump(ctx, dir, func(upkeep.Progress) { cancel() }); upkeep.CodeOf(err) != upkeep.CodeInterrupted {
		t.Errorf("want interrupted, have %v", err)
	}
	if _, err := db.Restore(t.Context(), dir, nil); upkeep.CodeOf(err) != upkeep.CodeNotFound {
		t.Errorf("half a dump: %v", err)
	}
	objects, err := db.Dump(t.Context(), dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	same(t, objects, scan(t, db))
}
