package config_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"upkeep/internal/cms/php"
	"upkeep/internal/cms/php/config"
)

// runner runs the files of a folder from the one of a number on, and says for
// each which of the constants CA…, CB…, the variables $a, $b and the property p of
// the object $c it set, or that it failed. A fatal error ends it, after the answer for that file.
const runner = `<?php
error_reporting(0);
ini_set('display_errors', '0');
$__at = (int) $argv[1];
function __say($failed) {
	global $__at;
	$set = [];
	foreach (['CA', 'CB'] as $name) if (defined($name . $__at)) $set[$name] = constant($name . $__at);
	foreach (['a', 'b'] as $name) if (array_key_exists($name, $GLOBALS)) $set["$$name"] = $GLOBALS[$name];
	if (isset($GLOBALS['c']) && is_object($GLOBALS['c']) && property_exists($GLOBALS['c'], 'p')) $set['$c'] = $GLOBALS['c']->p;
	$set = array_map(fn($v) => is_array($v) || is_object($v) ? '?' : base64_encode((string) $v), $set);
	file_put_contents('php://stdout', json_encode(['at' => $__at, 'failed' => $failed, 'set' => (object) $set]) . "\n");
}
register_shutdown_function(function () { global $__at; if (is_file("$__at.php")) __say(true); });
for (; is_file("$__at.php"); $__at++) {
	unset($a, $b, $c, $f, $k, $o);
	$__failed = false;
	ob_start();
	try { require getcwd() . "/$__at.php"; } catch (Throwable $e) { $__failed = true; }
	ob_end_clean();
	__say($__failed);
}`

// writer makes configuration files.
type writer struct{ *rand.Rand }

func (w writer) one(words ...string) string { return words[w.IntN(len(words))] }

func (w writer) literal() string {
	return w.one(`'x'`, `"x"`, `'it\'s'`, `"a\"b"`, `'a\\'`, `'//x'`, `"/*x*/"`, `'?>'`, `"\x41\101\u{e9}\n\q"`, `'$a'`, `"\$a"`, `"a$b"`, `"{$a}"`,
		`"{$b["it's"]}"`, `1`, `0`, `-5`, `010`, `0x1F`, `1_000`, `true`, `FALSE`, `null`, `''`, `"0"`, `"1e1"`, `"10"`, `b'x'`,
		"<<<E\nx\\ty\nE", "<<<'E'\nx\\t$a\nE", "<<<E\n  x\n   y\n  E", "<<<\"E\"\nit's \"q\"\nE", "<<<E\n$a\nE", "<<<E\nE", "<<<'E'\n  Ex\n E_\n E", "<<<E\n\tx\n\n\ty\n\tE")
}

func (w writer) value(depth int) string {
	if depth > 2 {
		return w.literal()
	}
	v := func() string { return w.value(depth + 1) }
	switch w.IntN(18) {
	case 0, 1:
		return v() + " . " + v()
	case 2:
		return "(" + v() + w.one(" == ", " === ", " != ", " < ") + v() + ")"
	case 3:
		return v() + w.one(" ?: ", " ?? ", " && ", " || ") + v()
	case 4:
		return "(" + v() + " ? " + v() + " : " + v() + ")"
	case 5:
		return w.one("!", "@", "(string)", "(int)", "(bool)", "( string ) ") + v()
	case 6:
		return w.one("CA", "CB", "$a", "$b")
	case 7:
		return w.one("defined('CA')", "isset($a)", "getenv('NONE')", "strtolower('X')", "['k' => 'v']['k']", "$a = 'v'")
	case 8:
		return w.one("dirname(__FILE__)", "__DIR__", "dirname(__DIR__, 2)", "dirname('/a/b/')", "dirname('//a')", "dirname(__FILE__ . '/..')",
			"rtrim('/a//', '/')", "DIRECTORY_SEPARATOR", "PHP_EOL", "basename(__FILE__)")
	}
	return w.literal()
}

