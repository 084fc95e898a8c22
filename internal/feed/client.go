package feed

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"upkeep"
)

// Limits of one exchange, unless Options say otherwise.
const (
	defaultTimeout = 30 * time.Second // for an answer to arrive whole
	defaultStall   = 60 * time.Second // without a byte of a package
	maxRedirects   = 5
	maxRetryWait   = 30 * time.Second // whatever Retry-After asks for
	attempts       = 3
)

// MaxAnswer is how many bytes of an answer (not a package) are read.
const MaxAnswer = 32 << 20

// Options say how a Client behaves. The zero value suits publishers on the
// public Internet.
type Options struct {
	Cache   Cache         // nil remembers for the life of the process
	Clock   upkeep.Clock  // nil is time.Now
	Agent   string        // User-Agent; "" is "Upkeep"
	Timeout time.Duration // for one answer; 0 is 30 seconds
	Stall   time.Duration // longest silence within a package; 0 is 60 seconds
	Backoff time.Duration // before the first retry, doubling; 0 is 1 second

	// Trusted lists hosts ("mirror.lan", "127.0.0.1:8080") that the operator
	// vouches for: only these may be asked by plain http or stand on a
	// private address. A proxy belongs here too.
	Trusted []string
	Proxy   func(*http.Request) (*url.URL, error) // nil connects directly
}

// Client asks publishers, with limits, retries and a memory.
type Client struct {
	http    *http.Client
	cache   Cache
	clock   upkeep.Clock
	agent   string
	timeout time.Duration
	stall   time.Duration
	backoff time.Duration
	trusted []string
}

// NewClient returns a client. It holds connections open; there is one per
// program.
func NewClient(o Options) *Client {
	c := &Client{
		cache: o.Cache, clock: o.Clock, trusted: o.Trusted,
		agent:   cmp.Or(o.Agent, "Upkeep"),
		timeout: cmp.Or(o.Timeout, defaultTimeout),
		stall:   cmp.Or(o.Stall, defaultStall),
		backoff: cmp.Or(o.Backoff, time.Second),
	}
	if c.cache == nil {
		c.cache = &Memory{}
	}
	if c.clock == nil {
		c.clock = time.Now
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy: o.Proxy, DialContext: c.dial,
			ForceAttemptHTTP2: true, MaxIdleConnsPerHost: 4,
			IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 15 * time.Second,
			ResponseHeaderTimeout: c.timeout, MaxResponseHeaderBytes: 256 << 10,
		},
		CheckRedirect: c.checkRedirect,
	}
	return c
}

// Clock returns the client's clock.
func (c *Client) Clock() upkeep.Clock { return c.clock }

// Cache returns where the client remembers answers.
func (c *Client) Cache() Cache { return c.cache }

// Request is a question to a publisher.
type Request struct {
	URL    string
	Form   url.Values    // sent by POST when not nil
	MaxAge time.Duration // a remembered answer this young is used without asking
	Limit  int64         // bytes of the answer; 0 is MaxAnswer
	Once   bool          // not remembered: the caller remembers the parts of it

	// Valid says whether an answer is one, before it takes the place of what
	// is remembered; nil takes all.
	Valid func(*Entry) error
}

// Answer is what a publisher says, or said.
type Answer struct {
	Entry
	Stale   bool  // the publisher could not be asked: this is what it said at Fetched
	Problem error // why, when stale
}

// Ask answers from memory when young enough, else asks the publisher. An
// answer with status 200 or 404 is remembered; when the publisher gives none
// that is valid, whatever is remembered is returned, marked stale. When there
// is nothing: CodeUnreachable, CodeHeld where it refuses us, CodeRefused for
// an answer that is too large or not valid.
func (c *Client) Ask(ctx context.Context, q Request) (_ Answer, err error) {
	defer upkeep.Wrap(&err, "ask %s", Redact(q.URL))
	if q.Once {
		entry, err := c.askWithRetries(ctx, q, Entry{})
		return Answer{Entry: entry}, err
	}
	key := q.key()
	known, cacheErr := c.cache.Get(ctx, key)
	if cacheErr != nil && upkeep.CodeOf(cacheErr) != upkeep.CodeNotFound {
		return Answer{}, cacheErr
	}
	if cacheErr == nil && q.MaxAge > 0 && known.Age(c.clock()) < q.MaxAge {
		return Answer{Entry: known}, nil
	}
	entry, err := c.askWithRetries(ctx, q, known)
	if err != nil {
		if code := upkeep.CodeOf(err); cacheErr == nil && code != upkeep.CodeInterrupted && code != upkeep.CodeInternal {
			return Answer{Entry: known, Stale: true, Problem: err}, nil
		}
		return Answer{}, err
	}
	return Answer{Entry: entry}, c.cache.Put(ctx, key, entry)
}

