// Package password keeps passwords as argon2id makes them, and checks them in
// a time that does not say whether there was one.
package password

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"

	"golang.org/x/crypto/argon2"

	"upkeep"
)

// Effort is what one check costs. It is written beside each hash, so that it
// can be raised: what was made with another is made anew at the next sign-in.
type Effort struct {
	Memory  uint32 // KiB
	Passes  uint32
	Threads uint8
}

// Usual is today's effort, above what OWASP asks for.
func Usual() Effort { return Effort{Memory: 64 << 10, Passes: 2, Threads: 1} }

// The most that a stored hash may ask for: the records could have been changed.
const (
	mostMemory = 1 << 20 // KiB
	mostPasses = 16
	saltBytes  = 16
	hashBytes  = 32
)

// The lengths of a password. There is no rule about its characters.
const (
	Shortest = 12
	longest  = 256
)

// Hasher makes and checks hashes, few at a time: each takes its memory, and
// whoever asks for many must not take the machine's.
type Hasher struct {
	effort Effort
	turns  chan struct{}
	decoy  string // of no password, for accounts without one
}

// NewHasher returns a Hasher that works with effort, at most so many at once.
func NewHasher(effort Effort, atOnce int) *Hasher {
	h := &Hasher{effort: effort, turns: make(chan struct{}, atOnce)}
	h.decoy = h.write(random(saltBytes), random(hashBytes))
	return h
}

// Valid returns CodeInvalid when a password is too easily guessed: too short,
// or one of those that everybody tries, with what the person is called.
func Valid(password string, known ...string) error {
	if n := len([]rune(password)); n < Shortest || len(password) > longest {
		return upkeep.Errorf(upkeep.CodeInvalid, "the password is too short or too long").
			WithHint("Take %d characters or more, such as four words.", Shortest)
	}
	low := strings.ToLower(password)
	for _, word := range known {
		if word = strings.ToLower(word); len(word) >= 3 {
			low = strings.ReplaceAll(low, word, "")
		}
	}
	distinct := make(map[rune]bool)
	for _, r := range low {
		distinct[r] = true
	}
	if len([]rune(low)) < Shortest/2 || len(distinct) < 5 {
		return upkeep.Errorf(upkeep.CodeInvalid, "the password is too easily guessed").
			WithHint("Take %d characters or more, such as four words.", Shortest)
	}
	return nil
}

// Hash returns what to keep of a password.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if err := h.wait(ctx); err != nil {
		return "", err
	}
	defer h.done()
	salt := random(saltBytes)
	return h.write(salt, derive(password, salt, h.effort)), nil
}

// Check reports whether password is the one that kept was made of, and whether
// it should be made anew, with today's effort. It takes the time of a check
// when kept is "", too.
func (h *Hasher) Check(ctx context.Context, kept, password string) (right, stale bool, err error) {
	if err := h.wait(ctx); err != nil {
		return false, false, err
	}
	defer h.done()
	none := kept == ""
	if none {
		kept = h.decoy
	}
	effort, salt, want, err := read(kept)
	if err != nil {
		return false, false, err
	}
	if len(password) > longest {
		password = password[:longest] // never one that was taken
		none = true
	}
	same := subtle.ConstantTimeCompare(derive(password, salt, effort), want) == 1
	return same && !none, effort != h.effort, nil
}

func (h *Hasher) wait(ctx context.Context) error {
	select {
	case h.turns <- struct{}{}:
		return nil
	case <-ctx.Done():
		return upkeep.Errorf(upkeep.CodeInterrupted, "check a password: %w", ctx.Err())
	}
}

func (h *Hasher) done() { <-h.turns }

func derive(password string, salt []byte, e Effort) []byte {
	return argon2.IDKey([]byte(password), salt, e.Passes, e.Memory, e.Threads, hashBytes)
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}

// write is a hash in the form that other programs read, too.
func (h *Hasher) write(salt, hash []byte) string {
	e := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, h.effort.Memory, h.effort.Passes, h.effort.Threads,
		e.EncodeToString(salt), e.EncodeToString(hash))
}

func read(kept string) (e Effort, salt, hash []byte, err error) {
	damaged := upkeep.Errorf(upkeep.CodeDamaged, "a kept password does not read back").
		WithHint("Let the person choose another: upkeep account reset.")
	parts := strings.Split(kept, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return e, nil, nil, damaged
	}
	if _, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &e.Memory, &e.Passes, &e.Threads); err != nil {
		return e, nil, nil, damaged
	}
	salt, serr := base64.RawStdEncoding.DecodeString(parts[4])
	hash, herr := base64.RawStdEncoding.DecodeString(parts[5])
	if serr != nil || herr != nil || len(salt) < 8 || len(hash) != hashBytes || e.Passes == 0 || e.Threads == 0 ||
		e.Memory > mostMemory || e.Passes > mostPasses {
		return e, nil, nil, damaged
	}
	return e, salt, hash, nil
}
