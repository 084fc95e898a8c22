// Package verify looks at the pages of a site as a visitor would and says
// whether they are as they were before. It defeats caches, follows redirects
// within the site only, and bounds what a site may send.
package verify

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"upkeep"
)

// Limits of one look at a page.
const (
	maxBody      = 8 << 20
	maxRedirects = 5
	pageTime     = 20 * time.Second
	together     = 4 // pages looked at at the same time
	// headStart is how long the first page is looked at alone at most. After an
	// update it makes the site's PHP compile its code; pages that came with it
	// would each have the same code compiled again.
	headStart = 2 * time.Second
)

// Verifier looks at pages.
type Verifier struct {
	Client      *http.Client // nil uses a fresh one without keep-alive or cookies
	TokenHeader string       // name of the header that carries the probe token
	Now         upkeep.Clock
}

// Look requests each page of the site once, in spite of caches. A token, when
// not "", goes through a closed gate. What does not answer is a probe with an
// Error, not an error.
func (v *Verifier) Look(ctx context.Context, site string, pages []upkeep.Page, token string) ([]upkeep.Probe, error) {
	base, err := url.Parse(site)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "site url %q: %w", site, err)
	}
	probes := make([]upkeep.Probe, len(pages))
	slots := make(chan struct{}, together)
	var looking sync.WaitGroup
	first := make(chan struct{})
	for i, page := range pages {
		looking.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			probes[i] = v.look(ctx, base, page, token)
			if i == 0 {
				close(first)
			}
		})
		if i == 0 {
			select {
			case <-first:
			case <-time.After(headStart):
			case <-ctx.Done():
			}
		}
	}
	looking.Wait()
	return probes, ctx.Err()
}

func (v *Verifier) look(ctx context.Context, base *url.URL, page upkeep.Page, token string) upkeep.Probe {
	probe := upkeep.Probe{Page: page}
	started := v.Now()
	ctx, cancel := context.WithTimeout(ctx, pageTime)
	defer cancel()
	headers := http.Header{}
	if token != "" {
		headers.Set(v.TokenHeader, token)
	}
	answer, body, err := v.fetch(ctx, base, page, headers)
	probe.Elapsed = v.Now().Sub(started)
	if err != nil {
		probe.Fail(plain(err))
		return probe
	}
	probe.Status = answer.StatusCode
	probe.FinalURL = withoutBuster(answer.Request.URL, beside(base, page.Host))
	probe.Size = int64(len(body))
	probe.Type, _, _ = strings.Cut(answer.Header.Get("Content-Type"), ";")
	probe.Cached = cached(answer.Header)
	text := read(body)
	probe.Title = text.title
	probe.Markers = text.markers
	sum := sha256.Sum256([]byte(text.words))
	probe.Digest = hex.EncodeToString(sum[:8])
	return probe
}

// beside is the address of another site of the same code: its host may say a port
// of its own, else the site's counts.
func beside(base *url.URL, host string) *url.URL {
	if host == "" {
		return base
	}
	other := url.URL{Scheme: base.Scheme, Host: host, Path: "/"}
	if port := base.Port(); port != "" && other.Port() == "" {
		other.Host += ":" + port
	}
	return &other
}

func (v *Verifier) fetch(ctx context.Context, site *url.URL, page upkeep.Page, headers http.Header) (*http.Response, []byte, error) {
	base := beside(site, page.Host)
	target, err := base.Parse(strings.TrimSuffix(base.Path, "/") + page.Path)
	if err != nil {
		return nil, nil, err
	}
	if target.Host != base.Host || target.Scheme != base.Scheme { // "//elsewhere/", as a site may call its pages
		return nil, nil, upkeep.Errorf(upkeep.CodeRefused, "page %q leads to another host", page.Path)
	}
	query := target.Query()
	query.Set(buster, rand.Text())
	target.RawQuery = query.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target.String(), nil)
	if err != nil {
		return nil, nil, err
	}
	request.Header.Set("User-Agent", "Upkeep/1 (+verification)")
	request.Header.Set("Cache-Control", "no-cache, no-store")
	request.Header.Set("Pragma", "no-cache")
	for name, values := range headers {
		request.Header[http.CanonicalHeaderKey(name)] = values
	}
	answer, err := v.client(base, site.Hostname()).Do(request)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, maxBody))
	return answer, body, err
}

// client follows redirects only within the site, so that the token goes nowhere
// else. What other sites of the same code are called is the site's word: they too
// are asked where the site itself is, at server.
func (v *Verifier) client(base *url.URL, server string) *http.Client {
	transport := &http.Transport{DisableKeepAlives: true, ResponseHeaderTimeout: pageTime}
	if base.Hostname() != server {
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort(server, port))
		}
	}
	client := http.Client{Transport: transport}
	if v.Client != nil {
		client = *v.Client
	}
	client.CheckRedirect = func(request *http.Request, via []*http.Request) error {
		if len(via) >= maxRedirects || request.URL.Hostname() != base.Hostname() {
			return http.ErrUseLastResponse
		}
		return nil
	}
	return &client
}

// buster is a query parameter that no cache has seen.
const buster = "upkeep_probe"

func withoutBuster(u, base *url.URL) string {
	clean := *u
	query := clean.Query()
	query.Del(buster)
	clean.RawQuery = query.Encode()
	if clean.Host == base.Host {
		return clean.RequestURI()
	}
	return clean.String()
}

func cached(header http.Header) bool {
	if age, err := strconv.Atoi(header.Get("Age")); err == nil && age > 0 {
		return true
	}
	for _, name := range []string{"X-Cache", "X-Cache-Status", "Cf-Cache-Status", "X-Litespeed-Cache", "X-Proxy-Cache"} {
		if strings.HasPrefix(strings.ToLower(header.Get(name)), "hit") {
			return true
		}
	}
	return false
}

// plain leaves out the address, which holds the random parameter.
func plain(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return upkeep.Causef("no answer within %s", pageTime)
	}
	return err
}
