package database_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"upkeep"
	"upkeep/internal/agent/database"
	"upkeep/internal/cms"
)

// client runs the mariadb client exactly as the dump's README says.
func client(t testing.TB, site *cms.Database, script string) {
	t.Helper()
	cmd := exec.Command("mariadb", "--no-defaults", "--socket="+site.Socket, "--max-allowed-packet=1G", site.Name)
	cmd.Stdin = strings.NewReader(script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("mariadb: %v\n%s", err, out)
	}
}

// nasty is every kind of value and object that is easily lost.
const nasty = `
SET NAMES utf8mb4; SET time_zone = '+02:00'; SET foreign_key_checks = 0;
SET sql_mode = 'NO_AUTO_VALUE_ON_ZERO,ALLOW_INVALID_DATES';
ALTER DATABASE CHARACTER SET latin1 COLLATE latin1_german1_ci;
CREATE TABLE types (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  ti TINYINT, zf INT(8) ZEROFILL, bu BIGINT UNSIGNED, de DECIMAL(65,30), fl FLOAT, fm FLOAT(7,3), db DOUBLE, dm DOUBLE(20,5),
  b1 BIT(1), b64 BIT(64), ye YEAR, da DATE, ti6 TIME(6), dt DATETIME(6), ts TIMESTAMP NULL, ts3 TIMESTAMP(3) NULL,
  ch CHAR(9), vb VARBINARY(300), bi BINARY(5), bl LONGBLOB, tx LONGTEXT CHARACTER SET utf8mb4,
  l1 VARCHAR(300) CHARACTER SET latin1, u3 VARCHAR(99) CHARACTER SET utf8mb3, u16 VARCHAR(99) CHARACTER SET utf16, sj VARCHAR(99) CHARACTER SET sjis,
  asc1 VARCHAR(99) CHARACTER SET ascii,
  en ENUM('','a','it''s','é') CHARACTER SET latin1, se SET('x','y','z'), js JSON, ge GEOMETRY, po POINT, uu UUID, i6 INET6, i4 INET4,
  hid INT INVISIBLE DEFAULT 7, gv INT AS (ti + 1) VIRTUAL, gs VARCHAR(400) AS (CONCAT('<', l1, '>')) STORED,
  comp BLOB COMPRESSED
) AUTO_INCREMENT = 4711 COMMENT='it''s AUTO_INCREMENT=5 \n) AUTO_INCREMENT=6';
INSERT INTO types (id) VALUES (0);
INSERT INTO types (id, ti, zf, bu, de, fl, fm, db, dm, b1, b64, ye, da, ti6, dt, ts, ts3) VALUES
 (1, -128, 42, 18446744073709551615, -12345678901234567890123456789012345.123456789012345678901234567890, 0.1, 1234.567, 0.1, 123456789012345.12345, 1, 0xFFFFFFFFFFFFFFFF, 0, '0000-00-00', '-838:59:59.999999', '0000-00-00 00:00:00', '2024-07-01 12:00:00', '2024-03-31 02:30:00.123'),
 (2, 127, 0, 0, 0, -3.4028235e38, -0.001, 1.7976931348623157e308, -0.00001, 0, 1, 1901, '2023-02-31', '838:59:59', '9999-12-31 23:59:59.999999', '0000-00-00 00:00:00', NULL),
 (3, 0, NULL, 1, 1.5, 1.17549435e-38, 0, 5e-324, 0, NULL, 0, 2155, '2024-00-10', '00:00:00.000001', '2024-00-00 01:02:03', NULL, '1970-01-01 02:00:01');
INSERT INTO types (id, ch, vb, bi, bl, tx, l1, u3, u16, sj, asc1, en, se, js, hid, comp) VALUES
 (10, '', '', '', '', '', '', '', '', '', '', '', '', '{}', NULL, ''),
 (11, 'a ', 0x000A0D1A275C22FF80, 0x01, REPEAT(0x00FF0D0A5C27, 20000), '𝄞 \0\n\r\t\Z''"\\ it''s', 0x8081FFFE27, '€', '𝄞', 'ｱ', 0x80FF, 'it''s', 'x,z', '{"a": [1, "\\u0000"]}', 0, REPEAT('z', 5000)),
 (12, '\n', '%_', 'abcde', NULL, ';;\n-- x\n/* y */ DELIMITER $$\n', 'ÄÖ', 'x', 'y', 'z', 'w', 'é', '', 'null', 1, NULL);
SET sql_mode = '';
INSERT INTO types (id, en) VALUES (13, 'not there');
INSERT INTO types (id, ge, po, uu, i6, i4) VALUES (14, ST_GeomFromText('POLYGON((0 0,0 5,5 5,0 0))', 4326), POINT(1.5,-2), '123e4567-e89b-12d3-a456-426614174000', '::ffff:1.2.3.4', '1.2.3.4');
CREATE TABLE mixed (a VARCHAR(50) CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci, b VARBINARY(9), c DECIMAL(5,2), PRIMARY KEY (a, b, c));
INSERT INTO mixed VALUES ('Ä', 0x00, 1), ('a', 0xFF, -1), ('b', '', 0), ('ß', 'x', 1.10), ('''', '\\', 2);
CREATE TABLE keyless (a TEXT, b INT) ENGINE=MyISAM;
INSERT INTO keyless VALUES ('x', 1), ('X', 1), ('x', 1), (NULL, NULL), ('', NULL), (CONCAT(REPEAT('p', 3000), 'a'), 1), (CONCAT(REPEAT('p', 3000), 'b'), 1);
CREATE TABLE uni (a INT, k CHAR(3) NOT NULL, UNIQUE KEY z (k)) ENGINE=Aria;
INSERT INTO uni VALUES (1, 'b'), (2, 'a'), (NULL, 'c');
CREATE TABLE nothing (a INT);
CREATE TABLE ` + "`odd ``name\n; é -- $1 %s`" + ` (` + "`col ``\nx`" + ` INT PRIMARY KEY, ` + "`ORDER`" + ` TEXT, ` + "`Ünï`" + ` INT);
INSERT INTO ` + "`odd ``name\n; é -- $1 %s`" + ` VALUES (1, 'x', 2), (2, NULL, 3);
CREATE TABLE Twin (a INT PRIMARY KEY); CREATE TABLE twin (a INT PRIMARY KEY); INSERT INTO twin VALUES (1);
CREATE TABLE parts (id INT NOT NULL AUTO_INCREMENT, y INT NOT NULL, t TEXT, PRIMARY KEY (id, y)) PARTITION BY RANGE (y) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
INSERT INTO parts (y, t) VALUES (5, 'a'), (15, 'b'), (10, 'c');
CREATE TABLE parent (id INT PRIMARY KEY AUTO_INCREMENT, up INT, n VARCHAR(9) UNIQUE, CONSTRAINT self FOREIGN KEY (up) REFERENCES parent (id) ON DELETE CASCADE) ENGINE=InnoDB;
CREATE TABLE child (id INT PRIMARY KEY, p INT, CHECK (id > 0), CONSTRAINT fk_p FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE ON UPDATE CASCADE) ENGINE=InnoDB;
INSERT INTO parent VALUES (1, 2, 'a'), (2, 1, 'b'), (9, NULL, 'i'); INSERT INTO child VALUES (1, 1), (2, 9), (3, 99);
DELETE FROM parent WHERE id = 9;
CREATE SEQUENCE seq START WITH 5 INCREMENT BY 3 MAXVALUE 1000 CACHE 2 CYCLE;
DO NEXTVAL(seq);
CREATE TABLE numbered (id INT PRIMARY KEY DEFAULT NEXTVAL(seq), t TEXT); INSERT INTO numbered (t) VALUES ('a'), ('b');
CREATE TABLE memory_t (a INT PRIMARY KEY, b CHAR(2)) ENGINE=MEMORY; INSERT INTO memory_t VALUES (2,'x'),(1,'y');
CREATE TABLE timekey (t TIMESTAMP(2) NOT NULL, e ENUM('z','a') NOT NULL, d DOUBLE NOT NULL, b BIT(9) NOT NULL, PRIMARY KEY (t, e, d, b));
INSERT INTO timekey VALUES ('2024-01-01 00:00:00.25', 'z', 0.1, 3), ('2024-01-01 00:00:00.25', 'a', 1e-300, 300), ('0000-00-00', 'a', -1e300, 0);
DELIMITER //
CREATE DEFINER=CURRENT_USER FUNCTION addone(x INT) RETURNS INT DETERMINISTIC RETURN x + 1 //
CREATE PROCEDURE addone(OUT x INT) COMMENT 'é;;' BEGIN DECLARE s TEXT DEFAULT 'ä;;$1$'; SELECT COUNT(*) INTO x FROM types; END //
SET NAMES latin1 //
SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES' //
CREATE PROCEDURE old_style() BEGIN SELECT 'a\', "id" FROM types; END //
SET sql_mode = 'ORACLE' //
CREATE PACKAGE pack AS FUNCTION f RETURN INT; END; //
CREATE PACKAGE BODY pack AS FUNCTION f RETURN INT AS BEGIN RETURN 1; END; END; //
SET sql_mode = '', NAMES utf8mb4 //
CREATE TRIGGER t2 BEFORE INSERT ON uni FOR EACH ROW SET NEW.a = IFNULL(NEW.a, 0) + 1 //
CREATE TRIGGER t1 BEFORE INSERT ON uni FOR EACH ROW PRECEDES t2 SET NEW.a = IFNULL(NEW.a, 0) * 2 //
CREATE TRIGGER gone AFTER DELETE ON mixed FOR EACH ROW BEGIN DELETE FROM keyless; INSERT INTO uni VALUES (1, OLD.b); END //
CREATE EVENT ev ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'x''y' DO DELETE FROM twin //
DELIMITER ;
CREATE VIEW a_top AS SELECT id, addone(id) AS next, 'é' AS q FROM z_base WHERE id > 0;
CREATE OR REPLACE ALGORITHM=MERGE SQL SECURITY INVOKER VIEW z_base AS SELECT id, tx FROM types WITH CHECK OPTION;
CREATE OR REPLACE VIEW a_top AS SELECT id, addone(id) AS next, 'é' AS q FROM z_base WHERE id > 0;
CREATE DEFINER=` + "`moved`@`away`" + ` VIEW orphan AS SELECT ti, 'it''s ` + "`db1`.`x`.`y`" + `' AS q FROM types WHERE types.ti > 0;
CREATE TABLE ignoring (a INT NOT NULL, b INT NOT NULL, UNIQUE KEY z (b), UNIQUE KEY a_first (a) IGNORED); INSERT INTO ignoring VALUES (2, 1), (1, 2);
`

