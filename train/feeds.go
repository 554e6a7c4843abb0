package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/formats/stats"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/train/feed"
)

// feeds are where a run's batches come from.
type feeds struct {
	source, target, pairs feed.Feed // target and pairs are nil where the recipe needs none
	close                 func() error
}

// A side is a dataset's folder, precomputed or in its official layout.
type side struct {
	loader.Images
	set    *formats.Dataset // nil where it is precomputed
	shards *shards.Dataset  // nil where it is not
	close  func() error
}

// precomputed tells whether the side is a precomputed dataset.
func (c DataConfig) precomputed() bool {
	if c.Dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(c.Dir, shards.ManifestFile))
	return err == nil
}

// openSide opens a side's folder, whose images may declare maxPixels; 0 means
// raster.MaxPixels.
func openSide(c DataConfig, unlabelled bool, maxPixels int) (*side, error) {
	if c.precomputed() {
		d, err := shards.Open(c.Dir)
		if err != nil {
			return nil, err
		}
		images, err := loader.Stored(d)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", c.Dir, err), d.Close())
		}
		return &side{images, nil, d, d.Close}, nil
	}
	l, err := formats.Named(c.Format)
	if err != nil {
		return nil, err
	}
	set, err := formats.Open(l, c.Dir, formats.Options{Split: c.Split, Unlabelled: unlabelled, MaxPixels: maxPixels})
	if err != nil {
		return nil, err
	}
	images, err := loader.Folder(set)
	if err != nil {
		return nil, err
	}
	return &side{images, set, nil, func() error { return nil }}, nil
}

