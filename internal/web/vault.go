package web

import (
	"context"
	"net"
	"net/http"

	"upkeep"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

// Vaults gives out what an operator needs to read the backups without Upkeep.
type Vaults interface {
	// VaultPassword returns the password of the repository, and notes on the
	// ledger who asked. CodeNotFound before the first backup.
	VaultPassword(ctx context.Context, actor string) (string, error)
}

// VaultPassword is what POST /v1/vault/password answers.
type VaultPassword struct {
	Password string `json:"password"`
}

// vaultPassword answers only callers on this machine's private socket or in
// this process: whoever holds a token may order work, not read every backup.
func (s *Server) vaultPassword(w http.ResponseWriter, r *http.Request) error {
	address, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || (address.Network() != "unix" && address.Network() != "pipe") {
		return upkeep.Errorf(upkeep.CodeRefused, "the vault's password is not given over the network").
			WithHint("Run upkeep vault password on the server itself, without --server.")
	}
	password, err := s.Vaults.VaultPassword(r.Context(), query.Actor(r))
	return reply.Or(w, VaultPassword{password}, err)
}

// VaultPassword implements Vaults.
func (c *Client) VaultPassword(ctx context.Context, actor string) (string, error) {
	answer, err := Call[VaultPassword](ctx, c, Request{Method: http.MethodPost, Path: "/v1/vault/password", Actor: actor})
	return answer.Password, err
}
