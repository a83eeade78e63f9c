/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * The child of stack_fork begins at the top of an array among the zeroed data, below
 * which a page is closed: too deep a call faults there, as on any stack.
 *
 * What still leads into the first stack is known: the pointers of `environ`, the words
 * that the kernel shows as /proc/PID/cmdline and environ, and the auxiliary vector, which
 * musl reads once more, for the first clock. The words of the command and the
 * few variables that are asked for are copied, and the kernel is told where to. (Emptied
 * pages instead of none would be no way: whoever looked would have them made anew.)
 */
#include "base/stack.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/fd.h"
#include "base/str.h"

#define PAGE ((uintptr_t)4096)
/* More than a start ever uses. */
#define STACK_BYTES ((uintptr_t)128 << 10)

/* Never grows further below its top than this, nor is anything else there. */
#define FIRST_STACK_BYTES ((uintptr_t)8 << 20)

#if defined(__x86_64__) && !defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define HAVE_STACKS 1
#else
#define HAVE_STACKS 0
#endif

#if HAVE_STACKS

#include <sys/auxv.h>
#include <sys/syscall.h>

extern char **environ;

/* Of which one page is closed. Aligned pages would part what lies on both sides of it. */
static char room[STACK_BYTES + 2 * PAGE];
/* We run on it. Among the data: zeroed ones would have a page for this. */
static bool moved __attribute__((section(".data")));

static uintptr_t bottom(void)
{
	return ((uintptr_t)room + 2 * PAGE - 1) & ~(PAGE - 1);
}

/* What the kernel knows of us, fields of /proc/self/stat as proc(5) numbers them. */
enum {
	START_CODE = 26,
	END_CODE,
	START_STACK,
	START_DATA = 45,
	END_DATA,
	START_BRK,
	ARG_START,
	ARG_END,
	FIELDS
};

_Noreturn static void go_on(void (*fn)(void *arg), void *arg)
{
	moved = true;
	__asm__ volatile("mov %0, %%rsp\n\t"
			 "xor %%ebp, %%ebp\n\t"
			 "call *%1\n\t"
			 "hlt"
			 :
			 : "a"(bottom() + STACK_BYTES), "d"(fn), "D"(arg)
			 : "memory");
	__builtin_unreachable();
}

pid_t stack_fork(void (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (pid != 0)
		return pid;
	if (mprotect((void *)(bottom() - PAGE), PAGE, PROT_NONE) == 0)
		go_on(fn, arg);
	fn(arg);
	_exit(125);
}

static bool read_fields(uint64_t *ret)
{
	char text[1024], *at;
	auto_fd fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	at = strrchr(text, ')'); /* the name, field 2, may hold anything */
	for (int i = 3; at && i < FIELDS; i++) {
		at = strchr(at + 1, ' ');
		if (at)
			ret[i] = strtoull(at + 1, NULL, 10);
	}
	return at && ret[ARG_START] && ret[ARG_END] >= ret[ARG_START];
}

/* What Polder asks its environment for, also once it runs (host_facts_probe). */
static bool is_asked_for(const char *var)
{
	return str_starts(var, "XDG_") || str_starts(var, "POLDER_") ||
	       str_starts(var, "HOME=");
}

/* The words of the command, then those variables; *ret_end is behind the former. */
static char *copy_words(const char *args, size_t len, char **ret_end)
{
	size_t n = 0, room_ = len;
	char **list, *words, *p;

	for (char **e = environ; e && *e; e++)
		if (is_asked_for(*e)) {
			n++;
			room_ += strlen(*e) + 1;
		}
	list = malloc((n + 1) * sizeof(*list) + room_);
	if (!list)
		return NULL;
	words = (char *)(list + n + 1);
	memcpy(words, args, len);
	*ret_end = p = words + len;
	n = 0;
	for (char **e = environ; e && *e; e++)
		if (is_asked_for(*e)) {
			list[n++] = p;
			memcpy(p, *e, strlen(*e) + 1);
			p += strlen(p) + 1;
		}
	list[n] = NULL;
	environ = list;
	return words;
}

/* A kernel that does not take it shows no words. */
static void tell_kernel(const uint64_t *f, const char *words, const char *end)
{
	struct prctl_mm_map map = { .start_code = f[START_CODE],
				    .end_code = f[END_CODE],
				    .start_data = f[START_DATA],
				    .end_data = f[END_DATA],
				    .start_brk = f[START_BRK],
				    .brk = (uint64_t)syscall(SYS_brk, 0),
				    .start_stack = f[START_STACK],
				    .arg_start = (uintptr_t)words,
				    .arg_end = (uintptr_t)end,
				    .env_start = (uintptr_t)end,
				    .env_end = (uintptr_t)end,
				    .exe_fd = ~0U };

	(void)prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof(map), 0);
}

static void leave_first(void)
{
	const char *file = (const char *)getauxval(AT_EXECFN); /* the last of its words */
	uint64_t f[FIELDS] = { 0 };
	struct timespec now;
	uintptr_t end;
	char *words, *words_end;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (!file || !read_fields(f))
		return;
	words = copy_words((const char *)(uintptr_t)f[ARG_START],
			   f[ARG_END] - f[ARG_START], &words_end);
	if (!words)
		return;
	tell_kernel(f, words, words_end);
	end = ((uintptr_t)file + strlen(file) + 1 + PAGE - 1) & ~(PAGE - 1);
	(void)munmap((void *)(end - FIRST_STACK_BYTES), FIRST_STACK_BYTES);
}

#else

pid_t stack_fork(void (*fn)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (pid == 0) {
		fn(arg);
		_exit(125);
	}
	return pid;
}

#endif

__attribute__((noinline)) void stack_give_back(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0);
	uintptr_t end = (here - 256) & ~(PAGE - 1); /* the call uses a little below us */
	uintptr_t begin = end - STACK_BYTES;

#if HAVE_STACKS
	if (moved)
		begin = bottom();
#endif
	if (begin < end)
		(void)madvise((void *)begin, end - begin, MADV_DONTNEED);
}

void stack_leave(void)
{
#if HAVE_STACKS
	if (moved)
		leave_first();
#endif
	stack_give_back();
}
