// Package config reads PHP configuration files as far as they are static: what
// they define is known without running them, or said not to be. They may be
// hostile: sizes and depths are bounded.
package config

import (
	"cmp"
	"path"
	"slices"
	"strings"

	"upkeep/internal/cms/php"
)

// Certainty says what reading can tell about a name.
type Certainty uint8

// The certainties.
const (
	Absent  Certainty = iota // certainly not set
	Static                   // certainly has this value
	Dynamic                  // only running the file can tell
)

// Source is a configuration file and what is known of its surroundings.
type Source struct {
	// Path is the file's absolute path, for __FILE__ and __DIR__; without
	// one both are dynamic.
	Path string
	// Defined holds constants that exist before the file runs.
	Defined map[string]string
	// Ends lists base names of included files at which reading stops
	// because the configuration is complete there: "wp-settings.php".
	Ends []string
	// Skips lists base names of included files that set nothing of interest.
	Skips []string
	// Calls lists functions that set nothing themselves and whose arguments
	// are of interest: "wfLoadExtension". See Config.Calls.
	Calls []string
}

// Config is what a PHP configuration file says as far as that can be known
// without running it. What cannot is Dynamic, never guessed.
type Config struct {
	constants  map[string]*setting
	variables  map[string]*setting
	properties map[string]*setting // "class::name", class in lower case
	returned   *setting            // what the file returns
	calls      map[string]*calls   // by function in lower case
	bound      map[string]bool     // variables that references lead to: what is assigned elsewhere may set them

	foreign bool // code that is not in the file may have set anything
	unsure  bool // from here on statements may not run at all
	stopped bool
	steps   int
	source  Source
}

// maxSteps bounds the work on a file made to be slow to read. A real
// configuration takes some thousand.
const maxSteps = 1_000_000

// spend counts a step and reports whether any is left.
func (c *Config) spend() bool {
	c.steps++
	c.stopped = c.stopped || c.steps > maxSteps
	return c.steps <= maxSteps
}

// setting is a value, or nil when only running the file can tell.
type setting struct{ value *php.Value }

// Read reads a configuration file.
func Read(file []byte, source Source) *Config {
	c := &Config{
		constants:  map[string]*setting{},
		variables:  map[string]*setting{},
		properties: map[string]*setting{},
		calls:      map[string]*calls{},
		bound:      map[string]bool{},
		source:     source,
	}
	for constant, value := range source.Defined {
		c.constants[constant] = &setting{&php.Value{Kind: php.String, Str: value}}
	}
	r := reader{Config: c, tokens: tokenize(string(file))}
	for i, t := range r.tokens {
		// Another name for a function or constant may be one of those known here.
		imported := t.is("use") && (r.tok(i+1).is("function") || r.tok(i+1).is("const"))
		c.foreign = c.foreign || t.is("namespace") || imported
		c.unsure = c.unsure || t.kind == unclear || t.is("goto")
	}
	c.foreign = c.foreign || c.unsure
	r.functions()
	r.block(0, len(r.tokens))
	return c
}

// Constant returns the value of a constant.
func (c *Config) Constant(name string) (*php.Value, Certainty) { return c.look(c.constants, name) }

// Variable returns the value of a global variable, without the dollar sign.
func (c *Config) Variable(name string) (*php.Value, Certainty) { return c.look(c.variables, name) }

// Property returns the default value of a property of a class.
func (c *Config) Property(class, name string) (*php.Value, Certainty) {
	return c.look(c.properties, strings.ToLower(class)+"::"+name)
}

// Returned returns the value that the file returns.
func (c *Config) Returned() (*php.Value, Certainty) {
	return c.look(map[string]*setting{"": cmp.Or(c.returned, &setting{&php.Value{Kind: php.Int, Int: 1}})}, "")
}

func (c *Config) look(in map[string]*setting, name string) (*php.Value, Certainty) {
	s, set := in[name]
	switch {
	case c.steps > maxSteps:
		return nil, Dynamic
	case set && s.value != nil:
		return s.value, Static
	case set || c.foreign:
		return nil, Dynamic
	}
	return nil, Absent
}

// define is PHP's define: the first one wins. A nil value is one that only
// only running the file tells, be it because the statement may not run.
func (c *Config) define(name string, value *php.Value) {
	if _, set := c.constants[name]; set {
		return
	}
	if c.unsure || c.foreign {
		value = nil
	}
	c.constants[name] = &setting{value}
}

// assign sets a variable: the last one wins.
func (c *Config) assign(name string, value *php.Value) {
	if c.unsure || c.bound[name] || superglobal(name) {
		value = nil
	}
	c.variables[name] = &setting{value}
}

