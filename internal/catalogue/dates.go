package catalogue

import (
	"strconv"
	"time"
)

// months and weekdays are short, as lists and tables show them.
func (t *Texts) months() [12]string {
	if t.language == French {
		return [12]string{"janv.", "févr.", "mars", "avr.", "mai", "juin", "juil.", "août", "sept.", "oct.", "nov.", "déc."}
	}
	return [12]string{"Jan.", "Feb.", "Mar.", "Apr.", "May", "June", "July", "Aug.", "Sept.", "Oct.", "Nov.", "Dec."}
}

func (t *Texts) weekdays() [7]string {
	if t.language == French {
		return [7]string{"dim.", "lun.", "mar.", "mer.", "jeu.", "ven.", "sam."}
	}
	return [7]string{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"}
}

// Day returns a date as people read it: "mar. 3 déc. 2026", "Tue 3 Dec. 2026".
func (t *Texts) Day(d time.Time) string {
	return t.Weekday(d.Weekday()) + " " + strconv.Itoa(d.Day()) + noBreak + t.Month(d.Month()) + noBreak + strconv.Itoa(d.Year())
}

// Weekday returns the short name of a day of the week.
func (t *Texts) Weekday(d time.Weekday) string { return t.weekdays()[d] }

// Month returns the short name of a month.
func (t *Texts) Month(m time.Month) string { return t.months()[m-1] }
