package nn_test

import (
	"math"
	"sync"
	"testing"

	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

// near reports whether two tensors differ by no more than rounding, of terms as
// large as the largest element.
func near(a, b *torch.Tensor) bool {
	return a.Sub(b).Abs().Max().Item() <= 1e-5*max(1, b.Abs().Max().Item())
}

// TestSyncBatchNormIsThatOfTheWholeBatch compares with one batch norm that sees
// all samples, whose means and scales differ from rank to rank.
func TestSyncBatchNormIsThatOfTheWholeBatch(t *testing.T) {
	const ranks, n, channels = 3, 2, 4
	torchtest.Together(t, ranks, func(s *torch.Scope, g *torch.Group) error {
		values := make([]float32, ranks*n*channels*9)
		for i := range values {
			values[i] = float32(math.Sin(float64(i)*1.7))*float32(1+i/200) + float32(i%channels)*3
		}
		all := s.FromFloat32(values, ranks*n, channels, 3, 3)
		own := all.Narrow(0, g.Rank()*n, n).Clone().SetRequiresGrad(true)
		all.SetRequiresGrad(true)
		whole, part := nn.NewStore(s), nn.NewStore(s)
		a, b := nn.NewBatchNorm2d(whole.Root(), channels), nn.NewBatchNorm2d(part.Root(), channels)
		mode := nn.Training
		mode.Group, mode.SyncBatchNorm = g, true
		want, got := a.Forward(all, nn.Training), b.Forward(own, mode)
		if !near(got, want.Narrow(0, g.Rank()*n, n)) {
			t.Error("the results differ")
		}
		want.Mul(want).Mul(want).Sum().Backward()
		got.Mul(got).Mul(got).Sum().Backward()
		if !near(own.Grad(s), all.Grad(s).Narrow(0, g.Rank()*n, n)) {
			t.Error("the gradients differ")
		}
		for _, name := range []string{"weight", "bias"} {
			if !near(g.Sum(part.Get(name).Grad(s)), whole.Get(name).Grad(s)) {
				t.Errorf("the gradients of %s differ", name)
			}
		}
		for _, name := range []string{"running_mean", "running_var"} {
			if !near(part.Get(name), whole.Get(name)) {
				t.Errorf("%s differs", name)
			}
		}
		return nil
	})
}

// TestDropoutIsDrawnForTheWholeBatch: a sample's paths and channels are dropped
// or kept whatever the number of ranks, in each of a pass's views.
func TestDropoutIsDrawnForTheWholeBatch(t *testing.T) {
	const ranks, n, views, channels = 2, 3, 2, 8
	var generator sync.Mutex // the ranks of this test share the process's
	torchtest.Together(t, ranks, func(s *torch.Scope, g *torch.Group) error {
		mode := nn.Training
		mode.Group, mode.Views = g, views
		draw := func(samples int, m nn.Mode) (path, channel *torch.Tensor, err error) {
			err = s.Lib().Seed(7)
			path = nn.DropPath(s.Ones(torch.Float32, samples, 1, 1), 0.5, m)
			channel = nn.ChannelDropout(s.Ones(torch.Float32, samples, channels, 2, 2), 0.5, m)
			return path, channel, err
		}
		generator.Lock()
		defer generator.Unlock()
		wholePath, wholeChannel, err := draw(views*ranks*n, nn.Training)
		if err != nil {
			return err
		}
		path, channel, err := draw(views*n, mode)
		if err != nil {
			return err
		}
		for v := range views {
			first := (v*ranks + g.Rank()) * n
			if !path.Narrow(0, v*n, n).Equal(wholePath.Narrow(0, first, n)) || !channel.Narrow(0, v*n, n).Equal(wholeChannel.Narrow(0, first, n)) {
				t.Errorf("rank %d drops others in view %d than one process", g.Rank(), v)
			}
		}
		return nil
	})
}
