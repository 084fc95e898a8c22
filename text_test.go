package upkeep_test

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"syscall"
	"testing"

	"upkeep"
)

// inFrench is a reader of a language that takes arguments in another order.
func inFrench(format string) string {
	translations := map[string]string{
		"restore %s":                "restauration de %[1]s",
		"%s: %w":                    "%[1]s : %[2]s",
		"%s is %d of %q":            "de %[3]s, %[1]s vaut %[2]s",
		"no such file or directory": "aucun fichier",
		"Look at %s.":               "Voir %[1]s.",
		"lost: %w":                  "perdu : %[1]s",
	}
	if t, ok := translations[format]; ok {
		return t
	}
	return format
}

// TestErrorIsSaidInAnotherLanguage: after it was told to a peer and read back,
// an error is in English what it was and in another language all of it.
func TestErrorIsSaidInAnotherLanguage(t *testing.T) {
	inner := upkeep.Errorf(upkeep.CodeNotFound, "%s is %d of %q", "x", 3, "y z").WithHint("Look at %s.", "z")
	missing := &fs.PathError{Op: "open", Path: "/a", Err: syscall.ENOENT}
	for _, test := range []struct {
		err             error
		english, french string
	}{
		{inner, `x is 3 of "y z"`, `de "y z", x vaut 3`},
		{upkeep.Errorf(upkeep.CodeDamaged, "lost: %w", inner), `lost: x is 3 of "y z"`, `perdu : de "y z", x vaut 3`},
		{missing, "open /a: no such file or directory", "open /a : aucun fichier"},
		{fmt.Errorf("(%w)", missing), "(open /a: no such file or directory)", "(open /a : aucun fichier)"},
		{os.ErrClosed, "file already closed", "file already closed"},
		{upkeep.Errorf(upkeep.CodeInvalid, "100%% of %s", "a"), "100% of a", "100% of a"},
	} {
		err := test.err
		upkeep.Wrap(&err, "restore %s", "it")
		raw, merr := json.Marshal(upkeep.Told(err))
		if merr != nil {
			t.Fatal(merr)
		}
		var told upkeep.Error
		if merr := json.Unmarshal(raw, &told); merr != nil {
			t.Fatal(merr)
		}
		if got := told.Error(); got != "restore it: "+test.english || upkeep.TextOf(&told).String() != got {
			t.Errorf("English %q, want %q", got, test.english)
		}
		if got := upkeep.TextOf(&told).In(inFrench); got != "restauration de it : "+test.french {
			t.Errorf("French %q, want %q", got, test.french)
		}
		if upkeep.CodeOf(&told) != upkeep.CodeOf(test.err) || upkeep.HintTextOf(&told).In(inFrench) != upkeep.HintTextOf(test.err).In(inFrench) {
			t.Errorf("%s: code or hint is lost", raw)
		}
	}
}

// TestTextOfAPeerIsNotTrusted: one that does not say what the message says,
// or lacks arguments, harms nothing; an older peer sends none.
func TestTextOfAPeerIsNotTrusted(t *testing.T) {
	for _, raw := range []string{
		`{"code":"invalid","message":"m","hint":"h"}`,
		`{"code":"invalid","message":"m","hint":"h","message_text":{"format":"%s of %[9]s %"},"hint_text":{"plain":"other"}}`,
	} {
		var told upkeep.Error
		if err := json.Unmarshal([]byte(raw), &told); err != nil {
			t.Fatal(err)
		}
		if upkeep.TextOf(&told).In(inFrench) != "m" || upkeep.HintTextOf(&told).In(inFrench) != "h" {
			t.Errorf("%s: %q, %q", raw, upkeep.TextOf(&told), upkeep.HintOf(&told))
		}
	}
}
