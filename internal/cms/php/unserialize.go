package php

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"upkeep"
)

// Limits bounds what Unserialize accepts. A zero field means its default.
type Limits struct {
	Bytes  int // of input; 16 MiB
	Depth  int // of nesting; 128
	Values int // in all; 500,000
}

func (l Limits) withDefaults() Limits {
	if l.Bytes == 0 {
		l.Bytes = 16 << 20
	}
	if l.Depth == 0 {
		l.Depth = 128
	}
	if l.Values == 0 {
		l.Values = 500_000
	}
	return l
}

// Unserialize reads what PHP's serialize wrote and accepts what unserialize
// accepts, trailing bytes included. It creates no object of any class.
// CodeInvalid when data is not of the format, CodeRefused past the limits.
func Unserialize(data []byte, limits Limits) (*Value, error) {
	limits = limits.withDefaults()
	if len(data) > limits.Bytes {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "serialized value of %d bytes: want at most %d", len(data), limits.Bytes)
	}
	// Strings inside the value share this one copy.
	d := &decoder{in: string(data), limits: limits}
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	return v, nil
}

type decoder struct {
	in     string
	pos    int
	limits Limits
	slots  []*Value // what R: and r: count, from 1
}

func (d *decoder) invalid(format string, args ...any) error {
	return upkeep.Errorf(upkeep.CodeInvalid, "serialized value: %w at byte %d", upkeep.Causef(format, args...), d.pos)
}

// value reads one value that references may point at.
func (d *decoder) value(depth int) (*Value, error) {
	if depth > d.limits.Depth {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "serialized value: nested deeper than %d", d.limits.Depth)
	}
	if strings.HasPrefix(d.in[d.pos:], "R:") {
		return d.reference()
	}
	if len(d.slots) >= d.limits.Values {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "serialized value: more than %d values", d.limits.Values)
	}
	v := new(Value)
	d.slots = append(d.slots, v)
	if strings.HasPrefix(d.in[d.pos:], "r:") {
		target, err := d.reference()
		// An object handle may only name an object that came before.
		if err != nil || target.Kind != Object && target.Kind != Opaque && target.Kind != Enum {
			return nil, d.invalid("reference to no object")
		}
		d.slots[len(d.slots)-1] = target
		return target, nil
	}
	return v, d.fill(v, depth)
}

func (d *decoder) reference() (*Value, error) {
	d.pos += 2
	n, err := d.length(';')
	if err != nil {
		return nil, err
	}
	if n < 1 || n > len(d.slots) {
		return nil, d.invalid("reference to nothing")
	}
	return d.slots[n-1], nil
}

func (d *decoder) fill(v *Value, depth int) error {
	if strings.HasPrefix(d.in[d.pos:], "N;") {
		d.pos += 2
		return nil
	}
	if d.pos+2 > len(d.in) || d.in[d.pos+1] != ':' {
		return d.invalid("unknown type")
	}
	letter := d.in[d.pos]
	d.pos += 2
	switch letter {
	case 'b', 'i', 'd':
		return d.scalar(v, letter)
	case 's', 'S':
		return d.text(v, letter == 'S')
	case 'a':
		v.Kind = Array
		return d.items(v, depth)
	case 'O', 'C':
		return d.object(v, letter == 'C', depth)
	case 'E':
		return d.enum(v)
	}
	return d.invalid("unknown type")
}

func (d *decoder) scalar(v *Value, letter byte) (err error) {
	word, _, found := strings.Cut(d.in[d.pos:min(len(d.in), d.pos+400)], ";")
	if !found {
		return d.invalid("unterminated number")
	}
	switch letter {
	case 'b':
		v.Kind, v.Bool = Bool, word == "1"
		if word != "0" && word != "1" {
			return d.invalid("bad boolean")
		}
	case 'i':
		v.Kind = Int
		// PHP takes what it cannot hold for the nearest that it can.
		v.Int, err = strconv.ParseInt(word, 10, 64)
		if err != nil && !(errors.Is(err, strconv.ErrRange) && strings.Trim(word[1:], "0123456789") == "") {
			return d.invalid("bad integer")
		}
	case 'd':
		v.Kind = Float
		if v.Float, err = ParseFloat(word); err != nil {
			return d.invalid("bad float")
		}
	}
	d.pos += len(word) + 1
	return nil
}

// ParseFloat reads a float as PHP writes it in serialized values and sources.
func ParseFloat(word string) (float64, error) {
	switch word {
	case "NAN":
		return math.NaN(), nil
	case "INF":
		return math.Inf(1), nil
	case "-INF":
		return math.Inf(-1), nil
	}
	// Go knows spellings that PHP does not: hexadecimal, underscores, "inf".
	if strings.Trim(word, "0123456789+-.eE") != "" {
		return 0, strconv.ErrSyntax
	}
	f, err := strconv.ParseFloat(word, 64)
	if err != nil && math.IsInf(f, 0) {
		return f, nil
	}
	return f, err
}

