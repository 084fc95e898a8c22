package joomla_test

import (
	"bytes"
	"encoding/json"
	"testing"
)

// What a vendor gave out is kept sealed with the layout, not told.
func TestKeysStayOutOfTheInventory(t *testing.T) {
	p := newPortal(t, nil)
	p.rows["update_sites"][1][4] = "dlid=0123456789abcdef"
	l := p.detect()
	inv, err := p.driver.Inventory(t.Context(), p, l)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(inv)
	if err != nil || bytes.Contains(text, []byte("0123456789abcdef")) {
		t.Errorf("%v: %s", err, text)
	}
	if !bytes.Contains(text, []byte(`\"key\":\"4\"`)) || l.Keys["4"] != "dlid=0123456789abcdef" || len(l.Keys) != 1 {
		t.Errorf("keys %v, inventory %s", l.Keys, text)
	}
}
