//go:build !purego

#include "textflag.h"

// Pairs of factors, by which VPMADDWD multiplies pairs of inputs: see inversePass.
DATA even2<>+0(SB)/8, $0xd6301151d6301151
DATA even2<>+8(SB)/8, $0xd6301151d6301151
DATA even2<>+16(SB)/8, $0xd6301151d6301151
DATA even2<>+24(SB)/8, $0xd6301151d6301151
GLOBL even2<>(SB), RODATA|NOPTR, $32

DATA even3<>+0(SB)/8, $0x115129cf115129cf
DATA even3<>+8(SB)/8, $0x115129cf115129cf
DATA even3<>+16(SB)/8, $0x115129cf115129cf
DATA even3<>+24(SB)/8, $0x115129cf115129cf
GLOBL even3<>(SB), RODATA|NOPTR, $32

DATA odd3<>+0(SB)/8, $0x25a1e6dc25a1e6dc
DATA odd3<>+8(SB)/8, $0x25a1e6dc25a1e6dc
DATA odd3<>+16(SB)/8, $0x25a1e6dc25a1e6dc
DATA odd3<>+24(SB)/8, $0x25a1e6dc25a1e6dc
GLOBL odd3<>(SB), RODATA|NOPTR, $32

DATA odd4<>+0(SB)/8, $0x192525a1192525a1
DATA odd4<>+8(SB)/8, $0x192525a1192525a1
DATA odd4<>+16(SB)/8, $0x192525a1192525a1
DATA odd4<>+24(SB)/8, $0x192525a1192525a1
GLOBL odd4<>(SB), RODATA|NOPTR, $32

DATA out0<>+0(SB)/8, $0xe333ecc1e333ecc1
DATA out0<>+8(SB)/8, $0xe333ecc1e333ecc1
DATA out0<>+16(SB)/8, $0xe333ecc1e333ecc1
DATA out0<>+24(SB)/8, $0xe333ecc1e333ecc1
GLOBL out0<>(SB), RODATA|NOPTR, $32

DATA out3<>+0(SB)/8, $0x133ee333133ee333
DATA out3<>+8(SB)/8, $0x133ee333133ee333
DATA out3<>+16(SB)/8, $0x133ee333133ee333
DATA out3<>+24(SB)/8, $0x133ee333133ee333
GLOBL out3<>(SB), RODATA|NOPTR, $32

DATA out1<>+0(SB)/8, $0xadfdefb0adfdefb0
DATA out1<>+8(SB)/8, $0xadfdefb0adfdefb0
DATA out1<>+16(SB)/8, $0xadfdefb0adfdefb0
DATA out1<>+24(SB)/8, $0xadfdefb0adfdefb0
GLOBL out1<>(SB), RODATA|NOPTR, $32

DATA out2<>+0(SB)/8, $0x1051adfd1051adfd
DATA out2<>+8(SB)/8, $0x1051adfd1051adfd
DATA out2<>+16(SB)/8, $0x1051adfd1051adfd
DATA out2<>+24(SB)/8, $0x1051adfd1051adfd
GLOBL out2<>(SB), RODATA|NOPTR, $32

DATA halfColumns<>+0(SB)/8, $0x0000040000000400
DATA halfColumns<>+8(SB)/8, $0x0000040000000400
DATA halfColumns<>+16(SB)/8, $0x0000040000000400
DATA halfColumns<>+24(SB)/8, $0x0000040000000400
GLOBL halfColumns<>(SB), RODATA|NOPTR, $32

DATA halfRows<>+0(SB)/8, $0x0002000000020000
DATA halfRows<>+8(SB)/8, $0x0002000000020000
DATA halfRows<>+16(SB)/8, $0x0002000000020000
DATA halfRows<>+24(SB)/8, $0x0002000000020000
GLOBL halfRows<>(SB), RODATA|NOPTR, $32

// All but the first coefficient of each lane.
DATA notDC<>+0(SB)/8, $0xffffffffffff0000
DATA notDC<>+8(SB)/8, $0xffffffffffffffff
DATA notDC<>+16(SB)/8, $0xffffffffffff0000
DATA notDC<>+24(SB)/8, $0xffffffffffffffff
GLOBL notDC<>(SB), RODATA|NOPTR, $32

