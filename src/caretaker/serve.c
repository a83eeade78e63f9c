/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * The kernel asks by reading /dev/fuse, and is answered by writing it. Worker threads do
 * that, all on one descriptor; there is one at first, and another whenever all are busy,
 * up to a limit, so that a read that hangs or is made to wait does not hold up the rest.
 * Elsewhere Polder has one thread in a process. Here there must be more: what makes the
 * kernel drop its pages (a cut, cut.c) makes it write back dirty ones first, which it asks
 * of us while we wait. So the thread that says so cannot be one that answers. The main
 * thread has the control channel and the timers, and nothing else to do.
 *
 * One lock covers the nodes, the handles, the workers' states and admission. It is
 * held for memory alone, never across a call that can block.
 *
 * A request is *admitted* under that lock (admit): it is entered as what its worker does,
 * its nodes and handles are pinned, and it gets the chain of caretakers that holds now.
 * From then on it may act on the host. When it has been answered, it is let go (release).
 * That makes two promises possible: after `cut` is set and nothing admitted is left,
 * nothing of the grant is touched again; after `chain` is replaced and nothing admitted
 * under an older one is left, the new one holds for all. What comes after a cut is answered
 * with ENOTCONN, the same that the kernel says when the connection is gone.
 *
 * A request that waits (rate=, fault=slow) does so on `change`, and goes on, fails with
 * EINTR because the program was interrupted, begins anew because the chain has changed, or ends
 * because of a cut.
 *
 * What the kernel keeps: names and attributes for a second, so that edits on the host
 * are seen by then; pages until a file's times or size are seen to have changed, and
 * across openings as long as they have not. There is no write-back cache: a
 * write is here before it has returned. Locks on files (flock, fcntl) are the kernel's, among
 * the programs of the environment; the host does not see them.
 *
 * Who asks is the kernel, which has checked much, but on behalf of a program that wants
 * out. So everything that comes is checked for its length before it is used; a name
 * is one part of a path; symbolic links are handed over as text and never followed;
 * only regular files and directories are ever opened.
 */
#include "caretaker/dir.h"

#include "base/fd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#define NAME_MAX_ 255u

/* ---- the calls ---- */

enum {
	NAME = 1 << 0,    /* one part of a path follows the structure */
	NAME2 = 1 << 1,   /* and a second one */
	TEXT = 1 << 2,    /* the first string is no name: anything */
	TEXT2 = 1 << 3,   /* nor the second */
	DATA = 1 << 4,    /* bytes follow */
	HANDLE = 1 << 5,  /* the structure begins with one */
	IN_DIR = 1 << 6,  /* the node must be a directory */
	OF_FILE = 1 << 7, /* a regular file */
	ENDS = 1 << 8,    /* also of what is barred */
	NO_NODE = 1 << 9,
	CHANGES = 1 << 10, /* the node, or its name in it */
	LOOKS = 1 << 11,   /* also of what is closed */
};

struct call {
	int (*run)(struct req *r);
	uint16_t arg;
	uint16_t flags;
};

static int do_init(struct req *r);

