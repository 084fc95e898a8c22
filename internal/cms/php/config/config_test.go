package config_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"upkeep/internal/cms/php"
	"upkeep/internal/cms/php/config"
)

type configCase struct {
	Kind, Name, Source string
	Static             bool
	Expected           map[string]json.RawMessage
}

// lookup finds a name the way the vectors list them: constants, variables,
// entries of $settings, properties of JConfig, all in one map.
func lookup(c *config.Config, kind, name string) (*php.Value, config.Certainty) {
	if kind == "configuration.php" {
		return c.Property("JConfig", name)
	}
	if v, certainty := c.Constant(name); certainty == config.Static {
		return v, certainty
	}
	if v, certainty := c.Variable(name); certainty != config.Absent {
		return v, certainty
	}
	settings, certainty := c.Variable("settings")
	if v := settings.Get(name); v != nil {
		return v, certainty
	}
	_, constant := c.Constant(name)
	return nil, max(certainty, constant)
}

func TestReadConfigNeverWrong(t *testing.T) {
	var vectors struct{ Cases []configCase }
	corpus(t, "config_files.json", &vectors)
	for _, c := range vectors.Cases {
		file := config.Read([]byte(c.Source), config.Source{Path: "/srv/www/" + c.Kind})
		dynamic := 0
		for name, raw := range c.Expected {
			v, certainty := lookup(file, c.Kind, name)
			if name == "databases" && string(raw) == "[]" {
				continue // the generator sets it before it includes the file
			}
			switch {
			case certainty == config.Absent:
				t.Errorf("%s: %s is absent", c.Name, name)
			case certainty == config.Dynamic:
				dynamic++
			case plain(t, v) != decoded(t, raw):
				t.Errorf("%s: %s = %s, want %s", c.Name, name, plain(t, v), decoded(t, raw))
			}
		}
		if c.Static && dynamic > 0 {
			t.Errorf("%s: %d names called dynamic", c.Name, dynamic)
		}
		if !c.Static && dynamic == 0 && c.Name != "if-not-defined" && c.Name != "variable-value" {
			t.Errorf("%s: nothing called dynamic", c.Name)
		}
	}
	if len(vectors.Cases) == 0 {
		t.Error("no cases")
	}
}