// nastyScript is nasty with the views in an order that the server accepts.
func nastyScript() string {
	return strings.Replace(nasty, "CREATE VIEW a_top AS SELECT id, addone(id) AS next, 'é' AS q FROM z_base WHERE id > 0;\n", "", 1)
}

func TestDumpImportedByTheClientIsIdentical(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, nastyScript())
	db := open(t, server.Admin(site.Name)) // who may read programs of any definer
	dir, objects := dump(t, db)
	same(t, objects, scan(t, db))
	kinds := map[string]int{}
	for _, o := range objects {
		kinds[o.Kind]++
	}
	want := map[string]int{"schema": 1, "sequence": 1, "table": 15, "routine": 5, "view": 3, "trigger": 3, "event": 1}
	for kind, n := range want {
		if kinds[kind] != n {
			t.Errorf("%d of kind %s, want %d", kinds[kind], kind, n)
		}
	}
	copied := newDatabase(t)
	importDump(t, copied, dir)
	same(t, objects, scan(t, open(t, server.Admin(copied.Name))))
}

func TestOpenSaysWhatIsWrongAndNeverThePassword(t *testing.T) {
	site := *newDatabase(t)
	for _, test := range []struct {
		name string
		edit func(*cms.Database)
		code upkeep.Code
	}{
		{"wrong password", func(d *cms.Database) { d.Password = "s3cret-word" }, upkeep.CodeUnauthorized},
		{"no server", func(d *cms.Database) { d.Socket = "/nonexistent.sock"; d.Password = "s3cret-word" }, upkeep.CodeUnreachable},
		{"no such host", func(d *cms.Database) { d.Socket, d.Host, d.Port = "", "127.0.0.1", 1 }, upkeep.CodeUnreachable},
		{"other engine", func(d *cms.Database) { d.Engine = "oracle" }, upkeep.CodeInvalid},
		{"no such database", func(d *cms.Database) { *d = *server.Admin("nowhere") }, upkeep.CodeNotFound},
	} {
		t.Run(test.name, func(t *testing.T) {
			wrong := site
			test.edit(&wrong)
			_, err := database.Open(t.Context(), wrong)
			if upkeep.CodeOf(err) != test.code || upkeep.HintOf(err) == "" {
				t.Errorf("code %q, want %q, hint %q: %v", upkeep.CodeOf(err), test.code, upkeep.HintOf(err), err)
			}
			if err != nil && strings.Contains(err.Error(), "s3cret-word") {
				t.Errorf("password shown: %v", err)
			}
		})
	}
}

