package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
)

func TestItStoresPairsOfMixedImages(t *testing.T) {
	dir := t.TempDir()
	o := fixtures.Options{Width: 1024, GTA: 2, Train: 2, Val: 1, Domains: []fixtures.Domain{fixtures.GTA, fixtures.Cityscapes}}
	if err := fixtures.Write(t.Context(), dir, o); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "pairs")
	os.Args = []string{"mixedcrops", filepath.Join(dir, "gta"), filepath.Join(dir, "cityscapes"), out}
	main()
	d, err := shards.Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if h := d.Header(); h.Kind != pipeline.KindPair || len(h.History) != 3 || d.Len() != 2 {
		t.Errorf("%d rows of %s after %d stages, want 2 of pairs after 3", d.Len(), h.Kind.Plural(), len(h.History))
	}
}
