package constraint

import (
	"regexp"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/cms/php"
)

// maxBytes bounds a constraint: real ones have some tens.
const maxBytes = 4096

// Constraint is what is asked of a version: one of several groups, all of each.
type Constraint struct{ groups [][]bound }

// bound is a comparison with a normalized version; one without an operator
// takes any version.
type bound struct{ op, version string }

var (
	or       = regexp.MustCompile(`\s*\|\|?\s*`)
	spaced   = regexp.MustCompile(`(<>|!=|>=|<=|==|>|<|=)\s+`)
	between  = regexp.MustCompile(`[, ]+`)
	anything = regexp.MustCompile(`(?i)^(v)?[x*](\.[x*])*$`)
	xRange   = regexp.MustCompile(`^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.[xX*])+$`)
	compared = regexp.MustCompile(`^(<>|!=|>=?|<=?|==?)?\s*(.*)`)
	ending   = regexp.MustCompile(`-` + modifier + `$`)
	flagged  = regexp.MustCompile(`(?i)^([^,\s]*?)@(stable|rc|beta|alpha|dev)$`)
	full     = `v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:\.(\d+))?(?:` + modifier + `|\.([xX*][.-]?dev))(?:\+\S+)?`
	tilde    = regexp.MustCompile(`(?i)^~` + full + `$`)
	caret    = regexp.MustCompile(`(?i)^\^` + full + `$`)
	hyphen   = regexp.MustCompile(`(?i)^(` + full + `) +- +(` + full + `)$`)
)

// Parse reads a constraint. CodeInvalid for what Composer refuses.
func Parse(text string) (*Constraint, error) {
	if len(text) > maxBytes {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "a constraint of %d bytes", len(text))
	}
	c := &Constraint{}
	for _, part := range or.Split(strings.TrimSpace(text), -1) {
		var group []bound
		for _, one := range conjuncts(part) {
			bounds, err := parseOne(one)
			if err != nil {
				return nil, err
			}
			group = append(group, bounds...)
		}
		c.groups = append(c.groups, group)
	}
	return c, nil
}

// conjuncts splits what commas and blanks join, but not the ends of a range
// nor an alias.
func conjuncts(text string) []string {
	text = spaced.ReplaceAllString(strings.TrimSpace(text), "$1")
	words := between.Split(text, -1)
	var parts []string
	for i := 0; i < len(words); i++ {
		if i+2 < len(words) && (words[i+1] == "-" || words[i+1] == "as") {
			words[i+2] = words[i] + " " + words[i+1] + " " + words[i+2]
			i++
			continue
		}
		parts = append(parts, words[i])
	}
	return parts
}

func parseOne(text string) ([]bound, error) {
	if match := alias.FindStringSubmatch(text); match != nil {
		text = match[1]
	}
	modifier := ""
	if match := flagged.FindStringSubmatch(text); match != nil {
		if text = match[1]; text == "" {
			text = "*"
		}
		if modifier = strings.ToLower(match[2]); modifier == "stable" {
			modifier = ""
		}
	}
	if match := anything.FindStringSubmatch(text); match != nil {
		if match[1] != "" || match[2] != "" {
			return []bound{{">=", "0.0.0.0-dev"}}, nil
		}
		return []bound{{}}, nil
	}
	if match := tilde.FindStringSubmatch(text); match != nil {
		at := position(match)
		if match[8] != "" {
			at++
		}
		return ranged(text[1:], match, max(1, at-1))
	}
	if match := caret.FindStringSubmatch(text); match != nil {
		at := 3
		if match[1] != "0" || match[2] == "" {
			at = 1
		} else if match[2] != "0" || match[3] == "" {
			at = 2
		}
		return ranged(text[1:], match, at)
	}
	if match := xRange.FindStringSubmatch(text); match != nil {
		match = append(match, "")
		at := position(match)
		low, high := moved(match, at, 0)+"-dev", moved(match, at, 1)+"-dev"
		if low == "0.0.0.0-dev" {
			return []bound{{"<", high}}, nil
		}
		return []bound{{">=", low}, {"<", high}}, nil
	}
	if match := hyphen.FindStringSubmatch(text); match != nil {
		return parseHyphen(match)
	}
	return parseComparison(text, modifier)
}

// position is how many numbers a version has.
func position(match []string) int {
	for at := 4; at > 1; at-- {
		if match[at] != "" {
			return at
		}
	}
	return 1
}

// ranged is from a version up to where the number at a position is one more.
func ranged(version string, match []string, at int) ([]bound, error) {
	if match[5] == "" && match[7] == "" && match[8] == "" {
		version += "-dev"
	}
	low, err := Normalize(version)
	return []bound{{">=", low}, {"<", moved(match, at, 1) + "-dev"}}, err
}

// moved is a version whose number at a position is more, with zeros after it.
func moved(match []string, at, more int) string {
	numbers := make([]string, 4)
	for i := range numbers {
		numbers[i] = "0"
		if i < at && match[i+1] != "" {
			numbers[i] = match[i+1]
		}
		if n, err := strconv.ParseInt(numbers[i], 10, 64); err == nil && i == at-1 && more != 0 {
			numbers[i] = strconv.FormatInt(n+int64(more), 10)
		}
	}
	return strings.Join(numbers, ".")
}

func parseHyphen(match []string) ([]bound, error) {
	low, err := Normalize(match[1])
	if err != nil {
		return nil, err
	}
	if match[6] == "" && match[8] == "" && match[9] == "" {
		low += "-dev"
	}
	high, err := Normalize(match[10])
	if err != nil {
		return nil, err
	}
	if match[12] != "" && match[13] != "" || match[15] != "" || match[17] != "" || match[18] != "" {
		return []bound{{">=", low}, {"<=", high}}, nil
	}
	at := 2
	if match[12] == "" {
		at = 1
	}
	return []bound{{">=", low}, {"<", moved(match[10:], at, 1) + "-dev"}}, nil
}

func parseComparison(text, modifier string) ([]bound, error) {
	match := compared.FindStringSubmatch(text)
	op, word := match[1], match[2]
	version, err := Normalize(word)
	if err != nil {
		name, isDev := strings.CutSuffix(word, "-dev")
		if !isDev {
			return nil, err
		}
		version = "dev-" + name
	}
	switch op {
	case "":
		op = "="
	case "==":
		op = "="
	case "<>":
		op = "!="
	}
	switch {
	case op != "=" && modifier != "" && Stability(version) == "stable":
		version += "-" + modifier
	case (op == "<" || op == ">=") && !ending.MatchString(strings.ToLower(word)) && !strings.HasPrefix(word, "dev-"):
		version += "-dev"
	}
	return []bound{{op, version}}, nil
}

// Allows reports whether a version, normalized, is what is asked for.
func (c *Constraint) Allows(version string) bool {
	for _, group := range c.groups {
		all := true
		for _, b := range group {
			all = all && b.allows(version)
		}
		if all {
			return true
		}
	}
	return false
}

func (b bound) allows(version string) bool {
	branchy := strings.HasPrefix(version, "dev-")
	if b.op == "" {
		return true
	}
	if branchy || strings.HasPrefix(b.version, "dev-") {
		return b.op == "=" && version == b.version || b.op == "!=" && version != b.version
	}
	order := php.CompareVersions(version, b.version)
	switch b.op {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	}
	return order >= 0
}

// Satisfies reports whether a version is what a constraint asks for; not when
// either does not read.
func Satisfies(version, constraint string) bool {
	c, err := Parse(constraint)
	if err != nil {
		return false
	}
	normal, err := Normalize(version)
	return err == nil && c.Allows(normal)
}
