package layout

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func corpus(t *testing.T, name string, out any) {
	t.Helper()
	dir := os.Getenv("UPKEEP_CORPUS")
	if dir == "" {
		dir = "../../../../../shared/corpus"
	}
	data, err := os.ReadFile(filepath.Join(dir, "vectors", name))
	if err != nil {
		t.Skipf("no corpus (set UPKEEP_CORPUS): %v", err)
	}
	if err := json.Unmarshal(data, out); err != nil {
		t.Fatal(err)
	}
}

func TestDBHostAgreesWithWordPress(t *testing.T) {
	var vectors struct {
		WordPress struct {
			Cases []struct {
				In, Host string
				Port     *int
				Socket   *string
				IPv6, OK bool
			}
		}
	}
	corpus(t, "db_host.json", &vectors)
	for _, c := range vectors.WordPress.Cases {
		got, ok := parseDBHost(c.In)
		want := dbAddress{host: c.Host, ipv6: c.IPv6}
		if c.Port != nil {
			want.port = *c.Port
		}
		if c.Socket != nil {
			want.socket = *c.Socket
		}
		if ok != c.OK || got != want {
			t.Errorf("%q: %+v %v, want %+v %v", c.In, got, ok, want, c.OK)
		}
	}
	if len(vectors.WordPress.Cases) == 0 {
		t.Error("no cases")
	}
}

func FuzzDBHost(f *testing.F) {
	for _, seed := range []string{"localhost:3306:/x", "[::1]:3306", "a:b", ":/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		if a, ok := parseDBHost(value); ok && (a.port < 0 || strings.Contains(a.host, "/")) {
			t.Errorf("%q: %+v", value, a)
		}
	})
}

func TestOnlyThisMachineIsReachedThroughASocket(t *testing.T) {
	for host, want := range map[string]string{
		"localhost:/run/x.sock": "/run/x.sock", "LOCALHOST:3307:/run/x.sock": "/run/x.sock", ":/run/x.sock": "/run/x.sock",
		"127.0.0.1:/run/x.sock": "", "db:3306:/run/x.sock": "", "[::1]:/run/x.sock": "", "localhost:3307": "",
	} {
		s := &settings{prefix: "wp_", constants: map[string]string{"DB_NAME": "shop", "DB_HOST": host}}
		db, err := s.database()
		if err != nil || db.Socket != want {
			t.Errorf("%s: %+v, %v", host, db, err)
		}
	}
}
