package precompute

import (
	"context"
	"fmt"

	"github.com/pipa-uda/pipa/pipeline/storage"
)

// RunOptions say which share of a job to do.
type RunOptions struct {
	// Index and Of choose the shards s with s mod Of = Index; Of 0 chooses all.
	Index, Of int
	Workers   int
	// Source and Mixed say where the inputs lie, if not where the plan has them.
	Source, Mixed string
	// MaxPixels is the most that the plan may let an image declare; 0 means
	// raster.MaxPixels.
	MaxPixels int
	Progress  func(rows int) // done so far, of RowsOf; nil is silent
}

// RowsOf is the number of rows of a share.
func (p *Plan) RowsOf(index, of int) int {
	rows := 0
	for s := index; s < p.Shards; s += max(of, 1) {
		from, to := p.shard(s)
		rows += to - from
	}
	return rows
}

// Run makes a share of a plan's shards in dir, which it creates. Shards that are
// finished already are passed over, so that a run that was killed is continued
// by running it again. Two processes with the same share are refused.
func Run(ctx context.Context, p *Plan, dir string, o RunOptions) error {
	o.Of = max(o.Of, 1)
	if o.Index < 0 || o.Index >= o.Of {
		return fmt.Errorf("precompute: share %d of %d does not exist", o.Index, o.Of)
	}
	folder, err := storage.Open(ctx, dir)
	if err != nil {
		return fmt.Errorf("precompute: %w", err)
	}
	m, err := openMaker(ctx, p, folder, MakerOptions{Workers: o.Workers, Source: o.Source, Mixed: o.Mixed, MaxPixels: o.MaxPixels})
	if err != nil {
		return err
	}
	unlock, err := folder.Lock(fmt.Sprintf(".lock-%d-of-%d", o.Index, o.Of))
	if err != nil {
		return fmt.Errorf("precompute: %w", err)
	}
	defer unlock()
	if err := m.claim(); err != nil { // again, as nobody else has the share now
		return err
	}
	rows := 0
	for s := o.Index; s < p.Shards; s += o.Of {
		var progress func(int)
		if o.Progress != nil {
			progress = func(done int) { o.Progress(rows + done) }
		}
		shard, err := m.make(ctx, s, progress)
		if err != nil {
			return err
		}
		if rows += shard.Rows; o.Progress != nil {
			o.Progress(rows)
		}
	}
	return nil
}
