package upkeep

import "time"

// Filters narrow a list. A zero field does not narrow; Limit 0 is no limit.

// InventoryFilter narrows the kept inventories, newest first.
type InventoryFilter struct {
	Site  SiteID
	Limit int
}

// InterventionFilter narrows interventions, newest first.
type InterventionFilter struct {
	Site     SiteID
	Unended  bool // only those in a state that is not an end
	Unleased bool // only those that no worker holds now
	Limit    int

	EndedAfter time.Time // only those that ended after it
}

// BackupFilter narrows backups, newest first.
type BackupFilter struct {
	Site         SiteID
	Intervention InterventionID
	Moment       Moment
	Complete     bool // only complete ones
	Limit        int
}

// TaskFilter narrows tasks, oldest first.
type TaskFilter struct {
	Site  SiteID
	Open  bool // only those not closed
	Limit int
}

// HoldFilter narrows holds, oldest first.
type HoldFilter struct {
	Site      SiteID
	Component string // ref
	Current   bool   // only those not lifted
	Limit     int
}
