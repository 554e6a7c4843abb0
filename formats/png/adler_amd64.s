//go:build !purego

#include "textflag.h"

// How often each byte of a vector counts: once for every byte from it on.
DATA weights<>+0(SB)/8, $0x191a1b1c1d1e1f20
DATA weights<>+8(SB)/8, $0x1112131415161718
DATA weights<>+16(SB)/8, $0x090a0b0c0d0e0f10
DATA weights<>+24(SB)/8, $0x0102030405060708
GLOBL weights<>(SB), RODATA|NOPTR, $32

// func adlerVectors(p *byte, n int) (sum, weighted uint32)
//	Y0 the sum of bytes, four 64-bit lanes
//	Y1 the sum of what Y0 was before each vector
//	Y2 the weighted sums inside the vectors, eight 32-bit lanes
TEXT ·adlerVectors(SB), NOSPLIT, $0-24
	MOVQ p+0(FP), SI
	MOVQ n+8(FP), CX
	VPXOR Y0, Y0, Y0
	VPXOR Y1, Y1, Y1
	VPXOR Y2, Y2, Y2
	VPXOR Y7, Y7, Y7
	VMOVDQU weights<>(SB), Y6
	VPCMPEQW Y5, Y5, Y5
	VPSRLW $15, Y5, Y5 // ones

vector:
	VMOVDQU    (SI), Y3
	VPADDQ     Y0, Y1, Y1
	VPSADBW    Y7, Y3, Y4
	VPADDQ     Y4, Y0, Y0
	VPMADDUBSW Y6, Y3, Y3
	VPMADDWD   Y5, Y3, Y3
	VPADDD     Y3, Y2, Y2
	ADDQ       $32, SI
	SUBQ       $32, CX
	JNZ        vector

	// Each earlier byte counts 32 times for each vector after it.
	VPSLLQ  $5, Y1, Y1
	VPADDD  Y1, Y2, Y2 // the upper halves of Y1's lanes are 0

	VEXTRACTI128 $1, Y0, X3
	VPADDD       X3, X0, X0
	VPSHUFD      $0x4e, X0, X3
	VPADDD       X3, X0, X0
	VMOVD        X0, AX
	VEXTRACTI128 $1, Y2, X3
	VPADDD       X3, X2, X2
	VPSHUFD      $0x4e, X2, X3
	VPADDD       X3, X2, X2
	VPSHUFD      $0xb1, X2, X3
	VPADDD       X3, X2, X2
	VMOVD        X2, BX
	VZEROUPPER
	MOVL AX, sum+16(FP)
	MOVL BX, weighted+20(FP)
	RET
