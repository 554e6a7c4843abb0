package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"syscall"

	"github.com/pipa-uda/pipa/classmix"
	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/formats/classmap"
	"github.com/pipa-uda/pipa/formats/layout"
	"github.com/pipa-uda/pipa/formats/open"
	"github.com/pipa-uda/pipa/formats/stats"
	"github.com/pipa-uda/pipa/internal/files"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/shards"
	"github.com/pipa-uda/pipa/pipeline/storage"
	"github.com/pipa-uda/pipa/precompute"
	"github.com/pipa-uda/pipa/train"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/feed"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/rundir"
	"github.com/pipa-uda/pipa/train/torch"
)

// Exit codes (docs/commands.md): a scheduler tries again after the first alone.
const (
	exitFailed  = 1 // it may pass: a disk, a network, a lock, memory, another process
	exitUsage   = 2 // the command line, or what it names, is wrong
	exitBadData = 3 // the data are damaged or incomplete
)

// A codedError has an exit code by the place that it came from.
type codedError struct {
	err  error
	code int
}

func (e codedError) Error() string { return e.err.Error() }
func (e codedError) Unwrap() error { return e.err }

// usagef is a mistake on the command line.
func usagef(format string, args ...any) error {
	return codedError{fmt.Errorf(format, args...), exitUsage}
}

// otherwise gives an error that does not say itself whose fault it is the exit code
// of the place that it came from.
func otherwise(code int, err error) error {
	var coded codedError
	if err == nil || passing(err) || errors.As(err, &coded) || codeOf(err) != exitFailed {
		return err
	}
	return codedError{err, code}
}

// report prints an error with advice, and chooses the exit code. cause is why the
// context ended, if it did.
func report(err, cause error) int {
	if err == nil || errors.Is(err, pipeline.ErrClosedPipe) {
		return 0
	}
	message := err.Error()
	if a := advice(err); a != "" {
		message += ": " + a
	}
	slog.Error(message)
	var s signalError
	switch {
	case errors.As(cause, &s) && (errors.Is(err, cause) || errors.Is(err, context.Canceled) || errors.Is(err, train.ErrInterrupted)):
		return 128 + int(s.signal)
	case errors.Is(err, train.ErrInterrupted): // by a signal to another rank
		return 128 + int(syscall.SIGTERM)
	}
	return codeOf(err)
}

// codeOf is the exit code of an error. What may pass comes first: a disk that
// fails while a sample is read says nothing about the sample.
func codeOf(err error) int {
	var coded codedError
	var damaged *feed.DamagedError
	switch {
	case passing(err):
		return exitFailed
	case errors.As(err, &damaged):
		return damagedCode(damaged)
	case errors.As(err, &coded):
		return coded.code
	case badData(err):
		return exitBadData
	case unmendable(err):
		return exitUsage
	}
	return exitFailed
}

// damagedCode is the exit code of what a training cannot read, as openInput's is of
// what other commands cannot.
func damagedCode(e *feed.DamagedError) int {
	if e.Piped && (errors.Is(e, io.ErrUnexpectedEOF) || errors.Is(e, pipeline.ErrEmpty)) {
		return exitFailed
	}
	if code := codeOf(e.Err); code != exitFailed {
		return code
	}
	return exitBadData
}

// passing reports whether an error may be gone the next time.
func passing(err error) bool {
	var unfinished *precompute.UnfinishedError
	var device *torch.OpError // which may be out of memory, or have lost another rank
	if errors.As(err, &unfinished) || errors.As(err, &device) || errors.Is(err, files.ErrInUse) {
		return true
	}
	if status := storage.Status(err); status != 0 {
		return status >= 500 || status == http.StatusTooManyRequests || status == http.StatusRequestTimeout
	}
	return files.Passing(err)
}

// badData reports whether an error says that data are not what they were, or
// cannot be decoded.
func badData(err error) bool {
	var problem formats.Problem
	var tooMany *precompute.TooManyBad
	return errors.As(err, &problem) || errors.As(err, &tooMany) || errors.Is(err, precompute.ErrInput)
}

