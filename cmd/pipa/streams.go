package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"runtime"
	"strings"
	"syscall"

	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/formats/parquet"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// input is a stream that a command reads.
type input struct {
	pipeline.Stream
	rows  int // -1 where they are not known
	close func() error
}

// limited is its first rows; a negative limit is none.
func (in input) limited(limit int) input {
	if limit >= 0 {
		in.Stream = pipeline.Limit(in.Stream, limit)
		in.rows = min(in.rows, limit)
	}
	return in
}

// openInput opens a stream by name: a file, a pipe, a dataset's folder or URL, or
// standard input for "-" and no name. What of it cannot be read is bad data; but
// where a pipe ends early its writer has failed, and may not the next time.
func openInput(ctx context.Context, name string) (input, error) {
	if err := pathOrURL("a stream", name); err != nil {
		return input{}, err
	}
	in, err := openNamed(ctx, name)
	piped := isPiped(name)
	if err != nil && piped && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, pipeline.ErrEmpty)) {
		return in, codedError{err, exitFailed}
	} else if err != nil {
		return in, otherwise(exitBadData, err)
	}
	in.Batches = blamed(in.Batches, piped)
	return in, nil
}

// blamed says of a stream's errors whose fault they are.
func blamed(batches iter.Seq2[*pipeline.Batch, error], piped bool) iter.Seq2[*pipeline.Batch, error] {
	return func(yield func(*pipeline.Batch, error) bool) {
		for b, err := range batches {
			if err != nil && piped && errors.Is(err, io.ErrUnexpectedEOF) {
				err = codedError{err, exitFailed}
			} else if err != nil {
				err = codedError{err, exitBadData}
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

func openNamed(ctx context.Context, name string) (in input, err error) {
	in.rows, in.close = -1, func() error { return nil }
	if isStdin(name) {
		if term.IsTerminal(int(os.Stdin.Fd())) {
			return in, usagef("standard input is a terminal: pipe a stream in, as in \"pipa read … | pipa …\", or name a file")
		}
		in.Stream, err = pipeline.Read(ctx, os.Stdin)
		return in, err
	}
	if storage.IsURL(name) {
		f, err := storage.Open(ctx, name)
		if err != nil {
			return in, err
		}
		s, m, closeFile, err := storage.Stream(ctx, f)
		return input{s, m.Rows, closeFile}, err
	}
	if parquet.IsFolder(name) {
		s, m, err := parquet.Read(ctx, name, runtime.GOMAXPROCS(0))
		return input{s, m.Rows, in.close}, err
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		d, err := shards.Open(name)
		if err != nil {
			return in, err
		}
		return input{d.Stream(ctx), d.Len(), d.Close}, nil
	}
	in.Stream, in.close, err = open.Stream(ctx, name)
	return in, err
}

// isStdin reports whether a name, of which there may be none, means standard input.
func isStdin(name string) bool { return name == "" || name == "-" }

// isPiped reports whether a stream comes from another process.
func isPiped(name string) bool {
	info, err := os.Stdin.Stat()
	if !isStdin(name) {
		info, err = os.Stat(name)
	}
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// pathOrURL refuses URLs that no command reads or writes.
func pathOrURL(what, name string) error {
	if strings.Contains(name, "://") && !storage.IsURL(name) {
		return usagef("%s: %s has a path, or a URL with file://, s3:// or gs://", name, what)
	}
	return nil
}

// onThisMachine refuses a URL where a path of this machine is wanted: what would
// be written there would be a folder that is named "s3:".
func onThisMachine(what, name, kind string) error {
	if strings.Contains(name, "://") {
		return usagef("%s is a URL, and %s takes a %s on this machine", name, what, kind)
	}
	return nil
}

// output is where a command's data go: a file, which appears when it is whole, or
// standard output for "-" and no name.
type output struct {
	name  string
	force bool
}

// outputOf reads --out and --force.
func outputOf(c *cli.Context) (output, error) {
	o := output{c.String("out"), c.Bool("force")}
	if o.stdout() {
		return o, nil
	}
	return o, mayWrite("--out", o.name, o.force)
}

// binaryOutputOf is outputOf for what is not to go to a screen.
func binaryOutputOf(c *cli.Context) (output, error) {
	o, err := outputOf(c)
	if err == nil && o.stdout() && term.IsTerminal(int(os.Stdout.Fd())) {
		err = usagef("%s writes binary data, and standard output is a terminal: pipe it into another command, or give a file with -o", c.Command.HelpName)
	}
	return o, err
}

func (o output) stdout() bool { return o.name == "" || o.name == "-" }

// write runs write on the output. A file replaces another only with --force.
func (o output) write(write func(io.Writer) error) error {
	if o.stdout() {
		buffered := bufio.NewWriterSize(os.Stdout, 1<<20)
		if err := write(buffered); err != nil {
			return err
		}
		return closedPipe(buffered.Flush())
	}
	// Something else may have come since the options were read.
	if err := mayWrite("--out", o.name, o.force); err != nil {
		return err
	}
	return files.Write(o.name, o.force, write)
}

// stream writes a stream to the output, counting rows.
func (o output) stream(ctx context.Context, bar *progress, s pipeline.Stream) error {
	defer bar.close()
	return o.write(func(w io.Writer) error { return pipeline.Write(ctx, w, bar.counted(s)) })
}

// mayWrite refuses a name, given by a flag, that no file may be written to.
// Devices, pipes and folders are never replaced: who names /dev/null means to
// write into it.
func mayWrite(flag, name string, force bool) error {
	if err := onThisMachine(flag, name, "file"); err != nil {
		return err
	}
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", flag, err)
	case !info.Mode().IsRegular() && info.Mode().Type() != os.ModeSymlink:
		return usagef("%s exists, and is not a file: choose another name, or write to standard output", name)
	case !force:
		return &files.ExistsError{Path: name}
	}
	return nil
}

func closedPipe(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return pipeline.ErrClosedPipe
	}
	return err
}
