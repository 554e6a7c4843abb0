package precompute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/storage"
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
	folder, err := storage.Open(ctx, dir)
	if err != nil {
		return fmt.Errorf("precompute: %w", err)
	}
	unlock, err := folder.Lock(fmt.Sprintf(".lock-%d-of-%d", o.Index, o.Of))
	if err != nil {
		return fmt.Errorf("precompute: %w", err)
	}
	defer unlock()
	if err := claim(p, folder); err != nil {
		return fmt.Errorf("precompute into %s: %w", dir, err)
	}
	m, err := newMaker(ctx, p, o.Source, o.Mixed)
	if err != nil {
		return fmt.Errorf("precompute: %w", err)
	}
	rows := 0
	for s := o.Index; s < p.Shards; s += o.Of {
		if err := m.shard(ctx, folder, s, o, rows); err != nil {
			return fmt.Errorf("precompute shard %d of %d: %w", s, p.Shards, err)
		}
		from, to := p.shard(s)
		if rows += to - from; o.Progress != nil {
			o.Progress(rows)
		}
	}
	return nil
}

// Claim puts the plan into dir, a path or URL, or checks that it is the one
// there. [Run] does so too; a scheduler that hands shards out calls it first, so
// that its workers find the plan with the data ([OpenPlan]).
func Claim(ctx context.Context, p *Plan, dir string) error {
	folder, err := storage.Open(ctx, dir)
	if err == nil {
		err = claim(p, folder)
	}
	if err != nil {
		return fmt.Errorf("precompute into %s: %w", dir, err)
	}
	return nil
}

func claim(p *Plan, dir storage.Folder) error {
	there, err := planIn(dir)
	switch {
	case missing(err):
		entries, err := dir.ReadDir(".")
		if err != nil && !missing(err) {
			return err
		}
		for _, e := range entries {
			if e.Name() == PlanFile { // another process was faster
				return claim(p, dir)
			}
			if e.Name()[0] != '.' {
				return fmt.Errorf("it holds %s, and no plan: choose another folder", e.Name())
			}
		}
		return dir.Put(PlanFile, p.Write)
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
func (m *maker) shard(ctx context.Context, dir storage.Folder, s int, o RunOptions, before int) error {
	if _, err := m.plan.finished(dir, s); err == nil {
		return nil
	} else if !missing(err) && !errors.Is(err, errUnfinished) {
		return err
	}
	// What a killed process has left of this shard.
	if err := removeAll(dir, fmt.Sprintf(".tmp-part-%05d.", s)); err != nil {
		return err
	}
	from, to := m.plan.shard(s)
	stream := m.batches(ctx, from, to, o.Workers)
	if o.Progress != nil {
		stream = pipeline.Counted(stream, func(rows int) { o.Progress(before + rows) })
	}
	var shard pipeline.Shard
	if err := dir.Put(pipeline.ShardFile(s), func(w io.Writer) (err error) {
		shard, err = pipeline.EncodeShard(ctx, w, s, stream)
		return err
	}); err != nil {
		return err
	}
	text, err := json.MarshalIndent(sidecar{shard, m.plan.Digest}, "", "  ")
	if err != nil {
		return err
	}
	return dir.Put(sidecarFile(s), func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// removeAll deletes the files whose names begin so.
func removeAll(dir storage.Folder, prefix string) error {
	entries, err := dir.ReadDir(".")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			if err := dir.Remove(e.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// errUnfinished marks a shard that has to be made.
var errUnfinished = errors.New("not finished")

// finished reads a shard's sidecar and checks it against plan and file. Its
// error is errUnfinished, or that a file is missing, where the shard is to be
// made again.
func (p *Plan) finished(dir storage.Folder, s int) (pipeline.Shard, error) {
	var c sidecar
	text, err := fs.ReadFile(dir, sidecarFile(s))
	if err != nil {
		return c.Shard, err
	}
	fail := func(format string, args ...any) (pipeline.Shard, error) {
		return c.Shard, fmt.Errorf("%s/%s: %w: %w", dir, sidecarFile(s), errUnfinished, fmt.Errorf(format, args...))
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return fail("%w", err)
	}
	from, to := p.shard(s)
	if c.Plan != p.Digest || c.File != pipeline.ShardFile(s) || c.Rows != to-from {
		return fail("it is of another plan")
	}
	info, err := fs.Stat(dir, c.File)
	if err != nil {
		return c.Shard, err
	}
	if info.Size() != c.Bytes {
		return fail("the file has %d bytes, the sidecar says %d", info.Size(), c.Bytes)
	}
	return c.Shard, nil
}
