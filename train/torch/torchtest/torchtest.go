// Package torchtest opens the backend for tests.
package torchtest

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pipa-uda/pipa/fixtures/checkout"
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

// Load loads the backend. A machine without it fails the test: "make torch" builds
// it.
func Load(t testing.TB) *torch.Lib {
	t.Helper()
	path, err := checkout.Backend()
	if err != nil {
		t.Fatal(err)
	}
	lib, err := torch.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

// Run gives f a scope. Tensors left over after f fail the test.
func Run(t testing.TB, f func(s *torch.Scope)) {
	t.Helper()
	lib := Load(t)
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

// Golden runs f, with a scope, on every golden case of a kind.
func Golden(t *testing.T, kind string, f func(t *testing.T, s *torch.Scope, c *golden.Case)) {
	t.Helper()
	for _, path := range golden.Files(t, kind) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			c := golden.Load(t, path)
			Run(t, func(s *torch.Scope) { f(t, s, c) })
		})
	}
}

// Together calls f as each of n ranks, on a goroutine each.
func Together(t *testing.T, n int, f func(s *torch.Scope, g *torch.Group) error) {
	t.Helper()
	t.Setenv("GLOO_SOCKET_IFNAME", "lo")
	lib := Load(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for rank := range n {
		all.Go(func() {
			g, err := lib.Join(torch.Launch{Rank: rank, Ranks: n, Host: "127.0.0.1", Port: port, Serve: rank == 0}, torch.CPU, 10*time.Minute)
			if err == nil {
				err = lib.Run(torch.CPU, func(s *torch.Scope) error { return f(s, g) })
				g.Leave(err)
			}
			if err != nil {
				t.Errorf("rank %d: %v", rank, err)
			}
		})
	}
	all.Wait()
}

// Tensor loads a golden tensor: floats as float32, integers as int64.
func Tensor(s *torch.Scope, c *golden.Case, name string) *torch.Tensor {
	t := c.Must(name)
	if strings.HasPrefix(t.DType, "F") {
		return s.FromFloat32(c.Floats(name), t.Shape...)
	}
	return s.FromInt64(c.Ints(name), t.Shape...)
}
