package jpeg

// The inverse cosine transform is the accurate one of the Independent JPEG Group
// (after Loeffler, Ligtenberg and Moschytz, 1989), as libjpeg-turbo's vectors compute
// it: in 16 bits between the passes and for sums of two inputs, in 32 bits within
// one. Constants are in 1/8192.
const (
	fix0_298 = 2446
	fix0_390 = 3196
	fix0_541 = 4433
	fix0_765 = 6270
	fix0_899 = 7373
	fix1_175 = 9633
	fix1_501 = 12299
	fix1_847 = 15137
	fix1_961 = 16069
	fix2_053 = 16819
	fix2_562 = 20995
	fix3_072 = 25172
)

// How far the sums of the two passes are shifted down.
const (
	shiftColumns = 11
	shiftRows    = 18
)

// inversePass transforms 8 values of 16 bits to 8 sums, which are yet to be shifted
// down by the given bits.
func inversePass(v0, v1, v2, v3, v4, v5, v6, v7 int32, shift uint) (r0, r1, r2, r3, r4, r5, r6, r7 int32) {
	t2 := v2*fix0_541 + v6*(fix0_541-fix1_847)
	t3 := v2*(fix0_541+fix0_765) + v6*fix0_541
	half := int32(1) << (shift - 1)
	t0 := int32(int16(v0+v4))<<13 + half
	t1 := int32(int16(v0-v4))<<13 + half
	e0, e3, e1, e2 := t0+t3, t0-t3, t1+t2, t1-t2

	s3, s4 := int32(int16(v7+v3)), int32(int16(v5+v1))
	z3 := s3*(fix1_175-fix1_961) + s4*fix1_175
	z4 := s3*fix1_175 + s4*(fix1_175-fix0_390)
	o0 := v7*(fix0_298-fix0_899) - v1*fix0_899 + z3
	o3 := v1*(fix1_501-fix0_899) - v7*fix0_899 + z4
	o1 := v5*(fix2_053-fix2_562) - v3*fix2_562 + z4
	o2 := v3*(fix3_072-fix2_562) - v5*fix2_562 + z3
	return e0 + o3, e1 + o2, e2 + o1, e3 + o0, e3 - o0, e2 - o1, e1 - o2, e0 - o3
}

// saturate is a sum shifted down, in 16 bits.
func saturate(sum int32, shift uint) int32 { return max(-1<<15, min(sum>>shift, 1<<15-1)) }

// sample is a sum of the second pass as a sample.
func sample(sum int32) byte { return byte(max(-128, min(sum>>shiftRows, 127)) + 128) }

// inverseRowPlain makes the samples of a row of blocks.
func inverseRowPlain(dst []byte, stride int, blocks []int16, quant *[64]int16) {
	for ; len(blocks) > 0; blocks = blocks[64:] {
		inverseBlock(dst, stride, (*[64]int16)(blocks), quant)
		if len(blocks) > 64 {
			dst = dst[8:]
		}
	}
}

func inverseBlock(dst []byte, stride int, block, quant *[64]int16) {
	var w [64]int32
	flat := true
	for x := range 8 {
		var v [8]int32
		rest := int32(0)
		for y := range 8 {
			v[y] = int32(block[8*y+x] * quant[8*y+x])
			if y > 0 {
				rest |= v[y]
			}
		}
		if rest == 0 { // as in most blocks most columns are
			dc := saturate(4*v[0], 0)
			for y := range 8 {
				w[8*y+x] = dc
			}
			flat = flat && (x == 0 || dc == 0)
			continue
		}
		flat = false
		r0, r1, r2, r3, r4, r5, r6, r7 := inversePass(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], shiftColumns)
		w[x], w[8+x], w[16+x], w[24+x] = saturate(r0, shiftColumns), saturate(r1, shiftColumns), saturate(r2, shiftColumns), saturate(r3, shiftColumns)
		w[32+x], w[40+x], w[48+x], w[56+x] = saturate(r4, shiftColumns), saturate(r5, shiftColumns), saturate(r6, shiftColumns), saturate(r7, shiftColumns)
	}
	if flat { // DC alone
		v := sample(w[0]<<13 + 1<<(shiftRows-1))
		for y := range 8 {
			row := dst[y*stride : y*stride+8]
			for x := range row {
				row[x] = v
			}
		}
		return
	}
	for y := range 8 {
		v := (*[8]int32)(w[8*y:])
		r0, r1, r2, r3, r4, r5, r6, r7 := inversePass(v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7], shiftRows)
		row := (*[8]byte)(dst[y*stride:])
		row[0], row[1], row[2], row[3] = sample(r0), sample(r1), sample(r2), sample(r3)
		row[4], row[5], row[6], row[7] = sample(r4), sample(r5), sample(r6), sample(r7)
	}
}
