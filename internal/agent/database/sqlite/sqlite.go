// Package sqlite dumps, identifies, restores and watches the SQLite files of
// one site.
//
// A file is taken as it is: a dump holds every page of one moment, and a
// restore writes those pages back that differ, so that what is restored is
// identical to the byte whatever the pages mean, and nothing of the site's
// has to be read for it. What they mean is dumped beside it as SQL, for people
// and for the identity of each table.
package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"upkeep"
	"upkeep/internal/cms"
)

// Limits of Query, which serves drivers that read settings, not content.
const (
	queryTime  = 30 * time.Second
	queryRows  = 100_000
	queryBytes = 64 << 20
)

// busyTime is how long a reading waits for a writer that is at work, in
// milliseconds.
const busyTime = 10_000

// DB is the SQLite files of a site. Nothing is held open between two calls.
type DB struct {
	files []string
	now   upkeep.Clock
}

// New names the files; none is opened. CodeInvalid when the site names none,
// or one by a relative path.
func New(site cms.Database) (*DB, error) {
	db := &DB{files: append([]string{site.File}, site.Files...), now: time.Now}
	for _, file := range db.files {
		if !filepath.IsAbs(file) {
			return nil, upkeep.Errorf(upkeep.CodeInvalid, "sqlite file %q is not an absolute path", file)
		}
	}
	return db, nil
}

// Files returns where the content of the site's SQLite files is to be read
// from once they are dumped to dir: path to copy. To "" leads what is
// transient beside them, and part of that content.
func Files(site *cms.Database, dir string) map[string]string {
	files := map[string]string{}
	for i, file := range append([]string{site.File}, site.Files...) {
		files[file] = filepath.Join(dir, copyName(i, file))
		for _, suffix := range companions {
			files[file+suffix] = ""
		}
	}
	return files
}

// companions are the suffixes of the files that SQLite has beside a database
// while it is in use.
var companions = [...]string{"-journal", "-wal", "-shm"}

// connection is one opening of a file.
type connection struct {
	*sql.Conn
	pool   *sql.DB
	folder string // whose time is to stay; "" when nothing appears in it
	time   time.Time
}

// openLive opens a file that others use. Reading one may make its companions
// appear and vanish, which must not show in the time of the folder.
func openLive(ctx context.Context, file string, settings ...string) (*connection, error) {
	folder := filepath.Dir(file)
	info, err := os.Stat(folder)
	if err != nil {
		return nil, err
	}
	c, err := open(ctx, file, url.Values{"mode": {"rw"}, "_pragma": append([]string{"busy_timeout(" + strconv.Itoa(busyTime) + ")"}, settings...)})
	if err != nil {
		return nil, err
	}
	c.folder, c.time = folder, info.ModTime()
	return c, nil
}

// readOnly makes a connection refuse to change anything.
const readOnly = "query_only(1)"

// openCopy opens a file that nobody writes to. Nothing appears beside it.
func openCopy(ctx context.Context, file string) (*connection, error) {
	return open(ctx, file, url.Values{"mode": {"ro"}, "immutable": {"1"}})
}

func open(ctx context.Context, file string, query url.Values) (*connection, error) {
	if _, err := os.Stat(file); err != nil {
		return nil, err
	}
	dsn := url.URL{Scheme: "file", Path: file, RawQuery: query.Encode()}
	pool, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, err
	}
	conn, err := pool.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, pool.Close())
	}
	return &connection{Conn: conn, pool: pool}, nil
}

// close ends the connection and gives the folder its time back.
func (c *connection) close() {
	_ = c.Conn.Close() // it has only read, or said already what failed
	_ = c.pool.Close()
	if c.folder == "" {
		return
	}
	if info, err := os.Stat(c.folder); err == nil && !info.ModTime().Equal(c.time) {
		_ = os.Chtimes(c.folder, time.Time{}, c.time) // another's folder keeps the new time
	}
}

// number returns the one number that a query gives.
func (c *connection) number(ctx context.Context, query string) (n int64, err error) {
	return n, c.QueryRowContext(ctx, query).Scan(&n)
}

