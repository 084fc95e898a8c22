package database_test

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"

	"upkeep"
	"upkeep/internal/cms"
)

// TestDumpOfALiveSiteIsOneState moves money between two tables in
// transactions while dumps are made, with an account that may lock tables and
// with one that may not: every dump holds the same sum.
func TestDumpOfALiveSiteIsOneState(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE a (id INT PRIMARY KEY, v INT NOT NULL) ENGINE=InnoDB; CREATE TABLE b LIKE a;"+
		"INSERT INTO a SELECT seq, 100 FROM seq_1_to_5000; INSERT INTO b SELECT * FROM a;"+
		"CREATE USER poor@localhost IDENTIFIED BY 'p'; GRANT SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON `"+site.Name+"`.* TO poor@localhost;")
	poor := *site
	poor.User, poor.Password = "poor", "p"
	ctx, cancel := context.WithCancel(t.Context())
	visitors := errgroup.Group{}
	for v := range 4 {
		conn := visitor(t, site)
		visitors.Go(func() error { return transfer(ctx, conn, v) })
	}
	for range 12 {
		for _, by := range []*cms.Database{site, &poor} {
			dir, _ := dump(t, open(t, by))
			if sum := sumOf(t, dir, "a") + sumOf(t, dir, "b"); sum != 1_000_000 {
				t.Errorf("as %s: the sum is %d", by.User, sum)
			}
		}
	}
	cancel()
	if err := visitors.Wait(); err != nil {
		t.Error("a visitor was disturbed:", err)
	}
}

// transfer moves money until ctx ends, in rows that no other visitor touches.
func transfer(ctx context.Context, conn *stdsql.Conn, visitor int) error {
	for n := visitor; ctx.Err() == nil; n += 4 {
		id := 1 + n%5000
		for _, statement := range []string{"START TRANSACTION", fmt.Sprintf("UPDATE a SET v = v - 7 WHERE id = %d", id), fmt.Sprintf("UPDATE b SET v = v + 7 WHERE id = %d", id), "COMMIT"} {
			if _, err := conn.ExecContext(context.WithoutCancel(ctx), statement); err != nil {
				return err
			}
		}
	}
	return nil
}

// sumOf adds up the second column of a dumped table of two.
func sumOf(t *testing.T, dir, table string) (sum int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "2-table-"+table+".sql"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		var id, v int
		if _, err := fmt.Sscanf(line, "(%d,%d)", &id, &v); err == nil {
			sum += v
		}
	}
	return sum
}

// A server does not say that it hides something: a dump by an account that is
// not shown everything would look complete.
func TestDumpRefusesWhatItCannotSee(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE t (a INT PRIMARY KEY); CREATE TRIGGER audit BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1;"+
		"CREATE EVENT ev ON SCHEDULE EVERY 1 YEAR DO DELETE FROM t; "+
		"CREATE USER blind@localhost IDENTIFIED BY 'p'; CREATE ROLE seer; GRANT ALL ON `"+site.Name+"`.* TO seer;")
	blind := *site
	blind.User, blind.Password = "blind", "p"
	for _, c := range []struct{ grants, lacks string }{
		{"GRANT SELECT, INSERT, CREATE, SHOW VIEW, LOCK TABLES ON `%s`.* TO blind@localhost", "triggers"},
		{"GRANT TRIGGER ON `%s`.* TO blind@localhost", "events"},
		{"GRANT EVENT ON `%s`.* TO blind@localhost", "routines"},
		{"GRANT EXECUTE ON `d_%%`.* TO blind@localhost; SELECT '%s'", "routines"},
		{"REVOKE ALL, GRANT OPTION FROM blind@localhost; GRANT SELECT, SHOW VIEW, LOCK TABLES ON `%s`.* TO blind@localhost; GRANT TRIGGER, EVENT, ALTER ROUTINE ON *.* TO blind@localhost", ""},
		{"REVOKE ALL, GRANT OPTION FROM blind@localhost; GRANT ALL ON `d_%%`.* TO blind@localhost; SELECT '%s'", ""},
		{"REVOKE ALL, GRANT OPTION FROM blind@localhost; GRANT ALL ON `other`.* TO blind@localhost; GRANT SELECT ON `%s`.* TO blind@localhost", "triggers"},
		{"GRANT seer TO blind@localhost; SET DEFAULT ROLE seer FOR blind@localhost; SELECT '%s'", ""},
	} {
		sql(t, site, fmt.Sprintf(c.grants, site.Name)+";")
		db := open(t, &blind)
		objects, err := db.Dump(t.Context(), t.TempDir(), nil)
		if c.lacks != "" {
			if upkeep.CodeOf(err) != upkeep.CodeUnauthorized || !strings.Contains(err.Error(), c.lacks) || upkeep.HintOf(err) == "" {
				t.Errorf("%s: %v", c.grants, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.grants, err)
			continue
		}
		same(t, scan(t, open(t, server.Admin(site.Name))), objects)
	}
}

func TestRestoreSaysWhichDefinerItMayNotSet(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE t (a INT PRIMARY KEY); CREATE DEFINER=root@localhost VIEW aaa AS SELECT a FROM t;")
	db := open(t, site)
	if _, err := visitor(t, site).ExecContext(t.Context(), "CREATE VIEW ours AS SELECT a FROM t"); err != nil {
		t.Fatal(err)
	}
	dir, objects := dump(t, db)
	sql(t, site, "INSERT INTO t VALUES (1);")
	restore(t, db, dir) // the view did not change: no right is needed
	sql(t, site, "DROP VIEW aaa; DROP VIEW ours;")
	_, err := db.Restore(t.Context(), dir, nil)
	if upkeep.CodeOf(err) != upkeep.CodeUnauthorized || !strings.Contains(err.Error(), `view "aaa"`) || upkeep.HintOf(err) == "" {
		t.Errorf("want unauthorized, have %v", err)
	}
	for _, o := range objects { // what is behind it is there nevertheless
		if o.Name == "ours" && !slices.Contains(scan(t, db), o) {
			t.Error("the account's own view was not made again")
		}
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
