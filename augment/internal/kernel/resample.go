package kernel

import "math"

const (
	// resampleBits are the fractional bits of Pillow's 8-bit resampling weights
	// (Pillow 9.4 src/libImaging/Resample.c, PRECISION_BITS).
	resampleBits = 32 - 8 - 2
	resampleHalf = 1 << (resampleBits - 1)
	// lowBits are split off a weight so that both parts fit 16 bits: weights
	// reach a little beyond ±2^22.
	lowBits = 12
)

// A Filter is one of Pillow's resampling filters (src/libImaging/Resample.c). Where
// it shrinks an image it is stretched to an output pixel's width.
type Filter struct {
	support float64 // beyond which the weight is 0, in pixels
	weight  func(x float64) float64
}

// Pillow's BICUBIC and BILINEAR.
var (
	Bicubic  = Filter{2, bicubic}
	Bilinear = Filter{1, triangle}
)

// ResampleAxis are Pillow's antialiased weights along one axis.
type ResampleAxis struct {
	N       int     // positions
	Taps    int     // weights of a position
	At      []int32 // first source index of each position
	Count   []int32 // weights of each position that count; those after are 0
	Weights []int32 // [N][Taps], in 1/2^22
	values  []float64
}

// Set makes a the filter's weights of positions from to to of an axis scaled from
// in to out.
func (a *ResampleAxis) Set(f Filter, in, out, from, to int) {
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := f.support * stretch
	a.N, a.Taps = to-from, 2*int(math.Ceil(support))+1
	a.At, a.Count = grow(a.At, a.N), grow(a.Count, a.N)
	a.Weights, a.values = grow(a.Weights, a.N*a.Taps), grow(a.values, a.Taps)
	most := 0
	for i := range a.N {
		center, first, last := resampleSpan(in, scale, support, from+i)
		values, sum := a.values[:last-first], 0.0
		for k := range values {
			values[k] = f.weight((float64(k+first) - center + 0.5) / stretch)
			sum += values[k]
		}
		weights := a.Weights[i*a.Taps:][:a.Taps]
		for k := range weights {
			weights[k] = 0
		}
		for k, v := range values {
			if sum != 0 {
				v /= sum
			}
			weights[k] = int32(math.Round(v * (1 << resampleBits))) // half away from zero
		}
		a.At[i], a.Count[i] = int32(first), int32(len(values))
		most = max(most, len(values))
	}
	// Close the rows up to the most weights that any position has.
	for i := range a.N {
		copy(a.Weights[i*most:(i+1)*most], a.Weights[i*a.Taps:])
	}
	a.Taps, a.Weights = most, a.Weights[:a.N*most]
}

// Position is position i's first source index and its weights.
func (a *ResampleAxis) Position(i int) (at int, weights []int32) {
	return int(a.At[i]), a.Weights[i*a.Taps:][:a.Count[i]]
}

// resampleSpan is where position d lies on the source axis, and the indices
// that have a weight.
func resampleSpan(in int, scale, support float64, d int) (center float64, first, last int) {
	center = float64((float64(d) + 0.5) * scale)
	return center, max(int(center-support+0.5), 0), min(int(center+support+0.5), in)
}

// ResampleSpan are the source indices [first, last) of position d along an axis
// scaled from in to out.
func ResampleSpan(f Filter, in, out, d int) (first, last int) {
	scale := float64(in) / float64(out)
	_, first, last = resampleSpan(in, scale, f.support*max(scale, 1), d)
	return first, last
}

// bicubic is Keys' cubic convolution with a = -0.5, each product rounded by
// itself.
func bicubic(x float64) float64 {
	const a = -0.5
	x = math.Abs(x)
	switch {
	case x < 1:
		return float64((float64((a+2)*x)-(a+3))*x*x) + 1
	case x < 2:
		return (float64((float64((x-5)*x)+8)*x) - 4) * a
	}
	return 0
}

// triangle is linear interpolation.
func triangle(x float64) float64 { return max(1-math.Abs(x), 0) }

// split divides a weight into its high part and its low lowBits.
func split(w int32) (high, low int16) { return int16(w >> lowBits), int16(w & (1<<lowBits - 1)) }

// ResampleTaps are the positions of a row's horizontal pass over RGB.
type ResampleTaps struct {
	axis   ResampleAxis
	flip   bool
	at     []int32 // byte offset of each position's first tap; to a multiple of 4 positions
	packed []int16 // [group of 4 positions][chunk of 4 taps][positions 0, 2, 1, 3][low 01, high 01, low 23, high 23][2]
	pairs  int     // pairs of taps; 0 where there is no packing
	reach  int     // bytes of the source row that the assembly reads
}

