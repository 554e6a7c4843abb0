// Package traintest has what the tests of training share: a small dataset, a
// configuration of a small network, and the tensor library.
package traintest

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/pipa-uda/pipa/fixtures"
	"github.com/pipa-uda/pipa/fixtures/shared"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

var data = sync.OnceValues(func() (string, error) {
	return shared.Data(fixtures.Options{Seed: 1, Width: 128, GTA: 8, Train: 6, Val: 3, Domains: []fixtures.Domain{fixtures.GTA, fixtures.Cityscapes}})
})

// Data is the folder of one small set of fixtures, gta and cityscapes, for all
// tests of training. None writes there.
func Data(t testing.TB) string {
	t.Helper()
	dir, err := data()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// Lib loads the tensor library.
func Lib(t testing.TB) *torch.Lib {
	t.Helper()
	return torchtest.Load(t)
}

// Config is fixture-pipa on Data, smaller and shorter still.
func Config(t testing.TB, set ...string) config.Config {
	t.Helper()
	dir := Data(t)
	cfg, err := config.Resolve("fixture-pipa", "", append([]string{
		"iterations=8", "source.resize=[64, 128]", "source.crop=[64, 64]", "target.resize=[64, 128]", "target.crop=[64, 64]",
		"network.dims=[8, 16, 20, 32]", "network.depths=[1, 1, 1, 1]", "network.channels=16", "pixel.dim=16", "patch.dim=16", "pixel.max_views=6",
		"patch.start=2", "patch.crop=64", "patch.base=128", "patch.negatives=40", "patch.threshold=0.01", "eval.resize=[64, 128]",
		"checkpoint.every=3", "log_every=2", "threads=1",
	}, set...))
	if err != nil {
		t.Fatal(err)
	}
	cfg.Source.Dir, cfg.Target.Dir = filepath.Join(dir, "gta"), filepath.Join(dir, "cityscapes")
	return cfg
}
