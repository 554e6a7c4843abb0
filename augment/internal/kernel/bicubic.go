package kernel

import "math"

const (
	// bicubicBits are the fractional bits of Pillow's 8-bit resampling weights
	// (Pillow 9.4 src/libImaging/Resample.c, PRECISION_BITS).
	bicubicBits = 32 - 8 - 2
	bicubicHalf = 1 << (bicubicBits - 1)
	// lowBits are split off a weight so that both parts fit 16 bits: weights
	// reach a little beyond ±2^22.
	lowBits = 12
)

// BicubicAxis are Pillow's antialiased bicubic weights along one axis.
type BicubicAxis struct {
	N       int     // positions
	Taps    int     // weights of a position
	At      []int32 // first source index of each position
	Count   []int32 // weights of each position that count; those after are 0
	Weights []int32 // [N][Taps], in 1/2^22
	values  []float64
}

// Set makes a the weights of positions from to to of an axis scaled from in to
// out.
func (a *BicubicAxis) Set(in, out, from, to int) {
	scale := float64(in) / float64(out)
	stretch := max(scale, 1)
	support := 2 * stretch
	a.N, a.Taps = to-from, 2*int(math.Ceil(support))+1
	a.At, a.Count = grow(a.At, a.N), grow(a.Count, a.N)
	a.Weights, a.values = grow(a.Weights, a.N*a.Taps), grow(a.values, a.Taps)
	most := 0
	for i := range a.N {
		center, first, last := bicubicSpan(in, scale, support, from+i)
		values, sum := a.values[:last-first], 0.0
		for k := range values {
			values[k] = bicubic((float64(k+first) - center + 0.5) / stretch)
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
			weights[k] = int32(math.Round(v * (1 << bicubicBits))) // half away from zero
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
func (a *BicubicAxis) Position(i int) (at int, weights []int32) {
	return int(a.At[i]), a.Weights[i*a.Taps:][:a.Count[i]]
}

// bicubicSpan is where position d lies on the source axis, and the indices
// that have a weight.
func bicubicSpan(in int, scale, support float64, d int) (center float64, first, last int) {
	center = float64((float64(d) + 0.5) * scale)
	return center, max(int(center-support+0.5), 0), min(int(center+support+0.5), in)
}

// BicubicSpan are the source indices [first, last) of position d along an axis
// scaled from in to out.
func BicubicSpan(in, out, d int) (first, last int) {
	scale := float64(in) / float64(out)
	_, first, last = bicubicSpan(in, scale, 2*max(scale, 1), d)
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

// split divides a weight into its high part and its low lowBits.
func split(w int32) (high, low int16) { return int16(w >> lowBits), int16(w & (1<<lowBits - 1)) }

// BicubicTaps are the positions of a row's horizontal pass over RGB.
type BicubicTaps struct {
	axis   BicubicAxis
	flip   bool
	at     []int32 // byte offset of each position's first tap; to a multiple of 4 positions
	packed []int16 // [group of 4 positions][chunk of 4 taps][positions 0, 2, 1, 3][low 01, high 01, low 23, high 23][2]
	pairs  int     // pairs of taps; 0 where there is no packing
	reach  int     // bytes of the source row that the assembly reads
}

// Set makes t the taps of positions from to to of a width scaled from in to
// out, mirrored where flip is set.
func (t *BicubicTaps) Set(in, out, from, to int, flip bool) {
	t.axis.Set(in, out, from, to)
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
func (t *BicubicTaps) chunks() int { return (t.pairs + 1) / 2 }

// position is output position i's place on the axis.
func (t *BicubicTaps) position(i int) int {
	if t.flip {
		return t.axis.N - 1 - i
	}
	return i
}

// BicubicRow resamples an RGB row horizontally, rounding to bytes. src may go
// on beyond the row; dst has Slack.
func BicubicRow(dst, src []byte, t *BicubicTaps) { BicubicRowPart(dst, src, t, 0, t.axis.N) }

// BicubicRowPart is BicubicRow of the positions from to to, and maybe a few
// around them; the rest of dst, which is the whole row's, is left in any state.
func BicubicRowPart(dst, src []byte, t *BicubicTaps, from, to int) {
	bicubicRowPlain(dst, src, t, bicubicRowFast(dst, src, t, from, to), to)
}

func bicubicRowPlain(dst, src []byte, t *BicubicTaps, from, to int) {
	a := &t.axis
	for i := from; i < to; i++ {
		at, weights := a.Position(t.position(i))
		row := src[3*at:][:3*len(weights)]
		r, g, b := int32(bicubicHalf), int32(bicubicHalf), int32(bicubicHalf)
		for k, weight := range weights {
			p := row[3*k : 3*k+3 : 3*k+3]
			r += int32(p[0]) * weight
			g += int32(p[1]) * weight
			b += int32(p[2]) * weight
		}
		d := dst[3*i : 3*i+3 : 3*i+3]
		d[0], d[1], d[2] = Clip8(r>>bicubicBits), Clip8(g>>bicubicBits), Clip8(b>>bicubicBits)
	}
}

// BicubicColumn resamples vertically: dst is the sum of the rows that begin at
// the offsets of base, weighed.
func BicubicColumn(dst, base []byte, offsets []int, weights []int32, s *ColumnScratch) {
	bicubicColumnPlain(dst, base, offsets, weights, s, bicubicColumnFast(dst, base, offsets, weights, s))
}

// ColumnScratch is memory that BicubicColumn uses.
type ColumnScratch struct {
	sums    []int32
	packed  []int16 // [pair of rows][low, high][2]
	offsets []int
}

func bicubicColumnPlain(dst, base []byte, offsets []int, weights []int32, s *ColumnScratch, from int) {
	if from == len(dst) {
		return
	}
	s.sums = grow(s.sums, len(dst)-from)
	sums := s.sums
	for i := range sums {
		sums[i] = bicubicHalf
	}
	for k, weight := range weights {
		row := base[offsets[k]+from:][:len(sums)]
		for x, v := range row {
			sums[x] += int32(v) * weight
		}
	}
	rest := dst[from:][:len(sums)]
	for x, v := range sums {
		rest[x] = Clip8(v >> bicubicBits)
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