// length reads an unsigned decimal and the byte that must follow it.
func (d *decoder) length(end byte) (int, error) {
	n, start := 0, d.pos
	for d.pos < len(d.in) && IsDigit(d.in[d.pos]) {
		n = n*10 + int(d.in[d.pos]-'0')
		if n > d.limits.Bytes {
			return 0, d.invalid("impossible length")
		}
		d.pos++
	}
	if d.pos == start || d.pos == len(d.in) || d.in[d.pos] != end {
		return 0, d.invalid("bad length")
	}
	d.pos++
	return n, nil
}

// quoted reads n:"…" with n bytes between the quotes.
func (d *decoder) quoted() (string, error) {
	n, err := d.length(':')
	if err != nil {
		return "", err
	}
	end := d.pos + 1 + n
	if end >= len(d.in) || d.in[d.pos] != '"' || d.in[end] != '"' {
		return "", d.invalid("bad string")
	}
	s := d.in[d.pos+1 : end]
	d.pos = end + 1
	return s, nil
}

func (d *decoder) text(v *Value, escaped bool) (err error) {
	v.Kind = String
	if escaped {
		v.Str, err = d.escaped()
	} else {
		v.Str, err = d.quoted()
	}
	if err != nil {
		return err
	}
	return d.expect(';')
}

// escaped reads the form S:n:"…" where a byte may be written \xx.
func (d *decoder) escaped() (string, error) {
	n, err := d.length(':')
	if err != nil {
		return "", err
	}
	if err := d.expect('"'); err != nil {
		return "", err
	}
	if n > len(d.in)-d.pos {
		return "", d.invalid("bad string")
	}
	out := make([]byte, 0, n)
	for len(out) < n && d.pos < len(d.in) {
		c := d.in[d.pos]
		d.pos++
		if c == '\\' {
			code, err := strconv.ParseUint(d.in[d.pos:min(len(d.in), d.pos+2)], 16, 8)
			if err != nil || d.pos+2 > len(d.in) {
				return "", d.invalid("bad escape")
			}
			c = byte(code)
			d.pos += 2
		}
		out = append(out, c)
	}
	if len(out) < n {
		return "", d.invalid("bad string")
	}
	return string(out), d.expect('"')
}

func (d *decoder) expect(c byte) error {
	if d.pos >= len(d.in) || d.in[d.pos] != c {
		return d.invalid("want %q", rune(c))
	}
	d.pos++
	return nil
}

// items reads n:{key value …} into v. A repeated key takes the place of the
// earlier one, as in PHP.
func (d *decoder) items(v *Value, depth int) error {
	n, err := d.length(':')
	if err != nil {
		return err
	}
	if err := d.expect('{'); err != nil {
		return err
	}
	if n > len(d.in)-d.pos {
		return d.invalid("impossible count")
	}
	seen := make(map[string]int, min(n, 1024))
	for range n {
		key, err := d.key()
		if err != nil {
			return err
		}
		value, err := d.value(depth + 1)
		if err != nil {
			return err
		}
		if at, again := seen[key]; again {
			v.Items[at].Value = value
			continue
		}
		seen[key] = len(v.Items)
		v.Items = append(v.Items, Item{Key: key, Value: value})
	}
	return d.expect('}')
}

// key reads an array key, which no reference counts.
func (d *decoder) key() (string, error) {
	var k Value
	if d.pos+2 > len(d.in) || !strings.ContainsRune("isS", rune(d.in[d.pos])) {
		return "", d.invalid("bad key")
	}
	if err := d.fill(&k, 0); err != nil {
		return "", err
	}
	return k.Text(), nil
}

func (d *decoder) object(v *Value, custom bool, depth int) (err error) {
	v.Kind = Object
	if v.Class, err = d.quoted(); err != nil {
		return err
	}
	if !isClassName(v.Class) {
		return d.invalid("bad class name")
	}
	if err := d.expect(':'); err != nil {
		return err
	}
	if !custom {
		// PHP reads this count, and no other, like an integer.
		if d.pos < len(d.in) && d.in[d.pos] == '+' {
			d.pos++
		}
		if strings.HasPrefix(d.in[d.pos:], ":{}") {
			d.pos += len(":{}")
			return nil
		}
		return d.items(v, depth)
	}
	v.Kind = Opaque
	n, err := d.length(':')
	if err != nil {
		return err
	}
	if err := d.expect('{'); err != nil {
		return err
	}
	if n > len(d.in)-d.pos {
		return d.invalid("bad custom object")
	}
	v.Str = d.in[d.pos : d.pos+n]
	d.pos += n
	return d.expect('}')
}

func (d *decoder) enum(v *Value) error {
	v.Kind = Enum
	s, err := d.quoted()
	if err != nil {
		return err
	}
	class, name, found := strings.Cut(s, ":")
	if !found || !isClassName(class) || name == "" {
		return d.invalid("bad enum")
	}
	v.Class, v.Str = class, name
	return d.expect(';')
}

func isClassName(s string) bool {
	for i := range len(s) {
		if c := s[i]; !IsNameByte(c) && c != '\\' {
			return false
		}
	}
	return s != "" && s[0] != '\\'
}

// IsNameByte reports whether PHP allows a byte in names, not at their start.
func IsNameByte(c byte) bool { return isLetter(c) || IsDigit(c) || c == '_' || c >= 0x80 }