DATA sixteen<>+0(SB)/8, $0x0010001000100010
DATA sixteen<>+8(SB)/8, $0x0010001000100010
DATA sixteen<>+16(SB)/8, $0x0010001000100010
DATA sixteen<>+24(SB)/8, $0x0010001000100010
GLOBL sixteen<>(SB), RODATA|NOPTR, $32

DATA level<>+0(SB)/8, $0x8080808080808080
DATA level<>+8(SB)/8, $0x8080808080808080
DATA level<>+16(SB)/8, $0x8080808080808080
DATA level<>+24(SB)/8, $0x8080808080808080
GLOBL level<>(SB), RODATA|NOPTR, $32

// The even half of a pass, which goes to the stack: sums of 0, 2, 4, 6 with half
// added, in 32 bits of the low and the high words of each lane.
#define EVEN(a0, a2, a4, a6, b0, b1, b2, b3, b4, b5, b6, half) \
	VPUNPCKLWD a6, a2, b0         \
	VPUNPCKHWD a6, a2, b1         \
	VPMADDWD even3<>(SB), b0, b2  \
	VPMADDWD even3<>(SB), b1, b3  \
	VPMADDWD even2<>(SB), b0, b4  \
	VPMADDWD even2<>(SB), b1, b5  \
	VPADDW a4, a0, a2             \
	VPSUBW a4, a0, a6             \
	VPXOR b6, b6, b6              \
	VPUNPCKLWD a2, b6, b0         \
	VPUNPCKHWD a2, b6, b1         \
	VPUNPCKLWD a6, b6, a0         \
	VPUNPCKHWD a6, b6, a4         \
	VPSRAD $3, b0, b0             \
	VPSRAD $3, b1, b1             \
	VPSRAD $3, a0, a0             \
	VPSRAD $3, a4, a4             \
	VPADDD half<>(SB), b0, b0     \
	VPADDD half<>(SB), b1, b1     \
	VPADDD half<>(SB), a0, a0     \
	VPADDD half<>(SB), a4, a4     \
	VPADDD b2, b0, b6             \
	VMOVDQU b6, 0(SP)             \
	VPADDD b3, b1, b6             \
	VMOVDQU b6, 32(SP)            \
	VPADDD b4, a0, b6             \
	VMOVDQU b6, 64(SP)            \
	VPADDD b5, a4, b6             \
	VMOVDQU b6, 96(SP)            \
	VPSUBD b4, a0, a0             \
	VMOVDQU a0, 128(SP)           \
	VPSUBD b5, a4, a4             \
	VMOVDQU a4, 160(SP)           \
	VPSUBD b2, b0, b0             \
	VMOVDQU b0, 192(SP)           \
	VPSUBD b3, b1, b1             \
	VMOVDQU b1, 224(SP)

// The odd half: out0 in b2, b3, out1 in b6, b7, out2 in a0, a2, out3 in b4, b5.
#define ODD(a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7) \
	VPADDW a3, a7, a0             \
	VPADDW a1, a5, a2             \
	VPUNPCKLWD a2, a0, a4         \
	VPUNPCKHWD a2, a0, a6         \
	VPMADDWD odd3<>(SB), a4, b0   \
	VPMADDWD odd3<>(SB), a6, b1   \
	VPMADDWD odd4<>(SB), a4, a4   \
	VPMADDWD odd4<>(SB), a6, a6   \
	VPUNPCKLWD a1, a7, a0         \
	VPUNPCKHWD a1, a7, a2         \
	VPMADDWD out0<>(SB), a0, b2   \
	VPMADDWD out0<>(SB), a2, b3   \
	VPADDD b0, b2, b2             \
	VPADDD b1, b3, b3             \
	VPMADDWD out3<>(SB), a0, b4   \
	VPMADDWD out3<>(SB), a2, b5   \
	VPADDD a4, b4, b4             \
	VPADDD a6, b5, b5             \
	VPUNPCKLWD a3, a5, a0         \
	VPUNPCKHWD a3, a5, a2         \
	VPMADDWD out1<>(SB), a0, b6   \
	VPMADDWD out1<>(SB), a2, b7   \
	VPADDD a4, b6, b6             \
	VPADDD a6, b7, b7             \
	VPMADDWD out2<>(SB), a0, a0   \
	VPMADDWD out2<>(SB), a2, a2   \
	VPADDD b0, a0, a0             \
	VPADDD b1, a2, a2

