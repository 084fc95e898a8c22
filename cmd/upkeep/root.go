package main

import (
	"github.com/spf13/cobra"

	"upkeep/cmd/upkeep/application"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/host"
	"upkeep/cmd/upkeep/people"
	"upkeep/cmd/upkeep/planning"
	"upkeep/cmd/upkeep/records"
	"upkeep/cmd/upkeep/vault"
)

// newRootCommand lists the whole command line.
func newRootCommand(e *console.Env) *cobra.Command {
	root := e.Noun("root", "upkeep",
		newServeCommand(e),
		e.Noun("site", "site",
			newSiteAddCommand(e), newSiteListCommand(e), newSiteShowCommand(e), newSiteRemoveCommand(e),
			newSiteInventoryCommand(e), newSiteUpdateCommand(e), newSiteVerifyCommand(e),
			newSiteFreezeCommand(e), newSiteThawCommand(e),
			planning.NewSubscribe(e), planning.NewApprove(e)),
		e.Noun("update", "update", newUpdateListCommand(e), newUpdateProposeCommand(e)),
		e.Noun("host", "host", host.Commands(e)...),
		application.New(e),
		e.Noun("intervention", "intervention",
			newInterventionListCommand(e), newInterventionShowCommand(e),
			newInterventionLogCommand(e), newInterventionCancelCommand(e)),
		e.Noun("backup", "backup",
			newBackupCreateCommand(e), newBackupListCommand(e), newBackupShowCommand(e), newBackupVerifyCommand(e),
			newBackupRestoreCommand(e), newBackupDiffCommand(e), newBackupPruneCommand(e)),
		planning.NewPlan(e), planning.NewWindow(e), planning.NewSchedule(e), planning.NewRelease(e), planning.NewFleet(e),
		people.NewAccount(e), people.NewClient(e),
		e.Noun("ledger", "ledger", newLedgerListCommand(e), newLedgerVerifyCommand(e)),
		records.New(e),
		e.Noun("vault", "vault", vault.Commands(e)...),
		newDoctorCommand(e),
		newDemoCommand(e),
		newVersionCommand(e),
		newCompletionCommand(e),
		newManCommand(e),
	)
	e.SetRoot(root)
	return root
}
