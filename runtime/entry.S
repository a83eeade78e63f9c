/* SPDX-License-Identifier: ISC */
/*
 * Linked first into every image, once for each ABI (ABI_TARGET: hvt 1, spt 2).
 *
 * The first instructions: the boot information is in rdi. The stack that the tender gave
 * lies at the end of the memory, beside the heap; ours lies before the constants, which
 * cannot be written, so that one that grows too far ends with a fault.
 */
	.section .text.entry, "ax", @progbits
	.globl _start
	.type _start, @function
_start:
	cld
	lea	pg_stack_top, %rsp
	xor	%ebp, %ebp
	call	pg_start
	ud2
	.size _start, . - _start

	.section .polder.interp, "a", @progbits
	.asciz	"/nonexistent/solo5/"

	/* namesz, descsz, type, name; what the image is for, and its version */
	.section .polder.abi, "a", @progbits
	.long	6, 16, 0x31494241
	.ascii	"Solo5\0\0\0"
	.long	ABI_TARGET, 2, 0, 0

	/* The manifest's first entry: no name, a type that says "reserved" */
	.section .polder.reserved, "a", @progbits
	.zero	68
	.long	1 << 30
	.zero	32

	.section .note.GNU-stack, "", @progbits
