package stats

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/pipa-uda/pipa/pipeline/raster"
)

// RareClasses is DAFormer's rare class sampling (Hoyer et al., 2022, section
// 3.2; lhoyer/DAFormer mmseg/datasets/uda_dataset.py): a class is drawn with
// probability P(c), then one of the samples that have enough of it.
type RareClasses struct {
	Classes       []raster.TrainID // that occur, rarest first
	Pixels        []int64          // of each
	Probabilities []float64        // of each; they add up to 1
	Samples       [][]int          // of each: the samples with more than the least pixels
}

// NewRareClasses takes the statistics of a dataset's labels, in the order of its samples.
// Probabilities are softmax((1-f)/temperature) of the classes' frequencies f.
func NewRareClasses(labels []Label, temperature float64, minPixels int64) (*RareClasses, error) {
	if !(temperature > 0) {
		return nil, fmt.Errorf("rare class sampling: temperature is %v, want more than 0", temperature)
	}
	r := &RareClasses{}
	r.Classes, r.Pixels = totals(labels)
	if len(r.Classes) == 0 {
		return nil, fmt.Errorf("rare class sampling: the statistics have no labeled pixels")
	}
	var all int64
	for _, n := range r.Pixels {
		all += n
	}
	sum := 0.0
	for _, n := range r.Pixels {
		// Relative to the rarest class, whose exponent is the largest.
		p := math.Exp(float64(r.Pixels[0]-n) / float64(all) / temperature)
		r.Probabilities = append(r.Probabilities, p)
		sum += p
	}
	for i, c := range r.Classes {
		r.Probabilities[i] /= sum
		var samples []int
		for k, s := range labels {
			if s.Pixels[c] > minPixels {
				samples = append(samples, k)
			}
		}
		r.Samples = append(r.Samples, samples)
	}
	return r, nil
}

// Validate fails where a class could be drawn that no sample has enough of.
func (r *RareClasses) Validate(minPixels int64) error {
	for i, c := range r.Classes {
		if len(r.Samples[i]) == 0 {
			return fmt.Errorf("rare class sampling: no sample has more than %d pixels of class %d: lower the least pixels", minPixels, c)
		}
	}
	return nil
}

// Draw chooses a class and a sample that has it.
func (r *RareClasses) Draw(rng *rand.Rand) (class raster.TrainID, sample int) {
	u := rng.Float64()
	i := 0
	for i < len(r.Classes)-1 && u >= r.Probabilities[i] {
		u -= r.Probabilities[i]
		i++
	}
	return r.Classes[i], r.Samples[i][rng.IntN(len(r.Samples[i]))]
}
