/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a unikernel's file says of itself, for the graph, which reads no files: which kind
 * it is, which devices it declares, how much memory its image takes. The tender reads
 * the file again, by a descriptor of its own; nothing is enforced by what is read here.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "launch/launch.h"
#include "solo5/solo5.h"

static int read_at(int fd, void *buf, size_t size, uint64_t offset, size_t *ret_len)
{
	ssize_t n;

	do {
		n = pread(fd, buf, size, (off_t)offset);
	} while (n < 0 && errno == EINTR);
	*ret_len = n > 0 ? (size_t)n : 0;
	return n < 0 ? -errno : 0;
}

/* A device or FIFO is neither waited for nor read. */
static int open_image(const char *path, uint64_t *ret_size, struct err *err)
{
	auto_fd fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, "cannot open '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, PE_BAD, "'%s' is no file", path);
	*ret_size = (uint64_t)st.st_size;
	return TAKE_FD(fd);
}

static int parse_parts(int fd, uint64_t size, struct solo5_image *ret, const char **why)
{
	unsigned char header[SOLO5_HEADER_BYTES], note[SOLO5_NOTE_MAX];
	size_t len;
	int r = read_at(fd, header, sizeof(header), 0, &len);

	if (r == 0)
		r = solo5_image_parse(ret, header, len, size, why);
	if (r == 0)
		r = read_at(fd, header, SOLO5_INTERP_BYTES, ret->interp, &len);
	if (r == 0)
		r = solo5_interp_parse(header, len, why);
	for (uint32_t i = 0; r == 0 && i < ret->n_notes; i++) {
		r = read_at(fd, note, MIN(sizeof(note), ret->note[i].size),
			    ret->note[i].offset, &len);
		if (r == 0)
			r = solo5_note_parse(ret, note, len, why);
	}
	/* How much memory it has is the environment's, and is looked at there. */
	return r != 0 ? r : solo5_image_check(ret, UINT64_MAX / 2, why);
}

int image_parse(const char *path, struct solo5_image *ret, struct err *err)
{
	const char *why = NULL;
	uint64_t size = 0;
	int fd = open_image(path, &size, err), r;

	if (fd < 0 || size == 0)
		return fd < 0 ? fd : err_set(err, PE_BAD, "'%s' is empty", path);
	r = parse_parts(fd, size, ret, &why);
	(void)close(fd);
	if (r < 0)
		return err_neg(err, r, "cannot read '%s'", path);
	return r != 0 ? err_set(err, PE_BAD, "'%s' cannot run: %s", path,
				why ? why : "it is damaged") :
			0;
}

bool image_is(const char *path)
{
	unsigned char header[SOLO5_HEADER_BYTES];
	uint64_t size, interp;
	const char *why;
	size_t len;
	auto_fd fd = open_image(path, &size, NULL);

	return fd >= 0 && read_at(fd, header, sizeof(header), 0, &len) == 0 &&
	       solo5_may_be_image(header, len, &interp) &&
	       read_at(fd, header, SOLO5_INTERP_BYTES, interp, &len) == 0 &&
	       solo5_interp_parse(header, len, &why) == 0;
}

int image_read(struct genv *e, struct err *err)
{
	auto_free struct solo5_image *im = calloc(1, sizeof(*im));
	int r;

	if (!im)
		return err_oom(err);
	r = image_parse(e->image, im, err);
	if (r != 0)
		return r;
	genv_set_program(e, im->target == SOLO5_HVT ? PROGRAM_HVT : PROGRAM_SPT);
	e->mem_needed = im->end + SOLO5_STACK_MIN;
	for (uint32_t i = 0; r == 0 && i < im->n_devices; i++)
		r = genv_add_device(e, im->device[i].name,
				    im->device[i].type == SOLO5_NET ? IF_NET : IF_VOLUME,
				    err);
	return r;
}

void image_read_all(struct graph *g, struct diags *d)
{
	for (size_t i = 0; i < g->n_envs; i++) {
		struct genv *e = g->envs[i];
		struct err err = ERR_INIT;

		if (!e->image || e->devices_known || image_read(e, &err) == 0)
			continue;
		e->devices_known = false;
		diags_add(d, e->image_pos, false, NULL, "%s", err.text);
	}
}
