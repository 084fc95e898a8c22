// Package console is what every command stands on: the world outside the
// program (arguments, terminal, environment, interrupts), the way to a server,
// the forms of commands and flags, help, errors and exit statuses.
package console

import (
	"context"
	"io"
	"net/http"
	"os"
	"os/signal"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"upkeep"
	"upkeep/internal/catalogue"
	"upkeep/internal/secret"
	"upkeep/internal/store/move"
	"upkeep/internal/terminal"
	"upkeep/internal/web"
	"upkeep/internal/web/access"
	"upkeep/internal/web/listen"
)

// Application is what the wiring plugs in.
type Application struct {
	// Open opens the application and returns its API. It outlives
	// interrupts: whoever called it closes it.
	Open func(ctx context.Context, place Place) (api http.Handler, closeApp func() error, err error)
	// Serve is Open for a daemon, which begins interventions by itself and lets
	// people in.
	Serve func(ctx context.Context, place Place, duty Duty) (gate *access.Gate, closeApp func() error, err error)
	// Move moves the records of a state folder to a PostgreSQL.
	Move func(ctx context.Context, place Place) ([]move.Table, error)
	// Demo runs the demonstration. It attends to interrupts itself.
	Demo func(ctx context.Context, e *Env, opts DemoOptions) error
	// Hidden are commands that people do not type.
	Hidden []func(*Env) *cobra.Command
}

// Place says where the application keeps what it knows.
type Place struct {
	State    string      // folder
	Database secret.Text // address of a PostgreSQL that has the records; empty: they are in the folder
}

// Duty is what a daemon does of all there is to do.
type Duty string

// The duties. By default, a daemon has both.
const (
	Everything Duty = ""
	Work       Duty = "work" // carries interventions out; answers nobody
	Answer     Duty = "web"  // answers; what there is to carry out others do
)

// Env is what a run of the program has of the world outside.
type Env struct {
	Args           []string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	Signals        <-chan os.Signal // interrupts; the first one asks, the second one insists
	Clock          upkeep.Clock
	Version        string
	Database       secret.Text // UPKEEP_DATABASE_URL
	App            Application

	Texts  *catalogue.Texts
	Out    *terminal.Screen // results
	Notice *terminal.Screen // progress and questions, on stderr

	global globalOptions
	left   bool // running work was left behind on purpose: do not wait for it
}

// globalOptions are the flags of every command.
type globalOptions struct {
	Server string
	State  string
	Lang   string
}

// Text returns a text of the catalogue.
func (e *Env) Text(key string, pairs ...any) string { return e.Texts.Text(key, pairs...) }

// Say writes a line to stdout.
func (e *Env) Say(key string, pairs ...any) error {
	_, err := io.WriteString(e.Stdout, e.Text(key, pairs...)+"\n")
	return err
}

// WouldDo says what a change would do, after a dry run.
func (e *Env) WouldDo(format, key string, pairs ...any) error {
	if format == "json" {
		return terminal.JSON(e.Stdout, map[string]any{"dry_run": true, "would": e.Text(key, pairs...)})
	}
	return e.Say(key, pairs...)
}

// StateDir is where the application keeps its state: --state or UPKEEP_STATE,
// else /var/lib/upkeep for root, else the user's state folder.
func (e *Env) StateDir() (string, error) {
	dir := e.global.State
	if dir == "" {
		dir = e.Getenv("UPKEEP_STATE")
	}
	if dir != "" {
		return filepath.Abs(dir)
	}
	if os.Geteuid() == 0 {
		return "/var/lib/upkeep", nil
	}
	if base := e.Getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "upkeep"), nil
	}
	home := e.Getenv("HOME")
	if home == "" {
		return "", upkeep.Errorf(upkeep.CodeInvalid, "no state folder: neither HOME nor UPKEEP_STATE is set").
			WithHint("Set UPKEEP_STATE or give --state.")
	}
	return filepath.Join(home, ".local", "state", "upkeep"), nil
}

// connect finds the server: the address that was given, else the socket in the
// state folder, else the application itself, in this process and reached by
// the same API. The returned function lets go of it.
func (e *Env) connect(ctx context.Context) (*web.Client, func() error, error) {
	url := e.global.Server
	if url == "" {
		url = e.Getenv("UPKEEP_URL")
	}
	if url != "" {
		client, err := web.NewClient(url, e.Getenv("UPKEEP_TOKEN"))
		return client, func() error { return nil }, err
	}
	dir, err := e.StateDir()
	if err != nil {
		return nil, nil, err
	}
	client := web.NewSocketClient(filepath.Join(dir, listen.SocketName))
	if _, err := client.Version(ctx); err == nil {
		return client, func() error { client.Close(); return nil }, nil
	}
	return e.openHere(ctx, dir)
}

