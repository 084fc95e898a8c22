package web

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"sync"
	"time"

	"upkeep"
)

// handler answers a request, or returns why not. It must not have written
// anything when it returns an error.
type handler func(w http.ResponseWriter, r *http.Request) error

// maxBody bounds what a request may carry; the largest is a policy.
const maxBody = 1 << 20

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

// answer turns a handler into an http.Handler: bodies are bounded, errors
// become {code, message, hint} with their status, and internal ones are
// logged and not shown.
func (s *Server) answer(h handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		err := h(w, r)
		if err == nil {
			return
		}
		shown := s.shown(r, err)
		if werr := respond(w, statuses[shown.Code], shown); werr != nil {
			s.Log.Debug("answer not delivered", "path", r.URL.Path, "error", werr)
		}
	})
}

// shown is what a caller may see of an error.
func (s *Server) shown(r *http.Request, err error) *upkeep.Error {
	e, ok := errors.AsType[*upkeep.Error](err)
	if !ok {
		s.Log.Error("request", "method", r.Method, "path", r.URL.Path, "error", err)
		return upkeep.Errorf(upkeep.CodeInternal, "internal error").WithHint("The server's log says more.")
	}
	shown := upkeep.Told(err)
	if statuses[e.Code] == 0 || e.Code == upkeep.CodeInternal {
		s.Log.Error("request", "method", r.Method, "path", r.URL.Path, "error", err)
		shown.Code = upkeep.CodeInternal
	}
	if e.Code == upkeep.CodeNotFound {
		s.suggest(r, shown)
	}
	return shown
}

func respond(w http.ResponseWriter, status int, body any) error {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	return json.NewEncoder(w).Encode(body)
}

func respondOr(w http.ResponseWriter, body any, err error) error {
	if err != nil {
		return err
	}
	return delivered(respond(w, http.StatusOK, body))
}

// respondList answers [] rather than null for nothing.
func respondList[T any](w http.ResponseWriter, items []T, err error) error {
	if items == nil {
		items = []T{}
	}
	return respondOr(w, items, err)
}

// delivered drops a write error: the caller has gone, and nobody is left to
// be told.
func delivered(error) error { return nil }

func decode[T any](r *http.Request) (T, error) {
	var v T
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return v, upkeep.Errorf(upkeep.CodeInvalid, "content type %q: want application/json", r.Header.Get("Content-Type"))
	}
	dec := json.NewDecoder(r.Body)
	dec.DisallowUnknownFields()
	if err := dec.Decode(&v); err != nil {
		if _, large := errors.AsType[*http.MaxBytesError](err); large {
			return v, upkeep.Errorf(upkeep.CodeInvalid, "body: more than %d bytes", maxBody)
		}
		return v, upkeep.Errorf(upkeep.CodeInvalid, "body: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return v, upkeep.Errorf(upkeep.CodeInvalid, "body: want one JSON value and nothing after it")
	}
	return v, nil
}

func pathID[T ~int64](r *http.Request) (T, error) {
	id, err := strconv.ParseInt(r.PathValue("id"), 10, 64)
	if err != nil || id <= 0 {
		return 0, upkeep.Errorf(upkeep.CodeInvalid, "id %q: want a number from 1", r.PathValue("id"))
	}
	return T(id), nil
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Line is one line of a stream, NDJSON: any number with news, then exactly
// one with Result or Error. A stream without it was cut off.
type Line struct {
	Progress     *upkeep.Progress     `json:"progress,omitempty"`
	Event        *upkeep.Event        `json:"event,omitempty"`
	Intervention *upkeep.Intervention `json:"intervention,omitempty"`
	Result       json.RawMessage      `json:"result,omitempty"`
	Error        *upkeep.Error        `json:"error,omitempty"`
}

// lines writes a stream. Progress comes from whichever goroutine works.
type lines struct {
	mu    sync.Mutex
	w     http.ResponseWriter
	enc   *json.Encoder
	clock upkeep.Clock
	sent  time.Time // last progress line
	code  string    // of it
}

// pace is the least time between two progress lines of the same code.
const pace = 100 * time.Millisecond

func (l *lines) write(line Line) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.writeLocked(line)
}

func (l *lines) writeLocked(line Line) error {
	if err := l.enc.Encode(line); err != nil {
		return err
	}
	return http.NewResponseController(l.w).Flush()
}

func (l *lines) progress(p upkeep.Progress) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.clock()
	ended := p.Total > 0 && p.Done >= p.Total
	if p.Code == l.code && !ended && now.Sub(l.sent) < pace {
		return
	}
	l.sent, l.code = now, p.Code
	// A caller that went away ends the request's context; the line is lost
	// with it.
	_ = l.writeLocked(Line{Progress: &p})
}

// stream answers with lines: the status is sent before work begins, so that
// whatever work returns, an error too, is the last line.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, work func(*lines) (any, error)) error {
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no")
	w.WriteHeader(http.StatusOK)
	out := &lines{w: w, enc: json.NewEncoder(w), clock: s.Clock}
	if err := http.NewResponseController(w).Flush(); err != nil {
		return delivered(err)
	}
	result, err := work(out)
	if err != nil {
		return delivered(out.write(Line{Error: s.shown(r, err)}))
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return delivered(out.write(Line{Result: raw}))
}
