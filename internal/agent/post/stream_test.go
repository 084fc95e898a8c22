package post

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/yamux"

	"upkeep"
)

// onHost returns a client of a host that meets each connection as how does,
// after it has read the request.
func onHost(t *testing.T, how func(conn net.Conn)) *Client {
	t.Helper()
	ours, theirs := net.Pipe()
	session := must[*yamux.Session](t)(yamux.Server(theirs, settings()))
	go func() {
		for {
			conn, err := session.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if _, err := bufio.NewReader(conn).ReadString('\n'); err == nil {
					how(conn)
				}
			}()
		}
	}()
	c := must[*Client](t)(Over(ours))
	t.Cleanup(func() { _ = session.Close(); _ = c.Close() })
	return c
}

// A host that answers what is none, or without end, is told, and costs little.
func TestAHostThatAnswersBadlyIsTold(t *testing.T) {
	for name, c := range map[string]struct {
		how  func(net.Conn)
		code upkeep.Code
	}{
		"garbage":       {func(conn net.Conn) { _, _ = io.WriteString(conn, "\x00\xff{{{\n") }, upkeep.CodeRefused},
		"another shape": {func(conn net.Conn) { _, _ = io.WriteString(conn, `{"result":{"root":7}}`+"\n") }, upkeep.CodeRefused},
		"endless": {func(conn net.Conn) {
			for _, err := io.WriteString(conn, strings.Repeat("x", 1<<16)); err == nil; _, err = io.WriteString(conn, strings.Repeat("x", 1<<16)) {
			}
		}, upkeep.CodeRefused},
		"gone": {func(net.Conn) {}, upkeep.CodeUnreachable},
		"its own error": {func(conn net.Conn) {
			_, _ = io.WriteString(conn, `{"error":{"code":"not_found","message":"no folder"}}`+"\n")
		}, upkeep.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			_, err := onHost(t, c.how).Find(t.Context(), "/srv")
			if upkeep.CodeOf(err) != c.code || time.Since(began) > 10*time.Second {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
		})
	}
}

// One that is slow keeps nobody longer than they wait, and nobody else.
func TestASlowHostDelaysOnlyWhoAsksIt(t *testing.T) {
	release := make(chan struct{})
	first := true
	c := onHost(t, func(conn net.Conn) {
		if first {
			first = false
			<-release
		}
		_, _ = io.WriteString(conn, `{"result":true}`+"\n")
	})
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	defer close(release)
	if _, err := c.Open(ctx, "1"); err == nil || ctx.Err() == nil {
		t.Errorf("ended with %v", err)
	}
	if open, err := c.Open(t.Context(), "1"); err != nil || !open {
		t.Errorf("beside it: %v, %v", open, err)
	}
}

// A host asks for nothing: connections from there are not taken, and their
// number is bounded.
func TestAHostOpensNothingHere(t *testing.T) {
	ours, theirs := net.Pipe()
	session := must[*yamux.Session](t)(yamux.Server(theirs, settings()))
	c := must[*Client](t)(Over(ours))
	defer c.Close()
	defer session.Close()
	refused := 0
	for range 64 {
		conn, err := session.Open()
		if err != nil {
			refused++
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(100 * time.Millisecond))
		if _, err := io.Copy(conn, strings.NewReader(strings.Repeat("x", 4*window))); err != nil {
			refused++
		}
	}
	if refused != 64 {
		t.Errorf("%d of 64 were taken", 64-refused)
	}
	if c.session.NumStreams() > 64 {
		t.Errorf("%d are kept", c.session.NumStreams())
	}
}

// Agents are named by us; a name leads nowhere else.
func TestNamesLeadNowhereElse(t *testing.T) {
	p := &Local{Dir: t.TempDir()}
	for _, name := range []string{"", "..", "../1", "a/b", "1\x00", "/etc"} {
		if _, err := p.Open(t.Context(), name); upkeep.CodeOf(err) != upkeep.CodeInvalid {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := p.Start(t.Context(), name, "/srv"); upkeep.CodeOf(err) != upkeep.CodeInvalid {
			t.Errorf("start %q: %v", name, err)
		}
	}
}
