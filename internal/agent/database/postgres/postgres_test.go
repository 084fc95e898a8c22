package postgres_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent/database/postgres"
	"upkeep/internal/cms"
	"upkeep/internal/demo/cluster"
)

// server is the private PostgreSQL that all tests share.
var server *cluster.Cluster

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	ctx := context.Background()
	dir, err := os.MkdirTemp("/tmp", "upkeep-pg-")
	if err == nil {
		defer os.RemoveAll(dir)
		if err = os.Chmod(dir, 0o755); err == nil {
			server, err = cluster.Start(ctx, dir, "")
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err, upkeep.HintOf(err))
		return 1
	}
	defer func() { _ = server.Kill(ctx) }()
	return m.Run()
}

var numbered atomic.Int32

func newDatabase(t testing.TB) *cms.Database {
	t.Helper()
	site, err := server.CreateDatabase(context.Background(), fmt.Sprintf("db%d", numbered.Add(1)))
	if err != nil {
		t.Fatal(err)
	}
	return site
}

// sql runs a script as the site's account.
func sql(t testing.TB, site *cms.Database, script string) string {
	t.Helper()
	out, err := server.ExecAs(context.Background(), site.User, site.Name, script)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func dump(t testing.TB, db *postgres.DB) (string, []upkeep.Object) {
	t.Helper()
	dir := t.TempDir()
	objects, err := db.Dump(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err, upkeep.HintOf(err))
	}
	return dir, objects
}

