package config

import "fmt"

// Inference says how a network sees an image that it segments. The zero value
// shows it the whole image once, at its own size.
type Inference struct {
	Resize [2]int `json:"resize"` // the image is scaled to fit [height, width], keeping its ratio; zero keeps it
	Window [2]int `json:"window"` // [height, width] of a sliding window over that; zero shows the whole at once
	Stride [2]int `json:"stride"` // the windows lie this far apart
	Batch  int    `json:"batch"`  // windows in work at once; 0 means 1
	// Scales and Flip are test-time augmentation: the image is seen at each
	// scale times Resize, and mirrored too. Empty scales mean 1 alone.
	Scales []float64 `json:"scales"`
	Flip   bool      `json:"flip"`
}

// Inference is how the configuration has a network scored.
func (c Eval) Inference() Inference {
	return Inference{Resize: c.Resize, Window: c.Window, Stride: c.Stride}
}

// Validate names the field that is out of range.
func (i Inference) Validate() error {
	both := func(s [2]int) bool { return s == [2]int{} || s[0] > 0 && s[1] > 0 }
	switch {
	case !both(i.Resize):
		return fmt.Errorf("inference: resize is %v, want a height and a width, or zeros", i.Resize)
	case !both(i.Window):
		return fmt.Errorf("inference: window is %v, want a height and a width, or zeros", i.Window)
	case i.Window[0] > 0 && (i.Stride[0] < 1 || i.Stride[1] < 1 || i.Stride[0] > i.Window[0] || i.Stride[1] > i.Window[1]):
		return fmt.Errorf("inference: stride is %v, want 1 to the window's %v, so that the windows cover the image", i.Stride, i.Window)
	case i.Batch < 0:
		return fmt.Errorf("inference: batch is %d, want 1 or more", i.Batch)
	}
	for _, s := range i.Scales {
		if !(s > 0 && s <= 8) {
			return fmt.Errorf("inference: a scale is %v, want more than 0, up to 8", s)
		}
	}
	return nil
}
