/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * One virtual machine, one memory slot from guest-physical 0, one vCPU without an
 * interrupt controller. It begins in 64-bit mode with everything set up, at the image's
 * entry, and it has one way out that is allowed: a 4-byte OUT to a hypercall's port.
 * Whatever else makes KVM_RUN return ends the guest: there is nothing to emulate here,
 * and so nothing that a guest could drive into a corner.
 *
 * Signals: KVM_RUN comes back for each; one that is fatal has ended us by then, and after
 * a stop and continue the guest goes on.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tender/hvt/hvt.h"

#define CPUID_MAX 256

#ifndef KVM_EXIT_MEMORY_FAULT /* Linux 6.8 */
#define KVM_EXIT_MEMORY_FAULT 39
#endif
/* Where struct kvm_run has its .memory_fault: behind the head, three u64. */
struct memory_fault {
	uint64_t flags, gpa, size;
};

static int no_kvm(int error, struct err *err)
{
	errno = error;
	if (errno == EACCES || errno == EPERM)
		(void)err_sys(err,
			      "user %u may not use /dev/kvm: add that user to the group "
			      "that owns it ('adduser NAME kvm') and log in anew",
			      (unsigned)geteuid());
	else if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
		(void)err_sys(err, "there is no /dev/kvm: load kvm_intel or kvm_amd, and "
				   "let the firmware switch virtualisation on; or build "
				   "the program for spt, which needs none");
	else
		(void)err_sys(err, "cannot open /dev/kvm");
	return PE_REFUSED;
}

static int kvm_failed(struct err *err, const char *what)
{
	return err_sys(err, "KVM does not %s", what);
}

/*
 * What would let a guest reach more of the kernel, and what no guest of this ABI needs: to
 * be a hypervisor itself, and KVM's own clocks, timers and queues in guest memory.
 */
static void hide(struct kvm_cpuid2 *id)
{
	for (uint32_t i = 0; i < id->nent; i++) {
		if (id->entries[i].function == 1)
			id->entries[i].ecx &= ~(1u << 5); /* VMX */
		if (id->entries[i].function == 0x80000001)
			id->entries[i].ecx &= ~(1u << 2); /* SVM */
		if (id->entries[i].function == KVM_CPUID_FEATURES)
			id->entries[i].eax = 0;
	}
}

/* Else what KVM and the processor have, as every tender of this ABI does. */
static int give_cpuid(int kvm, int vcpu, struct err *err)
{
	static _Alignas(struct kvm_cpuid2)
		uint8_t room[sizeof(struct kvm_cpuid2) +
			     CPUID_MAX * sizeof(struct kvm_cpuid_entry2)];
	struct kvm_enable_cap enforce = { .cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID,
					  .args = { 1 } };
	struct kvm_cpuid2 *id = (struct kvm_cpuid2 *)room;

	id->nent = CPUID_MAX;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, id) < 0)
		return kvm_failed(err, "tell what processor it has");
	hide(id);
	/* Not only hidden, but not there; before Linux 5.10 only hidden. */
	(void)ioctl(vcpu, KVM_ENABLE_CAP, &enforce);
	if (ioctl(vcpu, KVM_SET_CPUID2, id) < 0)
		return kvm_failed(err, "make a processor like it");
	return 0;
}

static int set_registers(const struct hvt *h, uint64_t entry, struct err *err)
{
	const struct kvm_segment data = { .selector = 16,
					  .limit = UINT32_MAX,
					  .type = 3,
					  .present = 1,
					  .db = 1,
					  .s = 1,
					  .g = 1 };
	const struct kvm_sregs special = {
		.cr0 = 0x80010021, /* PG WP NE PE */
		.cr3 = 0x2000,
		.cr4 = 0x620,  /* PAE OSFXSR OSXMMEXCPT */
		.efer = 0x500, /* LME LMA */
		.cs = { .selector = 8,
			.limit = UINT32_MAX,
			.type = 9,
			.present = 1,
			.s = 1,
			.l = 1,
			.g = 1 },
		.ss = data,
		.ds = data,
		.es = data,
		.fs = data,
		.gs = data,
		.tr = { .type = 11, .present = 1 },
		.ldt = { .unusable = 1 },
		.gdt = { .base = 0x1000, .limit = 23 },
	};
	const struct kvm_regs general = {
		.rip = entry, .rflags = 2, .rsp = h->gate.size - 8, .rdi = 0x10000
	};

	if (ioctl(h->vcpu, KVM_SET_SREGS, &special) < 0 ||
	    ioctl(h->vcpu, KVM_SET_REGS, &general) < 0)
		return kvm_failed(err, "take the guest's registers");
	return 0;
}

static int give_memory(const struct hvt *h, int vm, struct err *err)
{
	struct kvm_userspace_memory_region slot = { .memory_size = h->gate.size,
						    .userspace_addr =
							    (uintptr_t)h->gate.base };

	if (ioctl(vm, KVM_SET_USER_MEMORY_REGION, &slot) < 0)
		return kvm_failed(err, "take the guest's memory");
	return 0;
}

