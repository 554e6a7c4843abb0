package loader

import (
	"bytes"
	"context"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/formats/stats"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// A RareDraw draws classes, and samples that have them, by rare class sampling
// (docs/method.md, Rare class sampling).
type RareDraw struct {
	Classes *stats.RareClasses
	Seed    uint64
}

// At is the k-th draw.
func (d RareDraw) At(k uint64) (class raster.TrainID, item int) {
	return d.Classes.Draw(pipeline.NewKey(d.Seed, k, "rare class", "source").Rand())
}

// RareSamples are [Samples] that show a rare class: the row of epoch k is a crop
// with the k-th draw's class, and item is that draw's. A crop is drawn anew, up to
// ten times, until more than least of its pixels are of the class; the last is
// taken as it is (lhoyer/DAFormer mmseg/datasets/uda_dataset.py,
// get_rare_class_sample).
func RareSamples(images Images, d RareDraw, o augment.Options, least float64) (*Rows, error) {
	rows, err := Samples(images, Draws{Seed: d.Seed}, o)
	if err != nil {
		return nil, err
	}
	rows.Append = func(ctx context.Context, out *pipeline.Builder, item int, k uint64) error {
		class, _ := d.At(k)
		return images.Visit(ctx, item, func(it Item) error {
			s, err := it.whole()
			if err != nil {
				return err
			}
			crop, err := cropWithClass(s, o, d.Seed, k, class, least)
			if err != nil {
				return err
			}
			return out.AppendSample(crop)
		})
	}
	return rows, nil
}

func cropWithClass(s pipeline.Sample, o augment.Options, seed, k uint64, class raster.TrainID, least float64) (crop pipeline.Sample, err error) {
	const attempts = 11
	for attempt := range uint64(attempts) {
		stage, err := augment.New(o, seed, k*attempts+attempt)
		if err != nil {
			return crop, err
		}
		crop = stage.Sample(s)
		if float64(bytes.Count(crop.Label.Pix(), []byte{byte(class)})) > least {
			break
		}
	}
	return crop, nil
}
