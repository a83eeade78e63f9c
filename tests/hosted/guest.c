/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest.c - the guest API on the host: enough to run a network program of the guest
 * runtime as an ordinary process. Its one device is a TAP, or the descriptor that
 * POLDER_HOSTED_FD names (a datagram socket). For tests under sanitizers and debuggers;
 * nothing is isolated.
 */
#include <polder/guest/guest.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int fd = -1;

static void need_device(void)
{
	const char *number = getenv("POLDER_HOSTED_FD"),
		   *tap = getenv("POLDER_HOSTED_TAP");
	struct ifreq r = { .ifr_flags = IFF_TAP | IFF_NO_PI };

	if (fd >= 0)
		return;
	if (number) {
		fd = (int)strtol(number, NULL, 10);
	} else if (tap) {
		fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
		snprintf(r.ifr_name, sizeof r.ifr_name, "%s", tap);
		if (fd < 0 || ioctl(fd, TUNSETIFF, &r) < 0) {
			perror(tap);
			exit(1);
		}
	}
	fcntl(fd, F_SETFL, O_NONBLOCK);
}

int pg_device_next(pg_device *it, const char **ret_name, enum pg_device_type *ret_type)
{
	if (*it != 0)
		return 0;
	*it = 1;
	*ret_name = "service";
	*ret_type = PG_NET;
	return 1;
}

int pg_net_info(pg_device d, struct pg_net_info *ret)
{
	(void)d;
	*ret = (struct pg_net_info){ { 2, 0, 0, 0, 0, 0x42 }, 1500 };
	return PG_OK;
}

int pg_net_find(const char *name, pg_device *ret, struct pg_net_info *ret_info)
{
	(void)name;
	need_device();
	*ret = 1;
	return pg_net_info(1, ret_info);
}

int pg_net_read(pg_device d, void *buf, size_t size, size_t *ret_len)
{
	ssize_t n = read(fd, buf, size);

	(void)d;
	if (n <= 0)
		return PG_AGAIN;
	*ret_len = (size_t)n;
	return PG_OK;
}

int pg_net_write(pg_device d, const void *frame, size_t len)
{
	(void)d;
	return write(fd, frame, len) == (ssize_t)len ? PG_OK : PG_FAILED;
}

uint64_t pg_clock_monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * PG_SECOND + (uint64_t)t.tv_nsec;
}

uint64_t pg_clock_wall(void)
{
	return (uint64_t)time(NULL) * PG_SECOND;
}

uint64_t pg_deadline_in(uint64_t ns)
{
	uint64_t now = pg_clock_monotonic();

	return ns > PG_NEVER - now ? PG_NEVER : now + ns;
}

pg_set pg_poll(uint64_t deadline)
{
	struct pollfd p = { fd, POLLIN, 0 };
	uint64_t now = pg_clock_monotonic();
	int ms = deadline == PG_NEVER ? -1 :
		 deadline <= now      ? 0 :
					(int)((deadline - now) / PG_MS + 1);

	return poll(&p, 1, ms) > 0 ? PG_SET_OF(1) : 0;
}

void pg_entropy_weak(void *buf, size_t len)
{
	if (getrandom(buf, len, 0) != (ssize_t)len)
		abort();
}

int pg_entropy(void *buf, size_t len)
{
	if (getenv("POLDER_HOSTED_NO_ENTROPY"))
		return PG_NO_ENTROPY;
	pg_entropy_weak(buf, len);
	return PG_OK;
}

void pg_memory(struct pg_memory *ret)
{
	*ret = (struct pg_memory){ .total = 1 << 28, .heap = 1 << 28 };
}

void pg_println(const char *text)
{
	puts(text);
	fflush(stdout);
}

void pg_abort(const char *why)
{
	fprintf(stderr, "abort: %s\n", why);
	abort();
}

/* ---- files: those below the directory POLDER_HOSTED_FILES, read at the first call ---- */

static struct pg_file files[256];
static size_t n_files;

static int by_path(const void *a, const void *b)
{
	return strcmp(((const struct pg_file *)a)->path,
		      ((const struct pg_file *)b)->path);
}

static void read_file(const char *dir, char *name)
{
	char path[1024];
	FILE *f;
	char *data;
	long size;

	snprintf(path, sizeof path, "%s/%s", dir, name);
	f = fopen(path, "r");
	if (!f || n_files == 256)
		exit(1);
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	rewind(f);
	data = calloc(1, (size_t)size + 1);
	if (fread(data, 1, (size_t)size, f) != (size_t)size)
		exit(1);
	fclose(f);
	files[n_files++] = (struct pg_file){ strdup(name + 1), data, (size_t)size };
}

static void need_files(void)
{
	const char *dir = getenv("POLDER_HOSTED_FILES");
	char command[1024], line[1024];
	FILE *list;

	if (n_files || !dir)
		return;
	snprintf(command, sizeof command, "cd '%s' && find . -type f", dir);
	list = popen(command, "r");
	while (list && fgets(line, sizeof line, list)) {
		line[strcspn(line, "\n")] = 0;
		read_file(dir, line);
	}
	if (list)
		pclose(list);
	qsort(files, n_files, sizeof *files, by_path);
}

size_t pg_file_count(void)
{
	need_files();
	return n_files;
}

const struct pg_file *pg_file_at(size_t index)
{
	need_files();
	return index < n_files ? &files[index] : NULL;
}

const struct pg_file *pg_file_find(const char *path)
{
	need_files();
	while (*path == '/')
		path++;
	for (size_t i = 0; i < n_files; i++)
		if (strcmp(files[i].path + 1, path) == 0)
			return &files[i];
	return NULL;
}
