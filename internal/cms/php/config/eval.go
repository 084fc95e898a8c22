package config

import (
	"path"
	"strconv"
	"strings"

	"upkeep/internal/cms/php"
)

// eval computes the expression in [i, end) where that needs no running of
// code: literals, known constants and variables, concatenation, arrays,
// comparison, and the few functions that depend on nothing else.
func (r *reader) eval(i, end int) (*php.Value, bool) {
	e := &evaluator{reader: r, pos: i, end: end}
	v := e.choice()
	if e.failed || e.pos != end || v == nil {
		return nil, false
	}
	return v, true
}

type evaluator struct {
	*reader
	pos, end int
	nesting  int
	failed   bool
}

func (e *evaluator) peek() token {
	if e.pos >= e.end || !e.spend() {
		return token{}
	}
	return e.tok(e.pos)
}

func (e *evaluator) accept(text string) bool {
	if e.failed || !e.peek().is(text) {
		return false
	}
	e.pos++
	return true
}

// fail gives up: the expression is dynamic.
func (e *evaluator) fail() *php.Value {
	e.failed = true
	return nil
}

// choice is the conditional operator. Both sides must be known; PHP versions
// disagree on chains, which therefore fail.
func (e *evaluator) choice() *php.Value {
	if e.nesting++; e.nesting > 60 {
		return e.fail()
	}
	defer func() { e.nesting-- }()
	condition := e.coalesce()
	if !e.accept("?") {
		return condition
	}
	if e.accept(":") {
		if otherwise := e.coalesce(); !condition.True() {
			return otherwise
		}
		return condition
	}
	then := e.choice()
	if !e.accept(":") {
		return e.fail()
	}
	if otherwise := e.coalesce(); !condition.True() {
		return otherwise
	}
	return then
}

func (e *evaluator) coalesce() *php.Value {
	left := e.disjunction()
	if e.accept("??") {
		right := e.coalesce()
		if left != nil && left.Kind == php.Null {
			return right
		}
	}
	return left
}

func (e *evaluator) disjunction() *php.Value {
	left := e.conjunction()
	for e.accept("||") {
		right := e.conjunction()
		left = boolean(left.True() || right.True())
	}
	return left
}

func (e *evaluator) conjunction() *php.Value {
	left := e.comparison()
	for e.accept("&&") {
		right := e.comparison()
		left = boolean(left.True() && right.True())
	}
	return left
}

// comparison compares values of one kind only: between kinds PHP versions
// disagree.
func (e *evaluator) comparison() *php.Value {
	left := e.concat()
	op := e.peek()
	if !op.is("===") && !op.is("!==") && !op.is("==") && !op.is("!=") {
		return left
	}
	e.pos++
	right := e.concat()
	if e.failed || left.Kind != right.Kind || left.Kind == php.Array || left.Kind == php.Float {
		return e.fail()
	}
	if left.Kind == php.String && len(op.text) == 2 && startsNumeric(left.Str) && startsNumeric(right.Str) {
		return e.fail()
	}
	same := left.Bool == right.Bool && left.Int == right.Int && left.Str == right.Str
	return boolean(same == (op.text[0] == '='))
}

func startsNumeric(s string) bool {
	s = strings.TrimLeft(s, " \t\n\r\v\f+-.")
	return s != "" && php.IsDigit(s[0])
}

func (e *evaluator) concat() *php.Value {
	left := e.product()
	for e.accept(".") {
		right := e.product()
		if e.failed || !joinable(left) || !joinable(right) {
			return e.fail()
		}
		left = &php.Value{Kind: php.String, Str: left.Text() + right.Text()}
	}
	return left
}

// product multiplies whole numbers, as in 60*60*24.
func (e *evaluator) product() *php.Value {
	left := e.unary()
	for e.accept("*") {
		right := e.unary()
		if e.failed || left.Kind != php.Int || right.Kind != php.Int || !small(left.Int) || !small(right.Int) {
			return e.fail()
		}
		left = &php.Value{Kind: php.Int, Int: left.Int * right.Int}
	}
	return left
}

// small numbers have a product that is a whole number in PHP too.
func small(n int64) bool { return n > -1<<31 && n < 1<<31 }

// joinable excludes what PHP would write with a notice or per its settings.
func joinable(v *php.Value) bool {
	return v.Kind == php.String || v.Kind == php.Int || v.Kind == php.Bool || v.Kind == php.Null
}

func (e *evaluator) unary() *php.Value {
	if e.nesting++; e.nesting > 60 {
		return e.fail()
	}
	defer func() { e.nesting-- }()
	switch {
	case e.accept("!"):
		return boolean(!e.unary().True())
	case e.accept("@"):
		return e.unary()
	case e.accept("-"):
		v := e.unary()
		if e.failed || v.Kind != php.Int && v.Kind != php.Float {
			return e.fail()
		}
		return &php.Value{Kind: v.Kind, Int: -v.Int, Float: -v.Float}
	case e.peek().is("(") && e.tok(e.pos+1).kind == name && e.tok(e.pos+2).is(")") && isCast(e.tok(e.pos+1).text):
		to := strings.ToLower(e.tok(e.pos + 1).text)
		e.pos += 3
		return e.cast(to, e.unary())
	}
	return e.postfix()
}

func isCast(word string) bool {
	switch strings.ToLower(word) {
	case "string", "int", "integer", "bool", "boolean", "float", "double", "array", "object", "binary", "unset":
		return true
	}
	return false
}

