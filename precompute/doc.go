// Package precompute makes sharded datasets of samples, mixed images or crop
// pairs in jobs that any number of processes share, that may be killed at any
// moment, and whose bytes depend on the plan alone.
//
// A [Plan] is immutable: it lists the inputs with sizes and hashes, what is done
// to them, and a number of shards that has nothing to do with the number of
// processes. [Run] makes the shards of one share of the work, each written
// aside, synced and renamed, with a sidecar that says what it holds; a finished
// shard is passed over. A [Maker] makes single shards, for an engine that hands
// out their numbers itself. [Merge] checks all shards and writes the manifest:
// that is the commit, and before it the folder is not a dataset.
//
//	plan, err := precompute.New(ctx, job, options)
//	err = precompute.Run(ctx, plan, "pairs", precompute.RunOptions{})
//	manifest, err := precompute.Merge(ctx, plan, "pairs", nil)
package precompute
