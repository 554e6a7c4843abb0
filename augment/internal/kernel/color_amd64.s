//go:build !purego

#include "textflag.h"

// The reds of 8 pixels to words of 32 bits: 4 of bytes 0 to 15 in the low
// lane, 4 of bytes 8 to 23 in the high one.
DATA pickRed<>+0(SB)/8, $0x8080800380808000
DATA pickRed<>+8(SB)/8, $0x8080800980808006
DATA pickRed<>+16(SB)/8, $0x8080800780808004
DATA pickRed<>+24(SB)/8, $0x8080800D8080800A
GLOBL pickRed<>(SB), RODATA|NOPTR, $32

// The greens.
DATA pickGreen<>+0(SB)/8, $0x8080800480808001
DATA pickGreen<>+8(SB)/8, $0x8080800A80808007
DATA pickGreen<>+16(SB)/8, $0x8080800880808005
DATA pickGreen<>+24(SB)/8, $0x8080800E8080800B
GLOBL pickGreen<>(SB), RODATA|NOPTR, $32

// The blues.
DATA pickBlue<>+0(SB)/8, $0x8080800580808002
DATA pickBlue<>+8(SB)/8, $0x8080800B80808008
DATA pickBlue<>+16(SB)/8, $0x8080800980808006
DATA pickBlue<>+24(SB)/8, $0x8080800F8080800C
GLOBL pickBlue<>(SB), RODATA|NOPTR, $32

// Red and green, 16 bits each.
DATA pickRedGreen<>+0(SB)/8, $0x8004800380018000
DATA pickRedGreen<>+8(SB)/8, $0x800A800980078006
DATA pickRedGreen<>+16(SB)/8, $0x8008800780058004
DATA pickRedGreen<>+24(SB)/8, $0x800E800D800B800A
GLOBL pickRedGreen<>(SB), RODATA|NOPTR, $32

// Green and blue.
DATA pickGreenBlue<>+0(SB)/8, $0x8005800480028001
DATA pickGreenBlue<>+8(SB)/8, $0x800B800A80088007
DATA pickGreenBlue<>+16(SB)/8, $0x8009800880068005
DATA pickGreenBlue<>+24(SB)/8, $0x800F800E800C800B
GLOBL pickGreenBlue<>(SB), RODATA|NOPTR, $32

// The luma's weights in 1/2^16: 19595 red, 38470 green of which half here.
DATA weightRedGreen<>+0(SB)/4, $0x4B234C8B
GLOBL weightRedGreen<>(SB), RODATA|NOPTR, $4

// The other half of green, 7471 blue.
DATA weightGreenBlue<>+0(SB)/4, $0x1D2F4B23
GLOBL weightGreenBlue<>(SB), RODATA|NOPTR, $4

// 1/2 in 1/2^16.
DATA lumaHalf<>+0(SB)/4, $0x00008000
GLOBL lumaHalf<>(SB), RODATA|NOPTR, $4

// A luma to its pixel's three bytes.
DATA spreadLuma<>+0(SB)/8, $0x0808040404000000
DATA spreadLuma<>+8(SB)/8, $0x808080800C0C0C08
DATA spreadLuma<>+16(SB)/8, $0x0808040404000000
DATA spreadLuma<>+24(SB)/8, $0x808080800C0C0C08
GLOBL spreadLuma<>(SB), RODATA|NOPTR, $32

// 4 reds, 4 greens, 4 blues to 4 pixels.
DATA weave<>+0(SB)/8, $0x0602090501080400
DATA weave<>+8(SB)/8, $0x808080800B07030A
DATA weave<>+16(SB)/8, $0x0602090501080400
DATA weave<>+24(SB)/8, $0x808080800B07030A
GLOBL weave<>(SB), RODATA|NOPTR, $32

