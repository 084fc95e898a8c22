// Package postgres lends tests empty databases of a private PostgreSQL, which
// is started for the first that asks.
package postgres

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"upkeep"
	"upkeep/internal/demo/cluster"
)

// Password is in each address, although the server asks for none: it must show
// up nowhere.
const Password = "geheim-7391"

// Server is a PostgreSQL that the tests of a package share.
type Server struct {
	once    sync.Once
	dir     string
	cluster *cluster.Cluster
	err     error
	made    atomic.Int32
}

// Run runs the tests, and returns their status when the server has ended.
func (s *Server) Run(m *testing.M) int {
	defer s.Close()
	return m.Run()
}

// Close ends the server, if it was started.
func (s *Server) Close() {
	if s.cluster != nil {
		_ = s.cluster.Kill(context.Background()) // its folder goes anyway
	}
	_ = os.RemoveAll(s.dir) // "" is nothing
}

// Database returns the address of a new, empty database, and the server's way
// to run scripts in it.
func (s *Server) Database(t testing.TB) (address string, exec func(script string) string) {
	t.Helper()
	s.once.Do(s.start)
	if s.err != nil {
		t.Fatal(s.err, upkeep.HintOf(s.err))
	}
	name := fmt.Sprintf("upkeep%d", s.made.Add(1))
	if _, err := s.cluster.CreateDatabase(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	where := url.URL{Scheme: "postgres", User: url.UserPassword(name, Password), Path: "/" + name, RawQuery: url.Values{"host": {s.dir}}.Encode()}
	return where.String(), func(script string) string {
		t.Helper()
		out, err := s.cluster.Exec(context.WithoutCancel(t.Context()), name, script)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func (s *Server) start() {
	if s.dir, s.err = os.MkdirTemp("/tmp", "upkeep-pg-"); s.err != nil { // a socket's path is short
		return
	}
	if s.err = os.Chmod(s.dir, 0o755); s.err == nil {
		s.cluster, s.err = cluster.Start(context.Background(), s.dir, "")
	}
}
