/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The entry, and the notes of an hvt image; with DEVICES it declares a disk and a net. */
	.text
	.globl _start
_start:
	xorl	%ebp, %ebp
	call	guest_main
	ud2

	.section .interp, "a"
	.asciz	"/nonexistent/solo5/"

	.section .note.abi, "a"
	.align	4
	.long	6, 16, 0x31494241
	.ascii	"Solo5\0\0\0"
	.long	1, 2, 0, 0

	.macro	entry name, type
10:	.ascii	"\name"
	.zero	68 - (. - 10b)
	.long	\type
	.zero	32
	.endm

	.section .note.mft, "a"
	.align	8
	.long	6, 2f - 1f, 0x3154464d
	.ascii	"Solo5\0\0\0"
1:	.long	0
#ifdef DEVICES
	.long	1, 3
	entry	"", 0x40000000
	entry	"disk", 1
	entry	"net", 2
#else
	.long	1, 1
	entry	"", 0x40000000
#endif
2:
	.section .note.GNU-stack, "", @progbits
