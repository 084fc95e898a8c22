package web

import (
	"context"
	"net"
	"net/http"

	"upkeep"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

// Vaults says where the backups are, changes that, and gives out what an
// operator needs to read them without Upkeep.
type Vaults interface {
	// VaultPassword returns the password of the repository, and notes on the
	// ledger who asked. CodeNotFound before the first backup.
	VaultPassword(ctx context.Context, actor string) (string, error)
	// Vault says where the vault is.
	Vault(ctx context.Context) (*Vault, error)
	// CheckVault goes there, and does what backups need.
	CheckVault(ctx context.Context) (*VaultCheck, error)
	// StorageKeys returns the keys that the hops to a storage present, as
	// HostKeys does; none where there are no hops.
	StorageKeys(ctx context.Context, req UseVaultRequest) ([]HostKey, error)
	// UseVault has the vault at another storage from now on.
	UseVault(ctx context.Context, actor string, req UseVaultRequest, progress func(upkeep.Progress)) (*Vault, error)
}

// VaultPassword is what POST /v1/vault/password answers.
type VaultPassword struct {
	Password string `json:"password"`
}

// Vault is where the backups are. It holds no secret.
type Vault struct {
	URL       string           `json:"url"`
	Kind      string           `json:"kind"`
	Restic    string           `json:"restic"`               // what restic calls it
	AccessKey string           `json:"access_key,omitempty"` // of S3
	Keys      []upkeep.HostKey `json:"keys,omitempty"`       // that the hops are known by
}

// VaultCheck is what a look at the vault found.
type VaultCheck struct {
	Vault
	Snapshots int             `json:"snapshots"`
	Took      upkeep.Duration `json:"took"` // to write, list, read and delete there
}

// UseVaultRequest says where the vault is to be, and what lets us in there.
type UseVaultRequest struct {
	URL          string   `json:"url"`
	AccessKey    string   `json:"access_key,omitempty"`
	SecretKey    string   `json:"secret_key,omitempty"`
	Fingerprints []string `json:"fingerprints,omitempty"` // of the host keys that a person has confirmed
	Move         bool     `json:"move,omitempty"`         // bring what is at the place used so far
}

// here lets only callers on this machine's private socket or in this process
// through: whoever holds a token may order work, not read every backup, nor
// have them made elsewhere.
func here(r *http.Request) error {
	address, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if ok && (address.Network() == "unix" || address.Network() == "pipe") {
		return nil
	}
	return upkeep.Errorf(upkeep.CodeRefused, "what opens the vault does not go over the network").
		WithHint("Run the command on the server itself, without --server.")
}

func (s *Server) vaultPassword(w http.ResponseWriter, r *http.Request) error {
	if err := here(r); err != nil {
		return err
	}
	password, err := s.Vaults.VaultPassword(r.Context(), query.Actor(r))
	return reply.Or(w, VaultPassword{password}, err)
}

func (s *Server) vaultShow(w http.ResponseWriter, r *http.Request) error {
	shown, err := s.Vaults.Vault(r.Context())
	return reply.Or(w, shown, err)
}

func (s *Server) vaultCheck(w http.ResponseWriter, r *http.Request) error {
	check, err := s.Vaults.CheckVault(r.Context())
	return reply.Or(w, check, err)
}

func (s *Server) storageKeys(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[UseVaultRequest](r)
	if err != nil {
		return err
	}
	keys, err := s.Vaults.StorageKeys(r.Context(), req)
	return reply.List(w, keys, err)
}

func (s *Server) vaultUse(w http.ResponseWriter, r *http.Request) error {
	if err := here(r); err != nil {
		return err
	}
	req, err := reply.Decode[UseVaultRequest](r)
	if err != nil {
		return err
	}
	return s.stream(w, r, func(out *lines) (any, error) {
		return s.Vaults.UseVault(r.Context(), query.Actor(r), req, out.progress)
	})
}

// VaultPassword implements Vaults.
func (c *Client) VaultPassword(ctx context.Context, actor string) (string, error) {
	answer, err := Call[VaultPassword](ctx, c, Request{Method: http.MethodPost, Path: "/v1/vault/password", Actor: actor})
	return answer.Password, err
}

// Vault implements Vaults.
func (c *Client) Vault(ctx context.Context) (*Vault, error) {
	return object[Vault](ctx, c, Request{Method: http.MethodGet, Path: "/v1/vault"})
}

// CheckVault implements Vaults.
func (c *Client) CheckVault(ctx context.Context) (*VaultCheck, error) {
	return object[VaultCheck](ctx, c, Request{Method: http.MethodPost, Path: "/v1/vault/check"})
}

// StorageKeys implements Vaults.
func (c *Client) StorageKeys(ctx context.Context, req UseVaultRequest) ([]HostKey, error) {
	return Call[[]HostKey](ctx, c, Request{Method: http.MethodPost, Path: "/v1/storage-keys", Body: req})
}

// UseVault implements Vaults.
func (c *Client) UseVault(ctx context.Context, actor string, req UseVaultRequest, progress func(upkeep.Progress)) (*Vault, error) {
	return follow[Vault](ctx, c, Request{http.MethodPost, "/v1/vault", actor, req}, progressOnly(progress))
}
