package terminal

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"upkeep"
)

// Record is an intervention with what belongs to it, to be laid out.
type Record struct {
	Intervention  *upkeep.Intervention
	Site          string
	Before, After *upkeep.Backup
	Holds         []upkeep.Hold
	Tasks         []upkeep.Task
}

// recordWidth is the widest a record gets, for reading.
const recordWidth = 100

// Record writes the record of an intervention: what became of each update,
// how long the site was frozen, both backups, the verdict, what is held and
// asked of people, and what to try next.
func (s *Screen) Record(r *Record) error {
	page := *s
	if page.Width == 0 || page.Width > recordWidth {
		page.Width = recordWidth
	}
	for _, part := range []func(*Record) error{page.recordHead, page.outcomes} {
		if err := part(r); err != nil {
			return err
		}
	}
	return page.Fields("  ", slices.Concat(page.facts(r), page.people(r), page.next(r)))
}

func (s *Screen) recordHead(r *Record) error {
	iv, now := r.Intervention, s.Clock()
	state := s.Words.Code("state", string(iv.State), nil)
	title := s.Words.Text("record.title", "id", iv.ID, "site", r.Site)
	when := Instant(iv.Created)
	if !iv.Started.IsZero() {
		end := iv.Ended
		if end.IsZero() {
			end = now
		}
		when = Instant(iv.Started) + " · " + s.Words.Span(end.Sub(iv.Started))
	}
	room := max(2, s.Width-Columns(title)-3-Columns(state)-Columns(when))
	_, err := fmt.Fprintf(s.Out, "%s%s%s%s%s\n%s\n", s.In(Bold, title), s.In(Dim, " · "), s.In(StateIn(iv.State), state),
		strings.Repeat(" ", room), s.In(Dim, when), s.In(Dim, strings.Repeat("─", s.Width)))
	return err
}

// line is one update in the record.
type line struct {
	upkeep.Outcome
	security bool
}

func (s *Screen) outcomes(r *Record) error {
	lines := r.lines()
	if len(lines) == 0 {
		return nil
	}
	widths := [3]int{}
	for _, l := range lines {
		widths[0] = max(widths[0], min(Columns(l.Ref), s.Width/2-8))
		widths[1] = max(widths[1], Columns(string(l.From)))
		widths[2] = max(widths[2], Columns(string(l.To)))
	}
	for _, l := range lines {
		note := s.Words.Code("result", string(l.Result), nil)
		if l.security {
			note += s.Words.Text("record.security")
		}
		if l.Detail != "" {
			note += " · " + s.Words.Say(l.Why())
		}
		head, err := s.name(l, widths[0])
		if err != nil {
			return err
		}
		head += fmt.Sprintf("  %s → %s  ", pad(string(l.From), widths[1]), pad(string(l.To), widths[2]))
		indent := 2 + widths[0] + 2 + widths[1] + 3 + widths[2] + 2
		for i, part := range Wrap(Line(note), max(20, s.Width-indent)) {
			if i > 0 {
				head = strings.Repeat(" ", indent)
			}
			if _, err := fmt.Fprintln(s.Out, head+s.In(resultIn(l.Result), part)); err != nil {
				return err
			}
		}
	}
	_, err := fmt.Fprintln(s.Out)
	return err
}

// name returns the beginning of an update's line. A name that is too long for
// its column gets lines of its own above: which component it is must not be
// guessed.
func (s *Screen) name(l line, width int) (string, error) {
	ref := Line(l.Ref)
	if Columns(ref) <= width {
		return s.mark(l.Result) + " " + pad(ref, width), nil
	}
	head := s.mark(l.Result) + " "
	for _, part := range Wrap(ref, max(20, s.Width-2)) {
		if _, err := fmt.Fprintln(s.Out, head+part); err != nil {
			return "", err
		}
		head = "  "
	}
	return pad("", 2+width), nil
}

