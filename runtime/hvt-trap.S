/* SPDX-License-Identifier: ISC */
/* One stub of 16 bytes for each exception: they differ in whether the processor has
 * pushed an error code. hvt-cpu.c does the rest. */
	.section .text.hvt_trap, "ax", @progbits
	.globl hvt_trap_stubs
	.balign 16
hvt_trap_stubs:
	.set vector, 0
	.rept 32
	.balign 16
	.if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || \
		vector == 29 || vector == 30)
	push	$0
	.endif
	push	$vector
	jmp	trapped
	.set vector, vector + 1
	.endr
	.balign 16
trapped:
	cld
	mov	%rsp, %rdi
	and	$-16, %rsp
	call	hvt_trap
	ud2
	.section .note.GNU-stack, "", @progbits
