package web

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"upkeep"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

// Schedules says when interventions may begin, and do.
type Schedules interface {
	// Windows returns all windows and closed dates.
	Windows(ctx context.Context) ([]upkeep.Window, error)
	// AddWindow adds one. CodeInvalid when its rule or zone cannot be
	// understood, CodeNotFound when it is for nobody there is.
	AddWindow(ctx context.Context, actor string, w upkeep.Window) (*upkeep.Window, error)
	// RemoveWindow removes one.
	RemoveWindow(ctx context.Context, actor string, id int64) error
	// Schedule says what comes, by what is known now.
	Schedule(ctx context.Context, filter ScheduleFilter) (*Schedule, error)
}

// ScheduleFilter chooses what of the schedule. The zero value is the next
// intervention on every site.
type ScheduleFilter struct {
	Site string
	Days int // windows and closed dates of so many days from now; 0 is none
}

// Schedule is what comes.
type Schedule struct {
	From  time.Time         `json:"from"`
	To    time.Time         `json:"to"`
	Hold  *upkeep.FleetHold `json:"hold,omitempty"` // nothing begins anywhere
	Sites []SiteTurn        `json:"sites"`          // the soonest first, then those that do not go by themselves
	Slots []upkeep.Slot     `json:"slots,omitempty"`
}

// SiteTurn is when the next intervention on a site may begin.
type SiteTurn struct {
	Site   string `json:"site"`
	Plan   string `json:"plan,omitempty"`
	Client string `json:"client,omitempty"`
	upkeep.Appointment
}

// FleetWork watches over the work on all sites.
type FleetWork interface {
	// FleetStatus counts.
	FleetStatus(ctx context.Context) (*FleetStatus, error)
	// HoldFleet keeps interventions from beginning anywhere. What is under
	// way goes on. A fleet that is held stays so, and because of the same.
	HoldFleet(ctx context.Context, actor, because string) (*upkeep.FleetHold, error)
	// ReleaseFleet ends that. A fleet that is not held is no error.
	ReleaseFleet(ctx context.Context, actor string) error
}

// FleetStatus is the fleet in numbers.
type FleetStatus struct {
	Hold      *upkeep.FleetHold    `json:"hold,omitempty"`
	Sites     int                  `json:"sites"`
	Statuses  map[SiteStatus]int   `json:"statuses"`
	NoPlan    int                  `json:"no_plan"`
	Uncovered int                  `json:"uncovered"` // applications that were found and are no sites
	Pending   int                  `json:"pending"`   // updates that are ready
	Security  int                  `json:"security"`  // of the pending
	Held      int                  `json:"held"`
	Due       int                  `json:"due"`     // sites whose intervention may begin now
	Overdue   int                  `json:"overdue"` // sites whose contractual delay is over
	Waiting   int                  `json:"waiting"` // sites with updates that do not go by themselves
	Tasks     int                  `json:"tasks"`   // open
	Running   int                  `json:"running"` // interventions under way
	Day       map[upkeep.State]int `json:"day"`     // interventions that ended within the last 24 hours, by their end
}

// HoldRequest holds the fleet.
type HoldRequest struct {
	Because string `json:"because,omitempty"`
}

func (s *Server) windowList(w http.ResponseWriter, r *http.Request) error {
	windows, err := s.Schedules.Windows(r.Context())
	return reply.List(w, windows, err)
}

func (s *Server) windowAdd(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[upkeep.Window](r)
	if err != nil {
		return err
	}
	added, err := s.Schedules.AddWindow(r.Context(), query.Actor(r), req)
	return reply.Or(w, added, err)
}

func (s *Server) windowRemove(w http.ResponseWriter, r *http.Request) error {
	id, err := reply.ID[int64](r)
	if err != nil {
		return err
	}
	return reply.Or(w, struct{}{}, s.Schedules.RemoveWindow(r.Context(), query.Actor(r), id))
}

func (s *Server) scheduleShow(w http.ResponseWriter, r *http.Request) error {
	q := query.Of(r)
	filter := ScheduleFilter{Site: q.Text("site"), Days: int(q.Number("days"))}
	if q.Err != nil {
		return q.Err
	}
	found, err := s.Schedules.Schedule(r.Context(), filter)
	return reply.Or(w, found, err)
}

func (s *Server) fleetStatus(w http.ResponseWriter, r *http.Request) error {
	status, err := s.FleetWork.FleetStatus(r.Context())
	return reply.Or(w, status, err)
}

func (s *Server) fleetHold(w http.ResponseWriter, r *http.Request) error {
	req, err := reply.Decode[HoldRequest](r)
	if err != nil {
		return err
	}
	hold, err := s.FleetWork.HoldFleet(r.Context(), query.Actor(r), req.Because)
	return reply.Or(w, hold, err)
}

func (s *Server) fleetRelease(w http.ResponseWriter, r *http.Request) error {
	return reply.Or(w, struct{}{}, s.FleetWork.ReleaseFleet(r.Context(), query.Actor(r)))
}

// Windows implements Schedules.
func (c *Client) Windows(ctx context.Context) ([]upkeep.Window, error) {
	return get[[]upkeep.Window](ctx, c, "/v1/windows")
}

// AddWindow implements Schedules.
func (c *Client) AddWindow(ctx context.Context, actor string, w upkeep.Window) (*upkeep.Window, error) {
	return object[upkeep.Window](ctx, c, Request{http.MethodPost, "/v1/windows", actor, w})
}

// RemoveWindow implements Schedules.
func (c *Client) RemoveWindow(ctx context.Context, actor string, id int64) error {
	_, err := Call[struct{}](ctx, c, Request{http.MethodDelete, idPath("windows", id, ""), actor, nil})
	return err
}

// Schedule implements Schedules.
func (c *Client) Schedule(ctx context.Context, filter ScheduleFilter) (*Schedule, error) {
	path := "/v1/schedule" + params("site", filter.Site, "days", strconv.Itoa(filter.Days))
	return object[Schedule](ctx, c, Request{Method: http.MethodGet, Path: path})
}

// FleetStatus implements FleetWork.
func (c *Client) FleetStatus(ctx context.Context) (*FleetStatus, error) {
	return object[FleetStatus](ctx, c, Request{Method: http.MethodGet, Path: "/v1/fleet"})
}

// HoldFleet implements FleetWork.
func (c *Client) HoldFleet(ctx context.Context, actor, because string) (*upkeep.FleetHold, error) {
	return object[upkeep.FleetHold](ctx, c, Request{http.MethodPost, "/v1/fleet/hold", actor, HoldRequest{because}})
}

// ReleaseFleet implements FleetWork.
func (c *Client) ReleaseFleet(ctx context.Context, actor string) error {
	_, err := Call[struct{}](ctx, c, Request{http.MethodPost, "/v1/fleet/release", actor, nil})
	return err
}
