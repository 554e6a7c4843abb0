package pipeline

import (
	"encoding/json"
	"fmt"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// FormatVersion is the version of the stream format this package writes
// (pipa.version). Readers accept this version only.
const FormatVersion = "1"

// Header is what a stream's schema metadata says about all of its rows.
type Header struct {
	Kind    Kind
	Seed    uint64
	Classes []string // class names by train ID; at most 254
	// Colors are the classes' RGB colors by train ID, one for each class, or
	// nil, as in streams that were written before they were kept: see [raster.Palette].
	Colors  [][3]uint8
	History []Step // the stages so far, oldest first
	// Labeled says that every row has a label. Where it is false rows may
	// lack one, and labels are stored as nullable binary.
	Labeled bool
	// Pseudo says that a stream of samples has predicted labels: each row has
	// its Confidence.
	Pseudo bool
	// Datasets are the values the rows' dataset column may take.
	Datasets []string
	// Size is the one [height, width] every raster of the stream has; zero
	// while sizes vary. It decides whether image columns are binary or
	// fixed-shape tensors.
	Size raster.Size
}

// Step is one entry of a stream's history: a stage with its full parameters.
type Step struct {
	Stage  string          `json:"stage"`
	Params json.RawMessage `json:"params"`
}

// With returns a copy of h with one more history entry. params is encoded as
// JSON; it must be a plain struct of exported fields.
func (h Header) With(stage string, params any) (Header, error) {
	raw, err := json.Marshal(params)
	if err != nil {
		return h, fmt.Errorf("record stage %s in the stream's history: %w", stage, err)
	}
	h.History = append(append([]Step(nil), h.History...), Step{Stage: stage, Params: raw})
	return h, nil
}

// Palette is the colors of the classes: the header's own, or [raster.Palette]'s.
func (h Header) Palette() [][3]uint8 {
	if h.Colors != nil {
		return h.Colors
	}
	return raster.Palette(h.Classes, nil)
}

// Equal reports whether both headers are written alike.
func (h Header) Equal(o Header) bool {
	mine, err := h.metadata()
	others, err2 := o.metadata()
	return err == nil && err2 == nil && mine.Equal(others)
}
