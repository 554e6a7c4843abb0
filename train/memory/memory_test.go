package memory

import (
	"math"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/method"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/traintest"
)

// TestPlanForetellsTheMemory extrapolates the phases of a step from sizes up to
// 128 pixels to one of 256, and runs that one.
func TestPlanForetellsTheMemory(t *testing.T) {
	lib := traintest.Lib(t)
	for name, set := range map[string][]string{
		"pipa":          nil,
		"checkpointing": {"network.checkpointing=true"},
		"mic":           {"masked={weight: 1, block: 32, ratio: 0.7}"},
		"hrda":          {"network.hrda={crop: [160, 160], detail_weight: 0.1}", "source.crop=[320, 320]", "target.crop=[320, 320]"},
		"source":        {"adapt.enabled=false", "patch.weight=0"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := traintest.Config(t, append([]string{"source.batch=1", "target.batch=1", "patch.batch=1", "source.crop=[256, 256]", "target.crop=[256, 256]", "patch.crop=288", "patch.negatives=400", "network.dims=[16, 32, 40, 64]", "network.channels=32"}, set...)...)
			plan, err := New(t.Context(), lib, cfg, 19, method.Custom{})
			if err != nil {
				t.Fatal(err)
			}
			var phases []measured
			err = lib.Run(torch.CPU, func(root *torch.Scope) error {
				m, err := method.New(root, cfg, 19, method.Custom{})
				if err != nil {
					return err
				}
				full := scaled(cfg, cfg.Source.Crop[0], unit(m))
				for range 2 { // the first allocates the gradients
					if err := root.Run(func(s *torch.Scope) (err error) {
						phases, err = measurePhases(s, m.Scaled(full), full, 19)
						return err
					}); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			for i, got := range plan.Phases {
				want := phases[i]
				t.Logf("%s: planned %.1f MB, measured %.1f MB", got.Name, float64(got.Bytes)/1e6, float64(want.Bytes)/1e6)
				if got.Name != want.Name || math.Abs(float64(got.Bytes-want.Bytes)) > 0.15*float64(want.Bytes) {
					t.Errorf("%s: planned %d bytes, %s took %d", got.Name, got.Bytes, want.Name, want.Bytes)
				}
			}
			if plan.Peak < plan.State || plan.State <= 0 || plan.Inputs <= 0 {
				t.Errorf("peak %d, state %d, inputs %d", plan.Peak, plan.State, plan.Inputs)
			}
		})
	}
}

func TestPlanNeedsNeitherDataNorWeights(t *testing.T) {
	cfg, err := config.Resolve("gta2cs-daformer-pipa", "", []string{"network.encoder=mit-b0", "network.channels=16", "pixel.dim=16", "patch.dim=16", "threads=1", "source.crop=[64, 64]", "target.crop=[64, 64]", "patch.crop=64", "adapt.ignore_top=0", "adapt.ignore_bottom=0"})
	if err != nil {
		t.Fatal(err)
	}
	plan, err := New(t.Context(), traintest.Lib(t), cfg, 19, method.Custom{})
	if err != nil {
		t.Fatal(err)
	}
	// MiT-B0 has 3,319,392 parameters without its classification head.
	if frozen := plan.Parameters[2]; frozen.Name != "frozen encoder" || frozen.Count != 3319392 {
		t.Errorf("parameters %+v", plan.Parameters)
	}
	cfg.Source.Batch = 0
	if _, err := New(t.Context(), traintest.Lib(t), cfg, 19, method.Custom{}); err == nil || !strings.Contains(err.Error(), "batch") {
		t.Errorf("no batch: %v", err)
	}
}