// openFeeds opens what the recipe needs.
func openFeeds(ctx context.Context, cfg Config, o Options) (f *feeds, err error) {
	f = &feeds{}
	var closers []func() error
	f.close = func() error {
		var errs []error
		for _, c := range closers {
			errs = append(errs, c())
		}
		return errors.Join(errs...)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if f.source, err = sourceFeed(ctx, cfg, o, &closers); err != nil {
		return f, err
	}
	if !f.source.Header().Labelled {
		return f, fmt.Errorf("source: the samples are not all labelled")
	}
	if cfg.Adapt.Enabled {
		if f.target, err = targetFeed(ctx, cfg, o, &closers); err != nil {
			return f, err
		}
	}
	if cfg.Patch.Weight > 0 {
		if f.pairs, err = pairFeed(cfg, o, &closers); err != nil {
			return f, err
		}
	}
	return f, nil
}

// sourceFeed opens the labelled side.
func sourceFeed(ctx context.Context, cfg Config, o Options, closers *[]func() error) (feed.Feed, error) {
	if cfg.Source.streamed() {
		return streamFeed(ctx, "source", cfg.Source, o, closers)
	}
	side, err := openNamed("source", cfg.Source, false, o, closers)
	if err != nil {
		return nil, err
	}
	if cfg.RareClasses.Temperature == 0 {
		rows, err := loader.Samples(side, loader.Draws{Seed: cfg.Seed}, cfg.Source.augmentation())
		if err != nil {
			return nil, fmt.Errorf("source: %w", err)
		}
		return drawnFeed("source", rows, cfg.Source, cfg.Seed, o, side)
	}
	rare, err := openRareClasses(cfg, side)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	draw := loader.RareDraw{Classes: rare, Seed: cfg.Seed}
	rows, err := loader.RareSamples(side, draw, cfg.Source.augmentation(), float64(cfg.RareClasses.MinPixels)*cfg.RareClasses.MinCropRatio)
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

// openRareClasses reads the source's class statistics.
func openRareClasses(cfg Config, side *side) (*stats.RareClasses, error) {
	if side.set == nil {
		return nil, fmt.Errorf("rare class sampling needs a dataset's folder with its statistics, and %s is precomputed: set rare_classes.temperature=0", cfg.Source.Dir)
	}
	labels, err := stats.Read(side.set.Dir())
	if err != nil {
		return nil, err
	}
	if labels, err = stats.Align(side.set, labels); err != nil {
		return nil, err
	}
	rare, err := stats.NewRareClasses(labels, cfg.RareClasses.Temperature, cfg.RareClasses.MinPixels)
	if err != nil {
		return nil, err
	}
	return rare, rare.Validate(cfg.RareClasses.MinPixels)
}

// targetFeed opens the unlabelled side. With margins its label column says
// which pixels lie in them: 255 there, 0 elsewhere.
func targetFeed(ctx context.Context, cfg Config, o Options, closers *[]func() error) (feed.Feed, error) {
	if cfg.Target.streamed() {
		return streamFeed(ctx, "target", cfg.Target, o, closers)
	}
	side, err := openNamed("target", cfg.Target, true, o, closers)
	if err != nil {
		return nil, err
	}
	draws := loader.Draws{Seed: cfg.Seed}
	var rows *loader.Rows
	if cfg.Adapt.Margins == [4]int{} {
		rows, err = loader.Samples(side, draws, cfg.Target.augmentation())
	} else {
		rows, err = loader.SamplesWithMargins(side, draws, cfg.Target.augmentation(), cfg.Adapt.Margins)
	}
	if err != nil {
		return nil, fmt.Errorf("target: %w", err)
	}
	return drawnFeed("target", rows, cfg.Target, cfg.Seed, o, side)
}

// augmentation is how a side's samples are cut.
func (c DataConfig) augmentation() augment.Options {
	return augment.Options{Resize: c.Resize, Crop: c.Crop, CatMaxRatio: c.CatMaxRatio, Flip: c.Flip}
}

// streamFeed takes a side's stream as it comes.
func streamFeed(ctx context.Context, name string, c DataConfig, o Options, closers *[]func() error) (feed.Feed, error) {
	if !o.Launch.Alone() {
		return nil, fmt.Errorf("%s: %d ranks cannot share a stream: give a folder, or a precomputed dataset", name, o.Launch.Ranks)
	}
	s, close, err := openStream(ctx, c.Dir, o)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	*closers = append(*closers, close)
	if s.Header.Kind != pipeline.KindSample {
		return nil, fmt.Errorf("%s: the stream is of %s, want samples", name, s.Header.Kind.Plural())
	}
	if z := (raster.Size{Height: c.Crop[0], Width: c.Crop[1]}); s.Header.Size != z {
		return nil, fmt.Errorf("%s: the stream's images are %dx%d, the configuration's crop is %dx%d", name, s.Header.Size.Width, s.Header.Size.Height, z.Width, z.Height)
	}
	return feed.NewStreamed(name, s, c.Batch)
}

// openNamed opens a side for a feed of this name.
func openNamed(name string, c DataConfig, unlabelled bool, o Options, closers *[]func() error) (*side, error) {
	side, err := openSide(c, unlabelled, o.MaxPixels)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	*closers = append(*closers, side.close)
	return side, nil
}

// drawnFeed draws a side's rows in the order of keyed permutations, or in that
// which is kind to slow storage, where the side asks for it.
func drawnFeed(name string, rows *loader.Rows, c DataConfig, seed uint64, o Options, side *side) (*feed.Drawn, error) {
	drawn := &feed.Drawn{Rows: rows, Name: name, Seed: seed, Batch: c.Batch, Workers: o.Workers, Rank: o.Launch.Rank, Ranks: o.Launch.Ranks}
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

// digests identify the run's inputs.
func (f *feeds) digests() map[string]string {
	d := map[string]string{"source": f.source.Digest()}
	if f.target != nil {
		d["target"] = f.target.Digest()
	}
	if f.pairs != nil {
		d["pairs"] = f.pairs.Digest()
	}
	return d
}

// pulled are the feeds under way.
type pulled struct {
	source, target, pairs  func() (*pipeline.Batch, error)
	targetStart, pairStart int // first iterations that have these
	stops                  []func()
}

// start begins the feeds at an iteration; targets come from targetStart on,
// pairs from pairStart.
func (f *feeds) start(ctx context.Context, iteration, targetStart, pairStart int) *pulled {
	p := &pulled{targetStart: targetStart, pairStart: pairStart}
	begin := func(f feed.Feed, from int) func() (*pipeline.Batch, error) {
		if f == nil {
			return nil
		}
		next, stop := feed.Pull(ctx, f, from)
		p.stops = append(p.stops, stop)
		return next
	}
	p.source = begin(f.source, iteration)
	p.target = begin(f.target, max(iteration-targetStart, 0))
	p.pairs = begin(f.pairs, max(iteration-pairStart, 0))
	return p
}

func (p *pulled) stop() {
	for _, s := range p.stops {
		s()
	}
}

// stepBatch is what one step sees; target and pairs may be nil.
type stepBatch struct{ source, target, pairs *pipeline.Batch }

// next is the batch of an iteration.
func (p *pulled) next(iteration int) (b stepBatch, err error) {
	defer func() {
		if err != nil {
			b.release()
		}
	}()
	if b.source, err = p.source(); err != nil {
		return b, err
	}
	if p.target != nil && iteration >= p.targetStart {
		if b.target, err = p.target(); err != nil {
			return b, err
		}
	}
	if p.pairs != nil && iteration >= p.pairStart {
		b.pairs, err = p.pairs()
	}
	return b, err
}

func (b stepBatch) each() []*pipeline.Batch {
	var all []*pipeline.Batch
	for _, x := range []*pipeline.Batch{b.source, b.target, b.pairs} {
		if x != nil {
			all = append(all, x)
		}
	}
	return all
}

// images counts the source's and the target's.
func (b stepBatch) images() int {
	n := b.source.Len()
	if b.target != nil {
		n += b.target.Len()
	}
	return n
}

func (b stepBatch) release() {
	for _, x := range b.each() {
		x.Release()
	}
}

func (b stepBatch) ids() []string {
	var ids []string
	for _, x := range b.each() {
		ids = append(ids, x.IDs()...)
	}
	return ids
}
