package custody

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/agent"
	"upkeep/internal/verify"
)

// While a site still lets visitors in although its gate is closed, as with a
// cache of code that looks only now and then, one of them may begin to write:
// the site counts as frozen after all of these have ended too.
func TestFreezeWaitsForThoseStillLetIn(t *testing.T) {
	var freezes, looks atomic.Int32
	dir := t.TempDir()
	listener, err := net.Listen("unix", filepath.Join(dir, "agent.sock"))
	if err != nil {
		t.Fatal(err)
	}
	host := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		freezes.Add(1)
		at := time.Unix(int64(freezes.Load()), 0).UTC().Format(time.RFC3339)
		_, _ = io.WriteString(w, `{"result":{"at":"`+at+`"}}`+"\n")
	}))
	host.Listener = listener
	host.Start()
	defer host.Close()
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if looks.Add(1) > 2 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer site.Close()
	r := &Reached{
		c:    New(Config{Verifier: &verify.Verifier{Now: time.Now}}),
		site: &upkeep.Site{URL: site.URL}, client: agent.NewClient(dir, os.Geteuid()),
	}
	defer r.client.Close()
	at, err := r.Freeze(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if freezes.Load() != 2 || at.Unix() != 2 {
		t.Errorf("drained %d times, frozen since %v", freezes.Load(), at)
	}
}
