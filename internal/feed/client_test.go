package feed_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/feed"
)

// serve starts a publisher and returns its address.
func serve(t testing.TB, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.URL
}

// trusting returns options that reach a publisher on this machine and do not
// wait long.
func trusting(addresses ...string) feed.Options {
	o := feed.Options{Backoff: time.Millisecond, Timeout: 3 * time.Second, Stall: 300 * time.Millisecond}
	for _, address := range addresses {
		u, _ := url.Parse(address)
		o.Trusted = append(o.Trusted, u.Host)
	}
	return o
}

func TestAskRemembersAndConfirms(t *testing.T) {
	var asked, confirmed atomic.Int32
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.UserAgent() != "Upkeep/1" {
			t.Errorf("user agent %q", r.UserAgent())
		}
		w.Header().Set("ETag", `"v1"`)
		if r.Header.Get("If-None-Match") == `"v1"` {
			confirmed.Add(1)
			w.WriteHeader(http.StatusNotModified)
			return
		}
		_, _ = w.Write([]byte("hello"))
	})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o := trusting(at)
	o.Agent, o.Clock = "Upkeep/1", func() time.Time { return now }
	client := feed.NewClient(o)
	steps := []struct {
		pass             time.Duration
		asked, confirmed int32
	}{{0, 1, 0}, {30 * time.Minute, 1, 0}, {31 * time.Minute, 2, 1}, {time.Minute, 2, 1}}
	for i, step := range steps {
		now = now.Add(step.pass)
		answer, err := client.Ask(t.Context(), feed.Request{URL: at, MaxAge: time.Hour})
		if err != nil || string(answer.Body) != "hello" || answer.Stale {
			t.Fatalf("step %d: %q stale %v err %v", i, answer.Body, answer.Stale, err)
		}
		if asked.Load() != step.asked || confirmed.Load() != step.confirmed {
			t.Errorf("step %d: asked %d confirmed %d", i, asked.Load(), confirmed.Load())
		}
	}
}

func TestAskSurvivesOutage(t *testing.T) {
	var down atomic.Bool
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if down.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = w.Write([]byte("known"))
	})
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	o := trusting(at)
	o.Clock = func() time.Time { return now }
	client := feed.NewClient(o)
	if _, err := client.Ask(t.Context(), feed.Request{URL: at}); err != nil {
		t.Fatal(err)
	}
	down.Store(true)
	now = now.Add(5 * time.Hour)
	answer, err := client.Ask(t.Context(), feed.Request{URL: at})
	if err != nil || !answer.Stale || answer.Age(now) != 5*time.Hour || string(answer.Body) != "known" {
		t.Errorf("answer %q stale %v age %v err %v", answer.Body, answer.Stale, answer.Age(now), err)
	}
	if _, err := client.Ask(t.Context(), feed.Request{URL: at + "/other"}); upkeep.CodeOf(err) != upkeep.CodeUnreachable || upkeep.HintOf(err) != "" && err == nil {
		t.Errorf("unknown while down: %v", err)
	}
}

func TestAskRefusesAndRetries(t *testing.T) {
	var tries atomic.Int32
	at := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/huge":
			_, _ = w.Write(make([]byte, 2048))
		case "/flaky":
			if tries.Add(1) < 3 {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			_, _ = w.Write([]byte("at last"))
		case "/licence":
			w.WriteHeader(http.StatusPaymentRequired)
		case "/teapot":
			w.WriteHeader(http.StatusTeapot)
		case "/circle":
			http.Redirect(w, r, "/circle", http.StatusFound)
		case "/metadata":
			http.Redirect(w, r, "http://169.254.169.254/secrets", http.StatusFound)
		case "/silent":
			<-r.Context().Done()
		}
	})
	o := trusting(at)
	o.Timeout = 200 * time.Millisecond
	client := feed.NewClient(o)
	tests := []struct {
		address string
		want    upkeep.Code
		text    string
	}{
		{at + "/huge", upkeep.CodeRefused, "larger than 1024 bytes"},
		{at + "/flaky", "", ""},
		{at + "/licence", upkeep.CodeHeld, "402"},
		{at + "/teapot", upkeep.CodeRefused, "418"},
		{at + "/circle", upkeep.CodeRefused, "circles"},
		{at + "/metadata?key=SECRET", upkeep.CodeRefused, "plain http"},
		{at + "/silent", upkeep.CodeUnreachable, "does not answer"},
		{"http://example.com/", upkeep.CodeRefused, "plain http"},
		{"https://127.0.0.1:1/?key=SECRET", upkeep.CodeRefused, "private address"},
		{"https://[::1]:1/", upkeep.CodeRefused, "private address"},
		{"https://[::ffff:10.0.0.1]:1/", upkeep.CodeRefused, "private address"},
		{"https://100.64.1.1:1/", upkeep.CodeRefused, "private address"},
		{"file:///etc/passwd", upkeep.CodeRefused, "want https://"},
		{"://", upkeep.CodeInvalid, "cannot be used"},
	}
	for _, test := range tests {
		_, err := client.Ask(t.Context(), feed.Request{URL: test.address, Limit: 1024})
		if upkeep.CodeOf(err) != test.want || err != nil && !strings.Contains(err.Error(), test.text) {
			t.Errorf("%s: code %q, %v", test.address, upkeep.CodeOf(err), err)
		}
		if err != nil && strings.Contains(err.Error(), "SECRET") {
			t.Errorf("the error tells a secret: %v", err)
		}
	}
}

func TestAskRefusesDowngrade(t *testing.T) {
	plain := serve(t, func(http.ResponseWriter, *http.Request) { t.Error("asked by plain http") })
	secure := httptest.NewTLSServer(http.RedirectHandler(plain, http.StatusFound))
	t.Cleanup(secure.Close)
	client := feed.NewClient(trusting(plain, secure.URL))
	feed.TrustCertificate(client, secure.Certificate())
	_, err := client.Ask(t.Context(), feed.Request{URL: secure.URL})
	if upkeep.CodeOf(err) != upkeep.CodeRefused || !strings.Contains(err.Error(), "from https to plain http") {
		t.Errorf("%v", err)
	}
}

func TestAskStopsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
		cancel()
	})
	_, err := feed.NewClient(trusting(at)).Ask(ctx, feed.Request{URL: at})
	if upkeep.CodeOf(err) != upkeep.CodeInterrupted {
		t.Errorf("%v", err)
	}
}

func TestInvalidAnswerReplacesNothing(t *testing.T) {
	var page atomic.Bool
	at := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(map[bool]string{false: "{}", true: "<html>"}[page.Load()]))
	})
	client := feed.NewClient(trusting(at))
	ask := feed.Request{URL: at, Valid: func(e *feed.Entry) error {
		if string(e.Body) != "{}" {
			return upkeep.Errorf(upkeep.CodeRefused, "not an answer")
		}
		return nil
	}}
	for _, bad := range []bool{false, true, true, false} {
		page.Store(bad)
		answer, err := client.Ask(t.Context(), ask)
		if err != nil || string(answer.Body) != "{}" || answer.Stale != bad || (answer.Problem != nil) != bad {
			t.Errorf("bad %v: %q stale %v problem %v, %v", bad, answer.Body, answer.Stale, answer.Problem, err)
		}
	}
}
