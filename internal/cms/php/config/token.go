package config

import (
	"strings"

	"upkeep/internal/cms/php"
)

// kind says what a token is.
type kind uint8

const (
	endOfFile kind = iota
	variable       // $name; text is the name
	name           // identifier, keyword or qualified name
	number         // as written
	literal        // string without variables; text is its value
	template       // string with variables; text is its raw inside
	operator       // text is the operator
	unclear        // a construct whose reading depends on PHP's version or settings
)

type token struct {
	kind kind
	text string
}

// is reports whether t is the operator or, without regard to case, the word.
func (t token) is(text string) bool {
	switch t.kind {
	case operator:
		return t.text == text
	case name:
		return strings.EqualFold(t.text, text)
	}
	return false
}

// tokenize cuts a PHP file into the tokens that matter for reading it
// statically: no comments, no white space. Text outside <?php … ?> becomes a
// semicolon, as it ends a statement.
func tokenize(src string) []token {
	l := &lexer{src: strings.TrimPrefix(src, "\ufeff")}
	if line, _, _ := strings.Cut(src, "\n"); strings.HasPrefix(line, "#!") && strings.Contains(line, "<?") {
		l.emit(unclear, line) // skipped or not, as PHP is called
	}
	l.html()
	for l.pos < len(l.src) {
		l.next()
	}
	return l.out
}

type lexer struct {
	src string
	pos int
	out []token
}

func (l *lexer) emit(k kind, text string) { l.out = append(l.out, token{k, text}) }

func (l *lexer) rest() string { return l.src[l.pos:] }

func (l *lexer) at(prefix string) bool { return strings.HasPrefix(l.rest(), prefix) }

// html skips to the next opening tag.
func (l *lexer) html() {
	for {
		start := strings.Index(l.rest(), "<?")
		if start < 0 {
			l.pos = len(l.src)
			return
		}
		l.pos += start + 2
		switch {
		case l.at("="):
			l.pos++
			l.emit(name, "echo")
			return
		case len(l.rest()) >= 3 && strings.EqualFold(l.rest()[:3], "php") && (len(l.rest()) == 3 || isSpace(l.rest()[3])):
			l.pos += 3
			return
		case len(l.rest()) >= 3 && strings.EqualFold(l.rest()[:3], "xml"):
			continue
		}
		// Whether a short tag opens PHP depends on php.ini.
		l.emit(unclear, "<?")
		return
	}
}

func (l *lexer) next() {
	c := l.src[l.pos]
	switch {
	case isSpace(c):
		l.pos++
	case l.at("?>"):
		l.pos += 2
		l.emit(operator, ";")
		l.html()
	case l.at("//"), c == '#' && !l.at("#["):
		l.lineComment()
	case l.at("#["):
		l.attribute()
	case l.at("/*"):
		l.blockComment()
	case c == '$' && l.pos+1 < len(l.src) && isNameStart(l.src[l.pos+1]):
		l.pos++
		l.emit(variable, l.word())
	case isNameStart(c), c == '\\' && l.pos+1 < len(l.src) && isNameStart(l.src[l.pos+1]):
		l.emit(name, l.qualified())
	case php.IsDigit(c), c == '.' && l.pos+1 < len(l.src) && php.IsDigit(l.src[l.pos+1]):
		l.number()
	case c == '\'':
		l.single()
	case c == '"', c == '`':
		l.double(c)
	case l.at("<<<") && l.heredoc():
	default:
		l.operator()
	}
}

func (l *lexer) lineComment() {
	rest := l.rest()
	end := strings.IndexAny(rest, "\r\n")
	if end < 0 {
		end = len(rest)
	}
	if closing := strings.Index(rest[:end], "?>"); closing >= 0 {
		end = closing
	}
	l.pos += end
}

// attribute skips #[…] where PHP 7, to which it is a comment up to the end of
// the line, skips the same.
func (l *lexer) attribute() {
	line, _, _ := strings.Cut(l.rest(), "\n")
	line = strings.TrimRight(line, " \t\r")
	if !strings.HasSuffix(line, "]") || strings.Count(line, "[") != 1 || strings.Contains(line, "?>") {
		l.emit(unclear, "#[")
	}
	l.lineComment()
}

func (l *lexer) blockComment() {
	end := strings.Index(l.rest()[2:], "*/")
	if end < 0 {
		l.pos = len(l.src)
		return
	}
	l.pos += end + 4
}

func (l *lexer) word() string {
	start := l.pos
	for l.pos < len(l.src) && php.IsNameByte(l.src[l.pos]) {
		l.pos++
	}
	return l.src[start:l.pos]
}

func (l *lexer) qualified() string {
	start := l.pos
	for l.pos < len(l.src) && (php.IsNameByte(l.src[l.pos]) || l.src[l.pos] == '\\') {
		l.pos++
	}
	return l.src[start:l.pos]
}

func (l *lexer) number() {
	start := l.pos
	for l.pos < len(l.src) {
		c := l.src[l.pos]
		exponentSign := (c == '+' || c == '-') && strings.ContainsRune("eE", rune(l.src[l.pos-1])) &&
			!strings.HasPrefix(strings.ToLower(l.src[start:l.pos]), "0x")
		if !php.IsNameByte(c) && c != '.' && !(l.pos > start && exponentSign) {
			break
		}
		// "1 . 'x'" needs its spaces, "1..2" is two numbers: neither is
		// worth more than being left alone.
		l.pos++
	}
	l.emit(number, l.src[start:l.pos])
}

