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
	Code        Code   `json:"code"`
	Message     string `json:"message"`                // lower case, names what and where
	Hint        string `json:"hint,omitempty"`         // what to do next, a sentence
	MessageText *Text  `json:"message_text,omitempty"` // what the message is made of, for other languages
	HintText    *Text  `json:"hint_text,omitempty"`    // what the hint is made of
	Err         error  `json:"-"`                      // the cause, not shown to clients
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
	text := newText(format, args)
	return &Error{Code: code, Message: err.Error(), MessageText: &text, Err: quiet{errors.Unwrap(err)}.orNil()}
}

// WithHint returns e with the next step for a person.
func (e *Error) WithHint(format string, args ...any) *Error {
	with := *e
	text := newText(format, args)
	with.Hint, with.HintText = text.String(), &text
	return &with
}

// text is what the message, or the message and a cause that it does not hold,
// are made of. A message that was changed since is only itself.
func (e *Error) text() Text {
	text := madeOf(e.MessageText, e.Message)
	if e.Err != nil && e.Err.Error() != "" {
		return Text{Format: "%s: %w", Args: []Text{text, TextOf(e.Err)}}
	}
	return text
}

// Told returns err as it is told to others and kept in records: its code,
// whole message and hint, and what these are made of.
func Told(err error) *Error {
	text, hint := TextOf(err), HintTextOf(err)
	told := &Error{Code: CodeOf(err), Message: err.Error(), Hint: hint.String(), MessageText: &text}
	if told.Hint != "" {
		told.HintText = &hint
	}
	return told
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
	*err = Causef("%s: %w", newText(format, args), *err)
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
func HintOf(err error) string { return HintTextOf(err).String() }

// HintTextOf returns the hint of the first *Error in err's tree with what it
// is made of.
func HintTextOf(err error) Text {
	e, ok := errors.AsType[*Error](err)
	if !ok {
		return Text{}
	}
	return madeOf(e.HintText, e.Hint)
}
