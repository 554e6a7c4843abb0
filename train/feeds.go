package train

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/pipa-uda/pipa/augment"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/data"
)

// feeds are where a run's batches come from.
type feeds struct {
	source, target, pairs data.Feed // target and pairs are nil where the recipe needs none
	close                 func() error
}

// collection is random access to samples: a dataset folder or a precomputed
// one.
type collection struct {
	header   pipeline.Header
	identity string
	items    int
	dataset  *formats.Dataset // nil where it is precomputed
	shards   *shards.Dataset  // nil where it is not
	read     func(ctx context.Context, i int) (pipeline.Sample, error)
	close    func() error
	readers  sync.Pool // of *formats.Reader, where there is a dataset
}

// An encodedStage makes a row of a sample, decoding no more of its image than
// it needs.
type encodedStage interface {
	Add(out *pipeline.Builder, in pipeline.Sample) error
	AddEncoded(out *pipeline.Builder, in pipeline.Sample, height, width int, image augment.Image) error
}

// add makes a row of item i. label, where it is not nil, makes the label of an
// image of height×width.
func (c *collection) add(ctx context.Context, out *pipeline.Builder, i int, stage encodedStage, label func(height, width int) raster.Raster) error {
	if c.dataset == nil {
		s, err := c.read(ctx, i)
		if err != nil {
			return err
		}
		if label != nil {
			s.Label = label(s.Image.Height(), s.Image.Width())
		}
		return stage.Add(out, s)
	}
	r := c.readers.Get().(*formats.Reader)
	defer c.readers.Put(r)
	s, h, w, err := r.Open(ctx, i)
	if err != nil {
		return err
	}
	if label != nil {
		s.Label = label(h, w)
	}
	return stage.AddEncoded(out, s, h, w, r.Image)
}

// precomputed tells whether the side is a precomputed dataset.
func precomputed(c config.Data) bool {
	if c.Dir == "" {
		return false
	}
	_, err := os.Stat(filepath.Join(c.Dir, shards.ManifestFile))
	return err == nil
}

// openCollection opens a dataset folder, precomputed or in its official layout,
// whose images may declare maxPixels; 0 means raster.MaxPixels.
func openCollection(c config.Data, unlabelled bool, maxPixels int) (*collection, error) {
	if precomputed(c) {
		d, err := shards.Open(c.Dir)
		if err != nil {
			return nil, err
		}
		if d.Header().Kind != pipeline.KindSample {
			return nil, errors.Join(fmt.Errorf("%s holds %s, want samples", c.Dir, d.Header().Kind.Plural()), d.Close())
		}
		read := func(_ context.Context, i int) (pipeline.Sample, error) {
			number, row := d.Find(i)
			b, err := d.Batch(number)
			if err != nil {
				return pipeline.Sample{}, err
			}
			return b.Sample(row)
		}
		return &collection{header: d.Header(), identity: d.Manifest().Digest, items: d.Len(), shards: d, read: read, close: d.Close}, nil
	}
	d, err := formats.Open(c.Format, c.Dir, formats.Options{Split: c.Split, Unlabelled: unlabelled, MaxPixels: maxPixels})
	if err != nil {
		return nil, err
	}
	identity, err := d.Digest()
	if err != nil {
		return nil, err
	}
	return &collection{header: d.Header(), identity: identity, items: d.Len(), dataset: d, read: d.Read, close: func() error { return nil },
		readers: sync.Pool{New: func() any { return d.NewReader() }}}, nil
}

