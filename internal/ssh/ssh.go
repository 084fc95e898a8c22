// Package ssh reaches hosts: it finds the way there as ssh's own configuration
// says, knows every machine on it by its pinned key, brings this program there
// and carries one stream to it.
package ssh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"upkeep"
)

// Config is what a Reacher needs to know.
type Config struct {
	Program  string    // of ssh, which is asked what its configuration says; "" when there is none
	File     string    // that configuration; "" leaves ssh its own
	Home     string    // of the account that we are
	User     string    // that account
	Agent    string    // socket of its ssh agent, "" for none
	Binaries *Binaries // of this program, which are brought to hosts
	Greeting string    // the line that this program begins with on a host
	Log      *slog.Logger
}

// Limits in time of what a host may keep us waiting for.
const (
	dialTime  = 15 * time.Second // for a connection to one hop, until we are let in
	startTime = 20 * time.Second // for a program there to begin to speak
	copyTime  = 10 * time.Minute // for the program to arrive
)

// Reacher reaches hosts. Its methods may be called concurrently.
type Reacher struct{ Config }

// New returns a Reacher.
func New(c Config) *Reacher { return &Reacher{c} }

// Keys returns the keys of the hops to a host, as they present them, until the
// first whose fingerprint is not among confirmed: nobody logs in there, so
// that what is behind it is not asked.
func (r *Reacher) Keys(ctx context.Context, host *upkeep.Host, confirmed []string) (keys []upkeep.HostKey, err error) {
	defer upkeep.Wrap(&err, "host keys of %s", host.At)
	learn := &learner{confirmed: confirmed}
	client, err := r.dial(ctx, host, learn.check)
	if err == nil {
		err = client.Close()
	}
	if learn.stopped { // that it went no further is what was asked for
		err = nil
	}
	return learn.keys, err
}

// learner takes keys down, and goes on where they are confirmed.
type learner struct {
	confirmed []string
	keys      []upkeep.HostKey
	stopped   bool
}

func (l *learner) check(hop upkeep.Hop, key ssh.PublicKey) error {
	print := ssh.FingerprintSHA256(key)
	l.keys = append(l.keys, upkeep.HostKey{Hop: hop.String(), Key: authorized(key), Fingerprint: print})
	for _, known := range l.confirmed {
		if known == print {
			return nil
		}
	}
	l.stopped = true
	return errors.New("not confirmed")
}