// unmendable reports whether an error stays until the command line, or what it
// names, is another.
func unmendable(err error) bool {
	for _, sentinel := range []error{
		fs.ErrNotExist, fs.ErrExist, fs.ErrPermission,
		files.ErrIrregular, pipeline.ErrNotArrow, shards.ErrNoManifest, precompute.ErrTaken, torch.ErrNotFound,
		rundir.ErrNoDirectory, infer.ErrNoTarget,
	} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	var (
		errno     syscall.Errno // one that stays, as passing comes first
		link      *files.LinkError
		format    *pipeline.FormatError
		batch     *pipeline.BatchSizeError
		row       *pipeline.RowSizeError
		unlabeled *classmix.UnlabeledError
		sizes     *classmix.SizeError
		classes   *classmix.ClassesError
		pixels    *precompute.PixelLimitError
		source    *precompute.OpenError
		rules     *precompute.OldRulesError
		url       *open.URLError
		unknown   *formats.UnknownError
		split     *layout.SplitError
		list      *layout.ListError
		empty     *formats.EmptyError
		unlike    *formats.RecognizeError
		classMap  *classmap.Error
		stale     *stats.StaleError
		another   *stats.SplitError
		value     *config.ValueError
		unpaired  *config.UnpairedError
		setup     *train.SetupError
		varying   *feed.VaryingError
		seen      *infer.SizeError
		library   *torch.TrustError
		column    *pipeline.ColumnError
		nameless  *pipeline.ClassesLostError
	)
	for _, target := range []any{&errno, &link, &format, &batch, &row, &unlabeled, &sizes, &classes, &pixels, &source, &rules, &url, &unknown, &split, &list, &empty, &unlike, &classMap, &stale, &another, &value, &unpaired, &setup, &varying, &seen, &library, &column, &nameless} {
		if errors.As(err, target) {
			return true
		}
	}
	return storage.Status(err) != 0 // a refusal
}

// advice is what the user may do about a library's error, with the flags and
// commands that do it; libraries know neither.
func advice(err error) string {
	var (
		exists     *files.ExistsError
		batch      *pipeline.BatchSizeError
		sizes      *classmix.SizeError
		classes    *classmix.ClassesError
		pixels     *precompute.PixelLimitError
		unfinished *precompute.UnfinishedError
		tooMany    *precompute.TooManyBad
		differing  *stats.ExistsError
		unreadable *stats.ReadError
		stale      *stats.StaleError
		nameless   *pipeline.ClassesLostError
		another    *stats.SplitError
		place      *stats.PlaceError
		left       *feed.TooManyBadError
		library    *torch.TrustError
	)
	switch {
	case errors.As(err, &exists) && exists.Folder:
		return "choose another folder, or replace it with --force"
	case errors.As(err, &exists):
		return "choose another name, or replace it with --force"
	case errors.As(err, &batch):
		return "use a smaller --batch"
	case errors.As(err, &sizes):
		return "pipa augment --crop HEIGHTxWIDTH"
	case errors.As(err, &classes):
		return "pipa read --unlabelled"
	case errors.As(err, &pixels):
		return fmt.Sprintf("pass --max-pixels %d if you trust it", pixels.Plan)
	case errors.As(err, &nameless):
		return "name them with --classes, as in --classes cityscapes"
	case errors.As(err, &unfinished):
		return "run them again (pipa precompute --plan)"
	case errors.As(err, &tooMany), errors.As(err, &left):
		return "find all such samples with \"pipa check\", or leave them out with --max-bad"
	case errors.As(err, &differing):
		return "choose another place with --out or --stats, or replace it with --force"
	case errors.As(err, &unreadable) && !passing(err):
		return "write them anew with: pipa stats FORMAT DIR --force"
	case errors.As(err, &stale):
		return fmt.Sprintf("write them anew with: pipa stats %s %s --force", stale.Layout.Spelling(), stale.Dir)
	case errors.As(err, &another):
		return fmt.Sprintf("keep both, each with a file of its own: pipa stats %s %s --split %s --stats FILE", another.Layout.Spelling(), another.Dir, another.Want)
	case errors.As(err, &place):
		return "name a file for them where you may write: --stats FILE"
	case errors.As(err, &library):
		return fmt.Sprintf("build one of your own with \"make torch\", copy it where only you can write, or, if nobody else has written it: chmod go-w %s", library.Path)
	}
	return trainAdvice(err)
}
