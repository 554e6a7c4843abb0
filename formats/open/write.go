package open

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/pipa-uda/pipa/formats/parquet"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/internal/wait"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
)

// A Form is what a stream becomes.
type Form string

// The forms.
const (
	Stream  Form = "stream"  // an Arrow IPC stream: to a pipe, or into one file
	Arrow   Form = "arrow"   // a folder of Arrow IPC files, which are mapped to be read
	Parquet Form = "parquet" // a folder of Parquet files, for other tools
)

// WriteOptions say how a stream is written.
type WriteOptions struct {
	Form   Form
	Stdout io.Writer // what "-" and the empty name mean for a Stream; nil is os.Stdout
	Force  bool      // replace what has the name

	ShardBytes  int64  // of Arrow and Parquet: a file is closed once it is larger; 0 means 256 MiB
	Compression string // of Parquet: zstd or snappy; empty means zstd
	Workers     int    // of Parquet: goroutines that encode
	// Progress is called with the rows written so far; nil is silent.
	Progress func(rows int)
}

// Written is what [Write] made.
type Written struct {
	Rows     int
	Files    int    // of a folder
	Digest   string // of a folder
	Manifest any    // of a folder: a shards.Manifest or parquet.Manifest
}

// URLError says that a URL stands where only this machine's files can.
type URLError struct{ Name string }

func (e *URLError) Error() string {
	return fmt.Sprintf("%s is a URL: want a name on this machine", e.Name)
}

// Local fails with a [URLError] where name is a URL.
func Local(name string) error {
	if strings.Contains(name, "://") {
		return &URLError{name}
	}
	return nil
}

// Write writes a stream to what name says. Files and folders have their names once
// they are whole, and not at all otherwise.
func Write(ctx context.Context, name string, s pipeline.Stream, o WriteOptions) (w Written, err error) {
	if err := Local(name); err != nil {
		return w, fmt.Errorf("write: %w", err)
	}
	switch o.Form {
	case Parquet:
		m, err := parquet.Write(ctx, name, s, parquet.Options{ShardBytes: o.ShardBytes, Compression: o.Compression, Workers: o.Workers, Force: o.Force, Progress: o.Progress})
		return Written{m.Rows, len(m.Files), m.Digest, m}, err
	case Arrow:
		m, err := shards.Write(ctx, name, s, shards.WriteOptions{ShardBytes: o.ShardBytes, Force: o.Force, Progress: o.Progress})
		return Written{m.Rows, len(m.Shards), m.Digest, m}, err
	}
	s = pipeline.Counted(s, func(rows int) {
		if w.Rows = rows; o.Progress != nil {
			o.Progress(rows)
		}
	})
	if name != "" && name != "-" {
		err = files.Write(name, o.Force, func(to io.Writer) error { return pipeline.Write(ctx, to, s) })
		return w, err
	}
	if o.Stdout == nil {
		o.Stdout = os.Stdout
	}
	buffered := bufio.NewWriterSize(wait.Of(ctx).Writer(o.Stdout, "who reads standard output"), 1<<20)
	if err = pipeline.Write(ctx, buffered, s); err == nil {
		err = pipeline.ClosedPipe(buffered.Flush())
	}
	return w, err
}
