//go:build !purego

#include "textflag.h"

DATA reverseBytes<>+0(SB)/8, $0x08090A0B0C0D0E0F
DATA reverseBytes<>+8(SB)/8, $0x0001020304050607
DATA reverseBytes<>+16(SB)/8, $0x08090A0B0C0D0E0F
DATA reverseBytes<>+24(SB)/8, $0x0001020304050607
GLOBL reverseBytes<>(SB), RODATA|NOPTR, $32

// The five pixels of bytes 1 to 15, last one first.
DATA reversePixels<>+0(SB)/8, $0x08070C0B0A0F0E0D
DATA reversePixels<>+8(SB)/8, $0x8003020106050409
GLOBL reversePixels<>(SB), RODATA|NOPTR, $16

// func reverseBytesAVX2(dst, end *byte, blocks int)
//
// A block is 32 bytes; end is the source's last block.
TEXT ·reverseBytesAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ end+8(FP), SI
	MOVQ blocks+16(FP), CX
	VMOVDQU reverseBytes<>(SB), Y15

block:
	VMOVDQU (SI), Y0
	VPSHUFB Y15, Y0, Y0
	VPERMQ $0x4E, Y0, Y0
	VMOVDQU Y0, (DI)
	SUBQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JNZ block
	VZEROUPPER
	RET

// func reversePixelsAVX2(dst, end *byte, blocks int)
//
// A block is 5 RGB pixels; end is the source's last 16 bytes. Each store is a
// byte longer than the block.
TEXT ·reversePixelsAVX2(SB), NOSPLIT, $0-24
	MOVQ dst+0(FP), DI
	MOVQ end+8(FP), SI
	MOVQ blocks+16(FP), CX
	VMOVDQU reversePixels<>(SB), X15

block:
	VMOVDQU (SI), X0
	VPSHUFB X15, X0, X0
	VMOVDQU X0, (DI)
	SUBQ $15, SI
	ADDQ $15, DI
	DECQ CX
	JNZ block
	RET
