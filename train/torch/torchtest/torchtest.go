// Package torchtest opens the backend for tests.
package torchtest

import (
	"os"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/train/torch"
)

// Device is where golden tests compute: the CPU, or what PIPA_TEST_DEVICE says.
func Device() torch.Device {
	if d := os.Getenv("PIPA_TEST_DEVICE"); d != "" {
		return torch.Device(d)
	}
	return torch.CPU
}

// Run gives f a scope. A machine without the backend fails the test: "make
// torch" builds it. Tensors left over after f fail it too.
func Run(t testing.TB, f func(s *torch.Scope)) {
	t.Helper()
	lib, err := torch.Load("")
	if err != nil {
		t.Fatal(err)
	}
	if err := lib.Exact(true); err != nil {
		t.Fatal(err)
	}
	if err := lib.Run(Device(), func(s *torch.Scope) error { f(s); return nil }); err != nil {
		t.Fatal(err)
	}
	if n := lib.LiveTensors(); n != 0 {
		t.Errorf("%d tensors are left over", n)
	}
}

// Tensor loads a golden tensor: floats as float32, integers as int64.
func Tensor(s *torch.Scope, c *golden.Case, name string) *torch.Tensor {
	t := c.Must(name)
	if strings.HasPrefix(t.DType, "F") {
		return s.FromFloat32(c.Floats(name), t.Shape...)
	}
	return s.FromInt64(c.Ints(name), t.Shape...)
}
