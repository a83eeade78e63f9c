/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a peer on the wire of a unikernel may send: the guest runtime's network, lwIP and
 * the three examples that use it, as one process on the host (build-net makes it; this
 * file is the rest of the guest API).
 *
 * An input is frames: a byte of flags, two of length, the bytes. Random bytes alone would
 * never pass the first checks, so flags say what to put right: addresses, ports, lengths,
 * and TCP's numbers, which are followed for one connection. Checksums are not looked at in
 * this build. Time goes on by itself. Every now and then everything must have been let go.
 */
#include <polder/guest/guest.h>
#include <polder/guest/net.h>
#include <polder/guest/tls.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int echo_main(int argc, char **argv);
int web_main(int argc, char **argv);
int dns_main(int argc, char **argv);
int started_already(int *argc, char **argv);
void no_loop(void);

enum flag {
	IP4 = 1, /* an IPv4 packet to us; with the next: TCP, else, with WEB, UDP */
	IP6 = 2, /* not IPv4: an IPv6 packet to us; with IPv4: a fragment, perhaps */
	TCP = 4,
	WEB = 8,     /* to port 80 (TCP), not to 7 */
	FOLLOW = 16, /* of the connection that there is */
	GAP = 32,    /* not where it left off */
	ANY = 64,    /* addresses of IPv6 as they are */
	LATER = 128  /* a quarter of a second passes */
};

#define OUR_MAC 2, 0, 0, 0, 0, 0x42, 2, 0, 0, 0, 0, 1
static const uint8_t head4[] = { OUR_MAC, 8, 0, 0x45 };
static const uint8_t head6[] = { OUR_MAC, 0x86, 0xdd, 0x60 };
static const uint8_t ends4[] = { 10, 0, 0, 1, 10, 0, 0, 2 };
static const uint8_t ends6[] = { 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
				 0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2 };

static const uint8_t *in;
static size_t in_left;
static uint64_t now = 1000 * PG_SECOND;

/* One connection, as its peer sees it. */
static uint32_t their_next, our_next;
static unsigned our_port;

