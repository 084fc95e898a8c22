package demo

import (
	"bytes"
	"context"
	_ "embed"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"upkeep"
)

// fpmConfig is one pool with Debian's own settings of PHP, opcode cache
// included. Mail goes nowhere.
//
//go:embed php-fpm.conf
var fpmConfig string

func (w *World) phpServer() (*Server, error) {
	binary, err := lookFPM()
	if err != nil {
		return nil, err
	}
	run, config := filepath.Join(w.Dir, "run"), filepath.Join(w.Dir, "etc", "php-fpm.conf")
	socket, err := w.socketPath("php.sock")
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(config, fmt.Appendf(nil, fpmConfig, run, socket), 0o644); err != nil {
		return nil, err
	}
	return &Server{
		Name: "php-fpm", argv: []string{binary, "--nodaemonize", "--fpm-config", config}, config: config,
		socket: socket, files: "php-fpm", dir: filepath.Join(w.Dir, "servers"), as: w.as, detached: w.opts.Detached,
		ready: func(context.Context) error {
			conn, err := net.Dial("unix", socket)
			if err == nil {
				_ = conn.Close() // only asked whether somebody listens
			}
			return err
		},
	}, nil
}

// lookFPM finds PHP's process manager; Debian puts the version in its name.
func lookFPM() (string, error) {
	found, err := filepath.Glob("/usr/sbin/php-fpm*")
	if err != nil || len(found) == 0 {
		return "", upkeep.Errorf(upkeep.CodeNotFound, "php-fpm is not installed").
			WithHint("Install it: apt-get install php-fpm")
	}
	return found[len(found)-1], nil
}

// socketPath returns where a socket goes: in the world, or when that path is
// longer than the kernel takes, in a folder below /tmp that the world's own
// number names, so that a later process finds it again.
func (w *World) socketPath(name string) (string, error) {
	path := filepath.Join(w.Dir, "run", name)
	if len(path) <= maxSocketPath {
		return path, nil
	}
	info, err := os.Stat(w.Dir)
	if err != nil {
		return "", err
	}
	short := filepath.Join("/tmp", fmt.Sprintf("upkeep-run-%x", info.Sys().(*syscall.Stat_t).Ino))
	if err := os.Mkdir(short, 0o700); err != nil && !os.IsExist(err) {
		return "", err
	}
	return filepath.Join(short, name), w.chown(short)
}

// RunPHP runs a script with the command-line PHP as the account of the sites,
// with input on its standard input, and returns what it printed.
func (w *World) RunPHP(ctx context.Context, dir, script string, input []byte) ([]byte, error) {
	binary, err := exec.LookPath("php")
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "php is not installed").WithHint("Install it: apt-get install php-cli")
	}
	cmd := exec.CommandContext(ctx, binary, "-d", "display_errors=stderr", "-d", "sendmail_path=/bin/true", "-r", script)
	cmd.Dir, cmd.Stdin = dir, bytes.NewReader(input)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: w.as}
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin"}
	var out, errout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errout
	if err := cmd.Run(); err != nil {
		return nil, upkeep.Errorf(upkeep.CodeUnreachable, "php: %s %s: %w", lastLines(errout.String(), 5), lastLines(out.String(), 5), err)
	}
	return out.Bytes(), nil
}
