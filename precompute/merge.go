package precompute

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
)

// An UnfinishedError says that shards are missing or damaged: the next [Run] makes
// them again.
type UnfinishedError struct {
	Unfinished, Shards int
	Err                error // of the first of them
}

func (e *UnfinishedError) Error() string {
	return fmt.Sprintf("%d of %d shards are not finished: %v", e.Unfinished, e.Shards, e.Err)
}

func (e *UnfinishedError) Unwrap() error { return e.Err }

// Merge checks every shard of a plan in dir, row by row, and writes the
// manifest: the commit that makes the folder a dataset. progress is called with
// the rows checked so far; nil is silent. Merging again changes nothing.
func Merge(ctx context.Context, p *Plan, dir string, progress func(rows int)) (shards.Manifest, error) {
	fail := func(err error) (shards.Manifest, error) {
		return shards.Manifest{}, fmt.Errorf("merge %s: %w", dir, err)
	}
	folder, err := storage.Open(ctx, dir)
	if err != nil {
		return fail(err)
	}
	there, err := planIn(folder)
	if missing(err) {
		return fail(fmt.Errorf("it has no %s, and no shard of a plan: %w", PlanFile, ErrTaken))
	}
	if err != nil {
		return fail(err)
	}
	if there.Digest != p.Digest {
		return fail(fmt.Errorf("it holds the shards of another plan, %s, this one is %s: %w", there.Digest, p.Digest, ErrTaken))
	}
	unlock, err := folder.Lock(mergeLock)
	if err != nil {
		return fail(err)
	}
	defer unlock()
	var made []shards.Shard
	var bad []error
	unfinished := 0
	for s := range p.Shards {
		shard, err := p.finished(folder, s)
		if files.Passing(err) { // which says nothing about the shard
			return fail(err)
		}
		if err == nil {
			made = append(made, shard)
		} else if unfinished++; unfinished <= 5 { // the first are enough to tell
			bad = append(bad, fmt.Errorf("shard %d: %w", s, err))
		}
	}
	if unfinished > 0 {
		return fail(&UnfinishedError{Unfinished: unfinished, Shards: p.Shards, Err: errors.Join(bad...)})
	}
	rows, damaged := 0, 0
	agreed := shards.Agree(p.Kind)
	for s, shard := range made {
		err := storage.VerifyShard(ctx, folder, shard, agreed)
		if files.Passing(err) {
			return fail(err)
		}
		if err != nil {
			damaged++
			// Its sidecar goes, so that the next run makes the shard again.
			bad = append(bad, err, folder.Remove(sidecarFile(s)))
		}
		if ctx.Err() != nil {
			return fail(context.Cause(ctx))
		}
		if rows += shard.Rows; progress != nil {
			progress(rows)
		}
	}
	if err := errors.Join(bad...); err != nil {
		return fail(&UnfinishedError{Unfinished: damaged, Shards: p.Shards, Err: err})
	}
	manifest := shards.NewManifest(p.Kind, made)
	if err := folder.Put(shards.ManifestFile, manifest.Write); err != nil {
		return fail(err)
	}
	return manifest, sweep(folder)
}

// mergeLock is the lock that Merge holds.
const mergeLock = ".lock-merge"

// sweep removes what killed processes have left, files aside and locks, and the
// caller's own lock: each under the lock of who writes it, one after the other, since
// a dataset may have more shards than a process may open files. What somebody holds is
// left to the next Merge.
func sweep(dir storage.Folder) error {
	entries, err := dir.ReadDir(".")
	if err != nil {
		return err
	}
	aside := map[string][]string{} // by the lock of who writes them
	for _, e := range entries {
		name := e.Name()
		if strings.HasPrefix(name, ".lock-") {
			aside[name] = append(aside[name], name)
		} else if rest, ok := strings.CutPrefix(name, ".tmp-"); ok {
			lock := mergeLock
			if part, _, ok := strings.Cut(rest, "."); ok && strings.HasPrefix(part, "part-") {
				lock = ".lock-" + part
			}
			aside[lock] = append(aside[lock], name)
		}
	}
	for lock, names := range aside {
		if lock != mergeLock {
			err = removeUnder(dir, lock, names)
		} else {
			err = removeFiles(dir, names)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// removeUnder removes files, and at last the lock that they are written under, unless
// somebody holds it.
func removeUnder(dir storage.Folder, lock string, names []string) error {
	unlock, err := dir.Lock(lock)
	if errors.Is(err, files.ErrInUse) {
		return nil
	}
	if err != nil {
		return err
	}
	defer unlock()
	return removeFiles(dir, append(slices.DeleteFunc(names, func(name string) bool { return name == lock }), lock))
}

func removeFiles(dir storage.Folder, names []string) error {
	for _, name := range names {
		if err := dir.Remove(name); err != nil {
			return err
		}
	}
	return nil
}