// openFeeds opens what the recipe needs.
func openFeeds(ctx context.Context, cfg config.Config, o Options) (f *feeds, err error) {
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
func sourceFeed(ctx context.Context, cfg config.Config, o Options, closers *[]func() error) (data.Feed, error) {
	if cfg.Source.Streamed() {
		return streamFeed(ctx, "source", cfg.Source, o, closers)
	}
	feed, col, err := drawnFeed("source", cfg.Source, cfg.Seed, o, false, closers)
	if err != nil || cfg.RareClasses.Temperature == 0 {
		return feed, err
	}
	rare, err := openRareClasses(cfg, col)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	options := augmentation(cfg.Source)
	draw := func(k uint64) (raster.TrainID, int) {
		return rare.Draw(pipeline.NewKey(cfg.Seed, k, "rare class", "source").Rand())
	}
	feed.Order = func(k int) (epoch uint64, item int) {
		_, item = draw(uint64(k))
		return uint64(k), item
	}
	least := float64(cfg.RareClasses.MinPixels) * cfg.RareClasses.MinCropRatio
	feed.Append = func(ctx context.Context, out *pipeline.Builder, item int, k uint64) error {
		class, _ := draw(k)
		s, err := col.read(ctx, item)
		if err != nil {
			return err
		}
		return out.AppendSample(cropWithClass(s, options, cfg.Seed, k, class, least))
	}
	return feed, nil
}

// cropWithClass crops a sample, and up to ten times anew until more than least
// pixels are of a class; the last crop is taken as it is (lhoyer/DAFormer
// mmseg/datasets/uda_dataset.py, get_rare_class_sample).
func cropWithClass(s pipeline.Sample, o augment.Options, seed, k uint64, class raster.TrainID, least float64) pipeline.Sample {
	const attempts = 11
	for attempt := range uint64(attempts) {
		stage, err := augment.New(o, seed, k*attempts+attempt)
		if err != nil {
			panic(err) // the same options have passed before
		}
		crop := stage.Sample(s)
		if attempt == attempts-1 || float64(bytes.Count(crop.Label.Pix(), []byte{byte(class)})) > least {
			return crop
		}
	}
	panic("unreachable")
}

// openRareClasses reads the source's class statistics.
func openRareClasses(cfg config.Config, col *collection) (*formats.RareClasses, error) {
	if col.dataset == nil {
		return nil, fmt.Errorf("rare class sampling needs a dataset's folder with its statistics, and %s is precomputed: set rare_classes.temperature=0", cfg.Source.Dir)
	}
	stats, err := formats.ReadClassStats(col.dataset.Dir())
	if err != nil {
		return nil, err
	}
	if stats, err = col.dataset.AlignStats(stats); err != nil {
		return nil, err
	}
	rare, err := formats.NewRareClasses(stats, cfg.RareClasses.Temperature, cfg.RareClasses.MinPixels)
	if err != nil {
		return nil, err
	}
	return rare, rare.Validate(cfg.RareClasses.MinPixels)
}

// targetFeed opens the unlabelled side. With margins its label column says
// which pixels lie in them: 255 there, 0 elsewhere.
func targetFeed(ctx context.Context, cfg config.Config, o Options, closers *[]func() error) (data.Feed, error) {
	if cfg.Target.Streamed() {
		return streamFeed(ctx, "target", cfg.Target, o, closers)
	}
	feed, col, err := drawnFeed("target", cfg.Target, cfg.Seed, o, true, closers)
	if err != nil || cfg.Adapt.Margins == [4]int{} {
		return feed, err
	}
	options := augmentation(cfg.Target)
	feed.RowHeader.Labelled = true
	feed.Append = func(ctx context.Context, out *pipeline.Builder, item int, epoch uint64) error {
		stage, err := augment.New(options, cfg.Seed, epoch)
		if err != nil {
			return err
		}
		return col.add(ctx, out, item, stage, func(h, w int) raster.Raster { return marginMask(h, w, options.Resize, cfg.Adapt.Margins) })
	}
	return feed, nil
}

// marginMask is 255 in the margins [top, bottom, left, right] and 0 elsewhere.
// They are given in pixels of the resized image; the mask has the image's own
// size.
func marginMask(h, w int, resize [2]int, margins [4]int) raster.Raster {
	rh, rw := h, w
	if resize[0] > 0 {
		rh, rw = augment.FitSize(h, w, resize)
	}
	y0, y1 := margins[0]*h/rh, h-margins[1]*h/rh
	x0, x1 := margins[2]*w/rw, w-margins[3]*w/rw
	mask := raster.New(h, w, 1)
	for i := range mask.Pix() {
		if y, x := i/w, i%w; y < y0 || y >= y1 || x < x0 || x >= x1 {
			mask.Pix()[i] = byte(raster.Ignore)
		}
	}
	return mask
}

// augmentation is how a side's samples are cut.
func augmentation(c config.Data) augment.Options {
	return augment.Options{Resize: c.Resize, Crop: c.Crop, CatMaxRatio: c.CatMaxRatio, Flip: c.Flip}
}

// streamFeed takes a side's stream as it comes.
func streamFeed(ctx context.Context, name string, c config.Data, o Options, closers *[]func() error) (data.Feed, error) {
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
	return data.NewStreamed(name, s, c.Batch)
}

// drawnFeed opens a side's folder, and cuts its samples in the order of keyed
// permutations.
func drawnFeed(name string, c config.Data, seed uint64, o Options, unlabelled bool, closers *[]func() error) (*data.Drawn, *collection, error) {
	col, err := openCollection(c, unlabelled, o.MaxPixels)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	*closers = append(*closers, col.close)
	options := augmentation(c)
	first, err := augment.New(options, seed, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	header, err := first.Header(col.header)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	feed := &data.Drawn{
		Name: name, Seed: seed, Items: col.items, Batch: c.Batch, Workers: o.Workers, Rank: o.Launch.Rank, Ranks: o.Launch.Ranks, RowHeader: header, Identity: col.identity,
		Append: func(ctx context.Context, out *pipeline.Builder, item int, epoch uint64) error {
			stage, err := augment.New(options, seed, epoch)
			if err != nil {
				return err
			}
			return col.add(ctx, out, item, stage, nil)
		},
	}
	if err := windowed(feed, c, col); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return feed, col, feed.Validate()
}

// windowed gives a feed the order that is kind to slow storage, where the side
// asks for it.
func windowed(feed *data.Drawn, c config.Data, col *collection) error {
	if c.Order != "window" {
		return nil
	}
	if col.shards == nil {
		return fmt.Errorf("order window is that of a precomputed dataset, and %s is a folder of images", c.Dir)
	}
	feed.Order = func(k int) (epoch uint64, item int) {
		epoch = uint64(k / col.items)
		walk, err := col.shards.Walk(shards.WindowOrder, feed.Seed, epoch)
		if err != nil {
			panic(err) // the order is a known one
		}
		return epoch, walk.At(k % col.items)
	}
	return nil
}

// openStream opens standard input or a pipe.
func openStream(ctx context.Context, dir string, o Options) (pipeline.Stream, func() error, error) {
	if dir != "-" {
		return open.Stream(ctx, dir)
	}
	in := o.Stdin
	if in == nil {
		in = os.Stdin
	}
	s, err := pipeline.Read(ctx, in)
	return s, func() error { return nil }, err
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
	begin := func(feed data.Feed, from int) func() (*pipeline.Batch, error) {
		if feed == nil {
			return nil
		}
		next, stop := data.Pull(ctx, feed, from)
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
