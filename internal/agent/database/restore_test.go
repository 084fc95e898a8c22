package database_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/agent/database"
)

func restore(t testing.TB, db *database.DB, dir string) database.Stats {
	t.Helper()
	stats, err := db.Restore(t.Context(), dir, nil)
	if err != nil {
		t.Fatalf("%v\nhint: %s", err, upkeep.HintOf(err))
	}
	return stats
}

// damages are what updates, plugins and people do to a database.
var damages = map[string]string{
	"rows": "UPDATE types SET l1 = 'x' WHERE id = 11; DELETE FROM types WHERE id = 2; INSERT INTO types (ti) VALUES (1), (2);" +
		"UPDATE mixed SET a = 'A' WHERE a = 'a'; INSERT INTO mixed VALUES ('zz', 'z', 9); DELETE FROM timekey WHERE e = 'a'; UPDATE timekey SET b = 4;",
	"keyless":         "UPDATE keyless SET b = 2 WHERE BINARY a = 'X';",
	"keyless emptied": "DELETE FROM keyless; INSERT INTO nothing VALUES (1);",
	"unique moved":    "SET foreign_key_checks = 0; UPDATE parent SET n = NULL; UPDATE parent SET n = 'a' WHERE id = 2; UPDATE parent SET n = 'b' WHERE id = 1; INSERT INTO parent VALUES (7, NULL, 'q');",
	"emptied":         "SET foreign_key_checks = 0; DELETE FROM parent; TRUNCATE types; DELETE FROM uni;",
	"counter":         "ALTER TABLE types AUTO_INCREMENT = 9000; INSERT INTO parent VALUES (1000, NULL, NULL); DELETE FROM parent WHERE id = 1000;",
	"altered":         "ALTER TABLE types ADD COLUMN more INT, DROP COLUMN js; ALTER TABLE child DROP FOREIGN KEY fk_p; ALTER TABLE parts REMOVE PARTITIONING; ALTER TABLE uni ENGINE=InnoDB; ALTER TABLE parent ADD INDEX (up, n);",
	"dropped":         "SET foreign_key_checks = 0; DROP TABLE parent, types, Twin, keyless; DROP SEQUENCE seq; DROP VIEW z_base;",
	"created":         "CREATE TABLE stray (a INT REFERENCES parent (id)); CREATE VIEW stray_v AS SELECT * FROM stray; CREATE SEQUENCE stray_s; CREATE FUNCTION stray_f() RETURNS INT RETURN 1; CREATE TRIGGER stray_t BEFORE INSERT ON twin FOR EACH ROW SET NEW.a = 1; CREATE EVENT stray_e ON SCHEDULE EVERY 1 DAY DO DELETE FROM twin;",
	"kinds swapped":   "DROP TABLE twin; CREATE VIEW twin AS SELECT 1 AS a; DROP VIEW a_top; CREATE TABLE a_top (a INT); DROP SEQUENCE seq; CREATE TABLE seq (a INT); DROP FUNCTION addone; DROP PROCEDURE addone; CREATE FUNCTION addone() RETURNS INT RETURN 1;",
	"programs":        "DELIMITER //\nSET sql_mode = 'ORACLE'//\nCREATE OR REPLACE PACKAGE pack AS FUNCTION g RETURN INT; END//\nSET sql_mode = ''//\nDELIMITER ;\nDROP TRIGGER t1; CREATE OR REPLACE VIEW z_base AS SELECT 1 AS id, 2 AS tx; DROP EVENT ev; ALTER EVENT ev2 ENABLE; DROP PROCEDURE old_style;",
	"sequence":        "DO NEXTVAL(seq); DO NEXTVAL(seq); DO NEXTVAL(seq); ALTER SEQUENCE seq MAXVALUE 999;",
	"schema":          "ALTER DATABASE CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci;",
	"odd names":       "UPDATE `odd ``name\n; é -- $1 %s` SET `Ünï` = 77; INSERT INTO Twin VALUES (5); RENAME TABLE nothing TO something;",
}

