package kernel

import (
	"bytes"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

func noise(rng *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	return b
}

// colors are n RGB pixels, many of them gray, near gray, or pure.
func colors(rng *rand.Rand, n int) []byte {
	b := noise(rng, 3*n)
	for i := 0; i < len(b); i += 3 {
		switch rng.IntN(4) {
		case 0:
			b[i+1], b[i+2] = b[i], b[i]
		case 1:
			b[i+rng.IntN(3)] = 255
		case 2:
			b[i+rng.IntN(3)] = 0
		}
	}
	return b
}

// window draws a part of an axis.
func window(rng *rand.Rand, out int) (from, to int) {
	from = rng.IntN(out)
	return from, from + 1 + rng.IntN(out-from)
}

// side draws a length, mostly short ones.
func side(rng *rand.Rand) int {
	if rng.IntN(4) == 0 {
		return 1 + rng.IntN(700)
	}
	return 1 + rng.IntN(40)
}

// guard is memory whose last elements must stay as they are.
func guard[T byte | int16 | uint16](n, slack int) (use, whole []T, check func() bool) {
	whole = make([]T, n+slack+32)
	for i := range whole {
		whole[i] = 0x5a
	}
	return whole[: n : n+slack], whole, func() bool {
		for _, v := range whole[n+slack:] {
			if v != 0x5a {
				return false
			}
		}
		return true
	}
}

func TestBilinearEqualsPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	var taps BilinearTaps
	for range 3000 {
		in, out, c := side(rng), side(rng), []int{1, 3}[rng.IntN(2)]
		from, to := window(rng, out)
		flip := rng.IntN(2) == 0
		taps.Set(in, out, from, to, c, flip)
		src := noise(rng, in*c+rng.IntN(20))
		n := (to - from) * c
		got, whole, check := guard[int16](n, Slack)
		BilinearRow(got[:cap(got)], src, &taps)
		want := make([]int16, n)
		bilinearRowPlain(want, src, &taps, 0)
		if !slices.Equal(whole[:n], want) || !check() {
			t.Fatalf("row %d to %d, %d..%d, %d channels, flip %v: %v, want %v", in, out, from, to, c, flip, whole[:n], want)
		}
		w0 := rng.Int32N(2049)
		lower := slices.Clone(want)
		rng.Shuffle(n, func(i, j int) { lower[i], lower[j] = lower[j], lower[i] })
		gotBytes, _, check := guard[byte](n, 0)
		wantBytes := make([]byte, n)
		BilinearBlend(gotBytes, want, lower, w0, 2048-w0)
		bilinearBlendPlain(wantBytes, want, lower, w0, 2048-w0, 0)
		if !bytes.Equal(gotBytes, wantBytes) || !check() {
			t.Fatalf("blend of %d by %d: %v, want %v", n, w0, gotBytes, wantBytes)
		}
	}
}

func TestNearestEqualsPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 1))
	var taps NearestTaps
	for range 3000 {
		in, out, c := side(rng), side(rng), []int{1, 3}[rng.IntN(2)]
		from, to := window(rng, out)
		taps.Set([]NearestRule{OpenCVNearest, PillowNearest}[rng.IntN(2)], in, out, from, to, rng.IntN(2) == 0)
		src := noise(rng, in*c+rng.IntN(20))
		got, _, check := guard[byte]((to-from)*c, 0)
		want := make([]byte, len(got))
		NearestRow(got, src, &taps, c)
		nearestRowPlain(want, src, &taps, c, 0)
		if !bytes.Equal(got, want) || !check() {
			t.Fatalf("%d to %d, %d..%d, %d channels: %v, want %v", in, out, from, to, c, got, want)
		}
	}
}

func TestResampleEqualsPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 1))
	var taps ResampleTaps
	var axis ResampleAxis
	var s ColumnScratch
	for range 2000 {
		in, out := side(rng), side(rng)
		from, to := window(rng, out)
		filter := []Filter{Bicubic, Bilinear}[rng.IntN(2)]
		taps.Set(filter, in, out, from, to, rng.IntN(2) == 0)
		src := noise(rng, 3*in+rng.IntN(20))
		n := 3 * (to - from)
		got, whole, check := guard[byte](n, Slack)
		want := make([]byte, n)
		ResampleRow(got[:cap(got)], src, &taps)
		resampleRowPlain(want, src, &taps, 0, taps.axis.N)
		if !bytes.Equal(whole[:n], want) || !check() {
			t.Fatalf("row %d to %d, %d..%d: %v, want %v", in, out, from, to, whole[:n], want)
		}

		axis.Set(filter, in, out, from, to)
		i := rng.IntN(axis.N)
		weights := axis.Weights[i*axis.Taps:][:axis.Count[i]]
		width := side(rng)
		base := noise(rng, width*in)
		offsets := make([]int, len(weights))
		for k := range offsets {
			offsets[k] = rng.IntN(in) * width
		}
		column, _, check := guard[byte](width, 0)
		wantColumn := make([]byte, width)
		ResampleColumn(column, base, offsets, weights, &s)
		resampleColumnPlain(wantColumn, base, offsets, weights, &s, 0)
		if !bytes.Equal(column, wantColumn) || !check() {
			t.Fatalf("column of %d by %v: %v, want %v", width, weights, column, wantColumn)
		}
	}
}

func TestBlurEqualsPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(4, 1))
	for range 2000 {
		n, c := side(rng), []int{1, 3}[rng.IntN(2)]
		rows := make([][]byte, 5)
		for i := range rows {
			rows[i] = noise(rng, n*c)
		}
		got, _, check := guard[uint16](n*c, 0)
		want := make([]uint16, n*c)
		BlurRows(got, rows[0], rows[1], rows[2], rows[3], rows[4])
		blurRowsPlain(want, rows[0], rows[1], rows[2], rows[3], rows[4], 0)
		if !slices.Equal(got, want) || !check() {
			t.Fatalf("rows of %d: %v, want %v", n*c, got, want)
		}
		sums := make([]uint16, (n+4)*c)
		for i := range sums {
			sums[i] = uint16(rng.IntN(16*255 + 1))
		}
		blurred, _, check := guard[byte](n*c, 0)
		wantBlurred := make([]byte, n*c)
		BlurColumns(blurred, sums, c)
		blurColumnsPlain(wantBlurred, sums, c, 0)
		if !bytes.Equal(blurred, wantBlurred) || !check() {
			t.Fatalf("columns of %d: %v, want %v", n*c, blurred, wantBlurred)
		}
	}
}

func TestColorsEqualPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 1))
	for range 2000 {
		pix := colors(rng, side(rng))
		factor := float32(rng.NormFloat64() * 2)
		if rng.IntN(8) == 0 {
			factor = []float32{0, 1, -1, 1e9, float32(math.Inf(1)), 1 << 20}[rng.IntN(6)]
		}
		degenerate, shift := byte(rng.Uint32()), byte(rng.Uint32())
		for name, f := range map[string][2]func(p []byte){
			"mix":      {func(p []byte) { Mix(p, degenerate, factor) }, func(p []byte) { mixPlain(p, degenerate, factor) }},
			"saturate": {func(p []byte) { Saturate(p, factor) }, func(p []byte) { saturatePlain(p, factor) }},
			"gray":     {Gray, grayPlain},
			"hue":      {func(p []byte) { Hue(p, shift) }, func(p []byte) { huePlain(p, shift) }},
		} {
			got, _, check := guard[byte](len(pix), 0)
			copy(got, pix)
			want := bytes.Clone(pix)
			f[0](got)
			f[1](want)
			if !bytes.Equal(got, want) || !check() {
				t.Fatalf("%s of %v by %v, %d, %d: %v, want %v", name, pix, factor, degenerate, shift, got, want)
			}
		}
		if got, want := LumaSum(pix), lumaSumPlain(pix); got != want {
			t.Fatalf("luma sum %d, want %d", got, want)
		}
	}
}

func TestWeighEqualsPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 1))
	for range 1000 {
		n, taps := side(rng), 1+rng.IntN(20)
		bytesIn := noise(rng, 4*n)
		base, wantBase := make([]float32, len(bytesIn)), make([]float32, len(bytesIn))
		Widen(base, bytesIn, 1.0/255)
		widenPlain(wantBase, bytesIn, 1.0/255, 0)
		if !slices.Equal(base, wantBase) {
			t.Fatalf("widened %d bytes to %v, want %v", n, base, wantBase)
		}
		w := Weighing{Weights: make([]float32, taps), Scale: []float32{255, 65535}[rng.IntN(2)], Unit: 1}
		offsets := make([]int, taps)
		for k := range offsets {
			w.Weights[k], offsets[k] = rng.Float32(), rng.IntN(3*n+1)
			w.Sum += w.Weights[k]
		}
		got, want := make([]float32, n), make([]float32, n)
		Weigh(got, base, offsets, w)
		weighPlain(want, base, offsets, w, 0)
		if !slices.Equal(got, want) {
			t.Fatalf("%d of %+v: %v, want %v", n, w, got, want)
		}
		for i := range want {
			want[i] = float32(rng.IntN(256))
		}
		narrow, _, check := guard[byte](n, 0)
		wantNarrow := make([]byte, n)
		Narrow(narrow, want)
		narrowPlain(wantNarrow, want, 0)
		if !bytes.Equal(narrow, wantNarrow) || !check() {
			t.Fatalf("narrowed %v to %v, want %v", want, narrow, wantNarrow)
		}
	}
}

func TestReverseEqualsPlain(t *testing.T) {
	rng := rand.New(rand.NewPCG(6, 1))
	for range 2000 {
		n, c := side(rng), 1+rng.IntN(4)
		src := noise(rng, n*c)
		got, _, check := guard[byte](n*c, 0)
		want := make([]byte, n*c)
		Reverse(got, src, c)
		reversePlain(want, src, c, 0)
		if !bytes.Equal(got, want) || !check() {
			t.Fatalf("%d pixels of %d: %v, want %v", n, c, got, want)
		}
	}
}

// pillowHue is Pillow 9.4's conversion to HSV and back, rounding for rounding
// (src/libImaging/Convert.c, rgb2hsv_row and hsv2rgb).
func pillowHue(r, g, b, shift byte) (byte, byte, byte) {
	high, low := max(r, g, b), min(r, g, b)
	if high == low {
		return high, high, high
	}
	spread := float32(high - low)
	saturation := spread / float32(high)
	rc, gc, bc := float32(high-r)/spread, float32(high-g)/spread, float32(high-b)/spread
	var hue float32
	switch high {
	case r:
		hue = bc - gc
	case g:
		hue = float32(2 + float64(rc) - float64(bc))
	default:
		hue = float32(4 + float64(gc) - float64(rc))
	}
	turn := float64(hue)/6 + 1
	hue = float32(turn - math.Trunc(turn))
	h := Clip8(int32(float64(hue)*255)) + shift
	s, v := Clip8(int32(float64(saturation)*255)), high
	if s == 0 {
		return v, v, v
	}
	sixth := float64(h) * 6 / 255
	i := int(sixth)
	f := float32(sixth - float64(float32(i)))
	fs := float32(float64(s) / 255)
	round := func(x float64) byte { return Clip8(int32(math.Round(x))) }
	p := round(float64(v) * (1 - float64(fs)))
	q := round(float64(v) * (1 - float64(float32(fs*f))))
	t := round(float64(v) * (1 - float64(float64(fs)*(1-float64(f)))))
	switch i % 6 {
	case 0:
		return v, t, p
	case 1:
		return q, v, p
	case 2:
		return p, v, t
	case 3:
		return p, q, v
	case 4:
		return t, p, v
	}
	return v, p, q
}

// TestHueIsPillows compares every color, by a few shifts.
func TestHueIsPillows(t *testing.T) {
	shifts := []byte{0, 19, 236, 42, 43, 127}
	if testing.Short() {
		shifts = shifts[:1]
	}
	plane := make([]byte, 3*256*256)
	got, plain := make([]byte, len(plane)), make([]byte, len(plane))
	for _, shift := range shifts {
		for r := range 256 {
			for i := range 256 * 256 {
				plane[3*i], plane[3*i+1], plane[3*i+2] = byte(r), byte(i>>8), byte(i)
			}
			copy(got, plane)
			copy(plain, plane)
			Hue(got, shift)
			huePlain(plain, shift)
			for i := 0; i < len(plane); i += 3 {
				r, g, b := pillowHue(plane[i], plane[i+1], plane[i+2], shift)
				if want := [3]byte{r, g, b}; [3]byte(got[i:]) != want || [3]byte(plain[i:]) != want {
					t.Fatalf("%v shifted by %d: %v, plain %v, want %v", plane[i:i+3], shift, got[i:i+3], plain[i:i+3], want)
				}
			}
		}
	}
}
