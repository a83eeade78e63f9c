/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What stopped an spt guest: read by ptrace while it stands at the fault, told in a
 * sentence, and on request kept in a core file that a debugger reads.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/procfs.h>
#include <sys/ptrace.h>
#include <sys/uio.h>

#include "base/fd.h"
#include "base/str.h"
#include "tender/tender-internal.h"

#define CORE_SEGMENTS 64
#define CORE_CHUNK 65536u

static const char *reason(const siginfo_t *si)
{
	if (si->si_signo == SIGSEGV)
		return si->si_code == SEGV_MAPERR ? "nothing is mapped there" :
		       si->si_code == SEGV_ACCERR ? "that is not allowed there" :
						    "no valid address";
	return si->si_signo == SIGBUS  ? "no memory behind it" :
	       si->si_signo == SIGILL  ? "no valid instruction" :
	       si->si_signo == SIGFPE  ? "a division that has no result" :
	       si->si_signo == SIGTRAP ? "a trap" :
					 "unknown";
}

static const struct {
	char name[8];
	size_t at;
} registers[] = {
#define REG(r)                                                                           \
	{                                                                                \
#r, offsetof(struct user_regs_struct, r)                                 \
	}
	REG(rip), REG(rsp), REG(eflags), REG(fs_base), REG(rax), REG(rbx), REG(rcx),
	REG(rdx), REG(rsi), REG(rdi),    REG(rbp),     REG(r8),  REG(r9),  REG(r10),
	REG(r11), REG(r12), REG(r13),    REG(r14),     REG(r15),
#undef REG
};

static void write_registers(struct fault *f)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_LEN(registers) && n < sizeof(f->detail); i++) {
		uint64_t v;

		memcpy(&v, (const char *)&f->regs + registers[i].at, sizeof(v));
		n += (size_t)snprintf(f->detail + n, sizeof(f->detail) - n,
				      "%s%-7s %016" PRIx64,
				      i % 4 ? "  " :
				      i     ? "\n  " :
					      "  ",
				      registers[i].name, v);
	}
}

static void describe(struct fault *f)
{
	const struct user_regs_struct *r = &f->regs;

	if (f->sig == SIGSYS)
		(void)snprintf(f->text, sizeof(f->text),
			       "the guest was stopped at 0x%llx: it made system call "
			       "%lld, or one with arguments that the ABI does not have",
			       (unsigned long long)r->rip, (long long)r->orig_rax);
	else
		(void)snprintf(f->text, sizeof(f->text),
			       "the guest was stopped by a fault (%s) at 0x%llx, address "
			       "0x%llx: %s",
			       f->sig == SIGSEGV ? "SIGSEGV" :
			       f->sig == SIGBUS  ? "SIGBUS" :
			       f->sig == SIGILL  ? "SIGILL" :
			       f->sig == SIGFPE  ? "SIGFPE" :
						   "SIGTRAP",
			       (unsigned long long)r->rip,
			       (unsigned long long)(uintptr_t)f->info.si_addr,
			       reason(&f->info));
	write_registers(f);
}

bool fault_read(struct fault *ret, pid_t pid, int sig)
{
	struct iovec regs = { &ret->regs, sizeof(ret->regs) };

	*ret = (struct fault){ .sig = sig };
	if (ptrace(PTRACE_GETREGSET, pid, (void *)(uintptr_t)NT_PRSTATUS, &regs) < 0)
		return false;
	if (sig != SIGSYS && ptrace(PTRACE_GETSIGINFO, pid, NULL, &ret->info) < 0)
		return false;
	/* Somebody's kill(2) is no fault. */
	if (sig != SIGSYS && ret->info.si_code <= 0)
		return false;
	describe(ret);
	return true;
}

/* ---- the core file ---- */

struct core {
	Elf64_Phdr ph[CORE_SEGMENTS + 1];
	bool file[CORE_SEGMENTS + 1]; /* mapped from one */
	size_t n;                     /* of them, the note first */
};

/* " rwxp OFFSET DEV INODE", of a line of maps. */
static bool is_of_file(const char *p)
{
	for (int i = 0; i < 4 && p; i++)
		p = strchr(p + 1, ' ');
	return p && strtoull(p, NULL, 10) != 0;
}

/* What the guest has mapped, below end: the tender's own memory lies above. */
static void find_segments(struct core *c, pid_t pid, uint64_t end)
{
	auto_free char *maps = NULL;
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	if (fd_read_file_at(AT_FDCWD, path, 1u << 20, &maps, NULL, NULL) != 0)
		return;
	for (char *line = maps; *line && c->n <= CORE_SEGMENTS;) {
		char *p = line, *next = strchr(line, '\n');
		uint64_t from = strtoull(p, &p, 16),
			 to = *p == '-' ? strtoull(p + 1, &p, 16) : 0;
		Elf64_Phdr *ph = &c->ph[c->n];

		if (to > from && to <= end && strlen(p) > 4) {
			*ph = (Elf64_Phdr){ .p_type = PT_LOAD,
					    .p_vaddr = from,
					    .p_filesz = to - from,
					    .p_memsz = to - from,
					    .p_align = 4096 };
			c->file[c->n] = is_of_file(p);
			ph->p_flags = (p[1] == 'r' ? PF_R : 0u) |
				      (p[2] == 'w' ? PF_W : 0u) |
				      (p[3] == 'x' ? PF_X : 0u);
			c->n++;
		}
		if (!next)
			return;
		line = next + 1;
	}
}

