/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * polder-caretaker-dir as an odd kernel would use it: requests of any content to a real tree.
 * Nothing may crash, and nothing beside the tree may change or be read.
 *
 * An input is a row of requests, each with two bytes of length before it; the length in the
 * request itself is put right, for the kernel's always is.
 */
#include "base/fd.h"
#include "caretaker/dir.h"
#include "state/rmtree.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#define SECRET "what lies beside the tree"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *in, *out;

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void once(void)
{
	const struct rlimit small = { 1 << 20, 1 << 20 };

	if (in)
		return;
	in = mmap(NULL, IN_MAX + OUT_HEAD + DATA_MAX, PROT_READ | PROT_WRITE,
		  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	require(in != MAP_FAILED);
	out = in + IN_MAX;
	require(setrlimit(RLIMIT_FSIZE, &small) == 0);
	(void)signal(SIGXFSZ, SIG_IGN);
}

static void put(int at, const char *name, const char *text)
{
	require(fd_write_file_at(at, name, text, strlen(text), 0644, FD_WRITE_PLAIN,
				 NULL) == 0);
}

static int tree(char *place)
{
	int at, fd;

	require(mkdtemp(place) != NULL);
	at = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	require(at >= 0 && mkdirat(at, "tree", 0755) == 0 &&
		mkdirat(at, "tree/d", 0755) == 0);
	put(at, "secret", SECRET);
	put(at, "tree/a", "text");
	put(at, "tree/d/b", "deep");
	put(at, "tree/h.key", "hidden");
	require(symlinkat("../secret", at, "tree/s") == 0);
	require(mkfifoat(at, "tree/f", 0666) == 0);
	fd = openat(at, "tree", O_PATH | O_CLOEXEC);
	require(fd >= 0);
	(void)close(at);
	return fd;
}

static void begin(struct dir *d, int root)
{
	struct err err = ERR_INIT;

	d->spec = CARE_SPEC_INIT;
	d->spec.root_fd = root;
	d->spec.fuse_fd = d->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	d->spec.takers[0] = (struct care_taker){ CARE_LOG, NULL };
	d->spec.takers[1] = (struct care_taker){ CARE_HIDE, "*.key" };
	d->spec.takers[2] = (struct care_taker){ CARE_MAX, "1M,50" };
	d->spec.n_takers = 3;
	d->stats.nodes_limit = 100;
	d->trim_at = 1000;
	d->n_workers = WORKERS_MAX; /* no thread is started */
	d->prunes = false;
	require(dir_init(d, &err) == 0);
	d->prunes = false;
	d->workers[0] = (struct worker){ .d = d, .in = in, .out = out };
}

static void end(struct dir *d)
{
	for (uint32_t i = 1; i <= d->handles.n; i++) {
		struct handle *h = d->handles.at[i].what;

		if (h)
			(void)close(h->fd);
		free(h);
	}
	for (uint32_t i = 1; i <= d->nodes.n; i++) {
		struct node *n = d->nodes.at[i].what;

		if (n) {
			(void)close(n->fd);
			free(n->name);
		}
		free(n);
	}
	for (uint32_t i = 0; i < d->chain->n; i++) {
		free(d->chain->at[i]->arg);
		free(d->chain->at[i]->state);
		free(d->chain->at[i]);
	}
	free(d->chain);
	free(d->handles.at);
	free(d->nodes.at);
	free(d->buckets);
	(void)close(d->null);
	(void)close(d->wake);
	(void)close(d->proc);
}

/* Of any answer. */
static void look_at(const struct worker *w)
{
	require(!memmem(w->out + OUT_HEAD, 65536, SECRET, sizeof(SECRET) - 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char place[] = "/tmp/fuzz-fuse-XXXXXX";
	auto_free char *text = NULL;
	struct dir d = { 0 };
	int root, at;

	once();
	root = tree(place);
	begin(&d, root);
	while (size >= 2) {
		size_t n = MIN((size_t)(data[0] | data[1] << 8), size - 2);
		struct fuse_in_header *h = (void *)in;

		memcpy(in, data + 2, n);
		if (n >= sizeof(*h))
			h->len = (uint32_t)n;
		serve_one(&d.workers[0], n);
		look_at(&d.workers[0]);
		data += 2 + n;
		size -= 2 + n;
	}
	end(&d);
	at = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	require(fd_read_file_at(at, "secret", 1000, &text, NULL, NULL) == 0 &&
		streq(text, SECRET));
	(void)close(at);
	(void)rmtree_at(AT_FDCWD, place, NULL);
	return 0;
}
