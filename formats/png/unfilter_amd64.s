//go:build !purego

#include "textflag.h"
#include "go_asm.h"

// Registers of the wave kernels:
//	DI, BX       dst of the first and the fifth row
//	R8, R9       dst's stride, and three times that
//	SI, R13      src of the first and the fifth row
//	R10, R11     src's stride, and three times that
//	DX, R12, CX  prev, the bytes of a pixel, steps to go
//	X0, X1, X2   the pixels a, b and c of four rows, a lane of 4 bytes each
//	X11, X12, X13 the same of the other four
//	X4           the prediction
//	X15          zeros
#define WAVE_ARGS \
	MOVQ w+0(FP), AX           \
	MOVQ dst+8(FP), DI         \
	MOVQ dstStride+16(FP), R8  \
	MOVQ src+24(FP), SI        \
	MOVQ srcStride+32(FP), R10 \
	MOVQ prev+40(FP), DX       \
	MOVQ unit+48(FP), R12      \
	MOVQ n+56(FP), CX          \
	LEAQ (R8)(R8*2), R9        \
	LEAQ (R10)(R10*2), R11     \
	LEAQ (DI)(R8*4), BX        \
	LEAQ (SI)(R10*4), R13      \
	VMOVDQU wave_left(AX), X0         \
	VMOVDQU (wave_left+16)(AX), X11   \
	VMOVDQU wave_corner(AX), X2       \
	VMOVDQU (wave_corner+16)(AX), X13 \
	VPXOR X15, X15, X15

// The pixels above are the next of prev for the first row and what the step
// before made for the others.
#define WAVE_ABOVE \
	VPBROADCASTD (DX), X1      \
	VPALIGNR $12, X0, X11, X12 \
	VPALIGNR $12, X1, X0, X1

#define WAVE_STEP \
	ADDQ R12, DI  \
	ADDQ R12, BX  \
	ADDQ R12, SI  \
	ADDQ R12, R13 \
	ADDQ R12, DX  \
	DECQ CX

// x = the filtered pixels of four rows.
#define LOAD4(src, x) \
	VMOVD (src), x                  \
	VPINSRD $1, (src)(R10*1), x, x  \
	VPINSRD $2, (src)(R10*2), x, x  \
	VPINSRD $3, (src)(R11*1), x, x

#define STORE4(x, dst) \
	VMOVD x, (dst)               \
	VPEXTRD $1, x, (dst)(R8*1)   \
	VPEXTRD $2, x, (dst)(R8*2)   \
	VPEXTRD $3, x, (dst)(R9*1)

// X4 = paeth(a, b, c). With lo and hi the smaller and larger of a and b,
// u = c-lo and v = hi-c, both cut off at 0, the form of paeth in unfilter.go
// becomes: lo where 2v <= u, hi where 2u <= v, else c. Bytes are enough, for
// cutting 2u or 2v off at 255 changes no comparison: u+v <= 255 where neither
// is 0.
#define PAETH(a, b, c) \
	VPMINUB a, b, X5       \
	VPMAXUB a, b, X6       \
	VPSUBUSB X5, c, X7     \
	VPSUBUSB c, X6, X8     \
	VPADDUSB X7, X7, X9    \
	VPADDUSB X8, X8, X10   \
	VPSUBUSB X7, X10, X10  \
	VPSUBUSB X8, X9, X9    \
	VPCMPEQB X15, X10, X10 \
	VPCMPEQB X15, X9, X9   \
	VPBLENDVB X10, X5, c, X4 \
	VPBLENDVB X9, X6, X4, X4

// X4 = the prediction of four rows by their masks, which are at offset half.
// The average rounds down, the instruction up.
#define MIXED(a, b, c, half) \
	VPAVGB a, b, X3              \
	VPXOR  a, b, X9              \
	VPAND  ones<>(SB), X9, X9    \
	VPSUBB X9, X3, X3            \
	VPAND  (wave_useLeft+half)(AX), a, X9    \
	VPAND  (wave_useUp+half)(AX), b, X10     \
	VPAND  (wave_useCorner+half)(AX), c, X14 \
	PAETH(X9, X10, X14)          \
	VMOVDQU (wave_average+half)(AX), X14     \
	VPBLENDVB X14, X3, X4, X4

DATA ones<>+0(SB)/8, $0x0101010101010101
DATA ones<>+8(SB)/8, $0x0101010101010101
GLOBL ones<>(SB), RODATA|NOPTR, $16

// func wavePaeth(w *wave, dst *byte, dstStride int, src *byte, srcStride int, prev *byte, unit, n int)
TEXT ·wavePaeth(SB), NOSPLIT, $0-64
	WAVE_ARGS

paeth:
	WAVE_ABOVE
	PAETH(X0, X1, X2)
	LOAD4(SI, X3)
	VPADDB  X4, X3, X0
	VMOVDQA X1, X2
	STORE4(X0, DI)
	PAETH(X11, X12, X13)
	LOAD4(R13, X3)
	VPADDB  X4, X3, X11
	VMOVDQA X12, X13
	STORE4(X11, BX)
	WAVE_STEP
	JNZ paeth
	RET

// func waveMixed(w *wave, dst *byte, dstStride int, src *byte, srcStride int, prev *byte, unit, n int)
TEXT ·waveMixed(SB), NOSPLIT, $0-64
	WAVE_ARGS

mixed:
	WAVE_ABOVE
	MIXED(X0, X1, X2, 0)
	LOAD4(SI, X9)
	VPADDB  X4, X9, X0
	VMOVDQA X1, X2
	STORE4(X0, DI)
	MIXED(X11, X12, X13, 16)
	LOAD4(R13, X9)
	VPADDB  X4, X9, X11
	VMOVDQA X12, X13
	STORE4(X11, BX)
	WAVE_STEP
	JNZ mixed
	RET

// func addRow(dst, src, prev *byte, n int)
TEXT ·addRow(SB), NOSPLIT, $0-32
	MOVQ dst+0(FP), DI
	MOVQ src+8(FP), SI
	MOVQ prev+16(FP), DX
	MOVQ n+24(FP), CX
	XORQ AX, AX

add:
	VMOVDQU (SI)(AX*1), Y0
	VPADDB  (DX)(AX*1), Y0, Y0
	VMOVDQU Y0, (DI)(AX*1)
	ADDQ    $32, AX
	CMPQ    AX, CX
	JB      add
	VZEROUPPER
	RET
