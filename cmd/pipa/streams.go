package main

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"syscall"

	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/formats/parquet"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// input opens the stream a command reads: a file, a dataset's folder, of Arrow
// or Parquet files, or standard input for "-" and no name.
func input(ctx context.Context, name string) (s pipeline.Stream, close func() error, err error) {
	if name != "" && name != "-" {
		if parquet.IsFolder(name) {
			s, _, err = parquet.Read(ctx, name, runtime.GOMAXPROCS(0))
			return s, func() error { return nil }, err
		}
		in, err := open.Open(ctx, name, open.Options{})
		if err != nil {
			return s, nil, err
		}
		return in.Stream, in.Close, nil
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return s, nil, usagef("standard input is a terminal: pipe a stream in, as in \"pipa read … | pipa …\", or name a file")
	}
	s, err = pipeline.Read(ctx, os.Stdin)
	return s, func() error { return nil }, err
}

// refuseTerminal keeps binary data off the screen.
func refuseTerminal(c *cli.Context) error {
	if (c.String("out") == "" || c.String("out") == "-") && term.IsTerminal(int(os.Stdout.Fd())) {
		return usagef("%s writes binary data, and standard output is a terminal: pipe it into another command, or give a file with -o", c.Command.HelpName)
	}
	return nil
}

// output runs write on where a command's data goes: standard output, or the
// file that --out names, which appears when it is whole and replaces another
// only with --force.
func output(c *cli.Context, write func(io.Writer) error) error {
	name := c.String("out")
	if name == "" || name == "-" {
		if err := refuseTerminal(c); err != nil {
			return err
		}
		buffered := bufio.NewWriterSize(os.Stdout, 1<<20)
		if err := write(buffered); err != nil {
			return err
		}
		return closedPipe(buffered.Flush())
	}
	if err := mayWrite(name, c.Bool("force")); err != nil {
		return err
	}
	return files.Write(name, c.Bool("force"), write)
}

// mayWrite tells whether a file may be written. Devices, pipes and folders are
// never replaced: who names /dev/null means to write into it.
func mayWrite(name string, force bool) error {
	info, err := os.Lstat(name)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil:
		return err
	case !info.Mode().IsRegular() && info.Mode().Type() != os.ModeSymlink:
		return usagef("%s exists, and is no file: choose another name, or write to standard output", name)
	case !force:
		return usagef("%s exists: choose another name, or replace it with --force", name)
	}
	return nil
}

// emit writes a stream to where the command's data goes, counting rows.
func emit(c *cli.Context, what string, s pipeline.Stream, total int) error {
	if err := refuseTerminal(c); err != nil {
		return err
	}
	bar, err := newProgress(c, what, "rows", total)
	if err != nil {
		return err
	}
	defer bar.close()
	return output(c, func(w io.Writer) error { return pipeline.Write(c.Context, w, bar.counted(s)) })
}

func closedPipe(err error) error {
	if errors.Is(err, syscall.EPIPE) {
		return pipeline.ErrClosedPipe
	}
	return err
}