static unsigned get16(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* ---- frames in ---- */

static void follow_tcp(uint8_t *f, size_t n, unsigned flags)
{
	size_t head = (size_t)(f[46] >> 4) * 4;

	put16(f + 34, our_port);
	if (f[47] & 2) { /* SYN: it begins again */
		our_next = get32(f + 38) + 1;
		return;
	}
	put32(f + 38, our_next + (flags & GAP ? (f[38] & 15u) * 100 : 0));
	put32(f + 42, their_next);
	if (head < 20) {
		f[46] = 0x50;
		head = 20;
	}
	if (!(flags & GAP) && n > 34 + head)
		our_next += (uint32_t)(n - 34 - head);
	our_next += f[47] & 1;
}

static void put_right4(uint8_t *f, size_t n, unsigned flags)
{
	memcpy(f, head4, sizeof head4);
	put16(f + 16, (unsigned)n - 14);
	if (!(flags & IP6))
		put16(f + 20, 0);
	memcpy(f + 26, ends4, sizeof ends4);
	if (flags & TCP && n >= 54) {
		f[23] = 6;
		put16(f + 36, flags & WEB ? 80 : f[36] & 1 ? 53 : 7);
		if (flags & FOLLOW) {
			follow_tcp(f, n, flags);
			return;
		}
		our_port = get16(f + 34);
		our_next = get32(f + 38) + (f[47] & 2 ? 1 : 0);
	} else if (flags & WEB && n >= 42) {
		f[23] = 17;
		put16(f + 36, f[36] & 1 ? 53 : 7);
		put16(f + 38, (unsigned)n - 34);
	}
}

static void put_right6(uint8_t *f, size_t n, unsigned flags)
{
	memcpy(f, head6, sizeof head6);
	put16(f + 18, (unsigned)n - 54);
	if (!(flags & ANY))
		memcpy(f + 22, ends6, sizeof ends6);
}

int pg_net_read(pg_device d, void *buf, size_t size, size_t *ret_len)
{
	unsigned flags;
	size_t n;

	(void)d;
	if (in_left < 3)
		return PG_AGAIN;
	flags = in[0];
	n = get16(in + 1) & 0x7ff;
	in += 3;
	in_left -= 3;
	if (n > in_left)
		n = in_left;
	if (n > size)
		n = size;
	memcpy(buf, in, n);
	in += n;
	in_left -= n;
	if (flags & IP4 && n >= 34)
		put_right4(buf, n, flags);
	else if (flags & IP6 && n >= 54)
		put_right6(buf, n, flags);
	if (flags & LATER)
		now += PG_SECOND / 4;
	*ret_len = n;
	return n ? PG_OK : PG_AGAIN;
}

/* ---- frames out ---- */

int pg_net_write(pg_device d, const void *frame, size_t len)
{
	static volatile unsigned sum;
	const uint8_t *f = frame;

	(void)d;
	for (size_t i = 0; i < len; i++) /* all of it must be there */
		sum += f[i];
	if (len >= 54 && get16(f + 12) == 0x800 && f[23] == 6 &&
	    get16(f + 36) == our_port)
		their_next = get32(f + 38) + !!(f[47] & 2) + (f[47] & 1) +
			     (uint32_t)(get16(f + 16) - 20 - (f[46] >> 4) * 4);
	return PG_OK;
}

/* ---- the rest of a guest ---- */

int pg_device_next(pg_device *it, const char **ret_name, enum pg_device_type *ret_type)
{
	*ret_name = "service";
	*ret_type = PG_NET;
	return (*it)++ == 0;
}

int pg_net_find(const char *name, pg_device *ret, struct pg_net_info *ret_info)
{
	(void)name;
	*ret = 1;
	*ret_info = (struct pg_net_info){ { 2, 0, 0, 0, 0, 0x42 }, 1500 };
	return PG_OK;
}

uint64_t pg_clock_monotonic(void)
{
	return now;
}

uint64_t pg_clock_wall(void)
{
	return now;
}

uint64_t pg_deadline_in(uint64_t ns)
{
	return now + ns;
}

pg_set pg_poll(uint64_t deadline)
{
	if (in_left >= 3)
		return PG_SET_OF(1);
	if (deadline != PG_NEVER && deadline > now)
		now = deadline;
	return 0;
}

void pg_entropy_weak(void *buf, size_t len)
{
	static uint32_t x = 1;

	for (uint8_t *p = buf; len; len--) {
		x = x * 1103515245 + 12345;
		*p++ = (uint8_t)(x >> 16);
	}
}

void pg_memory(struct pg_memory *ret)
{
	*ret = (struct pg_memory){ .total = 1 << 26, .heap = 1 << 26 };
}

void pg_println(const char *text)
{
	(void)text;
}

void pg_abort(const char *why)
{
	fprintf(stderr, "abort: %s\n", why);
	abort();
}

int pg_tls_server(const struct pg_tls_identity *id, struct pg_tls **ret,
		  char why[PG_TLS_WHY])
{
	(void)id;
	(void)ret;
	snprintf(why, PG_TLS_WHY, "not in this build");
	return PG_INVALID;
}

static const char page[] = "hello world";
static const char zone[] =
	"$TTL 1h\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 10.0.0.2\n*.w TXT x\n";
static const struct pg_file files[] = {
	{ "/www/index.html", page, sizeof page - 1 },
	{ "/zones/z", zone, sizeof zone - 1 },
};

size_t pg_file_count(void)
{
	return 2;
}

const struct pg_file *pg_file_at(size_t index)
{
	return index < 2 ? &files[index] : NULL;
}

const struct pg_file *pg_file_find(const char *path)
{
	(void)path;
	return NULL;
}

/* ---- the run ---- */

/* The web and the name server are told so in place of pg_ip_start(). */
int started_already(int *argc, char **argv)
{
	(void)argv;
	*argc = 1;
	return PG_OK;
}

void no_loop(void)
{
}

static void pass(unsigned rounds, uint64_t step)
{
	while (rounds--)
		pg_loop_once(now + step);
}

static void start(void)
{
	char words[][24] = { "x", "--ipv4=10.0.0.2/24", "--ipv6=fd00::2/64" };
	char *argv[] = { words[0], words[1], words[2], NULL };
	int argc = 3;

	if (echo_main(argc, argv) || web_main(1, argv) || dns_main(1, argv))
		abort();
	pass(20, PG_SECOND);
}

static void check_let_go(void)
{
	struct pg_net_stats s;

	pass(4000, PG_SECOND);
	pg_net_stats(&s);
	if (s.connections == 0 && s.memory < (size_t)2 << 20)
		return;
	fprintf(stderr, "left: %u connections, %zu bytes\n", s.connections, s.memory);
	abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned runs;

	if (runs == 0)
		start();
	in = data;
	in_left = size;
	for (unsigned rounds = 0; in_left >= 3 && rounds < 200; rounds++)
		pg_loop_once(now);
	pass(8, PG_SECOND / 10);
	if (++runs % 64 == 0)
		pass(200, PG_SECOND);
	if (runs % 4096 == 1)
		check_let_go();
	return 0;
}
