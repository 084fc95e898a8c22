package post

import (
	"context"
	"os"
	"os/user"
	"runtime"

	"golang.org/x/sys/unix"

	"upkeep/internal/agent/process"
)

// Description is what a host says of itself.
type Description struct {
	Platform string `json:"platform"`      // "linux/amd64"
	Account  string `json:"account"`       // that agents are started by
	Root     bool   `json:"root"`          // so that sites of any account can be worked on
	PHP      string `json:"php,omitempty"` // version of the command, "" when there is none
	MySQLi   bool   `json:"mysqli"`        // PHP has the module that WordPress reaches its database by
	Free     int64  `json:"free"`          // bytes where agents keep what they need
}

// Describe looks at this machine.
func Describe(ctx context.Context) *Description {
	d := &Description{Platform: runtime.GOOS + "/" + runtime.GOARCH, Root: os.Geteuid() == 0}
	if account, err := user.Current(); err == nil {
		d.Account = account.Username
	}
	if version, modules, err := process.Version(ctx); err == nil {
		d.PHP, d.MySQLi = version, modules["mysqli"]
	}
	var fs unix.Statfs_t
	if unix.Statfs("/proc/self/exe", &fs) == nil { // beside which they are
		d.Free = int64(fs.Bavail) * fs.Bsize
	}
	return d
}