// key identifies a request in the cache. Forms can be large: they are hashed.
func (q *Request) key() string {
	sum := sha256.Sum256([]byte(q.URL + "\n" + q.Form.Encode()))
	return "http/" + hex.EncodeToString(sum[:])
}

func (c *Client) askWithRetries(ctx context.Context, q Request, known Entry) (entry Entry, err error) {
	err = c.retry(ctx, attempts, func() error {
		entry, err = c.askOnce(ctx, q, known)
		return err
	})
	return entry, err
}

func (c *Client) askOnce(ctx context.Context, q Request, known Entry) (Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	req, err := c.newRequest(ctx, q)
	if err != nil {
		return Entry{}, err
	}
	// Without a form the publisher may confirm what we have.
	if q.Form == nil && known.Status == http.StatusOK {
		setIf(req.Header, "If-None-Match", known.ETag)
		setIf(req.Header, "If-Modified-Since", known.Modified)
	}
	resp, err := c.do(req)
	if err != nil {
		return Entry{}, err
	}
	defer resp.Body.Close()
	now := c.clock()
	switch {
	case resp.StatusCode == http.StatusNotModified && known.Status == http.StatusOK:
		known.Fetched = now
		return known, nil
	case resp.StatusCode == http.StatusOK, resp.StatusCode == http.StatusNotFound:
	default:
		return Entry{}, statusError(resp)
	}
	limit := cmp.Or(q.Limit, MaxAnswer)
	body, err := io.ReadAll(io.LimitReader(resp.Body, limit+1))
	if err != nil {
		return Entry{}, upkeep.Errorf(upkeep.CodeUnreachable, "answer broke off after %d bytes: %w", len(body), err)
	}
	if int64(len(body)) > limit {
		return Entry{}, upkeep.Errorf(upkeep.CodeRefused, "answer is larger than %d bytes", limit)
	}
	entry := Entry{
		Status: resp.StatusCode, Body: body, Fetched: now,
		ETag: resp.Header.Get("ETag"), Modified: resp.Header.Get("Last-Modified"),
	}
	if q.Valid != nil {
		err = q.Valid(&entry)
	}
	return entry, err
}

func setIf(h http.Header, name, value string) {
	if value != "" {
		h.Set(name, value)
	}
}

func (c *Client) newRequest(ctx context.Context, q Request) (*http.Request, error) {
	method, body := http.MethodGet, io.Reader(http.NoBody)
	if q.Form != nil {
		method, body = http.MethodPost, strings.NewReader(q.Form.Encode())
	}
	req, err := http.NewRequestWithContext(ctx, method, q.URL, body)
	if err != nil {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "address %q cannot be used", Redact(q.URL))
	}
	if err := c.permitted(req.URL); err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", c.agent)
	if q.Form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, nil
}

// do sends a request. Its errors carry no query string: that of a vendor's
// package is often a licence.
func (c *Client) do(req *http.Request) (*http.Response, error) {
	resp, err := c.http.Do(req)
	if err == nil {
		return resp, nil
	}
	if e, ok := errors.AsType[*upkeep.Error](err); ok {
		return nil, e
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err
	}
	return nil, upkeep.Errorf(upkeep.CodeUnreachable, "%s does not answer: %w", req.URL.Host, err).
		WithHint("Check the network from this machine to %s; known answers are used meanwhile.", req.URL.Host)
}

// retry calls try until it gives anything but CodeUnreachable, waiting in
// between, at most n times.
func (c *Client) retry(ctx context.Context, n int, try func() error) error {
	wait := c.backoff
	for i := 1; ; i++ {
		err := try()
		if ctx.Err() != nil {
			return upkeep.Errorf(upkeep.CodeInterrupted, "stopped: %w", context.Cause(ctx))
		}
		if i == n || upkeep.CodeOf(err) != upkeep.CodeUnreachable {
			return err
		}
		pause := wait
		if later, ok := errors.AsType[*laterError](err); ok {
			pause = min(max(pause, later.after), maxRetryWait)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return upkeep.Errorf(upkeep.CodeInterrupted, "stopped: %w", context.Cause(ctx))
		}
		wait *= 2
	}
}

