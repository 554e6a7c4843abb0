//go:build !purego

#include "textflag.h"
#include "go_asm.h"
#include "bits_amd64.h"

// Registers besides those of bits_amd64.h:
//	R13      the block of the MCU
//	DI       its coefficients
//	R12      where in it, in the file's order
//	SI       zigzag

// func decodeMCUs(s *mcuState) int
TEXT ·decodeMCUs(SB), NOSPLIT, $0-16
	MOVQ s+0(FP), R13
	MOVQ mcuState_in(R13), R9
	MOVQ R9, R10
	ADDQ mcuState_limit(R13), R10
	ADDQ mcuState_at(R13), R9
	MOVQ mcuState_hold(R13), DX
	MOVQ mcuState_count(R13), CX
	MOVQ mcuState_zigzag(R13), SI

mcu:
	MOVQ s+0(FP), R13
	MOVQ mcuState_blocks(R13), R13

block:
	MOVQ mcuBlock_block(R13), DI
	MOVQ mcuBlock_step(R13), R8
	ADDQ DI, R8
	MOVQ R8, mcuBlock_block(R13)

	MOVQ mcuBlock_dc(R13), R11
	REFILL
	LOOKUP
	JZ   longDC

dc:
	VALUE
	MOVQ mcuBlock_ac(R13), R11
	MOVQ mcuBlock_pred(R13), BX
	ADDL (BX), R8
	MOVL R8, (BX)
	MOVW R8, (DI)
	XORL R12, R12

ac:
	REFILL
	LOOKUP
	JZ   longAC

acEntry:
	TESTL $0xF00, AX
	JZ   zeros
	VALUE
	SHRL $24, AX
	ADDL AX, R12
	CMPL R12, $63
	JGE  last
	MOVBLZX (SI)(R12*1), R14
	MOVW R8, (DI)(R14*2)
	JMP  ac

last:
	JNE  tooMany
	MOVW R8, 126(DI)
	JMP  done

zeros:
	// A run of 16, or the end of the block.
	SHLXQ AX, DX, DX
	SUBL AX, CX
	SHRL $24, AX
	CMPL AX, $16
	JNE  done
	ADDL AX, R12
	CMPL R12, $63
	JLT  ac

done:
	MOVQ s+0(FP), R8
	MOVQ mcuState_end(R8), BX
	CMPQ R13, BX
	JEQ  mcuDone
	ADDQ $mcuBlock__size, R13
	JMP  block

mcuDone:
	DECQ mcuState_mcus(R8)
	JNZ  mcu
	XORL AX, AX

leave:
	MOVQ s+0(FP), R8
	SUBQ mcuState_in(R8), R9
	MOVQ R9, mcuState_at(R8)
	MOVQ DX, mcuState_hold(R8)
	ANDL $63, CX
	MOVQ CX, mcuState_count(R8)
	MOVQ AX, ret+8(FP)
	RET

longDC:
	LONG
	JMP dc

longAC:
	LONG
	JMP acEntry

symbol:
	MOVL $const_mcusSymbol, AX
	JMP leave

tooMany:
	MOVL $const_mcusBlock, AX
	JMP leave
