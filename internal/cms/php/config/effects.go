package config

import (
	"strings"

	"upkeep/internal/cms/php"
)

// assignment runs $name[key]… = value.
func (r *reader) assignment(i, at, end int) {
	variable := r.tok(i).text
	keys, ok := r.keys(i+1, at)
	if !ok && !superglobal(variable) && !r.tok(at+1).is("&") && r.indexes(i+1, at) {
		// What the key is only running tells: another name is not touched.
		r.effects(at+1, end)
		r.assign(variable, nil)
		return
	}
	if superglobal(variable) || !ok {
		r.effects(i, end)
		return
	}
	if r.tok(at + 1).is("&") {
		r.effects(at+1, end)
		r.bind(i, end)
		return
	}
	value, known := r.created(at+1, end)
	if !known || len(keys) > 0 || !r.tok(at).is("=") {
		value, known = r.chained(at+1, end)
	}
	if !known || r.tok(at).is("??=") {
		r.effects(at+1, end)
		r.assign(variable, nil)
		return
	}
	current, certainty := r.Variable(variable)
	switch {
	case r.tok(at).is(".="):
		value = r.appended(current, certainty, keys, value)
	case len(keys) > 0 && certainty == Static:
		value = setPath(current, keys, value)
	case len(keys) > 0 && certainty == Absent:
		value = setPath(nil, keys, value)
	case len(keys) > 0:
		value = nil
	}
	r.assign(variable, value)
}

