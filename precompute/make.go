package precompute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/loader"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
)

// InputOptions name a dataset of a job.
type InputOptions struct {
	Format, Dir, Split string // Format is one of formats.Named
	Unlabeled          bool
	// Report are the problems that a check of the same dataset has found. With
	// it the plan hashes the files and trusts the report; without it (nil) it
	// decodes every sample.
	Report []Quarantined
}

// Options are what a plan needs besides the job.
type Options struct {
	Source    InputOptions
	Mixed     InputOptions // where images are mixed: the target
	Shards    int          // 0 means files of about 256 MiB
	Batch     int          // rows of a record batch; 0 means 1 for samples that keep their size, else 4
	Workers   int
	MaxPixels int
	// MaxBad is how many samples may be left out before New fails.
	MaxBad   int
	Progress func(done, total int) // nil is silent
}

// TooManyBad says that more samples were bad than MaxBad allows.
type TooManyBad struct {
	Bad    []Quarantined
	Allows int
}

func (e *TooManyBad) Error() string {
	last := e.Bad[len(e.Bad)-1]
	return fmt.Sprintf("%d samples cannot be read, %d are allowed; the last: %s: %s", len(e.Bad), e.Allows, last.File, last.Reason)
}

// shardBytes is what a file should have where the number of shards is not
// given.
const shardBytes = 256 << 20

// New makes a plan. Samples that cannot be read are settled here, once, so
// that the order of the rest never shifts.
func New(ctx context.Context, job Job, o Options) (*Plan, error) {
	if err := job.Validate(); err != nil {
		return nil, err
	}
	p := &Plan{Format: planFormat, Rules: loader.Rules, Job: job, Shards: o.Shards, Batch: o.Batch}
	if o.MaxPixels != raster.MaxPixels {
		p.MaxPixels = o.MaxPixels
	}
	bad := 0
	var bytes int64 // of the largest row
	var err error
	if p.Source, bytes, err = survey(ctx, o.Source, o, o.MaxBad); err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	if bad = len(p.Source.Quarantined); job.Mixes() {
		mixed, _, err := survey(ctx, o.Mixed, o, o.MaxBad-bad)
		if err != nil {
			return nil, fmt.Errorf("plan: %w", err)
		}
		p.Mixed = &mixed
	}
	if n := p.rowBytes(); n > 0 {
		bytes = n
	} else if p.Batch == 0 {
		p.Batch = 1
	}
	if p.Batch == 0 {
		p.Batch = 4
	}
	if p.Batch = int(min(int64(p.Batch), max(pipeline.BatchBytes/max(bytes, 1), 1))); p.Shards == 0 {
		p.Shards = max(int((int64(p.Rows())*bytes+shardBytes-1)/shardBytes), 1)
	}
	p.Shards = min(p.Shards, max(p.Rows(), 1))
	if err := p.validate(); err != nil {
		return nil, err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("plan: %w", err)
	}
	p.Digest, err = digestOf(text)
	return p, err
}

// survey lists an input's good samples with their seals, and its bad ones.
// bytes is what the largest sample's pixels take.
func survey(ctx context.Context, in InputOptions, o Options, maxBad int) (out Input, bytes int64, err error) {
	l, err := formats.Named(in.Format)
	if err != nil {
		return out, 0, err
	}
	d, err := OpenSet(ctx, l, in.Dir, formats.Options{Split: in.Split, Unlabeled: in.Unlabeled, MaxPixels: o.MaxPixels})
	if err != nil {
		return out, 0, err
	}
	out = Input{Format: in.Format, Dir: in.Dir, Split: d.Split, Unlabeled: in.Unlabeled, Items: []Item{}, Quarantined: []Quarantined{}}
	if text := d.Layout.Map.Text; text != "" {
		// The plan has the map inside, and its root as it is now.
		out.Format, out.Map, out.Dir = formats.Own, text, d.Dir()
	}
	if s, err := d.Layout.Split(d.Split); err == nil && !s.Labeled() {
		out.Unlabeled = true
	}
	reported := map[string]Quarantined{}
	for _, q := range in.Report {
		reported[q.ID] = q
	}
	type seen struct {
		item  Item
		bytes int64
		bad   *Quarantined
	}
	look := func(ctx context.Context, i int) (seen, error) {
		if q, bad := reported[d.Entries[i].ID]; bad {
			return seen{bad: &q}, nil
		}
		e, err := d.Load(ctx, i)
		s := seen{item: Item{ID: e.ID, Image: sealOf(e.ImageBytes)}}
		if e.LabelBytes != nil {
			label := sealOf(e.LabelBytes)
			s.item.Label = &label
		}
		if err == nil && (in.Report == nil || i == 0) { // one decode tells the size
			var sample pipeline.Sample
			sample, err = d.Decode(e)
			s.bytes = int64(len(sample.Image.Pix()) + len(sample.Label.Pix()))
		}
		var p formats.Problem
		if errors.As(err, &p) {
			return seen{bad: &Quarantined{p.ID, p.File, p.Err.Error()}}, nil
		}
		return s, err
	}
	indices := func(yield func(int, error) bool) {
		for i := range d.Len() {
			if !yield(i, nil) {
				return
			}
		}
	}
	done := 0
	for s, err := range pipeline.Map(ctx, o.Workers, indices, look, nil) {
		if err != nil {
			return out, 0, err
		}
		if s.bad == nil {
			out.Items = append(out.Items, s.item)
			bytes = max(bytes, s.bytes)
		} else if out.Quarantined = append(out.Quarantined, *s.bad); len(out.Quarantined) > maxBad {
			return out, 0, &TooManyBad{out.Quarantined, maxBad}
		}
		if done++; o.Progress != nil {
			o.Progress(done, d.Len())
		}
	}
	return out, bytes, nil
}
