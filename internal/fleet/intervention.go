package fleet

import (
	"context"
	"reflect"
	"time"

	"upkeep"
	"upkeep/internal/web"
)

// Record is web.Interventions for a Fleet.
type Record struct{ *Fleet }

var _ web.Interventions = Record{}

// Interventions returns those that match, newest first.
func (f Record) Interventions(ctx context.Context, filter web.InterventionFilter) ([]web.Record, error) {
	wanted := upkeep.InterventionFilter{}
	if filter.Site != "" {
		site, err := f.SiteByName(ctx, filter.Site)
		if err != nil {
			return nil, err
		}
		wanted.Site = site.ID
	}
	if filter.State == "" {
		wanted.Limit = filter.Limit
	}
	found, err := f.Config.Interventions.Interventions(ctx, wanted)
	if err != nil {
		return nil, err
	}
	names, err := f.names(ctx)
	if err != nil {
		return nil, err
	}
	var records []web.Record
	for _, iv := range found {
		if filter.State != "" && iv.State != filter.State {
			continue
		}
		records = append(records, web.Record{Intervention: *iv, SiteName: names[iv.Site]})
		if filter.Limit > 0 && len(records) == filter.Limit {
			break
		}
	}
	return records, nil
}

// Intervention returns the whole record of one.
func (f Record) Intervention(ctx context.Context, id upkeep.InterventionID) (*web.Record, error) {
	iv, err := f.Config.Interventions.Intervention(ctx, id)
	if err != nil {
		return nil, err
	}
	name, err := f.Standings.SiteName(ctx, iv.Site)
	if err != nil {
		return nil, err
	}
	record := &web.Record{Intervention: *iv, SiteName: name}
	if record.BeforeBackup, err = f.backupOrNone(ctx, iv.Before); err != nil {
		return nil, err
	}
	if record.AfterBackup, err = f.backupOrNone(ctx, iv.After); err != nil {
		return nil, err
	}
	return record, f.addConsequences(ctx, record)
}

func (f *Fleet) backupOrNone(ctx context.Context, id upkeep.BackupID) (*upkeep.Backup, error) {
	if id == 0 {
		return nil, nil
	}
	backup, err := f.Notes.Backup(ctx, id)
	if upkeep.CodeOf(err) == upkeep.CodeNotFound { // pruned since
		return nil, nil
	}
	return backup, err
}

func (f *Fleet) addConsequences(ctx context.Context, record *web.Record) error {
	tasks, err := f.Notes.Tasks(ctx, upkeep.TaskFilter{Site: record.Site})
	if err != nil {
		return err
	}
	for _, task := range tasks {
		if task.Intervention == record.ID {
			record.Tasks = append(record.Tasks, *task)
		}
	}
	holds, err := f.Notes.Holds(ctx, upkeep.HoldFilter{Site: record.Site})
	if err != nil {
		return err
	}
	for _, hold := range holds {
		ended := record.Ended
		if ended.IsZero() {
			ended = f.Now()
		}
		// A hold carries no intervention: those made while it ran are its own.
		if !hold.Created.Before(record.Created) && !hold.Created.After(ended.Add(time.Second)) {
			record.Holds = append(record.Holds, *hold)
		}
	}
	return nil
}

// Events returns the log after an event ID.
func (f Record) Events(ctx context.Context, id upkeep.InterventionID, after int64) ([]upkeep.Event, error) {
	if _, err := f.Config.Interventions.Intervention(ctx, id); err != nil {
		return nil, err
	}
	return f.Config.Interventions.Events(ctx, id, after, 0)
}

// Follow sends news of an intervention until it has ended.
func (f Record) Follow(ctx context.Context, id upkeep.InterventionID, after int64, send func(web.Tick) error) error {
	var shown *upkeep.Intervention
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		// The intervention first: events that were written before it ended
		// are then sure to be seen.
		iv, err := f.Config.Interventions.Intervention(ctx, id)
		if err != nil {
			return err
		}
		events, err := f.Config.Interventions.Events(ctx, id, after, 0)
		if err != nil {
			return err
		}
		for i := range events {
			after = events[i].ID
			if err := send(web.Tick{Event: &events[i]}); err != nil {
				return err
			}
		}
		if !reflect.DeepEqual(iv, shown) {
			if err := send(web.Tick{Intervention: iv}); err != nil {
				return err
			}
			shown = iv
		}
		if iv.State.Ended() {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// CancelIntervention asks for a stop.
func (f Record) CancelIntervention(ctx context.Context, actor string, id upkeep.InterventionID) (*upkeep.Intervention, error) {
	if err := f.Config.Interventions.CancelIntervention(ctx, id, f.Now().UTC()); err != nil {
		return nil, err
	}
	iv, err := f.Config.Interventions.Intervention(ctx, id)
	if err != nil {
		return nil, err
	}
	return iv, f.Enter(ctx, actor, "intervention_cancelled", iv.Site, map[string]any{"intervention": id})
}