static const struct call calls[] = {
	[FUSE_LOOKUP] = { do_lookup, 0, NAME | IN_DIR },
	[FUSE_GETATTR] = { do_getattr, sizeof(struct fuse_getattr_in), LOOKS },
	[FUSE_SETATTR] = { do_setattr, sizeof(struct fuse_setattr_in), CHANGES },
	[FUSE_READLINK] = { do_readlink, 0, 0 },
	[FUSE_SYMLINK] = { do_symlink, 0, NAME | TEXT2 | IN_DIR | CHANGES },
	[FUSE_MKNOD] = { do_mknod, sizeof(struct fuse_mknod_in),
			 NAME | IN_DIR | CHANGES },
	[FUSE_MKDIR] = { do_mkdir, sizeof(struct fuse_mkdir_in),
			 NAME | IN_DIR | CHANGES },
	[FUSE_UNLINK] = { do_unlink, 0, NAME | IN_DIR | CHANGES },
	[FUSE_RMDIR] = { do_rmdir, 0, NAME | IN_DIR | CHANGES },
	[FUSE_RENAME] = { do_rename, sizeof(struct fuse_rename_in),
			  NAME | NAME2 | IN_DIR | CHANGES },
	[FUSE_RENAME2] = { do_rename2, sizeof(struct fuse_rename2_in),
			   NAME | NAME2 | IN_DIR | CHANGES },
	[FUSE_LINK] = { do_link, sizeof(struct fuse_link_in), NAME | IN_DIR | CHANGES },
	[FUSE_OPEN] = { do_open, sizeof(struct fuse_open_in), 0 },
	[FUSE_READ] = { do_read, sizeof(struct fuse_read_in), HANDLE | OF_FILE },
	[FUSE_WRITE] = { do_write, sizeof(struct fuse_write_in),
			 HANDLE | OF_FILE | DATA | CHANGES },
	[FUSE_STATFS] = { do_statfs, 0, 0 },
	[FUSE_RELEASE] = { do_release, sizeof(struct fuse_release_in), HANDLE | ENDS },
	[FUSE_FSYNC] = { do_fsync, sizeof(struct fuse_fsync_in), HANDLE },
	[FUSE_SETXATTR] = { do_setxattr, FUSE_COMPAT_SETXATTR_IN_SIZE,
			    TEXT | DATA | CHANGES },
	[FUSE_GETXATTR] = { do_getxattr, sizeof(struct fuse_getxattr_in), TEXT },
	[FUSE_LISTXATTR] = { do_listxattr, sizeof(struct fuse_getxattr_in), 0 },
	[FUSE_REMOVEXATTR] = { do_removexattr, 0, TEXT | CHANGES },
	[FUSE_FLUSH] = { do_flush, sizeof(struct fuse_flush_in), HANDLE | ENDS },
	[FUSE_INIT] = { do_init, offsetof(struct fuse_init_in, flags2), DATA | NO_NODE },
	[FUSE_OPENDIR] = { do_opendir, sizeof(struct fuse_open_in), IN_DIR },
	[FUSE_READDIR] = { do_readdir, sizeof(struct fuse_read_in), HANDLE | IN_DIR },
	[FUSE_READDIRPLUS] = { do_readdirplus, sizeof(struct fuse_read_in),
			       HANDLE | IN_DIR },
	[FUSE_RELEASEDIR] = { do_release, sizeof(struct fuse_release_in), HANDLE | ENDS },
	[FUSE_FSYNCDIR] = { do_fsync, sizeof(struct fuse_fsync_in), HANDLE },
	[FUSE_CREATE] = { do_create, sizeof(struct fuse_create_in),
			  NAME | IN_DIR | CHANGES },
	[FUSE_FALLOCATE] = { do_fallocate, sizeof(struct fuse_fallocate_in),
			     HANDLE | OF_FILE | CHANGES },
	[FUSE_LSEEK] = { do_lseek, sizeof(struct fuse_lseek_in), HANDLE | OF_FILE },
	[FUSE_COPY_FILE_RANGE] = { do_copy_file_range,
				   sizeof(struct fuse_copy_file_range_in),
				   HANDLE | OF_FILE },
};

/* What is refused for good: the kernel asks no second time for those with ENOSYS. */
static int refusal(uint32_t opcode)
{
	return opcode == FUSE_IOCTL ? -ENOTTY : -ENOSYS;
}

/* ---- the beginning ---- */

static uint64_t wanted_flags(const struct dir *d)
{
	uint64_t f = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES |
		     FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |
		     FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_MAX_PAGES |
		     FUSE_CACHE_SYMLINKS | FUSE_HANDLE_KILLPRIV_V2 | FUSE_INIT_EXT;

	return d->passthrough ? f | FUSE_PASSTHROUGH : f;
}

