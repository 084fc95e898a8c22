package agent

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"upkeep"
	"upkeep/internal/agent/codecache"
	"upkeep/internal/agent/journal"
	"upkeep/internal/agent/place"
	"upkeep/internal/agent/process"
	"upkeep/internal/cms"
)

// closeGate puts the driver's gate in place: files first, which refuse
// visitors at once, folder modes last, because they hinder the rest. A folder
// that is opened for the files comes before them, so that the journal knows what
// it was.
func (s *session) closeGate(gate *cms.Gate) (err error) {
	defer upkeep.Wrap(&err, "close the gate")
	s.gate = gate
	for _, mode := range slices.DeleteFunc(slices.Clone(gate.Modes), func(mode cms.GateMode) bool { return !mode.Opens || !place.Closed(mode.Path) }) {
		if err := s.gateMode(mode); err != nil {
			return err
		}
	}
	for _, file := range gate.Files {
		if err := s.gateFile(file.Path, file.Content, file.Mode); err != nil {
			return err
		}
	}
	for _, mode := range gate.Modes {
		if err := s.gateMode(mode); err != nil {
			return err
		}
	}
	return nil
}

// canClose fails where the gate could not be put in place, so that nothing is
// begun that could not be ended.
func (s *session) canClose(gate *cms.Gate) error {
	for _, file := range gate.Files {
		dir := filepath.Dir(file.Path)
		ours := slices.ContainsFunc(gate.Modes, func(mode cms.GateMode) bool { return mode.Opens && mode.Path == dir })
		if err := place.CanWrite(dir); err != nil && !(ours && place.Closed(dir)) {
			return err
		}
	}
	return nil
}

// closeGateBelow closes again what a swap of target brought back open.
func (s *session) closeGateBelow(target string) error {
	if s.gate == nil {
		return nil
	}
	for _, mode := range s.gate.Modes {
		if mode.Path != target && !strings.HasPrefix(mode.Path, target+"/") {
			continue
		}
		if err := s.gateMode(mode); err != nil {
			return err
		}
	}
	return nil
}