func (w writer) define() string {
	return w.one("define", "DEFINE", "\\define", "@define") + w.one("(", " ( ", "(/* ' */") + w.one("'CA'", `"CB"`) + ", " + w.value(0) +
		w.one(");\n", ", false);\n", "); // '\n", "); # \"\n")
}

func (w writer) statement(depth int) string {
	if depth > 2 {
		return w.define()
	}
	s := func() string { return w.statement(depth + 1) }
	name := w.one("$a", "$b")
	switch w.IntN(32) {
	case 0, 1, 2, 3:
		return name + w.one(" = ", " = ", " .= ", " ??= ") + w.value(0) + ";\n"
	case 4:
		return "if (" + w.value(0) + ") { " + s() + "}" + w.one("", " else { "+s()+"}", " elseif ("+w.value(0)+") { "+s()+"} else "+s()) + "\n"
	case 5:
		return "if (" + w.value(0) + "): " + s() + w.one("", "else: "+s()) + "endif;\n"
	case 6:
		return "defined('CA') " + w.one("||", "or", "&&", "and") + " " + w.define()
	case 7:
		return w.one("?>\ndefine('CA', 'html');\n<?php ", "// define('CA', 'x'); ?><?php \n", "# ' \" \n", "/* define('CA', 'x'); */", "#[At]\n", "label: ", ";;")
	case 8:
		return "function f" + strconv.Itoa(w.Int()) + "() { " + w.one("global $a; $a = 'g';", "define('CA', 'fn');", "$a = 'own';") + " }\n"
	case 9:
		return w.one("$f = function () { define('CB', 'f'); };", "(function () { define('CA', 'f'); })();", "$f = function () use (&$a) { $a = 'u'; };") + "\n"
	case 10:
		return w.one("$a = &$b;", "$o = ['k' => &$a];", "foreach ([1] as $k) { $b = &$a; }") + "\n$a = 'r1';\n$b = 'r2';\n"
	case 11:
		return w.one("$$name", "${'a'}", "$GLOBALS['a']", "[$a, $b]", "list($a, $b)") + " = " + w.value(0) + ";\n"
	case 12:
		return w.one("foreach (['CA' => 1] as $k => $b) { define($k, 'x'); }", "extract(['a' => 'x']);", "$f = 'define'; $f('CB', 'x');",
			"array_map(function ($n) { define($n, 'm'); }, ['CA']);", "eval('$b = 1;');", "include '/nonexistent.php';", "$a++;", "unset($b);") + "\n"
	case 13:
		return "switch (" + w.value(0) + ") { case 'x': " + s() + " break; default: " + s() + "}\n"
	case 14:
		return "if (" + w.value(0) + ") { return; }\n"
	case 15:
		return "try { " + s() + "} finally { " + s() + "}\n"
	case 16:
		return "$a = $b = " + w.value(0) + ";\n"
	case 18, 19, 20, 21:
		return w.one("$c = new stdClass;", "$c = new \\stdClass();", "global $c; $c = new stdClass();", "$c = new ArrayObject();", "unset($c);", "$c = null;") +
			w.one("", "\n$c->p = "+w.value(0)+";", "\n$c->q['k'] = 1;") + "\n"
	case 22:
		return "$c->p" + w.one(" = ", " = ", " .= ", " ??= ") + w.value(0) + ";\n"
	case 23:
		return w.one("$b = $c; $b->p = 'b';", "$a = $b = $c; $a->p = 'a';", "$o = [$c]; $o[0]->p = 'o';", "foreach ([$c] as $k) { $k->p = 'k'; }",
			"$f = function () use ($c) { $c->p = 'f'; }; $f();", "$o = &$c; $o->p = 'r';", "$b = clone $c; $b->p = 'n';", "$c->{'p'} = 'd';", "$k = 'p'; $c->$k = 'v';",
			"function g() { global $c; $c->p = 'g'; } g();", "(function ($o) { $o->p = 'x'; })($c);", "$c->q->p = 1;", "[$c->p, $a] = [1, 2];", "unset($c->p);",
			"if ("+w.value(0)+") { $c->p = 'i'; }", "$c = (object) ['p' => 's'];", "$o = (array) $c;", "$c->p++;") + "\n"
	case 17:
		if depth == 0 {
			return "const CA = " + w.literal() + ", CB = 'q';\n"
		}
	}
	return w.define()
}

