package crops

import (
	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/pipeline"
)

// Add cuts a sample's pair into a batch's own memory.
func (s *Stage) Add(out *pipeline.Builder, in pipeline.Sample) error {
	if out.Header().Labeled == in.Label.Empty() { // rows may lack labels
		return out.AppendPair(s.Pair(in))
	}
	return out.AddPair(func(p *pipeline.Pair) error { return s.PairInto(in, p) })
}

// AddEncoded is Add for a sample whose image, of height×width pixels, has yet
// to be decoded: no more rows are than the crops need.
func (s *Stage) AddEncoded(out *pipeline.Builder, in pipeline.Sample, height, width int, image augment.Image) error {
	first, last := s.RowsNeeded(in.ID, height, width)
	m, err := image(first, last)
	if err != nil {
		return err
	}
	in.Image = m
	return s.Add(out, in)
}
