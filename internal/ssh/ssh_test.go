package ssh_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gossh "golang.org/x/crypto/ssh"

	"upkeep"
	"upkeep/internal/ssh"
)

// server is a machine that speaks SSH well and lets everybody in, or only who
// has one key, whatever it says afterwards.
type server struct {
	key  gossh.Signer
	only gossh.PublicKey
	addr string
	// session is what each command meets.
	session func(command string, channel gossh.Channel)
}

func newSigner(t *testing.T) (gossh.Signer, ed25519.PrivateKey) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := gossh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer, private
}

func newServer(t *testing.T, session func(string, gossh.Channel)) *server {
	t.Helper()
	s := &server{session: session}
	s.key, _ = newSigner(t)
	config := &gossh.ServerConfig{PublicKeyCallback: func(_ gossh.ConnMetadata, key gossh.PublicKey) (*gossh.Permissions, error) {
		if s.only != nil && !bytes.Equal(s.only.Marshal(), key.Marshal()) {
			return nil, errors.New("another key")
		}
		return nil, nil
	}}
	config.AddHostKey(s.key)
	s.addr = listen(t, func(conn net.Conn) {
		_, channels, requests, err := gossh.NewServerConn(conn, config)
		if err != nil {
			return
		}
		go gossh.DiscardRequests(requests)
		for offered := range channels {
			s.serve(offered)
		}
	})
	return s
}

// serve takes a session, or goes on to another machine as a jump host does.
func (s *server) serve(offered gossh.NewChannel) {
	channel, requests, err := offered.Accept()
	if err != nil {
		return
	}
	if offered.ChannelType() == "direct-tcpip" {
		go gossh.DiscardRequests(requests)
		var to struct {
			Host string
			Port uint32
			From string
			At   uint32
		}
		if gossh.Unmarshal(offered.ExtraData(), &to) != nil {
			return
		}
		go s.forward(channel, net.JoinHostPort(to.Host, fmt.Sprint(to.Port)))
		return
	}
	go func() {
		for r := range requests {
			_ = r.Reply(r.Type == "exec", nil)
			if r.Type == "exec" {
				go s.session(string(r.Payload[4:]), channel)
			}
		}
	}()
}

func (s *server) forward(channel gossh.Channel, address string) {
	defer channel.Close()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer conn.Close()
	go func() { _, _ = io.Copy(conn, channel) }()
	_, _ = io.Copy(channel, conn)
}

func listen(t *testing.T, how func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				how(conn)
			}()
		}
	}()
	return listener.Addr().String()
}

const greeting = "upkeep-post 1 test"

// reacher has one key, and what ssh's configuration says is text.
func reacher(t *testing.T, text string) *ssh.Reacher {
	t.Helper()
	home := t.TempDir()
	_, private := newSigner(t)
	block, err := gossh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(home, "config")
	own := filepath.Join(home, "upkeep")
	for _, err := range []error{
		os.Mkdir(filepath.Join(home, ".ssh"), 0o700),
		os.WriteFile(filepath.Join(home, ".ssh", "key"), pem.EncodeToMemory(block), 0o600),
		os.WriteFile(config, []byte(text+"\nIdentityFile %d/.ssh/key\nIdentityAgent none\n"), 0o600),
		os.WriteFile(own, []byte("the program"), 0o755),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return ssh.New(ssh.Config{Program: "/usr/bin/ssh", File: config, Home: home, User: "me", Greeting: greeting,
		Binaries: &ssh.Binaries{Own: own, Arch: "amd64", Folders: []string{home}}, Log: slog.New(slog.DiscardHandler)})
}

func hostAt(t *testing.T, address string, keys ...upkeep.HostKey) *upkeep.Host {
	t.Helper()
	at, err := upkeep.ParseHop("ssh://me@" + address)
	if err != nil {
		t.Fatal(err)
	}
	return &upkeep.Host{Name: "web1", At: at, Keys: keys, Mark: "00ff"}
}

func keyOf(hop upkeep.Hop, s *server) upkeep.HostKey {
	return upkeep.HostKey{Hop: hop.String(), Key: strings.TrimSpace(string(gossh.MarshalAuthorizedKey(s.key.PublicKey()))), Fingerprint: gossh.FingerprintSHA256(s.key.PublicKey())}
}

// pinnedTo is the host of a server, known by its key.
func pinnedTo(t *testing.T, s *server) *upkeep.Host {
	t.Helper()
	host := hostAt(t, s.addr)
	host.Keys = []upkeep.HostKey{keyOf(host.At, s)}
	return host
}

// What answers but does not speak SSH, or stops in the middle, costs some
// seconds and is told.
func TestWhatIsNoSSHIsLeft(t *testing.T) {
	for name, how := range map[string]func(net.Conn){
		"silent":  func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) },
		"garbage": func(conn net.Conn) { _, _ = io.CopyN(conn, rand.Reader, 1<<20) },
		"endless": func(conn net.Conn) { _, _ = io.Copy(conn, rand.Reader) },
		"slow": func(conn net.Conn) {
			for _, err := io.WriteString(conn, "SSH-2.0-x"); err == nil; _, err = conn.Write([]byte("x")) {
				time.Sleep(50 * time.Millisecond)
			}
		},
		"gone": func(net.Conn) {},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			_, err := reacher(t, "").Keys(t.Context(), hostAt(t, listen(t, how)), nil)
			if upkeep.CodeOf(err) != upkeep.CodeUnreachable {
				t.Errorf("got %v", err)
			}
			if took := time.Since(began); took > 20*time.Second {
				t.Errorf("left after %v", took)
			}
		})
	}
}

