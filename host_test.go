package upkeep_test

import (
	"testing"

	"upkeep"
)

func TestHopsAreRead(t *testing.T) {
	for text, want := range map[string]upkeep.Hop{
		"ssh://deploy@web1:2222":   {User: "deploy", Address: "web1", Port: 2222},
		"deploy@web1":              {User: "deploy", Address: "web1"},
		"web1.example":             {Address: "web1.example"},
		"ssh://web1/":              {Address: "web1"},
		"ssh://a@[2001:db8::1]:22": {User: "a", Address: "2001:db8::1", Port: 22},
	} {
		hop, err := upkeep.ParseHop(text)
		if err != nil || hop != want {
			t.Errorf("%q: %+v, %v", text, hop, err)
		}
		if again, err := upkeep.ParseHop(hop.String()); err != nil || again != hop {
			t.Errorf("%q written as %q: %+v, %v", text, hop, again, err)
		}
	}
	for _, text := range []string{
		"", "ssh://", "http://web1", "-oProxyCommand=x", "ssh://-oProxyCommand=x", "-l@web1", "a b@web1", "web1:0", "web1:99999", "web1:x",
		"ssh://web1/path", "ssh://web1?x=1", "ssh://me:secret@web1", "web1;id", "$(id)@web1", "web1\n",
	} {
		if hop, err := upkeep.ParseHop(text); upkeep.CodeOf(err) != upkeep.CodeInvalid {
			t.Errorf("%q: %+v, %v", text, hop, err)
		}
	}
}
