package train

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/logs"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/method"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/traintest"
)

// patches is an encoder with one map: a linear projection of patches of 8×8.
type patches struct{ name string }

func (e patches) Name() string { return e.name }
func (patches) Shape() model.Shape {
	return model.Shape{Dims: []int{12}, Strides: []int{8}, Multiple: 8, Least: 8}
}
func (e patches) New(p nn.Path) (model.Encoder, error) {
	return projected{e, nn.NewConv2d(p.Sub("proj"), 3, 12, nn.Conv{Kernel: 8, Stride: 8, Bias: true})}, nil
}

type projected struct {
	patches
	proj *nn.Conv2d
}

func (e projected) Forward(x *torch.Tensor, _ nn.Mode) []*torch.Tensor {
	h, w := x.Dim(2), x.Dim(3)
	return []*torch.Tensor{e.proj.Forward(x.Pad(0, 0, (8-w%8)%8, 0, (8-h%8)%8)).Relu()}
}

// flat is a loss with a head of its own, as large as its weight is.
type flat struct{ name string }

func (l flat) Name() string { return l.name }
func (l flat) New(p nn.Path, student *network.Network, _ int) (method.SourceLoss, error) {
	return flatTerms{l.name, nn.NewConv2d(p, student.Shape().Dims[0], 1, nn.Conv{Kernel: 1, Bias: true})}, nil
}

type flatTerms struct {
	name string
	head *nn.Conv2d
}

func (l flatTerms) Terms(st *method.Step, p method.SourcePass) ([]loss.Term, error) {
	value := l.head.Forward(p.Features[0]).Abs().Mean()
	return []loss.Term{{Name: l.name, Value: value.Div(float64(st.Group().Size())), Weight: 0.5}}, nil
}

// renamed is a layout like one that ships, of folders with other names.
func renamed(l formats.Layout, name string) *formats.Layout {
	l.Name = name
	return &l
}

// TestARunWithWhatAProgramBrings trains with an encoder, a loss and layouts that are
// not pipa's. The run is resumed and evaluated with them, and refused without.
func TestARunWithWhatAProgramBrings(t *testing.T) {
	lib, dir := traintest.Lib(t), filepath.Join(t.TempDir(), "run")
	cfg := traintest.Config(t, "iterations=2", "network.decoder=segformer", "pixel.weight=0", "patch.weight=0")
	mine := func(o Options) Options {
		o.Out = dir
		o.Encoder, o.Losses = patches{"patches"}, []method.Loss{flat{"flat"}}
		o.SourceLayout, o.TargetLayout = renamed(formats.GTA(), "streets"), renamed(formats.Cityscapes(), "roads")
		return o
	}
	want, err := Run(context.Background(), lib, cfg, mine(Options{}))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, config.File))
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"encoder: custom:patches", "losses: [flat]", "format: custom:streets", "format: custom:roads"} {
		if !strings.Contains(string(text), line+"\n") {
			t.Errorf("%s lacks %q:\n%s", config.File, line, text)
		}
	}
	metrics, err := os.ReadFile(filepath.Join(dir, logs.MetricsFile))
	if err != nil || !strings.Contains(string(metrics), `"flat":`) {
		t.Errorf("the loss is not logged: %s, %v", metrics, err)
	}

	written, err := config.ResolveRun(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		cfg    config.Config
		change func(o *Options)
		fails  string
	}{
		"as it was begun":       {cfg, func(o *Options) {}, ""},
		"as it was written":     {written, func(o *Options) {}, ""},
		"no encoder":            {cfg, func(o *Options) { o.Encoder = nil }, "network.encoder: mit, was custom:patches"},
		"no encoder, written":   {written, func(o *Options) { o.Encoder = nil }, "network.encoder is custom:patches, want the program that has the encoder patches"},
		"another encoder":       {written, func(o *Options) { o.Encoder = patches{"other"} }, "network.encoder: custom:other, was custom:patches"},
		"no loss":               {cfg, func(o *Options) { o.Losses = nil }, "losses: <nil>, was [flat]"},
		"no loss, written":      {written, func(o *Options) { o.Losses = nil }, "losses is [flat], want none, as the program passes none"},
		"another loss":          {written, func(o *Options) { o.Losses = []method.Loss{flat{"other"}} }, "losses: [other], was [flat]"},
		"no layout":             {cfg, func(o *Options) { o.SourceLayout = nil }, "source.format: gta, was custom:streets"},
		"no layout, written":    {written, func(o *Options) { o.TargetLayout = nil }, "target: configuration: format is custom:roads, want the program that has the layout roads"},
		"a layout that differs": {cfg, func(o *Options) { o.SourceLayout.FollowLinks = false }, "the source data differ"},
	} {
		t.Run(name, func(t *testing.T) {
			o := mine(Options{Resume: true})
			c.change(&o)
			result, err := Run(context.Background(), lib, c.cfg, o)
			if c.fails == "" {
				if err != nil || result.MIoU != want.MIoU {
					t.Errorf("resumed: %v, %v", result, err)
				}
			} else if err == nil || !strings.Contains(err.Error(), c.fails) {
				t.Errorf("error %v, want %q", err, c.fails)
			}
		})
	}

	trained, err := infer.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	how := infer.EvalOptions{Inference: trained.Config.Eval.Inference(), Layout: renamed(formats.Cityscapes(), "roads")}
	if _, err := infer.Evaluate(context.Background(), lib, trained, how); err == nil || !strings.Contains(err.Error(), "want the program that has the encoder patches to pass it") {
		t.Errorf("evaluated without its encoder: %v", err)
	}
	trained.Encoder = patches{"other"}
	if _, err := infer.Evaluate(context.Background(), lib, trained, how); err == nil || !strings.Contains(err.Error(), "network.encoder is custom:patches, want custom:other") {
		t.Errorf("evaluated with another encoder: %v", err)
	}
	trained.Encoder = patches{"patches"}
	if r, err := infer.Evaluate(context.Background(), lib, trained, how); err != nil || r.MIoU != want.MIoU {
		t.Errorf("evaluated: %v, %v; want %v", r, err, want)
	}
	how.Layout = nil
	if _, err := infer.Evaluate(context.Background(), lib, trained, how); err == nil || !strings.Contains(err.Error(), "want the program that has the layout roads to pass it") {
		t.Errorf("evaluated without its layout: %v", err)
	}
	if plan, err := PlanMemory(context.Background(), lib, cfg, mine(Options{})); err != nil || plan.Parameters[0].Count == 0 {
		t.Errorf("memory: %v", err)
	}
}
