package infer

import (
	"encoding/json"
	"fmt"
	"math"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/eval"
)

// Result is how a network scores on a labeled split. Shares are fractions; a
// class that neither labels nor predictions have is null.
type Result struct {
	Iteration int        `json:"iteration"`
	Network   string     `json:"network"` // student or teacher
	Images    int        `json:"images"`
	Classes   []string   `json:"classes"`
	Colors    [][3]uint8 `json:"colours,omitempty"` // of the classes; nil means raster.Palette's
	IoU       []Fraction `json:"iou"`
	Accuracy  []Fraction `json:"accuracy"`
	AllPixels Fraction   `json:"all_pixels"`
	MIoU      Fraction   `json:"miou"`   // over all classes
	MIoU16    Fraction   `json:"miou16"` // over SYNTHIA's classes, for the 19 of Cityscapes
	MIoU13    Fraction   `json:"miou13"`
	Confusion []int64    `json:"confusion"` // pixels by label (rows) and prediction (columns)
	// Changes are what became of a run's data while it lasted, and LeftOut the samples
	// that could not be read, in the result that it ends with.
	Changes []checkpoint.Change `json:"data_changes,omitempty"`
	LeftOut int                 `json:"left_out,omitempty"`
}

// Fraction is a float64 whose NaN is JSON's null.
type Fraction float64

// MarshalJSON implements json.Marshaler.
func (f Fraction) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(f)) {
		return []byte("null"), nil
	}
	return json.Marshal(float64(f))
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Fraction) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		*f = Fraction(math.NaN())
		return nil
	}
	return json.Unmarshal(b, (*float64)(f))
}

// Validate checks that there is as much of everything as there are classes.
func (r *Result) Validate() error {
	n := len(r.Classes)
	if len(r.IoU) != n || len(r.Accuracy) != n || len(r.Confusion) != n*n {
		return fmt.Errorf("it has %d IoUs, %d accuracies and a confusion of %d for %d classes", len(r.IoU), len(r.Accuracy), len(r.Confusion), n)
	}
	return pipeline.Header{Classes: r.Classes, Colors: r.Colors}.Validate()
}

// Palette is the colors of the classes.
func (r *Result) Palette() [][3]uint8 {
	return pipeline.Header{Classes: r.Classes, Colors: r.Colors}.Palette()
}

// Scores are the result as eval's, for its table.
func (r *Result) Scores() eval.Scores {
	s := eval.Scores{AllPixels: float64(r.AllPixels)}
	for i := range r.IoU {
		s.IoU = append(s.IoU, float64(r.IoU[i]))
		s.Accuracy = append(s.Accuracy, float64(r.Accuracy[i]))
	}
	return s
}

func newResult(images int, h pipeline.Header, c *eval.Confusion) *Result {
	s := c.Scores()
	r := &Result{Images: images, Classes: h.Classes, Colors: h.Colors, AllPixels: Fraction(s.AllPixels),
		MIoU: Fraction(s.Mean(nil)), MIoU16: Fraction(math.NaN()), MIoU13: Fraction(math.NaN()), Confusion: c.Counts}
	if eval.AreCityscapes(h.Classes) {
		r.MIoU16, r.MIoU13 = Fraction(s.Mean(eval.Synthia16)), Fraction(s.Mean(eval.Synthia13))
	}
	for i := range s.IoU {
		r.IoU = append(r.IoU, Fraction(s.IoU[i]))
		r.Accuracy = append(r.Accuracy, Fraction(s.Accuracy[i]))
	}
	return r
}
