package session

import (
	"context"
	"database/sql/driver"
	"fmt"
	"sync"
)

// Connections remembers which of the server's connections are ours, so
// that the watch does not wait for itself.
type Connections struct {
	driver.Connector
	mu  *sync.Mutex
	ids map[string]bool

	begin string // statement that each connection begins with, "" for none
}

// Connect opens a connection and notes its number.
func (o *Connections) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := o.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	var id string
	err = rawRows(ctx, conn, "SELECT CONNECTION_ID()", func(row []driver.Value) error {
		id = fmt.Sprint(row[0])
		return nil
	})
	if err == nil && o.begin != "" {
		_, err = conn.(driver.ExecerContext).ExecContext(ctx, o.begin, nil)
	}
	if err != nil {
		_ = conn.Close() // it is of no use
		return nil, err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ids[id] = true
	return conn, nil
}

// Has reports whether the connection of that number is ours.
func (o *Connections) Has(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.ids[id]
}

// NewConnections makes connections through connector.
func NewConnections(connector driver.Connector) *Connections {
	return &Connections{Connector: connector, mu: &sync.Mutex{}, ids: map[string]bool{}}
}

// ReadOnly makes connections that are ours too, and in which every statement is
// a transaction of its own that cannot write.
func (o *Connections) ReadOnly() *Connections {
	return &Connections{Connector: o.Connector, mu: o.mu, ids: o.ids, begin: "SET SESSION TRANSACTION READ ONLY"}
}
