package people

import (
	"context"
	"net/netip"
	"strings"
	"time"

	"upkeep"
	"upkeep/person"
)

// brake says how soon after failures in a row somebody is heard again.
type brake struct {
	free int           // failures without a wait
	most time.Duration // wait
}

// An address may be the door of a whole office, so it has more.
func accountBrake() brake { return brake{free: 5, most: 15 * time.Minute} }
func addressBrake() brake { return brake{free: 30, most: time.Hour} }

// forgotten is how long after the last failure nothing of it counts.
const forgotten = 24 * time.Hour

// wait doubles from one second with each failure beyond the free ones.
func (b brake) wait(failures int) time.Duration {
	over := failures - b.free
	if over <= 0 {
		return 0
	}
	if over > 20 {
		return b.most
	}
	return min(b.most, time.Second<<(over-1))
}

// heard counts a try as failed before it is looked at, so that many at once
// cannot pass the count. CodeHeld, with how long to wait, when it is not heard.
func (p *People) heard(ctx context.Context, key string, b brake) error {
	return p.Brakes.Try(ctx, key, func(tries *person.Tries, now time.Time) error {
		if now.Before(tries.Until) {
			return upkeep.Errorf(upkeep.CodeHeld, "too many failures in a row").
				WithHint("Try again in %s.", tries.Until.Sub(now).Round(time.Second))
		}
		if now.Sub(tries.Last) > forgotten {
			tries.Failures = 0
		}
		tries.Failures++
		tries.Last, tries.Until = now, now.Add(b.wait(tries.Failures))
		return nil
	})
}

// forgive takes back the one try that was right. What was wrong before it
// stays: somebody with an account of their own must not buy tries with it.
func (p *People) forgive(ctx context.Context, key string, b brake) error {
	return p.Brakes.Try(ctx, key, func(tries *person.Tries, now time.Time) error {
		tries.Failures = max(0, tries.Failures-1)
		tries.Until = now.Add(b.wait(tries.Failures))
		return nil
	})
}

// mailKey and the others name what tries are counted by. Addresses of mail are
// not kept: what is typed there may be a password.
func mailKey(mail string) string                  { return "mail:" + hashOf(mail) }
func codeKey(account person.AccountID) string     { return "code:" + account.String() }
func passwordKey(account person.AccountID) string { return "password:" + account.String() }

// addressKey is an address of version 4, or the net of 64 bits that a customer
// of version 6 has.
func addressKey(address string) string {
	at, err := netip.ParseAddr(address)
	if err != nil {
		return "address:" + address
	}
	if at = at.Unmap(); at.Is6() {
		if net, err := at.Prefix(64); err == nil {
			return "address:" + net.String()
		}
	}
	return "address:" + at.String()
}

// small is how mail addresses are compared.
func small(mail string) string { return strings.ToLower(strings.TrimSpace(mail)) }
