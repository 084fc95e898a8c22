package php_test

import (
	"testing"

	"upkeep/internal/cms/php"
)

func FuzzCompareVersions(f *testing.F) {
	for _, pair := range [][2]string{{"1.0", "1.0.0"}, {"", "#"}, {"1.0-RC1", "1.0-p"}, {"v1..2", "99999999999999999999"}, {"a\x00b", "+-_"}} {
		f.Add(pair[0], pair[1])
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if order := php.CompareVersions(a, b); order < -1 || order > 1 {
			t.Errorf("order %d", order)
		}
		if php.CompareVersions(a, a) > 0 {
			t.Errorf("%q > itself", a)
		}
	})
}

func FuzzUnserialize(f *testing.F) {
	for _, seed := range []string{
		"N;", "b:1;", "i:-5;", "d:1.0E+25;", `s:3:"a"b";`, `a:2:{i:0;R:1;s:1:"k";a:0:{}}`, `S:2:"\41b";`,
		"O:3:\"Foo\":2:{s:4:\"\x00*\x00b\";i:1;s:1:\"c\";r:1;}", `E:9:"Suit:Club";`, `C:1:"A":2:{xy}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		v, err := php.Unserialize(data, php.Limits{})
		if (v == nil) != (err != nil) {
			t.Errorf("%v, %v", v, err)
		}
		// A value may contain itself; walking down one key must still end.
		for range 1000 {
			if v == nil || len(v.Items) == 0 {
				return
			}
			v = v.Get(v.Items[0].Key)
		}
	})
}
