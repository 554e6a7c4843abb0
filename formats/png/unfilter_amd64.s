//go:build !purego

#include "textflag.h"
#include "go_asm.h"

// Registers of the wave kernels:
//	DI, R8, R9   dst of the first row, its stride and three times that
//	SI, R10, R11 the same of src
//	DX, R12, CX  prev, the bytes of a pixel, steps to go
//	X0, X2       left and upper left pixels a and c, a lane of 4 bytes each row
//	X1           pixels above, b
//	X3           what is added to the prediction
//	X15          zeros
//	BX, R13      dst and src of the fifth row of eight
#define WAVE_ARGS \
	MOVQ w+0(FP), AX          \
	MOVQ dst+8(FP), DI        \
	MOVQ dstStride+16(FP), R8 \
	MOVQ src+24(FP), SI       \
	MOVQ srcStride+32(FP), R10 \
	MOVQ prev+40(FP), DX      \
	MOVQ unit+48(FP), R12     \
	MOVQ n+56(FP), CX         \
	LEAQ (R8)(R8*2), R9       \
	LEAQ (R10)(R10*2), R11    \
	VMOVDQU wave_left(AX), X0 \
	VMOVDQU wave_corner(AX), X2 \
	VPXOR X15, X15, X15

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

// The pixels above are the next of prev for the first row and what the step
// before made for the others.
#define WAVE_LOAD \
	VPBROADCASTD (DX), X1    \
	LOAD4(SI, X3)            \
	VPALIGNR $12, X1, X0, X1

#define WAVE_STORE \
	STORE4(X0, DI) \
	ADDQ R12, DI   \
	ADDQ R12, SI   \
	ADDQ R12, DX

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

// func wavePaeth(w *wave, dst *byte, dstStride int, src *byte, srcStride int, prev *byte, unit, n int)
TEXT ·wavePaeth(SB), NOSPLIT, $0-64
	WAVE_ARGS

paeth:
	WAVE_LOAD
	PAETH(X0, X1, X2)
	VPADDB X4, X3, X0
	VMOVDQA X1, X2
	WAVE_STORE
	DECQ CX
	JNZ  paeth
	RET

// func wavePaeth8(w *wave, dst *byte, dstStride int, src *byte, srcStride int, prev *byte, unit, n int)
//	X11, X13 the left and upper left pixels of the fifth to eighth row
TEXT ·wavePaeth8(SB), NOSPLIT, $0-64
	WAVE_ARGS
	LEAQ    (DI)(R8*4), BX
	LEAQ    (SI)(R10*4), R13
	VMOVDQU (wave_left+16)(AX), X11
	VMOVDQU (wave_corner+16)(AX), X13

paeth8:
	VPBROADCASTD (DX), X1
	VPALIGNR $12, X0, X11, X12 // before X0 changes: above the fifth row is the fourth
	VPALIGNR $12, X1, X0, X1
	LOAD4(SI, X3)
	PAETH(X0, X1, X2)
	VPADDB X4, X3, X0
	VMOVDQA X1, X2
	STORE4(X0, DI)
	LOAD4(R13, X3)
	PAETH(X11, X12, X13)
	VPADDB X4, X3, X11
	VMOVDQA X12, X13
	STORE4(X11, BX)
	ADDQ R12, BX
	ADDQ R12, R13
	ADDQ R12, DI
	ADDQ R12, SI
	ADDQ R12, DX
	DECQ CX
	JNZ  paeth8
	RET

// func waveMixed(w *wave, dst *byte, dstStride int, src *byte, srcStride int, prev *byte, unit, n int)
TEXT ·waveMixed(SB), NOSPLIT, $0-64
	WAVE_ARGS
	MOVQ $0x0101010101010101, BX
	VMOVQ BX, X14
	VPBROADCASTQ X14, X14

mixed:
	WAVE_LOAD
	// The average rounds down, the instruction up.
	VPAVGB X0, X1, X11
	VPXOR  X0, X1, X12
	VPAND  X14, X12, X12
	VPSUBB X12, X11, X11
	VPAND  wave_useLeft(AX), X0, X0
	VPAND  wave_useUp(AX), X1, X12
	VPAND  wave_useCorner(AX), X2, X2
	PAETH(X0, X12, X2)
	VMOVDQU wave_average(AX), X13
	VPBLENDVB X13, X11, X4, X4
	VPADDB X4, X3, X0
	VMOVDQA X1, X2
	WAVE_STORE
	DECQ CX
	JNZ  mixed
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
