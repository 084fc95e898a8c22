package app

import (
	"os"
	"os/user"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"

	"upkeep/internal/agent/post"
	"upkeep/internal/ssh"
)

// Guard is the command that guards an agent, to which its folder and the
// site's root are added.
func Guard() []string { return []string{"/proc/self/exe", "agent", "guard"} }

// Scanner is the command of what looks through one account's folders.
func Scanner() []string { return []string{"/proc/self/exe", "agent", "scan"} }

// library is where the package keeps this program for other platforms.
const library = "/usr/lib/upkeep"

func (a *app) newReacher() *ssh.Reacher {
	name := ""
	if account, err := user.Current(); err == nil {
		name = account.Username
	}
	home, _ := os.UserHomeDir() // without one there are no keys in it
	own, _ := os.Executable()   // nothing is beside what has no name
	return ssh.New(ssh.Config{
		Program: find("ssh"), File: a.settings.SSHConfig, Home: home, User: name, Agent: os.Getenv("SSH_AUTH_SOCK"),
		Binaries: &ssh.Binaries{Own: "/proc/self/exe", Arch: runtime.GOARCH, Folders: []string{filepath.Dir(own), library}},
		Greeting: post.Greeting(a.Version), Log: a.log,
	})
}

// find returns where a program is, "" when it is not in PATH.
func find(name string) string {
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if path := filepath.Join(dir, name); unix.Access(path, unix.X_OK) == nil {
			return path
		}
	}
	return ""
}
