package secret

import (
	"crypto/rand"
	"strings"
)

// alphabet is Crockford's: 32 letters and digits without i, l, o and u, so that
// none is taken for another when read aloud or from paper.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// 7 groups of 4 letters of 5 bits are 140 bits.
const (
	groups    = 7
	groupSize = 4
)

// NewPassword returns a password of 140 random bits that a person can copy
// from paper: seven groups of four letters and digits, joined by dashes.
func NewPassword() Text {
	var random [groups * groupSize]byte
	_, _ = rand.Read(random[:]) // it never fails: the program ends first
	var text strings.Builder
	for i, b := range random {
		if i > 0 && i%groupSize == 0 {
			text.WriteByte('-')
		}
		text.WriteByte(alphabet[int(b)%len(alphabet)]) // 256 is a multiple of 32: no letter is likelier
	}
	return NewText(text.String())
}
