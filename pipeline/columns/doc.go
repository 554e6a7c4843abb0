// Package columns holds tables that other programs wrote, as they lie in memory:
// typed columns, in the layouts of Arrow, whatever container they came in.
//
//	c, ok := table.Column("height")
//	v, ok := c.Int(i) // int8 to uint64, plain or in a dictionary
//
// It knows neither what the columns mean, which is package pipeline's, nor how
// they are read: the streams and files of Arrow are read by pipeline, Parquet's by
// formats/parquet. It links no Arrow, whose Go library has no arrays for views.
package columns