func TestReadConfigConstant(t *testing.T) {
	for name, c := range map[string]struct {
		source string
		want   string // "?" dynamic, "-" absent
	}{
		"first define wins":           {`define('X','a'); define('X','b');`, "a"},
		"maybe first":                 {`if (getenv('A')) define('X','a'); define('X','b');`, "?"},
		"maybe second":                {`define('X','a'); if (getenv('A')) define('X','b');`, "a"},
		"unknown include before":      {`include 'x.php'; define('X','a');`, "?"},
		"unknown include after":       {`define('X','a'); include 'x.php';`, "a"},
		"settings end it":             {`require_once ABSPATH . 'wp-settings.php'; define('X','a');`, "-"},
		"after closing tag":           {`?> define('X','a'); <?php define('X','b');`, "b"},
		"comment ends at closing tag": {"// x ?> <?php define('X','b');", "b"},
		"nowdoc":                      {"define('X', <<<'E'\n  a\\n$b\n  E);", "a\\n$b"},
		"heredoc":                     {"define('X', <<<E\n  a\\tb\n   c\n  E\n);", "a\tb\n c"},
		"define inside a string":      {`$a = "define('X','a');";`, "-"},
		"dir":                         {`define('X', dirname(__FILE__, 2) . '/x');`, "/srv/x"},
		"dir of dir":                  {`define('X', dirname(__DIR__));`, "/srv"},
		"cast":                        {`define('X', (string) 12 . (int)'3');`, "123"},
		"known condition":             {`if (!defined('Y')) { define('X','a'); } else { define('X','b'); }`, "a"},
		"known else":                  {`define('Y', 1); if (!defined('Y')) define('X','a'); else define('X','b');`, "b"},
		"known elseif":                {`if (false) define('X','a'); elseif (true) define('X','b'); else define('X','c');`, "b"},
		"maybe return":                {`if (getenv('A')) { return; } define('X','a');`, "?"},
		"maybe exit":                  {`if (getenv('A')) { exit; } define('X','a');`, "a"},
		"return":                      {`return; define('X','a');`, "-"},
		"in a function":               {`function f() { define('X','a'); } define('X','b');`, "?"},
		"unknown call":                {`setup(); define('X','a');`, "?"},
		"method call":                 {`Env::load(); define('X','a');`, "?"},
		"new":                         {`new Env; define('X','a');`, "?"},
		"call through variable":       {`$f('X','a'); define('X','b');`, "?"},
		"eval":                        {`eval($x); define('X','a');`, "?"},
		"name from variable":          {`foreach ($a as $k => $v) define($k, $v); define('X','a');`, "?"},
		"alternative syntax":          {`if ($a): if ($b): ini_set('a', 1); endif; define('X','a'); endif; define('X','b');`, "?"},
		"after alternative syntax":    {`if ($a): if ($b): echo 1; endif; endif; define('X','b');`, "b"},
		"switch":                      {`switch (gethostname()) { case 'a': define('X','a'); break; default: define('X','b'); }`, "?"},
		"numeric strings":             {`define('X', '1e1' == '10' ? 'a' : 'b');`, "?"},
		"strings":                     {`define('X', 'a' == 'b' ? 'a' : 'b');`, "b"},
		"different kinds":             {`define('X', '' == 0 ? 'a' : 'b');`, "?"},
		"ternary":                     {`define('X', true ? 'a' : 'b');`, "a"},
		"environment":                 {`define('X', getenv('X') ?: 'b');`, "?"},
		"quoted":                      {`define('X', "a\"b\\c\$d\x41\u{e9}\101\q");`, `a"b\c$dAéA\q`},
		"interpolated":                {`$a = 'x'; define('X', "a$a");`, "?"},
		"short tag":                   {`define('X','a'); ?> <? define('X','b');`, "?"},
		"attribute":                   {"#[A(1)] \ndefine('X','a');", "a"},
		"attribute or comment":        {"#[A] define('X','b');\ndefine('X','a');", "?"},
		"quote inside braces":         {"$b = \"{$a[\"it's\"]}\"; define('X', 'a');", "?"},
		"imported function":           {`use function strtolower as define; define('X','a');`, "?"},
		"heredoc of old Macintoshes":  {"define('X', <<<E\ra\rE\r);", "a"},
		"heredoc ends a line twice":   {"define('X', <<<E\r\r\na\rE\r);", "\r\na"},
		"after a label":               {`again: define('X','a');`, "a"},
		"silenced":                    {`@define('X','a');`, "a"},
		"namespace":                   {`namespace A; const X = 'a';`, "?"},
		"closure":                     {`$f = function () { define('X','a'); }; $f(); define('X','b');`, "?"},
		"goto":                        {`goto a; define('X','a'); a: define('X','b');`, "?"},
		"unterminated":                {`define('X','a`, "?"},
		"try":                         {`try { define('X','a'); } catch (Exception $e) { } define('X','b');`, "?"},
		"defined or":                  {`defined('X') or define('X','a');`, "a"},
		"defined and":                 {`defined('X') && define('X','b'); define('X','a');`, "a"},
		"known before":                {`define('P','b'); define('X', P);`, "a"},
	} {
		file := config.Read([]byte("<?php\n"+c.source), config.Source{
			Path: "/srv/www/wp-config.php", Ends: []string{"wp-settings.php"}, Defined: map[string]string{"P": "a", "ABSPATH": "/srv/www/"},
		})
		if got := show(file.Constant("X")); got != c.want {
			t.Errorf("%s: X is %q, want %q", name, got, c.want)
		}
	}
}

