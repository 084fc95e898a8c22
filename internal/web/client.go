package web

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	gopath "path"
	"strconv"
	"strings"
	"time"

	"upkeep"
	"upkeep/internal/web/query"
	"upkeep/internal/web/reply"
)

// Client calls the API. It implements every interface that a Server is made
// of, so that what is written against one runs against the other.
type Client struct {
	http  *http.Client
	base  string
	token string
}

var (
	_ Sites         = (*Client)(nil)
	_ Inventories   = (*Client)(nil)
	_ Updates       = (*Client)(nil)
	_ Interventions = (*Client)(nil)
	_ Backups       = (*Client)(nil)
	_ Restores      = (*Client)(nil)
	_ Gates         = (*Client)(nil)
	_ Checks        = (*Client)(nil)
	_ Doctor        = (*Client)(nil)
	_ Ledger        = (*Client)(nil)
	_ Vaults        = (*Client)(nil)
	_ Plans         = (*Client)(nil)
	_ Schedules     = (*Client)(nil)
	_ FleetWork     = (*Client)(nil)
	_ Releases      = (*Client)(nil)
	_ Applications  = (*Client)(nil)
)

// NewClient returns a client of the server at base, such as
// "https://upkeep.example". CodeInvalid when base is not such an address.
func NewClient(base, token string) (*Client, error) {
	u, err := url.Parse(base)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, upkeep.Errorf(upkeep.CodeInvalid, "server url %q: want http:// or https:// and a host", base).
			WithHint("Correct --server or UPKEEP_URL.")
	}
	return newClient(strings.TrimSuffix(base, "/"), token, nil), nil
}

// NewSocketClient returns a client of the server on a unix socket.
func NewSocketClient(path string) *Client {
	return NewDialClient(func(ctx context.Context) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", path)
	})
}

// NewDialClient returns a client of the server that dial reaches, such as
// Memory.Dial.
func NewDialClient(dial func(context.Context) (net.Conn, error)) *Client {
	return newClient("http://upkeep", "", dial)
}

func newClient(base, token string, dial func(context.Context) (net.Conn, error)) *Client {
	transport := &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		TLSHandshakeTimeout: 10 * time.Second,
		ForceAttemptHTTP2:   true,
	}
	if dial != nil {
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }
	}
	return &Client{base: base, token: token, http: &http.Client{
		Transport: transport,
		// The API never redirects; a token must not follow one elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Version returns the server's version.
func (c *Client) Version(ctx context.Context) (string, error) {
	v, err := get[Version](ctx, c, "/v1/version")
	return v.Version, err
}

// Request is one call: an empty actor for what changes nothing.
type Request struct {
	Method, Path, Actor string
	Body                any
}

// do sends a request and returns the body of a 200.
func (c *Client) do(ctx context.Context, req Request) (io.ReadCloser, error) {
	if path, _, _ := strings.Cut(req.Path, "?"); path != gopath.Clean(path) {
		return nil, upkeep.Errorf(upkeep.CodeNotFound, "no such name").WithHint("Known sites: upkeep site list.")
	}
	var body io.Reader
	if req.Body != nil {
		raw, err := json.Marshal(req.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(ctx, req.Method, c.base+req.Path, body)
	if err != nil {
		return nil, err
	}
	if req.Body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	if req.Actor != "" {
		r.Header.Set(query.ActorHeader, req.Actor)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		return nil, transportError(ctx, err)
	}
	if resp.StatusCode != http.StatusOK {
		defer resp.Body.Close()
		return nil, responseError(resp)
	}
	return resp.Body, nil
}

func transportError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return upkeep.Errorf(upkeep.CodeInterrupted, "request: %w", ctx.Err())
	}
	if uerr, ok := errors.AsType[*url.Error](err); ok {
		err = uerr.Err
	}
	return upkeep.Errorf(upkeep.CodeUnreachable, "server: %w", err).
		WithHint("Is upkeep serve running there?")
}

// responseError reads {code, message, hint}; what does not look so does not
// come from this API.
func responseError(resp *http.Response) error {
	var e upkeep.Error
	err := json.NewDecoder(io.LimitReader(resp.Body, reply.MaxBody)).Decode(&e)
	if err != nil || e.Code == "" {
		return upkeep.Errorf(upkeep.CodeRefused, "%s answered %s, not as this API does", resp.Request.URL.Host, resp.Status).
			WithHint("Check --server or UPKEEP_URL.")
	}
	return &e
}

// Call sends a request and returns the answer. Packages with routes of their
// own call them by it.
func Call[T any](ctx context.Context, c *Client, req Request) (T, error) {
	var v T
	body, err := c.do(ctx, req)
	if err != nil {
		return v, err
	}
	defer body.Close()
	if err := json.NewDecoder(body).Decode(&v); err != nil {
		if ctx.Err() != nil {
			return v, transportError(ctx, err)
		}
		return v, upkeep.Errorf(upkeep.CodeRefused, "answer to %s %s: %w", req.Method, req.Path, err)
	}
	return v, nil
}

// object is call for a pointer: nil with every error.
func object[T any](ctx context.Context, c *Client, req Request) (*T, error) {
	v, err := Call[T](ctx, c, req)
	if err != nil {
		return nil, err
	}
	return &v, nil
}

func get[T any](ctx context.Context, c *Client, path string) (T, error) {
	return Call[T](ctx, c, Request{Method: http.MethodGet, Path: path})
}

// maxLine bounds a line of a stream: a result with its list of differences.
const maxLine = 64 << 20

// follow calls a stream, hands its news to each, and returns the result.
func follow[T any](ctx context.Context, c *Client, req Request, each func(Line) error) (*T, error) {
	body, err := c.do(ctx, req)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	scanner := bufio.NewScanner(body)
	scanner.Buffer(make([]byte, 0, 64<<10), maxLine)
	for scanner.Scan() {
		var line Line
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			return nil, upkeep.Errorf(upkeep.CodeRefused, "answer to %s %s: %w", req.Method, req.Path, err)
		}
		switch {
		case line.Error != nil:
			return nil, line.Error
		case line.Result != nil:
			result := new(T)
			return result, json.Unmarshal(line.Result, result)
		}
		if err := each(line); err != nil {
			return nil, err
		}
	}
	if ctx.Err() != nil {
		return nil, transportError(ctx, ctx.Err())
	}
	return nil, upkeep.Errorf(upkeep.CodeUnreachable, "server: the answer to %s %s was cut off", req.Method, req.Path).
		WithHint("The work may go on there: upkeep intervention list.")
}

// progressOnly hands progress lines on.
func progressOnly(progress func(upkeep.Progress)) func(Line) error {
	return func(line Line) error {
		if progress != nil && line.Progress != nil {
			progress(*line.Progress)
		}
		return nil
	}
}

func sitePath(site, rest string) string { return "/v1/sites/" + url.PathEscape(site) + rest }

func idPath[T ~int64](noun string, id T, rest string) string {
	return "/v1/" + noun + "/" + strconv.FormatInt(int64(id), 10) + rest
}

// params writes a query of name, value pairs without the empty ones.
func params(pairs ...string) string {
	q := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if v := pairs[i+1]; v != "" && v != "0" && v != "false" {
			q.Set(pairs[i], v)
		}
	}
	if len(q) == 0 {
		return ""
	}
	return "?" + q.Encode()
}
