/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault.c - how a guest's end is told: the report, registers, a core file.
 *
 * Runs after lockdown, on fixed buffers. Everything that it reads of the guest is shown,
 * never followed.
 */
#include <assert.h>
#include <elf.h>
#include <errno.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>
#include <sys/procfs.h>
#include <sys/user.h>
#include <unistd.h>

#include "base/fd.h"
#include "tender/hvt/hvt.h"

#define PAGE 4096u

/* A small file, written whole: gdb and readelf take it. */
struct core_head {
	Elf64_Ehdr elf;
	Elf64_Phdr note, load;
	Elf64_Nhdr note_head;
	char note_name[8];
	struct elf_prstatus status; /* right behind its name: four bytes off */
} __attribute__((packed));

static_assert(sizeof(struct core_head) <= PAGE, "memory begins at the second page");

static bool registers(const struct hvt *h, struct kvm_regs *r, struct kvm_sregs *s)
{
	*r = (struct kvm_regs){ 0 };
	*s = (struct kvm_sregs){ 0 };
	return ioctl(h->vcpu, KVM_GET_REGS, r) == 0 &&
	       ioctl(h->vcpu, KVM_GET_SREGS, s) == 0;
}

static void describe(const struct hvt *h, struct uspec_report *ret)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	if (!registers(h, &r, &s))
		return;
	(void)snprintf(ret->detail, sizeof(ret->detail),
		       "rip %016llx  flags %016llx  cr2 %016llx  cr3 %016llx\n"
		       "rax %016llx  rbx %016llx  rcx %016llx  rdx %016llx\n"
		       "rsi %016llx  rdi %016llx  rbp %016llx  rsp %016llx\n"
		       "r8  %016llx  r9  %016llx  r10 %016llx  r11 %016llx\n"
		       "r12 %016llx  r13 %016llx  r14 %016llx  r15 %016llx\n",
		       r.rip, r.rflags, s.cr2, s.cr3, r.rax, r.rbx, r.rcx, r.rdx, r.rsi,
		       r.rdi, r.rbp, r.rsp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14,
		       r.r15);
	if (ret->address == 0) /* a page fault has left its address there */
		ret->address = s.cr2 != 0 ? s.cr2 : r.rip;
	(void)snprintf(ret->text + strlen(ret->text),
		       sizeof(ret->text) - strlen(ret->text), " (at rip 0x%llx)", r.rip);
}

static void to_stderr(const char *a, const char *b)
{
	char text[1200];
	int n = snprintf(text, sizeof(text), "polder-tender-hvt: %s\n%s", a, b);

	if (n > 0)
		(void)fd_write_all(STDERR_FILENO, text, MIN((size_t)n, sizeof(text) - 1),
				   NULL);
}

static void tell(int report_fd, const struct uspec_report *r)
{
	if (report_fd >= 0)
		(void)fd_write_all(report_fd, r, sizeof(*r), NULL);
	else if (r->text[0])
		to_stderr(r->text, r->detail);
}

void hvt_tell_started(const struct hvt *h)
{
	struct uspec_report r = { .outcome = USPEC_STARTED };

	tell(h->report_fd, &r);
}

void hvt_tell_refused(int report_fd, int code, const char *sentence)
{
	struct uspec_report r = { .outcome = USPEC_REFUSED, .code = code };

	(void)snprintf(r.text, sizeof(r.text), "%.*s", (int)sizeof(r.text) - 1, sentence);
	tell(report_fd, &r);
}

void hvt_tell_fault(const struct hvt *h)
{
	const struct hvt_fault *f = &h->fault;
	struct uspec_report r = { .outcome = USPEC_FAULT,
				  .code = f->code,
				  .address = f->address };

	(void)snprintf(r.text, sizeof(r.text), "the unikernel was stopped: %s%s%s",
		       f->what, f->why ? ": " : "", f->why ? f->why : "");
	if (f->address != 0)
		(void)snprintf(r.text + strlen(r.text), sizeof(r.text) - strlen(r.text),
			       ": 0x%llx", (unsigned long long)f->address);
	describe(h, &r);
	tell(h->report_fd, &r);
}

