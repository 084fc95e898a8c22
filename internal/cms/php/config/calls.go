package config

import (
	"strings"

	"upkeep/internal/cms/php"
)

// calls are those of one function of Source.Calls.
type calls struct {
	arguments []*php.Value // the first of each
	unsure    bool         // there are some that only running the file can tell
}

// Calls returns the first argument of each call of a function of Source.Calls,
// in their order. Dynamic when a call may or may not happen, or its argument
// is not known.
func (c *Config) Calls(function string) ([]*php.Value, Certainty) {
	found := c.calls[strings.ToLower(function)]
	switch {
	case c.foreign || c.steps > maxSteps || found != nil && found.unsure:
		return nil, Dynamic
	case found == nil:
		return nil, Absent
	}
	return found.arguments, Static
}

// recorded reports whether a call at i is one of Source.Calls that the file
// does not declare itself.
func (r *reader) recorded(i int) bool {
	for _, function := range r.source.Calls {
		if r.isCall(i, function) {
			return !r.declared(strings.ToLower(function))
		}
	}
	return false
}

// record notes the statement of one call.
func (r *reader) record(i, end int) {
	word := strings.ToLower(strings.TrimPrefix(r.tok(i).text, `\`))
	found := r.calls[word]
	if found == nil {
		found = &calls{}
		r.calls[word] = found
	}
	value, known := r.eval(i+2, min(r.find(i+2, end-1, ","), end-1))
	if !known || r.unsure {
		r.effects(i+2, end-1)
		found.unsure = true
		return
	}
	found.arguments = append(found.arguments, value)
}
