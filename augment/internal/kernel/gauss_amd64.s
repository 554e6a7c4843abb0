//go:build !purego

#include "textflag.h"

DATA weighHalf<>+0(SB)/4, $0x3F000000 // 1/2
GLOBL weighHalf<>(SB), RODATA|NOPTR, $4

// 32 bytes in order after two packs of 8 lanes.
DATA narrowJoin<>+0(SB)/8, $0x0000000400000000
DATA narrowJoin<>+8(SB)/8, $0x0000000500000001
DATA narrowJoin<>+16(SB)/8, $0x0000000600000002
DATA narrowJoin<>+24(SB)/8, $0x0000000700000003
GLOBL narrowJoin<>(SB), RODATA|NOPTR, $32

// func widenAVX2(dst *float32, src *byte, unit float32, blocks int)
//
// A block is 8 bytes.
TEXT ·widenAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	VBROADCASTSS unit+16(FP), Y15
	MOVQ blocks+24(FP), CX

block:
	VPMOVZXBD (SI), Y0
	VCVTDQ2PS Y0, Y0
	VMULPS Y15, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ $8, SI
	ADDQ $32, DI
	DECQ CX
	JNZ block
	VZEROUPPER
	RET

// func narrowAVX2(dst *byte, src *float32, blocks int)
//
// A block is 32 bytes.
TEXT ·narrowAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ blocks+16(FP), CX
	VMOVDQU narrowJoin<>(SB), Y14

block:
	VCVTTPS2DQ (SI), Y0
	VCVTTPS2DQ 32(SI), Y1
	VCVTTPS2DQ 64(SI), Y2
	VCVTTPS2DQ 96(SI), Y3
	VPACKSSDW Y1, Y0, Y0
	VPACKSSDW Y3, Y2, Y2
	VPACKUSWB Y2, Y0, Y0
	VPERMD Y0, Y14, Y0
	VMOVDQU Y0, (DI)
	ADDQ $128, SI
	ADDQ $32, DI
	DECQ CX
	JNZ block
	VZEROUPPER
	RET

#define TAP(at, T, SUM) \
	VMULPS at(AX), Y8, T \
	VADDPS T, SUM, SUM

#define ROUND(at, SUM) \
	VDIVPS Y12, SUM, SUM \
	VMULPS Y13, SUM, SUM \
	VADDPS Y15, SUM, SUM \
	VROUNDPS $3, SUM, SUM \
	VMINPS Y13, SUM, SUM \
	VMULPS Y14, SUM, SUM \
	VMOVUPS SUM, at(DI)

// func weighAVX2(dst, base *float32, offsets *int, weights *float32, taps, blocks int, sum, scale, unit float32)
//
// A block is 32 floats.
TEXT ·weighAVX2(SB), NOSPLIT, $0-60
	MOVQ dst+0(FP), DI
	MOVQ base+8(FP), SI
	MOVQ blocks+40(FP), CX
	VBROADCASTSS sum+48(FP), Y12
	VBROADCASTSS scale+52(FP), Y13
	VBROADCASTSS unit+56(FP), Y14
	VBROADCASTSS weighHalf<>(SB), Y15

block:
	MOVQ offsets+16(FP), R8
	MOVQ weights+24(FP), R9
	MOVQ taps+32(FP), R10
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3

tap:
	MOVQ (R8), AX
	LEAQ (SI)(AX*4), AX
	VBROADCASTSS (R9), Y8
	TAP(0, Y4, Y0)
	TAP(32, Y5, Y1)
	TAP(64, Y6, Y2)
	TAP(96, Y7, Y3)
	ADDQ $8, R8
	ADDQ $4, R9
	DECQ R10
	JNZ tap
	ROUND(0, Y0)
	ROUND(32, Y1)
	ROUND(64, Y2)
	ROUND(96, Y3)
	ADDQ $128, SI
	ADDQ $128, DI
	DECQ CX
	JNZ block
	VZEROUPPER
	RET
