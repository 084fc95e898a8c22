package planning

import (
	"cmp"

	"upkeep"
	"upkeep/cmd/upkeep/console"
	"upkeep/cmd/upkeep/show"
	"upkeep/internal/terminal"
)

// showRollout shows a release's way through the fleet.
func showRollout(e *console.Env, r *upkeep.RolloutView, format string) error {
	if format == "json" {
		return terminal.JSON(e.Stdout, r)
	}
	if format == "table" {
		fields := []terminal.Field{
			{Label: e.Text("col.component"), Value: r.Component + " " + string(r.Version), Paint: terminal.Bold},
			{Label: e.Text("col.confidence"), Value: cmp.Or(show.Confidence(e, &r.Confidence), "–")},
		}
		if r.Hold != nil {
			fields = append(fields, terminal.Field{Label: e.Text("col.held_since"), Paint: terminal.Warn,
				Value: terminal.Instant(r.Hold.Created) + " · " + e.Texts.Code("because", r.Hold.Because, nil)})
		}
		for _, w := range r.Stages {
			fields = append(fields, terminal.Field{Label: waveName(e, w.Number), Value: waveText(e, &w), Paint: wavePaint(&w)})
		}
		if err := e.Out.Fields("", fields); err != nil {
			return err
		}
	}
	return waveSites(e).Write(e.Out, format, placesOf(r))
}

func waveName(e *console.Env, number int) string {
	switch number {
	case upkeep.Canaries:
		return e.Text("wave.canaries")
	case upkeep.Tenth:
		return e.Text("wave.tenth")
	}
	return e.Text("wave.everyone")
}

// waveText says since when a wave is open and what came of it.
func waveText(e *console.Env, w *upkeep.Wave) string {
	text := e.Text("wave.waits")
	switch {
	case w.Broken:
		text = e.Text("wave.broken")
	case !w.Ended.IsZero():
		text = e.Text("wave.ended", "since", terminal.Instant(w.Ended))
	case !w.Opens.IsZero():
		text = e.Text("wave.opens", "since", terminal.Instant(w.Opens))
	}
	return text + " · " + e.Text("wave.counts", "count", len(w.Sites), "kept", w.Applied, "failed", w.Failed)
}

func wavePaint(w *upkeep.Wave) terminal.Paint {
	switch {
	case w.Broken:
		return terminal.Bad
	case !w.Ended.IsZero():
		return terminal.Good
	}
	return terminal.Plain
}

// place is a site with its wave.
type place struct {
	wave int
	upkeep.WaveSite
}

func placesOf(r *upkeep.RolloutView) []place {
	var all []place
	for _, w := range r.Stages {
		for _, site := range w.Sites {
			all = append(all, place{w.Number, site})
		}
	}
	return all
}

func waveSites(e *console.Env) *terminal.List[place] {
	return &terminal.List[place]{
		Empty: e.Text("wave.none"),
		ID:    func(x *place) string { return x.Site },
		Columns: []terminal.Column[place]{
			{Title: e.Text("col.wave"), Name: "wave", Cell: func(x *place) string { return waveName(e, x.wave) }},
			{Title: e.Text("col.site"), Name: "site", Wrap: true, Cell: func(x *place) string { return x.Site }},
			{Title: e.Text("col.result"), Name: "result", Cell: func(x *place) string { return placeResult(e, x) },
				Raw: func(x *place) string { return string(x.Result) }},
			{Title: e.Text("col.at"), Name: "at", Cell: func(x *place) string { return terminal.Instant(x.At) },
				Raw: func(x *place) string { return show.Instant(x.At) }},
		},
	}
}

func placeResult(e *console.Env, x *place) string {
	switch {
	case x.Result != "":
		return e.Texts.Code("result", string(x.Result), nil)
	case x.Away:
		return e.Text("wave.away")
	}
	return "–"
}
