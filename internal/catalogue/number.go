package catalogue

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Spaces that do not break. French sets the narrow one between groups of
// digits and before ; ! ?, the wide one before a colon, a unit and inside
// guillemets.
const (
	noBreak       = "\u00a0"
	noBreakNarrow = "\u202f"
)

// Number returns a whole number with its digits in groups of three.
func (t *Texts) Number(n int64) string { return t.grouped(strconv.FormatInt(n, 10)) }

// grouped groups the digits of a whole number and returns anything else as
// it is.
func (t *Texts) grouped(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "-", digits[1:]
	}
	if len(digits) < 4 || strings.Trim(digits, "0123456789") != "" {
		return sign + digits
	}
	separator := ","
	if t.language == French {
		separator = noBreakNarrow
	}
	first := len(digits) % 3
	var groups []string
	if first > 0 {
		groups = append(groups, digits[:first])
	}
	for i := first; i < len(digits); i += 3 {
		groups = append(groups, digits[i:i+3])
	}
	return sign + strings.Join(groups, separator)
}

// Bytes returns a size in decimal units with at most three digits: "1.4 GB",
// "1,4 Go".
func (t *Texts) Bytes(n int64) string {
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	if t.language == French {
		units = []string{"o", "ko", "Mo", "Go", "To", "Po", "Eo"}
	}
	value, unit := float64(n), 0
	for value >= 999.5 && unit < len(units)-1 {
		value /= 1000
		unit++
	}
	decimals := 0
	if unit > 0 && value < 9.95 {
		decimals = 1
	}
	return t.decimal(value, decimals) + noBreak + units[unit]
}

// Span returns a duration as people say it: "0.4 s", "38 s", "2 min 05 s",
// "3 h 12 min".
func (t *Texts) Span(d time.Duration) string {
	switch seconds := d.Seconds(); {
	case seconds < 9.95:
		return t.decimal(math.Max(seconds, 0), 1) + noBreak + "s"
	case seconds < 59.5:
		return t.decimal(seconds, 0) + noBreak + "s"
	case d < time.Hour:
		d = d.Round(time.Second)
		return strconv.Itoa(int(d/time.Minute)) + noBreak + "min" + noBreak + two(int(d%time.Minute/time.Second)) + noBreak + "s"
	default:
		d = d.Round(time.Minute)
		return strconv.Itoa(int(d/time.Hour)) + noBreak + "h" + noBreak + two(int(d%time.Hour/time.Minute)) + noBreak + "min"
	}
}

func (t *Texts) decimal(value float64, decimals int) string {
	s := strconv.FormatFloat(value, 'f', decimals, 64)
	if t.language == French {
		s = strings.Replace(s, ".", ",", 1)
	}
	return s
}

func two(n int) string {
	if n < 10 {
		return "0" + strconv.Itoa(n)
	}
	return strconv.Itoa(n)
}
