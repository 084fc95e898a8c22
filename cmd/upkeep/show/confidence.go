package show

import (
	"strconv"
	"strings"

	"upkeep"
	"upkeep/cmd/upkeep/console"
)

// Trials writes for machines on how many sites a release works, of how many on
// which that is known: "12/13".
func Trials(c *upkeep.Confidence) string {
	if c == nil {
		return ""
	}
	return strconv.Itoa(c.Applied) + "/" + strconv.Itoa(c.Applied+c.Failed)
}

// Confidence says what is known of a release, "" when nothing is.
func Confidence(e *console.Env, c *upkeep.Confidence) string {
	if c == nil {
		return ""
	}
	var parts []string
	if c.Applied > 0 {
		parts = append(parts, e.Text("confidence.applied", "count", c.Applied))
	}
	if c.Failed > 0 {
		parts = append(parts, e.Text("confidence.failed", "count", c.Failed, "what", c.Fails.String()))
	}
	if c.Spared > 0 {
		parts = append(parts, e.Text("confidence.spared", "count", c.Spared))
	}
	return strings.Join(parts, e.Text("list.separator"))
}