func (e *evaluator) cast(to string, v *php.Value) *php.Value {
	if e.failed || v == nil {
		return e.fail()
	}
	switch to {
	case "string", "binary":
		if joinable(v) {
			return &php.Value{Kind: php.String, Str: v.Text()}
		}
	case "bool", "boolean":
		return boolean(v.True())
	case "int", "integer":
		if n, err := strconv.ParseInt(v.Text(), 10, 64); err == nil && (v.Kind == php.Int || v.Kind == php.String) {
			return &php.Value{Kind: php.Int, Int: n}
		}
	}
	return e.fail()
}

// postfix reads a value and the keys behind it.
func (e *evaluator) postfix() *php.Value {
	v := e.primary()
	for e.peek().is("[") && !e.failed {
		e.pos++
		key := e.choice()
		if !e.accept("]") || e.failed || v.Kind != php.Array || !joinable(key) {
			return e.fail()
		}
		if v = v.Get(key.Text()); v == nil {
			return e.fail()
		}
	}
	return v
}

func (e *evaluator) primary() *php.Value {
	t := e.peek()
	if e.failed || e.pos >= e.end {
		return e.fail()
	}
	e.pos++
	switch t.kind {
	case literal:
		return &php.Value{Kind: php.String, Str: t.text}
	case number:
		return e.number(t.text)
	case variable:
		if v, certainty := e.Variable(t.text); certainty == Static && v.Kind != php.Object { // which two names would share
			return v
		}
		return e.fail()
	case name:
		return e.named(strings.TrimPrefix(t.text, `\`))
	}
	switch {
	case t.is("("):
		v := e.choice()
		if !e.accept(")") {
			return e.fail()
		}
		return v
	case t.is("["):
		return e.array("]")
	}
	return e.fail()
}

func (e *evaluator) number(text string) *php.Value {
	text = strings.ReplaceAll(text, "_", "")
	if strings.ContainsAny(text, ".") || !strings.HasPrefix(text, "0x") && strings.ContainsAny(text, "eE") {
		if f, err := php.ParseFloat(text); err == nil {
			return &php.Value{Kind: php.Float, Float: f}
		}
		return e.fail()
	}
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		return e.fail()
	}
	return &php.Value{Kind: php.Int, Int: n}
}

// named reads a constant or a call.
func (e *evaluator) named(word string) *php.Value {
	if e.peek().is("(") {
		e.pos++
		if strings.EqualFold(word, "array") {
			return e.array(")")
		}
		return e.call(strings.ToLower(word))
	}
	switch strings.ToLower(word) {
	case "true", "false":
		return boolean(strings.EqualFold(word, "true"))
	case "null":
		return &php.Value{}
	case "__file__", "__dir__":
		if e.source.Path == "" {
			return e.fail()
		}
		if strings.EqualFold(word, "__dir__") {
			return &php.Value{Kind: php.String, Str: path.Dir(e.source.Path)}
		}
		return &php.Value{Kind: php.String, Str: e.source.Path}
	}
	switch word {
	case "DIRECTORY_SEPARATOR":
		return &php.Value{Kind: php.String, Str: "/"}
	case "PHP_EOL":
		return &php.Value{Kind: php.String, Str: "\n"}
	}
	if v, certainty := e.Constant(word); certainty == Static {
		return v
	}
	return e.fail()
}

// array reads the inside of [ ] or array( ).
func (e *evaluator) array(closing string) *php.Value {
	out := &php.Value{Kind: php.Array}
	for !e.failed && !e.accept(closing) {
		for range out.Items { // with copies them
			e.spend()
		}
		if e.steps > maxSteps {
			return e.fail()
		}
		value := e.choice()
		key := ""
		if e.accept("=>") {
			if e.failed || value == nil || value.Kind != php.String && value.Kind != php.Int {
				return e.fail()
			}
			key = value.Text()
			value = e.choice()
		} else {
			key = out.NextKey()
		}
		if e.failed || value == nil {
			return e.fail()
		}
		out = out.With(key, value)
		if !e.accept(",") && !e.peek().is(closing) {
			return e.fail()
		}
	}
	if e.failed {
		return nil
	}
	return out
}

// call computes the few functions whose result follows from their arguments.
func (e *evaluator) call(function string) *php.Value {
	var args []*php.Value
	for !e.failed && !e.accept(")") {
		args = append(args, e.choice())
		if !e.accept(",") && !e.peek().is(")") {
			return e.fail()
		}
	}
	if e.failed || len(args) == 0 || len(args) > 2 || args[0] == nil || args[0].Kind != php.String {
		return e.fail()
	}
	text := args[0].Str
	switch {
	case function == "dirname":
		return e.dirname(text, args[1:])
	case function == "defined" && len(args) == 1:
		if _, certainty := e.Constant(text); certainty != Dynamic && !e.unsure {
			return boolean(certainty == Static)
		}
		// Defined for sure, only the value is not known? That cannot be
		// told from perhaps defined.
		return e.fail()
	case function == "rtrim" && len(args) == 2 && args[1].Text() == "/":
		return &php.Value{Kind: php.String, Str: strings.TrimRight(text, "/")}
	}
	return e.fail()
}

func (e *evaluator) dirname(dir string, more []*php.Value) *php.Value {
	levels := int64(1)
	if len(more) == 1 {
		levels = more[0].Int
	}
	if !path.IsAbs(dir) || path.Clean(dir) != strings.TrimSuffix(dir, "/") && dir != "/" || levels < 1 || levels > 99 {
		return e.fail()
	}
	for range levels {
		dir = path.Dir(strings.TrimSuffix(dir, "/"))
		if dir == "." {
			dir = "/"
		}
	}
	return &php.Value{Kind: php.String, Str: dir}
}

func boolean(b bool) *php.Value { return &php.Value{Kind: php.Bool, Bool: b} }
