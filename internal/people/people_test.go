package people_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"upkeep"
	"upkeep/internal/people"
	"upkeep/internal/people/password"
	"upkeep/internal/secret"
	"upkeep/internal/store"
	kept "upkeep/internal/store/people"
	"upkeep/internal/upkeeptest/postgres"
	"upkeep/person"
)

// door is people over real records, with a clock that stands still until it is
// moved, and what was entered on the ledger.
type door struct {
	*people.People
	t       *testing.T
	db      *store.DB
	path    string
	keys    string // the file of the key that seals
	mu      sync.Mutex
	now     time.Time
	pauses  int
	entries []string
	facts   []map[string]any
}

// server is the PostgreSQL of all tests.
var server postgres.Server

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

// TestOnPostgreSQL is what depends on the records, on the other database.
func TestOnPostgreSQL(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"Password": TestOnlyTheRightPasswordEnters, "Guessing": TestGuessingIsSlowedDown, "Kept": TestTheWaitIsKept, "Codes": TestCodesCountOnce,
		"Sessions": TestSessionsEnd, "Rights": TestAChangeOfRightsEndsSessions, "Links": TestLinksCountOnce, "Passwords": TestPasswordsChange,
		"Clients": TestClientsAreKept,
	} {
		t.Run(name, test)
	}
}

const (
	long  = "four words in a row"
	other = "another four of them"
)

var office = person.Caller{Address: "192.0.2.7", Agent: "Browser/1"}

func open(t *testing.T) *door {
	t.Helper()
	d := &door{t: t, now: time.Date(2026, 11, 29, 8, 0, 0, 0, time.UTC)}
	place := filepath.Join(t.TempDir(), "upkeep.db")
	if strings.HasPrefix(t.Name(), "TestOnPostgreSQL/") {
		place, _ = server.Database(t)
	}
	d.keys = filepath.Join(t.TempDir(), "key")
	d.reopen(place, password.Effort{Memory: 64, Passes: 1, Threads: 1})
	return d
}

// reopen opens the records as another process would.
func (d *door) reopen(path string, effort password.Effort) {
	d.t.Helper()
	config := store.Config{Path: path, Clock: d.clock}
	if strings.HasPrefix(path, "postgres:") {
		config = store.Config{URL: path, Clock: d.clock}
	}
	db, err := store.Open(d.t.Context(), config)
	fatal(d.t, err)
	d.t.Cleanup(func() { _ = db.Close() })
	keeper, err := secret.OpenKeeper(d.keys)
	fatal(d.t, err)
	r := kept.Records{DB: db.Records()}
	p, err := people.New(people.Config{
		Accounts: r, Credentials: r, Passkeys: r, Sessions: r, Once: r, Brakes: r, Owners: r, Sealer: keeper,
		Hasher: password.NewHasher(effort, 4), Origin: &url.URL{Scheme: "https", Host: "upkeep.example"},
		Note: func(_ context.Context, actor, kind string, facts map[string]any) error {
			d.mu.Lock()
			defer d.mu.Unlock()
			d.entries, d.facts = append(d.entries, actor+" "+kind), append(d.facts, facts)
			return nil
		},
		Now:   d.clock,
		Pause: func(context.Context, time.Time) { d.mu.Lock(); d.pauses++; d.mu.Unlock() },
	})
	fatal(d.t, err)
	d.People, d.db, d.path = p, db, path
}

func (d *door) clock() time.Time {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.now
}

func (d *door) pass(span time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.now = d.now.Add(span)
}

