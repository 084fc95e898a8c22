// Package host has the commands that adopt and look after hosts, a file each.
package host

import (
	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
)

// Commands returns them in the order that help lists them in.
func Commands(e *console.Env) []*cobra.Command {
	return []*cobra.Command{newAddCommand(e), newListCommand(e), newShowCommand(e), newCheckCommand(e), newScanCommand(e), newRemoveCommand(e)}
}
