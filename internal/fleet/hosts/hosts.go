// Package hosts answers for the hosts that sites are on: it has them learnt,
// checked and left.
package hosts

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"upkeep"
	"upkeep/internal/fleet"
	"upkeep/internal/web"
)

// List is web.Hosts for a fleet.
type List struct{ *fleet.Fleet }

var _ web.Hosts = List{}

// Kinds of the ledger's entries.
const (
	kindHostAdded   = "host_added"
	kindHostRemoved = "host_removed"
)

// Hosts returns all hosts by name.
func (f List) Hosts(ctx context.Context) ([]web.Host, error) {
	hosts, err := f.Config.Hosts.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	sites, err := f.Config.Sites.Sites(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]web.Host, 0, len(hosts))
	for _, host := range hosts {
		shown := web.Host{Host: *host, Sites: []string{}}
		for _, site := range sites {
			if site.Host == host.ID {
				shown.Sites = append(shown.Sites, site.Name)
			}
		}
		list = append(list, shown)
	}
	return list, nil
}

// Host returns one host.
func (f List) Host(ctx context.Context, name string) (*web.Host, error) {
	if _, err := f.HostID(ctx, name); err != nil {
		return nil, err
	}
	hosts, err := f.Hosts(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(hosts, func(h web.Host) bool { return h.Name == name })
	if i < 0 {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "host %s does not exist", name)
	}
	return &hosts[i], nil
}

// hostOf is the host that a request means, not kept yet.
func hostOf(req web.AddHostRequest) (*upkeep.Host, error) {
	at, err := upkeep.ParseHop(req.Address)
	if err != nil {
		return nil, err
	}
	host := &upkeep.Host{Name: req.Name, At: at, Sudo: req.Sudo}
	if host.Name == "" {
		host.Name = at.Address
	}
	for _, text := range req.Jump {
		hop, err := upkeep.ParseHop(text)
		if err != nil {
			return nil, err
		}
		host.Jump = append(host.Jump, hop)
	}
	return host, host.Validate()
}

// HostKeys returns the keys that the hops to a host present.
func (f List) HostKeys(ctx context.Context, req web.AddHostRequest) ([]web.HostKey, error) {
	host, err := hostOf(req)
	if err != nil {
		return nil, err
	}
	keys, err := f.Custody.Learn(ctx, host, req.Fingerprints)
	if err != nil {
		return nil, err
	}
	shown := make([]web.HostKey, len(keys))
	for i, key := range keys {
		shown[i] = web.HostKey{HostKey: key, Confirmed: slices.Contains(req.Fingerprints, key.Fingerprint)}
	}
	return shown, nil
}

// AddHost pins the keys on the way to a host, goes there and keeps it.
func (f List) AddHost(ctx context.Context, actor string, req web.AddHostRequest) (_ *web.Host, err error) {
	defer upkeep.Wrap(&err, "add host")
	host, err := hostOf(req)
	if err != nil {
		return nil, err
	}
	if _, err := f.Config.Hosts.HostByName(ctx, host.Name); err == nil {
		return nil, upkeep.Errorf(upkeep.CodeConflict, "host %s exists already", host.Name).WithHint("Choose another name with --name.")
	}
	if host.Keys, err = f.Custody.Learn(ctx, host, req.Fingerprints); err != nil {
		return nil, err
	}
	if err := upkeep.Unconfirmed(host.Keys, req.Fingerprints); err != nil {
		return nil, err
	}
	var mark [6]byte
	_, _ = rand.Read(mark[:]) // never fails
	host.Mark = hex.EncodeToString(mark[:])
	described, err := f.Custody.Describe(ctx, host)
	if err != nil {
		return nil, err
	}
	if req.Sudo && !described.Root {
		err = upkeep.Errorf(upkeep.CodeUnauthorized, "sudo makes %s no root on %s", described.Account, host.At)
	} else {
		err = f.Config.Hosts.CreateHost(ctx, host)
	}
	if err != nil {
		return nil, errors.Join(err, f.Custody.Leave(ctx, host))
	}
	err = f.Enter(ctx, actor, kindHostAdded, 0, map[string]any{"name": host.Name, "address": host.At.String(), "keys": fingerprints(host)})
	if err != nil {
		return nil, err
	}
	return &web.Host{Host: *host, Sites: []string{}}, nil
}

func fingerprints(host *upkeep.Host) []string {
	prints := make([]string, len(host.Keys))
	for i := range host.Keys {
		prints[i] = host.Keys[i].Hop + " " + host.Keys[i].Fingerprint
	}
	return prints
}

// CheckHost goes to a host and says what is there.
func (f List) CheckHost(ctx context.Context, name string) (*web.HostCheck, error) {
	host, err := f.Config.Hosts.HostByName(ctx, name)
	if err != nil {
		return nil, err
	}
	began := f.Now()
	described, err := f.Custody.Describe(ctx, host)
	if err != nil {
		return nil, err
	}
	return &web.HostCheck{
		Platform: described.Platform, Account: described.Account, Root: described.Root,
		PHP: described.PHP, MySQLi: described.MySQLi, Free: described.Free,
		Took: upkeep.Duration(f.Now().Sub(began).Round(time.Millisecond)),
	}, nil
}

// RemoveHost removes what is ours on a host, unless it is only to be
// forgotten, and forgets it.
func (f List) RemoveHost(ctx context.Context, actor, name string, forget bool) error {
	shown, err := f.Host(ctx, name)
	if err != nil {
		return err
	}
	if len(shown.Sites) > 0 {
		return upkeep.Errorf(upkeep.CodeConflict, "site %s is on this host", shown.Sites[0]).
			WithHint("Remove its sites first: upkeep site remove %s.", shown.Sites[0])
	}
	if !forget {
		if err := f.Custody.Leave(ctx, &shown.Host); err != nil {
			return err
		}
	}
	if err := f.Config.Hosts.DeleteHost(ctx, shown.ID); err != nil {
		return err
	}
	if err := f.Custody.LetGo(ctx, shown.ID); err != nil {
		f.Log.Warn("let go of a host", "host", name, "error", err)
	}
	return f.Enter(ctx, actor, kindHostRemoved, 0, map[string]any{"name": name, "address": shown.At.String()})
}
