package recall

import (
	"sync"
)

// Texts remembers what was made of texts, as long as each says the same under
// its name. Where reading a text costs less than understanding it, that needs no
// trust in times. The zero value is empty; a nil one remembers nothing. It is
// safe for concurrent use. What it returns is shared, and not to be changed.
type Texts[T any] struct {
	mu    sync.Mutex
	known map[string]understood[T]
}

type understood[T any] struct {
	text string
	as   T
}

// mostTexts is how many are remembered; past that it begins anew.
const mostTexts = 4000

// Of returns what make makes of text, or made of it when it last came by name.
func (t *Texts[T]) Of(name string, text []byte, make func(text []byte) T) T {
	if t == nil {
		return make(text)
	}
	t.mu.Lock()
	before, known := t.known[name]
	t.mu.Unlock()
	if known && before.text == string(text) {
		return before.as
	}
	made := make(text)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.known) >= mostTexts {
		clear(t.known)
	}
	if t.known == nil {
		t.known = map[string]understood[T]{}
	}
	t.known[name] = understood[T]{string(text), made}
	return made
}
