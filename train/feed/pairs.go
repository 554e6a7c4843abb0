package feed

import (
	"context"
	"fmt"

	"github.com/pipa-uda/pipa/crops"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/train/config"
)

// pairsName is the feed of crop pairs, in keys and messages.
const pairsName = "pairs"

// pairFeed opens a precomputed pair dataset, or cuts pairs from target images
// or from mixed ones as they are asked for.
func pairFeed(cfg config.Config, o Options, closers *[]func() error) (drawn *Drawn, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("%s: %w", pairsName, err)
		}
	}()
	var rows *loader.Rows
	if cfg.Patch.Pairs != "" {
		rows, err = precomputedPairs(cfg, closers)
	} else {
		rows, err = cutPairs(cfg, o, closers)
	}
	if err != nil {
		return nil, err
	}
	drawn = &Drawn{Rows: rows, Name: pairsName, Seed: cfg.Seed, Batch: cfg.Patch.Batch, Workers: o.Workers, Rank: o.Rank, Ranks: o.Ranks}
	return drawn, drawn.Validate()
}

func precomputedPairs(cfg config.Config, closers *[]func() error) (*loader.Rows, error) {
	d, err := shards.Open(cfg.Patch.Pairs)
	if err != nil {
		return nil, damaged(err)
	}
	*closers = append(*closers, d.Close)
	h := d.Header()
	if h.Kind != pipeline.KindPair || h.Size.Height != cfg.Patch.Crop {
		return nil, fmt.Errorf("%s holds %s of %dx%d, want pairs of side %d (patch.crop)", cfg.Patch.Pairs, h.Kind.Plural(), h.Size.Width, h.Size.Height, cfg.Patch.Crop)
	}
	rows := loader.Precomputed(d)
	rows.Append = func(_ context.Context, out *pipeline.Builder, item int, _ uint64) error {
		return damaged(d.AppendRow(out, item))
	}
	return rows, nil
}

func cutPairs(cfg config.Config, o Options, closers *[]func() error) (*loader.Rows, error) {
	open := func(name string, c config.Data, custom *formats.Layout, unlabeled bool) (loader.Side, error) {
		if c.Streamed() {
			return loader.Side{}, fmt.Errorf("they cannot be cut from a %s that is a stream: precompute them (patch.pairs), or give the %s as a folder", name, name)
		}
		s, err := OpenSide(c, custom, unlabeled, o.MaxPixels)
		if err != nil {
			return loader.Side{}, err
		}
		*closers = append(*closers, s.Close)
		if o.Bad != nil {
			s.Images = spared{s.Images, o.Bad, cfg.Seed}
		}
		return loader.Side{Images: s, Options: augmentation(c)}, nil
	}
	target, err := open("target", cfg.Target, o.TargetLayout, true)
	if err != nil {
		return nil, err
	}
	options, draws := pairCrops(cfg.Patch), loader.Draws{Seed: cfg.Seed}
	if cfg.Patch.Image == "target" {
		return loader.Pairs(target.Images, draws, options)
	}
	source, err := open("source", cfg.Source, o.SourceLayout, false)
	if err != nil {
		return nil, err
	}
	return loader.MixedPairs(source, target, draws, options)
}

// crops says how pairs are cut.
func pairCrops(c config.Patch) crops.Options {
	o := crops.Default()
	o.Size, o.Base, o.Scale, o.IoU = c.Crop, c.Base, c.Scale, c.IoU
	return o
}
