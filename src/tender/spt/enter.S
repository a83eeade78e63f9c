/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * enter.S - the last instructions of polder-tender-spt.
 *
 * spt_enter (%rdi: struct spt_enter, in the guest's memory) is the one page of the tender
 * that is left when the guest runs. It holds these instructions and nothing else. It uses
 * no stack: that is unmapped here, with all other pages of the process that are not the
 * guest's. Pages that the kernel has sealed (its own vdso, where so configured) cannot be
 * unmapped: what lies around them is found by halving. Any other failure ends the process.
 *
 * Nothing stands between the filter and the guest's first instruction: what the guest
 * gets is its memory, its registers cleared, and the filter.
 */
#define UNMAP_FROM 0
#define UNMAP_TO 8
#define FILTER 16
#define WIPE 32
#define ENTRY 40
#define STACK 48
#define BOOT_INFO 56

#define PAGE 4096
#define SYS_munmap 11
#define SYS_exit_group 231
#define SYS_seccomp 317
#define SECCOMP_SET_MODE_FILTER 1
#define EPERM 1

	.section .enter, "ax", @progbits
	.globl spt_enter
	.type spt_enter, @function
spt_enter:
	mov %rdi, %rbx
	mov UNMAP_FROM(%rbx), %rdi
	mov UNMAP_TO(%rbx), %r13
rest:
	mov %r13, %r14
	sub %rdi, %r14			/* how much at once */
	jbe confine
unmap:
	mov $SYS_munmap, %eax
	mov %r14, %rsi
	syscall
	test %rax, %rax
	jz unmapped
	cmp $-EPERM, %rax
	jne fail
	cmp $PAGE, %r14
	je unmapped			/* this page is sealed */
	shr $1, %r14
	and $-PAGE, %r14
	jmp unmap
unmapped:
	add %r14, %rdi
	jmp rest

confine:
	mov $SYS_seccomp, %eax
	mov $SECCOMP_SET_MODE_FILTER, %edi
	xor %esi, %esi
	lea FILTER(%rbx), %rdx
	syscall
	test %rax, %rax
	jnz fail

	mov ENTRY(%rbx), %r8
	mov STACK(%rbx), %rsp
	mov BOOT_INFO(%rbx), %r9
	mov WIPE(%rbx), %rcx
	mov %rbx, %rdi
	xor %eax, %eax
	rep stosb
	mov %r9, %rdi
	mov %r8, %rax
	xor %ebx, %ebx
	xor %ecx, %ecx
	xor %edx, %edx
	xor %esi, %esi
	xor %ebp, %ebp
	xor %r8d, %r8d
	xor %r9d, %r9d
	xor %r10d, %r10d
	xor %r11d, %r11d
	xor %r12d, %r12d
	xor %r13d, %r13d
	xor %r14d, %r14d
	xor %r15d, %r15d
	jmp *%rax

fail:
	mov $SYS_exit_group, %eax
	mov $125, %edi
	.globl spt_enter_call
spt_enter_call:
	syscall
	hlt
	.size spt_enter, . - spt_enter

	.section .note.GNU-stack, "", @progbits
