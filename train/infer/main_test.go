package infer

import (
	"fmt"
	"os"
	"testing"

	"github.com/pipa-uda/pipa/train/traintest"
	"go.uber.org/goleak"
)

// Noise is for the tests of the package's outside.
var Noise = noise

func TestMain(m *testing.M) {
	code := m.Run()
	traintest.Clean()
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