// 12 bytes of each lane to 24 in a row.
DATA joinLanes<>+0(SB)/4, $0x00000000
DATA joinLanes<>+4(SB)/4, $0x00000001
DATA joinLanes<>+8(SB)/4, $0x00000002
DATA joinLanes<>+12(SB)/4, $0x00000004
DATA joinLanes<>+16(SB)/4, $0x00000005
DATA joinLanes<>+20(SB)/4, $0x00000006
DATA joinLanes<>+24(SB)/4, $0x00000003
DATA joinLanes<>+28(SB)/4, $0x00000007
GLOBL joinLanes<>(SB), RODATA|NOPTR, $32

// 32 bytes in order after two packs of 8 lanes.
DATA joinBlock<>+0(SB)/4, $0x00000000
DATA joinBlock<>+4(SB)/4, $0x00000004
DATA joinBlock<>+8(SB)/4, $0x00000001
DATA joinBlock<>+12(SB)/4, $0x00000005
DATA joinBlock<>+16(SB)/4, $0x00000002
DATA joinBlock<>+20(SB)/4, $0x00000006
DATA joinBlock<>+24(SB)/4, $0x00000003
DATA joinBlock<>+28(SB)/4, $0x00000007
GLOBL joinBlock<>(SB), RODATA|NOPTR, $32

#define MIX(off, V) \
	VPMOVZXBD off(DI), V \
	VCVTDQ2PS V, V \
	VSUBPS Y13, V, V \
	VMULPS Y15, V, V \
	VADDPS Y13, V, V \
	VCVTTPS2DQ V, V

// func mixAVX2(pix *byte, blocks int, degenerate, factor float32)
//
// A block is 32 bytes. The packs clamp.
TEXT ·mixAVX2(SB), NOSPLIT, $0-24
	MOVQ pix+0(FP), DI
	MOVQ blocks+8(FP), CX
	VBROADCASTSS degenerate+16(FP), Y13
	VBROADCASTSS factor+20(FP), Y15
	VMOVDQU joinBlock<>(SB), Y14

block:
	MIX(0, Y0)
	MIX(8, Y1)
	MIX(16, Y2)
	MIX(24, Y3)
	VPACKSSDW Y1, Y0, Y0
	VPACKSSDW Y3, Y2, Y2
	VPACKUSWB Y2, Y0, Y0
	VPERMD Y0, Y14, Y0
	VMOVDQU Y0, (DI)
	ADDQ $32, DI
	DECQ CX
	JNZ block
	VZEROUPPER
	RET

// func saturateAVX2(pix *byte, groups int, factor float32)
//
// A group is 8 pixels.
TEXT ·saturateAVX2(SB), NOSPLIT, $0-20
	MOVQ pix+0(FP), DI
	MOVQ groups+8(FP), CX
	VBROADCASTSS factor+16(FP), Y15
	VMOVDQU joinLanes<>(SB), Y14
	VMOVDQU weave<>(SB), Y13
	VMOVDQU pickRedGreen<>(SB), Y8
	VMOVDQU pickGreenBlue<>(SB), Y9
	VPBROADCASTD weightRedGreen<>(SB), Y10
	VPBROADCASTD weightGreenBlue<>(SB), Y11
	VPBROADCASTD lumaHalf<>(SB), Y12

group:
	VMOVDQU (DI), X0
	VINSERTI128 $1, 8(DI), Y0, Y0
	VPSHUFB pickRed<>(SB), Y0, Y1
	VPSHUFB pickGreen<>(SB), Y0, Y2
	VPSHUFB pickBlue<>(SB), Y0, Y3
	VPSHUFB Y8, Y0, Y4
	VPSHUFB Y9, Y0, Y5
	VPMADDWD Y10, Y4, Y4
	VPMADDWD Y11, Y5, Y5
	VPADDD Y12, Y4, Y4
	VPADDD Y5, Y4, Y4
	VPSRLD $16, Y4, Y4
	VCVTDQ2PS Y4, Y4
	VCVTDQ2PS Y1, Y1
	VCVTDQ2PS Y2, Y2
	VCVTDQ2PS Y3, Y3
	VSUBPS Y4, Y1, Y1
	VSUBPS Y4, Y2, Y2
	VSUBPS Y4, Y3, Y3
	VMULPS Y15, Y1, Y1
	VMULPS Y15, Y2, Y2
	VMULPS Y15, Y3, Y3
	VADDPS Y4, Y1, Y1
	VADDPS Y4, Y2, Y2
	VADDPS Y4, Y3, Y3
	VCVTTPS2DQ Y1, Y1
	VCVTTPS2DQ Y2, Y2
	VCVTTPS2DQ Y3, Y3
	VPACKSSDW Y2, Y1, Y1
	VPACKSSDW Y3, Y3, Y3
	VPACKUSWB Y3, Y1, Y1
	VPSHUFB Y13, Y1, Y0
	VPERMD Y0, Y14, Y0
	VMOVDQU X0, (DI)
	VEXTRACTI128 $1, Y0, X1
	VMOVQ X1, 16(DI)
	ADDQ $24, DI
	DECQ CX
	JNZ group
	VZEROUPPER
	RET

