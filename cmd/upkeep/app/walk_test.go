package app

import (
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	store "upkeep/internal/store/people"
	"upkeep/internal/upkeeptest/agency"
	"upkeep/internal/web/access"
	"upkeep/person"
)

// ground is the whole application, of which nothing runs but what answers, on
// the records of an agency with two clients that must not see each other.
type ground struct {
	*testing.T
	app     *app
	gate    *access.Gate
	public  http.Handler
	records *sql.DB
	origin  string // where browsers reach it
}

const (
	ownClient, foreignClient = "velo-libre", "saint-aubin"
	foreignSite              = "mairie-saint-aubin.example"
	foreignMail              = "sabine@saint-aubin.example"
	chosen                   = "four words in a row"
)

func newGround(t *testing.T) *ground {
	dir := filepath.Join(t.TempDir(), "state")
	seeded, err := agency.Open(t.Context(), dir, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := seeded.Fill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := seeded.Close(); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	origin := strings.Replace("http://"+server.Listener.Addr().String(), "127.0.0.1", "localhost", 1)
	settings := []byte(`{"console": {"url": "` + origin + `"}}`)
	if err := os.WriteFile(filepath.Join(dir, "config.json"), settings, 0o600); err != nil {
		t.Fatal(err)
	}
	a := &app{Config: Config{Dir: dir, Version: "test", Role: Resident}}
	t.Cleanup(func() { _ = a.close() })
	if err := a.open(t.Context()); err != nil {
		t.Fatal(err)
	}
	gate, err := a.gate()
	if err != nil {
		t.Fatal(err)
	}
	records, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "upkeep.db")+"?mode=ro")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = records.Close() })
	g := &ground{T: t, app: a, gate: gate, public: gate.Public("a-token-of-the-tests"), records: records, origin: origin}
	server.Config.Handler = g.public
	server.Start()
	t.Cleanup(server.Close)
	return g
}

// visitor is somebody with a browser.
type visitor struct {
	name    string
	account *person.Account
	cookie  *http.Cookie
}

// ask sends a request as a browser on our own pages does.
func (g *ground) ask(v *visitor, method, path, kind, body string) *http.Response {
	g.Helper()
	r := httptest.NewRequestWithContext(g.Context(), method, g.origin+path, strings.NewReader(body))
	r.Header.Set("Origin", g.origin)
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Content-Type", kind)
	if v.cookie != nil {
		r.AddCookie(v.cookie)
	}
	w := httptest.NewRecorder()
	g.public.ServeHTTP(w, r)
	answer := w.Result()
	for _, cookie := range answer.Cookies() {
		if strings.HasPrefix(cookie.Name, "__Host-") {
			v.cookie = cookie
		}
	}
	return answer
}

// submit sends a form, which has to lead somewhere.
func (g *ground) submit(v *visitor, path string, pairs ...string) (to, page string) {
	g.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	answer := g.ask(v, http.MethodPost, path, "application/x-www-form-urlencoded", form.Encode())
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 400 {
		g.Fatalf("%s: %s %s %v", path, answer.Status, text, err)
	}
	return answer.Header.Get("Location"), string(text)
}

// enter adds an account and lets its person in, by everything that is asked of
// them.
func (g *ground) enter(name string, account person.Account) *visitor {
	g.Helper()
	v := &visitor{name: name, account: &account}
	link, err := g.app.people.AddAccount(g.Context(), "test", &account)
	if err != nil {
		g.Fatal(err)
	}
	_, path, _ := strings.Cut(strings.TrimPrefix(link, "http://"), "/")
	g.submit(v, "/"+path, "password", chosen, "again", chosen)
	if !account.Staff() {
		return v
	}
	_, page := g.submit(v, "/account/code")
	secret := regexp.MustCompile(`<code>([A-Z2-7]{32})</code>`).FindStringSubmatch(page)
	if secret == nil {
		g.Fatalf("no secret in %s", page)
	}
	code, err := totp.GenerateCode(secret[1], time.Now())
	if err != nil {
		g.Fatal(err)
	}
	g.submit(v, "/account/code/finish", "code", code)
	return v
}

// visitors are one of each role, of the own client where the role has one.
func (g *ground) visitors() []*visitor {
	next := time.Now().Add(time.Hour)
	return []*visitor{
		{name: "nobody"},
		g.enter("owner", person.Account{Mail: "owner@agency.example", Role: person.OwnerRole}),
		g.enter("operator", person.Account{Mail: "operator@agency.example", Role: person.OperatorRole}),
		g.enter("auditor", person.Account{Mail: "auditor@insurer.example", Role: person.AuditorRole, Until: next}),
		g.enter("client", person.Account{Mail: "vera@velo-libre.example", Role: person.ClientRole, Client: ownClient}),
		g.enter("client's auditor", person.Account{Mail: "max@velo-libre.example", Role: person.AuditorRole, Client: ownClient, Until: next}),
	}
}

