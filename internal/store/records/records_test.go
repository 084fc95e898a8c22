package records_test

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/store/records"
	"upkeep/internal/upkeeptest/postgres"
)

var server postgres.Server

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, address string) *records.DB {
	t.Helper()
	db, err := records.Open(t.Context(), records.Config{URL: address})
	must(t, err)
	t.Cleanup(func() { must(t, db.Close()) })
	return db
}

// begun runs a writer until release is called, and returns when it has its turn.
func begun(t *testing.T, write func(func(*records.Tx) error) error) (release func()) {
	t.Helper()
	has, free, ended := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- write(func(*records.Tx) error { close(has); <-free; return nil })
	}()
	select {
	case <-has:
	case err := <-ended:
		t.Fatal(err)
	case <-time.After(20 * time.Second):
		t.Fatal("no turn")
	}
	return func() { close(free); must(t, <-ended) }
}

// Writers on different subjects overlap, also in different processes. All
// others wait for each other, and none is refused.
func TestTurns(t *testing.T) {
	address, _ := server.Database(t)
	one, two := open(t, address), open(t, address)
	nothing := func(*records.Tx) error { return nil }
	waits := func(write func(context.Context) error) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if err := write(ctx); upkeep.CodeOf(err) != upkeep.CodeInterrupted {
			t.Errorf("it did not wait: %v", err)
		}
	}
	release := begun(t, func(fn func(*records.Tx) error) error { return one.WriteOn(t.Context(), "a", fn) })
	must(t, two.WriteOn(t.Context(), "b", nothing))
	must(t, two.Read(t.Context(), nothing))
	waits(func(ctx context.Context) error { return two.WriteOn(ctx, "a", nothing) })
	waits(func(ctx context.Context) error { return two.Write(ctx, nothing) })
	release()
	release = begun(t, func(fn func(*records.Tx) error) error { return one.Write(t.Context(), fn) })
	waits(func(ctx context.Context) error { return two.WriteOn(ctx, "a", nothing) })
	waits(func(ctx context.Context) error { return two.Write(ctx, nothing) })
	must(t, two.Read(t.Context(), nothing))
	release()
	must(t, two.Write(t.Context(), nothing))
}

// What a writer decides by what it has read still holds when it writes.
func TestNoUpdateIsLost(t *testing.T) {
	address, _ := server.Database(t)
	dbs := []*records.DB{open(t, address), open(t, address)}
	must(t, dbs[0].Write(t.Context(), func(tx *records.Tx) error {
		_, err := tx.ExecContext(t.Context(), `INSERT INTO secret (name, sealed) VALUES ('n', '0')`)
		return err
	}))
	const workers, rounds = 6, 20
	ended := make(chan error)
	for w := range workers {
		go func() {
			ended <- func() error {
				for range rounds {
					if err := dbs[w%2].WriteOn(t.Context(), "n", func(tx *records.Tx) error { return increment(t.Context(), tx) }); err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	for range workers {
		must(t, <-ended)
	}
	var n int
	must(t, dbs[0].Read(t.Context(), func(tx *records.Tx) error {
		return tx.QueryRowContext(t.Context(), `SELECT convert_from(sealed, 'UTF8')::int FROM secret`).Scan(&n)
	}))
	if n != workers*rounds {
		t.Errorf("%d of %d increments are there", n, workers*rounds)
	}
}

func increment(ctx context.Context, tx *records.Tx) error {
	var n int
	if err := tx.QueryRowContext(ctx, `SELECT convert_from(sealed, 'UTF8')::int FROM secret`).Scan(&n); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE secret SET sealed = $1`, fmt.Appendf(nil, "%d", n+1))
	return err
}

// Leases are compared by one clock, whatever the machines' say.
func TestTheInstantIsTheServers(t *testing.T) {
	address, _ := server.Database(t)
	db := open(t, address)
	var first, second, theirs time.Time
	must(t, db.Write(t.Context(), func(tx *records.Tx) error {
		first = tx.Now
		return tx.QueryRowContext(t.Context(), `SELECT clock_timestamp()`).Scan(&theirs)
	}))
	must(t, db.Read(t.Context(), func(tx *records.Tx) error { second = tx.Now; return nil }))
	if first.After(theirs) || !second.After(first) {
		t.Errorf("%v, then %v, then %v", first, theirs, second)
	}
}

// Whatever goes wrong, the password of the address is said to nobody.
func TestThePasswordIsNeverSaid(t *testing.T) {
	address, exec := server.Database(t)
	for name, bad := range map[string]struct {
		address string
		code    upkeep.Code
	}{
		"no server":   {"postgres://anna:" + postgres.Password + "@127.0.0.1:1/x?connect_timeout=2", upkeep.CodeUnreachable},
		"no name":     {"postgres://anna:" + postgres.Password + "@upkeep.invalid/x?connect_timeout=2", upkeep.CodeUnreachable},
		"no database": {strings.Replace(address, "?", "-none?", 1), upkeep.CodeNotFound},
		"no role":     {strings.Replace(address, "://upkeep", "://nobody", 1), upkeep.CodeUnauthorized},
		"bad escape":  {"postgres://anna:" + postgres.Password + "%zz@/x", upkeep.CodeInvalid},
		"bad port":    {"postgres://anna:" + postgres.Password + "@h:port/x", upkeep.CodeInvalid},
		"a slash":     {"postgres://anna:a/" + postgres.Password + "@h/x?sslmode=wrong", upkeep.CodeInvalid},
		"not ours":    {"mysql://anna:" + postgres.Password + "@h/x", upkeep.CodeInvalid},
	} {
		_, err := records.Open(t.Context(), records.Config{URL: bad.address})
		if upkeep.CodeOf(err) != bad.code {
			t.Errorf("%s: got %v (%s), want %s", name, err, upkeep.CodeOf(err), bad.code)
		}
		if told := fmt.Sprintf("%v %+v %s", err, upkeep.Told(err), upkeep.HintOf(err)); strings.Contains(told, postgres.Password) {
			t.Errorf("%s: the password is in %s", name, told)
		}
		if upkeep.HintOf(err) == "" {
			t.Errorf("%s: no hint what to do", name)
		}
	}
	open(t, address)
	if title := exec(`SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'upkeep' LIMIT 1`); !strings.Contains(title, "upkeep") {
		t.Errorf("we call ourselves %q", title)
	}
}

// A server that ends and comes back is used again; meanwhile errors say so.
func TestServerGoesAway(t *testing.T) {
	address, exec := server.Database(t)
	db := open(t, address)
	count := func(tx *records.Tx) error {
		_, err := records.One[int64](tx.QueryRowContext(t.Context(), `SELECT count(*) FROM site`))
		return err
	}
	must(t, db.Read(t.Context(), count))
	err := db.Write(t.Context(), func(tx *records.Tx) error {
		exec(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
		return count(tx)
	})
	if upkeep.CodeOf(err) != upkeep.CodeUnreachable {
		t.Errorf("got %v (%s)", err, upkeep.CodeOf(err))
	}
	must(t, db.Write(t.Context(), count))
}

// A newer program's records are refused, and nothing of them is touched.
func TestNewerRecordsAreRefused(t *testing.T) {
	address, exec := server.Database(t)
	open(t, address)
	exec(`INSERT INTO migration VALUES ('9999_later.sql', 1)`)
	if _, err := records.Open(t.Context(), records.Config{URL: address}); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("got %v", err)
	}
}
