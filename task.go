package upkeep

import "time"

// Task is something only a person can do.
type Task struct {
	ID           int64             `json:"id"`
	Site         SiteID            `json:"site"`
	Intervention InterventionID    `json:"intervention,omitempty"`
	Component    string            `json:"component,omitempty"` // ref
	Code         string            `json:"code"`                // catalogue key: "buy_licence", "adapt_code", "examine_modified", …
	Params       map[string]string `json:"params,omitempty"`
	Created      time.Time         `json:"created"`
	Closed       time.Time         `json:"closed,omitzero"`
}

// Hold keeps one release of a component from being applied to a site, until a
// person lifts it or a newer release appears.
type Hold struct {
	ID        int64     `json:"id"`
	Site      SiteID    `json:"site"`
	Component string    `json:"component"`         // ref
	Version   Version   `json:"version,omitempty"` // the held release; "" holds all
	Reason    Reason    `json:"reason"`
	Created   time.Time `json:"created"`
	Lifted    time.Time `json:"lifted,omitzero"`
}

// ReleaseHold keeps a release from being applied to any site of a CMS.
type ReleaseHold struct {
	CMS       CMS       `json:"cms"`
	Component string    `json:"component"`         // ref
	Version   Version   `json:"version,omitempty"` // "" holds all
	Actor     string    `json:"actor"`
	Because   string    `json:"because,omitempty"`
	Created   time.Time `json:"created"`
}

// Everywhere returns the hold as resolve takes it, for a site of the CMS.
func (h *ReleaseHold) Everywhere() Hold {
	because := h.Because
	if because == "" {
		because = "asked"
	}
	return Hold{Component: h.Component, Version: h.Version, Reason: Reason{Code: because}, Created: h.Created}
}

// LedgerEntry is one line
// of the hash-chained record of everything done.
type LedgerEntry struct {
	Seq      int64          `json:"seq"` // 1, 2, 3, …
	At       time.Time      `json:"at"`
	Site     SiteID         `json:"site,omitempty"`
	Actor    string         `json:"actor"`
	Kind     string         `json:"kind"` // "site_added", "intervention_ended", "backup_made", "restore_done", …
	Facts    map[string]any `json:"facts,omitempty"`
	Previous string         `json:"previous"` // hash of the entry before, 64 zeros for the first
	Hash     string         `json:"hash"`     // hex SHA-256 over the canonical JSON without this field
}