static int do_init(struct req *r)
{
	const struct fuse_init_in *in = r->arg;
	struct fuse_init_out *out = r->out;
	struct dir *d = r->d;
	uint64_t have = in->flags;

	if (in->major != FUSE_KERNEL_VERSION || in->minor < ABI_MINOR_MIN) {
		dir_broken(d, CARE_WHY_BROKEN, "the kernel's FUSE is older than 7.36");
		return -EPROTO;
	}
	if ((have & FUSE_INIT_EXT) && r->data_len >= sizeof(in->flags2))
		have |= (uint64_t)in->flags2 << 32;
	have &= wanted_flags(d);
	if (d->passthrough && !(have & FUSE_PASSTHROUGH)) {
		dir_broken(d, CARE_WHY_BROKEN,
			   "the kernel's FUSE has no passthrough (Linux 6.9 has)");
		return -EPROTO;
	}
	d->minor = MIN(in->minor, ABI_MINOR);
	*out = (struct fuse_init_out){ .major = FUSE_KERNEL_VERSION,
				       .minor = d->minor,
				       .max_readahead = in->max_readahead,
				       .flags = (uint32_t)have,
				       .flags2 = (uint32_t)(have >> 32),
				       .max_background = 64,
				       .congestion_threshold = 48,
				       .max_write = DATA_MAX,
				       .time_gran = 1,
				       .max_pages = MAX_PAGES };
	abi_stack_depth(out) = d->passthrough ? 1 : 0;
	r->out_len = sizeof(*out);
	control_ready(d);
	return 0;
}

/* ---- taking a request apart ---- */

static bool is_part(const char *s, size_t len)
{
	return len > 0 && len <= NAME_MAX_ && !memchr(s, '/', len) && !streq(s, ".") &&
	       !streq(s, "..");
}

/* A string, with its NUL, from *at on. 0 or -errno. */
static int take_string(const char **at, const char *end, bool part, const char **ret)
{
	const char *nul = memchr(*at, 0, (size_t)(end - *at));

	if (!nul)
		return -EINVAL;
	if (part && (size_t)(nul - *at) > NAME_MAX_)
		return -ENAMETOOLONG;
	if (part && !is_part(*at, (size_t)(nul - *at)))
		return -EINVAL;
	*ret = *at;
	*at = nul + 1;
	return 0;
}

static int parse(struct req *r, const struct call *c, size_t len)
{
	const char *at = (const char *)(r->h + 1), *end = (const char *)r->h + len;
	int e = 0;

	if ((size_t)(end - at) < c->arg)
		return -EINVAL;
	r->arg = at;
	at += c->arg;
	if (c->flags & (NAME | TEXT))
		e = take_string(&at, end, c->flags & NAME, &r->name);
	if (e == 0 && (c->flags & (NAME2 | TEXT2)))
		e = take_string(&at, end, c->flags & NAME2, &r->name2);
	if (c->flags & NAME)
		r->op.name = r->name;
	r->data = at;
	r->data_len = (size_t)(end - at);
	return e;
}

/* True if there must be one, whatever its number is. */
static bool second_node(const struct req *r, uint64_t *ret)
{
	switch (r->h->opcode) {
	case FUSE_RENAME:
	case FUSE_RENAME2: /* both begin with it */
		*ret = ((const struct fuse_rename_in *)r->arg)->newdir;
		return true;
	case FUSE_LINK:
		*ret = ((const struct fuse_link_in *)r->arg)->oldnodeid;
		return true;
	case FUSE_COPY_FILE_RANGE:
		*ret = ((const struct fuse_copy_file_range_in *)r->arg)->nodeid_out;
		return true;
	default: return false;
	}
}

static uint64_t optional_handle(const struct req *r)
{
	const struct fuse_getattr_in *get = r->arg;
	const struct fuse_setattr_in *set = r->arg;

	if (r->h->opcode == FUSE_GETATTR)
		return get->getattr_flags & FUSE_GETATTR_FH ? get->fh : 0;
	if (r->h->opcode == FUSE_SETATTR)
		return set->valid & FATTR_FH ? set->fh : 0;
	return 0;
}

/* ---- admission; under lock ---- */

