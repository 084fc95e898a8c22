package upkeeptest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"upkeep"
	"upkeep/internal/demo"
	"upkeep/internal/demo/fixtures"
)

// pace is how long a visitor waits between two writes.
const pace = 15 * time.Millisecond

// Visitors write to a site all the time, until they are stopped, and remember
// what the site accepted.
type Visitors struct {
	site   *demo.Site
	cancel context.CancelFunc
	done   sync.WaitGroup

	mu       sync.Mutex
	accepted []Write
	refused  int
	failed   int
}

// Write is something a visitor wrote.
type Write struct {
	Channel string    // "comment", "guestbook" or "lead"
	Text    string    // unique
	At      time.Time // when the site's answer was read
}

// Load sends visitors to a site: one for each way to write that the site has.
// They stop with the test at the latest.
func Load(t testing.TB, site *demo.Site) *Visitors {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	v := &Visitors{site: site, cancel: cancel}
	t.Cleanup(v.Stop)
	channels := []string{"comment"}
	for _, e := range site.Spec.Extensions {
		switch e.Slug {
		case fixtures.Guestbook:
			channels = append(channels, "guestbook")
		case fixtures.LeadForm:
			channels = append(channels, "lead")
		}
	}
	for _, channel := range channels {
		v.done.Go(func() { v.write(ctx, channel) })
	}
	return v
}

// Stop sends the visitors home and waits for their last write to be answered.
func (v *Visitors) Stop() {
	v.cancel()
	v.done.Wait()
}

// Accepted returns the writes that the site has accepted so far.
func (v *Visitors) Accepted() []Write {
	v.mu.Lock()
	defer v.mu.Unlock()
	return append([]Write(nil), v.accepted...)
}

// Counts returns how many writes were accepted, refused by an answer, and
// not answered at all: those may have been written or not.
func (v *Visitors) Counts() (accepted, refused, unanswered int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.accepted), v.refused, v.failed
}

// WaitAccepted waits until the site has accepted n writes more than now.
func (v *Visitors) WaitAccepted(t testing.TB, n int) {
	t.Helper()
	want := len(v.Accepted()) + n
	Eventually(t, 20*time.Second, fmt.Sprintf("%d more accepted writes", n), func() bool { return len(v.Accepted()) >= want })
}

// Check stops the visitors and reports every accepted write that is not in
// the site's database (P3).
func (v *Visitors) Check(t testing.TB) {
	t.Helper()
	v.Stop()
	rows, err := v.site.SQL(t.Context(), v.everything())
	if err != nil {
		t.Fatal(err)
	}
	have := make(map[string]bool)
	for row := range strings.Lines(rows) {
		have[strings.TrimSpace(row)] = true
	}
	lost := 0
	for _, w := range v.Accepted() {
		if !have[w.Text] {
			t.Errorf("lost: %s %q accepted at %s", w.Channel, w.Text, w.At.Format(time.RFC3339Nano))
			if lost++; lost == 10 {
				t.Fatal("and perhaps more")
			}
		}
	}
}

// everything selects all texts that visitors can have written.
func (v *Visitors) everything() string {
	p := v.site.Spec.Prefix
	query := "SELECT comment_content FROM " + p + "comments;"
	for _, e := range v.site.Spec.Extensions {
		switch e.Slug {
		case fixtures.Guestbook:
			query += "SELECT message FROM " + p + "guestbook;"
		case fixtures.LeadForm:
			query += "SELECT body FROM " + p + "leads;"
		}
	}
	return query
}

