// Package feed decides which samples every training iteration sees and has
// them ready in time: from a dataset on disk, from a precomputed dataset, or
// from a stream.
//
// A [Feed] is asked for its batches from some iteration on. What iteration i
// gets depends on the seed and on i alone, so a resumed run continues the
// sequence without stored state:
//
//	for batch, err := range feed.From(ctx, state.Iteration) { … }
//
// The package knows nothing of tensors; train wraps the batches.
package feed
