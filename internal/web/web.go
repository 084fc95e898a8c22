// Package web is Upkeep over HTTP: the JSON API that every command calls, and
// the typed client for it. It reaches the rest of the program only through
// the small interfaces declared here.
package web

import (
	"log/slog"
	"net/http"
	"time"

	"upkeep"
)

// Config is what a Server answers from. Every interface is required.
type Config struct {
	Sites         Sites
	Hosts         Hosts
	Applications  Applications
	Inventories   Inventories
	Updates       Updates
	Interventions Interventions
	Backups       Backups
	Restores      Restores
	Gates         Gates
	Checks        Checks
	Doctor        Doctor
	Ledger        Ledger
	Vaults        Vaults
	Plans         Plans
	Schedules     Schedules
	FleetWork     FleetWork
	Releases      Releases

	Version string       // of the program, for GET /v1/version
	Clock   upkeep.Clock // paces progress lines; nil is time.Now
	Log     *slog.Logger // internal errors; nil discards them
}

// Server answers the API. It is an http.Handler and knows nothing of the
// listener: whoever serves it over anything but a private socket puts
// listen.RequireToken around it.
type Server struct {
	Config
	mux *http.ServeMux
}

// New returns a server for what c lends it.
func New(c Config) *Server {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{Config: c, mux: http.NewServeMux()}
	s.routes()
	return s
}

// ServeHTTP answers one request.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

// routes is the whole API. Those marked "stream" answer in lines: see Line.
func (s *Server) routes() {
	for pattern, h := range map[string]handler{
		"GET /v1/version": s.version,
		"GET /v1/doctor":  s.doctor,

		"GET /v1/sites":                       s.siteList,
		"POST /v1/sites":                      s.siteAdd,
		"GET /v1/sites/{site}":                s.siteShow,
		"DELETE /v1/sites/{site}":             s.siteRemove,
		"PUT /v1/sites/{site}/policy":         s.sitePolicy,
		"GET /v1/sites/{site}/inventory":      s.siteInventory,
		"GET /v1/sites/{site}/updates":        s.updateList,
		"POST /v1/sites/{site}/propose":       s.updatePropose,
		"POST /v1/sites/{site}/freeze":        s.siteFreeze,
		"POST /v1/sites/{site}/thaw":          s.siteThaw,
		"POST /v1/sites/{site}/verify":        s.siteVerify,
		"POST /v1/sites/{site}/backups":       s.backupCreate, // stream
		"POST /v1/sites/{site}/prune":         s.backupPrune,  // stream
		"POST /v1/sites/{site}/interventions": s.interventionStart,
		"GET /v1/sites/{site}/plan":           s.planRecommend,
		"PUT /v1/sites/{site}/plan":           s.siteSubscribe,
		"POST /v1/sites/{site}/approve":       s.siteApprove,

		"GET /v1/plans":           s.planList,
		"PUT /v1/plans":           s.planSet,
		"GET /v1/windows":         s.windowList,
		"POST /v1/windows":        s.windowAdd,
		"DELETE /v1/windows/{id}": s.windowRemove,
		"GET /v1/schedule":        s.scheduleShow,
		"GET /v1/releases":        s.releaseRollout,
		"GET /v1/releases/holds":  s.releaseShow,
		"POST /v1/releases/hold":  s.releaseHold,
		"POST /v1/releases/allow": s.releaseAllow,
		"GET /v1/fleet":           s.fleetStatus,
		"POST /v1/fleet/hold":     s.fleetHold,
		"POST /v1/fleet/release":  s.fleetRelease,

		"GET /v1/hosts":               s.hostList,
		"POST /v1/hosts":              s.hostAdd,
		"GET /v1/hosts/{host}":        s.hostShow,
		"DELETE /v1/hosts/{host}":     s.hostRemove,
		"POST /v1/hosts/{host}/check": s.hostCheck,
		"POST /v1/host-keys":          s.hostKeys,

		"POST /v1/scan":                      s.hostScan,
		"GET /v1/applications":               s.applicationList,
		"POST /v1/applications/{id}/adopt":   s.applicationAdopt,
		"POST /v1/applications/{id}/dismiss": s.applicationDismiss,

		"GET /v1/interventions":              s.interventionList,
		"GET /v1/interventions/{id}":         s.interventionShow,
		"GET /v1/interventions/{id}/events":  s.interventionEvents,
		"GET /v1/interventions/{id}/follow":  s.interventionFollow, // stream
		"POST /v1/interventions/{id}/cancel": s.interventionCancel,

		"GET /v1/backups":               s.backupList,
		"GET /v1/backups/{id}":          s.backupShow,
		"GET /v1/backups/{id}/diff":     s.backupDiff,
		"POST /v1/backups/{id}/verify":  s.backupVerify, // stream
		"POST /v1/backups/{id}/plan":    s.restorePlan,
		"POST /v1/backups/{id}/restore": s.restoreRun, // stream

		"GET /v1/ledger":       s.ledgerList,
		"GET /v1/ledger/check": s.ledgerVerify,

		"GET /v1/vault":           s.vaultShow,
		"POST /v1/vault":          s.vaultUse, // stream
		"POST /v1/vault/check":    s.vaultCheck,
		"POST /v1/vault/password": s.vaultPassword,
		"POST /v1/storage-keys":   s.storageKeys,

		"/": s.noRoute,
	} {
		s.mux.Handle(pattern, s.answer(h))
	}
}

// Version is what GET /v1/version answers.
type Version struct {
	Version string `json:"version"`
}

func (s *Server) version(w http.ResponseWriter, _ *http.Request) error {
	return respond(w, http.StatusOK, Version{s.Config.Version})
}

func (s *Server) noRoute(_ http.ResponseWriter, r *http.Request) error {
	return upkeep.Errorf(upkeep.CodeNotFound, "nothing answers %s %s", r.Method, r.URL.Path).
		WithHint("The API lives below /v1/.")
}
