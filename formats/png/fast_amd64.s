//go:build !purego

#include "textflag.h"
#include "go_asm.h"

// What a match of distance 1 to 15 repeats: byte i of its vector is byte
// i modulo the distance of the source.
DATA repeat<>+16(SB)/8, $0x0000000000000000
DATA repeat<>+24(SB)/8, $0x0000000000000000
DATA repeat<>+32(SB)/8, $0x0100010001000100
DATA repeat<>+40(SB)/8, $0x0100010001000100
DATA repeat<>+48(SB)/8, $0x0100020100020100
DATA repeat<>+56(SB)/8, $0x0002010002010002
DATA repeat<>+64(SB)/8, $0x0302010003020100
DATA repeat<>+72(SB)/8, $0x0302010003020100
DATA repeat<>+80(SB)/8, $0x0201000403020100
DATA repeat<>+88(SB)/8, $0x0004030201000403
DATA repeat<>+96(SB)/8, $0x0100050403020100
DATA repeat<>+104(SB)/8, $0x0302010005040302
DATA repeat<>+112(SB)/8, $0x0006050403020100
DATA repeat<>+120(SB)/8, $0x0100060504030201
DATA repeat<>+128(SB)/8, $0x0706050403020100
DATA repeat<>+136(SB)/8, $0x0706050403020100
DATA repeat<>+144(SB)/8, $0x0706050403020100
DATA repeat<>+152(SB)/8, $0x0605040302010008
DATA repeat<>+160(SB)/8, $0x0706050403020100
DATA repeat<>+168(SB)/8, $0x0504030201000908
DATA repeat<>+176(SB)/8, $0x0706050403020100
DATA repeat<>+184(SB)/8, $0x04030201000a0908
DATA repeat<>+192(SB)/8, $0x0706050403020100
DATA repeat<>+200(SB)/8, $0x030201000b0a0908
DATA repeat<>+208(SB)/8, $0x0706050403020100
DATA repeat<>+216(SB)/8, $0x0201000c0b0a0908
DATA repeat<>+224(SB)/8, $0x0706050403020100
DATA repeat<>+232(SB)/8, $0x01000d0c0b0a0908
DATA repeat<>+240(SB)/8, $0x0706050403020100
DATA repeat<>+248(SB)/8, $0x000e0d0c0b0a0908
GLOBL repeat<>(SB), RODATA|NOPTR, $256

// How far such a vector advances: the multiple of the distance up to 16.
DATA advance<>+0(SB)/8, $0x0e0c0f100f101010
DATA advance<>+8(SB)/8, $0x0f0e0d0c0b0a0910
GLOBL advance<>(SB), RODATA|NOPTR, $16

// Registers:
//	SI, R8   next byte of in, the last place for two loads
//	DI, R9   next byte of out, its limit
//	DX, CX   hold and count; of count only the low 6 bits are kept right
//	R10      out[0]
//	R11, R12 the tables
//	AX       the entry at the head of hold
//	BX, R13, R15 for the moment

// Fills hold to 56 bits or more, without a branch; see fastPlain.
#define REFILL \
	MOVQ  (SI), R13      \
	SHLXQ CX, R13, R13   \
	ORQ   R13, DX        \
	MOVL  CX, R13        \
	NOTL  R13            \
	SHRL  $3, R13        \
	ANDL  $7, R13        \
	ADDQ  R13, SI        \
	ORL   $56, CX

#define LOOKUP \
	MOVL DX, R13                       \
	ANDL $((1<<const_litBits)-1), R13 \
	MOVL (R11)(R13*4), AX

#define CONSUME(entry) \
	SHRXQ entry, DX, DX \
	SUBL  entry, CX

// Stores up to three literals of AX and looks the next entry up.
#define LITERALS \
	MOVL    AX, R15           \
	MOVBLZX AX, BX            \
	CONSUME(AX)               \
	LOOKUP                    \
	SHRL    $8, R15           \
	SHRL    $6, BX            \
	MOVL    R15, (DI)         \
	ADDQ    BX, DI

// to = the length or distance of the entry at the head of hold.
#define VALUE(entry, to) \
	BZHIQ entry, DX, to      \
	MOVL  entry, BX          \
	SHRL  $8, BX             \
	SHRXQ BX, to, to         \
	SHRL  $8, BX             \
	ADDL  BX, to

// entry = the entry of the second table that the link leads to. The index is
// the hold's bits after the first table's.
#define FOLLOW(table, bits, entry) \
	MOVL  DX, R13         \
	SHRL  $bits, R13      \
	MOVL  entry, BX       \
	SHRL  $8, BX          \
	ANDL  $15, BX         \
	BZHIL BX, R13, R13    \
	SHRL  $16, entry      \
	ADDL  entry, R13      \
	MOVL  (table)(R13*4), entry