/* A guest that gives up may say where its exception was, in this form. */
struct trap {
	uint64_t cr2, code, rip, cs, flags, rsp, ss;
};

static void trapped(const struct hvt *h, struct kvm_regs *r)
{
	struct trap t;

	if (h->fault.code != 0 || h->cookie == 0)
		return;
	memcpy(&t, h->gate.base + h->cookie, sizeof(t)); /* halt() has checked it */
	r->rip = t.rip;
	r->rsp = t.rsp;
	r->rflags = t.flags;
}

static struct elf_prstatus core_status(const struct hvt *h)
{
	struct elf_prstatus st = { .pr_pid = 1 };
	struct kvm_regs r;
	struct kvm_sregs s;
	struct user_regs_struct u;

	(void)registers(h, &r, &s);
	trapped(h, &r);
	u = (struct user_regs_struct){ .r15 = r.r15,
				       .r14 = r.r14,
				       .r13 = r.r13,
				       .r12 = r.r12,
				       .rbp = r.rbp,
				       .rbx = r.rbx,
				       .r11 = r.r11,
				       .r10 = r.r10,
				       .r9 = r.r9,
				       .r8 = r.r8,
				       .rax = r.rax,
				       .rcx = r.rcx,
				       .rdx = r.rdx,
				       .rsi = r.rsi,
				       .rdi = r.rdi,
				       .orig_rax = r.rax,
				       .rip = r.rip,
				       .cs = 8,
				       .eflags = r.rflags,
				       .rsp = r.rsp,
				       .ss = 16,
				       .ds = 16,
				       .es = 16,
				       .fs = 16,
				       .gs = 16,
				       .fs_base = s.fs.base,
				       .gs_base = s.gs.base };
	static_assert(sizeof(u) == sizeof(st.pr_reg), "one is the other");
	memcpy(&st.pr_reg, &u, sizeof(u));
	st.pr_cursig = (short)(h->fault.code > 128 ? h->fault.code - 128 : 6);
	return st;
}

static bool write_at(int fd, const void *data, size_t len, uint64_t offset)
{
	ssize_t n;

	do {
		n = pwrite(fd, data, len, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

static bool core_wants(const struct hvt *h, uint64_t at)
{
	static const uint8_t zero[PAGE];
	const char *why;
	uint8_t *p;

	return gate_data(&h->gate, at, PAGE, false, &p, &why) == 0 &&
	       (memcmp(p, zero, PAGE) != 0 || at + PAGE == h->gate.size);
}

/* Sparse: pages of zeros are left out, but the last, which gives the file its size. */
void hvt_core(const struct hvt *h)
{
	static struct core_head head;
	bool good;

	if (h->core_fd < 0)
		return;
	head = (struct core_head){
		.elf = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB,
				      EV_CURRENT },
			 .e_type = ET_CORE,
			 .e_machine = EM_X86_64,
			 .e_version = EV_CURRENT,
			 .e_phoff = offsetof(struct core_head, note),
			 .e_ehsize = sizeof(Elf64_Ehdr),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 2 },
		.note = { .p_type = PT_NOTE,
			  .p_offset = offsetof(struct core_head, note_head),
			  .p_filesz =
				  sizeof(head) - offsetof(struct core_head, note_head),
			  .p_align = 4 },
		.load = { .p_type = PT_LOAD,
			  .p_flags = PF_R | PF_W | PF_X,
			  .p_offset = PAGE,
			  .p_filesz = h->gate.size,
			  .p_memsz = h->gate.size,
			  .p_align = PAGE },
		.note_head = { .n_namesz = 5,
			       .n_descsz = sizeof(struct elf_prstatus),
			       .n_type = NT_PRSTATUS },
		.note_name = "CORE",
	};
	head.status = core_status(h);
	good = write_at(h->core_fd, &head, sizeof(head), 0);
	for (uint64_t at = 0; good && at < h->gate.size; at += PAGE)
		if (core_wants(h, at))
			good = write_at(h->core_fd, h->gate.base + at, PAGE, PAGE + at);
}
