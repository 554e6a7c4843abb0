package config

import (
	"errors"
	"reflect"
	"strings"
	"testing"
)

func TestValidateNamesTheField(t *testing.T) {
	for _, c := range []struct {
		want string
		edit func(*Config)
	}{
		{"iterations", func(c *Config) { c.Iterations = 0 }},
		{"source.dir", func(c *Config) { c.Source.Dir = "" }},
		{"target.dir", func(c *Config) { c.Target.Dir = "" }},
		{"source.crop", func(c *Config) { c.Adapt.Enabled, c.Patch.Weight, c.Source.Crop = false, 0, [2]int{} }},
		{"target.crop", func(c *Config) { c.Target.Crop = [2]int{64, 64} }},
		{"patch.weight", func(c *Config) { c.Adapt.Enabled = false }},
		{"patch.mode", func(c *Config) { c.Patch.Mode = "best" }},
		{"pixel.temperature", func(c *Config) { c.Pixel.Temperature = 0 }},
		{"feature_distance.weight", func(c *Config) { c.FeatureDistance.Weight = 0.005 }},
	} {
		t.Run(c.want, func(t *testing.T) {
			cfg, err := Preset("fixture-pipa")
			if err != nil {
				t.Fatal(err)
			}
			cfg.Source.Dir, cfg.Target.Dir = "a", "b"
			c.edit(&cfg)
			if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one that names %s", err, c.want)
			}
		})
	}
}

func TestWhatASideIs(t *testing.T) {
	dir := Data{Format: "cityscapes"}
	if dir.Given() {
		t.Error("a side without a folder is given")
	}
	if dir.Dir = "data"; !dir.Given() {
		t.Error("a side with a folder is not given")
	}
	if custom := (Data{Format: "folder:data/camvid.yaml"}); !custom.Given() {
		t.Error("a custom dataset with a class map is not given")
	}
}

// numbers are the keys of a section whose values are single numbers of any size.
func numbers(section reflect.Type, prefix string) (all []string) {
	for i := range section.NumField() {
		f := section.Field(i)
		key, _, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch f.Type.Kind() {
		case reflect.Struct:
			all = append(all, numbers(f.Type, prefix+key+".")...)
		case reflect.Float64:
			all = append(all, prefix+key)
		}
	}
	return all
}

// TestNumbersAreFinite: YAML's .inf and .nan are numbers to its parser. A key that
// is not validated is found here.
func TestNumbersAreFinite(t *testing.T) {
	keys := numbers(reflect.TypeFor[Config](), "")
	if len(keys) < 20 {
		t.Errorf("only %q are numbers", keys)
	}
	for _, key := range keys {
		for _, v := range []string{".nan", ".inf", "-.inf"} {
			cfg, err := Resolve("fixture-pipa", "", []string{"feature_distance.weight=0.1", key + "=" + v})
			if err != nil {
				t.Fatal(err)
			}
			cfg.Source.Dir, cfg.Target.Dir, cfg.Network.Weights = "a", "b", "c"
			wrong := (*ValueError)(nil)
			if err := cfg.Validate(); !errors.As(err, &wrong) || wrong.Field != key {
				t.Errorf("%s=%s: %v", key, v, err)
			}
		}
	}
	for _, key := range []string{"optimizer.betas", "patch.scale", "patch.iou"} {
		cfg, err := Resolve("fixture-pipa", "", []string{key + "=[0.1, .nan]"})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Source.Dir, cfg.Target.Dir = "a", "b"
		if err := cfg.Validate(); err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("%s with .nan: %v", key, err)
		}
	}
}

// TestNumbersAreBounded: a configuration from elsewhere is refused before anything is
// allocated by it.
func TestNumbersAreBounded(t *testing.T) {
	for _, set := range []string{
		"iterations=4611686018427387904", "threads=2000000", "source.batch=2000000000", "source.crop=[3200000, 3200000]", "source.resize=[2000000, 2000000]",
		"target.crop=[60000, 60000]", "network.channels=200000", "network.depths=[1, 1, 100000000, 1]", "network.depths=[-1, 0, 0, 0]", "network.dims=[-16, 32, 80, 128]",
		"network.dims=[0, 0, 0, 0]", "network.hrda.crop=[1000000, 1000000]", "pixel.dim=2000000000", "pixel.max_samples=2000000000", "patch.dim=2000000000",
		"patch.batch=2000000000", "patch.crop=2000000000", "patch.base=2000000000", "patch.negatives=2000000000", "patch.steps=2000000000",
		"eval.resize=[60000, 60000]", "eval.window=[60000, 60000]",
	} {
		cfg, err := Resolve("fixture-pipa", "", []string{set})
		if err != nil {
			t.Fatal(err)
		}
		cfg.Source.Dir, cfg.Target.Dir = "a", "b"
		key, _, _ := strings.Cut(set, "=")
		wrong := (*ValueError)(nil)
		if err := cfg.Validate(); !errors.As(err, &wrong) || wrong.Field != key {
			t.Errorf("%s: %v", set, err)
		}
	}
}

// TestFitsAsksForWhatANetworkIs: sizes are checked against the geometry that is
// given, whatever it is.
func TestFitsAsksForWhatANetworkIs(t *testing.T) {
	for _, c := range []struct {
		name string
		g    Geometry
		set  []string
		want string // the field; empty where all fits
	}{
		{"strides of a MiT", Geometry{32, 4, true}, nil, ""},
		{"a crop between", Geometry{32, 4, true}, []string{"source.crop=[100, 96]"}, "source.crop"},
		{"a target between", Geometry{32, 4, true}, []string{"target.crop=[96, 100]"}, "target.crop"},
		{"other strides", Geometry{14, 14, true}, nil, "source.crop"},
		{"other strides that fit", Geometry{14, 14, true}, []string{"source.crop=[98, 98]", "target.crop=[98, 98]", "patch.crop=84"}, ""},
		{"pairs between", Geometry{14, 14, true}, []string{"source.crop=[98, 98]", "target.crop=[98, 98]", "patch.crop=98"}, "patch.crop"},
		{"a detail between", Geometry{32, 4, true}, []string{"network.hrda.crop=[48, 32]"}, "network.hrda.crop"},
		{"nothing to contrast", Geometry{32, 4, false}, nil, "patch.weight"},
		{"nothing to contrast, and no contrast", Geometry{32, 4, false}, []string{"patch.weight=0"}, ""},
	} {
		cfg, err := Resolve("fixture-pipa", "", c.set)
		if err != nil {
			t.Fatal(err)
		}
		err = cfg.Fits(c.g)
		wrong := (*ValueError)(nil)
		if c.want == "" && err != nil || c.want != "" && (!errors.As(err, &wrong) || wrong.Field != c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
