package shards

import (
	"fmt"

	"github.com/pipa-uda/pipa/pipeline"
)

// An Agreement is what the shards of a dataset have to have in common: whoever reads
// or checks one shard after the other asks it of each.
type Agreement struct {
	kind   pipeline.Kind
	first  string // the first shard's file
	header *pipeline.Header
}

// Agree begins an Agreement on rows of a kind.
func Agree(kind pipeline.Kind) *Agreement { return &Agreement{kind: kind} }

// Check fails where a shard has rows of another kind than the manifest says, or of
// another schema than the first.
func (a *Agreement) Check(s Shard, h pipeline.Header) error {
	if h.Kind != a.kind {
		return fmt.Errorf("it has %s, the manifest says %s", h.Kind.Plural(), a.kind.Plural())
	}
	if a.header == nil {
		a.first, a.header = s.File, &h
	} else if !a.header.Equal(h) {
		return fmt.Errorf("its schema differs from that of %s", a.first)
	}
	return nil
}
