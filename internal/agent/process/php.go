// Package process starts and ends what runs code of a site: our scripts with
// the site's PHP, what they leave behind, and requests that are under way.
package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"upkeep"
	"upkeep/internal/cms"
)

// Limits on what a script of ours may take and say.
const (
	scriptTime   = 5 * time.Minute
	scriptAnswer = 16 << 20
	scriptOutput = 64 << 10
)

// Interpreter runs PHP scripts. The agent is the site's owner already, so
// they are too.
type Interpreter struct {
	Path   string // "" looks it up
	Adopts bool   // this process adopts orphans, and has no children but scripts
	Memory string // file that keeps what fixed scripts said; "" forgets it with the process
	Log    *slog.Logger

	mu      sync.Mutex
	running int              // scripts
	fixed   map[string]fixed // nil before Memory was read
}

func (p *Interpreter) find() (string, error) {
	if p.Path != "" {
		return p.Path, nil
	}
	for _, name := range []string{"php", "php8.4", "php8.3", "php8.2", "php8.1", "php8.0", "php7.4"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", upkeep.Errorf(upkeep.CodeUnreachable, "no php command on this host").
		WithHint("Install it: apt-get install php-cli php-mysql.")
}

// Run gives input as JSON on descriptor 3 and decodes what the script writes
// on descriptor 4. The script itself goes in by standard input: neither it
// nor a secret in its input ever shows in a list of processes.
func (p *Interpreter) Run(ctx context.Context, script cms.Script, input, output any) (err error) {
	defer upkeep.Wrap(&err, "php %s", script.Name)
	path, err := p.find()
	if err != nil {
		return err
	}
	key := ""
	if script.Fixed {
		key = fixedKey(path, script)
		if answer := p.recall(key); answer != nil {
			return decodeAnswer(answer, output)
		}
	}
	question, err := json.Marshal(input)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, scriptTime)
	defer cancel()

	cmd := exec.CommandContext(ctx, path, "-d", "display_errors=stderr", "-d", "memory_limit=512M", "-d", "opcache.enable_cli=0")
	cmd.Dir = script.Dir
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "LC_ALL=C.UTF-8", "HOME=/nonexistent"}
	cmd.Stdin = strings.NewReader(script.Source)
	printed := &bounded{limit: scriptOutput}
	cmd.Stdout, cmd.Stderr = printed, printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 2 * time.Second

	answer, err := p.converse(cmd, question)
	if printed.Len() > 0 {
		p.Log.Info("php output", "script", script.Name, "text", printed.String())
	}
	if len(answer) > 0 {
		if err = decodeAnswer(answer, output); err == nil && script.Fixed {
			p.remember(key, answer)
		}
		return err
	}
	if ctx.Err() != nil {
		return upkeep.Errorf(upkeep.CodeRefused, "no answer within %s", scriptTime)
	}
	return upkeep.Errorf(upkeep.CodeRefused, "no answer (%v): %s", err, lastLine(printed.String()))
}

// converse starts cmd, writes question to its descriptor 3 and returns all
// that it wrote to descriptor 4, with how it ended.
func (p *Interpreter) converse(cmd *exec.Cmd, question []byte) ([]byte, error) {
	inR, inW, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, inR.Close(), inW.Close())
	}
	cmd.ExtraFiles = []*os.File{inR, outW}
	p.begin()
	err = cmd.Start()
	inR.Close()
	outW.Close()
	if err != nil {
		p.end()
		inW.Close()
		outR.Close()
		return nil, err
	}
	go func() {
		_, _ = inW.Write(question) // a script that does not read its input says so by its answer
		inW.Close()
	}()
	answered := make(chan []byte, 1)
	go func() {
		answer, _ := io.ReadAll(io.LimitReader(outR, scriptAnswer)) // cut off is as good as no answer
		answered <- answer
	}()
	err = cmd.Wait()
	// What the script started and left behind would go on writing to a site
	// that is being compared or backed up.
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // mostly there is nobody
	p.end()
	// A child left behind by the script may hold the pipe open.
	_ = outR.SetReadDeadline(time.Now().Add(time.Second))
	answer := <-answered
	return answer, errors.Join(err, outR.Close())
}

func (p *Interpreter) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.running++
}

// end ends what scripts left behind, whatever session it hides in. While
// another script runs nobody can tell whose child is whose: the last one does.
func (p *Interpreter) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.running--; p.running == 0 && p.Adopts {
		EndOrphans()
	}
}

// decodeAnswer understands {"error": {code, message, hint}} besides the
// script's own answer.
func decodeAnswer(answer []byte, output any) error {
	var told struct {
		Error *upkeep.Error `json:"error"`
	}
	if json.Unmarshal(answer, &told) == nil && told.Error != nil && told.Error.Code != "" {
		return told.Error
	}
	if err := json.Unmarshal(answer, output); err != nil {
		return upkeep.Errorf(upkeep.CodeRefused, "answer does not read as json: %w", err)
	}
	return nil
}

// bounded keeps the last limit bytes written to it.
type bounded struct {
	bytes.Buffer
	limit int
}

// Write keeps the end of what was written.
func (b *bounded) Write(p []byte) (int, error) {
	n, err := b.Buffer.Write(p)
	if extra := b.Len() - b.limit; extra > 0 {
		b.Next(extra)
	}
	return n, err
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// Version returns the version of the PHP that agents would use here, and its
// modules. CodeUnreachable when there is none.
func Version(ctx context.Context) (version string, modules map[string]bool, err error) {
	p := &Interpreter{Log: slog.New(slog.DiscardHandler)}
	var told struct {
		Version string   `json:"version"`
		Modules []string `json:"modules"`
	}
	script := cms.Script{Name: "version", Dir: "/", Source: `<?php
file_put_contents('php://fd/4', json_encode(['version' => PHP_VERSION, 'modules' => get_loaded_extensions()]));`}
	if err := p.Run(ctx, script, struct{}{}, &told); err != nil {
		return "", nil, err
	}
	modules = map[string]bool{}
	for _, module := range told.Modules {
		modules[module] = true
	}
	return told.Version, modules, nil
}
