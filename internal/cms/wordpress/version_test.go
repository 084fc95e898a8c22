package wordpress

import "testing"

func TestVersionMeets(t *testing.T) {
	for _, test := range []struct {
		have, want string
		meets      bool
	}{
		{"6.4", "6.4", true},
		{"6.4", "6.4.0", true},
		{"6.4", "6.4.1", false},
		{"6.5-RC2", "6.5", true},
		{"6.4.2", " 6.4 ", true},
		{"6.9", "6.10", false},
		{"6.4", "", true},
	} {
		if got := VersionMeets(test.have, test.want); got != test.meets {
			t.Errorf("%s meets %q: %v", test.have, test.want, got)
		}
	}
}