// write is one visitor.
func (v *Visitors) write(ctx context.Context, channel string) {
	client := &http.Client{
		Timeout:       60 * time.Second,
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for n := 1; ctx.Err() == nil; n++ {
		text := fmt.Sprintf("%s number %d of visitor %d", channel, n, v.site.Port)
		ok, err := v.send(context.WithoutCancel(ctx), client, channel, text)
		v.mu.Lock()
		switch {
		case err != nil:
			v.failed++
		case ok:
			v.accepted = append(v.accepted, Write{channel, text, time.Now()})
		default:
			v.refused++
		}
		v.mu.Unlock()
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// send writes once and reports whether the site said that it took it.
func (v *Visitors) send(ctx context.Context, client *http.Client, channel, text string) (bool, error) {
	address, form := v.request(channel, text)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		return false, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer, err := client.Do(request)
	if err != nil {
		return false, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(io.LimitReader(answer.Body, 1<<20))
	if err != nil {
		return false, err
	}
	switch channel {
	case "comment":
		return answer.StatusCode == http.StatusFound && strings.Contains(answer.Header.Get("Location"), "#comment-"), nil
	case "guestbook":
		return answer.StatusCode == http.StatusOK && strings.Contains(string(body), `{"id":`) && !strings.Contains(string(body), `"id":0`), nil
	default:
		return answer.StatusCode == http.StatusOK && strings.Contains(string(body), `"ok":true`), nil
	}
}

func (v *Visitors) request(channel, text string) (address string, form url.Values) {
	wordpress := v.site.URL
	if v.site.Spec.Layout == demo.Bedrock {
		wordpress += "wp/"
	}
	switch channel {
	case "comment":
		return wordpress + "wp-comments-post.php", url.Values{"comment": {text}, "author": {"Visitor"},
			"email": {"visitor@example.org"}, "comment_post_ID": {"1"}}
	case "guestbook":
		return v.site.URL + "?guestbook=sign", url.Values{"name": {"Visitor"}, "message": {text}}
	default:
		return wordpress + "wp-admin/admin-ajax.php", url.Values{"action": {"lead_send"}, "email": {"v@example.org"}, "body": {text}}
	}
}

// Page is what the site answered.
type Page struct {
	Status int
	Header http.Header
	Body   string
}

// Get asks a site for a page ("/contact/?x=1", below its home page), without
// following redirections.
func Get(ctx context.Context, site *demo.Site, path string) (_ *Page, err error) {
	defer upkeep.Wrap(&err, "get %s", path)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, site.Path(path), nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return &Page{answer.StatusCode, answer.Header, string(body)}, err
}

// Works fails the test unless the site's home page, an article and the login
// page answer as WordPress does.
func Works(t testing.TB, site *demo.Site) {
	t.Helper()
	pages := map[string]string{"/": "</html>", "/?p=1&upkeep=1": "", "/contact/": "Contact", "/wp-login.php": "user_login"}
	switch {
	case site.CMS == upkeep.DokuWiki:
		pages = map[string]string{"/doku.php": "Welcome to", "/doku.php?id=wiki:syntax": "</html>", "/doku.php?do=login": "</html>", "/lib/exe/css.php": "}"}
	case site.CMS == upkeep.Joomla:
		login := "/index.php/component/users/login"
		if strings.HasPrefix(site.Version, "3.") {
			login = "/index.php/component/users/?view=login"
		}
		pages = map[string]string{"/": "</html>", login: "password", "/administrator/index.php": "</html>"}
	case site.Generation == "7":
		pages = map[string]string{"/": "</html>", "/?q=node/1": "Welcome", "/?q=user/login": "user-login"}
	case site.CMS == upkeep.Drupal:
		pages = map[string]string{"/": "</html>", "/node/1": "Welcome", "/user/login": "user-login"}
	case site.CMS == upkeep.MediaWiki:
		pages = map[string]string{"/index.php?title=Main_Page": "MediaWiki has been installed", "/index.php?title=Special:Version": "</html>", "/api.php?action=query&meta=siteinfo&format=json": "generator"}
	case site.Spec.Layout == demo.Bedrock:
		delete(pages, "/wp-login.php")
		pages["/wp/wp-login.php"] = "user_login"
	}
	for path, want := range pages {
		page, err := Get(t.Context(), site, path)
		switch {
		case err != nil:
			t.Errorf("%v\n%s\n%s", err, site.Web.Log(), site.World().PHP.Log())
		case page.Status >= 400 || !strings.Contains(page.Body, want):
			t.Errorf("%s answers %d without %q: %.300s", path, page.Status, want, page.Body)
		}
	}
}

// Eventually fails the test unless ok becomes true within the limit.
func Eventually(t testing.TB, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline := time.NewTimer(limit)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline.C:
			t.Fatalf("not within %v: %s", limit, what)
		case <-tick.C:
		}
	}
}
