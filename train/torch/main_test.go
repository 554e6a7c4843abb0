package torch_test

import (
	"fmt"
	"os"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/checkout"
)

// TestMain lets the package's example find the backend as a user's program does.
func TestMain(m *testing.M) {
	path, err := checkout.Backend()
	if err == nil {
		err = os.Setenv("PIPA_TORCH", path)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
