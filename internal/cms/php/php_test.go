package php_test

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"upkeep"
	"upkeep/internal/cms/php"
)

// corpus reads a golden vector file into out, or skips the test.
func corpus(t testing.TB, name string, out any) {
	t.Helper()
	dir := os.Getenv("UPKEEP_CORPUS")
	if dir == "" {
		dir = "../../../../shared/corpus"
	}
	data, err := os.ReadFile(filepath.Join(dir, "vectors", name))
	if err != nil {
		t.Skipf("no corpus (set UPKEEP_CORPUS): %v", err)
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
}

func TestCompareVersionsAgreesWithPHP(t *testing.T) {
	var vectors struct{ Pairs [][3]any }
	corpus(t, "php_version_compare.json", &vectors)
	for _, pair := range vectors.Pairs {
		a, b, want := pair[0].(string), pair[1].(string), int(pair[2].(float64))
		if got := php.CompareVersions(a, b); got != want {
			t.Errorf("CompareVersions(%q, %q) = %d, want %d", a, b, got, want)
		}
	}
	if len(vectors.Pairs) < 1000 {
		t.Errorf("only %d pairs", len(vectors.Pairs))
	}
}

func TestCompareVersions(t *testing.T) {
	for _, ordered := range [][2]string{
		{"6.9", "6.9.0"}, {"v1.0", "1.0"}, {"1.0-stable", "1.0"}, {"1.0+b7", "1.0"}, {"1.0", "1.0-1"},
		{"1.0", "1.0-preview"}, {"1.0a", "1.0"}, {"1.", "1"}, {"6.9-alpha-60717", "6.9-RC2"}, {"", "dev"},
	} {
		if php.CompareVersions(ordered[0], ordered[1]) != -1 || php.CompareVersions(ordered[1], ordered[0]) != 1 {
			t.Errorf("want %q < %q", ordered[0], ordered[1])
		}
	}
	if php.CompareVersions("01.0", "1.0") != 0 {
		t.Error("leading zeros do not count")
	}
}

type unserializeVectors struct {
	Valid []struct {
		Name       string
		Serialized string `json:"serialized_base64"`
		JSON       json.RawMessage
	}
	Invalid []struct {
		Serialized string
		Refused    bool `json:"php_result_false"`
	}
}

func TestUnserializeAgreesWithPHP(t *testing.T) {
	var vectors unserializeVectors
	corpus(t, "php_serialize.json", &vectors)
	for _, c := range vectors.Valid {
		data, err := base64.StdEncoding.DecodeString(c.Serialized)
		if err != nil {
			t.Fatal(err)
		}
		v, err := php.Unserialize(data, php.Limits{})
		if err != nil {
			t.Errorf("%s: %v", c.Name, err)
			continue
		}
		if got, want := plain(t, v), decoded(t, c.JSON); got != want {
			t.Errorf("%s: %s, want %s", c.Name, got, want)
		}
	}
	for _, c := range vectors.Invalid {
		if _, err := php.Unserialize([]byte(c.Serialized), php.Limits{}); (err != nil) != c.Refused {
			t.Errorf("%q: error %v, PHP refuses: %v", c.Serialized, err, c.Refused)
		}
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

func TestUnserializeObjectsAndReferences(t *testing.T) {
	v, err := php.Unserialize([]byte("O:3:\"Foo\":4:{s:1:\"a\";i:1;s:4:\"\x00*\x00b\";R:2;s:6:\"\x00Foo\x00c\";r:1;s:1:\"d\";E:9:\"Suit:Club\";}"), php.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if v.Class != "Foo" || v.Get("b").Int != 1 || v.Get("a") != v.Get("b") || v.Get("c") != v || v.Get("d").Str != "Club" {
		t.Errorf("got %+v", v)
	}
	if v.Get("c", "c", "c", "a").Int != 1 || v.Get("x", "y") != nil || v.Get("x").Text() != "" {
		t.Error("walking a cycle or an absent value")
	}
	v, err = php.Unserialize([]byte(`a:2:{s:1:"k";i:1;s:1:"k";S:3:"a\41b";}`), php.Limits{})
	if err != nil || len(v.Items) != 1 || v.Get("k").Str != "aAb" {
		t.Errorf("repeated key: %+v, %v", v, err)
	}
	v, err = php.Unserialize([]byte(`C:3:"Foo":5:{12345}`), php.Limits{})
	if err != nil || v.Kind != php.Opaque || v.Str != "12345" {
		t.Errorf("custom object: %+v, %v", v, err)
	}
}

func TestUnserializeRefuses(t *testing.T) {
	for _, bad := range []string{
		"", "x", "i:", "i:1", "i:1.5;", "d:0x1p4;", "d:inf;", "s:3:\"ab\";", "s:-1:\"\";",
		"a:1:{i:0;}", "a:1:{a:0:{}i:1;}", "a:99999999:{}", "a:-1:{}", "a:0:{", "R:1;", "r:1;", "a:1:{i:0;r:1;}",
		"O:0:\"\":0:{}", "O:2:\"\\\\A\":0:{}", "O:3:\"F-o\":0:{}", "E:4:\"Suit\";", "C:1:\"A\":9:{}", "S:2:\"\\zz\";", "N", "b:2;",
	} {
		if v, err := php.Unserialize([]byte(bad), php.Limits{}); upkeep.CodeOf(err) != upkeep.CodeInvalid {
			t.Errorf("%q: %+v, %v", bad, v, err)
		}
	}
	deep := ""
	for range 200 {
		deep += "a:1:{i:0;"
	}
	for name, c := range map[string]struct {
		in     string
		limits php.Limits
	}{
		"deep":  {deep, php.Limits{}},
		"long":  {`s:9:"123456789";`, php.Limits{Bytes: 8}},
		"broad": {"a:3:{i:0;N;i:1;N;i:2;N;}", php.Limits{Values: 3}},
	} {
		if _, err := php.Unserialize([]byte(c.in), c.limits); upkeep.CodeOf(err) != upkeep.CodeRefused {
			t.Errorf("%s: %v", name, err)
		}
	}
}
