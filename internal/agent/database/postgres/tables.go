package postgres

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"upkeep"
)

// sequenceOptions writes what CREATE SEQUENCE and identity columns say alike.
const sequenceOptions = `format('START WITH %s INCREMENT BY %s MINVALUE %s MAXVALUE %s CACHE %s%s', s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcache, CASE WHEN s.seqcycle THEN ' CYCLE' ELSE '' END)`

// sequences reads sequences. Those of identity columns are made by their tables,
// but their position is content like others'.
func (d *describer) sequences(ctx context.Context) error {
	rows, err := d.table(ctx, d.known(`SELECT c.oid, q.name, coalesce(t.relname, c.relname),
		CASE WHEN d.objid IS NULL THEN format('CREATE %sSEQUENCE %s AS %s ', CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END, q.name, format_type(s.seqtypid, NULL)) || `+sequenceOptions+` ELSE '' END,
		CASE WHEN d.objid IS NULL THEN `+rights("SEQUENCE", "q.name", "c.relowner", "c.relacl")+` ELSE '' END || chr(1) || `+remark("SEQUENCE", "q.name", "c.oid", "pg_class")+`, d.objid IS NOT NULL
		FROM pg_class c JOIN pg_sequence s ON s.seqrelid = c.oid JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) q
		LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i' AND d.refclassid = 'pg_class'::regclass LEFT JOIN pg_class t ON t.oid = d.refobjid
		WHERE {schemas} AND {free pg_class c}`))
	if err != nil {
		return err
	}
	for _, row := range rows {
		if !d.site.Has(row[2]) {
			continue
		}
		o := &object{Object: upkeep.Object{Kind: kindSequence, Name: row[1]}, Create: statements(row[4]), id: node{"pg_class", row[0]}}
		if row[3] != "" {
			o.Create = append([]string{row[3]}, o.Create...)
			o.Drop = "DROP SEQUENCE IF EXISTS " + o.Name + " CASCADE"
		}
		d.objects = append(d.objects, o)
	}
	return nil
}

// tables reads tables with their columns.
func (d *describer) tables(ctx context.Context) error {
	rows, err := d.table(ctx, d.known(`SELECT c.oid, q.name, c.relname, CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED ' ELSE '' END,
		coalesce(array_to_string(c.reloptions || (SELECT array_agg('toast.' || o) FROM unnest(t.reloptions) o), ', '), ''),
		coalesce((SELECT quote_ident(spcname) FROM pg_tablespace WHERE oid = c.reltablespace), ''),
		`+rights("TABLE", "q.name", "c.relowner", "c.relacl")+` || chr(1) || `+remark("TABLE", "q.name", "c.oid", "pg_class")+` || chr(1) || `+columnRemarks+`,
		CASE c.relreplident WHEN 'f' THEN 'ALTER TABLE ONLY ' || q.name || ' REPLICA IDENTITY FULL' WHEN 'n' THEN 'ALTER TABLE ONLY ' || q.name || ' REPLICA IDENTITY NOTHING' ELSE '' END,
		pg_relation_size(c.oid)
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) q LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
		WHERE {schemas} AND {free pg_class c} AND c.relkind = 'r'`))
	if err != nil {
		return err
	}
	byID := map[string]*object{}
	options := map[string]string{}
	for _, row := range rows {
		if !d.site.Has(row[2]) {
			continue
		}
		o := &object{Object: upkeep.Object{Kind: kindTable, Name: row[1]}, Drop: "DROP TABLE IF EXISTS " + row[1] + " CASCADE", id: node{"pg_class", row[0]}}
		o.Create = append([]string{"CREATE " + row[3] + "TABLE " + row[1] + " (\n"}, append(statements(row[6]), statements(row[7])...)...)
		o.size, _ = strconv.ParseInt(row[8], 10, 64) // for the order of reading only
		if row[4] != "" {
			options[row[0]] += " WITH (" + row[4] + ")"
		}
		if row[5] != "" {
			options[row[0]] += " TABLESPACE " + row[5]
		}
		byID[row[0]] = o
		d.objects = append(d.objects, o)
	}
	if err := d.columns(ctx, byID); err != nil {
		return err
	}
	for id, o := range byID {
		o.Create[0] = strings.TrimSuffix(o.Create[0], ",\n") + "\n)" + options[id]
	}
	return nil
}

