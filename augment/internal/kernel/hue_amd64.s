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

// Pixels of 4 bytes to pixels of 3.
DATA close4<>+0(SB)/8, $0x0908060504020100
DATA close4<>+8(SB)/8, $0x808080800E0D0C0A
DATA close4<>+16(SB)/8, $0x0908060504020100
DATA close4<>+24(SB)/8, $0x808080800E0D0C0A
GLOBL close4<>(SB), RODATA|NOPTR, $32

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

// 1
DATA one<>+0(SB)/4, $0x3F800000
DATA one<>+4(SB)/4, $0x3F800000
DATA one<>+8(SB)/4, $0x3F800000
DATA one<>+12(SB)/4, $0x3F800000
DATA one<>+16(SB)/4, $0x3F800000
DATA one<>+20(SB)/4, $0x3F800000
DATA one<>+24(SB)/4, $0x3F800000
DATA one<>+28(SB)/4, $0x3F800000
GLOBL one<>(SB), RODATA|NOPTR, $32

// 6
DATA six<>+0(SB)/4, $0x40C00000
DATA six<>+4(SB)/4, $0x40C00000
DATA six<>+8(SB)/4, $0x40C00000
DATA six<>+12(SB)/4, $0x40C00000
DATA six<>+16(SB)/4, $0x40C00000
DATA six<>+20(SB)/4, $0x40C00000
DATA six<>+24(SB)/4, $0x40C00000
DATA six<>+28(SB)/4, $0x40C00000
GLOBL six<>(SB), RODATA|NOPTR, $32

// 1/2
DATA half<>+0(SB)/4, $0x3F000000
DATA half<>+4(SB)/4, $0x3F000000
DATA half<>+8(SB)/4, $0x3F000000
DATA half<>+12(SB)/4, $0x3F000000
DATA half<>+16(SB)/4, $0x3F000000
DATA half<>+20(SB)/4, $0x3F000000
DATA half<>+24(SB)/4, $0x3F000000
DATA half<>+28(SB)/4, $0x3F000000
GLOBL half<>(SB), RODATA|NOPTR, $32

// 255
DATA full<>+0(SB)/4, $0x437F0000
DATA full<>+4(SB)/4, $0x437F0000
DATA full<>+8(SB)/4, $0x437F0000
DATA full<>+12(SB)/4, $0x437F0000
DATA full<>+16(SB)/4, $0x437F0000
DATA full<>+20(SB)/4, $0x437F0000
DATA full<>+24(SB)/4, $0x437F0000
DATA full<>+28(SB)/4, $0x437F0000
GLOBL full<>(SB), RODATA|NOPTR, $32

// 1/255
DATA perFull<>+0(SB)/4, $0x3B808081
DATA perFull<>+4(SB)/4, $0x3B808081
DATA perFull<>+8(SB)/4, $0x3B808081
DATA perFull<>+12(SB)/4, $0x3B808081
DATA perFull<>+16(SB)/4, $0x3B808081
DATA perFull<>+20(SB)/4, $0x3B808081
DATA perFull<>+24(SB)/4, $0x3B808081
DATA perFull<>+28(SB)/4, $0x3B808081
GLOBL perFull<>(SB), RODATA|NOPTR, $32

// 1/(255*85)
DATA perPart<>+0(SB)/4, $0x38418243
DATA perPart<>+4(SB)/4, $0x38418243
DATA perPart<>+8(SB)/4, $0x38418243
DATA perPart<>+12(SB)/4, $0x38418243
DATA perPart<>+16(SB)/4, $0x38418243
DATA perPart<>+20(SB)/4, $0x38418243
DATA perPart<>+24(SB)/4, $0x38418243
DATA perPart<>+28(SB)/4, $0x38418243
GLOBL perPart<>(SB), RODATA|NOPTR, $32

// The low byte.
DATA byteMask<>+0(SB)/4, $0x000000FF
DATA byteMask<>+4(SB)/4, $0x000000FF
DATA byteMask<>+8(SB)/4, $0x000000FF
DATA byteMask<>+12(SB)/4, $0x000000FF
DATA byteMask<>+16(SB)/4, $0x000000FF
DATA byteMask<>+20(SB)/4, $0x000000FF
DATA byteMask<>+24(SB)/4, $0x000000FF
DATA byteMask<>+28(SB)/4, $0x000000FF
GLOBL byteMask<>(SB), RODATA|NOPTR, $32