// openHere opens the application in this process. It does not end with ctx:
// an interrupted command still has to ask it to stop in good order.
func (e *Env) openHere(ctx context.Context, dir string) (*web.Client, func() error, error) {
	if e.App.Open == nil {
		return nil, nil, upkeep.Errorf(upkeep.CodeUnreachable, "no server answers in %s", dir).WithHint("Start one: upkeep serve.")
	}
	base, cancel := context.WithCancel(context.WithoutCancel(ctx))
	api, closeApp, err := e.App.Open(base, Place{dir, e.Database})
	if err != nil {
		cancel()
		return nil, nil, err
	}
	listener := listen.NewMemory()
	serving, stop := context.WithCancel(base)
	ended := make(chan error, 1)
	go func() { ended <- listen.Serve(serving, listener, api, time.Second) }()
	client := web.NewDialClient(listener.Dial)
	return client, func() error {
		defer cancel()
		if e.left {
			return nil
		}
		client.Close()
		stop()
		err := <-ended
		if cerr := closeApp(); err == nil {
			err = cerr
		}
		return err
	}, nil
}

// Calling makes the body of a command that calls the API. The first interrupt
// ends its context.
func (e *Env) Calling(body func(ctx context.Context, c *web.Client, args []string) error) func(*cobra.Command, []string) error {
	return e.interruptible(func(ctx context.Context, args []string) error {
		return e.Attending(body)(ctx, args)
	})
}

// Attending is calling for a body that attends to interrupts itself.
func (e *Env) Attending(body func(ctx context.Context, c *web.Client, args []string) error) func(context.Context, []string) error {
	return func(ctx context.Context, args []string) (err error) {
		client, release, err := e.connect(ctx)
		if err != nil {
			return err
		}
		defer func() {
			if rerr := release(); err == nil {
				err = rerr
			}
		}()
		return body(ctx, client, args)
	}
}

// interruptible runs a body whose context ends with the first interrupt.
func (e *Env) interruptible(body func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		ctx, cancel := context.WithCancel(cmd.Context())
		defer cancel()
		go func() {
			select {
			case <-e.Signals:
				cancel()
				signal.Reset() // a second one ends the process at once
			case <-ctx.Done():
			}
		}()
		err := body(ctx, args)
		if err != nil && ctx.Err() != nil && cmd.Context().Err() == nil {
			return upkeep.Errorf(upkeep.CodeInterrupted, "interrupted: %w", err)
		}
		return err
	}
}

// Actor says who runs the command, for the ledger: SUDO_USER is remembered.
func (e *Env) Actor() string {
	name := "uid " + strconv.Itoa(os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if sudo := e.Getenv("SUDO_USER"); sudo != "" {
		name = sudo + " (" + name + ")"
	}
	return "cli:" + name
}

// Confirm asks before a change. Where nobody can answer, --yes is wanted.
func (e *Env) Confirm(ctx context.Context, yes bool, question string) error {
	if yes {
		return nil
	}
	in, ok := e.Stdin.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return Usagef("%s", e.Text("usage.needs_yes")).WithHint("%s", e.Text("usage.needs_yes_hint"))
	}
	if _, err := io.WriteString(e.Stderr, question+" "+e.Text("confirm.choice")+" "); err != nil {
		return err
	}
	answer := make(chan string, 1)
	go func() { answer <- readLine(in) }()
	select {
	case line := <-answer:
		if word := strings.ToLower(strings.TrimSpace(line)); word != "" && strings.HasPrefix(e.Text("confirm.yes"), word) {
			return nil
		}
		return upkeep.Errorf(upkeep.CodeInterrupted, "%s", e.Text("confirm.declined"))
	case <-e.Signals:
	case <-ctx.Done():
	}
	return upkeep.Errorf(upkeep.CodeInterrupted, "%s", e.Text("confirm.declined"))
}

// readLine reads up to the end of a line, and nothing after it.
func readLine(r io.Reader) string {
	var line []byte
	one := make([]byte, 1)
	for {
		n, err := r.Read(one)
		if n == 1 && one[0] != '\n' {
			line = append(line, one[0])
		}
		if err != nil || n == 1 && one[0] == '\n' {
			return string(line)
		}
	}
}

// DemoOptions is what the demonstration is told.
type DemoOptions struct {
	Dir   string // absolute; everything it makes is below
	Clean bool   // remove what an earlier one left, and end
}
