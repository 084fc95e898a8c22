package upkeep_test

import (
	"errors"
	"io"
	"testing"

	"upkeep"
)

func TestErrorKeepsCodeHintAndCauseThroughWrap(t *testing.T) {
	op := func() (err error) {
		defer upkeep.Wrap(&err, "read %s", "wp-config.php")
		return upkeep.Errorf(upkeep.CodeUnreachable, "database shop: %w", io.ErrUnexpectedEOF).WithHint("start it")
	}
	err := op()
	if got, want := err.Error(), "read wp-config.php: database shop: unexpected EOF"; got != want {
		t.Errorf("message %q, want %q", got, want)
	}
	if upkeep.CodeOf(err) != upkeep.CodeUnreachable || upkeep.HintOf(err) != "start it" {
		t.Errorf("code %q hint %q", upkeep.CodeOf(err), upkeep.HintOf(err))
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error("the cause is lost")
	}
}

func TestCodeOfOtherErrors(t *testing.T) {
	if upkeep.CodeOf(nil) != "" || upkeep.CodeOf(io.EOF) != upkeep.CodeInternal {
		t.Error("nil has no code, anything else is internal")
	}
}
