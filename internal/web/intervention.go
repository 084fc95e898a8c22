package web

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"upkeep"
	"upkeep/internal/web/access"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

// Updates says what can be updated, and starts the work.
type Updates interface {
	// Updates joins the site's inventory with the releases known; refresh
	// asks the publishers and reads the site first.
	Updates(ctx context.Context, site string, refresh bool) (*UpdateList, error)
	// StartIntervention plans an intervention on the site and returns it at
	// once; Follow tells how it goes on. CodeConflict while another one runs
	// on the site or when nothing is ready, CodeNotFound when req names what
	// the site does not have. With req.DryRun nothing is kept, the ID is 0,
	// and nothing ready is no error but no batches.
	StartIntervention(ctx context.Context, actor, site string, req InterventionRequest) (*upkeep.Intervention, error)
	// ProposeUpdates makes a patch of a site's updates for where it is deployed
	// from, and a task to apply it. The site is only read. CodeNotFound when
	// there is nothing to change.
	ProposeUpdates(ctx context.Context, actor, site string) (*Proposal, error)
}

// Proposal is what updates would change where a site is deployed from.
type Proposal struct {
	Site    string          `json:"site"`
	Updates []upkeep.Update `json:"updates"`
	Text    string          `json:"text"` // in the unified form
}

// UpdateList is what can be updated on a site.
type UpdateList struct {
	Site     string           `json:"site"`
	Updates  []upkeep.Update  `json:"updates"`
	Batches  []upkeep.Batch   `json:"batches"`
	Checked  time.Time        `json:"checked,omitzero"`  // the oldest answer of a publisher that this rests on
	Offline  []string         `json:"offline,omitempty"` // publishers that did not answer the last time
	Findings []upkeep.Finding `json:"findings,omitempty"`
	// Confidence is what is known of the releases, of those of which anything is.
	Confidence []upkeep.Confidence `json:"confidence,omitempty"`
}

// InterventionRequest chooses among a site's ready updates. The zero value
// takes all of them. Words are as in upkeep.Component.Matches.
type InterventionRequest struct {
	Only     []string `json:"only,omitempty"`
	Except   []string `json:"except,omitempty"`
	Security bool     `json:"security,omitempty"` // nothing but security updates
	DryRun   bool     `json:"dry_run,omitempty"`
}

// Interventions shows and stops interventions.
type Interventions interface {
	// Interventions returns those that match, newest first, without their
	// backups, holds and tasks.
	Interventions(ctx context.Context, filter InterventionFilter) ([]Record, error)
	// Intervention returns the whole record of one.
	Intervention(ctx context.Context, id upkeep.InterventionID) (*Record, error)
	// Events returns the log after an event ID, 0 for all of it.
	Events(ctx context.Context, id upkeep.InterventionID, after int64) ([]upkeep.Event, error)
	// Follow sends the log after an event ID as it grows, and the
	// intervention whenever it changes, first as it is now; it returns nil
	// after sending the ended intervention. An error of send ends it.
	Follow(ctx context.Context, id upkeep.InterventionID, after int64, send func(Tick) error) error
	// CancelIntervention asks for a stop: at once when nothing was touched,
	// else by finishing or undoing. Asking again is not an error;
	// CodeConflict when it had ended before.
	CancelIntervention(ctx context.Context, actor string, id upkeep.InterventionID) (*upkeep.Intervention, error)
}

// InterventionFilter chooses interventions. The zero value chooses all.
type InterventionFilter struct {
	Site  string
	State upkeep.State
	Limit int // 0 is no limit
}

// Record is an intervention with everything that belongs to it.
type Record struct {
	upkeep.Intervention
	SiteName     string         `json:"site_name"`
	BeforeBackup *upkeep.Backup `json:"before_backup,omitempty"`
	AfterBackup  *upkeep.Backup `json:"after_backup,omitempty"`
	Holds        []upkeep.Hold  `json:"holds,omitempty"` // that it led to
	Tasks        []upkeep.Task  `json:"tasks,omitempty"` // that it led to
}

// Tick is one piece of news about an intervention: an event or a new picture
// of the whole.
type Tick struct {
	Event        *upkeep.Event        `json:"event,omitempty"`
	Intervention *upkeep.Intervention `json:"intervention,omitempty"`
}

func (s *Server) updateList(w http.ResponseWriter, r *http.Request) error {
	q := query.Of(r)
	refresh := q.Flag("refresh")
	if q.Err != nil {
		return q.Err
	}
	list, err := s.Updates.Updates(r.Context(), r.PathValue("site"), refresh && access.Of(r).Works())
	return reply.Or(w, list, err)
}

func (s *Server) updatePropose(w http.ResponseWriter, r *http.Request) error {
	proposal, err := s.Updates.ProposeUpdates(r.Context(), query.Actor(r), r.PathValue("site"))
	return reply.Or(w, proposal, err)
}

func (s *Server) interventionStart(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[InterventionRequest](r)
	if err != nil {
		return err
	}
	iv, err := s.Updates.StartIntervention(r.Context(), query.Actor(r), r.PathValue("site"), req)
	return reply.Or(w, iv, err)
}

func (s *Server) interventionList(w http.ResponseWriter, r *http.Request) error {
	q := query.Of(r)
	filter := InterventionFilter{Site: q.Text("site"), State: upkeep.State(q.Text("state")), Limit: int(q.Number("limit"))}
	if q.Err != nil {
		return q.Err
	}
	records, err := s.Interventions.Interventions(r.Context(), filter)
	return reply.List(w, records, err)
}

func (s *Server) interventionShow(w http.ResponseWriter, r *http.Request) error {
	id, err := reply.ID[upkeep.InterventionID](r)
	if err != nil {
		return err
	}
	record, err := s.Interventions.Intervention(r.Context(), id)
	return reply.Or(w, record, err)
}

func (s *Server) interventionEvents(w http.ResponseWriter, r *http.Request) error {
	id, err := reply.ID[upkeep.InterventionID](r)
	q := query.Of(r)
	after := q.Number("after")
	if err != nil || q.Err != nil {
		return cmp.Or(err, q.Err)
	}
	events, err := s.Interventions.Events(r.Context(), id, after)
	return reply.List(w, events, err)
}

func (s *Server) interventionFollow(w http.ResponseWriter, r *http.Request) error {
	id, err := reply.ID[upkeep.InterventionID](r)
	q := query.Of(r)
	after := q.Number("after")
	if err != nil || q.Err != nil {
		return cmp.Or(err, q.Err)
	}
	return s.stream(w, r, func(out *lines) (any, error) {
		err := s.Interventions.Follow(r.Context(), id, after, func(tick Tick) error {
			return out.write(Line{Event: tick.Event, Intervention: tick.Intervention})
		})
		return struct{}{}, err
	})
}

func (s *Server) interventionCancel(w http.ResponseWriter, r *http.Request) error {
	id, err := reply.ID[upkeep.InterventionID](r)
	if err != nil {
		return err
	}
	iv, err := s.Interventions.CancelIntervention(r.Context(), query.Actor(r), id)
	return reply.Or(w, iv, err)
}