// created is the object that the right side makes: one without a class of its
// own is nothing but its properties.
func (r *reader) created(i, end int) (*php.Value, bool) {
	class := strings.TrimPrefix(r.tok(i+1).text, `\`)
	plain := r.tok(i).is("new") && r.tok(i+1).kind == name && strings.EqualFold(class, "stdClass")
	if !plain || end != i+2 && !(end == i+4 && r.tok(i+2).is("(") && r.tok(i+3).is(")")) {
		return nil, false
	}
	return &php.Value{Kind: php.Object, Class: "stdClass"}, true
}

// chained computes the right side, which may itself be an assignment.
func (r *reader) chained(i, end int) (*php.Value, bool) {
	if at := r.find(i, end, "="); at < end && r.tok(i).kind == variable {
		r.assignment(i, at, end)
		if at != i+1 {
			return nil, false
		}
		value, certainty := r.Variable(r.tok(i).text)
		return value, certainty == Static && value.Kind != php.Object // which both would share
	}
	return r.eval(i, end)
}

func (r *reader) appended(current *php.Value, certainty Certainty, keys []string, value *php.Value) *php.Value {
	if certainty != Static || len(keys) > 0 || !joinable(current) || !joinable(value) {
		return nil
	}
	return &php.Value{Kind: php.String, Str: current.Text() + value.Text()}
}

// property marks the key that is the name of an object's property: no key of
// an array can be mistaken for it.
const property = "\x00->"

// indexes reports whether [i, end) is [a][b]…, and takes account of what these
// do.
func (r *reader) indexes(i, end int) bool {
	for i < end {
		next := r.match(i, end)
		if !r.tok(i).is("[") || next <= i+1 {
			return false
		}
		r.effects(i+1, next-1)
		i = next
	}
	return true
}

// keys reads [a][b]… and ->a with static keys; "" stands for [].
func (r *reader) keys(i, end int) ([]string, bool) {
	var keys []string
	for i < end {
		if r.tok(i).is("->") && r.tok(i+1).kind == name {
			keys = append(keys, property+r.tok(i+1).text)
			i += 2
			continue
		}
		if !r.tok(i).is("[") {
			return nil, false
		}
		next := r.match(i, end)
		if next == i+2 {
			keys = append(keys, "")
			i = next
			continue
		}
		key, known := r.eval(i+1, next-1)
		if !known || key.Kind != php.String && key.Kind != php.Int || key.Text() == "" {
			return nil, false
		}
		keys = append(keys, key.Text())
		i = next
	}
	return keys, true
}

// setPath returns a copy of in with value at the keys, nil when something
// other than an array is in the way.
func setPath(in *php.Value, keys []string, value *php.Value) *php.Value {
	if len(keys) == 0 {
		return value
	}
	key, ofObject := strings.CutPrefix(keys[0], property)
	if in == nil && !ofObject {
		in = &php.Value{Kind: php.Array}
	}
	if in == nil || ofObject != (in.Kind == php.Object) || !ofObject && in.Kind != php.Array || strings.HasPrefix(key, property) {
		return nil
	}
	if key == "" {
		key = in.NextKey()
	}
	inner := setPath(in.Get(key), keys[1:], value)
	if inner == nil {
		return nil
	}
	out := in.With(key, inner)
	out.Kind, out.Class = in.Kind, in.Class
	return out
}

// functions looks at every named function of the file once: a call may run
// it, so what it sets is dynamic from the start.
func (r *reader) functions() {
	for i := range r.tokens {
		if !r.spend() {
			return
		}
		declared := r.tok(i).is("function") && r.tok(i+1).kind == name && r.tok(i+2).is("(")
		if !declared || r.tok(i-1).is("->") || r.tok(i-1).is("::") {
			continue
		}
		end := len(r.tokens)
		start := r.find(i, end, "{")
		scan := effectScan{reader: r, inFunction: true}
		scan.run(start, r.match(start, end))
	}
}

// effects makes dynamic whatever the tokens in [i, end) may set, when it is
// not known whether or how they run.
func (r *reader) effects(i, end int) {
	scan := effectScan{reader: r}
	scan.run(i, end)
}

type effectScan struct {
	*reader
	inFunction bool
}

func (s *effectScan) run(i, end int) {
	end = min(end, len(s.tokens))
	for i < end && s.spend() {
		t := s.tok(i)
		switch {
		case t.is("function") && s.tok(i+1).kind == name && s.tok(i+2).is("("):
			i = s.body(i, end) // functions() has seen it
			continue
		case t.kind == variable:
			s.variable(i, end)
		case t.kind == name:
			s.named(i, end)
		case t.kind == template && strings.ContainsAny(t.text, "(["):
			s.lose()
		case t.is(")") && s.tok(i+1).is("("), t.is("]") && s.tok(i+1).is("("), t.is("$"):
			s.lose()
		case t.is("&") && s.isReference(i):
			s.bind(i-12, i+2)
		case t.is("]") && s.tok(i+1).is("="), t.is("++"), t.is("--"):
			// Destructuring, references and steps name their variables
			// nearby; taking all of the range is simple and safe.
			s.loseVariables(i-40, i+40)
		}
		i++
	}
}

func (s *effectScan) variable(i, end int) {
	word := s.tok(i).text
	if word == "GLOBALS" {
		s.lose()
		return
	}
	if v := s.variables[word]; v != nil && v.value != nil && v.value.Kind == php.Object {
		v.value = nil // whoever has the object may change it
	}
	after := i + 1
	for after < end && s.tok(after).is("[") {
		after = s.match(after, end)
	}
	next := s.tok(after)
	switch {
	case next.is("("):
		s.lose()
	case next.kind == operator && strings.HasSuffix(next.text, "=") && !isComparison(next.text):
		s.variables[word] = &setting{}
	}
}

// isReference reports whether the & at i is one, not the operator.
func (s *effectScan) isReference(i int) bool {
	before := s.tok(i - 1)
	return s.tok(i+1).kind == variable && (before.is("=") || before.is("=>") || before.is("(") || before.is(",") ||
		before.is("[") || before.is("as"))
}

// bind makes the variables in [from, to) dynamic for good.
func (r *reader) bind(from, to int) {
	for i := max(from, 0); i < to && r.spend(); i++ {
		if t := r.tok(i); t.kind == variable {
			r.bound[t.text] = true
			r.assign(t.text, nil)
		}
	}
}

func isComparison(op string) bool {
	switch op {
	case "==", "===", "!=", "!==", "<=", ">=":
		return true
	}
	return false
}

// named looks at a keyword, constant or call.
func (s *effectScan) named(i, end int) {
	t, before := s.tok(i), s.tok(i-1)
	word := strings.ToLower(strings.TrimPrefix(t.text, `\`))
	switch {
	case s.isCall(i, "define"):
		s.maybeDefine(i+2, s.match(i+1, end)-1)
	case s.isInclude(i):
		stop := s.find(i, end, ";")
		s.include(i, stop, true)
	case word == "return" && !s.inFunction:
		s.unsure = true
	case word == "list", word == "foreach", word == "global", word == "static", word == "unset", word == "catch":
		s.loseVariables(i, s.find(i, end, ";", "{"))
	case word == "new", word == "eval", word == "clone", s.isClass(i):
		s.lose()
	case !s.tok(i + 1).is("("), before.is("function"), before.is("fn"):
	case before.is("->"), before.is("?->"), before.is("::"):
		s.lose()
	case s.recorded(i):
		s.calls[word] = &calls{unsure: true}
	case s.declared(word):
		s.loseVariables(i, s.match(i+1, end))
		if !s.inFunction {
			s.functions() // which may set its globals again now
		}
	case !harmless(word):
		s.lose()
	}
}

func (s *effectScan) loseVariables(from, to int) {
	for i := max(from, 0); i < to && s.spend(); i++ {
		if t := s.tok(i); t.kind == variable {
			s.variables[t.text] = &setting{}
		}
	}
}

func (s *effectScan) maybeDefine(i, end int) {
	constant, known := s.eval(i, s.find(i, end, ","))
	if !known || constant.Kind != php.String {
		s.lose()
		return
	}
	s.define(constant.Str, nil)
}

func (r *reader) declared(function string) bool {
	for i := range r.tokens {
		if !r.spend() {
			break
		}
		if r.tokens[i].is("function") && r.tok(i+1).is(function) {
			return true
		}
	}
	return false
}

// harmless lists the functions and constructs that set neither constants nor
// variables. Any other call makes the file dynamic from there on.
func harmless(function string) bool {
	switch function {
	case "if", "elseif", "while", "for", "switch", "isset", "empty", "array", "exit", "die", "echo", "print", "match",
		"and", "or", "xor", "return", "declare", "fn", "function", "use",
		"defined", "constant", "dirname", "basename", "realpath", "getenv", "putenv", "function_exists", "class_exists",
		"file_exists", "is_file", "is_dir", "is_readable", "file_get_contents", "is_array", "is_string", "is_numeric",
		"php_sapi_name", "phpversion", "version_compare", "extension_loaded", "gethostname", "php_uname",
		"ini_set", "ini_get", "set_time_limit", "error_reporting", "date_default_timezone_set", "ignore_user_abort",
		"header", "headers_sent", "setcookie", "http_response_code", "mb_internal_encoding", "setlocale",
		"trim", "rtrim", "ltrim", "strtolower", "strtoupper", "strpos", "stripos", "strrpos", "strstr", "substr", "strlen",
		"substr_count", "strcmp", "strcasecmp", "strncmp", "str_contains", "str_starts_with", "str_ends_with", "ucfirst",
		"implode", "explode", "join", "sprintf", "in_array", "count", "array_key_exists", "array_merge",
		"md5", "sha1", "hash", "base64_encode", "base64_decode", "json_decode", "json_encode", "urlencode", "rawurlencode",
		"urldecode", "rawurldecode", "parse_url", "intval", "boolval", "strval", "time", "date", "microtime",
		"max", "min", "round", "trigger_error", "error_log", "ip2long":
		return true
	}
	return false
}
