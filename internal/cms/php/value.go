package php

import (
	"iter"
	"strconv"
)

// Kind says what a Value is.
type Kind uint8

// The kinds.
const (
	Null Kind = iota
	Bool
	Int
	Float
	String
	Array
	Object // Class and Items; never instantiated
	Enum   // Class and the case's name in Str
	Opaque // an object with its own format: Class, and the raw data in Str
)

// Value is a PHP value. References make the same Value appear in several
// places, even inside itself: who walks one must bound the depth. All methods
// accept a nil receiver, which behaves as an absent value.
type Value struct {
	Kind  Kind
	Bool  bool
	Int   int64
	Float float64
	Str   string
	Class string
	Items []Item // of an array or object, in order
}

// Item is one entry of an array or property of an object.
type Item struct {
	// Key in decimal when it is an integer; a decimal key always is one, as
	// in PHP. Properties that are not public have PHP's mangled name:
	// "\x00*\x00name" or "\x00Class\x00name".
	Key   string
	Value *Value
}

// Get follows keys, or property names without regard to visibility, and
// returns nil where there is nothing.
func (v *Value) Get(keys ...string) *Value {
	for _, key := range keys {
		v = v.item(key)
	}
	return v
}

func (v *Value) item(key string) *Value {
	if v == nil {
		return nil
	}
	for i := range v.Items {
		if v.Items[i].Key == key {
			return v.Items[i].Value
		}
	}
	if v.Kind != Object {
		return nil
	}
	for i := range v.Items {
		if PropertyName(v.Items[i].Key) == key {
			return v.Items[i].Value
		}
	}
	return nil
}

// All yields the entries of an array or object in order, keys as in Item.
func (v *Value) All() iter.Seq2[string, *Value] {
	return func(yield func(string, *Value) bool) {
		if v == nil {
			return
		}
		for i := range v.Items {
			if !yield(v.Items[i].Key, v.Items[i].Value) {
				return
			}
		}
	}
}

// Text converts a scalar as PHP does; anything else is "".
func (v *Value) Text() string {
	if v == nil {
		return ""
	}
	switch v.Kind {
	case String:
		return v.Str
	case Int:
		return strconv.FormatInt(v.Int, 10)
	case Float:
		return strconv.FormatFloat(v.Float, 'G', -1, 64)
	case Bool:
		if v.Bool {
			return "1"
		}
	}
	return ""
}

// True converts to a boolean as PHP does.
func (v *Value) True() bool {
	if v == nil {
		return false
	}
	switch v.Kind {
	case Bool:
		return v.Bool
	case Int:
		return v.Int != 0
	case Float:
		return v.Float != 0
	case String:
		return v.Str != "" && v.Str != "0"
	case Array:
		return len(v.Items) > 0
	}
	return v.Kind != Null
}

// PropertyName strips PHP's visibility mark from a property's key.
func PropertyName(key string) string {
	if key == "" || key[0] != 0 {
		return key
	}
	for i := 1; i < len(key); i++ {
		if key[i] == 0 {
			return key[i+1:]
		}
	}
	return key
}

// isIntKey reports whether PHP turns a string key into an integer: the
// decimal form of an int64, without plus, leading zeros or "-0".
func isIntKey(key string) bool {
	if key == "" || len(key) > 20 {
		return false
	}
	n, err := strconv.ParseInt(key, 10, 64)
	return err == nil && strconv.FormatInt(n, 10) == key
}

// NextKey is the key that PHP gives to a value added to the array without one.
func (v *Value) NextKey() string {
	next := int64(0)
	for i := range v.Items {
		if key := v.Items[i].Key; isIntKey(key) {
			if n, _ := strconv.ParseInt(key, 10, 64); n >= next {
				next = n + 1
			}
		}
	}
	return strconv.FormatInt(next, 10)
}

// With returns a copy of the array with one entry set.
func (v *Value) With(key string, value *Value) *Value {
	out := &Value{Kind: Array, Items: append([]Item(nil), v.Items...)}
	for i := range out.Items {
		if out.Items[i].Key == key {
			out.Items[i].Value = value
			return out
		}
	}
	out.Items = append(out.Items, Item{Key: key, Value: value})
	return out
}
