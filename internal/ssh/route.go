package ssh

import (
	"bytes"
	"context"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
	"unicode"

	"upkeep"
)

// resolved is a hop with all that ssh's configuration says of it.
type resolved struct {
	hop          upkeep.Hop // as it was named
	address      string
	port         int
	user         string
	identities   []string // files of private keys
	certificates []string
	agent        string // socket, "" for none
	only         bool   // no other keys of the agent than the identities
	jump         []upkeep.Hop
}

// maxHops bounds the way to a host: a configuration may lead in a circle.
const maxHops = 8

// route returns the hops to a host. What is passed through on the way is what
// the host says, else what the configuration says of the first one.
func (r *Reacher) route(ctx context.Context, host *upkeep.Host) ([]resolved, error) {
	var way []resolved
	for _, hop := range append(append([]upkeep.Hop{}, host.Jump...), host.At) {
		next, err := r.resolve(ctx, hop)
		if err != nil {
			return nil, err
		}
		way = append(way, *next)
	}
	for len(way[0].jump) > 0 {
		var before []resolved
		for _, hop := range way[0].jump {
			next, err := r.resolve(ctx, hop)
			if err != nil {
				return nil, err
			}
			before = append(before, *next)
		}
		if way = append(before, way...); len(way) > maxHops {
			return nil, upkeep.Errorf(upkeep.CodeInvalid, "the way to %s has more than %d hops", host.At, maxHops).
				WithHint("Does ProxyJump lead in a circle?")
		}
	}
	return way, nil
}

// resolve asks ssh itself what its configuration says, with all its rules;
// where there is no ssh there is none.
func (r *Reacher) resolve(ctx context.Context, hop upkeep.Hop) (*resolved, error) {
	found := &resolved{hop: hop, address: hop.Address, port: hop.Port, user: hop.User, agent: r.Agent}
	if r.Program == "" {
		found.fill(r)
		return found, nil
	}
	args := []string{"-G"}
	if r.File != "" {
		args = append(args, "-F", r.File)
	}
	if hop.User != "" {
		args = append(args, "-l", hop.User)
	}
	if hop.Port != 0 {
		args = append(args, "-p", strconv.Itoa(hop.Port))
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // "Match exec" runs programs
	defer cancel()
	cmd := exec.CommandContext(ctx, r.Program, append(args, "--", hop.Address)...)
	var problem bytes.Buffer
	cmd.Stderr = &problem
	out, err := cmd.Output()
	if err != nil {
		why := problem.String()
		if why == "" {
			why = err.Error()
		}
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "ssh's configuration of %s: %s", hop, lastLine(why)).
			WithHint("Look at it with: ssh -G %s.", hop.Address)
	}
	for line := range strings.Lines(string(out)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		if err := found.take(r, key, value); err != nil {
			return nil, err
		}
	}
	found.fill(r)
	return found, nil
}

// take takes in one line of what ssh says.
func (f *resolved) take(r *Reacher, key, value string) (err error) {
	switch key {
	case "hostname":
		f.address = value
	case "user":
		f.user = value
	case "port":
		f.port, err = strconv.Atoi(value)
	case "identityfile":
		f.identities = append(f.identities, r.path(f, value))
	case "certificatefile":
		f.certificates = append(f.certificates, r.path(f, value))
	case "identitiesonly":
		f.only = value == "yes"
	case "identityagent":
		switch {
		case value == "none":
			f.agent = ""
		case value != "SSH_AUTH_SOCK":
			f.agent = r.path(f, value)
		}
	case "proxyjump":
		if value == "none" {
			return nil
		}
		for part := range strings.SplitSeq(value, ",") {
			hop, err := upkeep.ParseHop(part)
			if err != nil {
				return err
			}
			f.jump = append(f.jump, hop)
		}
	case "proxycommand":
		if value != "none" {
			return upkeep.Errorf(upkeep.CodeInvalid, "ssh's configuration of %s names a ProxyCommand, which is not followed", f.hop).
				WithHint("Use ProxyJump there, or --jump.")
		}
	}
	return err
}

// fill sets what nobody said.
func (f *resolved) fill(r *Reacher) {
	if f.port == 0 {
		f.port = 22
	}
	if f.user == "" {
		f.user = r.User
	}
	if len(f.identities) == 0 {
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			f.identities = append(f.identities, filepath.Join(r.Home, ".ssh", name))
		}
	}
}

// path expands what ssh leaves in the names of files.
func (r *Reacher) path(f *resolved, name string) string {
	if rest, ok := strings.CutPrefix(name, "~/"); ok {
		name = filepath.Join(r.Home, rest)
	}
	return strings.NewReplacer("%%", "%", "%d", r.Home, "%h", f.address, "%r", f.user, "%u", r.User, "%p", strconv.Itoa(f.port)).Replace(name)
}

// lastLine is what a program said last, cut to what a person reads, and
// without what steers a terminal.
func lastLine(text string) string {
	text = strings.TrimSpace(text)
	if i := strings.LastIndexByte(text, '\n'); i >= 0 {
		text = strings.TrimSpace(text[i+1:])
	}
	return strings.Map(func(c rune) rune {
		if !unicode.IsPrint(c) {
			return '?'
		}
		return c
	}, text[:min(len(text), 300)])
}
