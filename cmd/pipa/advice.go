package main

import (
	"errors"
	"fmt"

	"github.com/pipa-uda/pipa/formats/stats"
)

// datasetAdvice is what the user may do about an error of a dataset's, with the
// flags and commands that do it; libraries know neither.
func datasetAdvice(err error) string {
	var (
		exists     *stats.ExistsError
		unreadable *stats.ReadError
		stale      *stats.StaleError
	)
	switch {
	case errors.As(err, &exists):
		return ": choose another folder with --out, or replace it with --force"
	case errors.As(err, &unreadable):
		return "; write them anew with: pipa stats FORMAT DIR --force"
	case errors.As(err, &stale):
		return fmt.Sprintf("; write them anew with: pipa stats %s %s --force", stale.Layout.Spelling(), stale.Dir)
	}
	return ""
}
