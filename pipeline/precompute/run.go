package precompute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/pipa-uda/pipa/pipeline"
)

// RunOptions say which share of a job to do.
type RunOptions struct {
	// Index and Of choose the shards s with s mod Of = Index; Of 0 chooses all.
	Index, Of int
	Workers   int
	// Source and Mixed say where the inputs lie, if not where the plan has them.
	Source, Mixed string
	Progress      func(rows int) // done so far, of RowsOf; nil is silent
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
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("precompute: %w", err)
	}
	unlock, err := pipeline.Lock(dir, fmt.Sprintf(".lock-%d-of-%d", o.Index, o.Of))
	if err != nil {
		return fmt.Errorf("precompute: %w", err)
	}
	defer unlock()
	if err := claim(p, dir); err != nil {
		return fmt.Errorf("precompute into %s: %w", dir, err)
	}
	m, err := newMaker(p, o.Source, o.Mixed)
	if err != nil {
		return fmt.Errorf("precompute: %w", err)
	}
	rows := 0
	for s := o.Index; s < p.Shards; s += o.Of {
		if err := m.shard(ctx, dir, s, o, rows); err != nil {
			return fmt.Errorf("precompute shard %d of %d: %w", s, p.Shards, err)
		}
		from, to := p.shard(s)
		if rows += to - from; o.Progress != nil {
			o.Progress(rows)
		}
	}
	return nil
}

// claim puts the plan into the folder, or checks that it is the one there.
func claim(p *Plan, dir string) error {
	path := filepath.Join(dir, PlanFile)
	there, err := ReadPlan(path)
	switch {
	case missing(err):
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if e.Name()[0] != '.' && e.Name() != PlanFile {
				return fmt.Errorf("it holds %s, and no plan: choose another folder", e.Name())
			}
		}
		return pipeline.WriteFile(path, p.Write)
	case err != nil:
		return err
	case there.Digest != p.Digest:
		return fmt.Errorf("it holds the shards of another plan, %s, this one is %s: choose another folder", there.Digest, p.Digest)
	}
	return nil
}

// sidecar lies beside a finished shard.
type sidecar struct {
	pipeline.Shard
	Plan string `json:"plan"` // its digest
}

func sidecarFile(s int) string { return fmt.Sprintf("part-%05d.json", s) }

// shard makes one shard, unless it is finished.
func (m *maker) shard(ctx context.Context, dir string, s int, o RunOptions, before int) error {
	if _, err := m.plan.finished(dir, s); err == nil {
		return nil
	} else if !missing(err) && !errors.Is(err, errUnfinished) {
		return err
	}
	// What a killed process has left of this shard.
	stale, err := filepath.Glob(filepath.Join(dir, fmt.Sprintf(".tmp-part-%05d.*", s)))
	if err != nil {
		return err
	}
	for _, f := range stale {
		if err := os.Remove(f); err != nil && !missing(err) {
			return err
		}
	}
	from, to := m.plan.shard(s)
	stream := m.batches(ctx, from, to, o.Workers)
	if o.Progress != nil {
		stream = pipeline.Counted(stream, func(rows int) { o.Progress(before + rows) })
	}
	shard, err := pipeline.WriteShard(ctx, dir, s, stream)
	if err != nil {
		return err
	}
	text, err := json.MarshalIndent(sidecar{shard, m.plan.Digest}, "", "  ")
	if err != nil {
		return err
	}
	return pipeline.WriteFile(filepath.Join(dir, sidecarFile(s)), func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// errUnfinished marks a shard that has to be made.
var errUnfinished = errors.New("not finished")

// finished reads a shard's sidecar and checks it against plan and file. Its
// error is errUnfinished, or that a file is missing, where the shard is to be
// made again.
func (p *Plan) finished(dir string, s int) (pipeline.Shard, error) {
	path := filepath.Join(dir, sidecarFile(s))
	text, err := os.ReadFile(path)
	if err != nil {
		return pipeline.Shard{}, err
	}
	var c sidecar
	if err := json.Unmarshal(text, &c); err != nil {
		return c.Shard, fmt.Errorf("%s: %w: %w", path, errUnfinished, err)
	}
	from, to := p.shard(s)
	if c.Plan != p.Digest || c.File != pipeline.ShardFile(s) || c.Rows != to-from {
		return c.Shard, fmt.Errorf("%s: %w: it is of another plan", path, errUnfinished)
	}
	info, err := os.Stat(filepath.Join(dir, c.File))
	if err != nil {
		return c.Shard, err
	}
	if info.Size() != c.Bytes {
		return c.Shard, fmt.Errorf("%s: %w: the file has %d bytes, the sidecar says %d", path, errUnfinished, info.Size(), c.Bytes)
	}
	return c.Shard, nil
}
