package php_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os/exec"
	"strings"
	"testing"

	"upkeep/internal/cms/php"
)

// fromPHP runs a script on the inputs, which reach it as $in, and returns what
// it answers for each of them; without PHP the test is skipped.
func fromPHP[T any](t *testing.T, script string, inputs any) []T {
	t.Helper()
	interpreter, err := exec.LookPath("php")
	if err != nil {
		t.Skip("no PHP to compare with")
	}
	data, err := json.Marshal(inputs)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), interpreter, "-n", "-r",
		"error_reporting(0); $in = json_decode(stream_get_contents(STDIN), true); "+script)
	cmd.Stdin = strings.NewReader(string(data))
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []T
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatalf("%v: %.200s", err, out)
	}
	return answers
}

// oneOf picks one of the words.
func oneOf(r *rand.Rand, words ...string) string { return words[r.IntN(len(words))] }

func TestVersionsAsPHPOrdersThem(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	version := func() string {
		var b strings.Builder
		for range r.IntN(7) {
			b.WriteString(oneOf(r, "0", "1", "2", "10", "01", ".", ".", ".", "..", "-", "_", "+", "dev", "alpha", "a", "beta", "b",
				"RC", "rc", "Rc", "#", "#N#", "p", "pl", "v", "stable", "~", " ", ":", "9223372036854775807", "9223372036854775808"))
		}
		return b.String()
	}
	pairs := make([][2]string, 20_000)
	for i := range pairs {
		pairs[i] = [2]string{version(), version()}
	}
	for i, want := range fromPHP[int](t, `echo json_encode(array_map(fn($p) => version_compare($p[0], $p[1]), $in));`, pairs) {
		if got := php.CompareVersions(pairs[i][0], pairs[i][1]); got != want {
			t.Errorf("%q and %q: %d, want %d", pairs[i][0], pairs[i][1], got, want)
		}
	}
}

// show is the PHP twin of shown: what unserialize makes of each input.
const show = `
function show($v, $d = 0) {
	if ($d > 5) return '~';
	if (is_float($v)) return is_nan($v) ? 'nan' : 'f' . bin2hex(strrev(pack('d', $v)));
	if (is_string($v)) return 's' . bin2hex($v);
	if (is_int($v)) return "i$v";
	if ($v === null || is_bool($v)) return var_export($v, true);
	$items = (array) $v;
	$out = is_object($v) ? ($items['__PHP_Incomplete_Class_Name'] ?? get_class($v)) . '{' : '{';
	unset($items['__PHP_Incomplete_Class_Name']);
	foreach ($items as $key => $item) $out .= bin2hex($key) . ':' . show($item, $d + 1) . ',';
	return $out . '}';
}
echo json_encode(array_map(function ($s) {
	$v = unserialize($s, ['allowed_classes' => false]);
	return $v === false && $s !== 'b:0;' ? 'refused' : show($v);
}, $in));`

func shown(v *php.Value, depth int) string {
	if depth > 5 {
		return "~"
	}
	switch v.Kind {
	case php.Null:
		return "NULL"
	case php.Bool:
		return fmt.Sprint(v.Bool)
	case php.Int:
		return fmt.Sprintf("i%d", v.Int)
	case php.String:
		return fmt.Sprintf("s%x", v.Str)
	case php.Float:
		if math.IsNaN(v.Float) {
			return "nan"
		}
		return fmt.Sprintf("f%016x", math.Float64bits(v.Float))
	}
	out := v.Class + "{"
	for key, item := range v.All() {
		out += fmt.Sprintf("%x:%s,", key, shown(item, depth+1))
	}
	return out + "}"
}

// serializer makes serialized values, most of them well formed.
type serializer struct{ *rand.Rand }

func (s serializer) number() string {
	return oneOf(s.Rand, "0", "1", "-1", "+3", "007", "-0", "-", "12345678901234567890", "-9223372036854775809", "9223372036854775807")
}

func (s serializer) text(content string) string {
	if s.IntN(8) == 0 && content != "" && content[0] < 0x80 {
		return fmt.Sprintf(`S:%d:"\%02x%s";`, len(content), content[0], content[1:])
	}
	return fmt.Sprintf(`s:%d:"%s";`, len(content), content)
}

func (s serializer) value(depth int) string {
	n := s.IntN(12)
	if depth > 3 {
		n = s.IntN(7)
	}
	switch n {
	case 0:
		return oneOf(s.Rand, "N;", "b:1;", "b:0;", "b:2;")
	case 1, 2:
		return "i:" + s.number() + ";"
	case 3:
		return "d:" + oneOf(s.Rand, "0.1", "1", "-0", "1e5", "1.0E+25", "1e400", "INF", "-INF", "NAN", ".5", "5.", "+1.5", ".", "1e", "0x1") + ";"
	case 4, 5:
		return s.text(oneOf(s.Rand, "", "a", "é", `q"`, "\x00*\x00x", "5", "-0", "x;"))
	case 6:
		return fmt.Sprintf("%s:%d;", oneOf(s.Rand, "R", "r"), 1+s.IntN(5))
	case 7, 8, 9:
		return "a:" + s.items(depth)
	}
	class := oneOf(s.Rand, "Foo", "stdClass", `A\B`, `\A`, "9a", "F-o", "")
	return fmt.Sprintf(`O:%d:"%s":`, len(class), class) + s.items(depth)
}

// items have distinct keys: what references to a value that is replaced mean
// is not worth knowing.
func (s serializer) items(depth int) string {
	keys := []string{"i:0;", "i:-1;", "i:+7;", s.text("k"), s.text("12"), s.text("\x00*\x00x"), s.text("")}
	s.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
	n := s.IntN(4)
	out := fmt.Sprintf("%d:{", n)
	for _, key := range keys[:n] {
		out += key + s.value(depth+1)
	}
	return out + "}"
}

func TestSerializedAsPHPReadsIt(t *testing.T) {
	s := serializer{rand.New(rand.NewPCG(2, 2))}
	inputs := make([]string, 20_000)
	for i := range inputs {
		text := s.value(0)
		if at := s.IntN(len(text)); s.IntN(3) == 0 {
			// Ruined at one place, a multibyte character never: JSON.
			text = strings.ToValidUTF8(text[:at]+oneOf(s.Rand, ":", ";", "{", "}", `"`, "+", "-", "1", "")+text[at+1:], "")
		}
		inputs[i] = text
	}
	read := 0
	for i, want := range fromPHP[string](t, show, inputs) {
		got := "refused"
		if v, err := php.Unserialize([]byte(inputs[i]), php.Limits{}); err == nil {
			got = shown(v, 0)
			read++
		}
		if got != want {
			t.Errorf("%q: %s, want %s", inputs[i], got, want)
		}
	}
	if read < len(inputs)/4 {
		t.Errorf("only %d of %d are well formed", read, len(inputs))
	}
}
