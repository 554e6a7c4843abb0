package eval

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/pipa-uda/pipa/fixtures/golden"
	"github.com/pipa-uda/pipa/pipeline/raster"
	"github.com/pipa-uda/pipa/train/torch"
	"github.com/pipa-uda/pipa/train/torch/torchtest"
)

func TestScoresMatchThePublishedEvaluation(t *testing.T) {
	torchtest.Golden(t, "miou", func(t *testing.T, s *torch.Scope, c *golden.Case) {
		golden.Fixed(c, "ignore_index", raster.Ignore)
		classes := golden.Param[int](c, "num_classes")
		// The classes that a published mean leaves out.
		golden.Fixed(c, "without16", others(classes, Synthia16))
		golden.Fixed(c, "without13", others(classes, Synthia13))
		pred, label := torchtest.Tensor(s, c, "pred"), torchtest.Tensor(s, c, "label")
		confusion := NewConfusion(classes)
		for i := range pred.Dim(0) { // image by image, as an evaluation goes
			if err := confusion.Add(pred.Select(0, i), label.Select(0, i)); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(confusion.Counts, c.Ints("confusion")) {
			t.Error("the counts differ")
		}
		scores := confusion.Scores()
		near := func(name string, got []float64) {
			f := make([]float32, len(got))
			for i, v := range got {
				f[i] = float32(v)
			}
			golden.Near(t, name, f, c.Floats(name), 1e-6)
		}
		near("iou", scores.IoU)
		near("acc", scores.Accuracy)
		near("aAcc", []float64{scores.AllPixels})
		near("miou19", []float64{scores.Mean(nil)})
		near("miou16", []float64{scores.Mean(Synthia16)})
		near("miou13", []float64{scores.Mean(Synthia13)})
	})
}

// others are the classes that are not in a set.
func others(classes int, set []int) (out []int) {
	for class := range classes {
		if !slices.Contains(set, class) {
			out = append(out, class)
		}
	}
	return out
}

func TestAddRefusesWhatIsNoClass(t *testing.T) {
	torchtest.Run(t, func(s *torch.Scope) {
		if err := NewConfusion(19).Add(s.FromInt64([]int64{3}, 1), s.FromInt64([]int64{30}, 1)); err == nil {
			t.Error("accepted label 30")
		}
	})
}

func TestTableNamesEveryClassAndMean(t *testing.T) {
	c := NewConfusion(19)
	c.Counts[0] = 10
	c.Counts[1] = 10
	table := Table(raster.CityscapesClasses(), []string{"source", "pipa"}, []Scores{c.Scores(), c.Scores()})
	for _, want := range []string{"road             50.00    50.00", "bicycle              -        -", "mIoU (16)", "mIoU* (13)", "source"} {
		if !strings.Contains(table, want) {
			t.Errorf("lacks %q:\n%s", want, table)
		}
	}
	// The sets of 16 and 13 are Cityscapes' classes, not any 19.
	others := raster.CityscapesClasses()
	others[3] = "hedge"
	if table := Table(others, []string{"source"}, []Scores{c.Scores()}); strings.Contains(table, "mIoU (") || !strings.Contains(table, "mIoU  ") {
		t.Errorf("the means of other classes:\n%s", table)
	}
	if math.IsNaN(c.Scores().Mean(nil)) {
		t.Error("the mean of one seen class is NaN")
	}
	alone := Table([]string{"lawn", "path"}, []string{"run"}, []Scores{{IoU: []float64{0.25, 0.5}, Accuracy: []float64{0.75, 1}, AllPixels: 0.5}})
	want := `run, in %       IoU  accuracy
lawn          25.00     75.00
path          50.00    100.00
mIoU          37.50     87.50
all pixels    50.00         -
`
	if alone != want {
		t.Errorf("one result is\n%s\nwant\n%s", alone, want)
	}
}

// TestMeansOverSynthiasClasses: they are taken from the confusion of all 19, so
// that what is taken for terrain counts as missed; and where the three absent
// classes score 0, they are the published mIoU19 * 19/16.
func TestMeansOverSynthiasClasses(t *testing.T) {
	const terrain, vegetation = 9, 8
	c := NewConfusion(19)
	for k := range 19 {
		c.Counts[k*19+k] = 90
		c.Counts[k*19+(k+1)%19] = 10
	}
	for _, absent := range []int{terrain, 14, 16} { // in the labels, never predicted right
		c.Counts[absent*19+absent] = 0
		c.Counts[absent*19+vegetation] += 90
	}
	s := c.Scores()
	if got, want := s.Mean(Synthia16), s.Mean(nil)*19/16; math.Abs(got-want) > 1e-12 {
		t.Errorf("mIoU over 16 is %v, 19/16 of that over 19 is %v", got, want)
	}
	if s.IoU[vegetation] >= 0.9 {
		t.Errorf("vegetation scores %v: what it takes from absent classes does not count", s.IoU[vegetation])
	}
	three := s.IoU[3] + s.IoU[4] + s.IoU[5] // wall, fence, pole
	if got, want := s.Mean(Synthia13), (16*s.Mean(Synthia16)-three)/13; math.Abs(got-want) > 1e-12 {
		t.Errorf("mIoU over 13 is %v, want %v", got, want)
	}
}
