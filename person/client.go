package person

import (
	"net/mail"
	"strings"
	"time"

	"upkeep"
)

// Client is whoever owns sites and signs for a plan.
type Client struct {
	Name     string    `json:"name"`  // short, unique, what operators type
	Title    string    `json:"title"` // what people read: "Boulangerie Martin"
	Mail     string    `json:"mail,omitempty"`
	Language string    `json:"language,omitempty"` // of what is written to them
	Contacts []Contact `json:"contacts,omitempty"`
	Created  time.Time `json:"created"`
}

// Contact is a person of a client, who need not sign in.
type Contact struct {
	Name  string `json:"name"`
	Mail  string `json:"mail,omitempty"`
	Phone string `json:"phone,omitempty"`
	Role  string `json:"role,omitempty"` // in their house: "direction", "technique"
}

// mostContacts bounds what a client keeps, far above what makes sense.
const mostContacts = 50

// Validate returns CodeInvalid naming the first field that is wrong.
func (c *Client) Validate() error {
	if err := upkeep.ValidClientName(c.Name); err != nil {
		return err
	}
	if err := validLine("title", c.Title, true); err != nil {
		return err
	}
	if err := validMail(c.Mail); err != nil {
		return err
	}
	if err := validLanguage(c.Language); err != nil {
		return err
	}
	if len(c.Contacts) > mostContacts {
		return upkeep.Errorf(upkeep.CodeInvalid, "%d contacts: want at most %d", len(c.Contacts), mostContacts)
	}
	for _, contact := range c.Contacts {
		if err := contact.validate(); err != nil {
			return err
		}
	}
	return nil
}

// validLanguage returns CodeInvalid for a language that nothing is written in.
func validLanguage(language string) error {
	switch language {
	case "", "fr", "en":
		return nil
	}
	return upkeep.Errorf(upkeep.CodeInvalid, "language %q: want fr or en", language)
}

func (c *Contact) validate() error {
	if err := validLine("contact", c.Name, true); err != nil {
		return err
	}
	if err := validLine("phone", c.Phone, false); err != nil {
		return err
	}
	if err := validLine("role", c.Role, false); err != nil {
		return err
	}
	return validMail(c.Mail)
}

func validLine(name, text string, needed bool) error {
	if needed && text == "" || len(text) > 100 || strings.ContainsFunc(text, isControl) {
		return upkeep.Errorf(upkeep.CodeInvalid, "%s %q: want 1 to 100 characters on one line", name, text)
	}
	return nil
}

func validMail(address string) error {
	if address == "" {
		return nil
	}
	if at, err := mail.ParseAddress(address); err != nil || at.Address != address || len(address) > 254 {
		return upkeep.Errorf(upkeep.CodeInvalid, "mail address %q: want one such as ann@example.org", address)
	}
	return nil
}
