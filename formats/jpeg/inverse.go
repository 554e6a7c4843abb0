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

// inversePass transforms 8 values to 8, which are shifted down.
func inversePass(v *[8]int16, shift uint) {
	z2, z3 := int32(v[2]), int32(v[6])
	t2 := z2*fix0_541 + z3*(fix0_541-fix1_847)
	t3 := z2*(fix0_541+fix0_765) + z3*fix0_541
	t0 := int32(v[0]+v[4])<<13 + 1<<(shift-1)
	t1 := int32(v[0]-v[4])<<13 + 1<<(shift-1)
	e0, e3, e1, e2 := t0+t3, t0-t3, t1+t2, t1-t2

	s3, s4 := int32(v[7]+v[3]), int32(v[5]+v[1])
	z3 = s3*(fix1_175-fix1_961) + s4*fix1_175
	z4 := s3*fix1_175 + s4*(fix1_175-fix0_390)
	v1, v3, v5, v7 := int32(v[1]), int32(v[3]), int32(v[5]), int32(v[7])
	o0 := v7*(fix0_298-fix0_899) - v1*fix0_899 + z3
	o3 := v1*(fix1_501-fix0_899) - v7*fix0_899 + z4
	o1 := v5*(fix2_053-fix2_562) - v3*fix2_562 + z4
	o2 := v3*(fix3_072-fix2_562) - v5*fix2_562 + z3

	v[0], v[7] = saturate((e0+o3)>>shift), saturate((e0-o3)>>shift)
	v[1], v[6] = saturate((e1+o2)>>shift), saturate((e1-o2)>>shift)
	v[2], v[5] = saturate((e2+o1)>>shift), saturate((e2-o1)>>shift)
	v[3], v[4] = saturate((e3+o0)>>shift), saturate((e3-o0)>>shift)
}

func saturate(v int32) int16 { return int16(max(-1<<15, min(v, 1<<15-1))) }

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
	var w [8][8]int16 // by column, then row
	for x := range 8 {
		for y := range 8 {
			w[x][y] = block[8*y+x] * quant[8*y+x]
		}
		inversePass(&w[x], shiftColumns)
	}
	for y := range 8 {
		var v [8]int16
		for x := range 8 {
			v[x] = w[x][y]
		}
		inversePass(&v, shiftRows)
		row := dst[y*stride : y*stride+8]
		for x := range row {
			row[x] = byte(max(-128, min(v[x], 127)) + 128)
		}
	}
}
