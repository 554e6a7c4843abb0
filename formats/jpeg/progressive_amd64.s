//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "bits_amd64.h"

// Registers besides those of bits_amd64.h:
//	R13      the state
//	DI       the block's coefficients
//	R12      where in it, in the file's order
//	R15      which coefficients are not zero
//	SI       zigzag

// func decodeBand(s *bandState) int
TEXT ·decodeBand(SB), NOSPLIT, $0-16
	MOVQ s+0(FP), R13
	MOVQ bandState_in(R13), R9
	MOVQ R9, R10
	ADDQ bandState_limit(R13), R10
	ADDQ bandState_at(R13), R9
	MOVQ bandState_hold(R13), DX
	MOVQ bandState_count(R13), CX
	MOVQ bandState_zigzag(R13), SI
	MOVQ bandState_ac(R13), R11
	MOVQ bandState_block(R13), DI

	// The blocks of a run that are here have no more.
	MOVQ bandState_blocks(R13), AX
	MOVQ bandState_eobRun(R13), BX

skip:
	CMPQ BX, AX
	JGE  allSkipped
	SUBQ BX, AX
	MOVQ AX, bandState_blocks(R13)
	MOVQ bandState_nonzero(R13), R8
	LEAQ (R8)(BX*8), R8
	MOVQ R8, bandState_nonzero(R13)
	SHLQ $7, BX
	ADDQ BX, DI
	MOVQ (R8), R15
	MOVQ bandState_first(R13), R12
	DECQ R12

ac:
	REFILL
	LOOKUP
	JZ   long

entry:
	TESTL $0xF00, AX
	JZ   zeros
	VALUE
	SHRL $24, AX
	ADDL AX, R12
	CMPL R12, $63
	JGT  tooMany
	MOVQ bandState_low(R13), BX
	SHLXQ BX, R8, R8
	MOVBLZX (SI)(R12*1), R14
	BTSQ R12, R15
	MOVW R8, (DI)(R14*2)
	CMPQ R12, bandState_last(R13)
	JLT  ac
	XORL BX, BX
	JMP  done

zeros:
	// A run of 16, or the end of this band and of those of as many blocks as the
	// following bits say.
	SHLXQ AX, DX, DX
	SUBL AX, CX
	SHRL $24, AX
	CMPL AX, $16
	JNE  end
	ADDL AX, R12
	CMPQ R12, bandState_last(R13)
	JLT  ac
	XORL BX, BX
	JMP  done

end:
	DECL AX
	MOVL AX, R14
	NEGL R14
	SHRXQ R14, DX, R14
	BZHIQ AX, R14, R14
	SHLXQ AX, DX, DX
	SUBL AX, CX
	MOVL $1, BX
	SHLXQ AX, BX, BX
	LEAQ -1(BX)(R14*1), BX

done:
	// BX is the blocks after this one that have no more.
	MOVQ bandState_nonzero(R13), R8
	MOVQ R15, (R8)
	ADDQ $8, R8
	MOVQ R8, bandState_nonzero(R13)
	ADDQ $128, DI
	MOVQ bandState_blocks(R13), AX
	DECQ AX
	JMP  skip

allSkipped:
	SUBQ AX, BX
	MOVQ BX, bandState_eobRun(R13)
	XORL AX, AX

leave:
	SUBQ bandState_in(R13), R9
	MOVQ R9, bandState_at(R13)
	MOVQ DX, bandState_hold(R13)
	ANDL $63, CX
	MOVQ CX, bandState_count(R13)
	MOVQ AX, ret+8(FP)
	RET

long:
	LONG
	JMP entry

symbol:
	MOVL $const_mcusSymbol, AX
	JMP leave

tooMany:
	MOVL $const_mcusBlock, AX
	JMP leave

// Registers besides those of bits_amd64.h:
//	R13      the state
//	DI       the block's coefficients
//	R12      those of the band that are to come, a bit each in the file's order
//	R15      those that were not zero before this scan
//	R14      those that get their bit now
//	SI       zigzag
//	0(SP)    the bit