// columns completes tables. What some servers count in a column's options
// (pg_attver) is theirs, and new with each table: pg_dump leaves it out too.
func (d *describer) columns(ctx context.Context, tables map[string]*object) error {
	compression := "''"
	if major, _, _ := strings.Cut(d.ParameterStatus("server_version"), "."); major >= "14" {
		compression = "CASE a.attcompression WHEN 'p' THEN ' COMPRESSION pglz' WHEN 'l' THEN ' COMPRESSION lz4' ELSE '' END"
	}
	rows, err := d.table(ctx, d.known(`SELECT a.attrelid, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod),
		`+compression+` || CASE WHEN a.attcollation <> t.typcollation THEN ' COLLATE ' || a.attcollation::regcollation::text ELSE '' END ||
		CASE WHEN a.attgenerated <> '' THEN ' GENERATED ALWAYS AS (' || pg_get_expr(f.adbin, f.adrelid) || ') STORED' WHEN f.oid IS NOT NULL THEN ' DEFAULT ' || pg_get_expr(f.adbin, f.adrelid) ELSE '' END ||
		CASE WHEN a.attnotnull THEN ' NOT NULL' ELSE '' END ||
		coalesce((SELECT format(' GENERATED %s AS IDENTITY (SEQUENCE NAME %s ', CASE a.attidentity WHEN 'a' THEN 'ALWAYS' ELSE 'BY DEFAULT' END, s.seqrelid::regclass::text) || `+sequenceOptions+` || ')'
			FROM pg_depend d JOIN pg_sequence s ON s.seqrelid = d.objid WHERE a.attidentity <> '' AND d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.deptype = 'i'), ''),
		CASE WHEN a.attstorage <> t.typstorage THEN 'SET STORAGE ' || CASE a.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END ELSE '' END,
		CASE WHEN a.attstattarget >= 0 THEN 'SET STATISTICS ' || a.attstattarget ELSE '' END,
		coalesce((SELECT 'SET (' || string_agg(o, ', ') || ')' FROM unnest(a.attoptions) o WHERE o NOT LIKE 'pg\_attver=%'), ''), a.attgenerated
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_type t ON t.oid = a.atttypid LEFT JOIN pg_attrdef f ON f.adrelid = a.attrelid AND f.adnum = a.attnum
		WHERE {schemas} AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum`))
	if err != nil {
		return err
	}
	for _, row := range rows {
		o := tables[row[0]]
		if o == nil {
			continue
		}
		o.Create[0] += "    " + row[1] + " " + row[2] + row[3] + ",\n"
		for _, set := range row[4:7] {
			if set != "" {
				o.Create = append(o.Create, "ALTER TABLE ONLY "+o.Name+" ALTER COLUMN "+row[1]+" "+set)
			}
		}
		if row[7] == "" {
			o.Columns = append(o.Columns, row[1])
		}
	}
	return nil
}

// keys finds for each table what orders its rows: the primary key, or else the
// shortest unique index on columns that are never null.
func (d *describer) keys(ctx context.Context) error {
	rows, err := d.table(ctx, d.known(`SELECT i.indexrelid, i.indrelid, quote_ident(a.attname), format_type(a.atttypid, a.atttypmod)
		FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		CROSS JOIN LATERAL unnest(i.indkey::int2[]) WITH ORDINALITY k(attnum, at) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE {schemas} AND c.relkind = 'r' AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL AND k.at <= i.indnkeyatts
			AND NOT EXISTS (SELECT FROM unnest(i.indkey::int2[]) WITH ORDINALITY x(attnum, at) JOIN pg_attribute b ON b.attrelid = i.indrelid AND b.attnum = x.attnum WHERE x.at <= i.indnkeyatts AND (NOT b.attnotnull OR b.attgenerated <> ''))
		ORDER BY i.indrelid, NOT i.indisprimary, i.indnkeyatts, i.indexrelid, k.at`))
	if err != nil {
		return err
	}
	byID := map[string]*object{}
	for _, o := range d.objects {
		if o.Kind == kindTable {
			byID[o.id.oid] = o
		}
	}
	chosen := map[string]string{} // index by table
	for _, row := range rows {
		o := byID[row[1]]
		if first, ok := chosen[row[1]]; o == nil || ok && first != row[0] {
			continue
		}
		chosen[row[1]] = row[0]
		o.Key = append(o.Key, column{Name: row[2], Type: row[3], At: slices.Index(o.Columns, row[2])})
	}
	return nil
}

