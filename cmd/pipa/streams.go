package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"log/slog"
	"os"
	"strings"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// openInput opens a stream by name: a file, a pipe, a dataset's folder or URL, or
// standard input for "-" and no name. What of it cannot be read is bad data; but
// where a pipe ends early its writer has failed, and may not the next time.
func openInput(ctx context.Context, name string, l lost) (*open.Input, error) {
	if isDash(name) && term.IsTerminal(int(os.Stdin.Fd())) {
		return nil, usagef("standard input is a terminal: pipe a stream in, as in \"pipa read … | pipa …\", or name a file")
	}
	if err := pathOrURL("a stream", name); err != nil {
		return nil, err
	}
	piped := isPiped(name)
	shown := name
	if isDash(name) {
		shown = "standard input"
	}
	in, err := open.Open(ctx, name, open.Options{Kind: l.kind, Classes: l.classes, Notice: func(text string) { slog.Info(shown + ": " + text) }})
	if err != nil && piped && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, pipeline.ErrEmpty)) {
		return nil, codedError{err, exitFailed}
	} else if err != nil {
		return nil, otherwise(exitBadData, err)
	}
	in.Batches = blamed(in.Batches, piped)
	return in, nil
}

// lost is what the metadata of a stream may have lost on its way through another
// program.
type lost struct {
	kind    pipeline.Kind // empty is what the columns say
	classes []string      // nil is what the datasets have
}

func lostFlags() []cli.Flag {
	return []cli.Flag{
		&cli.StringFlag{Name: "kind", Usage: "`KIND` of a stream that another program wrote without it: sample, mix or pair", DefaultText: "by its columns"},
		&cli.StringFlag{Name: "classes", Usage: "classes of such a stream: a dataset's `FORMAT`, or names with commas between", DefaultText: "by its datasets"},
	}
}

func lostOf(c *cli.Context) (l lost, err error) {
	switch l.kind = pipeline.Kind(c.String("kind")); l.kind {
	case "", pipeline.KindSample, pipeline.KindMix, pipeline.KindPair:
	default:
		return l, usagef("--kind is %q, want sample, mix or pair", l.kind)
	}
	text := c.String("classes")
	if text == "" {
		return l, nil
	}
	if strings.Contains(text, ",") {
		l.classes = strings.Split(text, ",")
		return l, nil
	}
	layout, err := formats.Named(text)
	if err != nil {
		return l, codedError{fmt.Errorf("--classes: %w", err), exitUsage}
	}
	l.classes = layout.Classes
	return l, nil
}

// limited is a stream's first rows; a negative limit is none.
func limited(s pipeline.Stream, limit int) pipeline.Stream {
	if limit < 0 {
		return s
	}
	return pipeline.Limit(s, limit)
}

// someOf is a stream that has a row, or else the usage error of what selected none.
func someOf(s pipeline.Stream, format string, args ...any) pipeline.Stream {
	return pipeline.Stream{Header: s.Header, Batches: func(yield func(*pipeline.Batch, error) bool) {
		rows := 0
		for b, err := range s.Batches {
			if err == nil {
				rows += b.Len()
			}
			if !yield(b, err) || err != nil {
				return
			}
		}
		if rows == 0 {
			yield(nil, usagef(format, args...))
		}
	}}
}

// blamed says of a stream's errors whose fault they are.
func blamed(batches iter.Seq2[*pipeline.Batch, error], piped bool) iter.Seq2[*pipeline.Batch, error] {
	return func(yield func(*pipeline.Batch, error) bool) {
		for b, err := range batches {
			if err != nil && piped && errors.Is(err, io.ErrUnexpectedEOF) {
				err = codedError{err, exitFailed}
			} else if err != nil && storage.Status(err) == 0 { // a store's refusal says nothing about the data
				err = codedError{err, exitBadData}
			}
			if !yield(b, err) {
				return
			}
		}
	}
}

// isDash reports whether a name means standard input, or standard output.
func isDash(name string) bool { return name == "" || name == "-" }

// isPiped reports whether a stream comes from another process.
func isPiped(name string) bool {
	info, err := os.Stdin.Stat()
	if !isDash(name) {
		info, err = os.Stat(name)
	}
	return err == nil && !info.Mode().IsRegular() && !info.IsDir()
}

// pathOrURL refuses URLs that no command reads or writes.
func pathOrURL(what, name string) error {
	if open.Local(name) != nil && !storage.IsURL(name) {
		return usagef("%s: %s has a path, or a URL with file://, s3:// or gs://", name, what)
	}
	return nil
}

// onThisMachine refuses a URL where a path of this machine is wanted: what would
// be written there would be a folder that is named "s3:".
func onThisMachine(what, name, kind string) error {
	if open.Local(name) != nil {
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
	return o, o.check()
}

// binaryOutputOf is outputOf for what is not to go to a screen.
func binaryOutputOf(c *cli.Context) (output, error) {
	o, err := outputOf(c)
	if err == nil && o.stdout() && term.IsTerminal(int(os.Stdout.Fd())) {
		err = usagef("%s writes binary data, and standard output is a terminal: pipe it into another command, or give a file with -o", c.Command.HelpName)
	}
	return o, err
}

func (o output) stdout() bool { return isDash(o.name) }

// check is asked when the options are read, and again when the output is written:
// something may have come since.
func (o output) check() error {
	if o.stdout() {
		return nil
	}
	return mayWrite("--out", o.name, o.force)
}

// write runs write on the output. A file replaces another only with --force.
func (o output) write(write func(io.Writer) error) error {
	if o.stdout() {
		buffered := bufio.NewWriterSize(os.Stdout, 1<<20)
		if err := write(buffered); err != nil {
			return err
		}
		return pipeline.ClosedPipe(buffered.Flush())
	}
	if err := o.check(); err != nil {
		return err
	}
	if err := files.Write(o.name, o.force, write); err != nil {
		return err
	}
	o.said("")
	return nil
}

// said says what the output has become. what goes before its size.
func (o output) said(what string) {
	if info, err := os.Stat(o.name); err == nil {
		slog.Info(fmt.Sprintf("wrote %s: %s%s", o.name, what, bytesText(info.Size())))
	}
}

// stream writes a stream to the output, counting rows.
func (o output) stream(ctx context.Context, bar *progress, s pipeline.Stream) error {
	defer bar.close()
	if err := o.check(); err != nil {
		return err
	}
	w, err := open.Write(ctx, o.name, bar.counted(s), open.WriteOptions{Form: open.Stream, Force: o.force})
	if err == nil && !o.stdout() {
		bar.close()
		o.said(count(w.Rows, "row") + ", ")
	}
	return err
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