static int find_nodes(struct req *r, const struct call *c)
{
	uint64_t id = 0;
	bool second = second_node(r, &id);

	r->node = node_of(r->d, r->h->nodeid);
	r->node2 = second ? node_of(r->d, id) : NULL;
	if (!r->node || (second && !r->node2))
		return -ESTALE;
	if (!(c->flags & ENDS) && (r->node->barred || (r->node2 && r->node2->barred)))
		return -ENOENT;
	if ((c->flags & IN_DIR) && !S_ISDIR(r->node->type))
		return -ENOTDIR;
	if ((c->flags & OF_FILE) && !S_ISREG(r->node->type))
		return -EINVAL;
	return 0;
}

static int find_handles(struct req *r, const struct call *c)
{
	const struct fuse_copy_file_range_in *copy = r->arg;
	uint64_t id = optional_handle(r);

	if (c->flags & HANDLE)
		memcpy(&id, r->arg, sizeof(id));
	if (id == 0 && !(c->flags & HANDLE))
		return 0;
	r->handle = handle_of(r->d, id);
	if (!r->handle || r->handle->node != r->node)
		return -EBADF;
	if (r->h->opcode != FUSE_COPY_FILE_RANGE)
		return 0;
	r->handle2 = handle_of(r->d, copy->fh_out);
	return r->handle2 && r->handle2->node == r->node2 ? 0 : -EBADF;
}

static bool changes(const struct req *r, const struct call *c)
{
	const struct fuse_open_in *in = r->arg;

	return c->flags & CHANGES ||
	       (r->h->opcode == FUSE_OPEN &&
		((in->flags & O_ACCMODE) != O_RDONLY || (in->flags & O_TRUNC)));
}

static int find_all(struct req *r, const struct call *c)
{
	int e = c->flags & NO_NODE ? 0 : find_nodes(r, c);

	if (e == 0 && r->d->guards && !(c->flags & (NO_NODE | ENDS | LOOKS)))
		e = guard_admits(r->d, r->node, r->node2,
				 c->flags & NAME ? r->name : NULL, changes(r, c));
	if (e == 0 && !(c->flags & NO_NODE))
		e = find_handles(r, c);
	return e;
}

static int admit(struct req *r, const struct call *c)
{
	struct dir *d = r->d;
	int e;

	d->stats.requests++;
	if (d->cut)
		return -ENOTCONN;
	e = find_all(r, c);
	if (e != 0)
		return e;
	if (r->node)
		node_pin(r->node);
	if (r->node2)
		node_pin(r->node2);
	if (r->handle)
		r->handle->pins++;
	if (r->handle2)
		r->handle2->pins++;
	r->chain = r->w->chain = d->chain;
	r->w->unique = r->h->unique;
	r->w->interrupted = false;
	return 0;
}

/* What has to be closed after that, without the lock: it may take its time. */
static void let_go(struct req *r, int closing[2])
{
	struct dir *d = r->d;

	if (r->handle2)
		closing[0] = handle_unpin(d, r->handle2);
	if (r->handle)
		closing[1] = handle_unpin(d, r->handle);
	if (r->node2)
		node_unpin(d, r->node2);
	if (r->node)
		node_unpin(d, r->node);
	r->w->unique = 0;
	r->w->chain = NULL;
	(void)pthread_cond_broadcast(&d->change);
}

/* ---- the chain ---- */

static void op_paths(void *of, struct str *path, struct str *path2)
{
	struct req *r = of;
	bool link = r->op.act == CARE_ACT_LINK;

	(void)pthread_mutex_lock(&r->d->lock);
	if (r->node && link) {
		str_add(path, str_text(&r->was));
		node_path(r->d, r->node, r->op.name, path2);
	} else if (r->node) {
		node_path(r->d, r->node, r->op.name, path);
		if (r->op.name2)
			node_path(r->d, r->node2 ? r->node2 : r->node, r->op.name2,
				  path2);
	}
	(void)pthread_mutex_unlock(&r->d->lock);
}

static struct timespec from_now(uint64_t ns)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	t.tv_sec += (time_t)(ns / 1000000000);
	t.tv_nsec += (long)(ns % 1000000000);
	if (t.tv_nsec >= 1000000000) {
		t.tv_nsec -= 1000000000;
		t.tv_sec++;
	}
	return t;
}

