package torch_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// TestUploadsArriveWhole sends many tensors of all sizes, whose memory is used
// again at once on either side, between operations that take their time.
func TestUploadsArriveWhole(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		busy := s.Randn(512, 512)
		for round := range 100 {
			err := s.Run(func(s *torch.Scope) error {
				busy.In(s).Matmul(busy.In(s))
				n := 1 + round*round*17
				pixels := bytes.Repeat([]byte{byte(round)}, n)
				image := s.FromUint8(pixels, n)
				clear(pixels)
				sum := image.To(torch.Float64).Sum()
				if want := float64(n * round); sum.Item() != want {
					return fmt.Errorf("round %d: the sum is %v, want %v", round, sum.Item(), want)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if got := s.FromInt64(nil, 0, 3).Shape(); !slices.Equal(got, []int64{0, 3}) {
			t.Errorf("an empty tensor has the shape %v", got)
		}
	})
}

func TestTheRandomStateRepeatsDraws(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		state := s.RandomState()
		draw := func() []float64 {
			return append(s.Randn(5).Float64s(), s.Ones(torch.Float32, 9).Dropout(0.5).Float64s()...)
		}
		want := draw()
		s.SetRandomState(state)
		if got := draw(); !slices.Equal(got, want) {
			t.Errorf("%v, then %v", want, got)
		}
	})
}

func TestTooMuchMemoryIsAnError(t *testing.T) {
	lib := torchtest.Load(t)
	err := lib.Run(torchtest.Device(), func(s *torch.Scope) error {
		s.Call("repeat", s.Zeros(torch.Float32, 2, 2), []int{1 << 20, 1 << 24})
		return nil
	})
	if op := (*torch.OpError)(nil); !errors.As(err, &op) || !strings.Contains(err.Error(), "memory") {
		t.Errorf("error %v", err)
	}
	torchtest.Run(t, func(s *torch.Scope) {
		if got := s.Ones(torch.Float32, 3).Sum().Item(); got != 3 {
			t.Errorf("the device computes %v afterwards, want 3", got)
		}
	})
}

// TestABadClassIsAnError: on a GPU an index out of range is noticed late, by an
// assertion after which the process can use the device no more. It ends well all
// the same, with an error. So a process of its own runs into it.
func TestABadClassIsAnError(t *testing.T) {
	if os.Getenv("PIPA_TEST_BAD_CLASS") == "" {
		c := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		c.Env = append(os.Environ(), "PIPA_TEST_BAD_CLASS=1")
		out, err := c.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "it says: torch: ") {
			t.Errorf("%v:\n%s", err, out)
		}
		return
	}
	lib := torchtest.Load(t)
	err := lib.Run(torchtest.Device(), func(s *torch.Scope) error {
		images, labels := s.FromFloat32(make([]float32, 19*64), 1, 19, 8, 8), s.FromUint8(bytes.Repeat([]byte{30}, 64), 1, 8, 8)
		images.LogSoftmax(1).NLLPixels(labels.To(torch.Int64), 255).Mean().Item()
		return nil
	})
	if op := (*torch.OpError)(nil); !errors.As(err, &op) {
		t.Fatalf("error %v, want an OpError", err)
	}
	fmt.Println("it says:", err)
}
