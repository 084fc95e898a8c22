// Package vault has the commands that look after where the backups are, a file
// each.
package vault

import (
	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/console"
)

// Commands returns them in the order that help lists them in.
func Commands(e *console.Env) []*cobra.Command {
	return []*cobra.Command{newShowCommand(e), newCheckCommand(e), newUseCommand(e), newPasswordCommand(e)}
}
