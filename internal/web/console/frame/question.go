package frame

// Question asks whether something is to be done, before it is, and says what
// will happen. It is a page with a form, so that it needs no script.
type Question struct {
	Title  string
	Place  string // as in Head
	Trail  []Crumb
	Text   string
	Lines  []string // what will happen, one by one
	Hidden []Crumb  // fields: name and value
	Why    string   // label of a field for a reason; "" for none
	Action string   // path that the form is sent to
	Button string   // what is done
	Danger bool     // something may be lost
	Back   string   // where to go instead
}

// Ask answers with a question.
func (v *Visit) Ask(q Question) error {
	return v.Show(v.frame.question, Head{Title: q.Title, Place: q.Place, Trail: q.Trail}, q)
}