// gateMode gives a folder another mode. A file is replaced by an empty one of
// that mode and waits aside, readable for the backup.
func (s *session) gateMode(mode cms.GateMode) error {
	st, err := stat(mode.Path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if !isFolder(mode.Path) {
		return s.gateFile(mode.Path, nil, mode.Mode)
	}
	for _, e := range journal.Standing(s.journal.Entries(), journal.Mode) {
		if e.Target == mode.Path {
			return s.setMode(e.Target, e.To)
		}
	}
	e, err := s.journal.Write(journal.Entry{
		Op: journal.Mode, Target: mode.Path,
		From: st.Mode & 0o7777, To: uint32(mode.Mode.Perm()) | st.Mode&0o7000,
	})
	if err != nil {
		return err
	}
	return s.setMode(e.Target, e.To)
}

func (s *session) gateFile(path string, content []byte, mode os.FileMode) error {
	for _, e := range s.standingGate() {
		if e.Target == path {
			if inode, err := s.inode(path); err == nil && inode == e.New {
				return nil
			}
		}
	}
	source := filepath.Join(s.workFor(path), "gate-"+strconv.Itoa(len(s.journal.Entries())+1))
	spot, err := s.host.places.Find(source)
	if err != nil {
		return err
	}
	defer spot.Close()
	if err := spot.Delete(); err != nil {
		return err
	}
	if err := spot.Write(content, uint32(mode.Perm())); err != nil {
		return err
	}
	return s.put(journal.Gate, path, source)
}

// standingGate returns the gate's exchanges that still show on disk: not
// taken back, and not moved aside with a folder that was swapped since.
func (s *session) standingGate() []journal.Entry {
	entries := s.journal.Entries()
	swaps := journal.Standing(entries, journal.Aside)
	var standing []journal.Entry
	for _, e := range journal.Standing(entries, journal.Gate) {
		if !covered(e, swaps) {
			standing = append(standing, e)
		}
	}
	return standing
}

func covered(e journal.Entry, swaps []journal.Entry) bool {
	for _, swap := range swaps {
		if swap.Seq > e.Seq && (e.Target == swap.Target || strings.HasPrefix(e.Target, swap.Target+"/")) {
			return true
		}
	}
	return false
}

// openGate takes the gate back, last act first, so that visitors are let in
// only when everything else is as it should be.
func (s *session) openGate(log *slog.Logger, alone string) (err error) {
	defer upkeep.Wrap(&err, "open the gate")
	if err := s.remakeWork(); err != nil {
		return err
	}
	if err := s.restoreModes(false); err != nil {
		return err
	}
	gates := s.standingGate()
	for i := len(gates) - 1; i >= 0; i-- {
		if err := s.revert(gates[i], log); err != nil {
			return err
		}
	}
	// What stays closed had to be opened for the files once more.
	if err := s.restoreModes(true); err != nil {
		return err
	}
	return s.note(journal.Thawed, alone)
}

// restoreModes gives folders their modes back, the last first: those that
// their owner had closed already, or the others.
func (s *session) restoreModes(closed bool) error {
	for _, e := range slices.Backward(journal.Standing(s.journal.Entries(), journal.Mode)) {
		if (e.From&unix.S_IWUSR == 0) == closed {
			if err := s.restoreMode(e); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *session) restoreMode(e journal.Entry) error {
	if err := s.setMode(e.Target, e.From); err != nil && !elsewhere(err) {
		return err
	}
	_, err := s.journal.Write(journal.Entry{Op: journal.Reverted, Of: e.Seq})
	return err
}

// frozen reports whether the gate is closed.
func (s *session) frozen() bool {
	entries := s.journal.Entries()
	thawed := journal.Last(entries, journal.Thawed)
	closed := journal.Last(entries, journal.Gate, journal.Mode)
	return closed != nil && (thawed == nil || thawed.Seq < closed.Seq)
}

// openedByOthers reports whether what refuses visitors, the gate's first file,
// is not there any more although we have not taken it away.
func (s *session) openedByOthers() bool {
	gates := s.standingGate()
	if len(gates) == 0 {
		return false
	}
	first := gates[0]
	for _, e := range gates {
		if e.Target == first.Target {
			first = e // closed again
		}
	}
	inode, err := s.inode(first.Target)
	return err != nil || inode != first.New
}

// freeze closes the gate and waits until no request is under way any more.
func (a *Agent) freeze(ctx context.Context, s *session, drain upkeep.Duration) (_ *Frozen, err error) {
	defer upkeep.Wrap(&err, "freeze")
	gate, err := s.driver.Gate(ctx, s.host, s.layout, s.opened.Token)
	if err != nil {
		return nil, err
	}
	if !s.frozen() { // a closed gate lets nobody write, not even us
		if err := s.canClose(gate); err != nil {
			return nil, err
		}
	}
	replaces := slices.ContainsFunc(gate.Files, func(file cms.GateFile) bool { _, err := stat(file.Path); return err == nil })
	if err := s.closeGate(gate); err != nil {
		return nil, err
	}
	if replaces {
		// The web server may go on running what was there, from memory.
		if err := a.code(s).Forget(ctx); err != nil {
			return nil, err
		}
	}
	if len(slices.DeleteFunc(slices.Clone(gate.Files), func(file cms.GateFile) bool { return !file.Refuses })) > 1 {
		if err := codecache.Age(ctx); err != nil { // other sites of the same code
			return nil, err
		}
	}
	process.FinishRequests(ctx, s.holds, drainTimeout(drain), a.config.Log)
	frozen := &Frozen{At: a.config.Now().UTC()}
	if s.layout.Database == nil {
		return frozen, nil
	}
	db, err := a.databases.Store(ctx, s.layout.Database)
	if err != nil {
		return nil, err
	}
	began := a.config.Now()
	frozen.Killed, err = db.Drain(ctx, drainTimeout(drain))
	frozen.Drained = a.config.Now().Sub(began)
	return frozen, err
}
