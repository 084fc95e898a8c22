package store

import (
	"context"

	"upkeep"
	"upkeep/internal/store/column"
	"upkeep/internal/store/records"
)

const taskColumns = `SELECT id, site, intervention, component, code, params, created, closed FROM task`

// Task returns a task by number.
func (db *DB) Task(ctx context.Context, id int64) (task *upkeep.Task, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		task, err = findTask(ctx, tx, id)
		return err
	})
	return task, err
}

// Tasks returns the tasks that filter leaves, oldest first.
func (db *DB) Tasks(ctx context.Context, filter upkeep.TaskFilter) (found []*upkeep.Task, err error) {
	err = db.records.Read(ctx, func(tx *records.Tx) error {
		var w column.Where
		w.Add(filter.Site != 0, "site = ?", filter.Site)
		w.Plain(filter.Open, "closed IS NULL")
		query, args := w.Query(taskColumns, "id", filter.Limit)
		found, err = records.Collect(ctx, tx, query, args, scanTask)
		return err
	})
	return found, err
}

// CreateTask adds a task and sets its ID and Created. While a task of the
// same code on the same component of the site is open, it is that one that
// gets the new parameters: asking twice for the same thing is one task.
func (db *DB) CreateTask(ctx context.Context, task *upkeep.Task) (err error) {
	defer upkeep.Wrap(&err, "create task %s on site %s", task.Code, task.Site)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		return tx.QueryRowContext(ctx, `INSERT INTO task (site, intervention, component, code, params, created)
			VALUES ($1, $2, $3, $4, $5, $6)
			ON CONFLICT (site, component, code) WHERE closed IS NULL DO UPDATE SET params = excluded.params
			RETURNING id, created`,
			task.Site, column.Optional(task.Intervention), task.Component, task.Code, column.Document{Of: task.Params}, column.Stamp(tx.Now)).
			Scan(&task.ID, (*column.Stamp)(&task.Created))
	})
}

// UpdateTask changes the parameters of a task, or closes or reopens it.
func (db *DB) UpdateTask(ctx context.Context, id int64, change func(*upkeep.Task) error) (err error) {
	defer upkeep.Wrap(&err, "update task %d", id)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		task, err := findTask(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := change(task); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE task SET params = $1, closed = $2 WHERE id = $3`,
			column.Document{Of: task.Params}, column.Stamp(task.Closed), id)
		return err
	})
}

// DeleteTask removes a task.
func (db *DB) DeleteTask(ctx context.Context, id int64) (err error) {
	defer upkeep.Wrap(&err, "delete task %d", id)
	return db.records.Write(ctx, func(tx *records.Tx) error {
		deleted, err := records.Changed(tx.ExecContext(ctx, `DELETE FROM task WHERE id = $1`, id))
		if err == nil && !deleted {
			return upkeep.Errorf(upkeep.CodeNotFound, "task %d does not exist", id)
		}
		return err
	})
}

func findTask(ctx context.Context, tx *records.Tx, id int64) (*upkeep.Task, error) {
	return records.Single(tx.QueryRowContext(ctx, taskColumns+` WHERE id = $1`, id), scanTask, "task", id)
}

func scanTask(row records.Row) (*upkeep.Task, error) {
	var t upkeep.Task
	err := row.Scan(&t.ID, &t.Site, (*column.Optional)(&t.Intervention), &t.Component, &t.Code, column.Document{Of: &t.Params},
		(*column.Stamp)(&t.Created), (*column.Stamp)(&t.Closed))
	return &t, err
}