func TestReadConfigVariable(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"last wins":             {`$x = 'a'; $x = 'b';`, "b"},
		"maybe changed":         {`$x = 'a'; if (getenv('A')) $x = 'b';`, "?"},
		"set after maybe":       {`if (getenv('A')) $x = 'b'; $x = 'a';`, "a"},
		"set after maybe left":  {`if (getenv('A')) { $x = 'b'; return; } $x = 'a';`, "?"},
		"include after":         {`$x = 'a'; include 'y.php';`, "?"},
		"appended":              {`$x = 'a'; $x .= 'b';`, "ab"},
		"maybe appended":        {`$x = 'a'; if ($y) $x .= 'b';`, "?"},
		"copied":                {`$y = 'a'; $x = $y; $y = 'b';`, "a"},
		"chained":               {`$x = $y = 'a';`, "a"},
		"by reference":          {`$x = 'a'; $y = &$x; $y = 'b';`, "?"},
		"through globals":       {`$x = 'a'; $GLOBALS['x'] = 'b';`, "?"},
		"through a function":    {`function f() { global $x; $x = 'b'; } $x = 'a'; f();`, "?"},
		"to a function":         {`function f(&$x) { $x = 'b'; } $x = 'a'; f($x);`, "?"},
		"variable variable":     {`$x = 'a'; $y = 'x'; $$y = 'b';`, "?"},
		"destructured":          {`$x = 'a'; [$x, $y] = explode(',', $z);`, "?"},
		"listed":                {`$x = 'a'; list($x, $y) = $z;`, "?"},
		"looped":                {`$x = 'a'; foreach ($z as $x) {}`, "?"},
		"unset":                 {`$x = 'a'; unset($x);`, "?"},
		"incremented":           {`$x = 1; $x++;`, "?"},
		"in a loop":             {`$x = 'a'; while ($y) { $x = 'b'; }`, "?"},
		"from the environment":  {`$x = $_ENV['x'];`, "?"},
		"or die":                {`$x = 'a' or die();`, "?"},
		"in an unused function": {`$x = 'a'; function f() { $y = 'b'; }`, "a"},
	} {
		file := config.Read([]byte("<?php\n"+c.source), config.Source{})
		if got := show(file.Variable("x")); got != c.want {
			t.Errorf("%s: $x is %q, want %q", name, got, c.want)
		}
	}
}

func TestReadConfigObject(t *testing.T) {
	const made = `unset($x); global $x; $x = new stdClass(); $x->a = 'a'; $x->o = array('p' => 1); `
	for name, c := range map[string]struct{ source, want string }{
		"made":                 {made, "a"},
		"made and included":    {made + `require_once(__DIR__ . '/lib/setup.php');`, "a"},
		"set again":            {made + `$x->a = 'b'; $x->b = 'c';`, "b"},
		"in an array of it":    {made + `$x->o['q'] = 2;`, "a"},
		"maybe changed":        {made + `if (getenv('A')) $x->a = 'b';`, "?"},
		"another name":         {made + `$y = $x; $y->a = 'b';`, "?"},
		"made twice at once":   {`$x = $y = new stdClass; $x->a = 'a'; $y->a = 'b';`, "?"},
		"in an array":          {made + `$y = [$x]; $y[0]->a = 'b';`, "?"},
		"to a function":        {made + `function f($y) { $y->a = 'b'; } f($x);`, "?"},
		"through a function":   {made + `function f() { global $x; $x->a = 'b'; } f();`, "?"},
		"through a closure":    {made + `$f = function () use ($x) { $x->a = 'b'; }; $f();`, "?"},
		"looped":               {made + `foreach ($x as &$v) { $v = 'b'; }`, "?"},
		"of a class":           {`$x = new Config(); $x->a = 'a';`, "?"},
		"with arguments":       {`$x = new stdClass(f()); $x->a = 'a';`, "?"},
		"an array":             {`$x = []; $x->a = 'a';`, "?"},
		"as an array":          {made + `$x['a'] = 'b';`, "?"},
		"by a computed name":   {made + `$x->{'a'} = 'b';`, "?"},
		"from the environment": {made + `$x->b = getenv('B');`, "?"},
	} {
		file := config.Read([]byte("<?php\n"+c.source), config.Source{Path: "/srv/config.php", Ends: []string{"setup.php"}})
		v, certainty := file.Variable("x")
		if got := show(v.Get("a"), certainty); got != c.want {
			t.Errorf("%s: $x->a is %q, want %q", name, got, c.want)
		}
	}
}

