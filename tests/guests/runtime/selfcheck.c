/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * selfcheck [WHAT]: the runtime and the C library looked at from within a unikernel. One
 * line for each thing, "ok" or "BAD"; the status is how many were bad. WHAT is something
 * that must end the program, or a question (see main).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <polder/guest/guest.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include <assert.h>

PG_NET_DEVICE("wire");
PG_BLOCK_DEVICE("disk");
PG_NET_DEVICE("wire");

static int bad;

static void check(const char *what, bool good)
{
	printf("%s %s\n", good ? "ok " : "BAD", what);
	bad += !good;
}

/* ---- start-up ---- */

static _Thread_local int tls_data = 42;
static _Thread_local char tls_bss[100];
static int constructed, zeroed[5000];
static const char *ended = "";

__attribute__((constructor)) static void construct(void)
{
	constructed++;
}

__attribute__((destructor)) static void destruct(void)
{
	pg_print(ended);
}

static void at_exit(void)
{
	if (*ended)
		printf("atexit\n");
}

static void startup(int argc, char **argv)
{
	size_t i, sum = 0;

	for (i = 0; i < 5000; i++)
		sum += (size_t)zeroed[i];
	for (i = 0; i < sizeof(tls_bss); i++)
		sum += (size_t)tls_bss[i];
	check("zeroed data is zero", sum == 0);
	check("thread-local data", tls_data == 42);
	tls_data++;
	check("and can be written", tls_data == 43);
	check("one constructor ran", constructed == 1);
	check("argv",
	      argc >= 1 && argv[argc] == NULL && strcmp(argv[0], pg_program) == 0);
	check("the target has a name",
	      strcmp(pg_target(), "spt") == 0 || strcmp(pg_target(), "hvt") == 0);
	check("the stack is aligned", ((uintptr_t)__builtin_frame_address(0) & 15) == 0);
}

/* ---- memory ---- */

static void memory(void)
{
	struct pg_memory m;
	unsigned char *block[64], *taken;
	volatile size_t half = SIZE_MAX / 2; /* more than the compiler lets pass */
	size_t i, n, wrong = 0;

	pg_memory(&m);
	check("sizes add up", m.heap > 0 && m.image + m.stack + m.heap < m.total);
	check("stack is left", pg_stack_left() > 0 && pg_stack_left() < m.stack);
	for (i = 0; i < 64; i++) {
		block[i] = malloc(1 + i * 97);
		memset(block[i], (int)i, 1 + i * 97);
	}
	for (i = 0; i < 64; i++)
		for (n = 0; n < 1 + i * 97; n++)
			wrong += block[i][n] != i;
	check("what malloc() gave is apart", wrong == 0);
	for (i = 0; i < 64; i++)
		free(block[i]);
	taken = pg_memory_take(10000, 4096);
	for (i = 0, wrong = 0; taken && i < 10000; i++)
		wrong += taken[i] != 0;
	check("a piece of the end",
	      taken && ((uintptr_t)taken & 4095) == 0 && wrong == 0);
	check("not more than there is", pg_memory_take(m.heap, 16) == NULL);
	check("nor of a size that wraps", pg_memory_take(SIZE_MAX - 100, 4096) == NULL);
	errno = 0;
	check("out of memory is NULL", malloc(m.total) == NULL && errno == ENOMEM);
	check("also where sizes wrap", calloc(half, 4) == NULL);
	for (n = 0; (block[n % 64] = malloc(65536)) != NULL; n++)
		block[n % 64][65535] = 1;
	pg_memory(&m);
	check("until the heap is full", n > 10 && m.heap_held > m.heap - 200000);
	free(block[(n - 1) % 64]);
	check("and what is freed comes again", malloc(60000) != NULL);
}

/* ---- C library ---- */

