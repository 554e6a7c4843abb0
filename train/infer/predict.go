package infer

import (
	"context"
	"fmt"
	"iter"

	"github.com/pipa-uda/pipa/pipeline"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/network"
	"github.com/pipa-uda/pipa/train/torch"
)

// PredictOptions say how labels are predicted.
type PredictOptions struct {
	Teacher   bool // by the teacher instead of the student
	Device    torch.Device
	Inference config.Inference // how the network sees the images; the run's is Config.Eval.Inference()
	// Threshold is the probability, 0 to 1, from which a pixel is confident;
	// DACS and DAFormer have 0.968.
	Threshold float64
	// IgnoreUncertain labels the other pixels 255. DACS and DAFormer do not:
	// they weigh the whole image by its share of confident pixels.
	IgnoreUncertain bool
	Scores          bool // keep each pixel's probabilities
}

// Validate names the field that is out of range.
func (o PredictOptions) Validate() error {
	if !(o.Threshold >= 0 && o.Threshold <= 1) {
		return fmt.Errorf("predict: threshold is %v, want 0 to 1", o.Threshold)
	}
	return o.Inference.Validate()
}

// A Prediction is a sample whose label and confidence are predicted, all in
// memory of its own.
type Prediction struct {
	pipeline.Sample
	// Scores are the classes' probabilities, [C,H,W] little-endian float16;
	// nil where they were not asked for.
	Scores []byte
}

// Predict labels samples, of any sizes, in their order; labels they have are
// passed over. The sequence is to be ranged over once, by one goroutine, which
// runs the network.
func Predict(ctx context.Context, lib *torch.Lib, t Trained, o PredictOptions, samples iter.Seq2[pipeline.Sample, error]) iter.Seq2[Prediction, error] {
	return func(yield func(Prediction, error) bool) {
		left := false // the caller's loop
		err := o.Validate()
		if err == nil {
			err = lib.Run(o.Device, func(root *torch.Scope) error {
				net, err := t.network(root, o.Teacher)
				if err != nil {
					return err
				}
				p := Predictor{Net: net, How: o.Inference}
				for sample, err := range samples {
					if err != nil {
						return err
					}
					if ctx.Err() != nil {
						return context.Cause(ctx)
					}
					var out Prediction
					if err := root.NoGrad(func(s *torch.Scope) error {
						out, err = p.predict(s, sample, o)
						return err
					}); err != nil {
						return fmt.Errorf("predict %s: %w", sample.ID, tooLarge(sample.Image, err))
					}
					if left = !yield(out, nil); left {
						return nil
					}
				}
				return nil
			})
		}
		if err != nil && !left {
			yield(Prediction{}, err)
		}
	}
}

// predict labels one sample.
func (p Predictor) predict(s *torch.Scope, sample pipeline.Sample, o PredictOptions) (Prediction, error) {
	h, w := sample.Image.Height(), sample.Image.Width()
	out := Prediction{Sample: sample}
	out.Label = raster.New(h, w, 1)
	confident := 0.0
	err := p.visit(s, sample.Image, func(s *torch.Scope, y int, scores *torch.Tensor) error {
		probability, class := scores.MaxDim(1, false)
		sure := probability.Ge(o.Threshold)
		confident += sure.Sum().Item()
		if o.IgnoreUncertain {
			class = class.MaskedFill(sure.LogicalNot(), float64(raster.Ignore))
		}
		copy(out.Label.Pix()[y*w:], network.Raster(class.Select(0, 0)).Pix())
		if o.Scores {
			n := scores.Dim(2) * w * 2 // bytes of a class
			if out.Scores == nil {
				out.Scores = make([]byte, scores.Dim(1)*h*w*2)
			}
			band := scores.Select(0, 0).To(torch.Float16).Contiguous().Bytes()
			for c := range scores.Dim(1) {
				copy(out.Scores[(c*h+y)*w*2:], band[c*n:(c+1)*n])
			}
		}
		return nil
	})
	out.Confidence = float32(confident) / float32(h*w)
	return out, err
}

// Header is that of a stream of predictions made of samples with the header in.
func (t Trained) Header(in pipeline.Header, o PredictOptions) (pipeline.Header, error) {
	if in.Kind != pipeline.KindSample {
		return in, fmt.Errorf("predict: the stream is of %s, want samples", in.Kind.Plural())
	}
	network, file := studentOrTeacher(o.Teacher)
	in.Classes, in.Colors, in.Labeled, in.Pseudo = t.State.Classes, t.State.Colors, true, true
	return in.With("predict", struct {
		Run             string           `json:"run"`
		Iteration       int              `json:"iteration"`
		Network         string           `json:"network"`
		Weights         string           `json:"weights"` // xxh3-64 of the network's file
		Threshold       float64          `json:"threshold"`
		IgnoreUncertain bool             `json:"ignore_uncertain"`
		Inference       config.Inference `json:"inference"`
	}{t.Name, t.State.Iteration, network, t.State.Files[file].XXH3, o.Threshold, o.IgnoreUncertain, o.Inference})
}
