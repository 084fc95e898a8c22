package schema

import (
	"context"
	"regexp"
	"strings"

	"upkeep"
	"upkeep/internal/agent/database/session"
)

// shown are the kinds of programs that a server lists only to those who have
// one of these rights on them: to others it is as if there were none.
var shown = [...]struct {
	kind   upkeep.Phrase
	rights []string
}{
	{upkeep.Phrase("triggers"), []string{"TRIGGER"}},
	{upkeep.Phrase("events"), []string{"EVENT"}},
	{upkeep.Phrase("routines"), []string{"EXECUTE", "ALTER ROUTINE", "CREATE ROUTINE"}},
}

// grant is a line of what an account may do: rights, then the database and
// what of it they are for.
var grant = regexp.MustCompile("^GRANT (.+) ON (?:\\*|`((?:[^`]|``)*)`)\\.\\*")

// SeesAll fails with CodeUnauthorized where the account would not be shown
// programs that others have put into the database: a dump without them would
// look complete. Rights that come by a role which is not listed are trusted.
func (d *Describer) SeesAll(ctx context.Context, database, user string) error {
	rows, err := d.Table(ctx, "SHOW GRANTS")
	if err != nil {
		return err
	}
	var global, exact, wide string // with a grant on the very database, patterns do not count
	for _, row := range rows {
		found := grant.FindStringSubmatch(row[0])
		if found == nil {
			if strings.HasPrefix(row[0], "GRANT ") && !strings.Contains(row[0], " ON ") {
				return nil
			}
			continue
		}
		switch pattern := strings.ReplaceAll(found[2], "``", "`"); {
		case pattern == "":
			global += ", " + found[1] + ","
		case pattern == database || strings.ReplaceAll(pattern, `\`, "") == database:
			exact += ", " + found[1] + ","
		case covers(pattern, database):
			wide += ", " + found[1] + ","
		}
	}
	if exact != "" {
		wide = ""
	}
	rights := global + exact + wide
	if strings.Contains(rights, ", ALL PRIVILEGES,") {
		return nil
	}
	for _, s := range shown {
		sees := false
		for _, right := range s.rights {
			sees = sees || strings.Contains(rights, ", "+right+",")
		}
		if !sees {
			return upkeep.Errorf(upkeep.CodeUnauthorized, "account %s is not shown the %s of database %s: a backup could lack some", user, s.kind, database).
				WithHint("GRANT TRIGGER, EVENT, EXECUTE ON %s.* TO the account.", session.Ident(database))
		}
	}
	return nil
}

// covers reports whether a grant's pattern, in which _ and % stand for others,
// matches a database's name.
func covers(pattern, database string) bool {
	var expression strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			i++
			expression.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		case c == '%':
			expression.WriteString(".*")
		case c == '_':
			expression.WriteString(".")
		default:
			expression.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		}
	}
	matched, err := regexp.MatchString("(?is)^"+expression.String()+"$", database)
	return matched && err == nil
}
