package layout

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

func TestHostAsJoomlaReadsIt(t *testing.T) {
	corpus := os.Getenv("UPKEEP_CORPUS")
	if corpus == "" {
		t.Skip("UPKEEP_CORPUS names no folder")
	}
	text, err := os.ReadFile(filepath.Join(corpus, "vectors/db_host.json"))
	if err != nil {
		t.Fatal(err)
	}
	var vectors struct {
		Joomla struct {
			Cases []struct {
				In           string
				Host, Socket *string
				Port         *int
			}
		}
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	if len(vectors.Joomla.Cases) < 20 {
		t.Fatalf("%d cases", len(vectors.Joomla.Cases))
	}
	for _, c := range vectors.Joomla.Cases {
		want := address{}
		if c.Host != nil {
			want.host = *c.Host
		}
		if c.Socket != nil {
			want.socket = *c.Socket
		}
		if c.Port != nil {
			want.port = *c.Port
		}
		if got := parseHost(c.In, 3306); got != want {
			t.Errorf("%q: got %+v, want %+v", c.In, got, want)
		}
	}
}

// The corpus is not everywhere; these are of every form.
func TestHostForms(t *testing.T) {
	for in, want := range map[string]address{
		"localhost": {"localhost", "", 3306}, "db:3307": {"db", "", 3307}, "localhost:/run/x.sock": {"localhost", "/run/x.sock", 0},
		"[::1]:3307": {"[::1]", "", 3307}, "::1": {"::1", "", 3306}, ":3307": {"localhost", "", 3307}, "10.0.0.1:3307": {"10.0.0.1", "", 3307},
		"unix:/run/x.sock": {"", "/run/x.sock", 3306},
	} {
		if got := parseHost(in, 3306); got != want {
			t.Errorf("%q: got %+v, want %+v", in, got, want)
		}
	}
}
