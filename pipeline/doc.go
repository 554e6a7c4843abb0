// Package pipeline is what flows between the stages: rows of three kinds (a
// [Sample], a [Mix], a crop [Pair]) in Arrow record batches, each stream with a
// [Header] that says what its rows are and how they were made.
//
// A stage is a function of a batch. It keeps no state and starts no goroutine;
// [Run] applies it to the batches of a stream on several, in order:
//
//	in, err := pipeline.Read(ctx, os.Stdin)
//	out, err := pipeline.Run(ctx, in, stage, workers)
//	err = pipeline.Write(ctx, os.Stdout, out)
//
// Three rules hold everywhere:
//
//   - A batch has an owner, who releases it. Rasters taken from a batch are views
//     into it, and end with it; what is to outlive it is cloned.
//   - What comes from outside is checked before it is used: the header against
//     itself, lengths against the input, every row against its digest.
//   - What is drawn at random about a row comes from a [Key] of seed, epoch, stage
//     and sample ID, so that it is the same for any number of workers, processes
//     and restarts.
//
// Pixels, boxes and train IDs are in pipeline/raster, which knows nothing of
// Arrow; streams at rest in pipeline/shards; folders in object stores in
// pipeline/storage; pictures of streams in pipeline/view. The stages themselves
// are in augment, classmix and crops, and datasets of image files in formats.
package pipeline
