package train

import (
	"context"
	"errors"
	"fmt"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/classmix"
	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/data"
)

// pairsName is the feed of crop pairs, in keys and messages.
const pairsName = "pairs"

// pairFeed opens a precomputed pair dataset, or cuts pairs from target images
// or from mixed ones.
func pairFeed(cfg config.Config, o Options, closers *[]func() error) (feed *data.Drawn, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", pairsName, err)
		}
	}()
	if cfg.Patch.Pairs != "" {
		feed, err = precomputedPairs(cfg, closers)
	} else {
		feed, err = cutPairs(cfg, o, closers)
	}
	if err != nil {
		return nil, err
	}
	feed.Name, feed.Seed, feed.Batch, feed.Workers = pairsName, cfg.Seed, cfg.Patch.Batch, o.Workers
	feed.Rank, feed.Ranks = o.Launch.Rank, o.Launch.Ranks
	return feed, feed.Validate()
}

func precomputedPairs(cfg config.Config, closers *[]func() error) (*data.Drawn, error) {
	d, err := shards.Open(cfg.Patch.Pairs)
	if err != nil {
		return nil, err
	}
	*closers = append(*closers, d.Close)
	h := d.Header()
	if h.Kind != pipeline.KindPair || h.Size.Height != cfg.Patch.Crop {
		return nil, fmt.Errorf("%s holds %s of %dx%d, want pairs of side %d (patch.crop)", cfg.Patch.Pairs, h.Kind.Plural(), h.Size.Width, h.Size.Height, cfg.Patch.Crop)
	}
	return &data.Drawn{
		Items: d.Len(), RowHeader: h, Identity: d.Manifest().Digest,
		Append: func(_ context.Context, out *pipeline.Builder, item int, _ uint64) error {
			return d.AppendRow(out, item)
		},
	}, nil
}

// cutPairs cuts pairs as they are asked for.
func cutPairs(cfg config.Config, o Options, closers *[]func() error) (*data.Drawn, error) {
	images, err := openPairImages(cfg, o, closers)
	if err != nil {
		return nil, err
	}
	options := crops.Default()
	options.Size, options.Base, options.Scale, options.IoU = cfg.Patch.Crop, cfg.Patch.Base, cfg.Patch.Scale, cfg.Patch.IoU
	first, err := crops.New(options, cfg.Seed, 0)
	if err != nil {
		return nil, err
	}
	header, err := first.Header(images.header)
	if err != nil {
		return nil, err
	}
	return &data.Drawn{
		Items: images.items, RowHeader: header, Identity: images.identity,
		Append: func(ctx context.Context, out *pipeline.Builder, item int, epoch uint64) error {
			stage, err := crops.New(options, cfg.Seed, epoch)
			if err != nil {
				return err
			}
			return images.add(ctx, out, item, epoch, stage)
		},
	}, nil
}

// pairImages are what pairs are cut from: one image for each of the target's,
// in each epoch. They have no labels.
type pairImages struct {
	header   pipeline.Header
	identity string
	items    int
	add      func(ctx context.Context, out *pipeline.Builder, item int, epoch uint64, stage *crops.Stage) error
}

func openPairImages(cfg config.Config, o Options, closers *[]func() error) (*pairImages, error) {
	open := func(side string, c config.Data, unlabelled bool) (*collection, error) {
		if c.Streamed() {
			return nil, fmt.Errorf("they cannot be cut from a %s that is a stream: precompute them (patch.pairs), or give the %s as a folder", side, side)
		}
		col, err := openCollection(c, unlabelled, o.MaxPixels)
		if err == nil {
			*closers = append(*closers, col.close)
		}
		return col, err
	}
	target, err := open("target", cfg.Target, true)
	if err != nil {
		return nil, err
	}
	if cfg.Patch.Image == "target" {
		return &pairImages{target.header, target.identity, target.items, func(ctx context.Context, out *pipeline.Builder, item int, _ uint64, stage *crops.Stage) error {
			return target.add(ctx, out, item, stage, nil)
		}}, nil
	}
	source, err := open("source", cfg.Source, false)
	if err != nil {
		return nil, err
	}
	if source.items == 0 {
		return nil, errors.New("the source has no samples to mix in")
	}
	crop := func(c config.Data, s pipeline.Sample, epoch uint64) (pipeline.Sample, error) {
		stage, err := augment.New(augmentation(c), cfg.Seed, epoch)
		if err != nil {
			return s, err
		}
		return stage.Sample(s), nil
	}
	read := func(ctx context.Context, item int, epoch uint64) (pipeline.Sample, error) {
		t, err := target.read(ctx, item)
		if err != nil {
			return t, err
		}
		partner := pipeline.NewKey(cfg.Seed, epoch, "pair source", t.ID).Rand().IntN(source.items)
		s, err := source.read(ctx, partner)
		if err != nil {
			return s, err
		}
		if s, err = crop(cfg.Source, s, epoch); err != nil {
			return s, err
		}
		if t, err = crop(cfg.Target, t, epoch); err != nil {
			return t, err
		}
		mixed, err := classmix.Mix(s, t, cfg.Seed, classmix.Options{Epoch: epoch})
		t.Image, t.Label = mixed.Image, raster.Raster{}
		return t, err
	}
	return &pairImages{target.header, target.identity + "+" + source.identity, target.items, func(ctx context.Context, out *pipeline.Builder, item int, epoch uint64, stage *crops.Stage) error {
		s, err := read(ctx, item, epoch)
		if err != nil {
			return err
		}
		return stage.Add(out, s)
	}}, nil
}
