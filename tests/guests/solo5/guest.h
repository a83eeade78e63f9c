/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * guest.h - test guests on the bare Solo5 ABI, without any runtime: as small as what they
 * try. GUEST_SPT or GUEST_HVT is defined by the build, once for each.
 *
 * A guest names its devices once, GUEST_DEVICES(GUEST_BLOCK("storage")), and defines
 *
 *	void guest_main(void);		its return is g_exit(0)
 *
 * The calls return what the ABI does: G_OK, G_AGAIN, G_EINVAL, G_EUNSPEC. A handle is the
 * place of a device in GUEST_DEVICES, from 1 on.
 */
#ifndef SOLO5_TESTS_GUEST_H
#define SOLO5_TESTS_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { G_OK = 0, G_AGAIN = 1, G_EINVAL = 2, G_EUNSPEC = 3 };

/* ---- notes ---- */

struct g_entry {
	char name[68];
	uint32_t type;
	union {
		struct {
			uint64_t capacity;
			uint16_t block_size;
		} block;
		struct {
			uint8_t mac[6];
			uint16_t mtu;
		} net;
	} u;
	union {
		void *data;
		int fd;
	} host;
	bool attached;
};
_Static_assert(sizeof(struct g_entry) == 104, "an entry of the manifest");

struct g_manifest {
	uint32_t version, entries;
	struct g_entry e[];
};

struct g_note {
	uint32_t namesz, descsz, type;
	char name[8];
};

#ifdef GUEST_HVT
#define GUEST_TARGET 1u
#else
#define GUEST_TARGET 2u
#endif

#define GUEST_ABI(target, abi_version)                                                   \
	__attribute__((section(".note.abi"), used, aligned(4))) static const struct {    \
		struct g_note note;                                                      \
		uint32_t v[4];                                                           \
	} g_abi = { { 6, 16, 0x31494241, "Solo5" }, { target, abi_version } }

#define GUEST_BLOCK(n)                                                                   \
	{                                                                                \
		.name = (n), .type = 1                                                   \
	}
#define GUEST_NET(n)                                                                     \
	{                                                                                \
		.name = (n), .type = 2                                                   \
	}

#define G_COUNT(...)                                                                     \
	(sizeof((const struct g_entry[]){ __VA_ARGS__ }) / sizeof(struct g_entry))