// foreign are the identifiers of what belongs to the other client, by the
// names of parameters in patterns, and, of numbers, by what they number.
func (g *ground) foreign() map[string]string {
	g.Helper()
	g.enter("the other client", person.Account{Mail: foreignMail, Name: "Sabine Aubin", Role: person.ClientRole, Client: foreignClient})
	account, err := g.app.people.AccountByMail(g.Context(), foreignMail)
	if err != nil {
		g.Fatal(err)
	}
	key := person.Passkey{ID: "foreign-key", Account: account.ID, Name: "Sabines Telefon", Record: []byte("{}")}
	if err := (store.Records{DB: g.app.db.Records()}).CreatePasskey(g.Context(), &key); err != nil {
		g.Fatal(err)
	}
	number := func(query string) string {
		var n int64
		if err := g.records.QueryRow(query, foreignSite).Scan(&n); err != nil {
			g.Fatalf("%s: %v", query, err)
		}
		return fmt.Sprint(n)
	}
	return map[string]string{
		"site": foreignSite, "client": foreignClient, "mail": foreignMail, "host": "web1", "plan": "sur-mesure", "key": key.ID, "token": "no-such-token",
		"/interventions/{id}": number(`SELECT max(id) FROM intervention WHERE site = (SELECT id FROM site WHERE name = $1)`),
		"/backups/{id}":       number(`SELECT max(id) FROM backup WHERE site = (SELECT id FROM site WHERE name = $1)`),
		"/applications/{id}":  number(`SELECT max(id) FROM application WHERE $1 <> ''`),
		"/windows/{id}":       number(`SELECT max(id) FROM time_window WHERE $1 <> ''`),
		"/sessions/{id}":      number(`SELECT max(session.id) FROM session JOIN account ON account.id = account WHERE client = 'saint-aubin' AND $1 <> ''`),
	}
}

var parameter = regexp.MustCompile(`\{(\w+)(?:\.\.\.)?\}`)

// fill puts the other client's identifiers into a pattern.
func (g *ground) fill(path string, foreign map[string]string) string {
	g.Helper()
	path = strings.TrimSuffix(path, "{$}")
	for {
		found := parameter.FindStringSubmatchIndex(path)
		if found == nil {
			return path
		}
		name := path[found[2]:found[3]]
		value, known := foreign[name]
		for part, number := range foreign {
			if name == "id" && strings.Contains(path[:found[1]], part) {
				value, known = number, true
			}
		}
		if !known {
			g.Fatalf("%s: say in foreign which identifiers of the other client {%s} stands for", path, name)
		}
		path = path[:found[0]] + url.PathEscape(value) + path[found[1]:]
	}
}

