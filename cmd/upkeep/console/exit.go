package console

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
	"upkeep/internal/terminal"
)

// Exit statuses. They are documented in the help and are part of the
// interface.
const (
	ExitDone        = 0
	ExitFailed      = 1
	ExitUsage       = 2
	ExitPartial     = 3
	ExitUndone      = 4
	ExitInterrupted = 130
)

// exitOfCode is the table from error codes to exit statuses. A code that is
// not in it is a failure.
func exitOfCode(code upkeep.Code) int {
	switch code {
	case "":
		return ExitDone
	case upkeep.CodeInvalid:
		return ExitUsage
	case upkeep.CodeInterrupted:
		return ExitInterrupted
	}
	return ExitFailed
}

// ExitOfState is the table from the end of an intervention to exit statuses.
func ExitOfState(state upkeep.State) int {
	switch state {
	case upkeep.Done:
		return ExitDone
	case upkeep.Partial:
		return ExitPartial
	case upkeep.Undone:
		return ExitUndone
	}
	return ExitFailed
}

// Outcome ends a command with a status whose reason was already shown.
type Outcome struct{ Status int }

// Error is for logs: who gets one has shown the reason already.
func (o Outcome) Error() string { return "exit status " + strconv.Itoa(o.Status) }

// Ended returns the outcome for a status, nil for success.
func Ended(status int) error {
	if status == ExitDone {
		return nil
	}
	return Outcome{status}
}

// Usagef returns an error of the command line.
func Usagef(format string, args ...any) *upkeep.Error {
	return upkeep.Errorf(upkeep.CodeInvalid, format, args...)
}

// Exit shows err, one line and the hint below, and returns the status.
//
// The rules for what people read here: stderr, "upkeep: " first, no capital,
// no full stop, what and where; the hint is a sentence with the next step.
func (e *Env) Exit(err error) int {
	if err == nil {
		return ExitDone
	}
	if o, ok := errors.AsType[Outcome](err); ok {
		return o.Status
	}
	code := upkeep.CodeOf(err)
	if errors.Is(err, context.Canceled) {
		code = upkeep.CodeInterrupted
	}
	message, hint := e.Texts.Error(err)
	fmt.Fprintln(e.Stderr, "upkeep: "+oneLine(message))
	if hint != "" {
		fmt.Fprintln(e.Stderr, e.Text("hint", "hint", oneLine(hint)))
	}
	return exitOfCode(code)
}

// oneLine is what may be shown of a text that a host or a site may have had a
// part in.
func oneLine(text string) string { return strings.Join(strings.Fields(terminal.Line(text)), " ") }

// kind says what a flag wants; the flag library's names are for programmers.
func (e *Env) kind(name string) string {
	switch name {
	case "int", "int64":
		return e.Text("usage.number")
	case "duration":
		return e.Text("usage.span")
	}
	if strings.Contains(name, "|") {
		return e.Text("usage.one_of", "names", strings.ReplaceAll(name, "|", ", "))
	}
	return name
}

// flagError says in the reader's language what is wrong with a flag.
func (e *Env) flagError(err error, cmd *cobra.Command) error {
	text := err.Error()
	if bad, ok := errors.AsType[*pflag.NotExistError](err); ok {
		text = e.Text("usage.no_flag", "flag", "--"+bad.GetSpecifiedName())
		if bad.GetSpecifiedShortnames() != "" {
			text = e.Text("usage.no_flag", "flag", "-"+bad.GetSpecifiedName())
		}
	}
	if bad, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		text = e.Text("usage.flag_needs_value", "flag", "--"+bad.GetFlag().Name)
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		text = e.Text("usage.flag_value", "flag", "--"+bad.GetFlag().Name, "value", bad.GetValue(), "type", e.kind(bad.GetFlag().Value.Type()))
	}
	return Usagef("%s", text).WithHint("%s", e.Text("usage.see_help", "command", cmd.CommandPath()))
}
