package postgres

import (
	"context"
	"slices"
	"strings"

	"upkeep"
	"upkeep/internal/cms"
)

// describer reads definitions through one connection. Whatever it does not know
// how to make again is an error.
type describer struct {
	*session
	db      *DB
	site    *cms.Database
	objects catalogue
}

// describe reads all definitions of the site.
func (db *DB) describe(ctx context.Context, s *session) (catalogue, error) {
	d := &describer{session: s, db: db, site: &db.site}
	if err := d.refuse(ctx); err != nil {
		return nil, err
	}
	for _, read := range []func(context.Context) error{
		d.simple, d.sequences, d.tables, d.keys, d.blobs,
	} {
		if err := read(ctx); err != nil {
			return nil, err
		}
	}
	needs, err := d.needs(ctx)
	if err != nil {
		return nil, err
	}
	for _, o := range d.objects {
		o.seal()
	}
	return arranged(d.objects, needs), nil
}

// known fills in a query's conditions: {schemas} and {free CATALOGUE ALIAS}.
func (d *describer) known(query string) string {
	query = strings.ReplaceAll(query, "{schemas}", d.db.schemas())
	for {
		start := strings.Index(query, "{free ")
		if start < 0 {
			return query
		}
		end := start + strings.IndexByte(query[start:], '}')
		words := strings.Fields(query[start+len("{free ") : end])
		query = query[:start] + notOfExtension(words[0], words[1]) + query[end+1:]
	}
}

// refuse names what would be lost.
func (d *describer) refuse(ctx context.Context) error {
	rows, err := d.table(ctx, d.known(unsupported))
	if err != nil {
		return err
	}
	var names []string
	for _, row := range rows {
		if row[2] == "" || d.site.Has(row[2]) {
			names = append(names, row[0]+" "+row[1])
		}
	}
	if len(names) == 0 {
		return nil
	}
	return upkeep.Errorf(upkeep.CodeRefused, "the database holds what cannot be backed up: %s", cms.List(names)).
		WithHint("Remove it, or keep this site out of Upkeep.")
}

