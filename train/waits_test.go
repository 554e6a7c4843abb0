package train

import (
	"context"
	"testing"

	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/traintest"
)

// TestAStepWaitsForTheDeviceOnce: a GPU works ahead while the host queues
// operations, unless a value is asked for. A step asks once, for its losses, when
// all its gradients are queued.
func TestAStepWaitsForTheDeviceOnce(t *testing.T) {
	lib := traintest.Lib(t)
	for name, set := range map[string][]string{
		"pipa":          nil,
		"bfloat16":      {"network.precision=bfloat16"},
		"hrda":          {"network.hrda={crop: [32, 32], detail_weight: 0.1}", "adapt.margins=[4, 8, 4, 4]", "eval.window=[64, 64]", "eval.stride=[32, 32]"},
		"mic":           {"masked={weight: 1, block: 16, ratio: 0.7}"},
		"official":      {"patch.mode=official", "pixel.mode=official"},
		"checkpointing": {"network.checkpointing=true"},
		"distance":      {"feature_distance.weight=0.005", "feature_distance.ratio=0.1"},
	} {
		t.Run(name, func(t *testing.T) {
			if err := lib.Run(torch.CPU, func(root *torch.Scope) error {
				tr, err := newTrainer(context.Background(), root, traintest.Config(t, append([]string{"patch.start=0", "adapt.start=0", "panels_every=0"}, set...)...), Options{Workers: 1}, nil)
				if err != nil {
					return err
				}
				defer tr.feeds.Close()
				feeds := tr.feeds.Start(context.Background(), 0, 0, 0)
				defer feeds.Stop()
				for ; tr.iteration < 3; tr.iteration++ {
					b, err := feeds.Next(tr.iteration)
					if err != nil {
						return err
					}
					before := lib.Waits()
					v, err := tr.step(b)
					b.Release()
					if err != nil {
						return err
					}
					if n := lib.Waits() - before; n != 1 {
						t.Errorf("step %d waits %d times", tr.iteration, n)
					}
					if v.Losses["pixel"] == 0 || v.Losses["mixed"] == 0 {
						t.Errorf("step %d has the losses %v", tr.iteration, v.Losses)
					}
				}
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		})
	}
}