static int compare(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static void libc(void)
{
	int v[100], i, sorted = 1;
	char text[100];
	jmp_buf jump;
	volatile int jumped = 0;

	snprintf(text, sizeof(text), "%5d|%-4s|%#lx|%lld|%c|%zu", -42, "ab", 0xfeedul,
		 123456789012345678ll, 'x', sizeof(text));
	check("snprintf",
	      strcmp(text, "  -42|ab  |0xfeed|123456789012345678|x|100") == 0);
	for (i = 0; i < 100; i++)
		v[i] = i * 37 % 100;
	qsort(v, 100, sizeof(v[0]), compare);
	for (i = 0; i < 100; i++)
		sorted &= v[i] == i;
	check("qsort", sorted);
	if (setjmp(jump) == 0) {
		jumped = 1;
		longjmp(jump, 1);
	}
	check("longjmp", jumped == 1);
	check("strtoul", strtoul("0xff", NULL, 0) == 255);
	check("getenv", getenv("HOME") == NULL);
	check("isatty", isatty(1) && !isatty(9) && errno == EBADF);
	check("no process", fork() == -1 && errno == ENOSYS);
	check("standard input ends", getchar() == EOF);
}

/* ---- files ---- */

static void files(void)
{
	char buf[64];
	struct stat st;
	struct dirent *d;
	DIR *dir = opendir("/");
	FILE *f = fopen("/sub/two.txt", "r");
	int fd = open("one.txt", O_RDONLY), n = 0, subs = 0;
	const struct pg_file *p = pg_file_find("/sub/two.txt");

	check("fopen, fgets",
	      f && fgets(buf, sizeof(buf), f) && strcmp(buf, "two\n") == 0);
	check("seek, end", f && fseek(f, -2, SEEK_END) == 0 && fgetc(f) == 'o' &&
				   fgetc(f) == '\n' && fgetc(f) == EOF);
	check("open, read", fd > 2 && read(fd, buf, 2) == 2 && memcmp(buf, "on", 2) == 0);
	check("fstat", fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_size == 4);
	check("lseek", lseek(fd, -1, SEEK_END) == 3 && read(fd, buf, 9) == 1 &&
			       read(fd, buf, 9) == 0);
	check("lseek before the beginning",
	      lseek(fd, -9, SEEK_SET) < 0 && errno == EINVAL);
	check("close", close(fd) == 0 && close(fd) == -1 && errno == EBADF);
	check("read-only", open("one.txt", O_RDWR) == -1 && errno == EROFS);
	check("none can be made", fopen("new.txt", "w") == NULL && errno == EROFS);
	check("not there", open("none.txt", O_RDONLY) == -1 && errno == ENOENT);
	check("a file is no directory", stat("/one.txt/", &st) == -1);
	check("stat of a directory", stat("/sub", &st) == 0 && S_ISDIR(st.st_mode));
	while (dir && (d = readdir(dir)) != NULL) {
		n++;
		subs += d->d_type == DT_DIR && strcmp(d->d_name, "sub") == 0;
	}
	check("readdir", n == 4 && subs == 1 && closedir(dir) == 0);
	check("without a copy", p && p->size == 4 && memcmp(p->data, "two\n", 5) == 0);
	check("count", pg_file_count() == 5 && pg_file_at(5) == NULL);
	check("an empty one", (p = pg_file_find("empty")) && p->size == 0);
}

/* ---- time, entropy ---- */

static void timing(void)
{
	uint64_t a = pg_clock_monotonic(), b = a;
	struct timeval tv;
	struct timespec ts = { 0, 20000000 }, now;

	check("20 ms", nanosleep(&ts, NULL) == 0 &&
			       (b = pg_clock_monotonic()) - a >= 20 * PG_MS &&
			       b - a < 2000 * PG_MS);
	check("a poll to a deadline", pg_poll(pg_deadline_in(5 * PG_MS)) == 0 &&
					      pg_clock_monotonic() - b >= 5 * PG_MS);
	check("one in the past", pg_poll(0) == 0);
	gettimeofday(&tv, NULL);
	clock_gettime(CLOCK_REALTIME, &now);
	check("the date", now.tv_sec >= tv.tv_sec && now.tv_sec - tv.tv_sec < 2 &&
				  now.tv_sec > 1700000000);
	check("no other clock", clock_gettime(99, &now) == -1 && errno == EINVAL);
	check("a deadline cannot wrap", pg_deadline_in(UINT64_MAX - 5) == PG_NEVER);
}

static void entropy(void)
{
	static const unsigned char zero[64];
	unsigned char a[64], b[64], big[300];

	if (pg_entropy_bits() == PG_ENTROPY_FULL) {
		check("random bytes",
		      pg_entropy(a, 64) == PG_OK && pg_entropy(b, 64) == PG_OK &&
			      memcmp(a, b, 64) != 0 && memcmp(a, zero, 64) != 0);
		check("getentropy", getentropy(a, 64) == 0);
	} else {
		check("without a source no key",
		      pg_entropy(a, 64) == PG_NO_ENTROPY && memcmp(a, zero, 64) == 0);
		check("getentropy", getentropy(a, 64) == -1 && errno == EIO);
		pg_entropy_add("0123456789abcdef0123456789abcdef", 32, 256);
		check("until it is added", pg_entropy(a, 64) == PG_OK);
	}
	check("getentropy has a limit", getentropy(big, 300) == -1 && errno == EIO);
	pg_entropy_weak(a, 64);
	pg_entropy_weak(b, 64);
	check("weak ones differ, too", memcmp(a, b, 64) != 0);
}

/* ---- devices ---- */

static void disk(pg_device d)
{
	struct pg_block_info info;
	unsigned char buf[2048], back[2048];
	size_t i;

	check("block_info", pg_block_info(d, &info) == PG_OK && info.block_size == 512);
	for (i = 0; i < sizeof(buf); i++)
		buf[i] = (unsigned char)(i * 7 + i / 256);
	check("several blocks", pg_block_write(d, 1024, buf, 2048) == PG_OK &&
					pg_block_read(d, 1024, back, 2048) == PG_OK &&
					memcmp(buf, back, 2048) == 0);
	check("nothing is little", pg_block_read(d, 0, buf, 0) == PG_OK);
	check("half a block", pg_block_read(d, 0, buf, 100) == PG_INVALID &&
				      pg_block_read(d, 100, buf, 512) == PG_INVALID);
	check("past the end",
	      pg_block_read(d, info.capacity, buf, 512) == PG_INVALID &&
		      pg_block_read(d, info.capacity - 512, buf, 1024) == PG_INVALID &&
		      pg_block_write(d, UINT64_MAX - 511, buf, 512) == PG_INVALID);
	check("the last", pg_block_read(d, info.capacity - 512, buf, 512) == PG_OK);
}

/* The peer sends every frame back. */
static void wire(pg_device d)
{
	unsigned char out[1514], in[1514];
	struct pg_net_info info;
	size_t i, len = 0;
	int status = PG_AGAIN, n;

	check("net_info",
	      pg_net_info(d, &info) == PG_OK && info.mtu == 1500 && info.mac[0] == 2);
	check("too short a frame", pg_net_write(d, out, 13) == PG_INVALID);
	check("too long a one", pg_net_write(d, out, 1515) == PG_INVALID);
	check("too small a buffer", pg_net_read(d, in, 1513, &len) == PG_INVALID);
	check("nothing is there", pg_net_read(d, in, sizeof(in), &len) == PG_AGAIN);
	for (i = 0; i < sizeof(out); i++)
		out[i] = (unsigned char)(i * 3);
	check("a frame goes out", pg_net_write(d, out, sizeof(out)) == PG_OK);
	for (n = 0; n < 100 && status == PG_AGAIN; n++)
		if (pg_set_has(pg_poll(pg_deadline_in(100 * PG_MS)), d))
			status = pg_net_read(d, in, sizeof(in), &len);
	check("and comes back",
	      status == PG_OK && len == sizeof(out) && memcmp(in, out, len) == 0);
}

static void devices(void)
{
	pg_device it = 0, d = 0;
	const char *name;
	enum pg_device_type type;
	int n = 0;

	while (pg_device_next(&it, &name, &type))
		n++;
	check("two devices", n == 2);
	check("no other", pg_block_find("none", &d, NULL) == PG_NOT_FOUND);
	check("nor of another kind",
	      pg_block_find("wire", &d, NULL) == PG_NOT_FOUND &&
		      pg_net_find("disk", &d, NULL) == PG_NOT_FOUND);
	check("nor the reserved one",
	      pg_net_find("", &d, NULL) == PG_NOT_FOUND &&
		      pg_block_read(0, 0, NULL, 0) == PG_INVALID &&
		      pg_net_info(64, NULL) == PG_NOT_FOUND);
	if (pg_block_find("disk", &d, NULL) == PG_OK)
		disk(d);
	if (pg_net_find("wire", &d, NULL) == PG_OK)
		wire(d);
}

/* ---- what ends a program ---- */

__attribute__((noinline)) static int deep(int n)
{
	volatile char frame[3000];

	frame[0] = (char)n;
	return n == 0 ? 0 : deep(n - 1) + frame[0];
}

static unsigned char data_code[16] = { 0xc3 };

/* An address that the compiler knows nothing about. */
static volatile char *somewhere(uintptr_t at)
{
	__asm__("" : "+r"(at));
	return (volatile char *)at;
}

__attribute__((noinline)) static void smash(int n)
{
	char buf[16];
	volatile char *p = somewhere((uintptr_t)buf);

	while (n-- > 0)
		*p++ = 'x';
}

static void die(const char *how)
{
	if (strcmp(how, "null") == 0)
		*somewhere(64) = 1;
	if (strcmp(how, "text") == 0)
		*somewhere((uintptr_t)&die) = 1;
	if (strcmp(how, "constant") == 0)
		*somewhere((uintptr_t)pg_program) = 1;
	if (strcmp(how, "stack") == 0)
		printf("%d\n", deep(1000000));
	if (strcmp(how, "smash") == 0)
		smash(64);
	if (strcmp(how, "data") == 0)
		((void (*)(void))somewhere((uintptr_t)data_code))();
	if (strcmp(how, "trap") == 0)
		__builtin_trap();
	if (strcmp(how, "abort") == 0)
		abort();
	if (strcmp(how, "assert") == 0)
		assert(how == NULL);
	if (strcmp(how, "raise") == 0)
		kill(getpid(), 15);
	puts("it goes on");
}

static void ask(const char *what)
{
	extern uintptr_t __stack_chk_guard;
	struct pg_memory m;

	pg_memory(&m);
	if (strcmp(what, "canary") == 0)
		printf("%#lx\n", (unsigned long)__stack_chk_guard);
	else if (strcmp(what, "stack-size") == 0)
		printf("%" PRIu64 "\n", m.stack);
	else if (strcmp(what, "line") == 0)
		printf("[%s]\n", pg_command_line());
	else if (strcmp(what, "end") == 0)
		ended = "destructor\n";
	else
		die(what);
}

int main(int argc, char **argv)
{
	atexit(at_exit);
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1) {
		ask(argv[1]);
		return 7;
	}
	startup(argc, argv);
	files();
	libc();
	timing();
	entropy();
	devices();
	memory();
	printf("%d bad\n", bad);
	return bad;
}
