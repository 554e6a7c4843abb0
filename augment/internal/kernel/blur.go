package kernel

// BlurRows sums five rows with the binomial weights 1 4 6 4 1.
func BlurRows(dst []uint16, r0, r1, r2, r3, r4 []byte) {
	blurRowsPlain(dst, r0, r1, r2, r3, r4, blurRowsFast(dst, r0, r1, r2, r3, r4))
}

func blurRowsPlain(dst []uint16, r0, r1, r2, r3, r4 []byte, from int) {
	n := len(dst)
	r0, r1, r2, r3, r4 = r0[:n], r1[:n], r2[:n], r3[:n], r4[:n]
	for x := from; x < n; x++ {
		dst[x] = uint16(r0[x]) + uint16(r4[x]) + 4*(uint16(r1[x])+uint16(r3[x])) + 6*uint16(r2[x])
	}
}

// BlurColumns sums pixels of the given channels with the weights 1 4 6 4 1,
// and rounds the 256th. sums has two pixels more than dst at either end.
func BlurColumns(dst []byte, sums []uint16, channels int) {
	blurColumnsPlain(dst, sums, channels, blurColumnsFast(dst, sums, channels))
}

func blurColumnsPlain(dst []byte, sums []uint16, c, from int) {
	n := len(dst)
	s0, s1, s2, s3, s4 := sums[:n], sums[c:][:n], sums[2*c:][:n], sums[3*c:][:n], sums[4*c:][:n]
	for x := from; x < n; x++ {
		// At most 255*256 + 128, which fits 16 bits.
		dst[x] = byte((s0[x] + s4[x] + 4*(s1[x]+s3[x]) + 6*s2[x] + 128) >> 8)
	}
}
