package process

import (
	"bufio"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"upkeep/internal/cms"
)

// A script of a site may start something that outlives it, in a session of its
// own, to write later: it ends with the script.
func TestNothingOutlivesAScript(t *testing.T) {
	if _, err := exec.LookPath("php"); err != nil {
		t.Skip("no php")
	}
	if err := AdoptOrphans(); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	late := filepath.Join(dir, "late")
	script := cms.Script{Name: "fork", Dir: dir, Source: `<?php
exec("setsid sh -c 'echo started >began; (setsid sh -c \"sleep 1; echo written >late\" &) ; sleep 1' >/dev/null 2>&1 &");
while (!file_exists('began')) { usleep(1000); clearstatcache(); }
file_put_contents('php://fd/4', '{}');`}
	p := &Interpreter{Adopts: true, Log: slog.New(slog.DiscardHandler)}
	var answer struct{}
	if err := p.Run(t.Context(), script, struct{}{}, &answer); err != nil {
		t.Fatal(err)
	}
	if left := children(); len(left) > 0 {
		t.Errorf("still there: %v", left)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	// Whoever waits as long as it would have sees nothing written.
	if err := exec.CommandContext(ctx, "sleep", "1.3").Run(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(late); err == nil {
		t.Error("written after the script had ended")
	}
}

// A script that ends does not take another one with it that still runs.
func TestScriptsRunBesideEachOther(t *testing.T) {
	if _, err := exec.LookPath("php"); err != nil {
		t.Skip("no php")
	}
	p := &Interpreter{Adopts: true, Log: slog.New(slog.DiscardHandler)}
	dir := t.TempDir()
	long := cms.Script{Name: "long", Dir: dir, Source: `<?php
touch('begun');
while (!file_exists('other ended')) { usleep(1000); clearstatcache(); }
file_put_contents('php://fd/4', '{}');`}
	short := cms.Script{Name: "short", Dir: dir, Source: `<?php
while (!file_exists('begun')) { usleep(1000); clearstatcache(); }
file_put_contents('php://fd/4', '{}');`}
	var answer struct{}
	ended := make(chan error, 1)
	go func() { ended <- p.Run(t.Context(), long, struct{}{}, &answer) }()
	var other struct{}
	if err := p.Run(t.Context(), short, struct{}{}, &other); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "other ended"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// What works in a folder of the site is waited for, then ended; what works
// elsewhere is left alone.
func TestRequestsEnd(t *testing.T) {
	site, other := t.TempDir(), t.TempDir()
	start := func(name, dir string) *exec.Cmd {
		path := filepath.Join(t.TempDir(), name)
		sleep, err := exec.LookPath("sleep")
		if err == nil {
			err = os.Symlink(sleep, path)
		}
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.CommandContext(t.Context(), path, "60")
		cmd.Dir = dir
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	inside := func(dir string) bool { return dir == site }
	idle := awaiting(t, site)
	busy, apache, elsewhere := start("php-fpm8.2", site), start("apache2", site), start("php-fpm8.2", other)
	FinishRequests(t.Context(), inside, 50*time.Millisecond, slog.New(slog.DiscardHandler))
	for _, cmd := range []*exec.Cmd{busy, apache} {
		var killed *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &killed) {
			t.Errorf("%s: %v", cmd.Path, err)
		}
	}
	began := time.Now()
	FinishRequests(t.Context(), inside, time.Minute, slog.New(slog.DiscardHandler))
	if waited := time.Since(began); waited > time.Second {
		t.Errorf("waited %v for a worker without a request", waited)
	}
	for _, cmd := range []*exec.Cmd{elsewhere, idle} {
		_ = unix.Kill(cmd.Process.Pid, unix.SIGTERM) // as nobody else has ended them
		var ended *exec.ExitError
		if err := cmd.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
			t.Errorf("%s in %s: %v", cmd.Path, cmd.Dir, err)
		}
	}
}

// awaiting starts what waits for a connection in dir, as a worker does that a
// script left there.
func awaiting(t *testing.T, dir string) *exec.Cmd {
	t.Helper()
	php, err := exec.LookPath("php")
	path := filepath.Join(t.TempDir(), "php-fpm8.2")
	if err = errors.Join(err, os.Symlink(php, path)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), path, "-r", `$s = socket_create(AF_UNIX, SOCK_STREAM, 0); socket_bind($s, $argv[1]); socket_listen($s); echo "ready\n"; socket_accept($s);`,
		filepath.Join(t.TempDir(), "socket"))
	cmd.Dir = dir
	out, err := cmd.StdoutPipe()
	if err = errors.Join(err, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	return cmd
}
