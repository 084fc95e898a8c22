package upkeep

import (
	"errors"
	"fmt"
)

// Code classifies an error for machines. Exit statuses and HTTP statuses are
// each derived from it in one table.
type Code string

// The codes. They are part of the API and never renamed.
const (
	CodeInternal     Code = "internal"      // a defect or an unexpected failure of the machine
	CodeInvalid      Code = "invalid"       // the caller's input is wrong
	CodeNotFound     Code = "not_found"     // the named thing does not exist
	CodeConflict     Code = "conflict"      // the state forbids it, now
	CodeHeld         Code = "held"          // waits for a person
	CodeUnreachable  Code = "unreachable"   // host, database, feed or site does not answer
	CodeUnauthorized Code = "unauthorized"  // the caller may not
	CodeRefused      Code = "refused"       // something from outside was not what it claimed to be
	CodeDamaged      Code = "damaged"       // stored data does not read back as it was written
	CodeNoSpace      Code = "no_space"      // disk full, or would be
	CodeNotIdentical Code = "not_identical" // an undo did not give back the original: an incident
	CodeInterrupted  Code = "interrupted"   // asked to stop
)

// Error is the one application error: a code for machines, a message for
// people, and where it helps the next step to take. Errors that are not an
// *Error are internal: they are logged and shown only as such.
type Error struct {
	Code    Code   `json:"code"`
	Message string `json:"message"`        // lower case, names what and where
	Hint    string `json:"hint,omitempty"` // what to do next, a sentence
	Err     error  `json:"-"`              // the cause, not shown to clients
}

// Error returns the message, followed by the cause.
func (e *Error) Error() string {
	if e.Err != nil && e.Err.Error() != "" {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Errorf returns an Error with a formatted message. A %w verb sets the cause.
func Errorf(code Code, format string, args ...any) *Error {
	err := fmt.Errorf(format, args...)
	return &Error{Code: code, Message: err.Error(), Err: quiet{errors.Unwrap(err)}.orNil()}
}

// WithHint returns e with the next step for a person.
func (e *Error) WithHint(format string, args ...any) *Error {
	with := *e
	with.Hint = fmt.Sprintf(format, args...)
	return &with
}

// quiet carries a cause whose text the message already holds.
type quiet struct{ cause error }

func (q quiet) Error() string { return "" }
func (q quiet) Unwrap() error { return q.cause }

func (q quiet) orNil() error {
	if q.cause == nil {
		return nil
	}
	return q
}

// Wrap puts the operation before *err. Call it deferred, once, at the top of
// a function: defer upkeep.Wrap(&err, "read config %s", path). An *Error keeps
// its code and hint.
func Wrap(err *error, format string, args ...any) {
	if *err == nil {
		return
	}
	*err = fmt.Errorf("%s: %w", fmt.Sprintf(format, args...), *err)
}

// CodeOf returns the code of the first *Error in err's tree, CodeInternal for
// any other error and "" for nil.
func CodeOf(err error) Code {
	if err == nil {
		return ""
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return CodeInternal
}

// HintOf returns the hint of the first *Error in err's tree, or "".
func HintOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Hint
	}
	return ""
}
