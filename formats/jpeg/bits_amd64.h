// What the decoders of Huffman's codes share. Registers:
//	DX, CX       hold and count; of count only the low 6 bits are kept right
//	R9, R10      the next byte of the data, and the last that is ever the next
//	R11          the table
//	AX           the entry at the head of hold
//	R8, R14, BX  for the moment

// Fills hold to 56 bits or more; see refill.
#define REFILL \
	MOVBEQ (R9), R8       \
	SHRXQ  CX, R8, R8     \
	ORQ    R8, DX         \
	MOVL   CX, R8         \
	NOTL   R8             \
	SHRL   $3, R8         \
	ANDL   $7, R8         \
	ADDQ   R8, R9         \
	CMPQ   R9, R10        \
	CMOVQHI R10, R9       \
	ORL    $56, CX

// AX = the entry at the head of hold in the first table.
#define LOOKUP \
	MOVQ  DX, R8                      \
	SHRQ  $(64-const_lookBits), R8   \
	MOVL  (R11)(R8*4), AX            \
	TESTL $63, AX

// AX = the entry of the long code that AX leads to.
#define LONG \
	SHRL  $8, AX                          \
	JZ    symbol                          \
	MOVQ  DX, R8                          \
	SHRQ  $48, R8                         \
	ANDL  $((1<<const_longBits)-1), R8   \
	ADDL  R8, AX                          \
	MOVL  (R11)(AX*4), AX                 \
	TESTL $63, AX                         \
	JZ    symbol

// R8 = the value of the entry, which is taken from hold; see extend.
#define VALUE \
	MOVL  AX, R8          \
	SHRL  $16, R8         \
	MOVL  AX, R14         \
	SHRL  $8, R14         \
	SHRXQ R8, DX, R8      \
	BZHIQ R14, R8, R8     \
	MOVQ  $-1, BX         \
	SHLXQ R14, BX, BX     \
	SHLXQ AX, DX, DX      \
	SUBL  AX, CX          \
	LEAQ  (BX)(R8*2), R14 \
	LEAQ  1(BX)(R8*1), BX \
	TESTQ R14, R14        \
	CMOVQLT BX, R8