// func grayAVX2(pix *byte, groups int)
TEXT ·grayAVX2(SB), NOSPLIT, $0-16
	MOVQ pix+0(FP), DI
	MOVQ groups+8(FP), CX
	VMOVDQU joinLanes<>(SB), Y14
	VMOVDQU spreadLuma<>(SB), Y13
	VMOVDQU pickRedGreen<>(SB), Y8
	VMOVDQU pickGreenBlue<>(SB), Y9
	VPBROADCASTD weightRedGreen<>(SB), Y10
	VPBROADCASTD weightGreenBlue<>(SB), Y11
	VPBROADCASTD lumaHalf<>(SB), Y12

group:
	VMOVDQU (DI), X0
	VINSERTI128 $1, 8(DI), Y0, Y0
	VPSHUFB Y8, Y0, Y4
	VPSHUFB Y9, Y0, Y5
	VPMADDWD Y10, Y4, Y4
	VPMADDWD Y11, Y5, Y5
	VPADDD Y12, Y4, Y4
	VPADDD Y5, Y4, Y4
	VPSRLD $16, Y4, Y4
	VPSHUFB Y13, Y4, Y0
	VPERMD Y0, Y14, Y0
	VMOVDQU X0, (DI)
	VEXTRACTI128 $1, Y0, X1
	VMOVQ X1, 16(DI)
	ADDQ $24, DI
	DECQ CX
	JNZ group
	VZEROUPPER
	RET

// func lumaSumAVX2(pix *byte, groups int) uint64
TEXT ·lumaSumAVX2(SB), NOSPLIT, $0-24
	MOVQ pix+0(FP), DI
	MOVQ groups+8(FP), CX
	VPXOR Y3, Y3, Y3
	VMOVDQU pickRedGreen<>(SB), Y8
	VMOVDQU pickGreenBlue<>(SB), Y9
	VPBROADCASTD weightRedGreen<>(SB), Y10
	VPBROADCASTD weightGreenBlue<>(SB), Y11
	VPBROADCASTD lumaHalf<>(SB), Y12

group:
	VMOVDQU (DI), X0
	VINSERTI128 $1, 8(DI), Y0, Y0
	VPSHUFB Y8, Y0, Y4
	VPSHUFB Y9, Y0, Y5
	VPMADDWD Y10, Y4, Y4
	VPMADDWD Y11, Y5, Y5
	VPADDD Y12, Y4, Y4
	VPADDD Y5, Y4, Y4
	VPSRLD $16, Y4, Y4
	VPADDD Y4, Y3, Y3
	ADDQ $24, DI
	DECQ CX
	JNZ group

	// The 8 sums of 32 bits to one of 64.
	VPXOR Y0, Y0, Y0
	VPUNPCKLDQ Y0, Y3, Y1
	VPUNPCKHDQ Y0, Y3, Y2
	VPADDQ Y2, Y1, Y1
	VEXTRACTI128 $1, Y1, X2
	VPADDQ X2, X1, X1
	VPSHUFD $0xEE, X1, X2
	VPADDQ X2, X1, X1
	VMOVQ X1, AX
	MOVQ AX, ret+16(FP)
	VZEROUPPER
	RET
