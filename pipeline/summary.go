package pipeline

import "github.com/pipa-uda/pipa/pipeline/raster"

// A Summary is what a stream holds, counted row by row.
type Summary struct {
	Kind     Kind        `json:"kind"`
	Version  string      `json:"version"`
	Seed     uint64      `json:"seed"`
	Classes  []string    `json:"classes"`
	History  []Step      `json:"history"`
	Datasets []string    `json:"datasets"`
	Tensor   bool        `json:"tensor"` // the stream has one size, and its rasters are tensors
	Rows     int         `json:"rows"`
	Batches  int         `json:"batches"`
	Bytes    int64       `json:"bytes"`
	Labelled int         `json:"labelled"` // rows that have a label
	Smallest raster.Size `json:"smallest"` // image sizes by their number of pixels
	Largest  raster.Size `json:"largest"`
	// Pixels counts label pixels by train ID, Ignored those of 255, and Unknown
	// those of no class.
	Pixels  []int64 `json:"pixels"`
	Ignored int64   `json:"ignored"`
	Unknown int64   `json:"unknown"`
}

// Summarize reads a stream to its end.
func Summarize(s Stream) (Summary, error) {
	h := s.Header
	out := Summary{Kind: h.Kind, Version: FormatVersion, Seed: h.Seed, Classes: nonNil(h.Classes), History: nonNil(h.History),
		Datasets: nonNil(h.Datasets), Tensor: h.Size.Fixed(), Pixels: make([]int64, len(h.Classes))}
	for b, err := range s.Batches {
		if err != nil {
			return out, err
		}
		err := out.add(b)
		b.Release()
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func (s *Summary) add(b *Batch) error {
	s.Batches++
	s.Bytes += b.Bytes()
	for i := range b.Len() {
		s.Rows++
		if s.Kind == KindPair {
			p, err := b.Pair(i)
			if err != nil {
				return err
			}
			s.row(p.A.Image, p.A.Label)
			s.count(p.B.Label)
			continue
		}
		r, err := b.Sample(i)
		if err != nil {
			return err
		}
		s.row(r.Image, r.Label)
	}
	return nil
}

func (s *Summary) row(image, label raster.Raster) {
	size := raster.Size{Height: image.Height(), Width: image.Width()}
	if area := size.Height * size.Width; s.Rows == 1 || area < s.Smallest.Height*s.Smallest.Width {
		s.Smallest = size
	}
	if area := size.Height * size.Width; area > s.Largest.Height*s.Largest.Width {
		s.Largest = size
	}
	if !label.Empty() {
		s.Labelled++
		s.count(label)
	}
}

func (s *Summary) count(label raster.Raster) {
	var counts [256]int64
	for _, id := range label.Pix() {
		counts[id]++
	}
	for id, n := range counts {
		switch {
		case id < len(s.Pixels):
			s.Pixels[id] += n
		case raster.TrainID(id) == raster.Ignore:
			s.Ignored += n
		default:
			s.Unknown += n
		}
	}
}
