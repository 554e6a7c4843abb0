//go:build !purego

#include "textflag.h"

// func blurRowsAVX2(dst *uint16, r0, r1, r2, r3, r4 *byte, blocks int)
//
// A block is 16 values: r0 + r4 + 4(r1 + r2 + r3) + 2 r2.
TEXT ·blurRowsAVX2(SB), NOSPLIT, $0-56
	MOVQ dst+0(FP), DI
	MOVQ r0+8(FP), R8
	MOVQ r1+16(FP), R9
	MOVQ r2+24(FP), R10
	MOVQ r3+32(FP), R11
	MOVQ r4+40(FP), R12
	MOVQ blocks+48(FP), CX
	XORQ AX, AX

block:
	VPMOVZXBW (R8)(AX*1), Y0
	VPMOVZXBW (R9)(AX*1), Y1
	VPMOVZXBW (R10)(AX*1), Y2
	VPMOVZXBW (R11)(AX*1), Y3
	VPMOVZXBW (R12)(AX*1), Y4
	VPADDW Y4, Y0, Y0
	VPADDW Y3, Y1, Y1
	VPADDW Y2, Y1, Y1
	VPSLLW $2, Y1, Y1
	VPADDW Y2, Y2, Y2
	VPADDW Y2, Y0, Y0
	VPADDW Y1, Y0, Y0
	VMOVDQU Y0, (DI)(AX*2)
	ADDQ $16, AX
	DECQ CX
	JNZ block
	VZEROUPPER
	RET

#define SUM(off, OUT, T0, T1) \
	VMOVDQU off(SI), OUT \
	VPADDW off(R8), OUT, OUT \
	VMOVDQU off(R9), T0 \
	VMOVDQU off(R10), T1 \
	VPADDW off(R11), T0, T0 \
	VPADDW T1, T0, T0 \
	VPSLLW $2, T0, T0 \
	VPADDW T1, T1, T1 \
	VPADDW T1, OUT, OUT \
	VPADDW T0, OUT, OUT \
	VPADDW Y15, OUT, OUT \
	VPSRLW $8, OUT, OUT

// func blurColumnsAVX2(dst *byte, sums *uint16, stride, blocks int)
//
// A block is 32 values; stride is the bytes from a pixel's sums to the next's.
TEXT ·blurColumnsAVX2(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ sums+8(FP), SI
	MOVQ stride+16(FP), AX
	MOVQ blocks+24(FP), CX
	LEAQ (SI)(AX*1), R9
	LEAQ (R9)(AX*1), R10
	LEAQ (R10)(AX*1), R11
	LEAQ (R11)(AX*1), R8
	VPCMPEQW Y15, Y15, Y15
	VPSRLW $15, Y15, Y15
	VPSLLW $7, Y15, Y15 // 128

block:
	SUM(0, Y0, Y2, Y3)
	SUM(32, Y1, Y4, Y5)
	VPACKUSWB Y1, Y0, Y0
	VPERMQ $0xD8, Y0, Y0
	VMOVDQU Y0, (DI)
	ADDQ $64, SI
	ADDQ $64, R8
	ADDQ $64, R9
	ADDQ $64, R10
	ADDQ $64, R11
	ADDQ $32, DI
	DECQ CX
	JNZ block
	VZEROUPPER
	RET
