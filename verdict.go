package upkeep

import "time"

// Page is an address that verification looks at.
type Page struct {
	Host string `json:"host,omitempty"` // of another site that the same code serves, with its port when it has one of its own
	Path string `json:"path"`           // with query, relative to the site's URL: "/", "/wp-login.php", "/?rest_route=/"
	Role string `json:"role"`           // "home", "article", "login", "api", "extra"
}

// String is how a page is called: by its path, and by its host when that is not
// the site's.
func (p Page) String() string { return p.Host + p.Path }

// Probe is what one request for a page gave.
type Probe struct {
	Page     Page          `json:"page"`
	Status   int           `json:"status"` // 0 when nothing answered
	FinalURL string        `json:"final_url,omitempty"`
	Title    string        `json:"title,omitempty"`
	Size     int64         `json:"size"`
	Type     string        `json:"type,omitempty"`    // media type
	Digest   string        `json:"digest,omitempty"`  // of the normalised text
	Markers  []string      `json:"markers,omitempty"` // error texts and structural marks found: "critical_error", "php_fatal", "html_end"
	Cached   bool          `json:"cached,omitempty"`  // a cache answered, in spite of us
	Elapsed  time.Duration `json:"elapsed"`
	Error    string        `json:"error,omitempty"`
	Why      *Text         `json:"why,omitempty"` // what Error is made of
}

// Fail notes why nothing answered.
func (p *Probe) Fail(err error) {
	text := TextOf(err)
	p.Error, p.Why = text.String(), &text
}

// Said is why nothing answered, with what that is made of.
func (p *Probe) Said() Text {
	if p.Error == "" {
		return Words("no answer")
	}
	return madeOf(p.Why, p.Error)
}

// Check is one question that verification asked.
type Check struct {
	Code      string `json:"code"` // catalogue key: "version", "schema", "active", "page", "log", "package_content", "bootstrap"
	Subject   string `json:"subject,omitempty"`
	Component string `json:"component,omitempty"` // ref, when the check concerns one
	OK        bool   `json:"ok"`
	Want      string `json:"want,omitempty"`
	WantText  *Text  `json:"want_text,omitempty"` // what Want is made of, where it is words
	Got       string `json:"got,omitempty"`
	GotText   *Text  `json:"got_text,omitempty"`
	Held      bool   `json:"held,omitempty"` // it keeps updates of the component waiting, and says nothing against the site
}

// Fail notes that the check does not hold, because of err.
func (c *Check) Fail(err error) {
	c.OK = false
	c.Get(TextOf(err))
}

// Expect notes what the check wants, in words.
func (c *Check) Expect(want Text) { c.Want, c.WantText = want.String(), &want }

// Get notes what the check got, in words.
func (c *Check) Get(got Text) { c.Got, c.GotText = got.String(), &got }

// Wanted is what the check wants, with what that is made of.
func (c *Check) Wanted() Text { return madeOf(c.WantText, c.Want) }

// Gave is what the check got, with what that is made of.
func (c *Check) Gave() Text { return madeOf(c.GotText, c.Got) }

// Verdict is what verification concludes, with its evidence.
type Verdict struct {
	At     time.Time `json:"at"`
	Checks []Check   `json:"checks"`
}

// OK reports whether every check holds. A verdict without checks is not one.
func (v *Verdict) OK() bool {
	for i := range v.Checks {
		if !v.Checks[i].OK {
			return false
		}
	}
	return len(v.Checks) > 0
}

// Failures returns the checks that do not hold.
func (v *Verdict) Failures() []Check {
	var failed []Check
	for _, check := range v.Checks {
		if !check.OK {
			failed = append(failed, check)
		}
	}
	return failed
}
