package php

import (
	"path"
	"strconv"
	"strings"
)

// eval computes the expression in [i, end) where that needs no running of
// code: literals, known constants and variables, concatenation, arrays,
// comparison, and the few functions that depend on nothing else.
func (r *reader) eval(i, end int) (*Value, bool) {
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
func (e *evaluator) fail() *Value {
	e.failed = true
	return nil
}

// choice is the conditional operator. Both sides must be known; PHP versions
// disagree on chains, which therefore fail.
func (e *evaluator) choice() *Value {
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

func (e *evaluator) coalesce() *Value {
	left := e.disjunction()
	if e.accept("??") {
		right := e.coalesce()
		if left != nil && left.Kind == Null {
			return right
		}
	}
	return left
}

func (e *evaluator) disjunction() *Value {
	left := e.conjunction()
	for e.accept("||") {
		right := e.conjunction()
		left = boolean(left.True() || right.True())
	}
	return left
}

func (e *evaluator) conjunction() *Value {
	left := e.comparison()
	for e.accept("&&") {
		right := e.comparison()
		left = boolean(left.True() && right.True())
	}
	return left
}

// comparison compares values of one kind only: between kinds PHP versions
// disagree.
func (e *evaluator) comparison() *Value {
	left := e.concat()
	op := e.peek()
	if !op.is("===") && !op.is("!==") && !op.is("==") && !op.is("!=") {
		return left
	}
	e.pos++
	right := e.concat()
	if e.failed || left.Kind != right.Kind || left.Kind == Array || left.Kind == Float {
		return e.fail()
	}
	if left.Kind == String && len(op.text) == 2 && startsNumeric(left.Str) && startsNumeric(right.Str) {
		return e.fail()
	}
	same := left.Bool == right.Bool && left.Int == right.Int && left.Str == right.Str
	return boolean(same == (op.text[0] == '='))
}

func startsNumeric(s string) bool {
	s = strings.TrimLeft(s, " \t\n\r\v\f+-.")
	return s != "" && isDigit(s[0])
}

func (e *evaluator) concat() *Value {
	left := e.unary()
	for e.accept(".") {
		right := e.unary()
		if e.failed || !joinable(left) || !joinable(right) {
			return e.fail()
		}
		left = &Value{Kind: String, Str: left.Text() + right.Text()}
	}
	return left
}

// joinable excludes what PHP would write with a notice or per its settings.
func joinable(v *Value) bool {
	return v.Kind == String || v.Kind == Int || v.Kind == Bool || v.Kind == Null
}

func (e *evaluator) unary() *Value {
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
		if e.failed || v.Kind != Int && v.Kind != Float {
			return e.fail()
		}
		return &Value{Kind: v.Kind, Int: -v.Int, Float: -v.Float}
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

func (e *evaluator) cast(to string, v *Value) *Value {
	if e.failed || v == nil {
		return e.fail()
	}
	switch to {
	case "string", "binary":
		if joinable(v) {
			return &Value{Kind: String, Str: v.Text()}
		}
	case "bool", "boolean":
		return boolean(v.True())
	case "int", "integer":
		if n, err := strconv.ParseInt(v.Text(), 10, 64); err == nil && (v.Kind == Int || v.Kind == String) {
			return &Value{Kind: Int, Int: n}
		}
	}
	return e.fail()
}

// postfix reads a value and the keys behind it.
func (e *evaluator) postfix() *Value {
	v := e.primary()
	for e.peek().is("[") && !e.failed {
		e.pos++
		key := e.choice()
		if !e.accept("]") || e.failed || v.Kind != Array || !joinable(key) {
			return e.fail()
		}
		if v = v.Get(key.Text()); v == nil {
			return e.fail()
		}
	}
	return v
}

func (e *evaluator) primary() *Value {
	t := e.peek()
	if e.failed || e.pos >= e.end {
		return e.fail()
	}
	e.pos++
	switch t.kind {
	case literal:
		return &Value{Kind: String, Str: t.text}
	case number:
		return e.number(t.text)
	case variable:
		if v, certainty := e.Variable(t.text); certainty == Static {
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

func (e *evaluator) number(text string) *Value {
	text = strings.ReplaceAll(text, "_", "")
	if strings.ContainsAny(text, ".") || !strings.HasPrefix(text, "0x") && strings.ContainsAny(text, "eE") {
		if f, err := parseFloat(text); err == nil {
			return &Value{Kind: Float, Float: f}
		}
		return e.fail()
	}
	n, err := strconv.ParseInt(text, 0, 64)
	if err != nil {
		return e.fail()
	}
	return &Value{Kind: Int, Int: n}
}

// named reads a constant or a call.
func (e *evaluator) named(word string) *Value {
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
		return &Value{}
	case "__file__", "__dir__":
		if e.source.Path == "" {
			return e.fail()
		}
		if strings.EqualFold(word, "__dir__") {
			return &Value{Kind: String, Str: path.Dir(e.source.Path)}
		}
		return &Value{Kind: String, Str: e.source.Path}
	}
	switch word {
	case "DIRECTORY_SEPARATOR":
		return &Value{Kind: String, Str: "/"}
	case "PHP_EOL":
		return &Value{Kind: String, Str: "\n"}
	}
	if v, certainty := e.Constant(word); certainty == Static {
		return v
	}
	return e.fail()
}

// array reads the inside of [ ] or array( ).
func (e *evaluator) array(closing string) *Value {
	out := &Value{Kind: Array}
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
			if e.failed || value == nil || value.Kind != String && value.Kind != Int {
				return e.fail()
			}
			key = value.Text()
			value = e.choice()
		} else {
			key = nextKey(out)
		}
		if e.failed || value == nil {
			return e.fail()
		}
		out = out.with(key, value)
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
func (e *evaluator) call(function string) *Value {
	var args []*Value
	for !e.failed && !e.accept(")") {
		args = append(args, e.choice())
		if !e.accept(",") && !e.peek().is(")") {
			return e.fail()
		}
	}
	if e.failed || len(args) == 0 || len(args) > 2 || args[0] == nil || args[0].Kind != String {
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
		return &Value{Kind: String, Str: strings.TrimRight(text, "/")}
	}
	return e.fail()
}

func (e *evaluator) dirname(dir string, more []*Value) *Value {
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
	return &Value{Kind: String, Str: dir}
}

func boolean(b bool) *Value { return &Value{Kind: Bool, Bool: b} }

// nextKey is the key that PHP gives a value without one.
func nextKey(array *Value) string {
	next := int64(0)
	for i := range array.Items {
		if key := array.Items[i].Key; isIntKey(key) {
			if n, _ := strconv.ParseInt(key, 10, 64); n >= next {
				next = n + 1
			}
		}
	}
	return strconv.FormatInt(next, 10)
}

// with returns a copy of an array with one entry set.
func (v *Value) with(key string, value *Value) *Value {
	out := &Value{Kind: Array, Items: append([]Item(nil), v.Items...)}
	for i := range out.Items {
		if out.Items[i].Key == key {
			out.Items[i].Value = value
			return out
		}
	}
	out.Items = append(out.Items, Item{Key: key, Value: value})
	return out
}
