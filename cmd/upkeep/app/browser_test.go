package app

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp/totp"

	"upkeep"
	"upkeep/person"
)

// browser is a real Chromium, of somebody on our pages.
type browser struct {
	*ground
	ctx  context.Context
	said []string // what it complained of
}

func (g *ground) newBrowser() *browser {
	g.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		g.Fatal("chromium is not here: make setup")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.UserDataDir(g.TempDir()))
	allocated, stop := chromedp.NewExecAllocator(context.Background(), options...)
	g.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(allocated)
	g.Cleanup(cancel)
	limited, end := context.WithTimeout(ctx, 40*time.Second)
	g.Cleanup(end)
	b := &browser{ground: g, ctx: limited}
	b.must(chromedp.Listen(limited, func(event any) {
		if e, ok := event.(*log.EventEntryAdded); ok && e.Entry.Source == log.EntrySourceSecurity {
			b.said = append(b.said, e.Entry.Text)
		}
	}))
	command(b, log.Enable, cdp.Empty{})
	return b
}

func (b *browser) must(err error) {
	b.Helper()
	if err != nil {
		at, _ := chromedp.Run(b.ctx, chromedp.Location())
		text, _ := chromedp.Run(b.ctx, chromedp.Text("main"))
		b.Fatalf("%v, on %s:\n%s", err, at, text)
	}
}

// command sends the browser one.
func command[P, R any](b *browser, c cdp.Command[P, R], params P) R {
	b.Helper()
	answer, err := chromedp.Call(b.ctx, c, params)
	b.must(err)
	return answer
}

func (b *browser) open(path string) {
	b.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.Navigate(b.origin+path), chromedp.WaitReady("#content")))
}

// fill types into fields, by their ids, and sends their form.
func (b *browser) fill(button string, pairs ...string) {
	b.Helper()
	for i := 0; i < len(pairs); i += 2 {
		b.must(chromedp.Do(b.ctx, chromedp.WaitVisible("#"+pairs[i]), chromedp.SendKeys("#"+pairs[i], pairs[i+1])))
	}
	b.click(button)
}

func (b *browser) click(button string) {
	b.Helper()
	b.must(chromedp.Do(b.ctx, chromedp.WaitVisible(button), chromedp.Click(button)))
}

// arrives waits until the browser is on a page, and returns what it says.
func (b *browser) arrives(path string) string {
	b.Helper()
	for {
		at, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`location.pathname + (document.readyState === 'complete' ? '' : ' …')`))
		if err == nil && at == path {
			break
		}
		if b.ctx.Err() != nil {
			b.must(upkeep.Causef("it never came to %s: %w", path, b.ctx.Err()))
		}
	}
	text, err := chromedp.Run(b.ctx, chromedp.Text("body"))
	b.must(err)
	return text
}

