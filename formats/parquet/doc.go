// Package parquet writes streams as folders of Apache Parquet files, for tools
// that read no Arrow IPC (Hugging Face datasets, DuckDB, Spark, pandas), and
// reads such a folder back to the stream it was made of:
//
//	m, err := parquet.Write(ctx, "out", stream, parquet.Options{})
//	stream, m, err := parquet.Read(ctx, "out", workers)
//
// Images, labels and masks are PNG files inside the table, in the layout of
// Hugging Face's image feature: struct<bytes: binary, path: string>, named in
// the file's "huggingface" metadata (huggingface/datasets,
// src/datasets/features/image.py and arrow_writer.py). PNG is lossless: RGB8 for
// images, 8-bit gray for labels and masks, null where a row has none. The other
// columns are plain; class_pixels, which streams do not have, counts a row's
// label pixels by train ID, so that SQL can choose rows by what they show.
//
// A folder counts once it holds its manifest, _pipa.parquet, which is written last: every file
// is read back and compared with what went in before that.
//
// Files that other programs wrote are read by [Tables], for [pipeline.ReadTables]:
// any of the columns, in the encodings and with the codecs that pyarrow, polars,
// DuckDB and pandas choose.
package parquet