// lines are the outcomes; updates without one yet are shown as planned.
func (r *Record) lines() []line {
	var lines []line
	for _, batch := range r.Intervention.Batches {
		for i := range batch.Updates {
			u := &batch.Updates[i]
			l := line{upkeep.Outcome{Ref: u.Ref(), From: u.Component.Version, To: u.Release.Version, Result: "planned"}, u.Security}
			at := slices.IndexFunc(r.Intervention.Outcomes, func(o upkeep.Outcome) bool { return o.Ref == l.Ref })
			if at >= 0 {
				l.Outcome = r.Intervention.Outcomes[at]
			}
			if slices.ContainsFunc(r.Holds, func(h upkeep.Hold) bool { return h.Component == l.Ref }) {
				l.Detail = "" // the hold below says why
			}
			lines = append(lines, l)
		}
	}
	return lines
}

func (s *Screen) mark(result upkeep.Result) string {
	switch result {
	case upkeep.Applied:
		return s.In(Good, "✓")
	case upkeep.Guilty:
		return s.In(Bad, "✗")
	}
	return s.In(Dim, "·")
}

func resultIn(result upkeep.Result) Paint {
	switch result {
	case upkeep.Applied:
		return Good
	case upkeep.Guilty:
		return Bad
	}
	return Dim
}

func pad(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-Columns(text)))
}

func (s *Screen) facts(r *Record) []Field {
	iv := r.Intervention
	fields := []Field{
		{s.Words.Text("record.error"), s.failure(iv.Error), Bad},
		{s.Words.Text("record.frozen"), s.frozen(iv), Plain},
		{s.Words.Text("record.before"), s.backup(r.Before), backupIn(r.Before)},
		{s.Words.Text("record.after"), s.backup(r.After), backupIn(r.After)},
	}
	label := s.Words.Text("record.verdict")
	for _, f := range s.Verdict(iv.Verdict) {
		f.Label, label = label, ""
		fields = append(fields, f)
	}
	fields = append(fields, s.Identity(iv.Identity))
	if iv.Search.Trials > 0 {
		fields = append(fields, Field{s.Words.Text("record.search"), s.Words.Text("record.trials", "count", iv.Search.Trials), Plain})
	}
	return fields
}

func (s *Screen) failure(e *upkeep.Error) string {
	if e == nil {
		return ""
	}
	message, hint := s.Words.Say(upkeep.TextOf(e)), s.Words.Say(upkeep.HintTextOf(e))
	if hint == "" {
		return message
	}
	return message + " – " + hint
}

func (s *Screen) frozen(iv *upkeep.Intervention) string {
	if iv.FrozenAt.IsZero() {
		return s.Words.Text("record.never_frozen")
	}
	span := s.Words.Span(iv.Frozen(s.Clock()))
	if iv.ThawedAt.IsZero() {
		return s.Words.Text("record.still_frozen", "span", span, "from", clockTime(iv.FrozenAt))
	}
	return s.Words.Text("record.frozen_span", "span", span, "from", clockTime(iv.FrozenAt), "to", clockTime(iv.ThawedAt))
}

func (s *Screen) backup(b *upkeep.Backup) string {
	if b == nil {
		return "–"
	}
	state := "record.incomplete"
	switch {
	case b.Complete && !b.Verified.IsZero():
		state = "record.verified"
	case b.Complete:
		state = "record.unverified"
	}
	return strings.Join([]string{
		s.Words.Text("record.backup", "id", b.ID),
		clockTime(b.Taken),
		s.Words.Text("record.files", "count", b.Files),
		s.Words.Text("record.tables", "count", b.Tables),
		s.Words.Bytes(b.Bytes) + s.Words.Text("record.added", "bytes", s.Words.Bytes(b.Added)),
		s.Words.Text(state),
	}, " · ")
}

func backupIn(b *upkeep.Backup) Paint {
	if b != nil && (!b.Complete || b.Verified.IsZero()) {
		return Bad
	}
	return Plain
}

// Verdict describes a verdict: one line when all holds, else one for each
// check that does not.
func (s *Screen) Verdict(v *upkeep.Verdict) []Field {
	if v == nil {
		return nil
	}
	if v.OK() {
		passed := slices.DeleteFunc(slices.Clone(v.Checks), func(c upkeep.Check) bool { return c.Held })
		return []Field{{"", s.Words.Text("record.good", "count", len(passed)), Good}}
	}
	failures := v.Failures()
	fields := []Field{{"", s.Words.Text("record.bad", "count", len(failures), "all", len(v.Checks)), Bad}}
	for i := range failures {
		fields = append(fields, Field{"", s.Check(&failures[i]), Bad})
	}
	return fields
}