// examine has axe look at the page by the rules of WCAG 2.2 AA, and keeps a
// picture of it.
func (b *browser) examine(name string) {
	b.Helper()
	axe, err := os.ReadFile("../../../.cache/browser/axe.js")
	if err != nil {
		b.Fatal("axe is not here: make assets")
	}
	_, err = chromedp.Run(b.ctx, chromedp.Evaluate[int](string(axe)+";0"))
	b.must(err)
	found, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']})
		.then(r => r.violations.map(v => v.id + ': ' + v.nodes.map(n => n.html).join(' ')).join('\n'))`, chromedp.EvalAwaitPromise))
	b.must(err)
	if found != "" {
		b.Errorf("%s: %s", name, found)
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	b.must(err)
	b.must(os.MkdirAll(pictures, 0o755))
	b.must(os.WriteFile(filepath.Join(pictures, name+".png"), picture, 0o644))
}

// pictures is where what the pages look like is kept; git ignores it.
const pictures = "../../../.cache/pictures"

// device gives the browser a device that keeps passkeys and knows its person.
func (b *browser) device() {
	b.Helper()
	command(b, webauthn.Enable, webauthn.EnableParams{})
	command(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: "ctap2", Transport: "internal", HasResidentKey: true, HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true,
	}})
}

// invite adds an account, and returns the path of its link.
func (g *ground) invite(account person.Account) string {
	g.Helper()
	link, err := g.app.people.AddAccount(g.Context(), "test", &account)
	if err != nil {
		g.Fatal(err)
	}
	return strings.TrimPrefix(link, g.origin)
}

const (
	send  = `form[method=post] button.btn-primary`
	leave = `form[action="/signout"] button`
)

// TestComingInByABrowser is how an owner comes in, from the link that the
// terminal printed to a passkey, and out.
func TestComingInByABrowser(t *testing.T) {
	g := newGround(t)
	b := g.newBrowser()
	b.device()
	link := g.invite(person.Account{Mail: "ann@agency.example", Name: "Ann", Role: person.OwnerRole})
	b.open(link)
	b.examine("link")
	b.fill(send, "password", chosen, "again", chosen)
	if page := b.arrives("/account"); !strings.Contains(page, "Ann") {
		t.Errorf("the page of the account: %s", page)
	}
	b.open("/")
	b.arrives("/account") // nothing else without a second factor

	b.fill(`[data-passkey="/account/passkeys"] button`, "key-name", "Téléphone")
	b.must(chromedp.Do(b.ctx, chromedp.WaitVisible(`form[action$="/remove"]`)))
	b.open("/")
	b.arrives("/")

	b.click(leave)
	b.arrives("/signin")
	b.examine("signin")
	b.click(`[data-passkey] button`) // alone
	b.arrives("/")

	b.click(leave)
	b.arrives("/signin")
	b.fill(send, "mail", "ann@agency.example", "password", chosen)
	b.arrives("/signin/code")
	b.examine("factor")
	b.click(`[data-passkey] button`) // as the second factor
	b.arrives("/")

	b.open("/account")
	b.examine("account")
	b.click(`form[action="/account/code"] button`)
	secret, err := chromedp.Run(b.ctx, chromedp.Text(`main code`))
	b.must(err)
	b.examine("codes")
	code := func(at time.Time) string {
		code, err := totp.GenerateCode(secret, at)
		b.must(err)
		return code
	}
	b.fill(send, "code", code(time.Now()))
	b.must(chromedp.Do(b.ctx, chromedp.WaitVisible(`.recovery`)))
	recovery, err := chromedp.Run(b.ctx, chromedp.Text(`.recovery code`))
	b.must(err)
	b.click(leave)
	b.arrives("/signin")
	b.fill(send, "mail", "ann@agency.example", "password", chosen)
	b.arrives("/signin/code")
	b.fill(`form[action="/signin/code"] button`, "code", recovery)
	b.arrives("/")

	if _, err := g.app.people.ResetAccount(t.Context(), "test", "ann@agency.example", false); err != nil {
		t.Fatal(err)
	}
	b.open("/")
	b.arrives("/signin") // the session was ended elsewhere
	if len(b.said) > 0 {
		t.Errorf("the browser says %q", b.said)
	}
}

// TestClientsInABrowser is what a client meets, with a wrong password before.
func TestClientsInABrowser(t *testing.T) {
	g := newGround(t)
	g.enter("client", person.Account{Mail: "vera@velo-libre.example", Role: person.ClientRole, Client: ownClient})
	b := g.newBrowser()
	b.open("/portal/sites/velo-libre.example")
	b.arrives("/signin")
	b.fill(send, "mail", "vera@velo-libre.example", "password", "not the right one")
	b.must(chromedp.Do(b.ctx, chromedp.WaitVisible(`.alert-danger strong`)))
	b.fill(send, "password", chosen)
	if page := b.arrives("/portal/sites/velo-libre.example"); !strings.Contains(page, "velo-libre.example") {
		t.Errorf("the site's page: %s", page)
	}
	b.examine("portal-site")
	b.open("/portal")
	if page := b.arrives("/portal"); !strings.Contains(page, "boutique.velo-libre.example") || strings.Contains(page, "aubin") {
		t.Errorf("the client sees %s", page)
	}
	b.examine("portal")
	b.open("/portal/sites/" + foreignSite)
	if page := b.arrives("/portal/sites/" + foreignSite); !strings.Contains(page, "404") {
		t.Errorf("the other client's site: %s", page)
	}
	if len(b.said) > 0 {
		t.Errorf("the browser says %q", b.said)
	}
}
