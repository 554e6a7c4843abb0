//go:build !purego

#include "textflag.h"

// Two pixels of two RGB taps in a lane, [r0 g0 b0 r1 g1 b1 . .] each, to pairs
// of words: the first pixel and the second one's red, then the rest.
DATA bilinearPick<>+0(SB)/8, $0x8004800180038000
DATA bilinearPick<>+8(SB)/8, $0x800B800880058002
DATA bilinearPick<>+16(SB)/8, $0x8004800180038000
DATA bilinearPick<>+24(SB)/8, $0x800B800880058002
DATA bilinearPick<>+32(SB)/8, $0x800D800A800C8009
DATA bilinearPick<>+40(SB)/8, $0x8080808080808080
DATA bilinearPick<>+48(SB)/8, $0x800D800A800C8009
DATA bilinearPick<>+56(SB)/8, $0x8080808080808080
GLOBL bilinearPick<>(SB), RODATA|NOPTR, $64

// The weights of four pixels, spread likewise: 0 0 0 1 | 2 2 2 3 and 1 1 | 3 3.
DATA bilinearSpread<>+0(SB)/8, $0x0302010003020100
DATA bilinearSpread<>+8(SB)/8, $0x0706050403020100
DATA bilinearSpread<>+16(SB)/8, $0x0B0A09080B0A0908
DATA bilinearSpread<>+24(SB)/8, $0x0F0E0D0C0B0A0908
DATA bilinearSpread<>+32(SB)/8, $0x0706050407060504
DATA bilinearSpread<>+40(SB)/8, $0x8080808080808080
DATA bilinearSpread<>+48(SB)/8, $0x0F0E0D0C0F0E0D0C
DATA bilinearSpread<>+56(SB)/8, $0x8080808080808080
GLOBL bilinearSpread<>(SB), RODATA|NOPTR, $64

// func bilinearRowAVX2(dst *int16, src *byte, at *int32, weights *uint32, groups int)
//
// A group is 4 pixels: 12 values out, of which 4 more bytes are written.
TEXT ·bilinearRowAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ at+16(FP), R8
	MOVQ weights+24(FP), R9
	MOVQ groups+32(FP), CX
	VMOVDQU bilinearPick<>+0(SB), Y12
	VMOVDQU bilinearPick<>+32(SB), Y13
	VMOVDQU bilinearSpread<>+0(SB), Y14
	VMOVDQU bilinearSpread<>+32(SB), Y15

group:
	MOVL 0(R8), AX
	MOVL 4(R8), BX
	MOVL 8(R8), DX
	MOVL 12(R8), R10
	VMOVQ (SI)(AX*1), X0
	VPINSRQ $1, (SI)(BX*1), X0, X0
	VMOVQ (SI)(DX*1), X1
	VPINSRQ $1, (SI)(R10*1), X1, X1
	VINSERTI128 $1, X1, Y0, Y0
	VBROADCASTI128 (R9), Y2
	VPSHUFB Y12, Y0, Y3
	VPSHUFB Y13, Y0, Y4
	VPSHUFB Y14, Y2, Y5
	VPSHUFB Y15, Y2, Y6
	VPMADDWD Y5, Y3, Y3
	VPMADDWD Y6, Y4, Y4
	VPSRLD $4, Y3, Y3
	VPSRLD $4, Y4, Y4
	VPACKSSDW Y4, Y3, Y3
	VMOVDQU X3, (DI)
	VEXTRACTI128 $1, Y3, 12(DI)
	ADDQ $16, R8
	ADDQ $16, R9
	ADDQ $24, DI
	DECQ CX
	JNZ group
	VZEROUPPER
	RET

// func bilinearBlendAVX2(dst *byte, upper, lower *int16, w0, w1 int32, blocks int)
//
// A block is 32 values. The high half of a 16-bit product is OpenCV's >> 16.
TEXT ·bilinearBlendAVX2(SB), NOSPLIT, $0-40
	MOVQ dst+0(FP), DI
	MOVQ upper+8(FP), SI
	MOVQ lower+16(FP), DX
	MOVL w0+24(FP), AX
	MOVL w1+28(FP), BX
	VMOVD AX, X12
	VMOVD BX, X13
	VPBROADCASTW X12, Y12
	VPBROADCASTW X13, Y13
	MOVQ blocks+32(FP), CX
	VPCMPEQW Y15, Y15, Y15
	VPSRLW $15, Y15, Y15
	VPSLLW $1, Y15, Y15 // 2

block:
	VPMULHW (SI), Y12, Y0
	VPMULHW 32(SI), Y12, Y1
	VPMULHW (DX), Y13, Y2
	VPMULHW 32(DX), Y13, Y3
	VPADDW Y2, Y0, Y0
	VPADDW Y3, Y1, Y1
	VPADDW Y15, Y0, Y0
	VPADDW Y15, Y1, Y1
	VPSRLW $2, Y0, Y0
	VPSRLW $2, Y1, Y1
	VPACKUSWB Y1, Y0, Y0
	VPERMQ $0xD8, Y0, Y0
	VMOVDQU Y0, (DI)
	ADDQ $64, SI
	ADDQ $64, DX
	ADDQ $32, DI
	DECQ CX
	JNZ block
	VZEROUPPER
	RET

// func nearestRowAVX2(dst, src *byte, start *int32, masks *byte, groups, span int)
//
// A group is 16 labels, picked from span pieces of 16 bytes.
TEXT ·nearestRowAVX2(SB), NOSPLIT, $0-48
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ start+16(FP), R8
	MOVQ masks+24(FP), R9
	MOVQ groups+32(FP), CX
	MOVQ span+40(FP), R10
	CMPQ R10, $1
	JEQ one
	CMPQ R10, $2
	JEQ two

group:
	MOVL (R8), AX
	ADDQ SI, AX
	VPXOR X0, X0, X0
	MOVQ R10, DX

piece:
	VMOVDQU (AX), X1
	VPSHUFB (R9), X1, X1
	VPOR X1, X0, X0
	ADDQ $16, AX
	ADDQ $16, R9
	DECQ DX
	JNZ piece
	VMOVDQU X0, (DI)
	ADDQ $4, R8
	ADDQ $16, DI
	DECQ CX
	JNZ group
	RET

one:
	MOVL (R8), AX
	VMOVDQU (SI)(AX*1), X0
	VPSHUFB (R9), X0, X0
	VMOVDQU X0, (DI)
	ADDQ $16, R9
	ADDQ $4, R8
	ADDQ $16, DI
	DECQ CX
	JNZ one
	RET

two:
	MOVL (R8), AX
	VMOVDQU (SI)(AX*1), X0
	VMOVDQU 16(SI)(AX*1), X1
	VPSHUFB (R9), X0, X0
	VPSHUFB 16(R9), X1, X1
	VPOR X1, X0, X0
	VMOVDQU X0, (DI)
	ADDQ $32, R9
	ADDQ $4, R8
	ADDQ $16, DI
	DECQ CX
	JNZ two
	RET