// lose forgets everything that code outside the file may change.
func (c *Config) lose() {
	c.foreign = true
	for name := range c.variables {
		c.variables[name] = &setting{}
	}
}

func superglobal(name string) bool {
	return name == "GLOBALS" || name == "this" || strings.HasPrefix(name, "_")
}

// reader walks the statements of a file. Positions are indexes of tokens.
type reader struct {
	*Config
	tokens []token
	depth  int
}

func (r *reader) tok(i int) token {
	if i < 0 || i >= len(r.tokens) {
		return token{}
	}
	return r.tokens[i]
}

// match returns the position after the bracket that closes the one at i.
func (r *reader) match(i, end int) int {
	depth := 0
	for ; i < end && r.spend(); i++ {
		t := r.tokens[i]
		if t.kind != operator {
			continue
		}
		switch t.text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		}
		if depth == 0 {
			return i + 1
		}
	}
	return end
}

// find returns the position of the first of the operators or words outside
// brackets in [i, end), or end.
func (r *reader) find(i, end int, words ...string) int {
	for i < end && r.spend() {
		t := r.tokens[i]
		if slices.ContainsFunc(words, t.is) {
			return i
		}
		if t.is("(") || t.is("[") || t.is("{") {
			i = r.match(i, end)
			continue
		}
		i++
	}
	return end
}

// block runs the statements in [i, end).
func (r *reader) block(i, end int) {
	r.depth++
	defer func() { r.depth-- }()
	if r.depth > 60 {
		r.lose()
		return
	}
	for i < end && !r.stopped {
		next := min(r.statement(i, end), end)
		if next <= i {
			next = i + 1
		}
		i = next
	}
}

// statement runs the statement at i and returns where it ends.
func (r *reader) statement(i, end int) int {
	t := r.tok(i)
	switch {
	case t.is(";"):
		return i + 1
	case t.is("{"):
		next := r.match(i, end)
		r.block(i+1, next-1)
		return next
	case t.kind != name:
		return r.simple(i, end)
	case r.tok(i + 1).is(":"):
		return i + 2 // a label
	case t.is("if"):
		return r.conditional(i, end)
	case t.is("function") && r.tok(i+1).kind == name, t.is("function") && r.tok(i+1).is("&"):
		return r.body(i, end) // looked at before
	case r.isClass(i):
		return r.class(i, end)
	case t.is("const"):
		next := r.find(i, end, ";")
		r.consts(i+1, next)
		return next + 1
	case t.is("return"), t.is("exit"), t.is("die"), t.is("__halt_compiler"):
		next := r.find(i, end, ";")
		r.leave(i, next)
		return next + 1
	case t.is("use"):
		return r.find(i, end, ";") + 1
	case t.is("while"), t.is("for"), t.is("foreach"), t.is("switch"), t.is("do"), t.is("try"), t.is("declare"):
		next := r.extent(i, end)
		r.effects(i, next)
		return next
	}
	return r.simple(i, end)
}

// leave runs a statement that ends the file.
func (r *reader) leave(i, end int) {
	value, known := r.eval(i+1, end)
	if !known || r.unsure || !r.tok(i).is("return") {
		r.effects(i+1, end)
		value = nil
	}
	r.returned, r.stopped = &setting{value}, true
}

// extent returns the end of the statement at i without running it.
func (r *reader) extent(i, end int) int {
	t := r.tok(i)
	switch {
	case !r.spend():
		return end
	case t.is("{"):
		return r.match(i, end)
	case t.is("if"), t.is("elseif"), t.is("while"), t.is("for"), t.is("foreach"), t.is("switch"), t.is("declare"):
		after := r.match(i+1, end)
		if r.tok(after).is(":") {
			return min(r.closing(t, after, end), end)
		}
		return r.chain(t, r.extent(after, end), end)
	case t.is("else"):
		return r.extent(i+1, end)
	case t.is("do"):
		return r.find(r.extent(i+1, end), end, ";") + 1
	case t.is("try"):
		next := r.match(i+1, end)
		for r.tok(next).is("catch") || r.tok(next).is("finally") {
			next = r.match(r.find(next, end, "{"), end)
		}
		return next
	case t.is("function") && r.tok(i+1).kind == name, r.isClass(i):
		return r.body(i, end)
	}
	return min(r.find(i, end, ";")+1, end)
}

// closing returns the end of the alternative syntax "if (…): … endif;".
func (r *reader) closing(opened token, i, end int) int {
	word := strings.ToLower(opened.text)
	if word == "elseif" {
		word = "if"
	}
	for depth := 1; i < end && r.spend(); i++ {
		switch t := r.tok(i); {
		case t.is(word) && r.tok(i+1).is("(") && r.tok(r.match(i+1, end)).is(":"):
			depth++
		case t.is("end" + word):
			depth--
		}
		if depth == 0 {
			return r.find(i, end, ";") + 1
		}
	}
	return end
}

