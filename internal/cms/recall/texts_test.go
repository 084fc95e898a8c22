package recall

import "testing"

func TestTextsUnderstandAgainWhatSaysSomethingElse(t *testing.T) {
	var texts Texts[int]
	calls := 0
	length := func(text []byte) int { calls++; return len(text) }
	for _, c := range []struct {
		name, text  string
		want, calls int
	}{{"a", "one", 3, 1}, {"a", "one", 3, 1}, {"a", "two!", 4, 2}, {"b", "two!", 4, 3}, {"a", "two!", 4, 3}} {
		if got := texts.Of(c.name, []byte(c.text), length); got != c.want || calls != c.calls {
			t.Errorf("%s %q: %d after %d calls, want %d after %d", c.name, c.text, got, calls, c.want, c.calls)
		}
	}
	if got := (*Texts[int])(nil).Of("a", []byte("three"), length); got != 5 {
		t.Errorf("none remembers: %d", got)
	}
}