// Two outputs: the sum and the difference of what the halves give.
#define OUT(at, oddLow, oddHigh, sum, diff, t0, t1, shift) \
	VMOVDQU at(SP), sum           \
	VMOVDQU (at+32)(SP), t0       \
	VPSUBD oddLow, sum, diff      \
	VPADDD oddLow, sum, sum       \
	VPSUBD oddHigh, t0, t1        \
	VPADDD oddHigh, t0, t0        \
	VPSRAD $shift, sum, sum       \
	VPSRAD $shift, diff, diff     \
	VPSRAD $shift, t0, t0         \
	VPSRAD $shift, t1, t1         \
	VPACKSSDW t0, sum, sum        \
	VPACKSSDW t1, diff, diff

// inversePass of the columns of two blocks, one in each lane: a0 to a7 to themselves.
#define PASS(a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7, half, shift) \
	EVEN(a0, a2, a4, a6, b0, b1, b2, b3, b4, b5, b6, half) \
	ODD(a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7) \
	OUT(64, a0, a2, a1, a6, a3, a4, shift)  \
	OUT(0, b4, b5, a0, a7, b0, b1, shift)   \
	OUT(128, b6, b7, a2, a5, b0, b1, shift) \
	OUT(192, b2, b3, a3, a4, b0, b1, shift)

// func inverseRowAVX2(dst *byte, stride int, blocks, quant *int16, pairs int)
TEXT ·inverseRowAVX2(SB), NOSPLIT, $256-40
	MOVQ dst+0(FP), DI
	MOVQ stride+8(FP), R8
	MOVQ blocks+16(FP), SI
	MOVQ quant+24(FP), DX
	MOVQ pairs+32(FP), CX
	LEAQ (R8)(R8*2), R9 // three rows
	LEAQ (R8)(R8*4), R10 // five rows
	LEAQ (R9)(R8*4), R11 // seven rows

