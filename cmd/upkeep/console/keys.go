package console

import (
	"context"
	"os"
	"strings"

	"upkeep"
	"upkeep/internal/web"
)

// ConfirmKeys shows the keys of the hops on a way one after the other, and goes
// on behind each only when it was confirmed. Where fingerprints are given, they
// are all that counts. ask returns the keys up to the first that is not
// confirmed; the confirmed fingerprints are returned.
func (e *Env) ConfirmKeys(ctx context.Context, yes bool, given []string, ask func(confirmed []string) ([]web.HostKey, error)) ([]string, error) {
	confirmed := given
	for {
		keys, err := ask(confirmed)
		if err != nil {
			return nil, err
		}
		if len(keys) == 0 || keys[len(keys)-1].Confirmed {
			return confirmed, nil
		}
		key := keys[len(keys)-1].HostKey
		if len(given) > 0 {
			return nil, upkeep.Unconfirmed([]upkeep.HostKey{key}, given)
		}
		if err := e.Confirm(ctx, yes, e.Text("host.ask_key", "address", key.Hop, "digest", key.Fingerprint)); err != nil {
			return nil, err
		}
		confirmed = append(confirmed, key.Fingerprint)
	}
}

// PrivateFile returns the secret in a file, without what surrounds it. A file
// that others can read is refused.
func PrivateFile(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", upkeep.Errorf(upkeep.CodeInvalid, "%w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return "", upkeep.Errorf(upkeep.CodeInvalid, "%s: others can read it", path).WithHint("chmod 600 %s", path)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		return "", upkeep.Errorf(upkeep.CodeInvalid, "%w", err)
	}
	return strings.TrimSpace(string(raw)), nil
}
