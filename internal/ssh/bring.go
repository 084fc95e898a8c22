package ssh

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"

	"upkeep"
)

// Binaries are the files of this program for the platforms that hosts may
// have.
type Binaries struct {
	Own     string   // that runs here
	Arch    string   // that it is for, in Go's name
	Folders []string // that hold the others, as "upkeep-linux-<arch>"

	sums sync.Map // path → func() (string, error)
}

// platforms are what "uname -sm" says of those that we bring ourselves to.
func platforms() map[string]string {
	return map[string]string{"Linux x86_64": "amd64", "Linux aarch64": "arm64"}
}

// file returns where the program for an architecture is, "" when it is not at
// hand.
func (b *Binaries) file(arch string) string {
	if arch == b.Arch {
		return b.Own
	}
	for _, folder := range b.Folders {
		path := filepath.Join(folder, "upkeep-linux-"+arch)
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			return path
		}
	}
	return ""
}

// sum returns the SHA-256 of a file in hex, read once.
func (b *Binaries) sum(path string) (string, error) {
	once, _ := b.sums.LoadOrStore(path, sync.OnceValues(func() (string, error) {
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		hash := sha256.New()
		_, err = io.Copy(hash, f)
		return hex.EncodeToString(hash.Sum(nil)), err
	}))
	return once.(func() (string, error))()
}

// A host has all of ours in one folder that bears our mark: /var/lib/upkeep-agent
// where we are root, so that accounts of sites get in, else in the account's
// home. $d is that folder.
func placeScript(mark string) string {
	return `umask 022; if [ "$(id -u)" = 0 ]; then d=/var/lib/upkeep-agent/` + mark + `; else d="$HOME/.upkeep/` + mark + `"; fi; `
}

// needs is what the script says where our program is not.
const needs = "upkeep-needs "

// runScript starts our program where it is, by the hash of its content, or
// says which platform wants it.
func runScript(mark string, sums map[string]string) string {
	var cases strings.Builder
	for platform, arch := range platforms() {
		if sum := sums[arch]; sum != "" {
			cases.WriteString(`"` + platform + `") b=upkeep-` + sum + `;; `)
		}
	}
	return placeScript(mark) + `b=; case "$(uname -sm)" in ` + cases.String() + `esac; ` +
		`if [ -n "$b" ] && [ -x "$d/bin/$b" ]; then exec "$d/bin/$b" agent post "$d"; fi; echo "` + needs + `$(uname -sm)"`
}

// copyScript takes our program from its input, puts it in place whole or not
// at all, and removes what was there of other versions.
func copyScript(mark, sum string) string {
	return placeScript(mark) + `b="$d/bin/upkeep-` + sum + `"; n="$d/bin/.new-$$"; mkdir -p "$d/bin" && gzip -dc >"$n" && ` +
		`echo "` + sum + `  $n" | sha256sum -c - >/dev/null && chmod 755 "$n" && { sync "$n" 2>/dev/null || sync; } && mv -f "$n" "$b" || { rm -f "$n"; exit 1; }; ` +
		`for f in "$d"/bin/upkeep-*; do [ "$f" = "$b" ] || rm -f "$f"; done`
}

func clearScript(mark string) string {
	return placeScript(mark) + `rm -rf "$d" && { rmdir "${d%/*}" 2>/dev/null || :; }`
}

// shell has a script run by sh, whatever the account's own shell, as root
// where that is agreed.
func shell(host *upkeep.Host, script string) string {
	command := "/bin/sh -c '" + strings.ReplaceAll(script, "'", `'\''`) + "'"
	if host.Sudo {
		return "exec sudo -n " + command
	}
	return "exec " + command
}

// enter starts our program on a host, bringing it first where it is not.
func (r *Reacher) enter(ctx context.Context, c *client, host *upkeep.Host) (io.ReadWriteCloser, error) {
	sums := map[string]string{}
	for _, arch := range platforms() {
		if path := r.Binaries.file(arch); path != "" {
			sum, err := r.Binaries.sum(path)
			if err != nil {
				return nil, err
			}
			sums[arch] = sum
		}
	}
	for brought := false; ; brought = true {
		stream, said, err := begin(ctx, c, shell(host, runScript(host.Mark, sums)))
		if err != nil {
			return nil, explained(err, host)
		}
		if said == r.Greeting {
			return stream, nil
		}
		platform, absent := strings.CutPrefix(said, needs)
		if !absent {
			return nil, errors.Join(upkeep.Errorf(upkeep.CodeConflict, "the program that was brought to the host says %q and not %q", lastLine(said), r.Greeting).
				WithHint("The files upkeep-linux-… beside upkeep must be of the same version."), stream.Close())
		}
		if err := stream.session.Close(); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		if brought {
			return nil, upkeep.Errorf(upkeep.CodeRefused, "the host does not keep the program that was brought there")
		}
		if err := r.bring(ctx, c, host, platform); err != nil {
			return nil, err
		}
	}
}

