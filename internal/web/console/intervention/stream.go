package intervention

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"upkeep"
	"upkeep/internal/web"
	"upkeep/internal/web/console/frame"
)

// Stream tells the page what happens, as it happens: lines of the log to be
// added, and everything else anew whenever it changes. A browser that lost the
// connection comes back and says which line it had last.
func (p *Page) Stream(v *frame.Visit) error {
	id, err := frame.ID[upkeep.InterventionID](v)
	if err != nil {
		return err
	}
	if _, err := p.interventions.Intervention(v.R.Context(), id); err != nil {
		return err
	}
	after, err := last(v.R)
	if err != nil {
		return err
	}
	v.W.Header().Set("Content-Type", "text/event-stream")
	v.W.Header().Set("X-Accel-Buffering", "no")
	out := http.NewResponseController(v.W)
	send := func(name, id, text string) error {
		if id != "" {
			name += "\nid: " + id
		}
		if _, err := fmt.Fprintf(v.W, "event: %s\ndata: %s\n\n", name, strings.ReplaceAll(text, "\n", "\ndata: ")); err != nil {
			return err
		}
		return out.Flush()
	}
	if err := p.interventions.Follow(v.R.Context(), id, after, func(tick web.Tick) error { return p.tell(v, id, tick, send) }); err != nil {
		return nil // the page was closed, or comes back by itself
	}
	_ = send("end", "", "") // the same
	return nil
}

// tell sends one piece of news.
func (p *Page) tell(v *frame.Visit, id upkeep.InterventionID, tick web.Tick, send func(name, id, text string) error) error {
	if tick.Event != nil {
		text, err := v.Text(p.view, "line", *tick.Event)
		if err != nil {
			return err
		}
		return send("line", strconv.FormatInt(tick.Event.ID, 10), text)
	}
	c, err := p.read(v.R.Context(), id)
	if err != nil {
		return err
	}
	c.Now, c.Works = v.Now(), v.Works()
	text, err := v.Text(p.view, "live", c)
	if err != nil {
		return err
	}
	return send("state", "", text)
}

// last is the number of the last event that the page has.
func last(r *http.Request) (int64, error) {
	text := r.Header.Get("Last-Event-ID")
	if text == "" {
		text = r.URL.Query().Get("after")
	}
	if text == "" {
		return 0, nil
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil || number < 0 {
		return 0, upkeep.Errorf(upkeep.CodeInvalid, "event %q: want a number from 0", text)
	}
	return number, nil
}