// unsupported is what this package does not know how to make again: kind, name,
// and the name that says whose it is.
const unsupported = `
SELECT CASE WHEN c.relkind = 'f' THEN 'foreign table' WHEN c.relispartition THEN 'partition' WHEN c.relkind IN ('p', 'I') THEN 'partitioned table'
  WHEN c.reloftype <> 0 THEN 'typed table' WHEN c.relrowsecurity THEN 'table with row security' WHEN c.relnatts = 0 THEN 'table without columns'
  WHEN c.relkind IN ('r', 'm') AND c.relam <> 0 AND (SELECT amname FROM pg_am WHERE oid = c.relam) <> 'heap' THEN 'table of another access method' ELSE 'inheriting table' END,
  format('%I.%I', n.nspname, c.relname), c.relname
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE {schemas} AND {free pg_class c} AND (c.relkind IN ('p', 'f', 'I') OR c.relispartition OR c.relrowsecurity OR c.reloftype <> 0 OR c.relkind = 'r' AND c.relnatts = 0
    OR c.relkind IN ('r', 'm') AND c.relam <> 0 AND (SELECT amname FROM pg_am WHERE oid = c.relam) <> 'heap'
    OR EXISTS (SELECT FROM pg_inherits i WHERE c.oid IN (i.inhrelid, i.inhparent)))
UNION ALL SELECT 'invalid index', format('%I.%I', n.nspname, c.relname), t.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {schemas} AND NOT i.indisvalid
UNION ALL SELECT 'type', format('%I.%I', n.nspname, t.typname), t.typname FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE {schemas} AND {free pg_type t} AND (t.typtype IN ('r', 'p') OR t.typtype = 'b' AND NOT EXISTS (SELECT FROM pg_type e WHERE e.typarray = t.oid))
UNION ALL SELECT 'aggregate', format('%I.%I', n.nspname, p.proname), p.proname FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {schemas} AND {free pg_proc p} AND p.prokind = 'a'
UNION ALL SELECT 'operator', format('%I.%s', n.nspname, o.oprname), '' FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace WHERE {schemas} AND {free pg_operator o}
UNION ALL SELECT 'operator class', format('%I.%I', n.nspname, o.opcname), '' FROM pg_opclass o JOIN pg_namespace n ON n.oid = o.opcnamespace WHERE {schemas} AND {free pg_opclass o}
UNION ALL SELECT 'operator family', format('%I.%I', n.nspname, o.opfname), '' FROM pg_opfamily o JOIN pg_namespace n ON n.oid = o.opfnamespace WHERE {schemas} AND {free pg_opfamily o}
UNION ALL SELECT 'collation', format('%I.%I', n.nspname, o.collname), '' FROM pg_collation o JOIN pg_namespace n ON n.oid = o.collnamespace WHERE {schemas} AND {free pg_collation o}
UNION ALL SELECT 'conversion', format('%I.%I', n.nspname, o.conname), '' FROM pg_conversion o JOIN pg_namespace n ON n.oid = o.connamespace WHERE {schemas} AND {free pg_conversion o}
UNION ALL SELECT 'text search configuration', format('%I.%I', n.nspname, o.cfgname), '' FROM pg_ts_config o JOIN pg_namespace n ON n.oid = o.cfgnamespace WHERE {schemas} AND {free pg_ts_config o}
UNION ALL SELECT 'text search dictionary', format('%I.%I', n.nspname, o.dictname), '' FROM pg_ts_dict o JOIN pg_namespace n ON n.oid = o.dictnamespace WHERE {schemas} AND {free pg_ts_dict o}
UNION ALL SELECT 'text search parser', format('%I.%I', n.nspname, o.prsname), '' FROM pg_ts_parser o JOIN pg_namespace n ON n.oid = o.prsnamespace WHERE {schemas} AND {free pg_ts_parser o}
UNION ALL SELECT 'text search template', format('%I.%I', n.nspname, o.tmplname), '' FROM pg_ts_template o JOIN pg_namespace n ON n.oid = o.tmplnamespace WHERE {schemas} AND {free pg_ts_template o}
UNION ALL SELECT 'cast', format('%s to %s', format_type(o.castsource, NULL), format_type(o.casttarget, NULL)), '' FROM pg_cast o WHERE o.oid >= 16384 AND {free pg_cast o}
UNION ALL SELECT 'transform', format_type(o.trftype, NULL), '' FROM pg_transform o WHERE o.oid >= 16384 AND {free pg_transform o}
UNION ALL SELECT 'language', o.lanname, '' FROM pg_language o WHERE o.oid >= 16384 AND {free pg_language o}
UNION ALL SELECT 'access method', o.amname, '' FROM pg_am o WHERE o.oid >= 16384 AND {free pg_am o}
UNION ALL SELECT 'event trigger', o.evtname, '' FROM pg_event_trigger o WHERE {free pg_event_trigger o}
UNION ALL SELECT 'publication', o.pubname, '' FROM pg_publication o
UNION ALL SELECT 'foreign server', o.srvname, '' FROM pg_foreign_server o WHERE {free pg_foreign_server o}
UNION ALL SELECT 'default privileges of', pg_get_userbyid(o.defaclrole), '' FROM pg_default_acl o
UNION ALL SELECT 'security label on', o.objoid::regclass::text, '' FROM pg_seclabel o WHERE o.classoid = 'pg_class'::regclass
UNION ALL SELECT 'policy', o.polname, '' FROM pg_policy o JOIN pg_class c ON c.oid = o.polrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {schemas}
ORDER BY 1, 2`

// simple reads all whose definition the server writes itself, or a query can.
// The columns are: the catalogue, the number in it, the name, the name that says
// whose it is, the table it is part of, the statement, what drops it, and what
// else is to be said, one statement a line of an array.
func (d *describer) simple(ctx context.Context) error {
	for _, q := range simple {
		rows, err := d.table(ctx, d.known(q.query))
		if err != nil {
			return err
		}
		for _, row := range rows {
			if row[3] != "" && !d.site.Has(row[3]) {
				continue
			}
			o := &object{Object: upkeep.Object{Kind: q.kind, Name: row[2]}, Table: row[4], Drop: row[6], id: node{row[0], row[1]}}
			if row[5] != "" {
				o.Create = append(o.Create, strings.TrimRight(row[5], "; \n"))
			}
			for _, more := range row[7:] {
				o.Create = append(o.Create, statements(more)...)
			}
			if q.kind == kindForeign {
				o.Refers, o.Create = row[8], o.Create[:len(o.Create)-1]
			}
			if q.kind == kindStored {
				o.Empty, o.Create = row[8] == "f", o.Create[:len(o.Create)-1]
			}
			d.objects = append(d.objects, o)
		}
	}
	return nil
}

