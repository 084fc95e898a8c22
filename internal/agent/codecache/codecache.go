// Package codecache keeps the code that the web server's PHP holds in memory in
// step with the files of a frozen site. It asks the gate, which answers before
// any code of the site runs.
package codecache

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"slices"
	"time"

	"upkeep/internal/cms"
)

const (
	answerTime  = 3 * time.Second // for the gate, which needs no code of the site
	compileTime = 6 * time.Second // the gate stops by itself before
	usualAge    = 3 * time.Second // longer than PHP's caches of code trust a file by default
	askAgain    = 200 * time.Millisecond
	maxAnswer   = 4 << 20
)

// Site is a frozen site as its web server shows it.
type Site struct {
	URL   string // of the front page; "" when nobody knows it
	Token string // lets past the gate
	Log   *slog.Logger
}

// Held is what the web server's PHP held before it forgot it.
type Held struct {
	Root    string   `json:"root"`
	Scripts []string `json:"scripts"` // below Root
}

// Forget makes the web server's PHP forget the code it holds in memory, so
// that the next request runs the files as they are: code of an update that
// was taken back must not touch the restored database. A gate that took the place
// of another file may not act before PHP looks at files again: it is asked again
// until it does. Where it cannot do that, waiting out the usual age of such caches
// must do.
func (s Site) Forget(ctx context.Context) error {
	if s.URL == "" {
		return ctx.Err()
	}
	aged := time.NewTimer(usualAge)
	defer aged.Stop()
	for {
		if _, done := s.forget(ctx); done {
			return ctx.Err()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-aged.C:
			s.Log.Warn("caches of code not reset, waited instead", "url", s.URL)
			return nil
		case <-time.After(askAgain):
		}
	}
}

// Age waits as long as PHP usually trusts a file that it holds: what serves the same
// files under another name may be another PHP, which nobody can ask to forget.
func Age(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(usualAge):
		return nil
	}
}

// Renew makes the web server's PHP forget its code and compile, of what it
// held, the scripts that arrived says have just been put in place: the first
// look at the site then need not wait for that. Nothing of it runs. It reports
// false when Forget is still to be called once all changes are made: PHP may
// not notice files that change from now on.
func (s Site) Renew(ctx context.Context, arrived func(path string) bool) bool {
	if s.URL == "" {
		return false
	}
	held, done := s.forget(ctx)
	if !done || held == nil {
		return false
	}
	scripts := slices.DeleteFunc(held.Scripts, func(name string) bool { return !arrived(filepath.Join(held.Root, name)) })
	list, err := json.Marshal(scripts)
	if err != nil {
		return false
	}
	header, _, err := s.ask(ctx, http.MethodPost, cms.CompileHeader, list, compileTime)
	if err != nil || header.Get(cms.CompileHeader) == "" {
		s.Log.Info("code not compiled ahead", "url", s.URL, "error", err)
	}
	return true
}

// forget reports whether the gate confirmed the reset, and what was held, nil
// when the gate does not say so or PHP does not notice when files change.
func (s Site) forget(ctx context.Context) (*Held, bool) {
	header, body, err := s.ask(ctx, http.MethodGet, cms.ResetHeader, nil, answerTime)
	if err != nil || header.Get(cms.ResetHeader) != "done" {
		return nil, false
	}
	var held Held
	if json.Unmarshal(body, &held) != nil || held.Root == "" {
		return nil, true
	}
	return &held, true
}

func (s Site) ask(ctx context.Context, method, what string, body []byte, limit time.Duration) (http.Header, []byte, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.URL, bytes.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set(cms.TokenHeader, s.Token)
	request.Header.Set(what, "1")
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: withinSite,
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	return answer.Header, said, err
}

// withinSite follows a front page that leads elsewhere in the site, but takes
// the token nowhere else.
func withinSite(request *http.Request, via []*http.Request) error {
	if len(via) > 3 || request.URL.Host != via[0].URL.Host {
		return http.ErrUseLastResponse
	}
	return nil
}