// A host that lets us in and then says what it likes is left, and told.
func TestAHostThatDoesNotStartUsIsLeft(t *testing.T) {
	end := func(channel gossh.Channel, status byte) {
		_, _ = channel.SendRequest("exit-status", false, []byte{0, 0, 0, status})
		_ = channel.Close()
	}
	for name, c := range map[string]struct {
		session func(string, gossh.Channel)
		code    upkeep.Code
	}{
		"silent":        {func(_ string, channel gossh.Channel) { _, _ = io.Copy(io.Discard, channel) }, upkeep.CodeUnreachable},
		"one long line": {func(_ string, channel gossh.Channel) { _, _ = io.Copy(channel, zeros{}) }, upkeep.CodeRefused},
		"many lines":    {func(_ string, channel gossh.Channel) { _, _ = io.Copy(channel, newlines{}) }, upkeep.CodeRefused},
		"errors without end": {func(_ string, channel gossh.Channel) {
			_, _ = io.CopyN(channel.Stderr(), zeros{}, 8<<20)
			_, _ = io.WriteString(channel.Stderr(), "\n\x1b[2Jno sudo for you\n")
			end(channel, 1)
		}, upkeep.CodeConflict},
		"another version": {func(_ string, channel gossh.Channel) { _, _ = io.WriteString(channel, "upkeep-post 0 old\n") }, upkeep.CodeConflict},
		"never enough": {func(command string, channel gossh.Channel) {
			if strings.Contains(command, "gzip") {
				_, _ = io.Copy(io.Discard, channel)
			} else {
				_, _ = io.WriteString(channel, "upkeep-needs Linux x86_64\n")
			}
			end(channel, 0)
		}, upkeep.CodeRefused},
		"another machine": {func(_ string, channel gossh.Channel) { _, _ = io.WriteString(channel, "upkeep-needs Linux s390x\n") }, upkeep.CodeInvalid},
		"not at hand":     {func(_ string, channel gossh.Channel) { _, _ = io.WriteString(channel, "upkeep-needs Linux aarch64\n") }, upkeep.CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newServer(t, c.session)
			began := time.Now()
			stream, err := reacher(t, "").Open(t.Context(), pinnedTo(t, s))
			if err == nil {
				err = stream.Close()
				t.Fatal("reached", err)
			}
			if upkeep.CodeOf(err) != c.code {
				t.Errorf("got %s: %v", upkeep.CodeOf(err), err)
			}
			if took := time.Since(began); took > 25*time.Second {
				t.Errorf("left after %v", took)
			}
			if len(err.Error()) > 1000 || strings.Contains(err.Error(), "\x1b") {
				t.Errorf("said %d bytes: %q", len(err.Error()), err)
			}
		})
	}
}

// zeros is a line without end, newlines are lines without end.
type (
	zeros    struct{}
	newlines struct{}
)

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func (newlines) Read(p []byte) (int, error) { return copy(p, "welcome\n"), nil }

func greets(_ string, channel gossh.Channel) {
	_, _ = io.WriteString(channel, "noise of a profile\n"+greeting+"\nhello")
}

// A key is learned only as far as it is confirmed, hop by hop; nobody is
// logged in to behind one that is not.
func TestKeysAreLearnedHopByHop(t *testing.T) {
	jump, target := newServer(t, nil), newServer(t, greets)
	r := reacher(t, "")
	host := hostAt(t, target.addr)
	before, err := upkeep.ParseHop("me@" + jump.addr)
	if err != nil {
		t.Fatal(err)
	}
	host.Jump = []upkeep.Hop{before}
	first, second := gossh.FingerprintSHA256(jump.key.PublicKey()), gossh.FingerprintSHA256(target.key.PublicKey())
	for _, c := range []struct{ confirmed, want []string }{
		{nil, []string{first}},
		{[]string{second}, []string{first}},
		{[]string{first}, []string{first, second}},
		{[]string{first, second}, []string{first, second}},
	} {
		keys, err := r.Keys(t.Context(), host, c.confirmed)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, key := range keys {
			got = append(got, key.Fingerprint)
		}
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("confirmed %q: learned %q", c.confirmed, got)
		}
		host.Keys = keys
	}
	stream, err := r.Open(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	said := make([]byte, 5)
	if _, err := io.ReadFull(stream, said); err != nil || string(said) != "hello" {
		t.Errorf("behind the greeting: %q, %v", said, err)
	}
	// Either of them with another key is refused, and named.
	for i := range host.Keys {
		changed := *host
		changed.Keys = append([]upkeep.HostKey{}, host.Keys...)
		changed.Keys[i] = upkeep.HostKey{Hop: host.Keys[i].Hop, Key: host.Keys[1-i].Key, Fingerprint: host.Keys[1-i].Fingerprint}
		_, err := r.Open(t.Context(), &changed)
		if upkeep.CodeOf(err) != upkeep.CodeRefused || !strings.Contains(err.Error(), host.Keys[i].Hop+" has changed") {
			t.Errorf("with another key of %s: %v", host.Keys[i].Hop, err)
		}
	}
}

