// Package proc tells a process from every other, past and to come.
package proc

import (
	"fmt"
	"os"
	"strings"

	"upkeep"
)

// Ended reports whether a process is gone, or only waits to be collected by
// its parent.
func Ended(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err != nil || strings.Contains(string(stat), ") Z ")
}

// Identity tells a process from every other that had or will have its
// number: when it started, and since which start of the machine that counts.
func Identity(pid int) (string, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return "", err
	}
	_, rest, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return "", upkeep.Errorf(upkeep.CodeInternal, "/proc/%d/stat: %q", pid, stat)
	}
	return fmt.Sprintf("%d %s %s", pid, fields[19], Boot()), nil
}

// Boot names the present start of the machine.
func Boot() string {
	text, _ := os.ReadFile("/proc/sys/kernel/random/boot_id") // without /proc nothing of this works anyway
	return strings.TrimSpace(string(text))
}