// bring copies our program to a host.
func (r *Reacher) bring(ctx context.Context, c *client, host *upkeep.Host, platform string) (err error) {
	defer upkeep.Wrap(&err, "bring upkeep there")
	arch, ok := platforms()[platform]
	if !ok {
		return upkeep.Errorf(upkeep.CodeInvalid, "the host is %q, and upkeep runs on Linux x86_64 and aarch64 only", lastLine(platform))
	}
	path := r.Binaries.file(arch)
	if path == "" {
		return upkeep.Errorf(upkeep.CodeNotFound, "the host is %s, and there is no upkeep for it here", platform).
			WithHint("Put the file upkeep-linux-%s of this version, as make release builds it, into %s.", arch, strings.Join(r.Binaries.Folders, ", "))
	}
	sum, err := r.Binaries.sum(path)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	zipped, out := io.Pipe()
	go func() {
		large := bufio.NewWriterSize(out, 256<<10) // gzip writes a few hundred bytes at a time, each of which would be a packet
		z, err := gzip.NewWriterLevel(large, gzip.BestSpeed)
		if err == nil {
			_, err = io.Copy(z, f)
			err = errors.Join(err, z.Close(), large.Flush())
		}
		out.CloseWithError(err) // nil ends the input
	}()
	err = run(ctx, c, shell(host, copyScript(host.Mark, sum)), zipped, copyTime)
	_ = zipped.Close() // ends who still writes
	return err
}

// run runs a command to its end.
func run(ctx context.Context, c *client, command string, input io.Reader, limit time.Duration) error {
	session, err := c.NewSession()
	if err != nil {
		return lost(err)
	}
	defer session.Close()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() }) // whatever hangs
	defer stop()
	said := &tail{}
	session.Stdin, session.Stderr, session.Stdout = input, said, said
	err = session.Run(command)
	if err != nil && ctx.Err() != nil {
		return upkeep.Errorf(upkeep.CodeUnreachable, "the host did not do it within %s", limit)
	}
	if _, failed := errors.AsType[*ssh.ExitError](err); failed {
		return upkeep.Errorf(upkeep.CodeConflict, "the host says: %s", lastLine(said.String()))
	}
	if err != nil {
		return lost(err)
	}
	return nil
}

func lost(err error) error {
	return upkeep.Errorf(upkeep.CodeUnreachable, "the connection broke: %w", err)
}

// explained says what a program that did not begin may mean.
func explained(err error, host *upkeep.Host) error {
	e, ok := errors.AsType[*upkeep.Error](err)
	if !ok || e.Code != upkeep.CodeConflict || !host.Sudo {
		return err
	}
	return e.WithHint("Does sudo -n sh work for the login, without a password? Add to sudoers: LOGIN ALL=(root) NOPASSWD: /bin/sh.")
}

// talk is a running program, as a stream.
type talk struct {
	client  *client
	session *ssh.Session
	in      io.WriteCloser
	out     *bufio.Reader
}

func (t *talk) Read(p []byte) (int, error)  { return t.out.Read(p) }
func (t *talk) Write(p []byte) (int, error) { return t.in.Write(p) }

// Close ends the program and the connection to its host.
func (t *talk) Close() error {
	_ = t.in.Close() // by which the program knows that it may end
	return t.client.Close()
}

// subsystem begins a subsystem.
func (c *client) subsystem(name string) (_ *talk, err error) {
	session, err := c.NewSession()
	if err != nil {
		return nil, lost(err)
	}
	t := &talk{client: c, session: session}
	out, err := session.StdoutPipe()
	if err == nil {
		t.in, err = session.StdinPipe()
	}
	if err != nil {
		return nil, lost(err)
	}
	t.out = bufio.NewReaderSize(out, maxNoise)
	if err := session.RequestSubsystem(name); err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "the server knows no %s: %w", name, err).
			WithHint("OpenSSH needs a line Subsystem %s in its sshd_config.", name)
	}
	return t, nil
}

// maxNoise bounds what may come before the line that counts: scripts of the
// account's shell say what they like.
const maxNoise = 64 << 10

// begin starts a command and returns it with the first line that is ours.
func begin(ctx context.Context, c *client, command string) (_ *talk, line string, err error) {
	session, err := c.NewSession()
	if err != nil {
		return nil, "", lost(err)
	}
	t := &talk{client: c, session: session}
	problem := &tail{}
	session.Stderr = problem
	out, err := session.StdoutPipe()
	if err == nil {
		t.in, err = session.StdinPipe()
	}
	if err == nil {
		err = session.Start(command)
	}
	if err != nil {
		return nil, "", lost(err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	t.out = bufio.NewReaderSize(out, maxNoise)
	for noise := 0; noise < maxNoise; noise += len(line) {
		raw, err := t.out.ReadSlice('\n')
		line = string(bytes.TrimRight(raw, "\r\n"))
		if strings.HasPrefix(line, "upkeep-") {
			return t, line, nil
		}
		if ctx.Err() != nil {
			return nil, "", upkeep.Errorf(upkeep.CodeUnreachable, "the host does not start our program within %s", startTime)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			break
		}
		if err != nil {
			_ = session.Wait() // then all that it said is there
			return nil, "", upkeep.Errorf(upkeep.CodeConflict, "our program does not start there: %s", lastLine(problem.String()))
		}
	}
	return nil, "", upkeep.Errorf(upkeep.CodeRefused, "the host says much, and nothing of ours")
}

// tail keeps the end of what a program says.
type tail struct {
	mu   sync.Mutex
	text []byte
}

const maxTail = 4 << 10

// Write keeps the end.
func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, p...)
	if len(t.text) > maxTail {
		t.text = append(t.text[:0], t.text[len(t.text)-maxTail:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.text)
}