pair:
	VMOVDQU 0(SI), X0
	VINSERTI128 $1, 128(SI), Y0, Y0
	VMOVDQU 16(SI), X1
	VINSERTI128 $1, 144(SI), Y1, Y1
	VMOVDQU 32(SI), X2
	VINSERTI128 $1, 160(SI), Y2, Y2
	VMOVDQU 48(SI), X3
	VINSERTI128 $1, 176(SI), Y3, Y3
	VMOVDQU 64(SI), X4
	VINSERTI128 $1, 192(SI), Y4, Y4
	VMOVDQU 80(SI), X5
	VINSERTI128 $1, 208(SI), Y5, Y5
	VMOVDQU 96(SI), X6
	VINSERTI128 $1, 224(SI), Y6, Y6
	VMOVDQU 112(SI), X7
	VINSERTI128 $1, 240(SI), Y7, Y7

	// Is there any coefficient but DC?
	VPAND notDC<>(SB), Y0, Y8
	VPOR Y1, Y2, Y9
	VPOR Y3, Y4, Y10
	VPOR Y5, Y6, Y11
	VPOR Y7, Y8, Y8
	VPOR Y9, Y10, Y9
	VPOR Y8, Y11, Y8
	VPOR Y8, Y9, Y8
	VPTEST Y8, Y8
	JZ flat

	VBROADCASTI128 0(DX), Y8
	VPMULLW Y8, Y0, Y0
	VBROADCASTI128 16(DX), Y9
	VPMULLW Y9, Y1, Y1
	VBROADCASTI128 32(DX), Y10
	VPMULLW Y10, Y2, Y2
	VBROADCASTI128 48(DX), Y11
	VPMULLW Y11, Y3, Y3
	VBROADCASTI128 64(DX), Y12
	VPMULLW Y12, Y4, Y4
	VBROADCASTI128 80(DX), Y13
	VPMULLW Y13, Y5, Y5
	VBROADCASTI128 96(DX), Y14
	VPMULLW Y14, Y6, Y6
	VBROADCASTI128 112(DX), Y15
	VPMULLW Y15, Y7, Y7

	PASS(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15, halfColumns, 11)

	// Rows become columns.
	VPUNPCKLWD Y1, Y0, Y8
	VPUNPCKHWD Y1, Y0, Y9
	VPUNPCKLWD Y3, Y2, Y10
	VPUNPCKHWD Y3, Y2, Y11
	VPUNPCKLWD Y5, Y4, Y12
	VPUNPCKHWD Y5, Y4, Y13
	VPUNPCKLWD Y7, Y6, Y14
	VPUNPCKHWD Y7, Y6, Y15
	VPUNPCKLDQ Y10, Y8, Y0
	VPUNPCKHDQ Y10, Y8, Y1
	VPUNPCKLDQ Y11, Y9, Y2
	VPUNPCKHDQ Y11, Y9, Y3
	VPUNPCKLDQ Y14, Y12, Y4
	VPUNPCKHDQ Y14, Y12, Y5
	VPUNPCKLDQ Y15, Y13, Y6
	VPUNPCKHDQ Y15, Y13, Y7
	VPUNPCKLQDQ Y4, Y0, Y8
	VPUNPCKHQDQ Y4, Y0, Y9
	VPUNPCKLQDQ Y5, Y1, Y10
	VPUNPCKHQDQ Y5, Y1, Y11
	VPUNPCKLQDQ Y6, Y2, Y12
	VPUNPCKHQDQ Y6, Y2, Y13
	VPUNPCKLQDQ Y7, Y3, Y14
	VPUNPCKHQDQ Y7, Y3, Y15

	PASS(Y8, Y9, Y10, Y11, Y12, Y13, Y14, Y15, Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7, halfRows, 18)

	// To bytes, and columns become rows, two in a register.
	VPACKSSWB Y12, Y8, Y0
	VPACKSSWB Y13, Y9, Y1
	VPACKSSWB Y14, Y10, Y2
	VPACKSSWB Y15, Y11, Y3
	VPUNPCKLBW Y1, Y0, Y4
	VPUNPCKHBW Y1, Y0, Y5
	VPUNPCKLBW Y3, Y2, Y6
	VPUNPCKHBW Y3, Y2, Y7
	VPUNPCKLWD Y6, Y4, Y0
	VPUNPCKHWD Y6, Y4, Y1
	VPUNPCKLWD Y7, Y5, Y2
	VPUNPCKHWD Y7, Y5, Y3
	VPUNPCKLDQ Y2, Y0, Y4
	VPUNPCKHDQ Y2, Y0, Y5
	VPUNPCKLDQ Y3, Y1, Y6
	VPUNPCKHDQ Y3, Y1, Y7
	VMOVDQU level<>(SB), Y8
	VPXOR Y8, Y4, Y4
	VPXOR Y8, Y5, Y5
	VPXOR Y8, Y6, Y6
	VPXOR Y8, Y7, Y7
	VPERMQ $0xD8, Y4, Y4
	VPERMQ $0xD8, Y5, Y5
	VPERMQ $0xD8, Y6, Y6
	VPERMQ $0xD8, Y7, Y7
	VMOVDQU X4, (DI)
	VEXTRACTI128 $1, Y4, (DI)(R8*1)
	VMOVDQU X5, (DI)(R8*2)
	VEXTRACTI128 $1, Y5, (DI)(R9*1)
	VMOVDQU X6, (DI)(R8*4)
	VEXTRACTI128 $1, Y6, (DI)(R10*1)
	VMOVDQU X7, (DI)(R9*2)
	VEXTRACTI128 $1, Y7, (DI)(R11*1)

next:
	ADDQ $256, SI
	ADDQ $16, DI
	DECQ CX
	JNZ pair
	VZEROUPPER
	RET

flat:
	// Both blocks have one value: what the passes make of DC alone.
	VPBROADCASTW (DX), Y1
	VPMULLW Y1, Y0, Y0
	VPADDSW Y0, Y0, Y0
	VPADDSW Y0, Y0, Y0
	VPADDSW sixteen<>(SB), Y0, Y0
	VPSRAW $5, Y0, Y0
	VPACKSSWB Y0, Y0, Y0
	VPXOR level<>(SB), Y0, Y0
	VPXOR Y1, Y1, Y1
	VPSHUFB Y1, Y0, Y0 // the first byte of each lane, eight times and more
	VPERMQ $0x88, Y0, Y0
	VMOVDQU X0, (DI)
	VMOVDQU X0, (DI)(R8*1)
	VMOVDQU X0, (DI)(R8*2)
	VMOVDQU X0, (DI)(R9*1)
	VMOVDQU X0, (DI)(R8*4)
	VMOVDQU X0, (DI)(R10*1)
	VMOVDQU X0, (DI)(R9*2)
	VMOVDQU X0, (DI)(R11*1)
	JMP next