// What ssh's configuration says is how the host is reached.
func TestConfigurationOfSSHIsFollowed(t *testing.T) {
	jump, target := newServer(t, nil), newServer(t, greets)
	split := func(s *server) (string, string) {
		host, port, err := net.SplitHostPort(s.addr)
		if err != nil {
			t.Fatal(err)
		}
		return host, port
	}
	address, port := split(target)
	before, portBefore := split(jump)
	r := reacher(t, fmt.Sprintf("Host shop\n HostName %s\n Port %s\n User deploy\n ProxyJump gate\nHost gate\n HostName %s\n Port %s\nMatch all\n", address, port, before, portBefore))
	host := &upkeep.Host{Name: "shop", At: upkeep.Hop{Address: "shop"}, Mark: "00ff",
		Keys: []upkeep.HostKey{keyOf(upkeep.Hop{Address: "gate"}, jump), keyOf(upkeep.Hop{Address: "shop"}, target)}}
	stream, err := r.Open(t.Context(), host)
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	host.Keys = host.Keys[1:] // pinned before the configuration named the other
	if _, err := r.Open(t.Context(), host); upkeep.CodeOf(err) != upkeep.CodeRefused || !strings.Contains(err.Error(), "gate") {
		t.Errorf("by way of a machine that is not known: %v", err)
	}
	if _, err := reacher(t, "ProxyCommand nc %h %p").Open(t.Context(), host); upkeep.CodeOf(err) != upkeep.CodeInvalid {
		t.Errorf("with a ProxyCommand: %v", err)
	}
	if _, err := reacher(t, "Host a\n ProxyJump b\nHost b\n ProxyJump a").Open(t.Context(), &upkeep.Host{At: upkeep.Hop{Address: "a"}}); upkeep.CodeOf(err) != upkeep.CodeInvalid {
		t.Errorf("in a circle: %v", err)
	}
	if _, err := reacher(t, "Nonsense yes").Open(t.Context(), host); upkeep.CodeOf(err) != upkeep.CodeInvalid || !strings.Contains(err.Error(), "onsense") && !strings.Contains(err.Error(), "terminating") {
		t.Errorf("with a configuration that ssh does not take: %v", err)
	}
}

// Keys of ssh's agent are used, and who is let in with none is told which were
// tried.
func TestKeysOfTheAgentAreUsed(t *testing.T) {
	dir := t.TempDir()
	key, socket := filepath.Join(dir, "key"), filepath.Join(dir, "agent")
	run := func(name string, args ...string) {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), name, args...)
		cmd.Env = append(os.Environ(), "SSH_AUTH_SOCK="+socket)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v: %s", name, err, out)
		}
	}
	run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	agent := exec.CommandContext(t.Context(), "ssh-agent", "-D", "-a", socket)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(socket); err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("ssh-agent does not listen")
		}
	}
	run("ssh-add", "-q", key)
	text, err := os.ReadFile(key + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	public, _, _, _, err := gossh.ParseAuthorizedKey(text)
	if err != nil {
		t.Fatal(err)
	}
	s := newServer(t, greets)
	s.only = public
	stream, err := reacher(t, "IdentityAgent "+socket).Open(t.Context(), pinnedTo(t, s))
	if err != nil {
		t.Fatal(err)
	}
	if err := stream.Close(); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"", "IdentitiesOnly yes\nIdentityAgent " + socket} {
		_, err = reacher(t, text).Open(t.Context(), pinnedTo(t, s))
		if upkeep.CodeOf(err) != upkeep.CodeUnauthorized || !strings.Contains(err.Error(), ".ssh/key SHA256:") || strings.Contains(err.Error(), gossh.FingerprintSHA256(public)) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Nobody waits for a host longer than whoever asked.
func TestReachingEndsWithItsCaller(t *testing.T) {
	address := listen(t, func(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) })
	r := reacher(t, "")
	host := hostAt(t, address)
	ended := make(chan error, 1)
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	go func() {
		_, err := r.Open(ctx, host)
		ended <- err
	}()
	if err := <-ended; err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}
