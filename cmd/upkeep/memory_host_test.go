package main

import (
	"context"
	"slices"

	"upkeep"
	"upkeep/internal/web"
)

// hops are the keys of the two machines that every host of the memory is
// behind: itself and, when it is asked for, one before.
func hops(req web.AddHostRequest) []upkeep.HostKey {
	keys := []upkeep.HostKey{{Hop: req.Address, Key: "ssh-ed25519 AAAA", Fingerprint: "SHA256:target"}}
	for _, jump := range req.Jump {
		keys = append([]upkeep.HostKey{{Hop: jump, Key: "ssh-ed25519 BBBB", Fingerprint: "SHA256:jump"}}, keys...)
	}
	return keys
}

func (m *memory) HostKeys(_ context.Context, req web.AddHostRequest) ([]web.HostKey, error) {
	var shown []web.HostKey
	for _, key := range hops(req) {
		confirmed := slices.Contains(req.Fingerprints, key.Fingerprint)
		shown = append(shown, web.HostKey{HostKey: key, Confirmed: confirmed})
		if !confirmed {
			break
		}
	}
	return shown, nil
}

func (m *memory) AddHost(_ context.Context, actor string, req web.AddHostRequest) (*web.Host, error) {
	at, err := upkeep.ParseHop(req.Address)
	if err != nil {
		return nil, err
	}
	host := web.Host{Host: upkeep.Host{ID: 1, Name: req.Name, At: at, Sudo: req.Sudo, Keys: hops(req)}, Sites: []string{}}
	m.mu.Lock()
	m.state.Hosts = append(m.state.Hosts, host)
	m.mu.Unlock()
	m.changed("host_add", req.Name, actor)
	return &host, nil
}

func (m *memory) Hosts(context.Context) ([]web.Host, error) { return m.state.Hosts, nil }

func (m *memory) Host(_ context.Context, name string) (*web.Host, error) {
	for i := range m.state.Hosts {
		if m.state.Hosts[i].Name == name {
			return &m.state.Hosts[i], nil
		}
	}
	return nil, upkeep.Errorf(upkeep.CodeNotFound, "host %s does not exist", name)
}

func (m *memory) CheckHost(ctx context.Context, name string) (*web.HostCheck, error) {
	if _, err := m.Host(ctx, name); err != nil {
		return nil, err
	}
	return &web.HostCheck{Platform: "linux/arm64", Account: "deploy", PHP: "8.2.29", Free: 5 << 30}, nil
}

func (m *memory) RemoveHost(_ context.Context, actor, name string, _ bool) error {
	m.mu.Lock()
	m.state.Hosts = slices.DeleteFunc(m.state.Hosts, func(h web.Host) bool { return h.Name == name })
	m.mu.Unlock()
	m.changed("host_remove", name, actor)
	return nil
}
