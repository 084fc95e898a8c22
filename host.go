package upkeep

import (
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// HostID numbers a host. 0 is this machine.
type HostID int64

// String returns the decimal number.
func (id HostID) String() string { return strconv.FormatInt(int64(id), 10) }

// Host is a machine that holds sites and is reached by SSH.
type Host struct {
	ID      HostID    `json:"id"`
	Name    string    `json:"name"` // short, unique, what operators type
	At      Hop       `json:"at"`
	Jump    []Hop     `json:"jump,omitempty"` // passed through on the way, in order; empty: what ssh's configuration says
	Sudo    bool      `json:"sudo,omitempty"` // the login becomes root there, so that each site is worked on as its owner
	Keys    []HostKey `json:"keys"`           // that are expected, one a hop
	Mark    string    `json:"mark"`           // names our folder there, unlike any other control plane's
	Created time.Time `json:"created"`
}

// Hop is where one SSH connection leads to. What is empty or 0 is up to ssh's
// configuration.
type Hop struct {
	User    string `json:"user,omitempty"`
	Address string `json:"address"`
	Port    int    `json:"port,omitempty"`
}

// HostKey is the key that a hop is known by.
type HostKey struct {
	Hop         string `json:"hop"`         // as Hop.String writes it
	Key         string `json:"key"`         // type and base64, as in authorized_keys
	Fingerprint string `json:"fingerprint"` // "SHA256:…"
}

// String writes user@address:port, without what is not said.
func (h Hop) String() string {
	text := h.Address
	if h.Port != 0 {
		text = net.JoinHostPort(h.Address, strconv.Itoa(h.Port))
	}
	if h.User != "" {
		text = h.User + "@" + text
	}
	return text
}

// Neither may begin with what a program would take for an option.
var (
	hopUser    = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.@+-]{0,63}$`)
	hopAddress = regexp.MustCompile(`^[A-Za-z0-9_:][A-Za-z0-9_.:%-]{0,252}$`)
)

// ParseHop reads ssh://user@address:port, or the same without ssh://. User and
// port may be missing. CodeInvalid says what is wrong.
func ParseHop(text string) (Hop, error) {
	bad := Errorf(CodeInvalid, "ssh address %q: want ssh://user@host:port", text).
		WithHint("User and port may be left out where ssh's configuration says them.")
	rest, whole := strings.CutPrefix(text, "ssh://")
	if !whole && strings.Contains(text, "://") {
		return Hop{}, bad
	}
	u, err := url.Parse("ssh://" + rest)
	if err != nil || u.Path != "" && u.Path != "/" || u.RawQuery != "" || u.Fragment != "" {
		return Hop{}, bad
	}
	h := Hop{User: u.User.Username(), Address: u.Hostname()}
	if _, secret := u.User.Password(); secret {
		return Hop{}, Errorf(CodeInvalid, "ssh address of %s holds a password", h.Address).
			WithHint("Upkeep logs in with keys only: leave the password out, and add a key there (ssh-copy-id).")
	}
	if port := u.Port(); port != "" {
		if h.Port, err = strconv.Atoi(port); err != nil || h.Port < 1 || h.Port > 65535 {
			return Hop{}, bad
		}
	}
	if h.User != "" && !hopUser.MatchString(h.User) || !hopAddress.MatchString(h.Address) {
		return Hop{}, bad
	}
	return h, nil
}

// Validate returns CodeInvalid naming the first field that is wrong.
func (h *Host) Validate() error {
	if !siteName.MatchString(h.Name) {
		return Errorf(CodeInvalid, "host name %q: want 1 to 63 of a-z, 0-9, '.' and '-'", h.Name).
			WithHint("Choose a name with --name.")
	}
	for _, hop := range append([]Hop{h.At}, h.Jump...) {
		if _, err := ParseHop(hop.String()); err != nil {
			return err
		}
	}
	return nil
}

// Unconfirmed returns CodeRefused naming the first key whose fingerprint nobody
// confirmed, nil when there is none.
func Unconfirmed(keys []HostKey, confirmed []string) error {
	for _, key := range keys {
		if !slices.Contains(confirmed, key.Fingerprint) {
			return Errorf(CodeRefused, "the key of %s is %s, and that was not confirmed", key.Hop, key.Fingerprint).
				WithHint("Compare it with what the machine itself says: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub.")
		}
	}
	return nil
}

// Key returns the key that a hop is known by, nil when it is not known.
func (h *Host) Key(hop Hop) *HostKey {
	for i := range h.Keys {
		if h.Keys[i].Hop == hop.String() {
			return &h.Keys[i]
		}
	}
	return nil
}
