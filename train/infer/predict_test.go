package infer_test

import (
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/formats"
	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train"
	"github.com/pipa-uda/pipa/train/checkpoint"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/eval"
	"github.com/pipa-uda/pipa/train/infer"
	"github.com/pipa-uda/pipa/train/traintest"
	"github.com/pipa-uda/pipa/train/weights/safetensors"
)

// shortRun is one short run for the tests of what is done with one.
func shortRun(t *testing.T) infer.Trained {
	t.Helper()
	run := filepath.Join(infer.Runs, "run")
	if _, err := os.Stat(run); err != nil {
		if _, err := train.Run(t.Context(), traintest.Lib(t), traintest.Config(t, "iterations=4", "checkpoint.every=2", "patch.weight=0", "pixel.weight=0"), train.Options{Out: run}); err != nil {
			t.Fatal(err)
		}
	}
	return opened(t, run)
}

// valImages are the target's labeled split.
func valImages(t *testing.T, trained infer.Trained) *formats.Dataset {
	t.Helper()
	d, err := formats.Open(formats.Cityscapes(), trained.Config.Target.Dir, formats.Options{Split: "val"})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// predictAll predicts on a dataset.
func predictAll(t *testing.T, trained infer.Trained, d *formats.Dataset, o infer.PredictOptions) []infer.Prediction {
	t.Helper()
	var out []infer.Prediction
	for p, err := range infer.Predict(t.Context(), traintest.Lib(t), trained, o, pipeline.Samples(t.Context(), d.Len(), 2, d.Read, nil)) {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

// TestPredictionsScoreAsEvaluationDoes counts the confusion of predicted labels
// by hand, with and without what evaluation can be told to do.
func TestPredictionsScoreAsEvaluationDoes(t *testing.T) {
	trained := shortRun(t)
	d := valImages(t, trained)
	for name, how := range map[string]config.Inference{
		"as the run does":        trained.Config.Eval.Inference(),
		"windows, scales, sides": {Window: [2]int{48, 64}, Stride: [2]int{24, 32}, Batch: 2, Scales: []float64{0.5, 1.25}, Flip: true},
	} {
		for _, teacher := range []bool{false, true} {
			want, err := infer.Evaluate(t.Context(), traintest.Lib(t), trained, infer.EvalOptions{Teacher: teacher, Inference: how})
			if err != nil {
				t.Fatal(err)
			}
			got := eval.NewConfusion(19)
			for i, p := range predictAll(t, trained, d, infer.PredictOptions{Teacher: teacher, Inference: how}) {
				sample, err := d.Read(t.Context(), i)
				if err != nil {
					t.Fatal(err)
				}
				for k, label := range sample.Label.Pix() {
					if label != byte(raster.Ignore) {
						got.Counts[int(label)*19+int(p.Label.Pix()[k])]++
					}
				}
			}
			if !slices.Equal(got.Counts, want.Confusion) {
				t.Errorf("%s, teacher %v: the counts differ", name, teacher)
			}
		}
	}
}

// probabilities are those of a prediction, [19,H,W].
func probabilities(t *testing.T, p infer.Prediction) []float32 {
	t.Helper()
	f, err := safetensors.New(nil, []safetensors.Tensor{{Name: "scores", DType: "F16", Shape: []int{19, p.Label.Height(), p.Label.Width()}, Data: p.Scores}})
	if err != nil {
		t.Fatal(err)
	}
	tensor, err := f.Tensor("scores")
	if err != nil {
		t.Fatal(err)
	}
	values, err := tensor.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return values
}

// TestScoresSayWhatLabelsAndConfidenceDo holds label, confidence and ignored
// pixels against each pixel's probabilities.
func TestScoresSayWhatLabelsAndConfidenceDo(t *testing.T) {
	trained := shortRun(t)
	d := valImages(t, trained)
	o := infer.PredictOptions{Inference: trained.Config.Eval.Inference(), Scores: true}
	whole := predictAll(t, trained, d, o)
	best := make([][]float32, len(whole)) // probability of each pixel's label
	for k, p := range whole {
		values, labels := probabilities(t, p), p.Label.Pix()
		for i, label := range labels {
			sum, most := 0.0, float32(0)
			for c := range 19 {
				v := values[c*len(labels)+i]
				sum, most = sum+float64(v), max(most, v)
			}
			if math.Abs(sum-1) > 0.01 {
				t.Fatalf("pixel %d: probabilities add up to %v", i, sum)
			}
			if v := values[int(label)*len(labels)+i]; v != most { // equal in float16 is a tie
				t.Fatalf("pixel %d has a label of probability %v, the most probable has %v", i, v, most)
			}
			best[k] = append(best[k], most)
		}
		if p.Confidence != 1 {
			t.Errorf("with threshold 0 the confidence is %v", p.Confidence)
		}
	}
	sorted := slices.Clone(best[0])
	slices.Sort(sorted)
	o.Threshold, o.IgnoreUncertain = float64(sorted[len(sorted)/2]), true
	for k, p := range predictAll(t, trained, d, o) {
		confident := 0
		for i, label := range p.Label.Pix() {
			want := whole[k].Label.Pix()[i]
			if float64(best[k][i]) < o.Threshold-1e-3 { // float16 keeps 11 bits
				want = byte(raster.Ignore)
			} else if float64(best[k][i]) < o.Threshold+1e-3 {
				want = label
			}
			if label != want {
				t.Fatalf("pixel %d with probability %v has label %d, want %d", i, best[k][i], label, want)
			}
			if label != byte(raster.Ignore) {
				confident++
			}
		}
		if want := float64(confident) / float64(len(best[k])); math.Abs(float64(p.Confidence)-want) > 1e-6 {
			t.Errorf("confidence is %v, want %v", p.Confidence, want)
		}
		if k == 0 && (p.Confidence < 0.2 || p.Confidence > 0.8) {
			t.Errorf("confidence at the median probability is %v", p.Confidence)
		}
	}
}

// TestPredictEndsAsItsCallerSays: at an error of its input, at the end of its
// context, and quietly when the caller leaves; no tensor stays behind.
func TestPredictEndsAsItsCallerSays(t *testing.T) {
	trained, lib := shortRun(t), traintest.Lib(t)
	broken := errors.New("broken")
	endless := func(yield func(pipeline.Sample, error) bool) {
		for yield(pipeline.Sample{ID: "x", Image: infer.Noise(32, 32)}, nil) {
		}
	}
	fails := func(yield func(pipeline.Sample, error) bool) { yield(pipeline.Sample{}, broken) }
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range []struct {
		name    string
		ctx     context.Context
		o       infer.PredictOptions
		samples func(func(pipeline.Sample, error) bool)
		want    error
		text    string
	}{
		{name: "the caller leaves", ctx: t.Context(), samples: endless},
		{name: "the input fails", ctx: t.Context(), samples: fails, want: broken},
		{name: "the context ends", ctx: ctx, samples: endless, want: context.Canceled},
		{name: "options", ctx: t.Context(), o: infer.PredictOptions{Threshold: 2}, samples: endless, text: "threshold is 2, want 0 to 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen := 0
			var last error
			for _, err := range infer.Predict(c.ctx, lib, trained, c.o, c.samples) {
				if last = err; err != nil {
					break
				}
				if seen++; seen == 2 {
					break
				}
			}
			switch {
			case c.want == nil && c.text == "" && (last != nil || seen != 2):
				t.Errorf("saw %d, then %v", seen, last)
			case c.want != nil && !errors.Is(last, c.want), c.text != "" && (last == nil || !strings.Contains(last.Error(), c.text)):
				t.Errorf("error %v", last)
			}
			if n := lib.LiveTensors(); n != 0 {
				t.Errorf("%d tensors are left over", n)
			}
		})
	}
}

func TestOpenTrained(t *testing.T) {
	trained := shortRun(t)
	run := filepath.Dir(filepath.Dir(trained.Dir))
	if trained.Name != "run" || trained.State.Iteration != 4 {
		t.Errorf("the run is %s at %d", trained.Name, trained.State.Iteration)
	}
	one, err := infer.Open(filepath.Join(run, "checkpoints", "00000002"))
	if err != nil || one.Name != "run@2" || one.State.Iteration != 2 {
		t.Errorf("a checkpoint is %s at %d, %v", one.Name, one.State.Iteration, err)
	}
	if _, err := infer.Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "neither a run") {
		t.Errorf("an empty folder: %v", err)
	}
}

// TestOutputs writes every kind and reads it back.
func TestOutputs(t *testing.T) {
	label, err := raster.Wrap(2, 3, 1, []byte{0, 1, 18, byte(raster.Ignore), 11, 13})
	if err != nil {
		t.Fatal(err)
	}
	p := infer.Prediction{Sample: pipeline.Sample{ID: "x/y/z", Image: infer.Noise(2, 3), Label: label}}
	for i := range 19 * 6 {
		p.Scores = binary.LittleEndian.AppendUint16(p.Scores, uint16(i))
	}
	classes := raster.CityscapesClasses()
	o := infer.Outputs{Dir: t.TempDir(), Kinds: infer.OutputKinds(), Classes: classes, Colors: raster.Palette(classes, nil)}
	if err := o.Validate(); err != nil {
		t.Fatal(err)
	}
	if got := o.Existing("city/z"); got != "" {
		t.Errorf("%s exists already", got)
	}
	if err := o.Write("city/z", p); err != nil {
		t.Fatal(err)
	}
	if o.Existing("city/z") == "" {
		t.Error("nothing exists")
	}
	read := func(kind string) image.Image {
		f, err := os.Open(filepath.Join(o.Dir, kind, "city", "z.png"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		m, err := png.Decode(f)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if m, ok := read(infer.LabelFiles).(*image.Paletted); !ok || !slices.Equal(m.Pix, label.Pix()) {
		t.Errorf("labels are %T", read(infer.LabelFiles))
	}
	if m, ok := read(infer.IDFiles).(*image.Gray); !ok || !slices.Equal(m.Pix, []byte{7, 8, 33, 0, 24, 26}) {
		t.Errorf("ids are %v", read(infer.IDFiles))
	}
	for x, want := range [][3]uint32{{128, 64, 128}, {244, 35, 232}, {119, 11, 32}} {
		for _, kind := range []string{infer.LabelFiles, infer.ColorFiles} {
			if r, g, b, _ := read(kind).At(x, 0).RGBA(); r>>8 != want[0] || g>>8 != want[1] || b>>8 != want[2] {
				t.Errorf("%s: pixel %d is %d,%d,%d, want %v", kind, x, r>>8, g>>8, b>>8, want)
			}
		}
	}
	if r, g, b, _ := read(infer.OverlayFiles).At(0, 1).RGBA(); [3]byte{byte(r >> 8), byte(g >> 8), byte(b >> 8)} != [3]byte(p.Image.Row(1)[:3]) {
		t.Error("an ignored pixel does not show the image")
	}
	f, err := safetensors.Open(filepath.Join(o.Dir, infer.ScoreFiles, "city", "z.safetensors"))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := f.Tensor("scores"); err != nil || s.DType != "F16" || !slices.Equal(s.Shape, []int{19, 2, 3}) || !slices.Equal(s.Data, p.Scores) || f.Metadata["id"] != "x/y/z" {
		t.Errorf("scores are %s %v of %s, %v", s.DType, s.Shape, f.Metadata["id"], err)
	}

	if err := o.Write("../z", p); err == nil || !strings.Contains(err.Error(), "leads out of the folder") {
		t.Errorf("a name that leads out: %v", err)
	}
	o.Classes = []string{"lawn"}
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), "Cityscapes ids") {
		t.Errorf("ids of other classes: %v", err)
	}
	o.Kinds = []string{"pictures"}
	if err := o.Validate(); err == nil || !strings.Contains(err.Error(), `no output "pictures"`) {
		t.Errorf("an unknown kind: %v", err)
	}
}

func TestHeaderOfPredictions(t *testing.T) {
	trained := shortRun(t)
	in := pipeline.Header{Kind: pipeline.KindSample, Seed: 3, Datasets: []string{"cityscapes"}, Size: raster.Size{Height: 8, Width: 8}}
	h, err := trained.Header(in, infer.PredictOptions{Teacher: true, Threshold: 0.9})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Validate(); err != nil || !h.Pseudo || !h.Labeled || len(h.Classes) != 19 || h.Size != in.Size {
		t.Errorf("header %+v, %v", h, err)
	}
	step := string(h.History[0].Params)
	for _, want := range []string{`"run":"run"`, `"network":"teacher"`, `"threshold":0.9`, `"weights":"` + trained.State.Files[checkpoint.TeacherFile].XXH3} {
		if !strings.Contains(step, want) {
			t.Errorf("the history lacks %s: %s", want, step)
		}
	}
	in.Kind = pipeline.KindPair
	if _, err := trained.Header(in, infer.PredictOptions{}); err == nil || !strings.Contains(err.Error(), "stream is of pairs, want samples") {
		t.Errorf("pairs: %v", err)
	}
}
