/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dir.c - from a spec to what serves it: the root, the chain, all that is there before the
 * first request.
 */
#include "caretaker/dir.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <time.h>

static int beneath(const struct dir *d, int root, const char *path)
{
	struct open_how how = { .flags = O_PATH | O_DIRECTORY | O_CLOEXEC,
				.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS |
					   RESOLVE_NO_MAGICLINKS |
					   (d->cross ? 0 : RESOLVE_NO_XDEV) };

	return (int)syscall(SYS_openat2, root, path, &how, sizeof(how));
}

/* The first listed is nearest the program: the last one chooses first. */
static int enter_subdirs(const struct dir *d, struct err *err)
{
	const struct care_spec *s = &d->spec;
	int root = s->root_fd;

	for (uint32_t i = s->n_takers; i-- > 0;) {
		int fd;

		if (s->takers[i].kind != CARE_SUBDIR)
			continue;
		fd = beneath(d, root, s->takers[i].arg);
		if (fd < 0)
			return err_sys(err,
				       "the directory '%s' (subdir) cannot be entered",
				       s->takers[i].arg);
		(void)close(root);
		root = fd;
	}
	return root;
}

static int enter_root(struct dir *d, struct err *err)
{
	bool is_file = d->spec.flags & CARE_IS_FILE;
	struct statfs fs;
	struct stat st;
	int root = enter_subdirs(d, err);

	if (root < 0)
		return root;
	if (fstat(root, &st) < 0)
		return err_sys(err, "the root cannot be looked at");
	if (is_file ? !S_ISREG(st.st_mode) : !S_ISDIR(st.st_mode))
		return err_set(err, PE_BAD, "the root is no %s",
			       is_file ? "regular file" : "directory");
	/* There it would open its own memory for the program. */
	if (fstatfs(root, &fs) < 0 || fs.f_type == PROC_SUPER_MAGIC)
		return err_set(err, PE_REFUSED, "what is in /proc is not served");
	return node_root(d, root, &st, err);
}

static int make_chain(struct dir *d, struct err *err)
{
	const struct care_spec *s = &d->spec;
	struct care_taker t[CARE_MAX_CARETAKERS + 1];
	uint32_t n = s->n_takers;

	memcpy(t, s->takers, n * sizeof(t[0]));
	if (s->flags & CARE_READ_ONLY)
		t[n++] = (struct care_taker){ .kind = CARE_RO };
	for (uint32_t i = 0; d->passthrough && i < n; i++)
		if (!taker_kind_of(t[i].kind)->past_open)
			return err_set(err, PE_REFUSED,
				       "passthrough goes past the caretaker %s",
				       care_kind_name(t[i].kind));
	return chain_new(&d->chain, NULL, t, n, CARE_FRONT, &d->host, err);
}

static void cut_soon(void *of, enum care_why why)
{
	dir_broken(of, why, why == CARE_WHY_ONCE ? "its one opening (once) is over" : "");
}

void dir_broken(struct dir *d, enum care_why why, const char *text)
{
	const uint64_t one = 1;

	(void)pthread_mutex_lock(&d->lock);
	if (!d->why) {
		d->why = why;
		(void)snprintf(d->why_text, sizeof(d->why_text), "%s", text);
	}
	(void)pthread_mutex_unlock(&d->lock);
	(void)!write(d->wake, &one, sizeof(one));
}

int dir_init(struct dir *d, struct err *err)
{
	const struct care_spec *s = &d->spec;
	pthread_condattr_t attr;
	int r;

	d->fuse = s->fuse_fd;
	d->ctl = s->ctl_fd;
	d->cross = s->flags & CARE_CROSS;
	d->passthrough = s->flags & CARE_PASSTHROUGH;
	d->prunes = true;
	d->host = (struct taker_host){ d, cut_soon, control_tell };
	(void)pthread_mutex_init(&d->lock, NULL);
	(void)pthread_mutex_init(&d->tell_lock, NULL);
	(void)pthread_condattr_init(&attr);
	(void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	(void)pthread_cond_init(&d->change, &attr);
	d->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	d->proc = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (d->wake < 0 || d->proc < 0)
		return err_sys(err, "/proc is needed");
	r = make_chain(d, err);
	if (r == 0)
		r = enter_root(d, err);
	return r == 0 && guard_begin(d, s) < 0 ? err_oom(err) : r;
}
