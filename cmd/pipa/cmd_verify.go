package main

import (
	"context"
	"errors"
	"runtime"

	"github.com/pipa-uda/pipa/formats/parquet"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/urfave/cli/v2"
)

type verifyOptions struct {
	dirs    []string
	display display
}

func verifyCommand() *cli.Command {
	return &cli.Command{
		Name:      "verify",
		Usage:     "find what is damaged in stored datasets",
		ArgsUsage: "DIR…",
		Description: `Hashes every file and row again and names those that are damaged; the exit code is 3 where there are any.

   pipa verify pairs`,
		Flags:  []cli.Flag{progressFlag(), stallFlag()},
		Action: action(verifyOptionsOf, runVerify),
	}
}

func verifyOptionsOf(c *cli.Context) (o verifyOptions, err error) {
	if o.dirs, err = arguments(c); err != nil {
		return o, err
	}
	for _, dir := range o.dirs {
		if err := pathOrURL("a dataset", dir); err != nil {
			return o, err
		}
	}
	o.display, err = displayOf(c)
	return o, err
}

func runVerify(ctx context.Context, o verifyOptions) error {
	var failed []error
	var printing error
	for _, dir := range o.dirs {
		bar := o.display.bar("verify "+dir, "rows", -1)
		err := verify(ctx, dir, bar.set)
		bar.close()
		if failed = append(failed, err); err == nil && printing == nil {
			printing = printText(dir + ": good\n")
		}
	}
	if err := errors.Join(failed...); err != nil {
		return err
	}
	return printing
}

// verify checks a dataset of Arrow files anywhere, or of Parquet files here.
func verify(ctx context.Context, dir string, progress func(rows int)) error {
	is, err := parquet.IsFolder(dir)
	if err != nil {
		return err
	}
	if is {
		return damaged(parquet.Verify(ctx, dir, runtime.GOMAXPROCS(0), progress))
	}
	folder, err := storage.Open(ctx, dir)
	if err != nil {
		return otherwise(exitUsage, err)
	}
	if _, err := storage.Manifest(folder); err != nil {
		return otherwise(exitBadData, err)
	}
	return damaged(storage.Verify(ctx, folder, progress))
}

// damaged is the error of a dataset that has a manifest: what is missing or wrong
// of it is damage.
func damaged(err error) error {
	if err == nil {
		return nil
	}
	return codedError{err, exitBadData}
}