/* -EAGAIN: the chain is another one now. */
static int serve_wait(struct req *r)
{
	struct timespec end = from_now(r->op.delay_ns);
	struct dir *d = r->d;
	int e = 0, timed = 0;

	(void)pthread_mutex_lock(&d->lock);
	while (e == 0 && timed != ETIMEDOUT) {
		if (d->cut)
			e = -ENOTCONN;
		else if (r->w->interrupted)
			e = -EINTR;
		else if (d->chain != r->chain)
			e = -EAGAIN;
		else
			timed = pthread_cond_timedwait(&d->change, &d->lock, &end);
	}
	if (e == -EAGAIN)
		r->chain = r->w->chain = d->chain;
	(void)pthread_mutex_unlock(&d->lock);
	return e;
}

int req_before(struct req *r, enum care_act act)
{
	uint64_t size = r->op.size;
	int e;

	if (r->chain->n == 0)
		return 0;
	r->paths = (struct care_paths){ r, op_paths };
	r->op.act = act;
	r->op.pid = r->h->pid;
	r->op.paths = &r->paths;
	do {
		r->op.delay_ns = 0;
		r->op.size = size;
		e = chain_before(r->chain, &r->op);
		if (e != 0) {
			(void)pthread_mutex_lock(&r->d->lock);
			r->d->stats.denied++;
			(void)pthread_mutex_unlock(&r->d->lock);
			return -e;
		}
		if (r->op.delay_ns == 0)
			return 0;
		const struct chain *asked = r->chain;
		e = serve_wait(r);
		if (e != 0)
			chain_after(asked, &r->op, -e);
	} while (e == -EAGAIN);
	return e;
}

int req_after(struct req *r, int error)
{
	if (r->chain->n > 0)
		chain_after(r->chain, &r->op, error < 0 ? -error : 0);
	return error;
}

/* ---- workers ---- */

static void answer(struct req *r, int error)
{
	struct fuse_out_header *h =
		(struct fuse_out_header *)(void *)((uint8_t *)r->out - sizeof(*h));
	size_t len = sizeof(*h) + (error == 0 ? r->out_len : 0);

	if (r->silent)
		return;
	*h = (struct fuse_out_header){ .len = (uint32_t)len,
				       .error = error,
				       .unique = r->h->unique };
	/* ENOENT: given up meanwhile, or answered in our place by a cut. Else the
	 * connection is gone, which reading will tell. */
	if (write(r->d->fuse, h, len) < 0 && errno == EINVAL && error == 0) {
		h->len = sizeof(*h);
		h->error = -EIO;
		(void)!write(r->d->fuse, h, sizeof(*h));
	}
}

static void forget(struct dir *d, const void *arg, size_t len, bool batch, uint64_t node)
{
	const struct fuse_forget_in *one = arg;
	const struct fuse_batch_forget_in *head = arg;
	const struct fuse_forget_one *list = (const void *)(head + 1);

	if (!batch && len >= sizeof(*one))
		node_forget(d, node, one->nlookup);
	if (!batch || len < sizeof(*head))
		return;
	len -= sizeof(*head);
	for (uint32_t i = 0; i < head->count && len >= sizeof(*list); i++) {
		node_forget(d, list[i].nodeid, list[i].nlookup);
		len -= sizeof(*list);
	}
}

static void interrupt(struct dir *d, const void *arg, size_t len)
{
	const struct fuse_interrupt_in *in = arg;

	if (len < sizeof(*in))
		return;
	for (uint32_t i = 0; i < d->n_workers; i++)
		if (d->workers[i].unique == in->unique)
			d->workers[i].interrupted = true;
	(void)pthread_cond_broadcast(&d->change);
}

/* Those that have no answer. True: it was one. Under lock. */
static bool unanswered(struct dir *d, const struct fuse_in_header *h, size_t len)
{
	size_t arg_len = len - sizeof(*h);

	switch (h->opcode) {
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
		forget(d, h + 1, arg_len, h->opcode == FUSE_BATCH_FORGET, h->nodeid);
		(void)pthread_cond_broadcast(&d->change);
		return true;
	case FUSE_INTERRUPT: interrupt(d, h + 1, arg_len); return true;
	default: return false;
	}
}

