package augment

import (
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// An Image decodes the rows first up to, not including, last of a sample's
// image, at its full size [H,W,3]; the other rows may hold anything. It is
// called at most once.
type Image func(first, last int) (raster.Raster, error)

// Add augments a sample into a batch, in the batch's own memory where the stage
// crops.
func (s *Stage) Add(out *pipeline.Builder, in pipeline.Sample) error {
	if o := s.options; o.Resize[0] > 0 && o.Crop[0] == 0 {
		// Seen before the memory is asked for.
		h, w := FitSize(in.Image.Height(), in.Image.Width(), o.Resize)
		if raster.CheckPixels(h, w, raster.MaxPixels) != nil {
			return &pipeline.RowSizeError{Kind: pipeline.KindSample, ID: in.ID, Size: raster.Size{Height: h, Width: w}}
		}
	}
	if s.options.Crop[0] == 0 || len(s.filters) > 0 || out.Header().Labeled == in.Label.Empty() {
		return out.AppendSample(s.Sample(in))
	}
	return out.AddSample(func(image, label raster.Raster) (pipeline.Sample, error) { return s.SampleInto(in, image, label) })
}

// AddEncoded is Add for a sample whose label is there and whose image, of
// height×width pixels, has yet to be decoded: no more rows are than the crop
// needs.
func (s *Stage) AddEncoded(out *pipeline.Builder, in pipeline.Sample, height, width int, image Image) error {
	first, last := s.RowsNeeded(in, height, width)
	m, err := image(first, last)
	if err != nil {
		return err
	}
	in.Image = m
	return s.Add(out, in)
}