// blobs reads whether there are large objects. They belong to a database, not to
// tables: with others in it nobody can tell whose they are.
func (d *describer) blobs(ctx context.Context) error {
	rows, err := d.table(ctx, "SELECT count(*), count(lomacl) FROM pg_largeobject_metadata")
	if err != nil || rows[0][0] == "0" {
		return err
	}
	if len(d.site.Neighbours) > 0 || d.site.Schema != "" || rows[0][1] != "0" {
		return upkeep.Errorf(upkeep.CodeRefused, "the database holds large objects beside other sites, or with rights of their own").
			WithHint("Give the site a database of its own.")
	}
	d.objects = append(d.objects, &object{Object: upkeep.Object{Kind: kindBlobs, Name: "all"}, Drop: "SELECT pg_catalog.lo_unlink(oid) FROM pg_catalog.pg_largeobject_metadata"})
	return nil
}

// needs reads what must be there before what else.
func (d *describer) needs(ctx context.Context) (map[node][]node, error) {
	parts := map[node]node{} // what is described as a part of something else
	rows, err := d.table(ctx, `SELECT 'pg_attrdef', oid::text, 'pg_class', adrelid::text FROM pg_attrdef
		UNION ALL SELECT 'pg_rewrite', oid::text, 'pg_class', ev_class::text FROM pg_rewrite WHERE rulename = '_RETURN'
		UNION ALL SELECT 'pg_type', oid::text, 'pg_class', typrelid::text FROM pg_type WHERE typrelid <> 0 AND (SELECT relkind FROM pg_class WHERE oid = typrelid) <> 'c'
		UNION ALL SELECT 'pg_class', typrelid::text, 'pg_type', oid::text FROM pg_type WHERE typrelid <> 0 AND (SELECT relkind FROM pg_class WHERE oid = typrelid) = 'c'
		UNION ALL SELECT 'pg_type', typarray::text, CASE WHEN typtype = 'c' AND (SELECT relkind FROM pg_class WHERE oid = typrelid) <> 'c' THEN 'pg_class' ELSE 'pg_type' END,
			CASE WHEN typtype = 'c' AND (SELECT relkind FROM pg_class WHERE oid = typrelid) <> 'c' THEN typrelid ELSE oid END::text FROM pg_type WHERE typarray <> 0
		UNION ALL SELECT 'pg_constraint', oid::text, 'pg_type', contypid::text FROM pg_constraint WHERE contypid <> 0
		UNION ALL SELECT 'pg_class', conindid::text, 'pg_constraint', oid::text FROM pg_constraint WHERE contype IN ('p', 'u', 'x')`)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		parts[node{row[0], row[1]}] = node{row[2], row[3]}
	}
	whole := func(n node) node {
		if of, ok := parts[n]; ok {
			return of
		}
		return n
	}
	rows, err = d.table(ctx, `SELECT classid::regclass::text, objid, refclassid::regclass::text, refobjid FROM pg_depend
		WHERE refobjid >= 16384 AND NOT (deptype = 'a' AND objid IN (SELECT seqrelid FROM pg_sequence)) ORDER BY 1, 2, 3, 4`)
	if err != nil {
		return nil, err
	}
	needs := map[node][]node{}
	for _, row := range rows {
		from, to := whole(node{row[0], row[1]}), whole(node{row[2], row[3]})
		if from != to {
			needs[from] = append(needs[from], to)
		}
	}
	return needs, nil
}
