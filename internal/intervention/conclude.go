package intervention

import (
	"context"
	"slices"

	"upkeep"
)

// refuse holds a release whose package was not what it claimed to be.
func (w *walk) refuse(ctx context.Context, update upkeep.Update, why error) error {
	params := map[string]string{"version": string(update.Release.Version), "why": why.Error()}
	return w.holdAndTask(ctx, update, upkeep.Reason{Code: ReasonRefused, Params: params}, TaskRefused)
}

func (w *walk) holdAndTask(ctx context.Context, update upkeep.Update, reason upkeep.Reason, task string) error {
	err := w.Consequences.CreateHold(ctx, &upkeep.Hold{
		Site: w.iv.Site, Component: update.Ref(), Version: update.Release.Version, Reason: reason,
	})
	if err != nil && upkeep.CodeOf(err) != upkeep.CodeConflict { // held already: this step is a repetition
		return err
	}
	return w.Consequences.CreateTask(ctx, &upkeep.Task{
		Site: w.iv.Site, Intervention: w.iv.ID, Component: update.Ref(), Code: task, Params: reason.Params,
	})
}

// conclude tells people and the ledger how it ended.
func (w *walk) conclude(ctx context.Context) error {
	if w.agent != nil && (w.iv.State == upkeep.Failed || w.iv.State == upkeep.Cancelled) {
		if err := w.agent.Finish(ctx); err != nil {
			w.Log.Warn("leftovers stay until the next intervention", "intervention", w.iv.ID, "error", err)
		}
	}
	for _, batch := range w.iv.Batches {
		for _, update := range batch.Updates {
			if err := w.holdGuilty(ctx, update); err != nil {
				return err
			}
		}
	}
	if w.iv.State == upkeep.Incident {
		why := map[string]string{"why": describe(w.iv.Failed)}
		err := w.Consequences.CreateTask(ctx, &upkeep.Task{Site: w.iv.Site, Intervention: w.iv.ID, Code: TaskIncident, Params: why})
		if err != nil {
			return err
		}
	}
	return w.Consequences.Enter(ctx, w.iv.Site, KindEnded, map[string]any{
		"intervention": w.iv.ID, "state": w.iv.State, "outcomes": w.iv.Outcomes,
		"before": w.iv.Before, "after": w.iv.After, "frozen_ms": w.iv.Frozen(w.Now()).Milliseconds(),
		"identity": w.iv.Identity,
	})
}

func (w *walk) holdGuilty(ctx context.Context, update upkeep.Update) error {
	i := slices.IndexFunc(w.iv.Outcomes, func(o upkeep.Outcome) bool {
		return o.Ref == update.Ref() && o.Result == upkeep.Guilty
	})
	if i < 0 {
		return nil
	}
	params := map[string]string{"version": string(update.Release.Version), "why": w.iv.Outcomes[i].Detail}
	return w.holdAndTask(ctx, update, upkeep.Reason{Code: ReasonFailed, Params: params}, TaskFailedUpdate)
}
