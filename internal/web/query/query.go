// Package query reads the parameters of a request, and keeps the first that is
// wrong.
package query

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"upkeep"
)

// Values reads query parameters and keeps the first error.
type Values struct {
	url.Values
	Err error
}

// Of reads the query of a request. Err of the answer is CodeInvalid when it cannot be read.
func Of(r *http.Request) *Values {
	parsed, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return &Values{Err: upkeep.Errorf(upkeep.CodeInvalid, "query: %w", err)}
	}
	return &Values{Values: parsed}
}

// Text returns a parameter, "" when it is not given.
func (v *Values) Text(name string) string { return v.Get(name) }

// Flag returns a yes or no, false when it is not given.
func (v *Values) Flag(name string) bool {
	if !v.Has(name) {
		return false
	}
	b, err := strconv.ParseBool(v.Get(name))
	if err != nil && v.Err == nil {
		v.Err = upkeep.Errorf(upkeep.CodeInvalid, "query: %s %q: want true or false", name, v.Get(name))
	}
	return b
}

// Number returns a whole number from 0, 0 when it is not given.
func (v *Values) Number(name string) int64 {
	if !v.Has(name) {
		return 0
	}
	n, err := strconv.ParseInt(v.Get(name), 10, 64)
	if (err != nil || n < 0) && v.Err == nil {
		v.Err = upkeep.Errorf(upkeep.CodeInvalid, "query: %s %q: want a whole number from 0", name, v.Get(name))
	}
	return n
}

// ActorHeader says who asks, for the ledger. Whoever reaches the socket or
// holds the token is trusted to say it.
const ActorHeader = "Upkeep-Actor"

// Actor returns who asks, "api" when the request does not say.
func Actor(r *http.Request) string {
	name := strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f {
			return -1
		}
		return c
	}, r.Header.Get(ActorHeader))
	if len(name) > 100 {
		name = name[:100]
	}
	if name = strings.ToValidUTF8(name, ""); name == "" {
		return "api"
	}
	return name
}
