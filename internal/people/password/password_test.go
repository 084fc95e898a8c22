package password_test

import (
	"strings"
	"testing"

	"upkeep"
	"upkeep/internal/people/password"
)

func small() *password.Hasher {
	return password.NewHasher(password.Effort{Memory: 64, Passes: 1, Threads: 1}, 2)
}

func TestCheckTakesThePasswordAndNoOther(t *testing.T) {
	h := small()
	kept, err := h.Hash(t.Context(), "four words in a row")
	if err != nil {
		t.Fatal(err)
	}
	again, err := h.Hash(t.Context(), "four words in a row")
	if err != nil || again == kept {
		t.Errorf("two hashes of a password: %q, %v", again, err)
	}
	for given, want := range map[string]bool{
		"four words in a row": true, "Four words in a row": false, "": false, "four words in a row ": false,
		"four words in a row" + strings.Repeat("x", 300): false,
	} {
		right, stale, err := h.Check(t.Context(), kept, given)
		if err != nil || right != want || stale {
			t.Errorf("%.20q: %v, %v, %v", given, right, stale, err)
		}
	}
	if right, _, err := h.Check(t.Context(), "", ""); right || err != nil {
		t.Errorf("an account without a password was entered: %v", err)
	}
}

func TestMoreEffortIsNoticed(t *testing.T) {
	kept, err := small().Hash(t.Context(), "four words in a row")
	if err != nil {
		t.Fatal(err)
	}
	more := password.NewHasher(password.Effort{Memory: 128, Passes: 1, Threads: 1}, 2)
	right, stale, err := more.Check(t.Context(), kept, "four words in a row")
	if err != nil || !right || !stale {
		t.Errorf("%v, %v, %v", right, stale, err)
	}
}

func TestAChangedHashIsDamage(t *testing.T) {
	h := small()
	kept, err := h.Hash(t.Context(), "four words in a row")
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"x", "$argon2id$", strings.Replace(kept, "argon2id", "argon2i", 1), strings.Replace(kept, "m=64", "m=4000000", 1),
		strings.Replace(kept, "t=1", "t=0", 1), strings.Replace(kept, "p=1", "p=0", 1), kept[:len(kept)-4],
	} {
		if right, _, err := h.Check(t.Context(), bad, "four words in a row"); right || upkeep.CodeOf(err) != upkeep.CodeDamaged {
			t.Errorf("%s: %v, %v", bad, right, err)
		}
	}
}

func TestValid(t *testing.T) {
	for given, want := range map[string]bool{
		"correct horse battery": true, "short": false, "aaaaaaaaaaaaaaaa": false, "ann@example.org1": false,
		"abababababababab": false, strings.Repeat("x1y2z", 60): false, "élève à l’école": true,
	} {
		if err := password.Valid(given, "ann@example.org", "Ann"); (err == nil) != want {
			t.Errorf("%q: %v", given, err)
		}
	}
}
