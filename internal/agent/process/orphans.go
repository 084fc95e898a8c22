package process

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// AdoptOrphans has whatever is started below this process fall to it when its
// own parent ends, in whichever session or group it hides: EndOrphans finds it.
func AdoptOrphans() error {
	return os.NewSyscallError("prctl", unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0))
}

// orphanTries bounds how often is looked again for children of what was ended.
const orphanTries = 200

// EndOrphans ends all children of this process, and theirs, which it adopts. It
// is for a process that has none but those of its scripts, once these have
// ended. What belongs to another account, as parts of a mail server do, goes on.
func EndOrphans() {
	for range orphanTries {
		ended := 0
		for _, pid := range children() {
			if err := unix.Kill(pid, unix.SIGKILL); err == nil || errors.Is(err, unix.ESRCH) {
				ended++
			}
			_, _ = unix.Wait4(pid, nil, unix.WNOHANG, nil) // one that has not died yet is met again
		}
		if ended == 0 {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// children returns the processes whose parent this one is.
func children() []int {
	var found []int
	self := []byte(strconv.Itoa(os.Getpid()))
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is valid
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		// pid (name) state parent …, and a name can hold anything.
		fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
		if len(fields) < 2 || !bytes.Equal(fields[1], self) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil {
			found = append(found, pid)
		}
	}
	return found
}