// Check describes one check with what it wanted and got.
func (s *Screen) Check(c *upkeep.Check) string {
	text := s.Words.Code("check", c.Code, nil)
	if text == c.Code { // a finding that counts as one
		text = s.Words.Code("finding", c.Code, nil)
	}
	if c.Subject != "" {
		text += " " + c.Subject
	}
	if c.Component != "" && c.Component != c.Subject {
		text += " (" + c.Component + ")"
	}
	if c.OK || c.Want == "" && c.Got == "" {
		return text
	}
	return s.Words.Text("record.want_got", "check", text, "want", short(s.Words.Say(c.Wanted())), "got", short(s.Words.Say(c.Gave())))
}

// Passed describes a check that says nothing against the site.
func (s *Screen) Passed(c *upkeep.Check) Field {
	if c.Held {
		return Field{"", "· " + s.Words.Text("record.check_held", "check", s.Check(c)), Warn}
	}
	return Field{"", "✓ " + s.Check(c), Plain}
}

func short(text string) string {
	if text == "" {
		return "–"
	}
	return Cut(text, 120)
}

// Identity describes the proof of an undo; nothing for none.
func (s *Screen) Identity(id *upkeep.Identity) Field {
	switch label := s.Words.Text("record.undo"); {
	case id == nil:
		return Field{}
	case id.Proven():
		return Field{label, s.Words.Text("record.identical", "digest", Cut(id.Before, 13)), Good}
	default:
		return Field{label, s.Words.Text("record.not_identical", "count", len(id.Differences)), Bad}
	}
}

// people is what is held and what only a person can do.
func (s *Screen) people(r *Record) []Field {
	fields := []Field{blank()}
	label := s.Words.Text("record.holds")
	for i := range r.Holds {
		h := &r.Holds[i]
		subject := strings.TrimSpace(h.Component + " " + string(h.Version))
		fields = append(fields, Field{label, subject + " · " + s.Reason(h.Reason), Warn})
		label = ""
	}
	label = s.Words.Text("record.tasks")
	for i := range r.Tasks {
		t := &r.Tasks[i]
		text := s.Words.Code("task", t.Code, t.Params)
		if t.Component != "" {
			text = t.Component + " · " + text
		}
		fields = append(fields, Field{label, text, Warn})
		label = ""
	}
	if len(fields) == 1 {
		return nil
	}
	return fields
}

// next is the commands that make sense now.
func (s *Screen) next(r *Record) []Field {
	iv := r.Intervention
	var commands []string
	if !iv.State.Ended() {
		commands = append(commands, fmt.Sprintf("upkeep intervention cancel %s", iv.ID))
	}
	switch iv.State {
	case upkeep.Partial, upkeep.Undone:
		commands = append(commands, "upkeep update list "+r.Site)
	case upkeep.Failed:
		commands = append(commands, "upkeep doctor")
	case upkeep.Cancelled:
		commands = append(commands, "upkeep site update "+r.Site)
	case upkeep.Incident:
		commands = append(commands, "upkeep site verify "+r.Site)
	}
	commands = append(commands, fmt.Sprintf("upkeep intervention log %s", iv.ID))
	if before := r.Before; before != nil && before.Complete && (iv.State == upkeep.Done || iv.State == upkeep.Partial || iv.State == upkeep.Incident) {
		commands = append(commands, fmt.Sprintf("upkeep backup restore %s --in-place", before.ID))
	}
	fields := []Field{blank()}
	label := s.Words.Text("record.next")
	for _, c := range commands {
		fields = append(fields, Field{label, c, Bold})
		label = ""
	}
	return fields
}

// Since writes how long ago t was, "–" for never.
func (s *Screen) Since(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return s.Words.Text("since", "span", s.Words.Span(max(0, s.Clock().Sub(t))))
}