#define GUEST_DEVICES(...)                                                               \
	__attribute__((section(".note.mft"), used, aligned(8))) static const struct {    \
		struct g_note note;                                                      \
		uint32_t pad, version, entries;                                          \
		struct g_entry e[G_COUNT({ .type = 1u << 30 }, ##__VA_ARGS__)];          \
	} g_mft = { { 6, 4 + 8 + 104 * G_COUNT({ .type = 1u << 30 }, ##__VA_ARGS__),     \
		      0x3154464d, "Solo5" },                                             \
		    0,                                                                   \
		    1,                                                                   \
		    G_COUNT({ .type = 1u << 30 }, ##__VA_ARGS__),                        \
		    { { .type = 1u << 30 }, ##__VA_ARGS__ } };                           \
	GUEST_ABI(GUEST_TARGET, 2)

/* ---- start ---- */

struct g_boot_info {
	uint64_t mem_size, kernel_end;
#ifdef GUEST_HVT
	uint64_t cycle_freq;
#endif
	const char *cmdline;
	const struct g_manifest *manifest;
#ifdef GUEST_HVT
	uint32_t host_features, guest_features;
	uint64_t net_ring;
#else
	int epoll_fd, timer_fd;
#endif
};

static const struct g_boot_info *g_boot;

void guest_main(void);
void _start(const struct g_boot_info *info);
_Noreturn static inline void g_exit(int code);

/* The stack is as after a call: this is an ordinary function. */
#define GUEST_START                                                                      \
	void _start(const struct g_boot_info *info)                                      \
	{                                                                                \
		g_boot = info;                                                           \
		g_init();                                                                \
		guest_main();                                                            \
		g_exit(0);                                                               \
	}

/* ---- a little of a libc ---- */

static inline void *g_copy(void *to, const void *from, size_t n)
{
	void *p = to;

	__asm__ volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(n) : : "memory");
	return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memset(void *to, int value, size_t n);

#define GUEST_LIBC                                                                       \
	void *memcpy(void *restrict to, const void *restrict from, size_t n)             \
	{                                                                                \
		return g_copy(to, from, n);                                              \
	}                                                                                \
	void *memset(void *to, int value, size_t n)                                      \
	{                                                                                \
		void *p = to;                                                            \
                                                                                         \
		__asm__ volatile("rep stosb"                                             \
				 : "+D"(p), "+c"(n)                                      \
				 : "a"(value)                                            \
				 : "memory");                                            \
		return to;                                                               \
	}

#define GUEST_END GUEST_LIBC GUEST_START

static inline size_t g_len(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

static inline bool g_equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

/* The number after "word=" in the command line, or other. */
static inline uint64_t g_arg(const char *word, uint64_t other)
{
	size_t n = g_len(word);

	for (const char *p = g_boot->cmdline; *p; p++) {
		size_t i = 0;
		uint64_t v = 0;

		if (p != g_boot->cmdline && p[-1] != ' ')
			continue;
		while (i < n && p[i] == word[i])
			i++;
		if (i < n || p[i] != '=')
			continue;
		for (p += i + 1; *p >= '0' && *p <= '9'; p++)
			v = v * 10 + (uint64_t)(*p - '0');
		return v;
	}
	return other;
}

/* True if the first word of the command line is that. */
static inline bool g_word(const char *word)
{
	size_t n = g_len(word);
	const char *p = g_boot->cmdline;

	for (size_t i = 0; i < n; i++)
		if (p[i] != word[i])
			return false;
	return p[n] == '\0' || p[n] == ' ';
}

/* ---- the ABIs ---- */

#ifdef GUEST_HVT

static inline void g_call(unsigned n, volatile void *arg)
{
	__asm__ volatile("outl %0, %w1"
			 :
			 : "a"((uint32_t)(uintptr_t)arg), "Nd"((uint16_t)(0x500 + n))
			 : "memory");
}

static inline void g_init(void)
{
}

static inline void g_write(const void *bytes, size_t n)
{
	struct {
		uint64_t data, len;
	} a = { (uintptr_t)bytes, n };

	g_call(2, &a);
}

_Noreturn static inline void g_exit(int code)
{
	struct {
		uint64_t cookie;
		int32_t status;
	} a = { 0, code };

	for (;;)
		g_call(8, &a);
}

static inline uint64_t g_wall(void)
{
	uint64_t ns = 0;

	g_call(1, &ns);
	return ns;
}

static inline uint64_t g_now(void)
{
	uint64_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	low |= high << 32;
	/* times 10^9, by its frequency, 128 bits in between */
	__asm__("mulq %2; divq %3"
		: "+a"(low), "=&d"(high)
		: "r"(1000000000ull), "r"(g_boot->cycle_freq)
		: "cc");
	return low;
}

static inline int g_block(unsigned call, uint64_t handle, uint64_t offset, void *data,
			  uint64_t n)
{
	struct {
		uint64_t handle, offset, data, len;
		int32_t ret;
	} a = { handle, offset, (uintptr_t)data, n, G_EUNSPEC };

	g_call(call, &a);
	return a.ret;
}

static inline int g_block_write(uint64_t handle, uint64_t offset, void *data, uint64_t n)
{
	return g_block(4, handle, offset, data, n);
}

static inline int g_block_read(uint64_t handle, uint64_t offset, void *data, uint64_t n)
{
	return g_block(5, handle, offset, data, n);
}

static inline int g_net(unsigned call, uint64_t handle, void *data, uint64_t *n)
{
	struct {
		uint64_t handle, data, len;
		int32_t ret;
	} a = { handle, (uintptr_t)data, *n, G_EUNSPEC };

	g_call(call, &a);
	*n = a.len;
	return a.ret;
}

static inline int g_net_write(uint64_t handle, void *data, uint64_t n)
{
	return g_net(6, handle, data, &n);
}

static inline int g_net_read(uint64_t handle, void *data, uint64_t size, uint64_t *ret_n)
{
	*ret_n = size;
	return g_net(7, handle, data, ret_n);
}

/* Until a net device has a frame, or that moment of g_now; bit n: handle n. */
static inline uint64_t g_yield(uint64_t deadline)
{
	uint64_t now = g_now();
	struct {
		uint64_t timeout, ready;
		int32_t ret;
	} a = { deadline > now ? deadline - now : 0, 0, 0 };

	g_call(3, &a);
	return a.ready;
}

#else /* GUEST_SPT */

static inline long g_sys(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

struct g_timespec {
	int64_t sec, nsec;
};

static inline void g_init(void)
{
	(void)g_sys(158, 0x1002, 0, 0, 0, 0, 0);
}

static inline void g_write(const void *bytes, size_t n)
{
	(void)g_sys(1, 1, (long)bytes, (long)n, 0, 0, 0);
}

_Noreturn static inline void g_exit(int code)
{
	for (;;)
		(void)g_sys(231, code, 0, 0, 0, 0, 0);
}

static inline uint64_t g_clock(int which)
{
	struct g_timespec t = { 0 };

	(void)g_sys(228, which, (long)&t, 0, 0, 0, 0);
	return (uint64_t)t.sec * 1000000000u + (uint64_t)t.nsec;
}

static inline uint64_t g_wall(void)
{
	return g_clock(0);
}

static inline uint64_t g_now(void)
{
	return g_clock(1);
}

static inline int g_fd(uint64_t handle)
{
	return g_boot->manifest->e[handle].host.fd;
}

static inline int g_block_write(uint64_t handle, uint64_t offset, void *data, uint64_t n)
{
	return g_sys(18, g_fd(handle), (long)data, (long)n, (long)offset, 0, 0) ==
			       (long)n ?
		       G_OK :
		       G_EUNSPEC;
}

static inline int g_block_read(uint64_t handle, uint64_t offset, void *data, uint64_t n)
{
	return g_sys(17, g_fd(handle), (long)data, (long)n, (long)offset, 0, 0) ==
			       (long)n ?
		       G_OK :
		       G_EUNSPEC;
}

static inline int g_net_write(uint64_t handle, void *data, uint64_t n)
{
	long r = g_sys(1, g_fd(handle), (long)data, (long)n, 0, 0, 0);

	return r == (long)n ? G_OK : r == -11 ? G_AGAIN : G_EUNSPEC;
}

static inline int g_net_read(uint64_t handle, void *data, uint64_t size, uint64_t *ret_n)
{
	long r = g_sys(0, g_fd(handle), (long)data, (long)size, 0, 0, 0);

	*ret_n = r < 0 ? 0 : (uint64_t)r;
	return r == -11 ? G_AGAIN : r < 0 ? G_EUNSPEC : G_OK;
}

static inline uint64_t g_yield(uint64_t deadline)
{
	struct {
		struct g_timespec interval, value;
	} t = { { 0, 0 },
		{ (int64_t)(deadline / 1000000000u),
		  (int64_t)(deadline % 1000000000u) | 1 } };
	struct __attribute__((packed)) {
		uint32_t events;
		uint64_t data;
	} ev[64];
	uint64_t ready = 0;
	long r;

	(void)g_sys(286, g_boot->timer_fd, 1, (long)&t, 0, 0, 0);
	do {
		r = g_sys(281, g_boot->epoll_fd, (long)ev, 64, -1, 0, 0);
	} while (r == -4);
	for (long i = 0; i < r; i++)
		if (ev[i].data < 64)
			ready |= 1ull << ev[i].data;
	return ready;
}

#endif

/* ---- printing ---- */

static inline void g_puts(const char *text)
{
	g_write(text, g_len(text));
}

static inline void g_put_u64(uint64_t v)
{
	char buf[20];
	size_t i = sizeof(buf);

	do {
		buf[--i] = (char)('0' + v % 10);
		v /= 10;
	} while (v);
	g_write(buf + i, sizeof(buf) - i);
}

static inline void g_put_hex(uint64_t v)
{
	char buf[16];

	for (size_t i = 0; i < 16; i++)
		buf[i] = "0123456789abcdef"[v >> (60 - 4 * i) & 15];
	g_write(buf, 16);
}

/* The guest ends with 1 and says where. */
#define g_require(what)                                                                  \
	do {                                                                             \
		if (!(what)) {                                                           \
			g_puts("not so: " #what "\n");                                   \
			g_exit(1);                                                       \
		}                                                                        \
	} while (0)

#endif
