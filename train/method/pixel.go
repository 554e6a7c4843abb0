package method

import (
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/config"
	"github.com/pipa-uda/pipa/train/loss"
	"github.com/pipa-uda/pipa/train/model"
	"github.com/pipa-uda/pipa/train/nn"
	"github.com/pipa-uda/pipa/train/torch"
)

// pixelContrast is PiPa's, of the source's feature pixels (docs/method.md, Pixel
// contrast).
type pixelContrast struct {
	head *model.PixelProjection
	pixelRule
}

// pixelRule is what the paper and the released code do differently.
type pixelRule struct {
	// judge is a head whose prediction tells hard pixels from easy ones, though no
	// loss reaches it. Where it is nil the decoder's own prediction does.
	judge *model.PixelClassifier
	// whole takes the label of the whole image, also where the features are those of
	// a detail.
	whole         bool
	ignoreAsClass bool // contrasts 255 like a class
}

// newPixelContrast makes the contrast's heads, and chooses its rule.
func newPixelContrast(heads nn.Path, c config.Pixel, s model.Shape, classes int) *pixelContrast {
	p := &pixelContrast{head: model.NewPixelProjection(heads, s, c.Dim)}
	if c.Mode == config.Official {
		p.pixelRule = pixelRule{judge: model.NewPixelClassifier(heads, s, classes), whole: true, ignoreAsClass: true}
	}
	return p
}

func (p *pixelContrast) Terms(st *Step, in SourcePass) ([]loss.Term, error) {
	c := st.cfg.Pixel
	contrast := loss.PixelContrast{Temperature: c.Temperature, BaseTemperature: c.BaseTemperature, MaxSamples: c.MaxSamples, MaxViews: c.MaxViews, IgnoreAsClass: p.ignoreAsClass, Group: st.group}
	logits := in.Closest.Logits
	var embed *torch.Tensor
	st.Student.Autocast(logits, func() {
		joined := model.JoinFeatures(in.Closest.Features)
		embed = p.head.Forward(joined, st.Student.Mode(nn.Training)).To(torch.Float32)
		if p.judge != nil {
			logits = p.judge.Forward(joined.Detach(), st.Student.Mode(nn.Training))
		}
	})
	height, width := in.Label.Dim(1), in.Label.Dim(2)
	box := in.Shown
	if p.whole {
		box = raster.Box{Y1: height, X1: width}
	}
	low := loss.ShrinkLabels(in.Labels, height, width, box, embed.Dim(2), embed.Dim(3))
	anchors, err := contrast.Sample(low, st.group.Gather(logits.Argmax(1, false).To(torch.Uint8)), st.draws.Anchors)
	if err != nil {
		return nil, err
	}
	return []loss.Term{{Name: "pixel", Value: contrast.Loss(embed, anchors), Weight: c.Weight}}, nil
}