func (w writer) file(number int) string {
	text := w.one("<?php\n", "<?php ", "\ufeff<?php\n", "#!/usr/bin/php\n<?php\n", "x <?php\n", "<?PHP\n")
	for range 1 + w.IntN(5) {
		text += w.statement(0)
	}
	switch w.IntN(10) {
	case 0:
		text = strings.ReplaceAll(text, "\n", "\r\n")
	case 1:
		text = strings.ReplaceAll(text, "\n", "\r")
	}
	return strings.NewReplacer("CA", fmt.Sprint("CA", number), "CB", fmt.Sprint("CB", number)).Replace(text)
}

// TestWhatIsKnownIsWhatPHPSays compares with PHP on many files made up at
// random: what counts as static has that value, what counts as absent is not
// there, and enough is static for the comparison to mean something.
func TestWhatIsKnownIsWhatPHPSays(t *testing.T) {
	interpreter, err := exec.LookPath("php")
	if err != nil {
		t.Skip("no PHP to compare with")
	}
	dir := filepath.Join(t.TempDir(), "a", "b")
	files := make([]string, 800)
	w := writer{rand.New(rand.NewPCG(5, 5))}
	put(t, filepath.Join(dir, "run"), runner)
	for i := range files {
		files[i] = w.file(i)
		put(t, filepath.Join(dir, strconv.Itoa(i)+".php"), files[i])
	}
	static := 0
	for next := 0; next < len(files); {
		cmd := exec.CommandContext(t.Context(), interpreter, "-n", "run", strconv.Itoa(next))
		cmd.Dir = dir
		out, _ := cmd.Output() // a file that fails ends it
		for line := range strings.Lines(string(out)) {
			var said struct {
				At     int
				Failed bool
				Set    map[string]string
			}
			if err := json.Unmarshal([]byte(line), &said); err != nil {
				t.Fatal(err)
			}
			next = said.At + 1
			if !said.Failed {
				static += compare(t, files[said.At], filepath.Join(dir, strconv.Itoa(said.At)+".php"), said.At, said.Set)
			}
		}
		if len(out) == 0 {
			t.Fatal("PHP says nothing")
		}
	}
	if static < 100 {
		t.Errorf("only %d values are static", static)
	}
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// compare returns how many values of the file are static.
func compare(t *testing.T, text, file string, number int, set map[string]string) int {
	t.Helper()
	c := config.Read([]byte(text), config.Source{Path: file})
	static := 0
	for _, name := range []string{"CA", "CB", "$a", "$b", "$c"} {
		value, certainty := c.Constant(name + strconv.Itoa(number))
		if name[0] == '$' {
			value, certainty = c.Variable(name[1:])
		}
		if value != nil && value.Kind == php.Object {
			if value = value.Get("p"); value == nil {
				certainty = config.Absent
			}
		} else if name == "$c" && certainty == config.Static {
			certainty = config.Absent // no object: it has no property
		}
		want, isSet := set[name]
		switch {
		case certainty == config.Static && want == "?":
		case certainty == config.Static && (!isSet || want != base64.StdEncoding.EncodeToString([]byte(value.Text()))):
			t.Errorf("%s is said to be %q, is %q (set: %v) in\n%s", name, value.Text(), want, isSet, text)
		case certainty == config.Absent && isSet:
			t.Errorf("%s is said to be absent, is %q in\n%s", name, want, text)
		}
		if certainty == config.Static {
			static++
		}
	}
	return static
}
