// Package shards keeps streams at rest: a dataset is a folder of Arrow IPC files,
// its shards, and a manifest that lists them with their rows, sizes and digests.
// The manifest is written last, so a folder that has one is whole.
//
//	d, err := shards.Open("pairs")   // mapped, not read
//	defer d.Close()
//	b, err := d.Batch(0)             // a view, each row compared with its digest
//
// Rows are numbered through all shards. An [Order] walks them in a keyed order,
// and a [Cursor] is the whole state of a reader that does: seed, epoch and next
// row, whatever the number of ranks.
//
// What makes the rows is not here: see package loader for the rules and package
// precompute for whole jobs. Parquet folders are read by formats/parquet.
package shards