func authorized(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// pinned lets only hops through that have the key which is kept of them.
func pinned(host *upkeep.Host) checker {
	return func(hop upkeep.Hop, key ssh.PublicKey) error {
		known := host.Key(hop)
		if known == nil {
			return upkeep.Errorf(upkeep.CodeRefused, "the way to %s leads through %s now, whose key is not known", host.Name, hop).
				WithHint("Has ssh's configuration changed? Remove the host and add it again.")
		}
		if known.Key != authorized(key) {
			return upkeep.Errorf(upkeep.CodeRefused, "the key of %s has changed: it was %s and is %s now", hop, known.Fingerprint, ssh.FingerprintSHA256(key)).
				WithHint("Somebody may be in between: nothing was sent. Ask whoever runs the machine; when it was set up anew, remove the host and add it again.")
		}
		return nil
	}
}

// Open connects to a host and returns a stream to this program there, which
// is brought when it is not there yet. Closing the stream ends all of it.
// CodeRefused when a key is not the pinned one, CodeUnauthorized when nobody
// lets us in, CodeUnreachable when nobody answers.
func (r *Reacher) Open(ctx context.Context, host *upkeep.Host) (_ io.ReadWriteCloser, err error) {
	defer upkeep.Wrap(&err, "reach host %s", host.Name)
	client, err := r.dial(ctx, host, pinned(host))
	if err != nil {
		return nil, err
	}
	stream, err := r.enter(ctx, client, host)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return stream, nil
}

// Subsystem connects to a host and returns a stream to a subsystem of its SSH
// server, such as sftp. Closing the stream ends the connection. Its errors are
// those of Open.
func (r *Reacher) Subsystem(ctx context.Context, host *upkeep.Host, name string) (_ io.ReadWriteCloser, err error) {
	defer upkeep.Wrap(&err, "reach %s", host.At)
	client, err := r.dial(ctx, host, pinned(host))
	if err != nil {
		return nil, err
	}
	t, err := client.subsystem(name)
	if err != nil {
		return nil, errors.Join(err, client.Close())
	}
	return t, nil
}

// Clear removes from a host all that Open brought there, and what agents left
// in our folder.
func (r *Reacher) Clear(ctx context.Context, host *upkeep.Host) (err error) {
	defer upkeep.Wrap(&err, "clear host %s", host.Name)
	client, err := r.dial(ctx, host, pinned(host))
	if err != nil {
		return err
	}
	defer client.Close()
	return run(ctx, client, shell(host, clearScript(host.Mark)), nil, startTime)
}

// checker judges the key that a hop presents.
type checker func(hop upkeep.Hop, key ssh.PublicKey) error

// client is a connection through all hops. Closing it closes them, the last
// first.
type client struct {
	*ssh.Client
	under []*ssh.Client
}

// Close ends all connections.
func (c *client) Close() error {
	err := c.Client.Close()
	for i := len(c.under) - 1; i >= 0; i-- {
		_ = c.under[i].Close() // the one inside is closed: nothing is lost
	}
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// dial connects hop by hop.
func (r *Reacher) dial(ctx context.Context, host *upkeep.Host, check checker) (*client, error) {
	hops, err := r.route(ctx, host)
	if err != nil {
		return nil, err
	}
	c := &client{}
	for i := range hops {
		next, err := r.step(ctx, c.Client, &hops[i], host, check)
		if err != nil {
			if c.Client != nil {
				_ = c.Close() // the error before says more
			}
			return nil, err
		}
		if c.Client != nil {
			c.under = append(c.under, c.Client)
		}
		c.Client = next
	}
	return c, nil
}

// step connects to a hop, from the one before or, when that is nil, from here.
func (r *Reacher) step(ctx context.Context, from *ssh.Client, to *resolved, host *upkeep.Host, check checker) (_ *ssh.Client, err error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	conn, err := connect(ctx, from, net.JoinHostPort(to.address, fmt.Sprint(to.port)))
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeUnreachable, "%s does not answer: %w", to.hop, err).
			WithHint("Is it up, and the port open to us?")
	}
	// A channel through another hop knows no deadline; closing ends all.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	var verdict error
	known := false
	config := &ssh.ClientConfig{
		User: to.user, HostKeyAlgorithms: algorithms(host.Key(to.hop)),
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			verdict = check(to.hop, key)
			known = verdict == nil
			return verdict
		},
	}
	signers := r.signers(to)
	defer signers.close()
	config.Auth = []ssh.AuthMethod{ssh.PublicKeysCallback(signers.all)}
	inner, channels, requests, err := ssh.NewClientConn(conn, to.address, config)
	if err == nil {
		return ssh.NewClient(inner, channels, requests), nil
	}
	_ = conn.Close() // the error says more
	switch {
	case verdict != nil:
		return nil, verdict
	case ctx.Err() != nil:
		return nil, upkeep.Errorf(upkeep.CodeUnreachable, "%s does not answer within %s as ssh does", to.hop, dialTime)
	case known:
		return nil, upkeep.Errorf(upkeep.CodeUnauthorized, "%s lets %s in with none of our keys: %s", to.hop, to.user, signers.said()).
			WithHint("Add one of these keys there: ssh-copy-id %s.", to.hop)
	}
	return nil, upkeep.Errorf(upkeep.CodeUnreachable, "%s does not answer as ssh does: %w", to.hop, err)
}

func connect(ctx context.Context, from *ssh.Client, address string) (net.Conn, error) {
	if from == nil {
		return (&net.Dialer{KeepAlive: 15 * time.Second}).DialContext(ctx, "tcp", address)
	}
	return from.DialContext(ctx, "tcp", address)
}

// algorithms prefers the type of a key that is known, so that a host which has
// several presents that one.
func algorithms(known *upkeep.HostKey) []string {
	all := []string{ssh.KeyAlgoED25519, ssh.KeyAlgoECDSA256, ssh.KeyAlgoECDSA384, ssh.KeyAlgoECDSA521, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	if known == nil {
		return all
	}
	kind, _, _ := strings.Cut(known.Key, " ")
	preferred := []string{kind}
	if kind == ssh.KeyAlgoRSA {
		preferred = []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	for _, algorithm := range all {
		if algorithm != preferred[0] && algorithm != preferred[len(preferred)-1] {
			preferred = append(preferred, algorithm)
		}
	}
	return preferred
}
