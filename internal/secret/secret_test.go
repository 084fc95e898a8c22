package secret_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"upkeep"
	"upkeep/internal/secret"
)

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func keeper(t *testing.T, path string) *secret.Keeper {
	t.Helper()
	k, err := secret.OpenKeeper(path)
	must(t, err)
	return k
}

func TestSealAndOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "key")
	k := keeper(t, path)
	plain := []byte("correct horse \x00\xff")
	sealed, err := k.Seal(plain)
	must(t, err)
	if bytes.Contains(sealed, []byte("horse")) {
		t.Error("the sealed bytes show the secret")
	}
	opened, err := keeper(t, path).Open(sealed) // as the next process does
	must(t, err)
	if !bytes.Equal(opened, plain) {
		t.Errorf("got %q", opened)
	}
	for name, damaged := range map[string][]byte{
		"empty":     nil,
		"truncated": sealed[:len(sealed)-1],
		"changed":   append(bytes.Clone(sealed[:len(sealed)-1]), sealed[len(sealed)-1]^1),
		"foreign":   sealedByOther(t, plain),
	} {
		if _, err := k.Open(damaged); upkeep.CodeOf(err) != upkeep.CodeDamaged {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func sealedByOther(t *testing.T, plain []byte) []byte {
	sealed, err := keeper(t, filepath.Join(t.TempDir(), "key")).Seal(plain)
	must(t, err)
	return sealed
}

func TestKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "key")
	keeper(t, path)
	for name, want := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700} {
		info, err := os.Stat(name)
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s has mode %o, want %o", name, info.Mode().Perm(), want)
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	must(t, err)
	if len(left) != 1 {
		t.Errorf("left behind: %v", left)
	}

	for _, mode := range []os.FileMode{0o640, 0o604, 0o620, 0o610} {
		must(t, os.Chmod(path, mode))
		if _, err := secret.OpenKeeper(path); upkeep.CodeOf(err) != upkeep.CodeUnauthorized || upkeep.HintOf(err) == "" {
			t.Errorf("mode %o: got %v", mode, err)
		}
	}
	must(t, os.Chmod(path, 0o600))
	keeper(t, path)

	text, err := os.ReadFile(path)
	must(t, err)
	key := regexp.MustCompile(`AGE-SECRET-KEY-\S+`).FindString(string(text))
	for _, damaged := range []string{"", "# nothing\n", key[:len(key)-1] + "\n", strings.Repeat("x", 5000)} {
		must(t, os.WriteFile(path, []byte(damaged), 0o600))
		_, err := secret.OpenKeeper(path)
		if upkeep.CodeOf(err) != upkeep.CodeDamaged {
			t.Errorf("%.20q: got %v", damaged, err)
		}
		if strings.Contains(fmt.Sprint(err), "SECRET-KEY") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
	if _, err := secret.OpenKeeper("key"); upkeep.CodeOf(err) != upkeep.CodeInvalid {
		t.Errorf("a relative path: got %v", err)
	}
}

// Two first uses at once must not each seal for their own key.
func TestKeyFileIsMadeOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	sealed := make([][]byte, 8)
	var group sync.WaitGroup
	for i := range sealed {
		group.Go(func() {
			k, err := secret.OpenKeeper(path)
			if err == nil {
				sealed[i], err = k.Seal([]byte("x"))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	k := keeper(t, path)
	for _, bytes := range sealed {
		_, err := k.Open(bytes)
		must(t, err)
	}
}

func TestSigningKey(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	ledger, err := keeper(t, path).SigningKey("ledger")
	must(t, err)
	again, err := keeper(t, path).SigningKey("ledger")
	must(t, err)
	other, err := keeper(t, path).SigningKey("certificate")
	must(t, err)
	if !ledger.Equal(again) || ledger.Equal(other) {
		t.Error("a signing key depends on the identity and the purpose, nothing else")
	}
	if !ed25519.Verify(ledger.Public().(ed25519.PublicKey), []byte("m"), ed25519.Sign(ledger, []byte("m"))) {
		t.Error("the key does not sign")
	}
}

func TestNewPassword(t *testing.T) {
	form := regexp.MustCompile(`^([0-9a-hjkmnp-tv-z]{4}-){6}[0-9a-hjkmnp-tv-z]{4}$`)
	seen := map[string]bool{}
	letters := map[rune]bool{}
	for range 200 {
		text := secret.NewPassword().Reveal()
		if !form.MatchString(text) || seen[text] {
			t.Fatalf("got %q", text)
		}
		seen[text] = true
		for _, letter := range text {
			letters[letter] = true
		}
	}
	if len(letters) != 33 { // 32 and the dash
		t.Errorf("%d different letters", len(letters))
	}
}

// However a secret is handed to something that writes, it does not show.
func TestTextNeverPrints(t *testing.T) {
	const hidden = "hunter2-hunter2"
	text := secret.NewText(hidden)
	type credentials struct {
		User     string
		Password secret.Text
		private  secret.Text
	}
	holder := credentials{"anna", text, text}
	var written strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%p", "%T", "%10s", "%o", "%U", "%e"} {
		for _, value := range []any{text, &text, holder, &holder, []secret.Text{text}, map[string]secret.Text{"k": text},
			map[secret.Text]int{text: 1}, [1]credentials{holder}, struct{ inner any }{text}, struct{ inner credentials }{holder}} {
			fmt.Fprintf(&written, verb+"\n", value)
		}
	}
	for _, verb := range []string{"%v", "%#v", "%d", "%x", "%5q"} {
		if got := fmt.Sprintf(verb, text); got != "•••" {
			t.Errorf("%s gives %s", verb, got)
		}
	}
	fmt.Fprintln(&written, text, holder, errors.New(text.String()), fmt.Errorf("with %w %v", errors.ErrUnsupported, holder))
	for _, value := range []any{text, holder, map[string]any{"k": &text}} {
		body, err := json.Marshal(value)
		must(t, err)
		written.Write(body)
	}
	body, err := xml.Marshal(holder)
	must(t, err)
	written.Write(body)
	for _, handler := range []slog.Handler{slog.NewTextHandler(&written, nil), slog.NewJSONHandler(&written, nil)} {
		log := slog.New(handler)
		log.Info("m", "text", text, "pointer", &text, "holder", holder, "any", slog.AnyValue(holder),
			slog.Group("g", "text", text), "slice", []secret.Text{text})
	}
	for form, needle := range map[string]string{"itself": hidden, "hex": fmt.Sprintf("%x", hidden), "HEX": fmt.Sprintf("%X", hidden)} {
		if strings.Contains(written.String(), needle) {
			t.Errorf("the secret was written as %s", form)
		}
	}
	if !strings.Contains(written.String(), "•••") || text.Reveal() != hidden || (secret.Text{}).Reveal() != "" {
		t.Error("the test does not test")
	}
}

func TestTextFromConfiguration(t *testing.T) {
	var config struct{ Password secret.Text }
	must(t, json.Unmarshal([]byte(`{"Password":"from outside"}`), &config))
	if config.Password.Reveal() != "from outside" {
		t.Errorf("got %q", config.Password.Reveal())
	}
}

func TestRedactor(t *testing.T) {
	redactor := secret.NewRedactor(secret.NewText("hunter2"), secret.NewText("abc"), secret.NewText(""))
	got := redactor.Redact("access denied for root with hunter2 (abc)")
	if got != "access denied for root with ••• (abc)" {
		t.Errorf("got %q", got)
	}
	if got := (secret.Redactor{}).Redact("as it was"); got != "as it was" {
		t.Errorf("got %q", got)
	}
}