// single reads '…', in which only \' and \\ are escapes.
func (l *lexer) single() {
	var out strings.Builder
	for l.pos++; l.pos < len(l.src) && l.src[l.pos] != '\''; l.pos++ {
		if l.src[l.pos] == '\\' && l.pos+1 < len(l.src) && (l.src[l.pos+1] == '\'' || l.src[l.pos+1] == '\\') {
			l.pos++
		}
		out.WriteByte(l.src[l.pos])
	}
	if l.pos >= len(l.src) {
		l.emit(unclear, "'")
		return
	}
	l.pos++
	l.emit(literal, out.String())
}

// double reads "…" and `…`.
func (l *lexer) double(quote byte) {
	start := l.pos + 1
	end := start
	for end < len(l.src) && l.src[end] != quote {
		if l.src[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(l.src) {
		l.pos = len(l.src)
		l.emit(unclear, string(quote))
		return
	}
	l.pos = end + 1
	if quote == '`' {
		l.emit(template, l.src[start:end])
		return
	}
	l.interpolated(l.src[start:end], true)
}

// interpolated emits the inside of a double-quoted string or heredoc.
func (l *lexer) interpolated(raw string, quoted bool) {
	if hasVariable(raw) {
		if strings.Count(raw, "{") != strings.Count(raw, "}") {
			// A quote inside {$a["b"]} does not end the string.
			l.emit(unclear, raw)
		}
		l.emit(template, raw)
		return
	}
	value, ok := unescape(raw, quoted)
	if !ok {
		l.emit(unclear, raw)
		return
	}
	l.emit(literal, value)
}

func hasVariable(raw string) bool {
	for i := 0; i+1 < len(raw); i++ {
		switch {
		case raw[i] == '\\':
			i++
		case raw[i] == '$' && (isNameStart(raw[i+1]) || raw[i+1] == '{'), raw[i] == '{' && raw[i+1] == '$':
			return true
		}
	}
	return false
}

// cutLine cuts a text after its first line, whose end is returned too: PHP
// knows all three kinds.
func cutLine(text string) (line, end, rest string) {
	at := strings.IndexAny(text, "\r\n")
	if at < 0 {
		return text, "", ""
	}
	length := 1
	if strings.HasPrefix(text[at:], "\r\n") {
		length = 2
	}
	return text[:at], text[at : at+length], text[at+length:]
}

// heredoc reads <<<ID and <<<'ID' and reports whether there is one.
func (l *lexer) heredoc() bool {
	head, end, left := cutLine(l.rest()[3:])
	id := strings.TrimLeft(head, " \t")
	raw := strings.HasPrefix(id, "'")
	if quoted := strings.Trim(id, `'"`); len(id)-len(quoted) == 2 && id[0] == id[len(id)-1] {
		id = quoted
	}
	notName := func(r rune) bool { return r < 0x80 && !php.IsNameByte(byte(r)) }
	if end == "" || id == "" || !isNameStart(id[0]) || strings.ContainsFunc(id, notName) {
		return false
	}
	var body []string // lines with their ends
	for left != "" {
		line, end, rest := cutLine(left)
		text := strings.TrimLeft(line, " \t")
		if after, ok := strings.CutPrefix(text, id); ok && (after == "" || !php.IsNameByte(after[0])) {
			l.pos = len(l.src) - len(left) + len(line) - len(after)
			l.heredocBody(body, line[:len(line)-len(text)], raw)
			return true
		}
		body = append(body, line+end)
		left = rest
	}
	l.pos = len(l.src)
	l.emit(unclear, "<<<")
	return true
}

// heredocBody takes the closing line's indentation off every line, and the
// last one's end.
func (l *lexer) heredocBody(lines []string, indent string, raw bool) {
	for i, line := range lines {
		cut, ok := strings.CutPrefix(line, indent)
		if !ok && strings.TrimSpace(line) != "" {
			l.emit(unclear, "<<<")
			return
		}
		lines[i] = cut
	}
	body := strings.Join(lines, "")
	if cut, ok := strings.CutSuffix(body, "\r\n"); ok {
		body = cut
	} else if body != "" {
		body = body[:len(body)-1]
	}
	if raw {
		l.emit(literal, body)
		return
	}
	l.interpolated(body, false)
}

func (l *lexer) operator() {
	for _, op := range [...]string{
		"<<=", ">>=", "**=", "...", "<=>", "===", "!==", "??=", "?->",
		"=>", "->", "::", "==", "!=", "<>", "<=", ">=", "&&", "||", "??", "++", "--",
		"+=", "-=", "*=", "/=", ".=", "%=", "&=", "|=", "^=", "<<", ">>", "**",
	} {
		if l.at(op) {
			l.pos += len(op)
			l.emit(operator, op)
			return
		}
	}
	l.emit(operator, l.src[l.pos:l.pos+1])
	l.pos++
}

func isSpace(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }

func isNameStart(c byte) bool { return php.IsNameByte(c) && !php.IsDigit(c) }

// Strings returns the values of the literal strings of a PHP file, in order.
// A string that is put together at run time gives its literal parts.
func Strings(file []byte) []string {
	var out []string
	for _, t := range tokenize(string(file)) {
		if t.kind == literal {
			out = append(out, t.text)
		}
	}
	return out
}