func TestRestoreUndoesEveryDamage(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, nastyScript()+"CREATE EVENT ev2 ON SCHEDULE AT '2035-01-01' DISABLE DO DELETE FROM twin;")
	db := open(t, server.Admin(site.Name))
	dir, objects := dump(t, db)
	for name, script := range damages {
		t.Run(name, func(t *testing.T) {
			sql(t, site, script)
			if m, now := (&upkeep.Manifest{Tables: objects}), scan(t, db); len(m.Compare(&upkeep.Manifest{Tables: now})) == 0 {
				t.Error("the damage shows nowhere")
			}
			stats := restore(t, db, dir)
			same(t, objects, scan(t, db))
			same(t, objects, stats.Objects)
			again := restore(t, db, dir)
			again.Objects = nil
			if again.Tables = 0; again.Rebuilt+again.Repaired+len(again.Created)+len(again.Dropped) != 0 {
				t.Errorf("the second run still found work: %+v", again)
			}
		})
	}
	t.Run("all at once", func(t *testing.T) {
		for _, name := range []string{"rows", "sequence", "programs", "created", "altered", "schema", "odd names", "kinds swapped"} {
			sql(t, site, strings.ReplaceAll(damages[name], "DROP SEQUENCE seq", "DROP SEQUENCE IF EXISTS seq"))
		}
		restore(t, db, dir)
		same(t, objects, scan(t, db))
	})
	t.Run("into an empty database", func(t *testing.T) {
		copied := newDatabase(t)
		into := open(t, server.Admin(copied.Name))
		if _, err := into.RestoreInto(t.Context(), dir, nil); err != nil {
			t.Fatal(err)
		}
		same(t, objects, scan(t, into))
		if _, err := into.RestoreInto(t.Context(), dir, nil); upkeep.CodeOf(err) != upkeep.CodeConflict {
			t.Errorf("into a full one: %v", err)
		}
	})
}

// TestWhatCannotBeMadeAgainKeepsNothingElse: a view whose table is gone is
// backed up, and lost where it has to be made again; everything else is not.
func TestWhatCannotBeMadeAgainKeepsNothingElse(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, "CREATE TABLE gone (a INT); CREATE VIEW a_broken AS SELECT a FROM gone; CREATE VIEW b_too AS SELECT a FROM a_broken; DROP TABLE gone;"+
		"CREATE TABLE there (a INT PRIMARY KEY); INSERT INTO there VALUES (1); CREATE VIEW whole AS SELECT a FROM there;"+
		"CREATE TRIGGER after_views BEFORE INSERT ON there FOR EACH ROW SET NEW.a = NEW.a + 1;")
	db := open(t, server.Admin(site.Name))
	dir, objects := dump(t, db)
	sql(t, site, "DELETE FROM there;")
	same(t, objects, restore(t, db, dir).Objects)
	creatable := slices.DeleteFunc(slices.Clone(objects), func(o upkeep.Object) bool { return o.Name == "a_broken" || o.Name == "b_too" })

	copied := newDatabase(t)
	cmd := exec.Command("sh", "-c", "cat "+dir+"/*.sql | mariadb --no-defaults --socket="+site.Socket+" "+copied.Name)
	if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "gone") {
		t.Errorf("the client made a view of nothing: %s", out)
	}
	same(t, creatable, scan(t, open(t, server.Admin(copied.Name))))

	empty := newDatabase(t)
	into := open(t, server.Admin(empty.Name))
	if _, err := into.RestoreInto(t.Context(), dir, nil); upkeep.CodeOf(err) != upkeep.CodeNotIdentical || !strings.Contains(err.Error(), "a_broken") {
		t.Errorf("made again: %v", err)
	}
	same(t, creatable, scan(t, into))
}

// TestRowsAsLargeAsThePacket: a row that the server once took in a statement
// gets one of its own.
func TestRowsAsLargeAsThePacket(t *testing.T) {
	site := newDatabase(t)
	limit := strings.TrimSpace(sql(t, site, "SELECT @@GLOBAL.max_allowed_packet;"))
	sql(t, site, "SET GLOBAL max_allowed_packet = 1048576;")
	defer sql(t, site, "SET GLOBAL max_allowed_packet = "+limit[strings.LastIndexByte(limit, '\n')+1:]+";")
	sql(t, site, "CREATE TABLE large (id INT PRIMARY KEY, b LONGBLOB); INSERT INTO large SELECT seq, REPEAT('s', 1000) FROM seq_1_to_30;"+
		"INSERT INTO large VALUES (31, REPEAT('x', 1040000)), (33, REPEAT('y', 900000)), (34, 'z');")
	db := open(t, server.Admin(site.Name))
	dir, objects := dump(t, db)
	copied := newDatabase(t)
	importDump(t, copied, dir)
	same(t, objects, scan(t, open(t, server.Admin(copied.Name))))
	sql(t, site, "DELETE FROM large WHERE id IN (3, 31); UPDATE large SET b = 'w' WHERE id = 33; INSERT INTO large VALUES (32, '');")
	same(t, objects, restore(t, db, dir).Objects)
}

func withoutObjects(stats database.Stats) database.Stats {
	stats.Objects = nil
	return stats
}