// Set makes t the filter's taps of positions from to to of a width scaled from in
// to out, mirrored where flip is set.
func (t *ResampleTaps) Set(f Filter, in, out, from, to int, flip bool) {
	t.axis.Set(f, in, out, from, to)
	t.flip = flip
	a := &t.axis
	pairs := max((a.Taps+1)/2, 2)
	t.pairs, t.reach = 0, 0
	if in < 2*pairs {
		return
	}
	t.pairs = pairs
	chunks := t.chunks()
	groups := (a.N + 3) / 4
	t.at, t.packed = grow(t.at, 4*groups), grow(t.packed, groups*chunks*32)
	clear(t.packed)
	slot := [4]int{0, 2, 1, 3}
	for i := range t.at {
		p := t.position(min(i, a.N-1))
		// The row's end bounds the taps: those too many go before, with weight 0.
		first := int(a.At[p])
		shifted := min(first, in-2*pairs)
		t.at[i] = int32(3 * shifted)
		t.reach = max(t.reach, 3*shifted+12*chunks+4)
		table := t.packed[i/4*chunks*32:][:chunks*32]
		for k, w := range a.Weights[p*a.Taps:][:a.Count[p]] {
			k += first - shifted
			high, low := split(w)
			at := k/4*32 + slot[i%4]*8 + k%4/2*4 + k%2
			table[at], table[at+2] = low, high
		}
	}
}

// chunks is the groups of 4 taps, of which the last may be half used.
func (t *ResampleTaps) chunks() int { return (t.pairs + 1) / 2 }

// position is output position i's place on the axis.
func (t *ResampleTaps) position(i int) int {
	if t.flip {
		return t.axis.N - 1 - i
	}
	return i
}

// ResampleRow resamples an RGB row horizontally, rounding to bytes. src may go
// on beyond the row; dst has Slack.
func ResampleRow(dst, src []byte, t *ResampleTaps) { ResampleRowPart(dst, src, t, 0, t.axis.N) }

// ResampleRowPart is ResampleRow of the positions from to to, and maybe a few
// around them; the rest of dst, which is the whole row's, is left in any state.
func ResampleRowPart(dst, src []byte, t *ResampleTaps, from, to int) {
	resampleRowPlain(dst, src, t, resampleRowFast(dst, src, t, from, to), to)
}

func resampleRowPlain(dst, src []byte, t *ResampleTaps, from, to int) {
	a := &t.axis
	for i := from; i < to; i++ {
		at, weights := a.Position(t.position(i))
		row := src[3*at:][:3*len(weights)]
		r, g, b := int32(resampleHalf), int32(resampleHalf), int32(resampleHalf)
		for k, weight := range weights {
			p := row[3*k : 3*k+3 : 3*k+3]
			r += int32(p[0]) * weight
			g += int32(p[1]) * weight
			b += int32(p[2]) * weight
		}
		d := dst[3*i : 3*i+3 : 3*i+3]
		d[0], d[1], d[2] = Clip8(r>>resampleBits), Clip8(g>>resampleBits), Clip8(b>>resampleBits)
	}
}

// ResampleColumn resamples vertically: dst is the sum of the rows that begin at
// the offsets of base, weighed.
func ResampleColumn(dst, base []byte, offsets []int, weights []int32, s *ColumnScratch) {
	resampleColumnPlain(dst, base, offsets, weights, s, resampleColumnFast(dst, base, offsets, weights, s))
}

// ColumnScratch is memory that ResampleColumn uses.
type ColumnScratch struct {
	sums    []int32
	packed  []int16 // [pair of rows][low, high][2]
	offsets []int
}

func resampleColumnPlain(dst, base []byte, offsets []int, weights []int32, s *ColumnScratch, from int) {
	if from == len(dst) {
		return
	}
	s.sums = grow(s.sums, len(dst)-from)
	sums := s.sums
	for i := range sums {
		sums[i] = resampleHalf
	}
	for k, weight := range weights {
		row := base[offsets[k]+from:][:len(sums)]
		for x, v := range row {
			sums[x] += int32(v) * weight
		}
	}
	rest := dst[from:][:len(sums)]
	for x, v := range sums {
		rest[x] = Clip8(v >> resampleBits)
	}
}

// Clip8 is the byte nearest to v.
func Clip8(v int32) byte {
	if uint32(v) > 255 {
		if v < 0 {
			return 0
		}
		return 255
	}
	return byte(v)
}