func fatal(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// is reports an error of another code.
func is(t *testing.T, what string, err error, code upkeep.Code) {
	t.Helper()
	if upkeep.CodeOf(err) != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// add adds an account with a password, and returns its session.
func (d *door) add(a person.Account) *person.Entered {
	d.t.Helper()
	if a.Client != "" {
		fatal(d.t, d.SetClient(d.t.Context(), "test", &person.Client{Name: a.Client, Title: a.Client}))
	}
	link, err := d.AddAccount(d.t.Context(), "test", &a)
	fatal(d.t, err)
	entered, err := d.UseLink(d.t.Context(), office, tokenOf(link), long)
	fatal(d.t, err)
	return entered
}

func tokenOf(link string) string { return link[strings.LastIndex(link, "/")+1:] }

func ann() person.Account { return person.Account{Mail: "ann@example.org", Role: person.OwnerRole} }

func TestOnlyTheRightPasswordEnters(t *testing.T) {
	d := open(t)
	first := d.add(ann())
	entered, err := d.SignIn(t.Context(), office, " Ann@Example.org ", long)
	fatal(t, err)
	if entered.Token == first.Token || entered.Session.Half {
		t.Errorf("entered %+v", entered.Session)
	}
	_, account, err := d.Enter(t.Context(), entered.Token)
	if err != nil || account.Mail != "ann@example.org" || account.SignedIn.IsZero() {
		t.Errorf("%+v, %v", account, err)
	}
	for _, token := range []string{"", "x", entered.Token + "x", strings.ToUpper(entered.Token)} {
		_, _, err := d.Enter(t.Context(), token)
		is(t, "token "+token, err, upkeep.CodeUnauthorized)
	}
	_, err = d.SignIn(t.Context(), office, "ann@example.org", other)
	is(t, "another password", err, upkeep.CodeUnauthorized)
	if last := d.entries[len(d.entries)-1]; last != "upkeep sign_in_failed" || d.facts[len(d.facts)-1]["account"] != "ann@example.org" {
		t.Errorf("the ledger says %s, %v", last, d.facts[len(d.facts)-1])
	}
}

// Whether there is an account, and whether it may enter, shows in nothing.
func TestNobodyLearnsWhoHasAnAccount(t *testing.T) {
	d := open(t)
	d.add(ann())
	_, err := d.AddAccount(t.Context(), "test", &person.Account{Mail: "new@example.org", Role: person.OperatorRole})
	fatal(t, err)
	d.add(person.Account{Mail: "gone@example.org", Role: person.OperatorRole})
	_, err = d.DisableAccount(t.Context(), "test", "gone@example.org", true)
	fatal(t, err)
	d.add(person.Account{Mail: "over@example.org", Role: person.AuditorRole, Until: d.clock().Add(time.Hour)})
	d.pass(2 * time.Hour)
	var said []string
	for _, tc := range []struct{ mail, password string }{
		{"ann@example.org", other}, {"nobody@example.org", other}, {"new@example.org", ""}, {"gone@example.org", long}, {"over@example.org", long},
	} {
		for range 6 {
			paused := d.pauses
			_, err := d.SignIn(t.Context(), person.Caller{Address: "198.51.100." + tc.mail[:1]}, tc.mail, tc.password)
			if err == nil || d.pauses != paused+1 {
				t.Fatalf("%s: %v after %d pauses", tc.mail, err, d.pauses-paused)
			}
			said = append(said, string(upkeep.CodeOf(err))+err.Error()+upkeep.HintOf(err))
		}
		_, err := d.SignIn(t.Context(), person.Caller{Address: "198.51.100." + tc.mail[:1]}, tc.mail, tc.password)
		said = append(said, string(upkeep.CodeOf(err))+err.Error()+upkeep.HintOf(err))
	}
	for i := range said {
		if said[i] != said[i%7] {
			t.Errorf("account %d is answered %q, not %q", i/7, said[i], said[i%7])
		}
	}
	for i, facts := range d.facts {
		if strings.Contains(d.entries[i], "failed") && facts["account"] == "nobody@example.org" {
			t.Error("what somebody typed is on the ledger")
		}
	}
}

func TestGuessingIsSlowedDown(t *testing.T) {
	d := open(t)
	d.add(ann())
	var wait sync.WaitGroup
	var mu sync.Mutex
	heard := 0
	for range 40 { // at once, so that none sees the others' failures in time
		wait.Go(func() {
			_, err := d.SignIn(t.Context(), office, "ann@example.org", other)
			mu.Lock()
			defer mu.Unlock()
			if upkeep.CodeOf(err) == upkeep.CodeUnauthorized {
				heard++
			}
		})
	}
	wait.Wait()
	if heard != 6 {
		t.Errorf("%d of 40 guesses were looked at", heard)
	}
	_, err := d.SignIn(t.Context(), person.Caller{Address: "203.0.113.1"}, "ann@example.org", long)
	is(t, "the right one, from elsewhere, meanwhile", err, upkeep.CodeHeld)
	d.pass(2 * time.Second)
	if _, err := d.SignIn(t.Context(), person.Caller{Address: "203.0.113.1"}, "ann@example.org", long); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

func TestGuessesOfOneAddressAddUp(t *testing.T) {
	d := open(t)
	d.add(ann())
	looked := 0
	for i := range 60 {
		mail := "somebody" + strings.Repeat("x", i) + "@example.org"
		_, err := d.SignIn(t.Context(), person.Caller{Address: "2001:db8::" + string(rune('1'+i%9))}, mail, other)
		if upkeep.CodeOf(err) == upkeep.CodeUnauthorized {
			looked++
		}
	}
	if looked > 32 {
		t.Errorf("%d mail addresses were tried from one net", looked)
	}
	_, err := d.SignIn(t.Context(), office, "ann@example.org", long)
	if err != nil {
		t.Errorf("from another address: %v", err)
	}
}

// A wait holds in another process, and so after a restart.
func TestTheWaitIsKept(t *testing.T) {
	d := open(t)
	d.add(ann())
	for range 6 {
		_, err := d.SignIn(t.Context(), office, "ann@example.org", other)
		is(t, "a guess", err, upkeep.CodeUnauthorized)
	}
	before := d.db
	d.reopen(d.path, password.Effort{Memory: 64, Passes: 1, Threads: 1})
	fatal(t, before.Close())
	_, err := d.SignIn(t.Context(), office, "ann@example.org", long)
	is(t, "after a restart", err, upkeep.CodeHeld)
}

func TestCodesCountOnce(t *testing.T) {
	d := open(t)
	in := d.add(ann())
	setup, err := d.BeginCode(t.Context(), in.Token)
	fatal(t, err)
	code := func() string {
		code, err := totp.GenerateCode(setup.Secret, d.clock())
		fatal(t, err)
		return code
	}
	_, _, err = d.FinishCode(t.Context(), office, in.Token, "000000")
	is(t, "a wrong first code", err, upkeep.CodeUnauthorized)
	entered, recovery, err := d.FinishCode(t.Context(), office, in.Token, code())
	fatal(t, err)
	_, _, err = d.Enter(t.Context(), in.Token)
	is(t, "the session from before the second factor", err, upkeep.CodeUnauthorized)
	if _, _, err := d.Enter(t.Context(), entered.Token); err != nil || len(recovery) != 10 {
		t.Errorf("%d recovery codes, %v", len(recovery), err)
	}
	half := func() *person.Entered {
		half, err := d.SignIn(t.Context(), office, "ann@example.org", long)
		fatal(t, err)
		if !half.Session.Half {
			t.Fatal("no second factor was asked for")
		}
		_, _, err = d.Enter(t.Context(), half.Token)
		is(t, "half a session", err, upkeep.CodeUnauthorized)
		return half
	}
	_, err = d.SignInByCode(t.Context(), office, half().Token, code())
	is(t, "the code that was taken before", err, upkeep.CodeUnauthorized)
	d.pass(30 * time.Second)
	h := half()
	whole, err := d.SignInByCode(t.Context(), office, h.Token, code())
	fatal(t, err)
	if whole.Token == h.Token || whole.Session.Proof != person.ByCode {
		t.Errorf("the token stayed, or %s", whole.Session.Proof)
	}
	_, err = d.SignInByCode(t.Context(), office, h.Token, code())
	is(t, "half a session, again", err, upkeep.CodeUnauthorized)
	for i, want := range []upkeep.Code{"", upkeep.CodeUnauthorized} {
		_, err := d.SignInByCode(t.Context(), office, half().Token, strings.ToLower(recovery[3]))
		is(t, "recovery code, time "+string(rune('1'+i)), err, want)
	}
}

func TestCodesAreNotGuessed(t *testing.T) {
	d := open(t)
	in := d.add(ann())
	setup, err := d.BeginCode(t.Context(), in.Token)
	fatal(t, err)
	code, err := totp.GenerateCode(setup.Secret, d.clock())
	fatal(t, err)
	_, _, err = d.FinishCode(t.Context(), office, in.Token, code)
	fatal(t, err)
	looked := 0
	for range 20 { // each with a session of its own: who has the password gets as many as they want
		half, err := d.SignIn(t.Context(), office, "ann@example.org", long)
		fatal(t, err)
		_, err = d.SignInByCode(t.Context(), office, half.Token, "123456")
		if upkeep.CodeOf(err) == upkeep.CodeUnauthorized {
			looked++
		}
	}
	if looked != 6 {
		t.Errorf("%d of 20 codes were looked at", looked)
	}
}

func TestSessionsEnd(t *testing.T) {
	d := open(t)
	d.add(ann())
	staff := d.add(person.Account{Mail: "op@example.org", Role: person.OperatorRole})
	client := d.add(person.Account{Mail: "c@example.org", Role: person.ClientRole, Client: "martin"})
	auditor := d.add(person.Account{Mail: "a@example.org", Role: person.AuditorRole, Until: d.clock().Add(90 * time.Minute)})
	open := func(who *person.Entered) bool {
		_, _, err := d.Enter(t.Context(), who.Token)
		if err != nil && upkeep.CodeOf(err) != upkeep.CodeUnauthorized {
			t.Fatal(err)
		}
		return err == nil
	}
	for range 20 { // used all the time
		d.pass(time.Hour)
		if d.clock().Hour() == 9 && !open(auditor) || d.clock().Hour() == 10 && open(auditor) {
			t.Errorf("the auditor, at %s", d.clock())
		}
		if !open(client) {
			t.Fatalf("the client's ended at %s", d.clock())
		}
		if got, want := open(staff), d.clock().Hour() < 20 && d.clock().Day() == 29; got != want {
			t.Fatalf("the operator's at %s: open %v", d.clock(), got)
		}
	}
	again, err := d.SignIn(t.Context(), office, "op@example.org", long)
	fatal(t, err)
	d.pass(2*time.Hour + time.Minute)
	if open(again) {
		t.Error("an idle session went on")
	}
}

// A change of rights ends what was begun with the old ones.
func TestAChangeOfRightsEndsSessions(t *testing.T) {
	d := open(t)
	d.add(ann())
	in := d.add(person.Account{Mail: "op@example.org", Role: person.OperatorRole})
	set := *in.Account
	set.Name = "Olga"
	_, err := d.SetAccount(t.Context(), "account:ann@example.org", "op@example.org", &set)
	fatal(t, err)
	if _, _, err := d.Enter(t.Context(), in.Token); err != nil {
		t.Errorf("another name ended the session: %v", err)
	}
	fatal(t, d.SetClient(t.Context(), "test", &person.Client{Name: "martin", Title: "Martin"}))
	set.Role, set.Client = person.ClientRole, "martin"
	changed, err := d.SetAccount(t.Context(), "account:ann@example.org", "op@example.org", &set)
	fatal(t, err)
	if view := changed.View(); view.All || view.Client != "martin" {
		t.Errorf("sees %+v", view)
	}
	_, _, err = d.Enter(t.Context(), in.Token)
	is(t, "the operator's session", err, upkeep.CodeUnauthorized)
	for what, bad := range map[string]func(a *person.Account){
		"an owner of one client's sites": func(a *person.Account) { a.Role = person.OwnerRole },
		"a client without one":           func(a *person.Account) { a.Client = "" },
		"an auditor for ever":            func(a *person.Account) { a.Role = person.AuditorRole },
		"a role that is none":            func(a *person.Account) { a.Role = "root" },
	} {
		set := *changed
		bad(&set)
		_, err := d.SetAccount(t.Context(), "test", "op@example.org", &set)
		is(t, what, err, upkeep.CodeInvalid)
	}
	set = *changed
	set.Client = "nobody"
	_, err = d.SetAccount(t.Context(), "test", "op@example.org", &set)
	is(t, "a client that does not exist", err, upkeep.CodeNotFound)
	_, err = d.DisableAccount(t.Context(), "test", "ann@example.org", true)
	is(t, "the last owner", err, upkeep.CodeConflict)
}

func TestLinksCountOnce(t *testing.T) {
	d := open(t)
	account := ann()
	old, err := d.AddAccount(t.Context(), "test", &account)
	fatal(t, err)
	link, err := d.ResetAccount(t.Context(), "test", account.Mail, false)
	fatal(t, err)
	_, err = d.UseLink(t.Context(), office, tokenOf(old), long)
	is(t, "a link that another replaced", err, upkeep.CodeNotFound)
	_, err = d.UseLink(t.Context(), office, tokenOf(link), "short")
	is(t, "a short password", err, upkeep.CodeInvalid)
	var wait sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		wait.Go(func() { _, results[i] = d.UseLink(t.Context(), office, tokenOf(link), long) })
	}
	wait.Wait()
	used := 0
	for _, err := range results {
		if err == nil {
			used++
		} else if upkeep.CodeOf(err) != upkeep.CodeNotFound {
			t.Error(err)
		}
	}
	if used != 1 {
		t.Errorf("one link was used %d times", used)
	}
	late, err := d.ResetAccount(t.Context(), "test", account.Mail, false)
	fatal(t, err)
	d.pass(72*time.Hour + time.Second)
	_, err = d.OpenLink(t.Context(), tokenOf(late))
	is(t, "an old link", err, upkeep.CodeNotFound)
}

func TestPasswordsChange(t *testing.T) {
	d := open(t)
	in := d.add(ann())
	second, err := d.SignIn(t.Context(), office, "ann@example.org", long)
	fatal(t, err)
	_, err = d.ChangePassword(t.Context(), office, in.Token, other, other)
	is(t, "without the present one", err, upkeep.CodeInvalid)
	again, err := d.ChangePassword(t.Context(), office, in.Token, long, other)
	fatal(t, err)
	for name, token := range map[string]string{"own, from before": in.Token, "second": second.Token} {
		_, _, err := d.Enter(t.Context(), token)
		is(t, name, err, upkeep.CodeUnauthorized)
	}
	if _, _, err := d.Enter(t.Context(), again.Token); err != nil {
		t.Error(err)
	}
	_, err = d.SignIn(t.Context(), office, "ann@example.org", long)
	is(t, "the old password", err, upkeep.CodeUnauthorized)
}

// What opens an account is not changed long after its person signed in.
func TestSecretsNeedAFreshSession(t *testing.T) {
	d := open(t)
	in := d.add(ann())
	d.pass(16 * time.Minute)
	_, err := d.BeginCode(t.Context(), in.Token)
	is(t, "codes", err, upkeep.CodeHeld)
	_, err = d.BeginPasskey(t.Context(), in.Token)
	is(t, "a passkey", err, upkeep.CodeHeld)
}

// When the effort of a check is raised, passwords follow as they are used.
func TestPasswordsAreHashedAnew(t *testing.T) {
	d := open(t)
	d.add(ann())
	r := kept.Records{DB: d.db.Records()}
	account, err := d.AccountByMail(t.Context(), "ann@example.org")
	fatal(t, err)
	before, err := r.Credentials(t.Context(), account.ID)
	fatal(t, err)
	d.reopen(d.path, password.Effort{Memory: 128, Passes: 1, Threads: 1})
	_, err = d.SignIn(t.Context(), office, "ann@example.org", long)
	fatal(t, err)
	after, err := r.Credentials(t.Context(), account.ID)
	fatal(t, err)
	if before.Password == after.Password || !strings.Contains(after.Password, "m=128,") {
		t.Errorf("kept as %s", after.Password)
	}
	if _, err := d.SignIn(t.Context(), office, "ann@example.org", long); err != nil {
		t.Errorf("with the new hash: %v", err)
	}
}

// A stolen copy of the records opens nothing.
func TestNoSecretIsKept(t *testing.T) {
	d := open(t)
	account := ann()
	link, err := d.AddAccount(t.Context(), "test", &account)
	fatal(t, err)
	in, err := d.UseLink(t.Context(), office, tokenOf(link), long)
	fatal(t, err)
	setup, err := d.BeginCode(t.Context(), in.Token)
	fatal(t, err)
	fatal(t, d.db.Close())
	files, err := filepath.Glob(d.path + "*")
	fatal(t, err)
	var raw string
	for _, file := range files {
		text, err := os.ReadFile(file)
		fatal(t, err)
		raw += string(text)
	}
	if !strings.Contains(raw, account.Mail) {
		t.Fatal("the records were not read")
	}
	for name, word := range map[string]string{"link": tokenOf(link), "password": long, "token": in.Token, "code": setup.Secret} {
		if strings.Contains(raw, word) {
			t.Errorf("the records hold the %s", name)
		}
	}
}

func TestClientsAreKept(t *testing.T) {
	d := open(t)
	martin := &person.Client{Name: "martin", Title: "Boulangerie Martin", Mail: "contact@martin.example", Language: "fr",
		Contacts: []person.Contact{{Name: "Anne Martin", Role: "direction", Phone: "01 23 45 67 89"}}}
	fatal(t, d.SetClient(t.Context(), "test", martin))
	fatal(t, d.SetClient(t.Context(), "test", &person.Client{Name: "roche", Title: "Menuiserie Roche"}))
	found, err := d.Client(t.Context(), person.View{Client: "martin"}, "martin")
	if err != nil || !reflect.DeepEqual(found, martin) {
		t.Errorf("%+v, %v", found, err)
	}
	_, err = d.Client(t.Context(), person.View{Client: "martin"}, "roche")
	is(t, "another client, out of view", err, upkeep.CodeNotFound)
	for view, want := range map[person.View]int{{All: true}: 2, {Client: "martin"}: 1, {}: 0} {
		if all, err := d.Clients(t.Context(), view); err != nil || len(all) != want {
			t.Errorf("%+v sees %d clients, %v", view, len(all), err)
		}
	}
	d.add(person.Account{Mail: "a@martin.example", Role: person.ClientRole, Client: "martin"})
	is(t, "a client that an account is for", d.RemoveClient(t.Context(), "test", "martin"), upkeep.CodeConflict)
	fatal(t, d.RemoveClient(t.Context(), "test", "roche"))
	is(t, "one that is gone", d.RemoveClient(t.Context(), "test", "roche"), upkeep.CodeNotFound)
	site := &upkeep.Site{Name: "shop.example", URL: "https://shop.example", Root: "/srv/shop", CMS: upkeep.WordPress}
	fatal(t, d.db.CreateSite(t.Context(), site))
	fatal(t, d.db.PutSubscription(t.Context(), &upkeep.Subscription{Site: site.ID, Plan: "base", Client: "new"}))
	if found, err := d.Client(t.Context(), person.View{All: true}, "new"); err != nil || found.Title != "new" {
		t.Errorf("a client that a subscription named: %+v, %v", found, err)
	}
	is(t, "a client with a site", d.RemoveClient(t.Context(), "test", "new"), upkeep.CodeConflict)
	r := kept.Records{DB: d.db.Records()}
	for view, want := range map[person.View]int{{All: true}: 1, {Client: "new"}: 1, {Client: "martin"}: 0, {}: 0} {
		if sites, err := r.OwnedSites(t.Context(), view); err != nil || len(sites) != want {
			t.Errorf("%+v sees %d sites, %v", view, len(sites), err)
		}
	}
}