// A dump over an older one must be, byte for byte, the dump that it would be
// in an empty folder, whatever happened to the tables in between; and leave
// alone what did not change.
func TestDumpOverAnOlderOneIsAsIfThereWereNone(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, nastyScript()+`
CREATE TABLE big (id INT PRIMARY KEY AUTO_INCREMENT, t TEXT);
INSERT INTO big (t) SELECT REPEAT(MD5(seq), 30) FROM seq_1_to_1000;
CREATE TABLE still LIKE big; INSERT INTO still SELECT * FROM big;
CREATE TABLE zlast LIKE big; INSERT INTO zlast SELECT * FROM big;`)
	db := open(t, server.Admin(site.Name))
	dir, _ := dump(t, db)
	was := inodes(t, dir)
	for _, change := range []string{
		"UPDATE big SET t = 'x' WHERE id = 500",
		"DELETE FROM big WHERE id > 990",
		"DELETE FROM big WHERE id < 10",
		"INSERT INTO big (t) VALUES ('at the end')",
		"ALTER TABLE big AUTO_INCREMENT = 5000",
		"ALTER TABLE big ADD COLUMN n INT DEFAULT 3",
		"CREATE TABLE aaa (id INT PRIMARY KEY); INSERT INTO aaa VALUES (1)", // every file after it gets another name
		"DELETE FROM big",
		"DROP TABLE big; DO NEXTVAL(seq); DROP VIEW a_top",
		"RENAME TABLE still TO stolen, zlast TO still",
	} {
		sql(t, site, change)
		objects, err := db.Dump(t.Context(), dir, nil)
		if err != nil {
			t.Fatal(err)
		}
		fresh, identity := dump(t, db)
		same(t, identity, objects)
		if differ := differentFiles(t, fresh, dir); differ != "" {
			t.Fatalf("after %s: %s differs", change, differ)
		}
		if now := inodes(t, dir); strings.HasPrefix(change, "UPDATE") {
			for name, inode := range was {
				if strings.Contains(name, "zlast") && now[name] != inode {
					t.Errorf("%s was written again", name)
				}
			}
		}
	}
}

// inodes returns the files of a folder and what tells them apart.
func inodes(t *testing.T, dir string) map[string]uint64 {
	t.Helper()
	all := map[string]uint64{}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = info.Sys().(*syscall.Stat_t).Ino
	}
	return all
}

// differentFiles names the first file that only one of two folders has, or
// that differs.
func differentFiles(t *testing.T, a, b string) string {
	t.Helper()
	names := inodes(t, a)
	for name := range inodes(t, b) {
		names[name] = 0
	}
	for name := range names {
		one, err1 := os.ReadFile(filepath.Join(a, name))
		other, err2 := os.ReadFile(filepath.Join(b, name))
		if err1 != nil || err2 != nil || !bytes.Equal(one, other) {
			return name
		}
	}
	return ""
}
