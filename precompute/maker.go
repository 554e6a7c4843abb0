package precompute

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/internal/wait"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
)

// MakerOptions say how shards are made.
type MakerOptions struct {
	Workers int
	// Source and Mixed say where the inputs lie, if not where the plan has them.
	Source, Mixed string
	// MaxPixels is the most that the plan may let an image declare; 0 means
	// raster.MaxPixels.
	MaxPixels int
}

// A Maker makes single shards of a plan, for an engine that hands out their
// numbers itself. Its methods may be called concurrently.
type Maker struct {
	rows    *rowMaker
	folder  storage.Folder
	workers int
}

// NewMaker claims dir for the plan and opens the inputs. ctx bounds all that is
// done with the Maker.
func NewMaker(ctx context.Context, p *Plan, dir string, o MakerOptions) (*Maker, error) {
	folder, err := storage.Open(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("precompute: %w", err)
	}
	m, err := openMaker(ctx, p, folder, o)
	if err != nil {
		return nil, err
	}
	return m, m.claim()
}

// openMaker checks that the folder is free for the plan, and opens the inputs,
// before anything is written.
func openMaker(ctx context.Context, p *Plan, folder storage.Folder, o MakerOptions) (*Maker, error) {
	if err := p.CheckPixels(o.MaxPixels); err != nil {
		return nil, fmt.Errorf("precompute: %w", err)
	}
	if err := p.open(folder); err != nil {
		return nil, fmt.Errorf("precompute into %s: %w", folder, err)
	}
	if _, err := owned(p, folder); err != nil {
		return nil, fmt.Errorf("precompute into %s: %w", folder, err)
	}
	rows, err := newRowMaker(ctx, p, o.Source, o.Mixed)
	if err != nil {
		return nil, fmt.Errorf("precompute: %w", err)
	}
	return &Maker{rows, folder, o.Workers}, nil
}

// claim puts the plan into the folder, or checks once more that it is there.
func (m *Maker) claim() error {
	if err := claim(m.rows.plan, m.folder); err != nil {
		return fmt.Errorf("precompute into %s: %w", m.folder, err)
	}
	return nil
}

// Make makes shard s, 0 ≤ s < plan.Shards, unless it is finished, and says what
// it holds. It may be called again for the same shard, after a failure or while
// another call is at it, in this process or another: on one machine the second
// waits for the first and finds the shard finished; where no lock reaches, in
// an object store, both put the same bytes.
func (m *Maker) Make(ctx context.Context, s int) (shards.Shard, error) {
	return m.make(ctx, s, nil)
}

// make calls progress, where it is not nil, with the rows of this shard so far.
func (m *Maker) make(ctx context.Context, s int, progress func(rows int)) (shards.Shard, error) {
	p := m.rows.plan
	if s < 0 || s >= p.Shards {
		return shards.Shard{}, fmt.Errorf("precompute: shard %d of %d does not exist", s, p.Shards)
	}
	shard, err := p.finished(m.folder, s)
	if again(err) {
		shard, err = m.write(ctx, s, progress)
	}
	if err != nil {
		return shard, fmt.Errorf("precompute shard %d of %d: %w", s, p.Shards, err)
	}
	return shard, nil
}

// write writes a shard and its sidecar, under the shard's lock.
func (m *Maker) write(ctx context.Context, s int, progress func(rows int)) (shards.Shard, error) {
	p := m.rows.plan
	unlock, err := await(ctx, m.folder, fmt.Sprintf(".lock-part-%05d", s))
	if err != nil {
		return shards.Shard{}, err
	}
	defer unlock()
	// Whoever had the lock may have finished it.
	shard, err := p.finished(m.folder, s)
	if !again(err) {
		return shard, err
	}
	if err := p.mayAdd(); err != nil {
		return shard, err
	}
	// What a killed process has left of this shard.
	if err := removeAll(m.folder, fmt.Sprintf(".tmp-part-%05d.", s)); err != nil {
		return shard, err
	}
	from, to := p.shard(s)
	stream := m.rows.batches(ctx, from, to, m.workers)
	if progress != nil {
		stream = pipeline.Counted(stream, progress)
	}
	if err := m.folder.Put(shards.File(s), func(w io.Writer) (err error) {
		shard, err = shards.Encode(ctx, w, s, stream)
		return err
	}); err != nil {
		return shard, err
	}
	text, err := json.MarshalIndent(sidecar{shard, p.Digest}, "", "  ")
	if err != nil {
		return shard, err
	}
	return shard, m.folder.Put(sidecarFile(s), func(w io.Writer) error {
		_, err := w.Write(append(text, '\n'))
		return err
	})
}

// lockPoll is how often a lock that someone else holds is tried again: short
// beside the seconds that a shard takes.
const lockPoll = 200 * time.Millisecond

// await takes a lock as soon as it is free.
func await(ctx context.Context, dir storage.Folder, name string) (unlock func(), err error) {
	waited := func() {}
	defer func() { waited() }()
	for first := true; ; first = false {
		unlock, err := dir.Lock(name)
		if !errors.Is(err, files.ErrInUse) {
			return unlock, err
		}
		if first {
			waited = wait.Of(ctx).For(fmt.Sprintf("%s: %v", name, err))
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w, while waiting: %w", context.Cause(ctx), err)
		case <-time.After(lockPoll):
		}
	}
}

// sidecar lies beside a finished shard.
type sidecar struct {
	shards.Shard
	Plan string `json:"plan"` // its digest
}

func sidecarFile(s int) string { return fmt.Sprintf("part-%05d.json", s) }

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

// again reports whether finished's error means that the shard is to be made.
func again(err error) bool { return missing(err) || errors.Is(err, errUnfinished) }

// finished reads a shard's sidecar and checks it against plan and file. Its
// error is errUnfinished, or that a file is missing, where the shard is to be
// made again.
func (p *Plan) finished(dir storage.Folder, s int) (shards.Shard, error) {
	var c sidecar
	text, err := fs.ReadFile(dir, sidecarFile(s))
	if err != nil {
		return c.Shard, err
	}
	fail := func(format string, args ...any) (shards.Shard, error) {
		return c.Shard, fmt.Errorf("%s/%s: %w: %w", dir, sidecarFile(s), errUnfinished, fmt.Errorf(format, args...))
	}
	if err := json.Unmarshal(text, &c); err != nil {
		return fail("%w", err)
	}
	from, to := p.shard(s)
	if c.Plan != p.Digest || c.File != shards.File(s) || c.Rows != to-from {
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