// chain goes on over the else branches of an if.
func (r *reader) chain(t token, next, end int) int {
	if !t.is("if") && !t.is("elseif") {
		return next
	}
	if r.tok(next).is("else") || r.tok(next).is("elseif") {
		return r.extent(next, end)
	}
	return next
}

// body returns the end of a declaration that ends with braces.
func (r *reader) body(i, end int) int { return r.match(r.find(i, end, "{"), end) }

// conditional runs an if whose outcome is known; otherwise what its branches
// set becomes dynamic.
func (r *reader) conditional(i, end int) int {
	next := min(r.extent(i, end), end)
	after := r.match(i+1, end)
	outcome, known := r.eval(i+2, after-1)
	if !known || r.tok(after).is(":") {
		r.effects(i+1, next)
		return next
	}
	then := min(r.extent(after, end), end)
	switch otherwise := r.tok(then); {
	case outcome.True():
		r.block(after, then)
	case otherwise.is("elseif") && then < next:
		return r.conditional(then, end)
	case otherwise.is("else") && then < next:
		r.block(then+1, next)
	}
	return next
}

// simple runs an expression statement.
func (r *reader) simple(i, end int) int {
	next := r.find(i, end, ";")
	r.expression(i, next)
	return next + 1
}

func (r *reader) expression(i, end int) {
	for r.tok(i).is("@") && i < end {
		i++
	}
	if at := r.find(i, end, "or", "and", "xor"); at < end {
		r.either(i, at, end)
		return
	}
	if at := r.find(i, end, "=", ".=", "??="); at < end && r.tok(i).kind == variable {
		r.assignment(i, at, end)
		return
	}
	if at := r.find(i, end, "||", "&&"); at < end {
		r.either(i, at, end)
		return
	}
	if r.isCall(i, "define") && r.match(i+1, end) == end {
		r.defineCall(i+2, end-1)
		return
	}
	if r.isInclude(i) {
		r.include(i, end, false)
		return
	}
	if r.recorded(i) && r.match(i+1, end) == end {
		r.record(i, end)
		return
	}
	if r.tok(i).is("unset") {
		r.forget(i, end)
		return
	}
	r.effects(i, end)
}

// either runs "condition or statement" and its kin.
func (r *reader) either(i, at, end int) {
	left, known := r.eval(i, at)
	if !known {
		r.effects(i, end)
		return
	}
	op := r.tok(at)
	if op.is("xor") {
		r.effects(at, end)
		return
	}
	if left.True() == (op.is("and") || op.is("&&")) {
		r.expression(at+1, end)
	}
}

func (r *reader) forget(i, end int) {
	for ; i < end; i++ {
		if t := r.tok(i); t.kind == variable {
			r.variables[t.text] = &setting{}
		}
	}
}

// consts runs the inside of const A = …, B = …
func (r *reader) consts(i, end int) {
	for i < end {
		next := r.find(i, end, ",")
		if eq := r.find(i, next, "="); eq > i && eq < next {
			value, known := r.eval(eq+1, next)
			if !known {
				value = nil
			}
			r.define(r.tok(eq-1).text, value)
		}
		i = next + 1
	}
}

// defineCall runs the arguments of define().
func (r *reader) defineCall(i, end int) {
	comma := r.find(i, end, ",")
	constant, known := r.eval(i, comma)
	if !known || constant.Kind != php.String || strings.ContainsAny(constant.Str, `\:`) {
		r.effects(i, end)
		r.lose()
		return
	}
	value, known := r.eval(comma+1, r.find(comma+1, end, ","))
	if !known {
		r.effects(comma+1, end)
		value = nil
	}
	r.define(constant.Str, value)
}

// include runs include or require.
func (r *reader) include(i, end int, maybe bool) {
	for j := i; j < end; j++ {
		t := r.tok(j)
		if t.kind == literal && slices.Contains(r.source.Ends, path.Base(t.text)) {
			r.stopped = r.stopped || !maybe
			return
		}
		if (t.kind == literal || t.kind == template) && slices.Contains(r.source.Skips, path.Base(t.text)) {
			return
		}
	}
	r.lose()
}

func (r *reader) isInclude(i int) bool {
	t := r.tok(i)
	return t.is("require") || t.is("require_once") || t.is("include") || t.is("include_once")
}

func (r *reader) isCall(i int, function string) bool {
	t := r.tok(i)
	return t.kind == name && strings.EqualFold(strings.TrimPrefix(t.text, `\`), function) && r.tok(i+1).is("(")
}