static int make_vcpu(struct hvt *h, int kvm, int vm, struct err *err)
{
	int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), khz;

	h->vcpu = ioctl(vm, KVM_CREATE_VCPU, 0);
	if (h->vcpu < 0 || size < (int)sizeof(*h->run))
		return kvm_failed(err, "make a virtual processor");
	h->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, h->vcpu, 0);
	if (h->run == MAP_FAILED)
		return kvm_failed(err, "share its state");
	khz = ioctl(h->vcpu, KVM_GET_TSC_KHZ, 0);
	if (khz <= 0)
		return kvm_failed(err, "tell how fast the time-stamp counter runs");
	h->tsc_hz = (uint64_t)khz * 1000;
	return give_cpuid(kvm, h->vcpu, err);
}

/* The vCPU keeps its machine alive: neither of the other two is needed any more. */
int hvt_vcpu(struct hvt *h, uint64_t entry, struct err *err)
{
	auto_fd kvm = h->kvm, vm = -1;
	int r;

	h->kvm = -1;
	if (kvm < 0)
		return no_kvm(-kvm, err);
	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
		return err_set(err, PE_REFUSED, "/dev/kvm is not KVM as of version %d",
			       KVM_API_VERSION);
	vm = ioctl(kvm, KVM_CREATE_VM, 0);
	if (vm < 0)
		return kvm_failed(err, "make a virtual machine");
	r = give_memory(h, vm, err);
	if (r == 0)
		r = make_vcpu(h, kvm, vm, err);
	return r != 0 ? r : set_registers(h, entry, err);
}

static enum hvt_outcome fault(struct hvt *h, int sig, uint64_t address, const char *what,
			      const char *why)
{
	h->fault = (struct hvt_fault){
		.code = 128 + sig, .what = what, .why = why, .address = address
	};
	return HVT_FAULTED;
}

/* The one exit that is no fault, if it is what it should be. */
static enum hvt_outcome port(struct hvt *h)
{
	uint32_t number = h->run->io.port, gpa;
	uint64_t at = h->run->io.data_offset;

	if (h->run->io.direction != KVM_EXIT_IO_OUT || h->run->io.size != 4 ||
	    h->run->io.count != 1 || number <= GATE_PORT ||
	    number >= GATE_PORT + GATE_END)
		return fault(h, SIGSYS, number, "it used a port that is no hypercall",
			     NULL);
	memcpy(&gpa, (const uint8_t *)h->run + at, sizeof(gpa));
	return hvt_call(h, number - GATE_PORT, gpa);
}

/* KVM_RUN failed. EFAULT: the host's memory manager refused, which is how segments are
 * protected. */
static enum hvt_outcome run_failed(struct hvt *h, int error)
{
	struct memory_fault m = { 0 };

	if (error != EFAULT)
		return fault(h, SIGSYS, 0, "the processor cannot go on with it", NULL);
	if (h->run->exit_reason == KVM_EXIT_MEMORY_FAULT)
		memcpy(&m, &h->run->hw, sizeof(m));
	return fault(h, SIGSEGV, m.gpa,
		     "it touched memory in a way that its image does not allow", NULL);
}

static enum hvt_outcome left(struct hvt *h)
{
	switch (h->run->exit_reason) {
	case KVM_EXIT_IO: return port(h);
	case KVM_EXIT_MMIO:
		return fault(h, SIGSEGV, h->run->mmio.phys_addr,
			     h->run->mmio.phys_addr < h->gate.size ?
				     "it touched memory in a way that its image does "
				     "not allow" :
				     "it touched memory that it does not have",
			     NULL);
	case KVM_EXIT_SHUTDOWN:
		return fault(h, SIGSEGV, 0, "it had an exception that it does not handle",
			     NULL);
	case KVM_EXIT_INTERNAL_ERROR:
		return fault(h, SIGSEGV, 0,
			     "it came to an instruction that cannot be carried out",
			     NULL);
	case KVM_EXIT_HLT:
		return fault(h, SIGSYS, 0,
			     "it halted the processor, and nothing would wake it", NULL);
	case KVM_EXIT_FAIL_ENTRY:
		return fault(h, SIGSYS, 0, "the processor refused to enter it", NULL);
	default:
		return fault(h, SIGSYS, h->run->exit_reason,
			     "it left the processor in a way that is no hypercall", NULL);
	}
}

enum hvt_outcome hvt_run(struct hvt *h)
{
	enum hvt_outcome r = HVT_GOES_ON;

	while (r == HVT_GOES_ON) {
		if (ioctl(h->vcpu, KVM_RUN, 0) == 0)
			r = left(h);
		else if (errno != EINTR)
			r = run_failed(h, errno);
	}
	return r;
}
