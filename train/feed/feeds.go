package feed

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/train/config"
)

// Feeds are where a run's batches come from.
type Feeds struct {
	Source, Target, Pairs Feed // Target and Pairs are nil where the recipe needs none
	Close                 func() error
}

// Options say how feeds are opened.
type Options struct {
	Workers     int       // goroutines that prepare batches
	MaxPixels   int       // what an image of a folder may declare; 0 means raster.MaxPixels
	Rank, Ranks int       // this process's place among those that share each batch; Ranks 0 is one alone
	Stdin       io.Reader // the source stream where the source's dir is "-"; nil is standard input
	Bad         *Bad      // the samples that may be left out; nil is none
	Statistics  string    // the spare file of [Statistics]
	// The layouts that a program brings; nil is that which the configuration names.
	SourceLayout, TargetLayout *formats.Layout
}

// Open opens what the recipe needs.
func Open(ctx context.Context, cfg config.Config, o Options) (f *Feeds, err error) {
	f = &Feeds{}
	var closers []func() error
	f.Close = func() error {
		var errs []error
		for _, c := range closers {
			errs = append(errs, c())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	if f.Source, err = sourceFeed(ctx, cfg, o, &closers); err != nil {
		return f, err
	}
	if !f.Source.Header().Labeled {
		return f, fmt.Errorf("source: the samples are not all labeled")
	}
	if cfg.Adapt.Enabled {
		if f.Target, err = targetFeed(ctx, cfg, o, &closers); err != nil {
			return f, err
		}
	}
	if cfg.Patch.Weight > 0 {
		if f.Pairs, err = pairFeed(cfg, o, &closers); err != nil {
			return f, err
		}
	}
	return f, nil
}

// sourceFeed opens the labeled side.
func sourceFeed(ctx context.Context, cfg config.Config, o Options, closers *[]func() error) (Feed, error) {
	if cfg.Source.Streamed() {
		return streamFeed(ctx, "source", cfg.Source, o, closers)
	}
	side, err := openNamed("source", cfg.Source, o.SourceLayout, false, cfg.Seed, o, closers)
	if err != nil {
		return nil, err
	}
	if cfg.RareClasses.Temperature == 0 {
		rows, err := loader.Samples(side, loader.Draws{Seed: cfg.Seed}, augmentation(cfg.Source))
		if err != nil {
			return nil, fmt.Errorf("source: %w", err)
		}
		return drawnFeed("source", rows, cfg.Source, cfg.Seed, o, side)
	}
	rare, err := openRareClasses(cfg, side, o.Statistics)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	draw := loader.RareDraw{Classes: rare, Seed: cfg.Seed}
	rows, err := loader.RareSamples(side, draw, augmentation(cfg.Source), float64(cfg.RareClasses.MinPixels)*cfg.RareClasses.MinCropRatio)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	drawn, err := drawnFeed("source", rows, cfg.Source, cfg.Seed, o, side)
	if err != nil {
		return nil, err
	}
	drawn.Order = func(k int) (epoch uint64, item int) {
		_, item = draw.At(uint64(k))
		return uint64(k), item
	}
	return drawn, nil
}

// targetFeed opens the unlabeled side. With margins its label column says
// which pixels lie in them: 255 there, 0 elsewhere.
func targetFeed(ctx context.Context, cfg config.Config, o Options, closers *[]func() error) (Feed, error) {
	if cfg.Target.Streamed() {
		return streamFeed(ctx, "target", cfg.Target, o, closers)
	}
	side, err := openNamed("target", cfg.Target, o.TargetLayout, true, cfg.Seed, o, closers)
	if err != nil {
		return nil, err
	}
	draws := loader.Draws{Seed: cfg.Seed}
	var rows *loader.Rows
	if cfg.Adapt.Margins == [4]int{} {
		rows, err = loader.Samples(side, draws, augmentation(cfg.Target))
	} else {
		rows, err = loader.SamplesWithMargins(side, draws, augmentation(cfg.Target), cfg.Adapt.Margins)
	}
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	return drawnFeed("target", rows, cfg.Target, cfg.Seed, o, side)
}

// streamFeed takes a side's stream as it comes.
func streamFeed(ctx context.Context, name string, c config.Data, o Options, closers *[]func() error) (Feed, error) {
	if o.Ranks > 1 {
		return nil, fmt.Errorf("%s: %d ranks cannot share a stream: give a folder, or a precomputed dataset", name, o.Ranks)
	}
	s, close, err := openStream(ctx, c.Dir, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, &DamagedError{err, piped(c.Dir, o.Stdin)})
	}
	*closers = append(*closers, close)
	if s.Header.Kind != pipeline.KindSample {
		return nil, fmt.Errorf("%s: the stream is of %s, want samples", name, s.Header.Kind.Plural())
	}
	if z := (raster.Size{Height: c.Crop[0], Width: c.Crop[1]}); s.Header.Size != z {
		return nil, fmt.Errorf("%s: the stream's images are %dx%d, the configuration's crop is %dx%d", name, s.Header.Size.Width, s.Header.Size.Height, z.Width, z.Height)
	}
	batches := s.Batches
	s.Batches = func(yield func(*pipeline.Batch, error) bool) {
		for b, err := range batches {
			if err != nil {
				err = &DamagedError{err, piped(c.Dir, o.Stdin)}
			}
			if !yield(b, err) {
				return
			}
		}
	}
	return NewStreamed(name, s, c.Batch)
}

// drawnFeed draws a side's rows in the order of keyed permutations, or in that
// which is kind to slow storage, where the side asks for it.
func drawnFeed(name string, rows *loader.Rows, c config.Data, seed uint64, o Options, side *Side) (*Drawn, error) {
	drawn := &Drawn{Rows: rows, Name: name, Seed: seed, Batch: c.Batch, Workers: o.Workers, Rank: o.Rank, Ranks: o.Ranks}
	if c.Order == "window" {
		if side.shards == nil {
			return nil, fmt.Errorf("%s: order window is that of a precomputed dataset, and %s is a folder of images", name, c.Dir)
		}
		drawn.Order = func(k int) (epoch uint64, item int) {
			epoch = uint64(k / rows.Items)
			walk, err := side.shards.Walk(shards.WindowOrder, seed, epoch)
			if err != nil {
				panic(err) // the order is a known one
			}
			return epoch, walk.At(k % rows.Items)
		}
	}
	return drawn, drawn.Validate()
}

// openStream opens standard input or a pipe.
func openStream(ctx context.Context, dir string, o Options) (pipeline.Stream, func() error, error) {
	in, err := open.Open(ctx, dir, open.Options{Stdin: o.Stdin})
	if err != nil {
		return pipeline.Stream{}, nil, err
	}
	return in.Stream, in.Close, nil
}

// Digests identify the run's inputs.
func (f *Feeds) Digests() map[string]string {
	d := map[string]string{"source": f.Source.Digest()}
	if f.Target != nil {
		d["target"] = f.Target.Digest()
	}
	if f.Pairs != nil {
		d["pairs"] = f.Pairs.Digest()
	}
	return d
}