// Query reads from the site's first file, with bounds on time (30 s), rows
// (100,000) and bytes (64 MiB); beyond them, and for anything that would write,
// CodeRefused. Cells are text, nil for NULL.
func (db *DB) Query(ctx context.Context, query string, args ...any) (_ [][][]byte, err error) {
	ctx, cancel := context.WithTimeout(ctx, queryTime)
	defer cancel()
	defer func() { err = refused(translate(ctx, err)) }()
	c, err := openLive(ctx, db.files[0], readOnly)
	if err != nil {
		return nil, err
	}
	defer c.close()
	rows, err := c.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	plain, names := plainTypes(rows)
	if plain {
		return collect(rows)
	}
	if err := rows.Close(); err != nil {
		return nil, err
	}
	// The library makes times and truths of columns that are declared so,
	// unless an expression hides what they are.
	if rows, err = c.QueryContext(ctx, "WITH q("+names+") AS ("+query+") SELECT "+expressions(names)+" FROM q", args...); err != nil {
		return nil, err
	}
	return collect(rows)
}

// collect reads rows within the bounds, and closes them.
func collect(rows *sql.Rows) (_ [][][]byte, err error) {
	defer func() { err = errors.Join(err, rows.Close()) }()
	columns, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	var result [][][]byte
	size := 0
	for rows.Next() {
		values, err := scan(rows, len(columns))
		if err != nil {
			return nil, err
		}
		cells := make([][]byte, len(values))
		for i, v := range values {
			cells[i] = text(v)
			size += len(cells[i])
		}
		result = append(result, cells)
		if len(result) > queryRows || size > queryBytes {
			return nil, upkeep.Errorf(upkeep.CodeRefused, "query gives more than %d rows or %d bytes", queryRows, queryBytes)
		}
	}
	return result, rows.Err()
}

// CountRows counts the rows of every table, by its name in manifests, all of
// them whatever is enough.
func (db *DB) CountRows(ctx context.Context, _ map[string]int64) (_ map[string]int64, err error) {
	defer upkeep.Wrap(&err, "count rows of %s", db.files[0])
	defer func() { err = translate(ctx, err) }()
	counts := map[string]int64{}
	for i, file := range db.files {
		if err := db.countFile(ctx, i, file, counts); err != nil {
			return nil, err
		}
	}
	return counts, nil
}

func (db *DB) countFile(ctx context.Context, i int, file string, counts map[string]int64) error {
	c, err := openLive(ctx, file, readOnly)
	if err != nil {
		return err
	}
	defer c.close()
	objects, err := describe(ctx, c)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if !o.hasRows() {
			continue
		}
		// Whole rows: what an index is ordered by may be known to the site's program alone.
		if counts[manifestName(i, file, o.Name)], err = c.number(ctx, "SELECT count(*) FROM "+ident(o.Name)+" NOT INDEXED"); err != nil {
			return err
		}
	}
	return nil
}

// manifestName is the name of an object of the file of that position. Those of
// the first go by their own.
func manifestName(i int, file, name string) string {
	if i == 0 {
		return name
	}
	return filepath.Base(file) + "/" + name
}

// Scan returns the identity of everything in the files, in the order of
// manifests. For unchanged files it equals what Dump returned.
func (db *DB) Scan(ctx context.Context) (_ []upkeep.Object, err error) {
	defer upkeep.Wrap(&err, "scan database %s", db.files[0])
	defer func() { err = translate(ctx, err) }()
	dir, err := os.MkdirTemp("", "upkeep-scan-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var objects []upkeep.Object
	for i, file := range db.files {
		found, err := scanFile(ctx, i, file, dir)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
	return sorted(objects), nil
}

func scanFile(ctx context.Context, i int, file, dir string) ([]upkeep.Object, error) {
	img, err := takeImage(ctx, file, filepath.Join(dir, copyName(i, file)))
	if err != nil {
		return nil, err
	}
	objects, err := writeText(ctx, img, "", i)
	if err != nil {
		return nil, err
	}
	return objects, os.Remove(img.path)
}

// sorted puts objects into the order of manifests.
func sorted(objects []upkeep.Object) []upkeep.Object {
	m := upkeep.Manifest{Tables: slices.Clone(objects)}
	m.Sort()
	return m.Tables
}
