/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a KVM guest may do to its monitor: hypercalls with any number, any address and any
 * arguments, against devices of every kind. The input is a list of calls: a byte for the
 * number, four for the address, and 40 that are put there first.
 *
 * Read-only and unreadable memory really is, and memory lies between pages that cannot be
 * touched: what the gate lets through wrongly ends here. Afterwards nothing that is
 * read-only has changed, and no file has grown past its device.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tender/hvt/hvt.h"

#define PAGE 4096u
#define MEM (2u << 20)
#define CAPACITY 65536u
#define CALL_BYTES 45u
#define MAP_BYTES 128 /* what an overlay has behind the device, at most */
#define MARK 0xa5

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct hvt hvt;
static int ro_file, base, files[4], n_files, peer;

static void require(bool condition)
{
	if (!condition)
		abort();
}

static int file(size_t size)
{
	int fd = memfd_create("device", MFD_CLOEXEC);
	uint8_t mark = MARK;

	require(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
	if (size > 0)
		require(pwrite(fd, &mark, 1, 0) == 1);
	files[n_files++] = fd;
	return fd;
}

static void memory(void)
{
	uint8_t *p =
		mmap(NULL, MEM + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	require(p != MAP_FAILED);
	p += PAGE;
	require(mprotect(p, MEM, PROT_READ | PROT_WRITE) == 0);
	require(mprotect(p, SOLO5_LOAD_MIN + PAGE, PROT_READ) == 0);
	require(mprotect(p + SOLO5_LOAD_MIN + PAGE, PAGE, PROT_NONE) == 0);
	hvt.gate = (struct gate){
		.base = p,
		.size = MEM,
		.range = { { 0, SOLO5_LOAD_MIN, true },
			   { SOLO5_LOAD_MIN, SOLO5_LOAD_MIN + PAGE, true },
			   { SOLO5_LOAD_MIN + PAGE, SOLO5_LOAD_MIN + 2 * PAGE, false } },
		.n_ranges = 3
	};
}

static struct hvt_block *block(uint32_t i, int fd, int base_fd, bool ro)
{
	hvt.device[i] = (struct hvt_device){ .type = SOLO5_BLOCK,
					     .block = { .fd = fd,
							.base = base_fd,
							.ro = ro,
							.capacity = CAPACITY,
							.block_size = 512 } };
	hvt.pollfd[i].fd = -1;
	return &hvt.device[i].block;
}

static void set_up(void)
{
	int pair[2];

	memory();
	hvt.console_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	require(hvt.console_fd >= 0 &&
		socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, pair) == 0);
	ro_file = file(CAPACITY);
	base = file(CAPACITY);
	(void)block(0, file(CAPACITY), -1, false);
	(void)block(1, ro_file, -1, true);
	require(hvt_block_cow(block(2, file(0), base, false), NULL) == 0);
	hvt.device[3] =
		(struct hvt_device){ .type = SOLO5_NET,
				     .net = { .fd = pair[0], .frame_max = 1518 } };
	hvt.pollfd[3] = (struct pollfd){ .fd = pair[0], .events = POLLIN };
	hvt.n_devices = 4;
	peer = pair[1];
}

/* Writes what the guest would have there, as far as it could. */
static void put(uint32_t gpa, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint64_t at = (uint64_t)gpa + i;

		if (at >= SOLO5_LOAD_MIN + 2 * PAGE && at < MEM)
			hvt.gate.base[at] = bytes[i];
	}
}

static bool one_call(const uint8_t *in)
{
	static const uint8_t no_time[8];
	uint32_t gpa;

	memcpy(&gpa, in + 1, sizeof(gpa));
	put(gpa, in + 5, CALL_BYTES - 5);
	if (in[0] == GATE_POLL) /* nobody waits here */
		put(gpa, no_time, sizeof(no_time));
	return hvt_call(&hvt, in[0], gpa) == HVT_GOES_ON;
}

static void check(void)
{
	char frame[2048];
	struct stat st;
	uint8_t mark;

	for (int i = 0; i < n_files; i++)
		require(fstat(files[i], &st) == 0 && st.st_size <= CAPACITY + MAP_BYTES);
	require(pread(ro_file, &mark, 1, 0) == 1 && mark == MARK);
	require(pread(base, &mark, 1, 0) == 1 && mark == MARK);
	while (recv(peer, frame, sizeof(frame), MSG_DONTWAIT) >= 0)
		;
	(void)send(peer, frame, 60, MSG_DONTWAIT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!hvt.gate.base)
		set_up();
	for (size_t at = 0; at + CALL_BYTES <= size && one_call(data + at);
	     at += CALL_BYTES)
		;
	check();
	return 0;
}