// laterError is the cause of an error whose sender said when to come back.
type laterError struct{ after time.Duration }

// Error says when to come back.
func (e *laterError) Error() string { return "asked to come back in " + e.after.String() }

// statusError says what a status means for us: licences, absence, overload.
func statusError(resp *http.Response) error {
	host, status := resp.Request.URL.Host, resp.Status
	switch code := resp.StatusCode; {
	case code == http.StatusUnauthorized, code == http.StatusPaymentRequired, code == http.StatusForbidden:
		return upkeep.Errorf(upkeep.CodeHeld, "%s refuses: %s", host, status).
			WithHint("The licence is missing, expired or bound to another site: renew it with the vendor, then check again.")
	case code == http.StatusNotFound, code == http.StatusGone:
		return upkeep.Errorf(upkeep.CodeNotFound, "%s has nothing there: %s", host, status).
			WithHint("The publisher withdrew it or the address expired: check for updates again.")
	case code == http.StatusTooManyRequests, code == http.StatusRequestTimeout, code >= 500:
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After")) // a date or nonsense waits as usual
		if seconds > 0 {
			later := &laterError{time.Duration(min(seconds, 3600)) * time.Second}
			return upkeep.Errorf(upkeep.CodeUnreachable, "%s is not able to answer: %s: %w", host, status, later)
		}
		return upkeep.Errorf(upkeep.CodeUnreachable, "%s is not able to answer: %s", host, status)
	}
	return upkeep.Errorf(upkeep.CodeRefused, "%s answers in an unexpected way: %s", host, status)
}

// permitted refuses addresses that could be read or changed on the way, or
// that are no address of a publisher at all.
func (c *Client) permitted(u *url.URL) error {
	if u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return upkeep.Errorf(upkeep.CodeRefused, "address %q: want https:// and a host", Redact(u.String()))
	}
	if u.Scheme == "http" && !c.trusts(u.Host) {
		return upkeep.Errorf(upkeep.CodeRefused, "%s is offered over plain http", u.Host).
			WithHint("Anyone on the way could replace it. If %s is your own mirror, list it as trusted.", u.Host)
	}
	return nil
}

func (c *Client) trusts(hostport string) bool {
	host := hostport
	if h, _, err := net.SplitHostPort(hostport); err == nil {
		host = h
	}
	return slices.Contains(c.trusted, hostport) || slices.Contains(c.trusted, host)
}

func (c *Client) checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return upkeep.Errorf(upkeep.CodeRefused, "%s sends us around in circles", via[0].URL.Host)
	}
	if via[len(via)-1].URL.Scheme == "https" && req.URL.Scheme == "http" {
		return upkeep.Errorf(upkeep.CodeRefused, "%s sends us from https to plain http", via[len(via)-1].URL.Host)
	}
	return c.permitted(req.URL)
}

// dial connects, but not to this machine or its private network: the address
// of a package comes from outside, at times from the database of a site.
func (c *Client) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	dialer := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	if !c.trusts(addr) {
		dialer.Control = refusePrivate
	}
	return dialer.DialContext(ctx, network, addr)
}

// refusePrivate looks at the address after the name was resolved, so that a
// name that changes its mind gains nothing.
func refusePrivate(_, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return upkeep.Errorf(upkeep.CodeRefused, "address %s cannot be read", address)
	}
	ip := ap.Addr().Unmap()
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10) // carriers' private range
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || shared.Contains(ip) {
		return upkeep.Errorf(upkeep.CodeRefused, "%s is a private address", ip).
			WithHint("If it is your own mirror, list its host as trusted.")
	}
	return nil
}

// Redact returns an address without its user and query, which may be secret.
func Redact(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		before, _, _ := strings.Cut(address, "?")
		return before
	}
	u.User = nil
	if u.RawQuery != "" {
		u.RawQuery = "…"
	}
	u.Fragment = ""
	return u.String()
}
