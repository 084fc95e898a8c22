package database_test

import (
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
	"programs":        "DROP TRIGGER t1; CREATE OR REPLACE VIEW z_base AS SELECT 1 AS id, 2 AS tx; DROP EVENT ev; ALTER EVENT ev2 ENABLE; DROP PROCEDURE old_style;",
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

func withoutObjects(stats database.Stats) database.Stats {
	stats.Objects = nil
	return stats
}
