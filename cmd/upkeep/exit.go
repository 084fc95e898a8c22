package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"upkeep"
)

// Exit statuses. They are documented in the help and are part of the
// interface.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitPartial     = 3
	exitUndone      = 4
	exitInterrupted = 130
)

// exitOfCode is the table from error codes to exit statuses. A code that is
// not in it is a failure.
func exitOfCode(code upkeep.Code) int {
	switch code {
	case "":
		return exitDone
	case upkeep.CodeInvalid:
		return exitUsage
	case upkeep.CodeInterrupted:
		return exitInterrupted
	}
	return exitFailed
}

// exitOfState is the table from the end of an intervention to exit statuses.
func exitOfState(state upkeep.State) int {
	switch state {
	case upkeep.Done:
		return exitDone
	case upkeep.Partial:
		return exitPartial
	case upkeep.Undone:
		return exitUndone
	}
	return exitFailed
}

// outcome ends a command with a status whose reason was already shown.
type outcome struct{ status int }

func (o outcome) Error() string { return "exit status " + strconv.Itoa(o.status) }

// ended returns the outcome for a status, nil for success.
func ended(status int) error {
	if status == exitDone {
		return nil
	}
	return outcome{status}
}

// usagef returns an error of the command line.
func usagef(format string, args ...any) *upkeep.Error {
	return upkeep.Errorf(upkeep.CodeInvalid, format, args...)
}

// exit shows err, one line and the hint below, and returns the status.
//
// The rules for what people read here: stderr, "upkeep: " first, no capital,
// no full stop, what and where; the hint is a sentence with the next step.
func (e *env) exit(err error) int {
	if err == nil {
		return exitDone
	}
	if o, ok := errors.AsType[outcome](err); ok {
		return o.status
	}
	code := upkeep.CodeOf(err)
	if errors.Is(err, context.Canceled) {
		code = upkeep.CodeInterrupted
	}
	fmt.Fprintln(e.stderr, "upkeep: "+oneLine(err.Error()))
	if hint := upkeep.HintOf(err); hint != "" {
		fmt.Fprintln(e.stderr, e.text("hint", "hint", oneLine(hint)))
	}
	return exitOfCode(code)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func itoa(n int) string { return strconv.Itoa(n) }

// flagError says in the reader's language what is wrong with a flag.
func (e *env) flagError(err error, cmd *cobra.Command) error {
	text := err.Error()
	if bad, ok := errors.AsType[*pflag.NotExistError](err); ok {
		text = e.text("usage.no_flag", "flag", "--"+bad.GetSpecifiedName())
		if bad.GetSpecifiedShortnames() != "" {
			text = e.text("usage.no_flag", "flag", "-"+bad.GetSpecifiedName())
		}
	}
	if bad, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		text = e.text("usage.flag_needs_value", "flag", "--"+bad.GetFlag().Name)
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		text = e.text("usage.flag_value", "flag", "--"+bad.GetFlag().Name, "value", bad.GetValue(), "type", bad.GetFlag().Value.Type())
	}
	return usagef("%s", text).WithHint("%s", e.text("usage.see_help", "command", cmd.CommandPath()))
}
