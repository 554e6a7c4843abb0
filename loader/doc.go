// Package loader says what a row is: given a collection of images, the row of item
// i in an epoch, as a sample, a mix or a pair. Training asks it while it goes,
// precompute asks it for whole datasets, and both get the same bytes.
//
//	images, err := loader.Folder(set)                      // of a formats.Dataset
//	rows, err := loader.Samples(images, loader.Draws{Seed: 1}, options)
//	out := pipeline.NewBuilder(rows.Header)
//	err = rows.Append(ctx, out, item, epoch)               // from any goroutine
//
// A row depends on the seed, the epoch and the item alone: not on what was asked
// for before, by whom, or in which order. Which items an epoch takes, and when, is
// not decided here: see train/feed and precompute. How images lie in files is
// known to package formats.
package loader

// Rules is the version of what a row is: of its pixels, and of which images meet
// in it. Plans carry it, so that rows of two versions never meet in one dataset
// (docs/compatibility.md). It goes up by one whenever the same seed, epoch and
// item give other bytes than before.
//
//	0  mixes took their targets in the order of a keyed permutation
//	1  a target draws the source that is mixed in, by its own key
//	2  images are turned as their EXIF orientation says
//	3  a hue that is not moved stays to the byte
const Rules = 3