// The parts of a sixth of the circle.
DATA parts<>+0(SB)/4, $0x00000055
DATA parts<>+4(SB)/4, $0x00000055
DATA parts<>+8(SB)/4, $0x00000055
DATA parts<>+12(SB)/4, $0x00000055
DATA parts<>+16(SB)/4, $0x00000055
DATA parts<>+20(SB)/4, $0x00000055
DATA parts<>+24(SB)/4, $0x00000055
DATA parts<>+28(SB)/4, $0x00000055
GLOBL parts<>(SB), RODATA|NOPTR, $32

// 2/85 in 1/2^16, rounded up.
DATA sixthOf<>+0(SB)/4, $0x00000607
DATA sixthOf<>+4(SB)/4, $0x00000607
DATA sixthOf<>+8(SB)/4, $0x00000607
DATA sixthOf<>+12(SB)/4, $0x00000607
DATA sixthOf<>+16(SB)/4, $0x00000607
DATA sixthOf<>+20(SB)/4, $0x00000607
DATA sixthOf<>+24(SB)/4, $0x00000607
DATA sixthOf<>+28(SB)/4, $0x00000607
GLOBL sixthOf<>(SB), RODATA|NOPTR, $32

// 1
DATA bitOdd<>+0(SB)/4, $0x00000001
DATA bitOdd<>+4(SB)/4, $0x00000001
DATA bitOdd<>+8(SB)/4, $0x00000001
DATA bitOdd<>+12(SB)/4, $0x00000001
DATA bitOdd<>+16(SB)/4, $0x00000001
DATA bitOdd<>+20(SB)/4, $0x00000001
DATA bitOdd<>+24(SB)/4, $0x00000001
DATA bitOdd<>+28(SB)/4, $0x00000001
GLOBL bitOdd<>(SB), RODATA|NOPTR, $32

// The hue in sixths is hueFrom plus or minus m. Indexed by -4(red > green)
// -2(blue > green) -(red > blue), modulo 8.
DATA hueFrom<>+0(SB)/4, $0x40400000
DATA hueFrom<>+4(SB)/4, $0xBF800000
DATA hueFrom<>+8(SB)/4, $0x40A00000
DATA hueFrom<>+12(SB)/4, $0x3F800000
DATA hueFrom<>+16(SB)/4, $0x00000000
DATA hueFrom<>+20(SB)/4, $0x00000000
DATA hueFrom<>+24(SB)/4, $0x40400000
DATA hueFrom<>+28(SB)/4, $0x3F800000
GLOBL hueFrom<>(SB), RODATA|NOPTR, $32

// Where m is subtracted.
DATA hueSign<>+0(SB)/4, $0x80000000
DATA hueSign<>+4(SB)/4, $0x00000000
DATA hueSign<>+8(SB)/4, $0x80000000
DATA hueSign<>+12(SB)/4, $0x80000000
DATA hueSign<>+16(SB)/4, $0x00000000
DATA hueSign<>+20(SB)/4, $0x00000000
DATA hueSign<>+24(SB)/4, $0x00000000
DATA hueSign<>+28(SB)/4, $0x00000000
GLOBL hueSign<>(SB), RODATA|NOPTR, $32

// Where in a lane of 4 values, 4 slopes, 4 floors a pixel's three channels are,
// by sixths of the circle; the sixth after the last is the first.
DATA order<>+0(SB)/4, $0x80080400
DATA order<>+4(SB)/4, $0x80080004
DATA order<>+8(SB)/4, $0x80040008
DATA order<>+12(SB)/4, $0x80000408
DATA order<>+16(SB)/4, $0x80000804
DATA order<>+20(SB)/4, $0x80040800
DATA order<>+24(SB)/4, $0x80080400
DATA order<>+28(SB)/4, $0x80080400
GLOBL order<>(SB), RODATA|NOPTR, $32

// The pixels of a lane.
DATA orderAt<>+0(SB)/4, $0x00000000
DATA orderAt<>+4(SB)/4, $0x00010101
DATA orderAt<>+8(SB)/4, $0x00020202
DATA orderAt<>+12(SB)/4, $0x00030303
DATA orderAt<>+16(SB)/4, $0x00000000
DATA orderAt<>+20(SB)/4, $0x00010101
DATA orderAt<>+24(SB)/4, $0x00020202
DATA orderAt<>+28(SB)/4, $0x00030303
GLOBL orderAt<>(SB), RODATA|NOPTR, $32

