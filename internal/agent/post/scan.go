package post

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"upkeep"
	"upkeep/internal/agent/scan"
)

// Limits of a scan over a connection.
const (
	maxScan  = 128 << 20 // bytes of what was found, and of what is known
	scanTime = 25 * time.Minute
)

// Scan looks for applications, each account's by that account.
func (p *Local) Scan(ctx context.Context, req scan.Request) (*upkeep.Scan, error) {
	s := &scan.Scanner{Command: p.Scanner, As: credential}
	return s.Scan(ctx, req)
}

// credential is what starts a process as an account, nil for ours.
// CodeUnauthorized when only root may.
func credential(uid uint32) (*syscall.Credential, error) {
	self := os.Geteuid()
	switch {
	case int(uid) == self:
		return nil, nil
	case self != 0:
		return nil, upkeep.Errorf(upkeep.CodeUnauthorized, "account %d is another one", uid)
	}
	return &syscall.Credential{Uid: uid, Gid: groupOf(uid), Groups: groupsOf(uid)}, nil
}

// attendScan answers a scan that was asked for, until it ends or the other end
// goes.
func attendScan(ctx context.Context, conn net.Conn, in *bufio.Reader, local *Local) {
	var req scan.Request
	if json.NewDecoder(io.LimitReader(in, maxScan)).Decode(&req) != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		_, _ = io.Copy(io.Discard, in) // which ends with the connection
		cancel()
	}()
	found, err := local.Scan(ctx, req)
	var a answer
	if err == nil {
		a.Result, err = json.Marshal(found)
	}
	if err != nil {
		a.Error = upkeep.Told(err)
	}
	_ = json.NewEncoder(conn).Encode(a) // who asked has gone when it fails
}

// Scan is Local.Scan there.
func (c *Client) Scan(ctx context.Context, req scan.Request) (*upkeep.Scan, error) {
	s, _, err := c.connect(ctx, request{Op: "scan"})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	stop := context.AfterFunc(ctx, func() { _ = s.Close() })
	defer stop()
	if err := s.SetDeadline(time.Now().Add(scanTime)); err != nil {
		return nil, gone("scan", err)
	}
	if err := json.NewEncoder(s).Encode(req); err != nil {
		return nil, gone("scan", err)
	}
	var a answer
	if err := json.NewDecoder(io.LimitReader(s, maxScan)).Decode(&a); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, gone("scan", err)
	}
	if a.Error != nil {
		return nil, a.Error
	}
	var found upkeep.Scan
	if err := json.Unmarshal(a.Result, &found); err != nil {
		return nil, upkeep.Errorf(upkeep.CodeRefused, "the host answered %s with what is no answer", "scan")
	}
	return &found, nil
}
