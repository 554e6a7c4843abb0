package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/pipa-uda/pipa/train/torch"
	"github.com/zeebo/xxh3"
)

// What a trainer decides together with those of the other ranks.

// joinTimeout is how long the ranks wait for each other to start: a cluster may
// start them minutes apart.
const joinTimeout = 10 * time.Minute

// meet joins the other ranks, unless ctx ends before they are there. What waits
// for them then ends with the process.
func meet(ctx context.Context, lib *torch.Lib, o Options) (*torch.Group, error) {
	if o.Launch.Alone() {
		return nil, nil
	}
	type joined struct {
		group *torch.Group
		err   error
	}
	all := make(chan joined, 1)
	go func() {
		group, err := lib.Join(o.Launch, o.Device, joinTimeout)
		all <- joined{group, err}
	}()
	long := time.After(15 * time.Second)
	for {
		select {
		case j := <-all:
			return j.group, j.err
		case <-long:
			o.Log.Warn(fmt.Sprintf("rank %d of %d: the others are not all there; it waits for them %v", o.Launch.Rank, o.Launch.Ranks, joinTimeout), "at", o.Launch.Address())
		case <-ctx.Done():
			return nil, fmt.Errorf("rank %d of %d: stopped while it waited for the others at %s: %w", o.Launch.Rank, o.Launch.Ranks, o.Launch.Address(), context.Cause(ctx))
		}
	}
}

// errElsewhere ends a rank where another one fails.
var errElsewhere = errors.New("another rank failed, and says why")

// join makes the trainer one of a group: all begin with the same state. close
// ends it.
func (t *trainer) join(group *torch.Group) (close func(), err error) {
	t.group = group
	if group != nil {
		if err := t.agree(); err != nil {
			return nil, err
		}
	}
	return t.method.Join(group)
}

// agree fails unless all ranks have rank 0's configuration and data, and go on
// from its iteration.
func (t *trainer) agree() error {
	hash, err := t.cfg.Hash()
	if err != nil {
		return err
	}
	digests := t.feeds.Digests()
	things := []struct {
		name string
		hash uint64
	}{{"configuration", xxh3.HashString(hash)}, {"checkpoint", uint64(t.iteration)}}
	for _, side := range slices.Sorted(maps.Keys(digests)) {
		things = append(things, struct {
			name string
			hash uint64
		}{side + " data", xxh3.HashString(digests[side])})
	}
	row := make([]int64, len(things))
	for i, thing := range things {
		row[i] = int64(thing.hash)
	}
	return t.root.NoGrad(func(s *torch.Scope) error {
		all := t.group.Gather(s.FromInt64(row, 1, len(row))).Int64s()
		for rank := range t.group.Size() {
			for i, thing := range things {
				if all[rank*len(row)+i] != all[i] {
					return fmt.Errorf("rank %d has another %s than rank 0: start all ranks with the same command, on the same data and run directory", rank, thing.name)
				}
			}
		}
		return nil
	})
}

// proceed decides, with the other ranks, whether the next step is taken. Where
// ctx has ended on one of them the state is saved and all stop; err is what
// kept this rank from its batch.
func (t *trainer) proceed(ctx context.Context, err error) error {
	interrupted, failed := 0.0, 0.0
	switch {
	case ctx.Err() != nil:
		interrupted = 1
	case err != nil:
		failed = 1
	}
	sums, lost := t.group.Total(t.root, []float64{interrupted, failed})
	switch {
	case lost != nil:
		return fmt.Errorf("iteration %d: %w", t.iteration, errors.Join(err, lost))
	case sums[0] > 0:
		return errors.Join(ErrInterrupted, t.save())
	case failed > 0:
		return fmt.Errorf("iteration %d: %w", t.iteration, err)
	case sums[1] > 0:
		return fmt.Errorf("iteration %d: %w", t.iteration, errElsewhere)
	}
	return nil
}