// statementMark ends a statement in a cell that holds several.
const statementMark = "\x01"

// statements takes a cell apart.
func statements(cell string) []string {
	return slices.DeleteFunc(strings.Split(cell, statementMark), func(s string) bool { return s == "" })
}

// rights writes, for a catalogue's own and access lists, who owns something and
// who may do what with it, as statements. Nothing is said of rights that are as
// the server gives them by itself.
func rights(what, name, owner, acl string) string {
	return `'ALTER ` + what + ` ' || ` + name + ` || ' OWNER TO ' || quote_ident(pg_get_userbyid(` + owner + `)) || chr(1) ||
  CASE WHEN ` + acl + ` IS NULL THEN '' ELSE 'REVOKE ALL ON ` + what + ` ' || ` + name + ` || ' FROM PUBLIC, ' || quote_ident(pg_get_userbyid(` + owner + `)) || chr(1) ||
    coalesce((SELECT string_agg(format('GRANT %s ON ` + what + ` %s TO %s%s', x.privilege_type, ` + name + `, CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
      CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), chr(1) ORDER BY x.grantee, x.privilege_type) FROM aclexplode(` + acl + `) x), '') END`
}

// remark writes the comment on something as a statement.
func remark(what, name, oid, catalogue string) string {
	return `coalesce('COMMENT ON ` + what + ` ' || ` + name + ` || ' IS ' || quote_literal(obj_description(` + oid + `, '` + catalogue + `')), '')`
}