// state is everything in the records but what is v's own, and what counts
// tries: what v must not have changed.
func (g *ground) state(v *visitor) string {
	g.Helper()
	var own person.AccountID
	if v.account != nil {
		own = v.account.ID
	}
	var out strings.Builder
	for _, table := range g.rows(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`) {
		query := `SELECT * FROM ` + table
		switch table {
		case "tries", "challenge", "sqlite_sequence", "ledger":
			continue
		case "account":
			query += fmt.Sprintf(` WHERE id <> %d`, own)
		case "session", "passkey", "recovery_code", "link":
			query += fmt.Sprintf(` WHERE account <> %d`, own)
		}
		out.WriteString(table + ": " + strings.Join(g.rows(query), "\n") + "\n")
	}
	return out.String()
}

// rows returns what a query finds, a line for each row.
func (g *ground) rows(query string) (lines []string) {
	g.Helper()
	rows, err := g.records.Query(query)
	if err != nil {
		g.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		g.Fatal(err)
	}
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range into {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			g.Fatal(err)
		}
		lines = append(lines, strings.Trim(fmt.Sprintf("%v", values), "[]"))
	}
	if err := rows.Err(); err != nil {
		g.Fatal(err)
	}
	slices.Sort(lines)
	return lines
}

// secrets are words that stand only in what belongs to the other client.
func secrets() []string {
	return []string{"https://" + foreignSite, "mediatheque-saint-aubin", "/srv/www/mairie", "Commune de Saint-Aubin", "Sabine", "joomla"}
}

// TestEveryRouteAsEveryRole asks every route, of the API and of the pages, as
// every role, with the identifiers of another client: whom it is not for
// learns nothing and changes nothing, and whom it is for sees only their own.
func TestEveryRouteAsEveryRole(t *testing.T) {
	g := newGround(t)
	if err := g.app.people.SetClient(t.Context(), "test", &person.Client{Name: foreignClient, Title: "Commune de Saint-Aubin"}); err != nil {
		t.Fatal(err)
	}
	foreign := g.foreign()
	visitors := g.visitors()
	asked := 0
	for _, route := range g.gate.Routes {
		if route.For == access.Nobody {
			t.Errorf("%s does not say for whom it is", route.Pattern)
		}
		for _, v := range visitors {
			asked += g.walk(v, route, foreign)
		}
	}
	if asked < 500 {
		t.Errorf("only %d requests: the walk is broken", asked)
	}
}

// walk asks one route as one visitor, and returns in how many ways.
func (g *ground) walk(v *visitor, route access.Route, foreign map[string]string) int {
	g.Helper()
	method, pattern, both := strings.Cut(route.Pattern, " ")
	if !both {
		method, pattern = http.MethodGet, route.Pattern
	}
	if pattern == "/signout" || strings.HasPrefix(pattern, "/assets/") {
		return 0 // ends what the others need; holds nothing of anybody
	}
	admitted := route.For.Admits(access.Who{Account: v.account})
	limited := v.account == nil || !v.account.View().All
	if admitted && !limited {
		return 0 // it would be done, and they may see everything
	}
	path := g.fill(pattern, foreign)
	if strings.HasPrefix(path, "/v1/") {
		path += "?site=" + foreignSite + "&client=" + foreignClient + "&refresh=true"
	}
	before, entries := g.state(v), g.rows(`SELECT count(*) FROM ledger`)
	asked := 0
	for kind, body := range map[string]string{
		"application/json":                  `{"role":"owner","client":"saint-aubin","mail":"` + foreignMail + `","disabled":true}`,
		"application/x-www-form-urlencoded": "site=" + foreignSite + "&client=" + foreignClient + "&mail=" + foreignMail + "&role=owner&yes=1",
	} {
		asked++
		answer := g.ask(v, method, path, kind, body)
		text, err := io.ReadAll(answer.Body)
		if err != nil {
			g.Fatal(err)
		}
		g.check(v, route, admitted, answer.StatusCode, string(text))
	}
	if g.state(v) != before {
		g.Errorf("%s as %s changed the records", route.Pattern, v.name)
	}
	if !admitted && !slices.Equal(entries, g.rows(`SELECT count(*) FROM ledger`)) {
		g.Errorf("%s as %s is on the ledger", route.Pattern, v.name)
	}
	return asked
}

// check looks at one answer.
func (g *ground) check(v *visitor, route access.Route, admitted bool, status int, text string) {
	g.Helper()
	switch {
	case !admitted && v.account == nil && status != http.StatusUnauthorized && status != http.StatusSeeOther:
		g.Errorf("%s as %s: status %d", route.Pattern, v.name, status)
	case !admitted && v.account != nil && status != http.StatusNotFound:
		g.Errorf("%s as %s: status %d", route.Pattern, v.name, status)
	case status == http.StatusInternalServerError:
		g.Errorf("%s as %s: %s", route.Pattern, v.name, text)
	}
	seen := secrets()
	if status < 300 {
		seen = append(seen, foreignSite, foreignMail)
	}
	for _, word := range seen {
		if strings.Contains(text, word) {
			g.Errorf("%s as %s, status %d, shows %q", route.Pattern, v.name, status, word)
		}
	}
}

// TestClientsSeeTheirOwn is what the walk does not show: the portal is not
// merely empty.
func TestClientsSeeTheirOwn(t *testing.T) {
	g := newGround(t)
	v := g.enter("client", person.Account{Mail: "vera@velo-libre.example", Role: person.ClientRole, Client: ownClient})
	if to, _ := g.submit(v, "/signin", "mail", "vera@velo-libre.example", "password", chosen); to != "/portal" {
		t.Errorf("a client is led to %s", to)
	}
	answer := g.ask(v, http.MethodGet, "/v1/portal/sites", "", "")
	var sites []struct{ Name, Standing string }
	if err := json.NewDecoder(answer.Body).Decode(&sites); err != nil {
		t.Fatal(err)
	}
	if len(sites) != 2 || sites[0].Name != "boutique.velo-libre.example" || sites[1].Name != "velo-libre.example" {
		t.Errorf("sees %+v", sites)
	}
	for path, want := range map[string]int{
		"/portal": 200, "/portal/sites/velo-libre.example": 200, "/portal/sites/" + foreignSite: 404, "/account": 200, "/": 404, "/v1/sites": 404,
		"/v1/portal/sites/velo-libre.example": 200, "/v1/portal/sites/" + foreignSite: 404, "/v1/version": 200,
	} {
		if got := g.ask(v, http.MethodGet, path, "", "").StatusCode; got != want {
			t.Errorf("%s: status %d, want %d", path, got, want)
		}
	}
	// Sites of nobody are not those of a client without a name.
	kept := store.Records{DB: g.app.db.Records()}
	for _, view := range []person.View{{}, {Client: "nobody"}} {
		if found, err := kept.OwnedSites(t.Context(), view); err != nil || len(found) != 0 {
			t.Errorf("%+v sees %d sites, %v", view, len(found), err)
		}
	}
	if found, err := kept.OwnedSites(t.Context(), person.View{All: true}); err != nil || len(found) != 24 {
		t.Errorf("all are %d, %v", len(found), err)
	}
}
