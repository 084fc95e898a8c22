package upkeeptest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// S3 is a server of S3 on this machine, with one bucket, behind a Link. What
// is in the bucket are files.
type S3 struct {
	*Link
	Dir    string // of the bucket
	Access string
	Secret string
	server *exec.Cmd
	base   string
	port   int // of the server itself
}

// bucketName is the bucket that there is.
const bucketName = "vault"

// NewS3 starts a server whose bucket is below dir, "" for a folder of its own.
func NewS3(t testing.TB, dir string) *S3 {
	t.Helper()
	if dir == "" {
		dir = t.TempDir()
	}
	s := &S3{base: dir, Dir: filepath.Join(dir, "buckets", bucketName), Access: "operator", Secret: "not-to-be-seen-anywhere"}
	for _, folder := range []string{s.Dir, filepath.Join(dir, "about")} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if s.port, err = freePort(); err != nil {
		t.Fatal(err)
	}
	if s.Link, err = NewLink(net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port))); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Stop()
		s.Close()
	})
	s.Start(t)
	return s
}

// Start starts the server.
func (s *S3) Start(t testing.TB) {
	t.Helper()
	root, err := Repository()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(root, ".cache", "s3", "versitygw")
	if _, err := os.Stat(program); err != nil {
		t.Fatalf("%v\nmake setup installs what the tests need", err)
	}
	s.server = exec.Command(program, "--quiet", "--port", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)),
		"posix", "--sidecar", filepath.Join(s.base, "about"), filepath.Join(s.base, "buckets"))
	s.server.Env = []string{"ROOT_ACCESS_KEY=" + s.Access, "ROOT_SECRET_KEY=" + s.Secret}
	s.server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.server.Start(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, 20*time.Second, "the S3 server to listen", func() bool {
		conn, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)))
		if err != nil {
			return false
		}
		return conn.Close() == nil
	})
}

// Stop kills the server.
func (s *S3) Stop() {
	if s.server != nil {
		_ = s.server.Process.Kill() // it may have ended by itself
		_ = s.server.Wait()
		s.server = nil
	}
}

// URL is the address of a storage in the bucket.
func (s *S3) URL(prefix string) string {
	return "s3+http://" + s.Addr() + "/" + filepath.Join(bucketName, prefix) + "?region=us-east-1"
}

// Environment is what restic needs to reach it.
func (s *S3) Environment() []string {
	return []string{"AWS_ACCESS_KEY_ID=" + s.Access, "AWS_SECRET_ACCESS_KEY=" + s.Secret, "AWS_DEFAULT_REGION=us-east-1"}
}
