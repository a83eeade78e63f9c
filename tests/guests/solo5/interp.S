/* SPDX-License-Identifier: LGPL-2.1-or-later */
	.section .interp, "a", @progbits
	.asciz "/nonexistent/solo5/"
	.section .note.GNU-stack, "", @progbits