// simple are the queries of what has a definition and no rows, and of stored
// views.
var simple = []struct{ kind, query string }{
	{kindSchema, `SELECT 'pg_namespace', n.oid, quote_ident(n.nspname), '', '', 'CREATE SCHEMA IF NOT EXISTS ' || quote_ident(n.nspname),
		CASE WHEN n.nspname <> 'public' THEN format('DROP SCHEMA IF EXISTS %I CASCADE', n.nspname) END,
		CASE WHEN n.nspname <> 'public' THEN ` + rights("SCHEMA", "quote_ident(n.nspname)", "n.nspowner", "n.nspacl") + ` END
		FROM pg_namespace n WHERE {schemas} AND {free pg_namespace n}`},
	{kindExtension, `SELECT 'pg_extension', x.oid, quote_ident(x.extname), '', '', format('CREATE EXTENSION IF NOT EXISTS %I WITH SCHEMA %I VERSION %L', x.extname, n.nspname, x.extversion),
		format('DROP EXTENSION IF EXISTS %I CASCADE', x.extname), ''
		FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace WHERE x.extname <> 'plpgsql'`},
	{kindType, `SELECT 'pg_type', t.oid, q.name, t.typname, '', CASE t.typtype
		WHEN 'e' THEN 'CREATE TYPE ' || q.name || ' AS ENUM (' || (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder) FROM pg_enum WHERE enumtypid = t.oid) || ')'
		WHEN 'c' THEN 'CREATE TYPE ' || q.name || ' AS (' || coalesce((SELECT string_agg(quote_ident(a.attname) || ' ' || format_type(a.atttypid, a.atttypmod) ||
			CASE WHEN a.attcollation <> e.typcollation THEN ' COLLATE ' || a.attcollation::regcollation::text ELSE '' END, ', ' ORDER BY a.attnum)
			FROM pg_attribute a JOIN pg_type e ON e.oid = a.atttypid WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), '') || ')'
		ELSE 'CREATE DOMAIN ' || q.name || ' AS ' || format_type(t.typbasetype, t.typtypmod) ||
			CASE WHEN t.typcollation <> (SELECT typcollation FROM pg_type WHERE oid = t.typbasetype) THEN ' COLLATE ' || t.typcollation::regcollation::text ELSE '' END ||
			coalesce(' DEFAULT ' || t.typdefault, '') || CASE WHEN t.typnotnull THEN ' NOT NULL' ELSE '' END ||
			coalesce((SELECT string_agg(format(' CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)), '' ORDER BY conname) FROM pg_constraint WHERE contypid = t.oid AND contype = 'c'), '') END,
		CASE t.typtype WHEN 'd' THEN 'DROP DOMAIN IF EXISTS ' ELSE 'DROP TYPE IF EXISTS ' END || q.name || ' CASCADE',
		` + rights("TYPE", "q.name", "t.typowner", "t.typacl") + ` || chr(1) || ` + remark("TYPE", "q.name", "t.oid", "pg_type") + `
		FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, t.typname) AS name) q
		WHERE {schemas} AND {free pg_type t} AND (t.typtype IN ('e', 'd') OR t.typtype = 'c' AND (SELECT relkind FROM pg_class WHERE oid = t.typrelid) = 'c')`},
	{kindFunction, `SELECT 'pg_proc', p.oid, q.kind || ' ' || q.name, p.proname, '', pg_get_functiondef(p.oid), 'DROP ' || q.kind || ' IF EXISTS ' || q.name || ' CASCADE',
		` + rights("ROUTINE", "q.name", "p.proowner", "p.proacl") + ` || chr(1) || ` + remark("ROUTINE", "q.name", "p.oid", "pg_proc") + `
		FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
		CROSS JOIN LATERAL (SELECT format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)) AS name, CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END AS kind) q
		WHERE {schemas} AND {free pg_proc p} AND p.prokind <> 'a'`},
	{kindOwnership, `SELECT 'pg_class', c.oid, format('%I.%I', n.nspname, c.relname), t.relname, d.refobjid::regclass::text,
		format('ALTER SEQUENCE %I.%I OWNED BY %s.%I', n.nspname, c.relname, d.refobjid::regclass::text, a.attname), format('ALTER SEQUENCE IF EXISTS %I.%I OWNED BY NONE', n.nspname, c.relname), ''
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'a' AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0
		JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid JOIN pg_class t ON t.oid = d.refobjid
		WHERE c.relkind = 'S' AND {schemas} AND {free pg_class c}`},
	{kindConstraint, `SELECT 'pg_constraint', k.oid, format('%I on %s', k.conname, k.conrelid::regclass::text), c.relname, k.conrelid::regclass::text,
		format('ALTER TABLE ONLY %s ADD CONSTRAINT %I %s', k.conrelid::regclass::text, k.conname, pg_get_constraintdef(k.oid)),
		format('ALTER TABLE IF EXISTS ONLY %s DROP CONSTRAINT IF EXISTS %I CASCADE', k.conrelid::regclass::text, k.conname),
		coalesce((SELECT format('ALTER TABLE %s CLUSTER ON %I', k.conrelid::regclass::text, k.conname) FROM pg_index WHERE indexrelid = k.conindid AND indisclustered), '') || chr(1) ||
		coalesce((SELECT format('ALTER TABLE ONLY %s REPLICA IDENTITY USING INDEX %I', k.conrelid::regclass::text, k.conname) FROM pg_index WHERE indexrelid = k.conindid AND indisreplident), '') || chr(1) ||
		` + remark("CONSTRAINT", "format('%I ON %s', k.conname, k.conrelid::regclass::text)", "k.oid", "pg_constraint") + `
		FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE {schemas} AND {free pg_class c} AND c.relkind = 'r' AND k.contype IN ('p', 'u', 'x', 'c')`},
	{kindForeign, `SELECT 'pg_constraint', k.oid, format('%I on %s', k.conname, k.conrelid::regclass::text), c.relname, k.conrelid::regclass::text,
		format('ALTER TABLE ONLY %s ADD CONSTRAINT %I %s', k.conrelid::regclass::text, k.conname, pg_get_constraintdef(k.oid)),
		format('ALTER TABLE IF EXISTS ONLY %s DROP CONSTRAINT IF EXISTS %I', k.conrelid::regclass::text, k.conname),
		` + remark("CONSTRAINT", "format('%I ON %s', k.conname, k.conrelid::regclass::text)", "k.oid", "pg_constraint") + `, k.confrelid::regclass::text
		FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE {schemas} AND {free pg_class c} AND k.contype = 'f'`},
	{kindIndex, `SELECT 'pg_class', c.oid, format('%I.%I', n.nspname, c.relname), t.relname, i.indrelid::regclass::text, pg_get_indexdef(i.indexrelid),
		format('DROP INDEX IF EXISTS %I.%I CASCADE', n.nspname, c.relname),
		CASE WHEN i.indisclustered THEN format('ALTER TABLE %s CLUSTER ON %I', i.indrelid::regclass::text, c.relname) ELSE '' END || chr(1) ||
		CASE WHEN i.indisreplident THEN format('ALTER TABLE ONLY %s REPLICA IDENTITY USING INDEX %I', i.indrelid::regclass::text, c.relname) ELSE '' END || chr(1) ||
		` + remark("INDEX", "format('%I.%I', n.nspname, c.relname)", "c.oid", "pg_class") + `
		FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE {schemas} AND {free pg_class t} AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u', 'x'))`},
	{kindStatistics, `SELECT 'pg_statistic_ext', s.oid, format('%I.%I', n.nspname, s.stxname), c.relname, s.stxrelid::regclass::text, pg_get_statisticsobjdef(s.oid),
		format('DROP STATISTICS IF EXISTS %I.%I', n.nspname, s.stxname), ''
		FROM pg_statistic_ext s JOIN pg_class c ON c.oid = s.stxrelid JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE {schemas} AND {free pg_statistic_ext s}`},
	{kindView, `SELECT 'pg_class', c.oid, q.name, c.relname, '', 'CREATE VIEW ' || q.name || coalesce(' WITH (' || array_to_string(c.reloptions, ', ') || ')', '') || ' AS' || chr(10) || pg_get_viewdef(c.oid),
		'DROP VIEW IF EXISTS ' || q.name || ' CASCADE',
		` + rights("TABLE", "q.name", "c.relowner", "c.relacl") + ` || chr(1) || ` + remark("VIEW", "q.name", "c.oid", "pg_class") + ` || chr(1) || ` + columnRemarks + `
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) q
		WHERE {schemas} AND {free pg_class c} AND c.relkind = 'v'`},
	{kindStored, `SELECT 'pg_class', c.oid, q.name, c.relname, '', 'CREATE MATERIALIZED VIEW ' || q.name || coalesce(' WITH (' || array_to_string(c.reloptions, ', ') || ')', '') || ' AS' || chr(10) || rtrim(pg_get_viewdef(c.oid), ';') || chr(10) || ' WITH NO DATA',
		'DROP MATERIALIZED VIEW IF EXISTS ' || q.name || ' CASCADE',
		` + rights("TABLE", "q.name", "c.relowner", "c.relacl") + ` || chr(1) || ` + remark("MATERIALIZED VIEW", "q.name", "c.oid", "pg_class") + ` || chr(1) || ` + columnRemarks + `, c.relispopulated
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL (SELECT format('%I.%I', n.nspname, c.relname) AS name) q
		WHERE {schemas} AND {free pg_class c} AND c.relkind = 'm'`},
	{kindRule, `SELECT 'pg_rewrite', r.oid, format('%I on %s', r.rulename, r.ev_class::regclass::text), c.relname, r.ev_class::regclass::text, pg_get_ruledef(r.oid),
		format('DROP RULE IF EXISTS %I ON %s', r.rulename, r.ev_class::regclass::text),
		CASE r.ev_enabled WHEN 'O' THEN '' ELSE format('ALTER TABLE %s %s RULE %I', r.ev_class::regclass::text, CASE r.ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, r.rulename) END
		FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {schemas} AND {free pg_class c} AND r.rulename <> '_RETURN'`},
	{kindTrigger, `SELECT 'pg_trigger', t.oid, format('%I on %s', t.tgname, t.tgrelid::regclass::text), c.relname, t.tgrelid::regclass::text, pg_get_triggerdef(t.oid),
		format('DROP TRIGGER IF EXISTS %I ON %s', t.tgname, t.tgrelid::regclass::text),
		CASE t.tgenabled WHEN 'O' THEN '' ELSE format('ALTER TABLE %s %s TRIGGER %I', t.tgrelid::regclass::text, CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END, t.tgname) END || chr(1) ||
		` + remark("TRIGGER", "format('%I ON %s', t.tgname, t.tgrelid::regclass::text)", "t.oid", "pg_trigger") + `
		FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {schemas} AND {free pg_class c} AND NOT t.tgisinternal`},
}

// columnRemarks writes the comments on a relation's columns, and the rights on
// single ones, as statements.
const columnRemarks = `coalesce((SELECT string_agg(format('COMMENT ON COLUMN %s.%I IS %L', q.name, a.attname, col_description(c.oid, a.attnum)), chr(1) ORDER BY a.attnum)
	FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND col_description(c.oid, a.attnum) IS NOT NULL), '') || chr(1) ||
	coalesce((SELECT string_agg(format('GRANT %s (%I) ON TABLE %s TO %s%s', x.privilege_type, a.attname, q.name, CASE x.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(x.grantee)) END,
		CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), chr(1) ORDER BY a.attnum, x.grantee, x.privilege_type)
	FROM pg_attribute a, aclexplode(a.attacl) x WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), '')`
