package agent

import (
	"context"
	"net/http"
	"time"

	"upkeep/internal/cms"
)

const (
	resetTime  = 3 * time.Second // for the gate's answer, which needs no code of the site
	resetPause = 3 * time.Second // longer than PHP's caches of code trust a file by default
)

// resetCode makes the web server's PHP forget the code it holds in memory, so
// that the next request runs the files as they are: code of an update that
// was taken back must not touch the restored database. Where the gate cannot
// do that, waiting out the usual age of such caches must do.
func (a *Agent) resetCode(ctx context.Context, s *session) error {
	if s.opened.URL == "" || a.askReset(ctx, s) {
		return ctx.Err()
	}
	a.config.Log.Warn("caches of code not reset, waiting instead", "url", s.opened.URL)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(resetPause):
		return nil
	}
}

// askReset reports whether the gate confirmed the reset.
func (a *Agent) askReset(ctx context.Context, s *session) bool {
	ctx, cancel := context.WithTimeout(ctx, resetTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.opened.URL, nil)
	if err != nil {
		return false
	}
	request.Header.Set(cms.TokenHeader, s.opened.Token)
	request.Header.Set(cms.ResetHeader, "1")
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: withinSite,
	}
	answer, err := client.Do(request)
	if err != nil {
		return false
	}
	answer.Body.Close()
	return answer.Header.Get(cms.ResetHeader) == "done"
}

// withinSite follows a front page that leads elsewhere in the site, but takes
// the token nowhere else.
func withinSite(request *http.Request, via []*http.Request) error {
	if len(via) > 3 || request.URL.Host != via[0].URL.Host {
		return http.ErrUseLastResponse
	}
	return nil
}
