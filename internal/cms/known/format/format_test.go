package format_test

import (
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/cms/known/format"
	"upkeep/internal/cms/php"
)

type reader = func([]byte) (*php.Value, error)

func TestValues(t *testing.T) {
	for _, c := range []struct {
		read             reader
		text, path, want string
	}{
		{format.Env, "A=1\nB = two # note\n", "B", "two"},
		{format.Env, "export A='x # y ${B}'", "A", "x # y ${B}"},
		{format.Env, "A=\"q\\\"uo\\\\te\\n$x\"\nB=2", "A", "q\"uo\\te\n$x"},
		{format.Env, "A=\"over\nlines\" # rest\nB=2", "A", "over\nlines"},
		{format.Env, "A=\"over\nlines\"\nB=2", "B", "2"},
		{format.Env, "A=\"never closed\nB=2", "B", "2"},
		{format.Env, "H=db\nA=\"${H}:3306\"\n#A=no\n", "A", "db:3306"},
		{format.Env, "A=old\nA=new", "A", "new"},
		{format.Env, "A=#none", "A", ""},
		{format.Env, "A=pa#ss", "A", "pa#ss"},
		{format.INI, "; <?php exit; ?> keep\n[database]\nhost = \"local\\\"host\"\npassword = 'p;w'\nport = 3306 ; usual\n", "database/host", `local"host`},
		{format.INI, "[database]\npassword = \"p;w\"\n", "database/password", "p;w"},
		{format.INI, "[database]\nport = 3306 ; usual\n[other]\nport=1\n[database]\nx=2", "database/port", "3306"},
		{format.YAML, "parameters:\n  database_host: 127.0.0.1\n  database_port: ~\n  list: [a, b]\n", "parameters/list/1", "b"},
		{format.YAML, "parameters:\n  database_port: ~\n", "parameters/database_port", ""},
		{format.XML, "<?xml version=\"1.0\"?><config><global><db><host><![CDATA[local host]]></host></db></global></config>", "config/global/db/host", "local host"},
		{format.XML, "<a><b>1</b><b>2</b></a>", "a/b", "2"},
	} {
		v, err := c.read([]byte(c.text))
		if err != nil || v.Get(strings.Split(c.path, "/")...).Text() != c.want {
			t.Errorf("%q: %s is %q, want %q; %v", c.text, c.path, v.Get(strings.Split(c.path, "/")...).Text(), c.want, err)
		}
	}
}

// What was made to be slow, deep or endless is refused.
func TestBounds(t *testing.T) {
	for _, c := range []struct {
		read reader
		text string
	}{
		{format.Env, strings.Repeat("A", 20) + "=1\n" + many("N%=1\n")},
		{format.INI, many("N%=1\n")},
		{format.INI, many("[N%]\n")},
		{format.YAML, "- " + strings.Repeat("- ", 60) + "a"},
		{format.YAML, "a: [" + strings.Repeat("1, ", 30_000) + "1]"},
		{format.XML, strings.Repeat("<a>", 60) + strings.Repeat("</a>", 60)},
		{format.XML, "<a>" + strings.Repeat("<b/>", 30_000) + "</a>"},
	} {
		if _, err := c.read([]byte(c.text)); upkeep.CodeOf(err) != upkeep.CodeRefused {
			t.Errorf("%.30q…: %v", c.text, err)
		}
	}
	bomb := "a: &a [x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 7) + "x]\n"
	}
	if _, err := format.YAML([]byte(bomb)); err != nil {
		t.Errorf("aliases are followed: %v", err)
	}
}

func many(line string) string {
	var b strings.Builder
	for i := range 30_000 {
		b.WriteString(strings.ReplaceAll(line, "%", strings.Repeat("x", i%50)+string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676%26))+string(rune('a'+i/17576))))
	}
	return b.String()
}

func fuzz(f *testing.F, read reader, seeds ...string) {
	for _, seed := range seeds {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		v, err := read(text)
		if (err == nil) == (v == nil) {
			t.Fatalf("%v, %v", v, err)
		}
		count(t, v, 0)
	})
}

func count(t *testing.T, v *php.Value, depth int) {
	t.Helper()
	if depth > 45 {
		t.Fatal("too deep")
	}
	for _, item := range v.All() {
		count(t, item, depth+1)
	}
}

func FuzzEnv(f *testing.F) {
	fuzz(f, format.Env, "A=1\nB='2'\nC=\"${A}\\n\nx\" # y\n", "A=\"", "export X = y # z")
}

func FuzzINI(f *testing.F) { fuzz(f, format.INI, "; x\n[a]\nb = \"c\\\"d\" ; e\n", "[", "=", "a[]=1") }

func FuzzYAML(f *testing.F) { fuzz(f, format.YAML, "a:\n  b: [1, {c: d}]\n", "a: &x [*x]", "- - - a") }

func FuzzXML(f *testing.F) { fuzz(f, format.XML, "<a><b>c</b><![CDATA[d]]></a>", "<a", "<a></b>") }
