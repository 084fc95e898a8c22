package ssh

import (
	"bytes"
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// maxKeys is how many keys a hop is offered: servers end the connection after
// some tries, OpenSSH after six.
const maxKeys = 6

// signers are the keys that a hop is offered: those of files first, for they
// were named or have their usual place, then those of the ssh agent.
type signers struct {
	hop   *resolved
	conn  net.Conn // of the agent
	keys  []ssh.Signer
	notes []string // of keys that there are, for who is not let in
}

func (r *Reacher) signers(hop *resolved) *signers {
	s := &signers{hop: hop}
	var held []ssh.Signer
	if hop.agent != "" {
		conn, err := net.Dial("unix", hop.agent)
		if err == nil {
			err = conn.SetDeadline(time.Now().Add(dialTime)) // it may ask a person
		}
		if err == nil {
			s.conn = conn
			held, _ = agent.NewClient(conn).Signers() // one that does not answer has none
		} else {
			r.Log.Debug("ssh agent", "socket", hop.agent, "error", err)
		}
	}
	var named [][]byte // public keys of the files
	for _, file := range hop.identities {
		key, public := s.load(file)
		if public != nil {
			named = append(named, public.Marshal())
		}
		if key != nil {
			s.add(key, file)
		}
	}
	for _, key := range held {
		isNamed := false
		for _, public := range named {
			isNamed = isNamed || bytes.Equal(public, plain(key.PublicKey()))
		}
		if isNamed || !hop.only {
			s.add(key, "ssh agent")
		}
	}
	return s
}

// plain is the key itself, also of a certificate.
func plain(key ssh.PublicKey) []byte {
	if cert, ok := key.(*ssh.Certificate); ok {
		key = cert.Key
	}
	return key.Marshal()
}

// load reads a private key, with its certificate where there is one, and what
// is known of its public half. A key with a passphrase is left to the agent.
func (s *signers) load(file string) (ssh.Signer, ssh.PublicKey) {
	text, err := os.ReadFile(file)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.notes = append(s.notes, file+" (?)")
		}
		return nil, publicOf(file) // the private half may be in the agent alone
	}
	key, err := ssh.ParsePrivateKey(text)
	if locked, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok {
		s.notes = append(s.notes, file+" (🔒)")
		if locked.PublicKey != nil {
			return nil, locked.PublicKey
		}
		return nil, publicOf(file)
	}
	if err != nil {
		s.notes = append(s.notes, file+" (?)")
		return nil, nil
	}
	for _, name := range append(s.hop.certificates, file+"-cert.pub") {
		cert, ok := readPublic(name).(*ssh.Certificate)
		if !ok || !bytes.Equal(cert.Key.Marshal(), key.PublicKey().Marshal()) {
			continue
		}
		if certified, err := ssh.NewCertSigner(cert, key); err == nil {
			s.add(certified, name)
		}
	}
	return key, key.PublicKey()
}

func publicOf(file string) ssh.PublicKey { return readPublic(file + ".pub") }

func readPublic(file string) ssh.PublicKey {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	if err != nil {
		return nil
	}
	return key
}

// add offers a key once.
func (s *signers) add(key ssh.Signer, from string) {
	for _, other := range s.keys {
		if bytes.Equal(other.PublicKey().Marshal(), key.PublicKey().Marshal()) {
			return
		}
	}
	if len(s.keys) < maxKeys {
		s.keys = append(s.keys, key)
		s.notes = append(s.notes, from+" "+ssh.FingerprintSHA256(key.PublicKey()))
	}
}

func (s *signers) all() ([]ssh.Signer, error) { return s.keys, nil }

// said lists the keys that were offered, or why one was not.
func (s *signers) said() string {
	if len(s.notes) == 0 {
		return "-"
	}
	return strings.Join(s.notes, ", ")
}

func (s *signers) close() {
	if s.conn != nil {
		_ = s.conn.Close() // only read
	}
}
