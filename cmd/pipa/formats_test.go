package main

import (
	"os"
	"testing"

	"github.com/pipa-uda/pipa/formats"
)

// TestThePageOfDatasetsIsMade: docs/datasets-supported.md is what pipa formats
// --markdown prints.
func TestThePageOfDatasetsIsMade(t *testing.T) {
	page, err := os.ReadFile("../../docs/datasets-supported.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(page) != formatsPage(formats.Layouts()) {
		t.Error("it is not: make it anew with: pipa formats --markdown > docs/datasets-supported.md")
	}
}
