/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polder-tender-hvt: the monitor of one unikernel in a KVM guest.
 *
 *	polder-tender-hvt --spec FD
 *
 * FD is an open descriptor with the bytes of a spec (wire/uspec.h, docs/protocol.md). The
 * console is standard output. Exits as the guest halts; 128 + SIGSEGV or SIGSYS if it
 * broke a rule; 125, or 126 for the image, with a sentence, if it did not come to run.
 *
 * Stages: descriptors and signals in order; the spec; what it names is opened; ids and
 * capabilities are given up; the image; devices, memory, vCPU; lockdown; run. What the guest does is met by tender/hvt/ alone.
 */
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "sandbox/sys.h"
#include "tender/hvt/hvt.h"

#define EXIT_ABORT 255 /* how a Solo5 guest gives up */

static struct hvt hvt = {
	.console_fd = STDOUT_FILENO, .kvm = -1, .vcpu = -1, .report_fd = -1, .core_fd = -1
};
static struct uspec spec;
static struct solo5_image image;

_Noreturn static void refuse(int code, const char *sentence)
{
	hvt_tell_refused(hvt.report_fd, code, sentence);
	sys_exit(code);
}

/* Whatever is opened later gets another number than the streams'; and no signal that the
 * starter blocked for itself is blocked here. */
static void order(void)
{
	sigset_t none;
	int fd;

	do {
		fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	} while (fd >= 0 && fd <= 2);
	if (fd >= 0)
		(void)close(fd);
	(void)sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void check_fd(int fd, const char *whose)
{
	struct err err = ERR_INIT;

	if (fd < 0 || fcntl(fd, F_GETFD) >= 0)
		return;
	(void)err_set(&err, PE_BAD, "the spec's descriptor %d, %s, is not open", fd,
		      whose);
	refuse(125, err.text);
}

/* All of them before anything is opened: no number of the spec's may come to mean
 * something of the monitor's own. */
static void check_fds(void)
{
	check_fd(spec.image_fd, "of the image");
	check_fd(spec.core_fd, "of the core file");
	check_fd(spec.alive_fd, "of the starter");
	for (uint32_t i = 0; i < spec.n_devices; i++) {
		check_fd(spec.devices[i].fd, spec.devices[i].name);
		check_fd(spec.devices[i].base, spec.devices[i].name);
	}
}

static void read_spec(int fd)
{
	struct err err = ERR_INIT;
	const char *why = "";
	size_t len;
	void *buf = mmap(NULL, USPEC_MAX_BYTES + 1, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (buf == MAP_FAILED)
		refuse(125, "there is no memory for the spec");
	if (fd_read_full(fd, buf, USPEC_MAX_BYTES + 1, &len, &err) != 0)
		refuse(125, err.text);
	if (uspec_decode(&spec, buf, len, &why) != 0)
		refuse(125, why);
	if (spec.report_fd >= 0 && fcntl(spec.report_fd, F_GETFD) < 0)
		refuse(125, "the spec's descriptor for the report is not open");
	hvt.report_fd = spec.report_fd;
	hvt.core_fd = spec.core_fd;
	hvt.swaps = spec.flags & USPEC_SWAPS;
	if (spec.kind != USPEC_HVT)
		refuse(125, "the spec is for another tender: polder-tender-spt");
	check_fds();
}

static void read_at(int fd, void *buf, size_t len, uint64_t offset, size_t *ret_len)
{
	ssize_t n = pread(fd, buf, len, (off_t)offset);

	if (n < 0)
		refuse(126, "the image cannot be read");
	*ret_len = (size_t)n;
}

static void read_notes(int fd)
{
	static uint8_t note[SOLO5_NOTE_MAX];
	const char *why;
	size_t len;

	read_at(fd, note, SOLO5_INTERP_BYTES, image.interp, &len);
	if (solo5_interp_parse(note, len, &why) != 0)
		refuse(126, why);
	for (uint32_t i = 0; i < image.n_notes; i++) {
		read_at(fd, note, image.note[i].size, image.note[i].offset, &len);
		if (len != image.note[i].size)
			refuse(126, "the image ends in the middle of a note");
		if (solo5_note_parse(&image, note, len, &why) != 0)
			refuse(126, why);
	}
	if (solo5_image_check(&image, spec.mem_bytes, &why) != 0)
		refuse(126, why);
}

/* What it takes the starter's authority to open. */
static int open_all(void)
{
	struct err err = ERR_INIT;
	int fd = spec.image_fd;

	if (hvt_open(&hvt, &spec, &err) != 0)
		refuse(125, err.text);

	if (fd < 0)
		fd = open(spec.image_path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0) {
		(void)err_sys(&err, "cannot open the image '%s'", spec.image_path);
		refuse(126, err.text);
	}
	return fd;
}

static void read_image(int fd)
{
	static uint8_t header[SOLO5_HEADER_BYTES];
	struct stat st;
	const char *why;
	size_t len;

	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		refuse(126, "the image must be a regular file");
	read_at(fd, header, sizeof(header), 0, &len);
	if (solo5_image_parse(&image, header, len, (uint64_t)st.st_size, &why) != 0)
		refuse(126, why);
	read_notes(fd);
	if (image.target != SOLO5_HVT)
		refuse(126, "the image is built for spt, not for hvt: it runs under "
			    "polder-tender-spt");
}

static void build(int image_fd)
{
	static struct solo5_attached attached[USPEC_MAX_DEVICES];
	struct err err = ERR_INIT;
	int r = hvt_devices(&hvt, &spec, &image, attached, &err);

	if (r == 0)
		r = hvt_memory(&hvt, &spec, &image, image_fd, &err);
	if (r == 0)
		r = hvt_vcpu(&hvt, image.entry, &err);
	if (r != 0)
		refuse(125, err.text);
	hvt_boot_info(&hvt, &spec, &image, attached);
	hvt.clock_given = spec.flags & USPEC_CLOCK_START;
	hvt.wall_start_ns = spec.wall_start_ns;
	hvt.mono_start_ns = hvt_monotonic_ns();
}

/* The monitor touched a page of the image, and the file has no such page any more. */
static void image_gone(int sig)
{
	hvt.fault = (struct hvt_fault){ .code = 128 + sig,
					.what = "its image was cut short on disk" };
	hvt_tell_fault(&hvt);
	sys_exit(128 + sig);
}

static void run(void)
{
	enum hvt_outcome how;

	hvt_tell_started(&hvt);
	how = hvt_run(&hvt);
	if (how == HVT_FAULTED)
		hvt_tell_fault(&hvt);
	if (how == HVT_FAULTED || (hvt.status & 0xff) == EXIT_ABORT)
		hvt_core(&hvt);
	sys_exit(how == HVT_FAULTED ? hvt.fault.code : hvt.status & 0xff);
}

int main(int argc, char **argv)
{
	const struct sigaction on_bus = { .sa_handler = image_gone };
	struct err err = ERR_INIT;
	uint64_t fd;
	int image_fd;

	order();
	if (argc != 3 || !streq(argv[1], "--spec") || !str_to_u64(argv[2], &fd) ||
	    fd > 1u << 20)
		refuse(125, "usage: polder-tender-hvt --spec FD");
	read_spec((int)fd);
	(void)sigaction(SIGBUS, &on_bus, NULL);
	image_fd = open_all();
	if (hvt_drop(&spec, &err) != 0)
		refuse(125, err.text);
	read_image(image_fd);
	build(image_fd);
	if (hvt_lockdown(&hvt, &err) != 0)
		refuse(125, err.text);
	run();
}
