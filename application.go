package upkeep

import (
	"strconv"
	"time"
)

// ApplicationID numbers an application.
type ApplicationID int64

// String returns the decimal number.
func (id ApplicationID) String() string { return strconv.FormatInt(int64(id), 10) }

// Discovery is an application as a scan of its host saw it.
type Discovery struct {
	Root     string   `json:"root"`           // absolute, links resolved
	URLs     []string `json:"urls,omitempty"` // by the web server's configuration, else by the application's own
	Owner    string   `json:"owner"`          // account, by name where it has one
	CMS      CMS      `json:"cms"`
	Version  Version  `json:"version,omitempty"`
	Database string   `json:"database,omitempty"` // its name, or its file
	Bytes    int64    `json:"bytes"`              // on disk, without applications inside
	Within   string   `json:"within,omitempty"`   // root of the application that it lies in
	Problem  *Error   `json:"problem,omitempty"`  // why its settings could not be read
}

// Hosted is an application: a program for the web that was found on a host. It is a site
// when Upkeep keeps it; else it is uncovered until it is adopted or dismissed.
type Hosted struct {
	ID   ApplicationID `json:"id"`
	Host HostID        `json:"host,omitempty"` // 0 is this machine
	Discovery
	First     time.Time  `json:"first"`         // found first
	Last      time.Time  `json:"last"`          // found last
	Gone      time.Time  `json:"gone,omitzero"` // when a scan did not find it any more
	Dismissed *Dismissal `json:"dismissed,omitempty"`
}

// Dismissal says that an application is not to be kept, and why.
type Dismissal struct {
	Actor   string    `json:"actor"`
	Because string    `json:"because"`
	At      time.Time `json:"at"`
}

// Same reports whether a folder still holds the application that it held: the
// same program, on the same database as far as either is known.
func (d *Discovery) Same(now *Discovery) bool {
	return d.CMS == now.CMS && (d.Database == now.Database || d.Database == "" || now.Database == "")
}

// Scan is what one scan of a host brought.
type Scan struct {
	Discoveries []Discovery `json:"discoveries"`
	Places      []string    `json:"places"` // folders that were looked through, with all below
	// Missing are roots that were asked for and hold no application any more.
	Missing []string `json:"missing,omitempty"`
	Cut     []Cut    `json:"cut,omitempty"`
}

// ScanChanges is what a scan changed of what is known of a host.
type ScanChanges struct {
	New  []*Hosted // never seen before
	Back []*Hosted // dismissed, and another one by now; or gone, and there again
	Gone []*Hosted // not there any more
}

// Cut is a folder that a scan did not look through to its end.
type Cut struct {
	Path string    `json:"path"`
	Why  CutReason `json:"why"`
}

// CutReason says why a scan stopped somewhere.
type CutReason string

// The reasons.
const (
	CutDeep       CutReason = "deep"       // folders in folders without end
	CutCrowded    CutReason = "crowded"    // too many names
	CutTime       CutReason = "time"       // its time was over
	CutUnreadable CutReason = "unreadable" // neither we nor its owner may read it
)