// func refineBand(s *bandState) int
TEXT ·refineBand(SB), NOSPLIT, $8-16
	MOVQ s+0(FP), R13
	MOVQ bandState_in(R13), R9
	MOVQ R9, R10
	ADDQ bandState_limit(R13), R10
	ADDQ bandState_at(R13), R9
	MOVQ bandState_hold(R13), DX
	MOVQ bandState_count(R13), CX
	MOVQ bandState_zigzag(R13), SI
	MOVQ bandState_ac(R13), R11
	MOVQ bandState_block(R13), DI
	MOVQ bandState_low(R13), R8
	MOVL $1, BX
	SHLXQ R8, BX, BX
	MOVQ BX, 0(SP)

block:
	CMPQ bandState_blocks(R13), $0
	JEQ  finished
	MOVQ bandState_nonzero(R13), R8
	MOVQ (R8), R15
	MOVQ bandState_band(R13), R12
	CMPQ bandState_eobRun(R13), $0
	JNE  rest

next:
	TESTQ R12, R12
	JZ    blockDone
	REFILL
	LOOKUP
	JZ    long

entry:
	CMPL AX, $(16<<24)
	JAE  value // a run of 16, of no value or of one
	TESTL $0xF00, AX
	JZ   end

value:
	VALUE
	SHRL $24, AX

	// BX = the zeros from the end of the run on.
	ANDNQ R12, R15, BX
	DECL AX
	JZ   endOfRun

run:
	BLSRQ BX, BX
	DECL AX
	JNZ  run

endOfRun:
	// R14 = what comes before the end, which is AX, and has a bit to come.
	BLSIQ BX, AX
	LEAQ -1(AX), R14
	MOVQ R14, BX
	ORQ  AX, BX
	ANDQ R12, R14
	ANDQ R15, R14
	ANDNQ R12, BX, R12

	// The value, unless there is none.
	TESTQ R8, R8
	JZ   refine
	TESTQ AX, AX
	JZ   refine
	MOVQ bandState_nonzero(R13), BX
	ORQ  AX, (BX)
	TZCNTQ AX, BX
	MOVBLZX (SI)(BX*1), BX
	SARQ $63, R8
	MOVQ 0(SP), AX
	XORQ R8, AX
	SUBQ R8, AX
	MOVW AX, (DI)(BX*2)

refine:
	TESTQ R14, R14
	JZ   next
	REFILL
	MOVL $56, R11

one:
	TZCNTQ R14, BX
	BLSRQ R14, R14
	MOVBLZX (SI)(BX*1), BX
	MOVWQSX (DI)(BX*2), R8
	MOVQ DX, R13
	SARQ $63, R13
	ANDQ 0(SP), R13
	ANDNQ R13, R8, R13 // unless the bit is there
	MOVQ R8, AX
	SARQ $63, AX
	XORQ AX, R13
	SUBQ AX, R13
	ADDQ R13, R8
	MOVW R8, (DI)(BX*2)
	SHLQ $1, DX
	DECL CX
	TESTQ R14, R14
	JZ   refined
	DECL R11
	JNZ  one

refined:
	MOVQ s+0(FP), R13
	MOVQ bandState_ac(R13), R11
	JMP  refine

end:
	// The end of this band and of those of as many blocks as the following bits say.
	SHLXQ AX, DX, DX
	SUBL AX, CX
	SHRL $24, AX
	DECL AX
	MOVL AX, R14
	NEGL R14
	SHRXQ R14, DX, R14
	BZHIQ AX, R14, R14
	SHLXQ AX, DX, DX
	SUBL AX, CX
	MOVL $1, BX
	SHLXQ AX, BX, BX
	ADDQ R14, BX
	MOVQ BX, bandState_eobRun(R13)

rest:
	DECQ bandState_eobRun(R13)
	MOVQ R12, R14
	ANDQ R15, R14
	XORL R12, R12
	JMP  refine

blockDone:
	ADDQ $128, DI
	ADDQ $8, bandState_nonzero(R13)
	DECQ bandState_blocks(R13)
	JMP  block

finished:
	XORL AX, AX

leave:
	SUBQ bandState_in(R13), R9
	MOVQ R9, bandState_at(R13)
	MOVQ DX, bandState_hold(R13)
	ANDL $63, CX
	MOVQ CX, bandState_count(R13)
	MOVQ AX, ret+8(FP)
	RET

long:
	LONG
	JMP entry

symbol:
	MOVL $const_mcusSymbol, AX
	JMP leave
