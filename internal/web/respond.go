package web

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"upkeep"
	"upkeep/internal/web/reply"
)

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
		return reply.Delivered(err)
	}
	result, err := work(out)
	if err != nil {
		return reply.Delivered(out.write(Line{Error: s.replies.Shown(r, err)}))
	}
	raw, err := json.Marshal(result)
	if err != nil {
		return err
	}
	return reply.Delivered(out.write(Line{Result: raw}))
}
