package inventory

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRequiredPlugins(t *testing.T) {
	got := requiredPlugins(" woocommerce, akismet,Bad_Slug, -x, woocommerce ,a--b,")
	if strings.Join(got, " ") != "akismet woocommerce" {
		t.Errorf("got %q", got)
	}
}

func FuzzCatalogues(f *testing.F) {
	f.Add([]byte("\xde\x12\x04\x95\x00\x00\x00\x00\x01\x00\x00\x00\x1c\x00\x00\x00\x24\x00\x00\x00\x00\x00\x00\x00\x2c\x00\x00\x00\x00\x00\x00\x00\x2d\x00\x00\x00"))
	f.Add([]byte("msgid \"\"\nmsgstr \"\"\n\"PO-Revision-Date: 2024-01-02 03:04:05+0000\\n\"\n"))
	f.Add([]byte("<?php\nreturn ['po-revision-date'=>'2024-01-02']"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, content []byte) {
		name := filepath.Join(dir, "x.mo")
		if err := os.WriteFile(name, content, 0o600); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for _, catalogue := range catalogues {
			if _, err := catalogue.set.Read(file); err != nil {
				t.Error(err)
			}
		}
	})
}
