package database_test

import (
	"context"
	stdsql "database/sql"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"upkeep"
	"upkeep/internal/cms"
)

// visitor opens a connection as the site's own PHP would, and runs statements.
func visitor(t *testing.T, site *cms.Database, statements ...string) *stdsql.Conn {
	t.Helper()
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Passwd, cfg.DBName = "unix", site.Socket, site.User, site.Password, site.Name
	cfg.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	pool := stdsql.OpenDB(connector)
	t.Cleanup(func() { _ = pool.Close() })
	pool.SetMaxIdleConns(0)
	conn, err := pool.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range statements {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	return conn
}

func TestDrainQuietDatabase(t *testing.T) {
	site := newDatabase(t)
	db := open(t, site)
	if _, err := db.Query(t.Context(), "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	result, err := db.Drain(t.Context(), time.Second)
	if err != nil || len(result.Killed)+len(result.Idle) != 0 || result.Waited > time.Second/2 {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestDrainWaitsForWhoEndsInTime(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE t (a INT PRIMARY KEY);")
	db := open(t, site)
	conn := visitor(t, site, "START TRANSACTION", "INSERT INTO t VALUES (1)")
	busy, err := db.Busy(t.Context())
	if err != nil || len(busy) != 1 || !busy[0].Transaction {
		t.Fatalf("busy %+v, %v", busy, err)
	}
	done := make(chan error, 1)
	go func() {
		_, err := conn.ExecContext(context.Background(), "SELECT SLEEP(0.3)")
		if err == nil {
			_, err = conn.ExecContext(context.Background(), "COMMIT")
		}
		_ = conn.Close()
		done <- err
	}()
	result, err := db.Drain(t.Context(), 20*time.Second)
	if err != nil || len(result.Killed) != 0 {
		t.Errorf("%+v, %v", result, err)
	}
	if err := <-done; err != nil {
		t.Error("the visitor was cut off:", err)
	}
	if sql(t, site, "SELECT a FROM t;") != "1\n" {
		t.Error("what the visitor wrote is lost")
	}
}

func TestDrainEndsWhoDoesNot(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE t (a INT PRIMARY KEY);")
	for _, by := range []*cms.Database{site, server.Admin(site.Name)} { // without and with the PROCESS right
		db := open(t, by)
		conn := visitor(t, site, "START TRANSACTION", "INSERT INTO t VALUES (1)")
		result, err := db.Drain(t.Context(), 100*time.Millisecond)
		if err != nil || len(result.Killed) != 1 || result.Killed[0].User != site.User {
			t.Fatalf("%+v, %v", result, err)
		}
		if err := conn.PingContext(t.Context()); err == nil {
			t.Error("still connected")
		}
		if got := sql(t, site, "SELECT COUNT(*) FROM t;"); got != "0\n" {
			t.Error("the open transaction was kept")
		}
	}
}

func TestDrainEndsIdlePoolsEarly(t *testing.T) {
	site := newDatabase(t)
	db := open(t, server.Admin(site.Name)) // it takes the PROCESS right to know them
	_ = visitor(t, site, "SELECT 1")
	result, err := db.Drain(t.Context(), time.Minute)
	if err != nil || len(result.Idle) != 1 || len(result.Killed) != 0 || result.Waited > 10*time.Second {
		t.Errorf("%+v, %v", result, err)
	}
}

func TestDrainLeavesNeighboursAlone(t *testing.T) {
	site := newDatabase(t)
	shared := *site
	shared.Prefix, shared.Neighbours = "wp_", []string{"wp2_"}
	db := open(t, &shared)
	conn := visitor(t, site, "DO 1")
	if _, err := db.Drain(t.Context(), 200*time.Millisecond); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("want a conflict, have %v", err)
	}
	if err := conn.PingContext(t.Context()); err != nil {
		t.Error("a connection that may be a neighbour's was ended:", err)
	}
}

func TestDrainSaysWhoCannotBeEnded(t *testing.T) {
	site := newDatabase(t)
	if _, err := server.Exec(t.Context(), "", "CREATE USER watcher@localhost IDENTIFIED BY 'w'; GRANT PROCESS ON *.* TO watcher@localhost; GRANT SELECT ON `"+site.Name+"`.* TO watcher@localhost;"); err != nil {
		t.Fatal(err)
	}
	watcher := *site
	watcher.User, watcher.Password = "watcher", "w"
	db := open(t, &watcher)
	_ = visitor(t, site, "START TRANSACTION WITH CONSISTENT SNAPSHOT")
	_, err := db.Drain(t.Context(), 50*time.Millisecond)
	if upkeep.CodeOf(err) != upkeep.CodeConflict || upkeep.HintOf(err) == "" {
		t.Errorf("want a conflict with a hint, have %v", err)
	}
}

func TestQueryCannotWrite(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE t (a INT PRIMARY KEY);")
	db := open(t, site)
	for range 2 { // on a connection that was used before, too
		if _, err := db.Query(t.Context(), "INSERT INTO t VALUES (1)"); upkeep.CodeOf(err) != upkeep.CodeRefused {
			t.Errorf("code %q: %v", upkeep.CodeOf(err), err)
		}
	}
	if got := sql(t, site, "SELECT COUNT(*) FROM t;"); got != "0\n" {
		t.Errorf("rows: %q", got)
	}
}
