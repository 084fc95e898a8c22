package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"upkeep"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

// Hosts keeps the hosts. They are addressed by name. CodeNotFound when none
// has it.
type Hosts interface {
	HostReader
	// HostKeys returns the keys that the hops to a host present, in order,
	// until the first whose fingerprint is not in the request: nobody goes
	// further before a person has confirmed it.
	HostKeys(ctx context.Context, req AddHostRequest) ([]HostKey, error)
	// AddHost pins the keys, which must be among the fingerprints, brings this
	// program to the host and keeps it.
	AddHost(ctx context.Context, actor string, req AddHostRequest) (*Host, error)
	// RemoveHost removes what is ours there and forgets the host; with forget
	// it does not go there. CodeConflict while it has sites.
	RemoveHost(ctx context.Context, actor, name string, forget bool) error
}

// HostReader looks at hosts.
type HostReader interface {
	// Hosts returns all hosts by name.
	Hosts(ctx context.Context) ([]Host, error)
	// Host returns one host.
	Host(ctx context.Context, name string) (*Host, error)
	// CheckHost goes there and says what it finds.
	CheckHost(ctx context.Context, name string) (*HostCheck, error)
}

// Host is a host with what is known about it now.
type Host struct {
	upkeep.Host
	Sites []string `json:"sites"` // names
}

// HostKey is the key that a hop presented.
type HostKey struct {
	upkeep.HostKey
	Confirmed bool `json:"confirmed"` // its fingerprint was in the request
}

// AddHostRequest adopts a host. An empty Name is the address.
type AddHostRequest struct {
	Address      string   `json:"address"` // ssh://user@host:port
	Name         string   `json:"name,omitempty"`
	Jump         []string `json:"jump,omitempty"` // hops on the way, in order
	Sudo         bool     `json:"sudo,omitempty"`
	Fingerprints []string `json:"fingerprints,omitempty"` // of the host keys that a person has confirmed
}

// HostCheck is what a host said of itself.
type HostCheck struct {
	Platform string          `json:"platform"`
	Account  string          `json:"account"` // that agents are started by
	Root     bool            `json:"root"`    // it can work on sites of any account
	PHP      string          `json:"php,omitempty"`
	MySQLi   bool            `json:"mysqli"`
	Free     int64           `json:"free"` // bytes
	Took     upkeep.Duration `json:"took"` // to go there and back
}

func (s *Server) hostList(w http.ResponseWriter, r *http.Request) error {
	hosts, err := s.Hosts.Hosts(r.Context())
	return reply.List(w, hosts, err)
}

func (s *Server) hostShow(w http.ResponseWriter, r *http.Request) error {
	host, err := s.Hosts.Host(r.Context(), r.PathValue("host"))
	return reply.Or(w, host, err)
}

func (s *Server) hostKeys(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[AddHostRequest](r)
	if err != nil {
		return err
	}
	keys, err := s.Hosts.HostKeys(r.Context(), req)
	return reply.List(w, keys, err)
}

func (s *Server) hostAdd(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[AddHostRequest](r)
	if err != nil {
		return err
	}
	host, err := s.Hosts.AddHost(r.Context(), query.Actor(r), req)
	return reply.Or(w, host, err)
}

func (s *Server) hostCheck(w http.ResponseWriter, r *http.Request) error {
	check, err := s.Hosts.CheckHost(r.Context(), r.PathValue("host"))
	return reply.Or(w, check, err)
}

func (s *Server) hostRemove(w http.ResponseWriter, r *http.Request) error {
	q := query.Of(r)
	forget := q.Flag("forget")
	if q.Err != nil {
		return q.Err
	}
	return reply.Or(w, struct{}{}, s.Hosts.RemoveHost(r.Context(), query.Actor(r), r.PathValue("host"), forget))
}

func hostPath(name, rest string) string { return "/v1/hosts/" + url.PathEscape(name) + rest }

// Hosts implements Hosts.
func (c *Client) Hosts(ctx context.Context) ([]Host, error) { return get[[]Host](ctx, c, "/v1/hosts") }

// Host implements Hosts.
func (c *Client) Host(ctx context.Context, name string) (*Host, error) {
	return object[Host](ctx, c, Request{Method: http.MethodGet, Path: hostPath(name, "")})
}

// HostKeys implements Hosts.
func (c *Client) HostKeys(ctx context.Context, req AddHostRequest) ([]HostKey, error) {
	return Call[[]HostKey](ctx, c, Request{Method: http.MethodPost, Path: "/v1/host-keys", Body: req})
}

// AddHost implements Hosts.
func (c *Client) AddHost(ctx context.Context, actor string, req AddHostRequest) (*Host, error) {
	return object[Host](ctx, c, Request{http.MethodPost, "/v1/hosts", actor, req})
}

// CheckHost implements Hosts.
func (c *Client) CheckHost(ctx context.Context, name string) (*HostCheck, error) {
	return object[HostCheck](ctx, c, Request{Method: http.MethodPost, Path: hostPath(name, "/check")})
}

// RemoveHost implements Hosts.
func (c *Client) RemoveHost(ctx context.Context, actor, name string, forget bool) error {
	path := hostPath(name, "") + params("forget", strconv.FormatBool(forget))
	_, err := Call[struct{}](ctx, c, Request{http.MethodDelete, path, actor, nil})
	return err
}
