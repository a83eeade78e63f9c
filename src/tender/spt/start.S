/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* start.S - the first instructions of polder-tender-spt: its arguments lie on the stack. */
	.section .text.start, "ax", @progbits
	.globl _start
	.type _start, @function
_start:
	xor %ebp, %ebp
	mov %rsp, %rdi
	and $-16, %rsp
	call spt_main
	hlt
	.size _start, . - _start

	.section .note.GNU-stack, "", @progbits