void serve_one(struct worker *w, size_t len)
{
	struct req r = {
		.d = w->d, .w = w, .h = (const void *)w->in, .out = w->out + OUT_HEAD
	};
	struct dir *d = w->d;
	const struct call *c;
	int e, closing[2] = { -1, -1 };
	bool admitted;

	if (len < sizeof(*r.h) || r.h->len != len)
		return;
	c = r.h->opcode < ARRAY_LEN(calls) ? &calls[r.h->opcode] : NULL;
	e = c && c->run ? parse(&r, c, len) : refusal(r.h->opcode);
	(void)pthread_mutex_lock(&d->lock);
	if (unanswered(d, r.h, len)) {
		(void)pthread_mutex_unlock(&d->lock);
		return;
	}
	if (e == 0 || d->cut)
		e = d->cut ? -ENOTCONN : admit(&r, c);
	admitted = w->unique != 0;
	if (d->idle == 0 && !d->cut)
		(void)serve_more(d);
	if (d->n_nodes > d->trim_at)
		trim_start(d);
	(void)pthread_mutex_unlock(&d->lock);
	if (e == 0)
		e = c->run(&r);
	answer(&r, e);
	str_fini(&r.was);
	if (!admitted)
		return;
	(void)pthread_mutex_lock(&d->lock);
	let_go(&r, closing);
	(void)pthread_mutex_unlock(&d->lock);
	fd_close_list(closing, ARRAY_LEN(closing));
}

/* False: the thread is to end. */
static bool may_read(struct worker *w)
{
	struct dir *d = w->d;
	bool stop;

	(void)pthread_mutex_lock(&d->lock);
	stop = d->stop;
	if (stop)
		w->left = true;
	else
		d->idle++;
	(void)pthread_cond_broadcast(&d->change);
	(void)pthread_mutex_unlock(&d->lock);
	return !stop;
}

static void has_read(struct worker *w)
{
	(void)pthread_mutex_lock(&w->d->lock);
	w->d->idle--;
	(void)pthread_mutex_unlock(&w->d->lock);
}

void *serve_thread(void *worker)
{
	struct worker *w = worker;
	struct dir *d = w->d;
	ssize_t n;

	(void)pthread_mutex_lock(&d->lock);
	w->tid = (pid_t)syscall(SYS_gettid);
	(void)pthread_mutex_unlock(&d->lock);
	while (may_read(w)) {
		n = read(d->fuse, w->in, IN_MAX);
		int e = errno;

		has_read(w);
		if (n >= 0)
			serve_one(w, (size_t)n);
		else if (e == ENODEV || e == ECONNABORTED)
			dir_broken(d, CARE_WHY_UNMOUNTED, "the mount is gone");
		else if (e != EINTR && e != EAGAIN && e != ENOENT)
			dir_broken(d, CARE_WHY_BROKEN,
				   e == EPERM ? "the descriptor fuse is not mounted" :
						"/dev/fuse cannot be read");
		if (n < 0 && e != EINTR && e != EAGAIN && e != ENOENT)
			break;
	}
	(void)pthread_mutex_lock(&d->lock);
	w->left = true;
	(void)pthread_cond_broadcast(&d->change);
	(void)pthread_mutex_unlock(&d->lock);
	return NULL;
}

/* Under lock. The last place is a cut's. */
int serve_more(struct dir *d)
{
	struct worker *w = &d->workers[d->n_workers];
	uint8_t *p;

	if (d->n_workers >= (d->cut ? WORKERS_MAX + 1 : WORKERS_MAX))
		return -EAGAIN;
	p = mmap(NULL, IN_MAX + OUT_HEAD + DATA_MAX, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	*w = (struct worker){ .d = d, .in = p, .out = p + IN_MAX };
	if (pthread_create(&w->thread, NULL, serve_thread, w) != 0) {
		(void)munmap(p, IN_MAX + OUT_HEAD + DATA_MAX);
		return -EAGAIN;
	}
	d->n_workers++;
	return 0;
}
