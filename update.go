package upkeep

// Disposition is what resolve decided about an update.
type Disposition string

// The dispositions. Only Ready updates enter a batch.
const (
	Ready Disposition = "ready"
	Held  Disposition = "held"  // waits for a person or for another update
	Quote Disposition = "quote" // a major: priced apart
)

// Update is one component on one site going from its version to a release.
type Update struct {
	Component   Component   `json:"component"` // as installed
	Release     Release     `json:"release"`
	Security    bool        `json:"security"`
	Major       bool        `json:"major"`
	Disposition Disposition `json:"disposition"`
	Reasons     []Reason    `json:"reasons,omitempty"` // why it is held, ordered or batched so
	Batch       int         `json:"batch,omitempty"`   // 1-based order of application; 0 when not ready
}

// Ref is the ref of the component.
func (u *Update) Ref() string { return u.Component.Ref() }

// Reason explains a decision. Codes are stable; texts come from the catalogue.
type Reason struct {
	Code   string            `json:"code"` // "requires_php", "licence_missing", "modified", …
	Params map[string]string `json:"params,omitempty"`
}

// Batch is updates that are applied and judged together.
type Batch struct {
	Number  int      `json:"number"`
	Updates []Update `json:"updates"`
	After   []int    `json:"after,omitempty"` // batches that must be kept for this one to make sense
}