static bool is_zero(const char *p, size_t n)
{
	return n == 0 || (*p == 0 && memcmp(p, p + 1, n - 1) == 0);
}

/* Nobody has written there. Reading would tell, too, but fill the page tables and take
 * seconds for each GiB, while nobody else is served. */
static bool is_untouched(int pagemap, uint64_t addr)
{
	uint64_t page[CORE_CHUNK / 4096] = { 0 };
	ssize_t n = pread(pagemap, page, sizeof(page), (off_t)(addr / 4096 * 8));

	for (size_t i = 0; i < ARRAY_LEN(page); i++)
		if (page[i] >> 62) /* present, or swapped out */
			return false;
	return n > 0;
}

/* Sparse: what was never touched stays a hole. pagemap: -1 if all is to be read. */
static int copy_segment(int fd, int mem, int pagemap, const Elf64_Phdr *ph, char *buf)
{
	for (uint64_t at = 0; at < ph->p_filesz; at += CORE_CHUNK) {
		size_t n = MIN((uint64_t)CORE_CHUNK, ph->p_filesz - at);
		ssize_t got;

		if (pagemap >= 0 && is_untouched(pagemap, ph->p_vaddr + at))
			continue;
		got = pread(mem, buf, n, (off_t)(ph->p_vaddr + at));
		if (got <= 0 || is_zero(buf, (size_t)got))
			continue;
		if (pwrite(fd, buf, (size_t)got, (off_t)(ph->p_offset + at)) != got)
			return -errno;
	}
	return 0;
}

/* Without the gap that a compiler would leave. */
struct core_note {
	Elf64_Nhdr head;
	char name[8];
	char status[sizeof(struct elf_prstatus)];
};

static void fill_note(struct core_note *ret, pid_t pid, const struct fault *f)
{
	struct elf_prstatus status = { .pr_pid = pid, .pr_cursig = (short)f->sig };

	*ret = (struct core_note){ .head = { 5, sizeof(status), NT_PRSTATUS },
				   .name = "CORE" };
	status.pr_info.si_signo = f->sig;
	memcpy(&status.pr_reg, &f->regs, MIN(sizeof(f->regs), sizeof(status.pr_reg)));
	memcpy(ret->status, &status, sizeof(status));
}

void core_write(int fd, pid_t pid, const struct fault *f, uint64_t end)
{
	Elf64_Ehdr eh = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64,
				       ELFDATA2LSB, EV_CURRENT },
			  .e_type = ET_CORE,
			  .e_machine = EM_X86_64,
			  .e_version = EV_CURRENT,
			  .e_phoff = sizeof(eh),
			  .e_ehsize = sizeof(eh),
			  .e_phentsize = sizeof(Elf64_Phdr) };
	struct core_note note;
	auto_free struct core *c = calloc(1, sizeof(*c));
	auto_free char *buf = malloc(CORE_CHUNK);
	uint64_t at;
	char path[64];
	auto_fd mem = -1, pagemap = -1;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	if (!c || !buf || mem < 0)
		return;
	(void)snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	pagemap = open(path, O_RDONLY | O_CLOEXEC);
	c->n = 1;
	find_segments(c, pid, end);
	eh.e_phnum = (Elf64_Half)c->n;
	at = sizeof(eh) + c->n * sizeof(c->ph[0]);
	c->ph[0] = (Elf64_Phdr){ .p_type = PT_NOTE,
				 .p_offset = at,
				 .p_filesz = sizeof(note) };
	at = (at + sizeof(note) + 4095) & ~4095ull;
	for (size_t i = 1; i < c->n; i++) {
		c->ph[i].p_offset = at;
		at += c->ph[i].p_filesz;
	}
	fill_note(&note, pid, f);
	if (pwrite(fd, &eh, sizeof(eh), 0) < 0 ||
	    pwrite(fd, c->ph, c->n * sizeof(c->ph[0]), sizeof(eh)) < 0 ||
	    pwrite(fd, &note, sizeof(note), (off_t)c->ph[0].p_offset) < 0)
		return;
	for (size_t i = 1; i < c->n; i++)
		if (copy_segment(fd, mem, c->file[i] ? -1 : pagemap, &c->ph[i], buf) < 0)
			return;
	if (ftruncate(fd, (off_t)at) < 0)
		return; /* a debugger takes what is missing for zeros */
}
