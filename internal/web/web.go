// Package web is Upkeep over HTTP: the JSON API that every command calls, and
// the typed client for it. It reaches the rest of the program only through
// the small interfaces declared here.
package web

import (
	"log/slog"
	"net/http"
	"time"

	"upkeep"
	"upkeep/internal/web/access"
	"upkeep/internal/web/reply"
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

// Server answers the API. It knows nothing of who asks: access.Gate lets
// through to a route whom it is for.
type Server struct {
	Config
	replies reply.Replier
}

// New returns a server for what c lends it.
func New(c Config) *Server {
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{Config: c}
	s.replies = reply.Replier{Log: c.Log, Suggest: s.suggest}
	return s
}

// Routes is the whole API, with whom each route is for. Those marked "stream"
// answer in lines: see Line.
func (s *Server) Routes() []access.Route {
	table := []struct {
		pattern string
		who     access.Audience
		answer  reply.Handler
	}{
		{"GET /v1/version", access.Anyone, s.version},
		{"GET /v1/doctor", access.Reader, s.doctor},

		{"GET /v1/sites", access.Reader, s.siteList},
		{"POST /v1/sites", access.Staff, s.siteAdd},
		{"GET /v1/sites/{site}", access.Reader, s.siteShow},
		{"DELETE /v1/sites/{site}", access.Staff, s.siteRemove},
		{"PUT /v1/sites/{site}/policy", access.Staff, s.sitePolicy},
		{"GET /v1/sites/{site}/inventory", access.Reader, s.siteInventory},
		{"GET /v1/sites/{site}/updates", access.Reader, s.updateList},
		{"POST /v1/sites/{site}/propose", access.Staff, s.updatePropose},
		{"POST /v1/sites/{site}/freeze", access.Staff, s.siteFreeze},
		{"POST /v1/sites/{site}/thaw", access.Staff, s.siteThaw},
		{"POST /v1/sites/{site}/verify", access.Staff, s.siteVerify},
		{"POST /v1/sites/{site}/backups", access.Staff, s.backupCreate}, // stream
		{"POST /v1/sites/{site}/prune", access.Staff, s.backupPrune},
		{"POST /v1/sites/{site}/interventions", access.Staff, s.interventionStart},
		{"GET /v1/sites/{site}/plan", access.Reader, s.planRecommend},
		{"PUT /v1/sites/{site}/plan", access.Staff, s.siteSubscribe},
		{"POST /v1/sites/{site}/approve", access.Staff, s.siteApprove},

		{"GET /v1/plans", access.Reader, s.planList},
		{"PUT /v1/plans", access.Staff, s.planSet},
		{"GET /v1/windows", access.Reader, s.windowList},
		{"POST /v1/windows", access.Staff, s.windowAdd},
		{"DELETE /v1/windows/{id}", access.Staff, s.windowRemove},
		{"GET /v1/schedule", access.Reader, s.scheduleShow},
		{"GET /v1/releases", access.Reader, s.releaseRollout},
		{"GET /v1/releases/holds", access.Reader, s.releaseShow},
		{"POST /v1/releases/hold", access.Staff, s.releaseHold},
		{"POST /v1/releases/allow", access.Staff, s.releaseAllow},
		{"GET /v1/fleet", access.Reader, s.fleetStatus},
		{"POST /v1/fleet/hold", access.Staff, s.fleetHold},
		{"POST /v1/fleet/release", access.Staff, s.fleetRelease},

		{"GET /v1/hosts", access.Reader, s.hostList},
		{"POST /v1/hosts", access.Staff, s.hostAdd},
		{"GET /v1/hosts/{host}", access.Reader, s.hostShow},
		{"DELETE /v1/hosts/{host}", access.Staff, s.hostRemove},
		{"POST /v1/hosts/{host}/check", access.Staff, s.hostCheck},
		{"POST /v1/host-keys", access.Staff, s.hostKeys},

		{"POST /v1/scan", access.Staff, s.hostScan},
		{"GET /v1/applications", access.Reader, s.applicationList},
		{"POST /v1/applications/{id}/adopt", access.Staff, s.applicationAdopt},
		{"POST /v1/applications/{id}/dismiss", access.Staff, s.applicationDismiss},

		{"GET /v1/interventions", access.Reader, s.interventionList},
		{"GET /v1/interventions/{id}", access.Reader, s.interventionShow},
		{"GET /v1/interventions/{id}/events", access.Reader, s.interventionEvents},
		{"GET /v1/interventions/{id}/follow", access.Reader, s.interventionFollow}, // stream
		{"POST /v1/interventions/{id}/cancel", access.Staff, s.interventionCancel},

		{"GET /v1/backups", access.Reader, s.backupList},
		{"GET /v1/backups/{id}", access.Reader, s.backupShow},
		{"GET /v1/backups/{id}/diff", access.Reader, s.backupDiff},
		{"POST /v1/backups/{id}/verify", access.Staff, s.backupVerify}, // stream
		{"POST /v1/backups/{id}/plan", access.Staff, s.restorePlan},
		{"POST /v1/backups/{id}/restore", access.Staff, s.restoreRun}, // stream

		{"GET /v1/ledger", access.Reader, s.ledgerList},
		{"GET /v1/ledger/check", access.Reader, s.ledgerVerify},

		{"GET /v1/vault", access.Staff, s.vaultShow},
		{"POST /v1/vault", access.Machine, s.vaultUse}, // stream
		{"POST /v1/vault/check", access.Staff, s.vaultCheck},
		{"POST /v1/storage-keys", access.Machine, s.storageKeys},
		{"POST /v1/vault/password", access.Machine, s.vaultPassword},
		{"/v1/", access.Anyone, s.noRoute},
	}
	routes := make([]access.Route, 0, len(table))
	for _, t := range table {
		routes = append(routes, access.Route{Pattern: t.pattern, For: t.who, Handler: s.replies.Answer(t.answer)})
	}
	return routes
}

// Version is what GET /v1/version answers.
type Version struct {
	Version string `json:"version"`
}

func (s *Server) version(w http.ResponseWriter, _ *http.Request) error {
	return reply.JSON(w, http.StatusOK, Version{s.Config.Version})
}

func (s *Server) noRoute(_ http.ResponseWriter, r *http.Request) error {
	return upkeep.Errorf(upkeep.CodeNotFound, "nothing answers %s %s", r.Method, r.URL.Path).
		WithHint("The API lives below /v1/.")
}
