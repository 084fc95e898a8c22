package pace_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"upkeep/internal/vault/pace"
)

type sink struct{ bytes.Buffer }

func (sink) Close() error { return nil }

func TestPaceHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New(100 << 10)
		out := &sink{}
		began := time.Now()
		if _, err := io.Copy(p.Stream(out), bytes.NewReader(make([]byte, 1<<20))); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); out.Len() != 1<<20 || took < 9*time.Second || took > 11*time.Second {
			t.Errorf("1 MB at 100 KB/s took %v, %d arrived", took, out.Len())
		}
	})
}

// Whoever is in a hurry waits for nobody, not even for those who were there
// before at the pace of then.
func TestNobodyIsPacedWhileOneIsInAHurry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := pace.New(1 << 10)
		began := time.Now()
		ended := make(chan error)
		go func() { ended <- p.Wait(t.Context(), 1<<20) }()
		synctest.Wait()
		done := p.Hurry()
		if err := <-ended; err != nil || time.Since(began) > time.Second || !p.Hurried() {
			t.Errorf("who waited went on after %v, %v", time.Since(began), err)
		}
		if err := p.Wait(t.Context(), 1<<30); err != nil || time.Since(began) > time.Second {
			t.Errorf("who came went on after %v, %v", time.Since(began), err)
		}
		done()
		done()
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Wait(impatient, 1<<20); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("after the hurry: %v", err)
		}
	})
}

func TestNoPaceIsNone(t *testing.T) {
	for _, p := range []*pace.Pace{nil, pace.New(0)} {
		if err := p.Wait(t.Context(), 1<<40); err != nil || p.Hurried() {
			t.Error(err)
		}
	}
}
