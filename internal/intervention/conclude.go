package intervention

import (
	"context"
	"slices"

	"upkeep"
)

// refuse holds a release whose package was not what it claimed to be.
func (w *walk) refuse(ctx context.Context, update upkeep.Update, why error) error {
	params := map[string]string{"version": string(update.Release.Version), "why": why.Error(), "why_text": upkeep.TextOf(why).Param()}
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

// conclude tells people and the ledger how it is about to end.
func (w *walk) conclude(ctx context.Context, to next) error {
	end := *w.iv
	if to.note != nil {
		to.note(&end)
	}
	end.State = to.state
	settleOutcomes(&end)
	if w.agent != nil && (end.State == upkeep.Failed || end.State == upkeep.Cancelled) {
		w.tidy(ctx)
	}
	for _, batch := range end.Batches {
		for _, update := range batch.Updates {
			if err := w.holdGuilty(ctx, &end, update); err != nil {
				return err
			}
		}
	}
	if end.State == upkeep.Incident {
		failed := describe(end.Failed)
		why := map[string]string{"why": failed.String(), "why_text": failed.Param()}
		err := w.Consequences.CreateTask(ctx, &upkeep.Task{Site: end.Site, Intervention: end.ID, Code: TaskIncident, Params: why})
		if err != nil {
			return err
		}
	}
	return w.Consequences.Enter(ctx, end.Site, KindEnded, map[string]any{
		"intervention": end.ID, "state": end.State, "outcomes": told(end.Outcomes),
		"before": end.Before, "after": end.After, "frozen_ms": end.Frozen(w.Now()).Milliseconds(),
		"identical": identical(end.Identity),
	})
}

// tidy removes what an intervention that changed nothing left on the host. An
// agent that died is reached anew: its guard, or we, bring it back.
func (w *walk) tidy(ctx context.Context) {
	for tries := 3; ; tries-- {
		agent, err := w.reach(ctx)
		if err == nil {
			err = agent.Finish(ctx)
		}
		if err == nil {
			return
		}
		if tries == 1 || upkeep.CodeOf(err) != upkeep.CodeUnreachable {
			w.Log.Warn("leftovers stay until the next intervention", "intervention", w.iv.ID, "error", err)
			return
		}
		w.letGo()
	}
}

func (w *walk) holdGuilty(ctx context.Context, end *upkeep.Intervention, update upkeep.Update) error {
	i := slices.IndexFunc(end.Outcomes, func(o upkeep.Outcome) bool {
		return o.Ref == update.Ref() && o.Result == upkeep.Guilty
	})
	if i < 0 {
		return nil
	}
	params := map[string]string{"version": string(update.Release.Version), "why": end.Outcomes[i].Detail, "why_text": end.Outcomes[i].Why().Param()}
	return w.holdAndTask(ctx, update, upkeep.Reason{Code: ReasonFailed, Params: params}, TaskFailedUpdate)
}

// told says of each update, in a line, what became of it.
func told(outcomes []upkeep.Outcome) []string {
	lines := make([]string, len(outcomes))
	for i, o := range outcomes {
		lines[i] = o.Ref + " " + string(o.From) + " → " + string(o.To) + " " + string(o.Result)
	}
	return lines
}

// identical is the digest that was proven to be the original's, "not proven"
// when it was not, and "" when there was nothing to prove.
func identical(id *upkeep.Identity) string {
	switch {
	case id == nil:
		return ""
	case id.Proven():
		return id.After
	}
	return "not proven"
}
