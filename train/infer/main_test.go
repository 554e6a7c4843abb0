package infer

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// Noise is for the tests of the package's outside.
var Noise = noise

// Runs is the folder of the runs that several tests use.
var Runs string

func TestMain(m *testing.M) {
	var err error
	if Runs, err = os.MkdirTemp("", "pipa-infer-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(Runs)
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