func TestReadConfigReturned(t *testing.T) {
	for name, c := range map[string]struct{ source, want string }{
		"array":         {`return ['a' => 'b'];`, "b"},
		"of a variable": {`$x = array('a' => 'b'); return $x;`, "b"},
		"conditional":   {`if (PHP_SAPI === 'cli') { return ['a' => 'c']; } return ['a' => 'b'];`, "?"},
		"computed":      {`return ['a' => getenv('A')];`, "?"},
		"included":      {`return include 'other.php';`, "?"},
		"in a function": {`function f() { return ['a' => 'c']; } return ['a' => 'b'];`, "b"},
		"nothing":       {`$x = 1;`, ""},
		"exit":          {`exit(1);`, "?"},
	} {
		v, certainty := config.Read([]byte("<?php\n"+c.source), config.Source{}).Returned()
		if got := show(v.Get("a"), certainty); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func show(v *php.Value, certainty config.Certainty) string {
	switch certainty {
	case config.Dynamic:
		return "?"
	case config.Absent:
		return "-"
	}
	return v.Text()
}

func TestReadConfigSurvivesDepth(t *testing.T) {
	for _, unit := range []string{"(", "[", "{", "if(1)", "!", "-", "array(", "a.", "else ", "1?", "if(1):", "do "} {
		config.Read([]byte("<?php $x = "+strings.Repeat(unit, 20000)), config.Source{})
		config.Read([]byte("<?php "+strings.Repeat(unit, 20000)), config.Source{})
	}
}

func FuzzReadConfig(f *testing.F) {
	for _, seed := range []string{
		`define('X', "a\x41" . 'b');`, "$x['a'][] = <<<E\n a\n E;", `if ($a): elseif (1): else: endif;`, `class A { public ?int $x = 1, $y; }`,
		`?>text<?= 1 ?><? #[A]`, "`ls`; \"{$a['b']}\"; 'unterminated", `const A = [1, 'k' => (string) -2, ] ?: !B;`, `try {} catch (E $e) {} finally {}`,
	} {
		f.Add([]byte("<?php " + seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file := config.Read(data, config.Source{Path: "/srv/wp-config.php", Ends: []string{"wp-settings.php"}})
		for _, name := range []string{"X", "A", "B"} {
			if v, certainty := file.Constant(name); (v != nil) != (certainty == config.Static) {
				t.Errorf("%s: %v, %v", name, v, certainty)
			}
		}
	})
}

// corpus reads a golden vector file into out, or skips the test.
func corpus(t testing.TB, name string, out any) {
	t.Helper()
	dir := os.Getenv("UPKEEP_CORPUS")
	if dir == "" {
		dir = "../../../../../shared/corpus"
	}
	data, err := os.ReadFile(filepath.Join(dir, "vectors", name))
	if err != nil {
		t.Skipf("no corpus (set UPKEEP_CORPUS): %v", err)
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
}

// plain is the JSON of v with lists for arrays keyed 0 to n-1, as the vectors
// have it.
func plain(t *testing.T, v *php.Value) string {
	t.Helper()
	out, err := json.Marshal(generic(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func decoded(t *testing.T, raw json.RawMessage) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func generic(v *php.Value) any {
	switch v.Kind {
	case php.Bool:
		return v.Bool
	case php.Int:
		return float64(v.Int)
	case php.Float:
		return v.Float
	case php.String:
		return v.Str
	case php.Array, php.Object:
		list, object := []any{}, map[string]any{}
		for key, item := range v.All() {
			if key == strconv.Itoa(len(list)) {
				list = append(list, generic(item))
			}
			object[key] = generic(item)
		}
		if len(list) == len(object) && v.Kind == php.Array {
			return list
		}
		return object
	}
	return nil
}
