// Package scan finds the applications of a host, whoever they belong to and
// whether or not anybody remembers them. Their files are read, none of their
// code runs. Each account's folders are looked through by a process of that
// account's, with limits in time, depth and names, so that a tree that was
// made to hold a scan up holds up its own account's only.
package scan

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/agent/scan/vhost"
)

// Request says what to look for.
type Request struct {
	Paths []string `json:"paths,omitempty"` // absolute: only there; none is where applications usually are
	Known []string `json:"known,omitempty"` // roots that held one: looked at however deep they are
}

// Scanner scans this machine.
type Scanner struct {
	// Command starts a process that calls Walk with its input and output.
	Command []string
	// As returns what starts a process as an account, nil for ours.
	// CodeUnauthorized when we may not.
	As func(uid uint32) (*syscall.Credential, error)
	// Base stands for the machine's root folder in tests, "" otherwise.
	Base string
}

// Bounds of a scan.
const (
	walkTime  = 3 * time.Minute // of one account
	walkGrace = 15 * time.Second
	scanTime  = 20 * time.Minute
	maxRounds = 8        // of folders of one account in those of another
	maxAnswer = 64 << 20 // bytes that one account may tell
	maxStarts = 50_000
)

// Scan looks through the host.
func (s *Scanner) Scan(ctx context.Context, req Request) (_ *upkeep.Scan, err error) {
	defer upkeep.Wrap(&err, "scan")
	limited, cancel := context.WithTimeout(ctx, scanTime) // after which what was found is told all the same
	defer cancel()
	vhosts := vhost.Read(s.Base)
	found := &gathering{scan: &upkeep.Scan{}, began: map[Start]bool{}, bytes: map[string]int64{}}
	starts, err := s.starts(req, vhosts, found.scan)
	if err != nil {
		return nil, err
	}
	for range maxRounds {
		groups := s.byOwner(found, starts)
		if len(groups) == 0 {
			break
		}
		starts = nil
		for _, uid := range slices.Sorted(maps.Keys(groups)) {
			starts = append(starts, s.walkAs(limited, uid, groups[uid], found)...)
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return found.finish(req.Known, addresses(s.Base, vhosts)), nil
}

// gathering is what the processes of all accounts have told.
type gathering struct {
	scan  *upkeep.Scan
	began map[Start]bool // what somebody was sent to
	bytes map[string]int64
}

// byOwner tells folders apart by the account that they are looked through by.
// Only root may choose: anybody else reads what they may.
func (s *Scanner) byOwner(found *gathering, starts []Start) map[uint32][]Start {
	groups := map[uint32][]Start{}
	for _, start := range starts {
		var st unix.Stat_t
		sent := Start{Dir: start.Dir, Only: start.Only}
		if found.began[sent] || len(found.began) >= maxStarts || unix.Lstat(start.Dir, &st) != nil {
			continue
		}
		found.began[sent] = true
		uid := uint32(os.Geteuid())
		if uid == 0 {
			uid = st.Uid
		}
		groups[uid] = append(groups[uid], start)
	}
	return groups
}

// walkAs sends a process of an account through folders, and returns those that
// it left to others.
func (s *Scanner) walkAs(ctx context.Context, uid uint32, starts []Start, found *gathering) []Start {
	answer, err := s.run(ctx, uid, Job{Starts: starts, Deadline: time.Now().Add(walkTime), Account: uid, Alone: os.Geteuid() != 0})
	if err != nil {
		why := upkeep.CutUnreadable
		if errors.Is(err, context.DeadlineExceeded) {
			why = upkeep.CutTime
		}
		for _, start := range starts {
			found.scan.Cut = append(found.scan.Cut, upkeep.Cut{Path: start.Dir, Why: why})
		}
		return nil
	}
	found.scan.Discoveries = append(found.scan.Discoveries, answer.Discoveries...)
	found.scan.Cut = append(found.scan.Cut, answer.Cut...)
	for root, bytes := range answer.Bytes {
		found.bytes[root] += bytes
	}
	var others []Start
	for _, start := range answer.Others {
		var st unix.Stat_t
		if os.Geteuid() == 0 && unix.Lstat(start.Dir, &st) == nil && st.Uid != uid {
			others = append(others, start)
			continue
		}
		// Nobody else can be sent.
		found.scan.Cut = append(found.scan.Cut, upkeep.Cut{Path: start.Dir, Why: upkeep.CutUnreadable})
	}
	return others
}

func (s *Scanner) run(ctx context.Context, uid uint32, job Job) (*Answer, error) {
	ctx, cancel := context.WithDeadline(ctx, job.Deadline.Add(walkGrace))
	defer cancel()
	account, err := s.As(uid)
	if err != nil {
		return nil, err
	}
	input, err := json.Marshal(job)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, s.Command[0], s.Command[1:]...)
	cmd.Dir, cmd.Env = "/", []string{"LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: account}
	out := &bounded{limit: maxAnswer}
	cmd.Stdin, cmd.Stdout = bytes.NewReader(input), out
	cmd.WaitDelay = walkGrace
	err = cmd.Run()
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	var answer Answer
	return &answer, errors.Join(err, json.Unmarshal(out.kept.Bytes(), &answer))
}

// bounded keeps what a process writes, up to a limit. The buffer is no part of
// it: that would read to the end by itself.
type bounded struct {
	kept  bytes.Buffer
	limit int
}

// Write refuses what is too much, which ends the process.
func (b *bounded) Write(p []byte) (int, error) {
	if b.kept.Len()+len(p) > b.limit {
		return 0, upkeep.Errorf(upkeep.CodeRefused, "more than %d bytes", b.limit)
	}
	return b.kept.Write(p)
}

// finish puts together what was told.
func (g *gathering) finish(known []string, at addressed) *upkeep.Scan {
	scan := g.scan
	slices.SortFunc(scan.Discoveries, func(a, b upkeep.Discovery) int { return strings.Compare(a.Root, b.Root) })
	scan.Discoveries = slices.CompactFunc(scan.Discoveries, func(a, b upkeep.Discovery) bool { return a.Root == b.Root })
	for i := range scan.Discoveries {
		d := &scan.Discoveries[i]
		d.Bytes += g.bytes[d.Root]
		d.Owner = ownerOf(d.Root)
		if urls := at.of(d.Root); len(urls) > 0 {
			d.URLs = urls
		}
		d.Within = around(scan.Discoveries, d.Root)
	}
	for _, root := range known {
		_, found := slices.BinarySearchFunc(scan.Discoveries, root, func(d upkeep.Discovery, root string) int { return strings.Compare(d.Root, root) })
		if !found && !slices.ContainsFunc(scan.Cut, func(c upkeep.Cut) bool { return c.Why != upkeep.CutDeep && within(root, c.Path) }) {
			scan.Missing = append(scan.Missing, root)
		}
	}
	return scan
}

// around is the root of the innermost application that one lies in, "" for
// none.
func around(all []upkeep.Discovery, root string) string {
	outer := ""
	for i := range all {
		if other := all[i].Root; other != root && within(root, other) && len(other) > len(outer) {
			outer = other
		}
	}
	return outer
}

// ownerOf is the account that a folder belongs to, by name where it has one.
func ownerOf(dir string) string {
	var st unix.Stat_t
	if unix.Lstat(dir, &st) != nil {
		return ""
	}
	id := strconv.Itoa(int(st.Uid))
	if account, err := user.LookupId(id); err == nil {
		return account.Username
	}
	return id
}

// within reports whether path is dir or below it.
func within(path, dir string) bool {
	return path == dir || dir == "/" || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}

// resolved returns a folder without links, "" when it is none.
func resolved(dir string) string {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return ""
	}
	if info, err := os.Stat(real); err != nil || !info.IsDir() {
		return ""
	}
	return real
}
