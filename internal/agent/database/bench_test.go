//go:build bench

package database_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// TestBench prints the times of ours beside those of the public tools on a
// database of about 200 MB, in one run: medians of three, in seconds.
func TestBench(t *testing.T) {
	site := newDatabase(t)
	sql(t, site, `
CREATE TABLE wp_posts (ID BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, post_date DATETIME, post_content LONGTEXT, post_title TEXT, post_name VARCHAR(200), post_parent BIGINT, KEY post_name (post_name(191)));
CREATE TABLE wp_postmeta (meta_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, post_id BIGINT UNSIGNED NOT NULL, meta_key VARCHAR(255), meta_value LONGTEXT, KEY post_id (post_id), KEY meta_key (meta_key(191)));
SET unique_checks = 0;
INSERT INTO wp_posts SELECT seq, '2024-01-01' + INTERVAL seq SECOND, CONCAT('<p>it''s ', REPEAT(CONCAT(SHA2(seq, 512), '\n'), 19), '</p>'), MD5(seq), MD5(seq), seq DIV 3 FROM seq_1_to_40000;
INSERT INTO wp_postmeta SELECT seq, seq DIV 15, CONCAT('_key_', seq % 50), SHA2(seq, 512) FROM seq_1_to_600000;`)
	db := open(t, site)
	dir := filepath.Join(t.TempDir(), "dump")
	theirs := filepath.Join(t.TempDir(), "theirs.sql")
	size := int64(0)
	median := func(name string, prepare, run func()) {
		var times [3]time.Duration
		for i := range times {
			if prepare != nil {
				prepare()
			}
			start := time.Now()
			run()
			times[i] = time.Since(start)
		}
		a, b, c := times[0], times[1], times[2]
		t.Logf("%-28s %6.2f s", name, max(min(a, b), min(max(a, b), c)).Seconds())
	}
	shell := func(script string) {
		t.Helper()
		if out, err := exec.Command("bash", "-c", "set -e; "+script, "bench", site.Socket, site.Name, theirs).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	edit := func() {
		sql(t, site, "UPDATE wp_postmeta SET meta_value = UUID() WHERE meta_id % 100 = 7; UPDATE wp_posts SET post_title = UUID() WHERE ID % 100 = 7;")
	}
	median("mariadb-dump", nil, func() {
		shell(`mariadb-dump --no-defaults --socket="$1" --single-transaction --quick --hex-blob --routines --triggers --events --order-by-primary "$2" > "$3"; sync "$3"`)
	})
	median("dump", nil, func() {
		if _, err := db.Dump(t.Context(), dir, nil); err != nil {
			t.Fatal(err)
		}
	})
	files, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	t.Logf("%-28s %6.0f MB", "size of the dump", float64(size)/1e6)
	median("scan", nil, func() { scan(t, db) })
	median("restore, nothing changed", nil, func() { restore(t, db, dir) })
	median("restore, 1 % of rows spread", edit, func() { t.Logf("%+v", withoutObjects(restore(t, db, dir))) })
	median("restore, 100 rows at the end", func() {
		sql(t, site, "DELETE FROM wp_postmeta WHERE meta_id > 599900; UPDATE wp_posts SET post_title = 'x' WHERE ID > 39990;")
	}, func() { restore(t, db, dir) })
	median("restore, one table altered", func() { sql(t, site, "ALTER TABLE wp_posts ADD COLUMN extra INT;") }, func() { restore(t, db, dir) })
	median("mariadb < dump, whole", nil, func() { shell(`mariadb --no-defaults --socket="$1" "$2" < "$3"`) })
}
