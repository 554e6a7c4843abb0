package feed

import (
	"context"
	"io"
	"os"

	"github.com/pipa-uda/pipa/loader"
)

// A DamagedError is data of a training that cannot be read as what they are: a
// precomputed dataset's, or a stream's.
type DamagedError struct {
	Err   error
	Piped bool // another process writes them, which may do better the next time
}

func (e *DamagedError) Error() string { return e.Err.Error() }

// Unwrap is the reason.
func (e *DamagedError) Unwrap() error { return e.Err }

// damaged is err as a DamagedError of data at rest, where it is one.
func damaged(err error) error {
	if err == nil {
		return nil
	}
	return &DamagedError{Err: err}
}

// atRest are images of a precomputed dataset.
type atRest struct{ loader.Images }

// Visit implements [loader.Images].
func (r atRest) Visit(ctx context.Context, i int, use func(loader.Item) error) error {
	used := false // then the error is use's
	err := r.Images.Visit(ctx, i, func(it loader.Item) error {
		used = true
		return use(it)
	})
	if used || ctx.Err() != nil {
		return err
	}
	return damaged(err)
}

// piped reports whether a stream comes from another process.
func piped(dir string, stdin io.Reader) bool {
	var info os.FileInfo
	var err error
	if dir != "-" {
		info, err = os.Stat(dir)
	} else if stdin == nil {
		info, err = os.Stdin.Stat()
	} else if f, ok := stdin.(*os.File); ok {
		info, err = f.Stat()
	} else {
		return true
	}
	return err == nil && !info.Mode().IsRegular()
}