// func hueAVX2(pix *byte, groups int, shift int32)
//
// A group is 8 pixels. The steps are huePlain's.
TEXT ·hueAVX2(SB), NOSPLIT, $0-20
	MOVQ pix+0(FP), DI
	MOVQ groups+8(FP), CX
	MOVL shift+16(FP), AX
	VMOVD AX, X15
	VPBROADCASTD X15, Y15
	VMOVDQU joinLanes<>(SB), Y14

group:
	VMOVDQU (DI), X0
	VINSERTI128 $1, 8(DI), Y0, Y0
	VPSHUFB pickRed<>(SB), Y0, Y1
	VPSHUFB pickGreen<>(SB), Y0, Y2
	VPSHUFB pickBlue<>(SB), Y0, Y3
	VPMAXSD Y1, Y2, Y4
	VPMINSD Y1, Y2, Y5
	VPMINSD Y3, Y4, Y6
	VPMAXSD Y3, Y4, Y4           // high, the value
	VPMAXSD Y6, Y5, Y6           // middle
	VPMINSD Y3, Y5, Y5           // low
	VPSUBD Y6, Y4, Y6
	VPSUBD Y5, Y4, Y7
	VCVTDQ2PS Y6, Y6             // high - middle
	VCVTDQ2PS Y7, Y7             // spread
	VCVTDQ2PS Y4, Y10
	VDIVPS Y7, Y6, Y6            // m; no number where the pixel is gray, which has no hue
	VDIVPS Y10, Y7, Y7           // saturation; no number where it is black

	VPCMPGTD Y2, Y1, Y11         // red > green
	VPCMPGTD Y2, Y3, Y12         // blue > green
	VPCMPGTD Y3, Y1, Y13         // red > blue
	VPADDD Y11, Y11, Y11
	VPADDD Y12, Y11, Y11
	VPADDD Y11, Y11, Y11
	VPADDD Y13, Y11, Y11
	VPERMD hueSign<>(SB), Y11, Y12
	VPERMD hueFrom<>(SB), Y11, Y11
	VXORPS Y12, Y6, Y6
	VADDPS Y11, Y6, Y6           // hue in sixths, -1 to 5
	VDIVPS six<>(SB), Y6, Y8
	VADDPS one<>(SB), Y8, Y11
	VBLENDVPS Y6, Y11, Y8, Y8    // in turns, 0 to 1
	VMULPS full<>(SB), Y8, Y8
	VCVTTPS2DQ Y8, Y8
	VPADDD Y15, Y8, Y8
	VPAND byteMask<>(SB), Y8, Y8 // hue in 1/255 turns

	VMULPS full<>(SB), Y7, Y7
	VROUNDPS $3, Y7, Y7          // saturation in 1/255

	VPMULHUW sixthOf<>(SB), Y8, Y9 // sixth of the circle, 0 to 6
	VPOR bitOdd<>(SB), Y9, Y11
	VPADDD Y8, Y8, Y8
	VPMULLW parts<>(SB), Y11, Y11
	VPSUBD Y11, Y8, Y8
	VPABSD Y8, Y8                  // how far into an odd sixth, how far from the end of an even one
	VCVTDQ2PS Y8, Y8
	VMULPS perPart<>(SB), Y7, Y11
	VMULPS perFull<>(SB), Y7, Y7
	VMULPS Y11, Y8, Y8
	VADDPS half<>(SB), Y10, Y11
	VFNMADD213PS Y11, Y10, Y8
	VFNMADD213PS Y11, Y10, Y7
	VCVTTPS2DQ Y8, Y8              // slope
	VCVTTPS2DQ Y7, Y7              // floor

	VPACKSSDW Y8, Y4, Y4
	VPACKSSDW Y7, Y7, Y7
	VPACKUSWB Y7, Y4, Y4
	VPERMD order<>(SB), Y9, Y9
	VPADDD orderAt<>(SB), Y9, Y9
	VPSHUFB Y9, Y4, Y4
	VPSHUFB close4<>(SB), Y4, Y0
	VPERMD Y0, Y14, Y0
	VMOVDQU X0, (DI)
	VEXTRACTI128 $1, Y0, X1
	VMOVQ X1, 16(DI)
	ADDQ $24, DI
	DECQ CX
	JNZ group
	VZEROUPPER
	RET
