// Package reply is how requests of the API are read and answered: JSON both
// ways, bounded, and errors as {code, message, hint} with their status.
package reply

import (
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"mime"
	"net/http"
	"strconv"

	"upkeep"
)

// Handler answers a request, or returns why not. It must not have written
// anything when it returns an error.
type Handler func(w http.ResponseWriter, r *http.Request) error

// MaxBody bounds what a request may carry; the largest is a policy.
const MaxBody = 1 << 20

// statuses is the one table from codes to HTTP statuses.
var statuses = map[upkeep.Code]int{
	upkeep.CodeInternal:     http.StatusInternalServerError,
	upkeep.CodeInvalid:      http.StatusBadRequest,
	upkeep.CodeNotFound:     http.StatusNotFound,
	upkeep.CodeConflict:     http.StatusConflict,
	upkeep.CodeHeld:         http.StatusLocked,
	upkeep.CodeUnreachable:  http.StatusBadGateway,
	upkeep.CodeUnauthorized: http.StatusUnauthorized,
	upkeep.CodeRefused:      http.StatusUnprocessableEntity,
	upkeep.CodeDamaged:      http.StatusInternalServerError,
	upkeep.CodeNoSpace:      http.StatusInsufficientStorage,
	upkeep.CodeNotIdentical: http.StatusInternalServerError,
	upkeep.CodeInterrupted:  http.StatusServiceUnavailable,
}

// Status returns the HTTP status of an error.
func Status(err error) int {
	if status := statuses[upkeep.CodeOf(err)]; status != 0 {
		return status
	}
	return http.StatusInternalServerError
}

// Replier makes handlers of Handlers.
type Replier struct {
	Log *slog.Logger // internal errors
	// Suggest completes an error about what does not exist, unless it is nil.
	Suggest func(r *http.Request, e *upkeep.Error)
}

// Answer turns h into an http.Handler: bodies are bounded, errors become
// {code, message, hint} with their status, and internal ones are logged and
// not shown.
func (p *Replier) Answer(h Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, MaxBody)
		err := h(w, r)
		if err == nil {
			return
		}
		p.Refuse(w, r, err)
	})
}

// Refuse answers with an error.
func (p *Replier) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	shown := p.Shown(r, err)
	if werr := JSON(w, statuses[shown.Code], shown); werr != nil {
		p.Log.Debug("answer not delivered", "path", r.URL.Path, "error", werr)
	}
}

// Shown is what a caller may see of an error.
func (p *Replier) Shown(r *http.Request, err error) *upkeep.Error {
	e, ok := errors.AsType[*upkeep.Error](err)
	if !ok {
		p.Log.Error("request", "method", r.Method, "path", r.URL.Path, "error", err)
		return upkeep.Errorf(upkeep.CodeInternal, "internal error").WithHint("The server's log says more.")
	}
	shown := upkeep.Told(err)
	if statuses[e.Code] == 0 || e.Code == upkeep.CodeInternal {
		p.Log.Error("request", "method", r.Method, "path", r.URL.Path, "error", err)
		shown.Code = upkeep.CodeInternal
	}
	if e.Code == upkeep.CodeNotFound && p.Suggest != nil {
		p.Suggest(r, shown)
	}
	return shown
}

// JSON answers with a value that nobody keeps a copy of.
func JSON(w http.ResponseWriter, status int, body any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(body)
}

// Or answers with body, unless there is an error.
func Or(w http.ResponseWriter, body any, err error) error {
	if err != nil {
		return err
	}
	return Delivered(JSON(w, http.StatusOK, body))
}

// List is Or that answers [] rather than null for nothing.
func List[T any](w http.ResponseWriter, items []T, err error) error {
	if items == nil {
		items = []T{}
	}
	return Or(w, items, err)
}

// Delivered drops a write error: the caller has gone, and nobody is left to
// be told.
func Delivered(error) error { return nil }

// Decode reads the body of a request. CodeInvalid when it is not one JSON
// value that T takes.
func Decode[T any](r *http.Request) (T, error) {
	var v T
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return v, upkeep.Errorf(upkeep.CodeInvalid, "content type %q: want application/json", r.Header.Get("Content-Type"))
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return v, upkeep.Errorf(upkeep.CodeInvalid, "body: more than %d bytes", MaxBody)
		}
		return v, upkeep.Errorf(upkeep.CodeInvalid, "body: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return v, upkeep.Errorf(upkeep.CodeInvalid, "body: want one JSON value and nothing after it")
	}
	return v, nil
}

// ID reads the number {id} of a path.
func ID[T ~int64](r *http.Request) (T, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		return 0, upkeep.Errorf(upkeep.CodeInvalid, "id %q: want a number from 1", r.PathValue("id"))
	}
	return T(id), nil
}
