package kernel

// Widen makes floats of bytes, times unit.
func Widen(dst []float32, src []byte, unit float32) {
	widenPlain(dst, src, unit, widenFast(dst, src, unit))
}

func widenPlain(dst []float32, src []byte, unit float32, from int) {
	dst = dst[:len(src)]
	for i := from; i < len(src); i++ {
		dst[i] = float32(src[i]) * unit
	}
}

// Narrow makes bytes of whole floats from 0 to 255.
func Narrow(dst []byte, src []float32) { narrowPlain(dst, src, narrowFast(dst, src)) }

func narrowPlain(dst []byte, src []float32, from int) {
	src = src[:len(dst)]
	for i := from; i < len(dst); i++ {
		dst[i] = byte(src[i])
	}
}

// A Weighing is a weighted mean, in steps of 1/Scale.
type Weighing struct {
	Weights []float32
	Sum     float32 // of the weights, added up in their order
	Scale   float32 // the mean is rounded to a whole number of 1/Scale, at most 1,
	Unit    float32 // and given in this unit
}

// Weigh sets dst to the weighted mean of the runs that begin at the offsets of
// base, added up in their order.
func Weigh(dst, base []float32, offsets []int, w Weighing) {
	weighPlain(dst, base, offsets, w, weighFast(dst, base, offsets, w))
}

func weighPlain(dst, base []float32, offsets []int, w Weighing, from int) {
	for i := from; i < len(dst); i++ {
		var sum float32
		for k, weight := range w.Weights {
			sum += float32(base[offsets[k]+i] * weight)
		}
		level := int32(float32(sum/w.Sum*w.Scale) + 0.5)
		dst[i] = min(float32(level), w.Scale) * w.Unit
	}
}