func scan(t testing.TB, db *postgres.DB) []upkeep.Object {
	t.Helper()
	objects, err := db.Scan(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

func restore(t testing.TB, db *postgres.DB, dir string) []upkeep.Object {
	t.Helper()
	objects, err := db.Restore(context.Background(), dir, nil)
	if err != nil {
		t.Fatal(err, upkeep.HintOf(err))
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

func script(t testing.TB, dir string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// nasty is what a site's database can hold that is easily lost.
const nasty = `
CREATE SCHEMA mediawiki; CREATE SCHEMA "odd ""name";
COMMENT ON SCHEMA mediawiki IS 'it''s a wiki';
CREATE TYPE mediawiki.mood AS ENUM ('sad', 'it''s ok', 'happy'); ALTER TYPE mediawiki.mood ADD VALUE 'so so' AFTER 'sad';
CREATE DOMAIN mediawiki.short AS varchar(9) DEFAULT 'x' NOT NULL CONSTRAINT no_z CHECK (VALUE <> 'z');
CREATE TYPE pair AS (a int, b text COLLATE "C");
CREATE SEQUENCE mediawiki.page_page_id_seq MINVALUE 0 START 5 CACHE 3;
CREATE FUNCTION mediawiki.twice(n int DEFAULT 2) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2';
CREATE TABLE mediawiki.page (
  page_id int NOT NULL PRIMARY KEY DEFAULT nextval('mediawiki.page_page_id_seq'), title text NOT NULL, size real, len double precision, raw bytea,
  at timestamptz DEFAULT now(), mood mediawiki.mood, tag mediawiki.short, duo pair, list text[], js jsonb, vec tsvector,
  many numeric(30,10), flag boolean, net inet, span interval, doubled int GENERATED ALWAYS AS (mediawiki.twice(page_id)) STORED, fixed char(5), money money, u uuid, x xml, b bit(3), UNIQUE (title, page_id) DEFERRABLE INITIALLY DEFERRED);
ALTER SEQUENCE mediawiki.page_page_id_seq OWNED BY mediawiki.page.page_id;
ALTER TABLE mediawiki.page ALTER COLUMN raw SET STORAGE EXTERNAL; ALTER TABLE mediawiki.page SET (fillfactor = 70); ALTER TABLE mediawiki.page ALTER COLUMN title SET STATISTICS 500;
COMMENT ON COLUMN mediawiki.page.title IS E'two\nlines'; COMMENT ON TABLE mediawiki.page IS 'pages';
INSERT INTO mediawiki.page (title, size, len, raw, at, mood, tag, duo, list, js, vec, many, flag, net, span, fixed, money, u, x, b) VALUES
 (E'tab\tnewline\nback\\slash\r\b \\.', 0.1, 1e-300, '\x00ff0a5c', '2024-02-29 12:00:00.123456+02', 'so so', 'a', ROW(1, 'b,"'), '{a,NULL,"NULL","c\\d"}', '{"a": [1, null]}', 'a:1A fat:2', 1234567890.0123456789, true, '10.0.0.1/8', '1 year -3 days 04:05:06.7', 'ab', 12.34, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '<a>é</a>', B'101'),
 ('', 'NaN', '-Infinity', '', 'infinity', NULL, 'x', NULL, '{}', 'null', '', 'NaN', false, NULL, NULL, '', NULL, NULL, NULL, NULL), ('é𝄞', NULL, 5e-324, NULL, NULL, 'sad', 'y', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
CREATE INDEX page_vec ON mediawiki.page USING gin (vec); CREATE UNIQUE INDEX part ON mediawiki.page (lower(title)) WHERE page_id > 3; CREATE INDEX plus ON mediawiki.page (size DESC NULLS LAST) INCLUDE (len);
ALTER TABLE mediawiki.page CLUSTER ON plus; COMMENT ON INDEX mediawiki.plus IS 'an index';
ALTER TABLE mediawiki.page ADD CONSTRAINT positive CHECK (page_id >= 0); CREATE STATISTICS mediawiki.st ON title, size FROM mediawiki.page;
CREATE TABLE child (id int GENERATED BY DEFAULT AS IDENTITY (START 10 INCREMENT 5), page int REFERENCES mediawiki.page ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED, other int);
INSERT INTO child (page) VALUES (5), (6), (NULL), (NULL);
CREATE TABLE "odd ""name"."ta ble" ("co l" serial PRIMARY KEY, "select" text COLLATE "C"); INSERT INTO "odd ""name"."ta ble" ("select") VALUES ('x'), (NULL), ('\N');
CREATE TABLE alone (a text, b int); INSERT INTO alone VALUES ('same', 1), ('same', 1), (NULL, NULL), ('other', 2);
CREATE UNLOGGED TABLE cache (k text PRIMARY KEY, v bytea); INSERT INTO cache VALUES ('k', 'v');
CREATE VIEW aview AS SELECT page_id, title FROM mediawiki.page; CREATE VIEW before_a WITH (security_barrier = true) AS SELECT * FROM aview; COMMENT ON VIEW aview IS 'seen';
CREATE MATERIALIZED VIEW stored AS SELECT count(*) AS n FROM child; CREATE UNIQUE INDEX ON stored (n); CREATE MATERIALIZED VIEW never AS SELECT 1 AS one WITH NO DATA;
CREATE TABLE log (at serial, what text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO public.log (what) VALUES (TG_OP || ' $$ '';'); RETURN NULL; END $f$;
CREATE TRIGGER noted AFTER INSERT OR DELETE ON mediawiki.page FOR EACH ROW EXECUTE FUNCTION note(); CREATE TRIGGER off AFTER UPDATE ON child EXECUTE FUNCTION note(); ALTER TABLE child DISABLE TRIGGER off;
CREATE RULE kept AS ON DELETE TO log DO INSTEAD NOTHING;
CREATE PROCEDURE clean(INOUT n int) LANGUAGE plpgsql AS 'BEGIN n := 1; END'; COMMENT ON PROCEDURE clean IS 'cleans';
CREATE FUNCTION pages() RETURNS SETOF mediawiki.page LANGUAGE sql BEGIN ATOMIC SELECT * FROM mediawiki.page; END;
REVOKE ALL ON FUNCTION note() FROM PUBLIC; GRANT SELECT ON aview TO PUBLIC; GRANT UPDATE (title) ON mediawiki.page TO PUBLIC; GRANT USAGE ON SCHEMA mediawiki TO PUBLIC;
SELECT lo_from_bytea(4711, '\x00ff'); SELECT lo_from_bytea(4712, ''); SELECT nextval('child_id_seq');
CREATE TABLE big (id int PRIMARY KEY, v text); INSERT INTO big SELECT n * 2, repeat(md5(n::text), 4) FROM generate_series(1, 2500) n;
CREATE TABLE textkey (a text, b timestamptz, c numeric, PRIMARY KEY (a, b)); INSERT INTO textkey SELECT E'it''s\t' || md5(n::text), 'epoch'::timestamptz + n * interval '1 s', n FROM generate_series(1, 900) n;
`

func TestDumpImportedByTheClientIsIdentical(t *testing.T) {
	t.Parallel()
	site := newDatabase(t)
	sql(t, site, nasty)
	db := postgres.New(*site)
	dir, objects := dump(t, db)
	same(t, objects, scan(t, db))
	copied := *newDatabase(t)
	if _, err := server.Exec(t.Context(), copied.Name, "ALTER DATABASE "+copied.Name+" OWNER TO "+site.User); err != nil {
		t.Fatal(err)
	}
	copied.User = site.User
	sql(t, &copied, script(t, dir))
	same(t, objects, scan(t, postgres.New(copied)))

	into := *newDatabase(t)
	if _, err := server.Exec(t.Context(), into.Name, "ALTER DATABASE "+into.Name+" OWNER TO "+site.User); err != nil {
		t.Fatal(err)
	}
	into.User = site.User
	if err := postgres.New(into).RestoreInto(t.Context(), dir, nil); err != nil {
		t.Fatal(err)
	}
	same(t, objects, scan(t, postgres.New(into)))
	if err := postgres.New(into).RestoreInto(t.Context(), dir, nil); upkeep.CodeOf(err) != upkeep.CodeConflict {
		t.Errorf("into one that is not empty: %v", err)
	}
}

// damages are what a broken update could do, one after the other.
var damages = []string{
	"",
	"UPDATE mediawiki.page SET title = 'x' WHERE page_id = 6; SELECT nextval('mediawiki.page_page_id_seq');",
	"DELETE FROM mediawiki.page WHERE page_id > 5;",
	"DROP TABLE mediawiki.page CASCADE;",
	"DROP SCHEMA mediawiki CASCADE; DROP TYPE pair CASCADE;",
	"ALTER TABLE child ADD COLUMN stray int; ALTER TABLE child DROP COLUMN other; UPDATE child SET page = NULL;" +
		"TRUNCATE alone; INSERT INTO alone VALUES ('same', 1); DELETE FROM cache; CREATE TABLE new (a serial PRIMARY KEY); CREATE VIEW nv AS SELECT * FROM child;",
	"DROP FUNCTION pages(); ALTER TABLE mediawiki.page ALTER COLUMN many TYPE numeric(40,10); DROP INDEX mediawiki.plus; ALTER TABLE mediawiki.page DROP CONSTRAINT positive;",
	"CREATE OR REPLACE VIEW aview AS SELECT page_id, title, size FROM mediawiki.page; ALTER TABLE child ENABLE TRIGGER off; DROP FUNCTION note() CASCADE;",
	"SELECT lo_unlink(4711); SELECT lo_from_bytea(4713, 'new'); SELECT setval('child_id_seq', 1); DELETE FROM child; REFRESH MATERIALIZED VIEW stored; REFRESH MATERIALIZED VIEW never;",
	"DELETE FROM big WHERE id BETWEEN 100 AND 2000; INSERT INTO big VALUES (1, 'first'), (8001, 'last'), (3001, 'between'); UPDATE big SET v = '' WHERE id = 4400; UPDATE textkey SET c = c + 1 WHERE c % 300 = 0; DELETE FROM textkey WHERE c = 77;",
	"ALTER TYPE mediawiki.mood ADD VALUE 'new'; ALTER DOMAIN mediawiki.short DROP CONSTRAINT no_z; COMMENT ON TABLE mediawiki.page IS NULL; GRANT ALL ON child TO PUBLIC; CREATE OR REPLACE FUNCTION mediawiki.twice(n int DEFAULT 2) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 3';",
}

func TestDamageIsRestored(t *testing.T) {
	t.Parallel()
	site := newDatabase(t)
	sql(t, site, nasty)
	db := postgres.New(*site)
	dir, objects := dump(t, db)
	for _, damage := range damages {
		sql(t, site, damage)
		same(t, objects, restore(t, db, dir))
		if t.Failed() {
			t.Fatalf("after %s", damage)
		}
	}
	same(t, objects, scan(t, db))
	written := sql(t, site, "SELECT count(*) FROM log;")
	if written != "0\n" {
		t.Errorf("triggers acted on what was restored: %s rows", written)
	}
}

// Only segments that differ are written: the rest keeps its place on disk.
func TestRestoreTouchesOnlyWhatDiffers(t *testing.T) {
	t.Parallel()
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE big (id int PRIMARY KEY, v text); INSERT INTO big SELECT n, repeat(md5(n::text), 4) FROM generate_series(1, 8000) n;")
	db := postgres.New(*site)
	dir, objects := dump(t, db)
	where := sql(t, site, "UPDATE big SET v = 'x' WHERE id = 4000; SELECT count(*), sum(id) FROM big WHERE id < 2000 OR id > 6000; SELECT md5(string_agg(ctid::text, ',' ORDER BY id)) FROM big WHERE id < 2000 OR id > 6000;")
	same(t, objects, restore(t, db, dir))
	if got := sql(t, site, "SELECT count(*), sum(id) FROM big WHERE id < 2000 OR id > 6000; SELECT md5(string_agg(ctid::text, ',' ORDER BY id)) FROM big WHERE id < 2000 OR id > 6000;"); got != where {
		t.Errorf("rows far from the change were written: %s, before %s", got, where)
	}
}

func TestNeighboursAreNeitherDumpedNorTouched(t *testing.T) {
	t.Parallel()
	site := newDatabase(t)
	site.Prefix, site.Neighbours = "a_", []string{"b_"}
	sql(t, site, "CREATE TABLE a_one (v int); CREATE TABLE b_one (v int); CREATE TABLE free (v int); INSERT INTO a_one VALUES (1); INSERT INTO b_one VALUES (1);")
	db := postgres.New(*site)
	dir, objects := dump(t, db)
	if slices.ContainsFunc(objects, func(o upkeep.Object) bool { return strings.Contains(o.Name, "b_") }) {
		t.Errorf("a neighbour's: %v", objects)
	}
	sql(t, site, "UPDATE a_one SET v = 2; UPDATE b_one SET v = 2; CREATE TABLE b_two (v int); CREATE TABLE a_two (v int); DROP TABLE free;")
	same(t, objects, restore(t, db, dir))
	if got := sql(t, site, "SELECT v FROM b_one; SELECT count(*) FROM b_two; SELECT v FROM a_one;"); got != "2\n0\n1\n" {
		t.Errorf("the neighbours' tables: %q", got)
	}
	counts, err := db.CountRows(t.Context(), nil)
	if err != nil || len(counts) != 2 || counts["public.a_one"] != 1 {
		t.Errorf("%v, %v", counts, err)
	}
}

// A schema of its own keeps a site apart too.
func TestSchemaIsTheSite(t *testing.T) {
	t.Parallel()
	site := newDatabase(t)
	sql(t, site, "CREATE SCHEMA wiki; CREATE TABLE wiki.t (v int); CREATE TABLE public.t (v int); INSERT INTO wiki.t VALUES (1); INSERT INTO public.t VALUES (7);")
	site.Schema = "wiki"
	db := postgres.New(*site)
	dir, objects := dump(t, db)
	sql(t, site, "DROP TABLE wiki.t; UPDATE public.t SET v = 8;")
	same(t, objects, restore(t, db, dir))
	if rows, err := db.Query(t.Context(), "SELECT v FROM t WHERE v = ?", 1); err != nil || len(rows) != 1 {
		t.Errorf("%q, %v", rows, err)
	}
	if got := sql(t, site, "SELECT v FROM public.t"); got != "8\n" {
		t.Errorf("the other schema's table: %s", got)
	}
}

func TestWhatCannotBeMadeAgainIsNamed(t *testing.T) {
	t.Parallel()
	site := newDatabase(t)
	sql(t, site, "CREATE SCHEMA u;")
	for name, made := range map[string]string{
		"partitioned table u.p": "CREATE TABLE p (a int) PARTITION BY RANGE (a)",
		"inheriting table u.c":  "CREATE TABLE c0 (a int); CREATE TABLE c () INHERITS (c0)",
		"aggregate u.agg":       "CREATE AGGREGATE agg (int) (SFUNC = int4pl, STYPE = int)",
		"type u.r":              "CREATE TYPE r AS RANGE (SUBTYPE = int)",
		"collation u.coll":      `CREATE COLLATION coll FROM "C"`,
		"policy":                "CREATE TABLE rls (a int); CREATE POLICY pol ON rls",
		"row security u.rls":    "CREATE TABLE rls (a int); ALTER TABLE rls ENABLE ROW LEVEL SECURITY",
	} {
		sql(t, site, "SET search_path = u; SET client_min_messages = error; DROP SCHEMA u CASCADE; CREATE SCHEMA u;"+made)
		_, err := postgres.New(*site).Dump(t.Context(), t.TempDir(), nil)
		if early := postgres.New(*site).SeesAll(t.Context()); upkeep.CodeOf(early) != upkeep.CodeRefused {
			t.Errorf("%s is not told before: %v", name, early)
		}
		if upkeep.CodeOf(err) != upkeep.CodeRefused || !strings.Contains(err.Error(), name) || upkeep.HintOf(err) == "" {
			t.Errorf("want %s refused, have %v", name, err)
		}
	}
}

// Money moves between two tables while dumps are made: each must hold all of it.
func TestDumpUnderWritersIsOneMoment(t *testing.T) {
	t.Parallel()
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE a (n int); CREATE TABLE b (n int); INSERT INTO a VALUES (1000000); INSERT INTO b VALUES (0);")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = server.Exec(ctx, site.Name, strings.Repeat("BEGIN; UPDATE a SET n = n - 1; UPDATE b SET n = n + 1; COMMIT;\n", 200_000))
	}()
	moments := map[int]bool{}
	for range 4 {
		dir, _ := dump(t, postgres.New(*site))
		var a, b int
		for part := range strings.SplitSeq(script(t, dir), "COPY public.") {
			_, _ = fmt.Sscanf(part, "a (n) FROM STDIN;\n%d", &a) // other parts are others'
			_, _ = fmt.Sscanf(part, "b (n) FROM STDIN;\n%d", &b)
		}
		if a+b != 1_000_000 {
			t.Errorf("%d and %d", a, b)
		}
		moments[b] = true
	}
	cancel()
	<-done
	if len(moments) < 2 {
		t.Error("nothing was written meanwhile")
	}
}

func TestRestoreSurvivesKillOfTheServer(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, nasty)
	db := postgres.New(*site)
	dir, objects := dump(t, db)
	for kill := range 2 {
		sql(t, site, damages[4]+damages[9])
		var calls atomic.Int32
		killed := make(chan error, 1)
		_, err := db.Restore(t.Context(), dir, func(upkeep.Progress) {
			if calls.Add(1) == int32(3+12*kill) {
				killed <- server.Kill(t.Context())
			}
		})
		if code := upkeep.CodeOf(err); code != upkeep.CodeUnreachable {
			t.Errorf("killed server: code %q: %v", code, err)
		}
		if err := <-killed; err != nil {
			t.Fatal(err)
		}
		if err := server.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		// What a crash empties is no content.
		same(t, objects, restore(t, db, dir))
	}
}

func TestDamagedDumpIsRefused(t *testing.T) {
	t.Parallel()
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE t (a int PRIMARY KEY, b text); INSERT INTO t VALUES (1, 'one'), (2, 'two');")
	db := postgres.New(*site)
	dir, objects := dump(t, db)
	sql(t, site, "UPDATE t SET b = 'x';")
	files, _ := filepath.Glob(filepath.Join(dir, "*-table-*.sql"))
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(files[0], bytes.Replace(whole, []byte("two"), []byte("TWO"), 1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Restore(t.Context(), dir, nil); upkeep.CodeOf(err) != upkeep.CodeDamaged {
		t.Errorf("want damaged, have %v", err)
	}
	if got := sql(t, site, "SELECT b FROM t;"); got != "x\nx\n" {
		t.Errorf("a damaged dump changed rows: %q", got)
	}
	if err := os.WriteFile(files[0], whole, 0o600); err != nil {
		t.Fatal(err)
	}
	same(t, objects, restore(t, db, dir))
}

func TestQueryReadsButCannotWrite(t *testing.T) {
	t.Parallel()
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE t (a int, b text, c bytea, d boolean); INSERT INTO t VALUES (1, 'é?', NULL, true);")
	db := postgres.New(*site)
	rows, err := db.Query(t.Context(), "SELECT a, b, c, d, '?' FROM t WHERE b = ? AND a = ?", "é?", 1)
	if err != nil || len(rows) != 1 || fmt.Sprintf("%q", rows[0]) != `["1" "é?" "" "t" "?"]` || rows[0][2] != nil {
		t.Errorf("%q, %v", rows, err)
	}
	if rows, err := db.Query(t.Context(), "SELECT 1 WHERE ? = ''", ""); err != nil || len(rows) != 1 {
		t.Errorf("an empty argument: %q, %v", rows, err)
	}
	if _, err := db.Query(t.Context(), "DELETE FROM t"); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("a write: %v", err)
	}
	if _, err := db.Query(t.Context(), "SELECT * FROM generate_series(1, 200000)"); upkeep.CodeOf(err) != upkeep.CodeRefused {
		t.Errorf("too many rows: %v", err)
	}
}

// One connection answers question after question, also after the server ended it,
// and is none that anybody waits for.
func TestAConnectionIsKeptForQuestions(t *testing.T) {
	t.Parallel()
	site := newDatabase(t)
	db := postgres.New(*site)
	backend := func(db *postgres.DB) string {
		rows, err := db.Query(t.Context(), "SELECT pg_backend_pid()")
		if err != nil {
			t.Fatal(err)
		}
		return string(rows[0][0])
	}
	first := backend(db)
	if again := backend(db.Of(*site)); again != first {
		t.Errorf("connection %s, then %s", first, again)
	}
	began := time.Now()
	if ended, err := postgres.New(*site).Drain(t.Context(), 10*time.Second); err != nil || ended != 0 || time.Since(began) > 2*time.Second {
		t.Errorf("drained after %v, ended %d, %v", time.Since(began), ended, err)
	}
	sql(t, site, "SELECT pg_terminate_backend("+first+");")
	if next := backend(db); next == first {
		t.Errorf("connection %s was ended", next)
	}
	if _, err := db.Query(t.Context(), "SELECT nothing FROM nowhere"); err == nil {
		t.Error("no table, no error")
	}
	backend(db)
}

func TestDrainEndsWhoDoesNot(t *testing.T) {
	t.Parallel()
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE t (a int);")
	db := postgres.New(*site)
	ended := make(chan string, 1)
	go func() {
		_, err := server.ExecAs(context.Background(), site.User, site.Name, "BEGIN; INSERT INTO t VALUES (1); SELECT pg_sleep(600);")
		ended <- fmt.Sprint(err)
	}()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); { // until it is there
		rows, err := db.Query(t.Context(), "SELECT 1 FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()")
		if err != nil || len(rows) > 0 {
			break
		}
	}
	n, err := db.Drain(t.Context(), 100*time.Millisecond)
	if err != nil || n != 1 {
		t.Errorf("ended %d, %v", n, err)
	}
	if text := <-ended; !strings.Contains(text, "terminating connection") {
		t.Errorf("the client was told %s", text)
	}
	if got := sql(t, site, "SELECT count(*) FROM t;"); got != "0\n" {
		t.Errorf("what was not committed: %s", got)
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	t.Parallel()
	site := newDatabase(t)
	for want, change := range map[upkeep.Code]func(*cms.Database){
		upkeep.CodeNotFound:     func(d *cms.Database) { d.Name = "nothing" },
		upkeep.CodeUnauthorized: func(d *cms.Database) { d.User, d.Password = "nobody", "secret word" },
		upkeep.CodeUnreachable:  func(d *cms.Database) { d.Socket = "/nowhere" },
	} {
		wrong := *site
		change(&wrong)
		_, err := postgres.New(wrong).Query(t.Context(), "SELECT 1")
		if upkeep.CodeOf(err) != want || upkeep.HintOf(err) == "" || strings.Contains(err.Error(), "secret word") {
			t.Errorf("want %s, have %v", want, err)
		}
	}
}