// func fastLoop(s *fastState) int
TEXT ·fastLoop(SB), NOSPLIT, $0-16
	MOVQ s+0(FP), BX
	MOVQ fastState_in(BX), SI
	MOVQ SI, R8
	ADDQ fastState_inLimit(BX), R8
	ADDQ fastState_inAt(BX), SI
	MOVQ fastState_out(BX), R10
	MOVQ R10, DI
	ADDQ fastState_outAt(BX), DI
	MOVQ R10, R9
	ADDQ fastState_outLimit(BX), R9
	MOVQ fastState_lit(BX), R11
	MOVQ fastState_dist(BX), R12
	MOVQ fastState_hold(BX), DX
	MOVQ fastState_count(BX), CX

// begin: AX is not known.
begin:
	CMPQ SI, R8
	JA   margin
	CMPQ DI, R9
	JAE  margin
	REFILL
	LOOKUP
	JMP  entry

// next: AX is known, hold wants bits.
next:
	CMPQ SI, R8
	JA   margin
	CMPQ DI, R9
	JAE  margin
	REFILL

// entry: hold has 56 bits. Two entries of literals (22), a length with its
// extra bits (20) and the index of a distance (9) are less, so the distance can
// be looked up before hold is filled again.
entry:
	TESTB $const_entryLits, AX
	JZ    other
	LITERALS
	TESTB $const_entryLits, AX
	JZ    other
	LITERALS
	TESTB $const_entryLits, AX
	JNZ   next

// other: a length or a special entry, and hold has at least 34 bits.
other:
	TESTL $const_entrySpecial, AX
	JNZ   special

length:
	VALUE(AX, R15)
	CONSUME(AX)
	MOVL DX, R13
	ANDL $((1<<const_distBits)-1), R13
	MOVL (R12)(R13*4), AX
	REFILL
	TESTL $const_entrySpecial, AX
	JNZ   farDistance

distance:
	VALUE(AX, R13)
	CONSUME(AX)
	MOVQ DI, BX
	SUBQ R10, BX
	CMPQ R13, BX
	JA   badDistance
	MOVQ DI, BX
	SUBQ R13, BX
	ADDQ DI, R15 // the end of the match
	CMPQ R13, $16
	JB   near

	// The next entry is looked up beside the copy: 28 bits are left.
	MOVL DX, R13
	ANDL $((1<<const_litBits)-1), R13
	MOVL (R11)(R13*4), AX
	VMOVDQU (BX), X0
	VMOVDQU X0, (DI)
	ADDQ $16, DI
	CMPQ DI, R15
	JAE  copied

copy:
	ADDQ $16, BX
	VMOVDQU (BX), X0
	VMOVDQU X0, (DI)
	ADDQ $16, DI
	CMPQ DI, R15
	JB   copy

copied:
	MOVQ R15, DI
	JMP  next

// near: the source reaches into the match.
near:
	VMOVDQU (BX), X0
	LEAQ advance<>(SB), AX
	MOVBLZX (AX)(R13*1), BX
	SHLL $4, R13
	LEAQ repeat<>(SB), AX
	VPSHUFB (AX)(R13*1), X0, X0
	MOVL DX, R13
	ANDL $((1<<const_litBits)-1), R13
	MOVL (R11)(R13*4), AX

pattern:
	VMOVDQU X0, (DI)
	ADDQ BX, DI
	CMPQ DI, R15
	JB   pattern
	MOVQ R15, DI
	JMP  next

special:
	TESTL $(const_entryKind^const_entrySpecial), AX
	JNZ   final
	FOLLOW(R11, const_litBits, AX)
	TESTB $const_entryLits, AX
	JZ    farLength
	MOVL AX, R15
	SHRL $8, R15
	MOVB R15, (DI)
	INCQ DI
	CONSUME(AX)
	JMP  begin

farLength:
	TESTL $const_entrySpecial, AX
	JZ    length

final:
	TESTL $(const_entryInvalid^const_entrySpecial), AX
	JNZ   badSymbol
	CONSUME(AX)
	MOVQ  $const_fastEnd, AX
	JMP   leave

farDistance:
	TESTL $(const_entryKind^const_entrySpecial), AX
	JNZ   badSymbol
	FOLLOW(R12, const_distBits, AX)
	TESTL $const_entrySpecial, AX
	JZ    distance

badSymbol:
	MOVQ $const_fastSymbol, AX
	JMP  leave

badDistance:
	MOVQ $const_fastDistance, AX
	JMP  leave

margin:
	MOVQ $const_fastMargin, AX

leave:
	MOVQ AX, ret+8(FP)
	MOVQ s+0(FP), BX
	SUBQ fastState_in(BX), SI
	MOVQ SI, fastState_inAt(BX)
	SUBQ R10, DI
	MOVQ DI, fastState_outAt(BX)
	MOVQ DX, fastState_hold(BX)
	ANDQ $63, CX
	MOVQ CX, fastState_count(BX)
	RET
