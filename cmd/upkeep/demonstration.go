package main

import (
	"context"

	"upkeep"
	"upkeep/internal/terminal"
)

func runDemonstration(_ context.Context, _ demoOptions, _ *terminal.Screen) error {
	return upkeep.Errorf(upkeep.CodeNotFound, "no demonstration")
}
