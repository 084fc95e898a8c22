package web

import (
	"context"
	"net/http"

	"upkeep"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

// Ledger reads the record of everything done.
type Ledger interface {
	// Entries returns those that match, oldest first.
	Entries(ctx context.Context, filter LedgerFilter) ([]LedgerEntry, error)
	// VerifyLedger recomputes the whole chain.
	VerifyLedger(ctx context.Context) (*LedgerCheck, error)
}

// LedgerFilter chooses entries. The zero value chooses all.
type LedgerFilter struct {
	Site  string
	After int64 // entries with a higher Seq
	Limit int   // the newest so many; 0 is no limit
}

// LedgerEntry is an entry with the name its site has, or had last.
type LedgerEntry struct {
	upkeep.LedgerEntry
	SiteName string `json:"site_name,omitempty"`
}

// LedgerCheck is what recomputing the chain found.
type LedgerCheck struct {
	Entries int64  `json:"entries"`
	Head    string `json:"head"` // hash of the last entry
	OK      bool   `json:"ok"`
	Broken  int64  `json:"broken,omitempty"` // Seq of the first entry that does not fit
}

// Doctor examines this machine.
type Doctor interface {
	// Requirements returns what the program needs here, met or not.
	Requirements(ctx context.Context) ([]Requirement, error)
}

// Requirement is something the program needs of the machine.
type Requirement struct {
	Name     string `json:"name"` // catalogue code: "php", "mariadb", "state_folder", …
	OK       bool   `json:"ok"`
	Optional bool   `json:"optional,omitempty"` // works without, with less
	Detail   string `json:"detail,omitempty"`   // what was found: a version, a path
	Fix      string `json:"fix,omitempty"`      // the command that provides it
}

func (s *Server) ledgerList(w http.ResponseWriter, r *http.Request) error {
	q := query.Of(r)
	filter := LedgerFilter{Site: q.Text("site"), After: q.Number("after"), Limit: int(q.Number("limit"))}
	if q.Err != nil {
		return q.Err
	}
	entries, err := s.Ledger.Entries(r.Context(), filter)
	return reply.List(w, entries, err)
}

func (s *Server) ledgerVerify(w http.ResponseWriter, r *http.Request) error {
	check, err := s.Ledger.VerifyLedger(r.Context())
	return reply.Or(w, check, err)
}

func (s *Server) doctor(w http.ResponseWriter, r *http.Request) error {
	requirements, err := s.Doctor.Requirements(r.Context())
	return reply.List(w, requirements, err)
}
