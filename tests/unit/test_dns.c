/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The DNS server of examples/unikernels: zones are read, questions answered. */
#include "zone.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char zone_text[] = "$TTL 1h\n"
				"@ IN SOA ns hostmaster ( 7 1d 2h 4w 300 ) ; a comment\n"
				"  NS ns\n"
				"ns A 192.0.2.1\n"
				"   AAAA 2001:db8::1\n"
				"www 60 IN CNAME web\n"
				"web A 192.0.2.2\n"
				"loop CNAME loop\n"
				"far CNAME elsewhere.test.\n"
				"*.w TXT \"wild \\\"card\\\"\" two\n"
				"a.b.c A 192.0.2.3\n"
				"sub NS ns.sub\n"
				"ns.sub A 192.0.2.4\n"
				"mail MX 10 web\n";

static struct zone zone;
static struct dns_server server = { &zone, 1 };
static uint8_t out[DNS_TCP_MAX];
static size_t out_len;

static const uint8_t *wire(const char *text)
{
	static uint8_t name[DNS_NAME_MAX];

	assert_true(name_parse(text, strlen(text), NULL, name));
	return name;
}

static int set_up(void **state)
{
	struct zone_error error;

	(void)state;
	if (zone_parse(&zone, zone_text, strlen(zone_text), wire("example.org."), &error))
		return 0;
	print_error("%u: %s\n", error.line, error.text);
	return 1;
}

static int tear_down(void **state)
{
	(void)state;
	zone_fini(&zone);
	return 0;
}

/* ---- asking ---- */

struct question {
	const char *name;
	unsigned type;
	unsigned edns; /* the size that is offered; 0: no OPT */
	bool tcp;
};

static size_t make(const struct question *q, uint8_t msg[600])
{
	uint8_t head[12] = { 0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, q->edns > 0 };
	const uint8_t *name = wire(q->name);
	size_t len = sizeof head;

	memcpy(msg, head, len);
	memcpy(msg + len, name, name_len(name));
	len += name_len(name);
	memcpy(msg + len, (uint8_t[]){ (uint8_t)(q->type >> 8), (uint8_t)q->type, 0, 1 },
	       4);
	len += 4;
	if (q->edns) {
		memcpy(msg + len,
		       (uint8_t[]){ 0, 0, 41, (uint8_t)(q->edns >> 8), (uint8_t)q->edns,
				    0, 0, 0, 0, 0, 0 },
		       11);
		len += 11;
	}
	return len;
}

static unsigned number(size_t at)
{
	assert_true(at + 2 <= out_len);
	return (unsigned)(out[at] << 8 | out[at + 1]);
}

/* Reads the whole answer: everything in it must be well formed. */
static void check_form(void)
{
	uint8_t name[DNS_NAME_MAX];
	size_t at = 12;

	for (unsigned n = number(4); n; n--) {
		assert_true(name_read(out, out_len, &at, name));
		at += 4;
	}
	for (unsigned n = number(6) + number(8) + number(10); n; n--) {
		assert_true(name_read(out, out_len, &at, name));
		at += 10 + number(at + 8);
	}
	assert_int_equal(at, out_len);
}

static void ask(const struct question *q)
{
	uint8_t msg[600];
	size_t len = make(q, msg);

	out_len = dns_answer(&server, msg, len, out, q->tcp ? DNS_TCP_MAX : DNS_UDP_MAX,
			     q->tcp);
	assert_true(out_len >= 12);
	assert_int_equal(number(0), 0x1234);
	assert_true(number(2) & 0x8000);
	check_form();
}

struct expected {
	unsigned rcode, answers, authorities, additional;
	bool aa, tc;
};

static void expect(const struct question *q, const struct expected *e)
{
	ask(q);
	assert_int_equal(number(2) & 15, e->rcode);
	assert_int_equal((number(2) & 0x0400) != 0, e->aa);
	assert_int_equal((number(2) & 0x0200) != 0, e->tc);
	assert_int_equal(number(6), e->answers);
	assert_int_equal(number(8), e->authorities);
	assert_int_equal(number(10), e->additional);
}

#define ASK(...) (&(struct question){ __VA_ARGS__ })
#define WANT(...) (&(struct expected){ __VA_ARGS__ })

static void answers(void **state)
{
	(void)state;
	expect(ASK("web.example.org.", DNS_A), WANT(0, 1, 0, 0, true));
	expect(ASK("WEB.Example.ORG.", DNS_A), WANT(0, 1, 0, 0, true));
	assert_memory_equal(out + 12, "\3WEB\7Example\3ORG", 17); /* as it was asked */
	expect(ASK("www.example.org.", DNS_A), WANT(0, 2, 0, 0, true));
	expect(ASK("www.example.org.", DNS_CNAME), WANT(0, 1, 0, 0, true));
	expect(ASK("example.org.", DNS_NS), WANT(0, 1, 0, 2, true));
	expect(ASK("mail.example.org.", DNS_MX), WANT(0, 1, 0, 1, true));
	expect(ASK("example.org.", DNS_ANY), WANT(0, 1, 0, 2, true));
	expect(ASK("far.example.org.", DNS_A), WANT(0, 1, 0, 0, true));
	expect(ASK("loop.example.org.", DNS_A), WANT(0, 8, 0, 0, true));
}

static void nothing(void **state)
{
	(void)state;
	expect(ASK("no.example.org.", DNS_A), WANT(DNS_NXDOMAIN, 0, 1, 0, true));
	expect(ASK("web.example.org.", DNS_AAAA), WANT(0, 0, 1, 0, true));
	/* A name that is there only because something is below it. */
	expect(ASK("b.c.example.org.", DNS_A), WANT(0, 0, 1, 0, true));
	expect(ASK("x.b.c.example.org.", DNS_A), WANT(DNS_NXDOMAIN, 0, 1, 0, true));
	expect(ASK("example.com.", DNS_A), WANT(DNS_REFUSED, 0, 0, 0, false));
	expect(ASK(".", DNS_NS), WANT(DNS_REFUSED, 0, 0, 0, false));
	expect(ASK("example.org.", DNS_AXFR, 0, true), WANT(DNS_REFUSED, 0, 0, 0, false));
}

static void wildcards(void **state)
{
	(void)state;
	expect(ASK("x.w.example.org.", DNS_TXT), WANT(0, 1, 0, 0, true));
	expect(ASK("x.y.w.example.org.", DNS_TXT), WANT(0, 1, 0, 0, true));
	expect(ASK("x.w.example.org.", DNS_A), WANT(0, 0, 1, 0, true));
	expect(ASK("w.example.org.", DNS_TXT), WANT(0, 0, 1, 0, true));
	ask(ASK("x.w.example.org.", DNS_TXT));
	assert_memory_equal(out + out_len - 16, "\13wild \"card\"\3two", 16);
}

static void referrals(void **state)
{
	(void)state;
	expect(ASK("x.sub.example.org.", DNS_A), WANT(0, 0, 1, 1, false));
	expect(ASK("sub.example.org.", DNS_NS), WANT(0, 0, 1, 1, false));
	expect(ASK("ns.sub.example.org.", DNS_A), WANT(0, 0, 1, 1, false));
	expect(ASK("sub.example.org.", DNS_DS), WANT(0, 0, 1, 0, true));
}

static void edns(void **state)
{
	uint8_t msg[600];
	size_t len;

	(void)state;
	expect(ASK("web.example.org.", DNS_A, 4096), WANT(0, 1, 0, 1, true));
	assert_int_equal(number(out_len - 11 + 3), DNS_UDP_MAX);
	/* A later version of it. */
	len = make(ASK("web.example.org.", DNS_A, 4096), msg);
	msg[len - 5] = 1;
	out_len = dns_answer(&server, msg, len, out, DNS_UDP_MAX, false);
	assert_int_equal(number(2) & 15, 0);
	assert_int_equal(out[out_len - 11 + 5], 1); /* BADVERS is 16 */
	assert_int_equal(number(6), 0);
}

static void refused_messages(void **state)
{
	uint8_t msg[600];
	size_t len = make(ASK("web.example.org.", DNS_A), msg);

	(void)state;
	for (size_t n = 0; n < 12; n++)
		assert_int_equal(dns_answer(&server, msg, n, out, DNS_UDP_MAX, false), 0);
	for (size_t n = 12; n < len; n++) {
		out_len = dns_answer(&server, msg, n, out, DNS_UDP_MAX, false);
		assert_int_equal(out_len, 12); /* never more than was sent */
		assert_int_equal(number(2) & 15, DNS_FORMERR);
	}
	msg[2] |= 0x80; /* an answer is not answered */
	assert_int_equal(dns_answer(&server, msg, len, out, DNS_UDP_MAX, false), 0);
	msg[2] = 0x28;
	out_len = dns_answer(&server, msg, len, out, DNS_UDP_MAX, false);
	assert_int_equal(number(2) & 15, DNS_NOTIMP);
	/* A name that points to itself, and one that points forward. */
	msg[2] = 1;
	memcpy(msg + 12, (uint8_t[]){ 0xc0, 12, 0, 1, 0, 1 }, 6);
	out_len = dns_answer(&server, msg, 18, out, DNS_UDP_MAX, false);
	assert_int_equal(number(2) & 15, DNS_FORMERR);
	memcpy(msg + 12, (uint8_t[]){ 0xc0, 14, 0, 1, 0, 1 }, 6);
	out_len = dns_answer(&server, msg, 18, out, DNS_UDP_MAX, false);
	assert_int_equal(number(2) & 15, DNS_FORMERR);
}

static void truncation(void **state)
{
	const char *head = "@ 60 SOA a b 1 2 3 4 5\n";
	struct zone_error error;
	struct zone big;
	struct dns_server s = { &big, 1 }, before = server;
	char text[8192];
	size_t n = (size_t)snprintf(text, sizeof text, "%s", head);

	(void)state;
	for (int i = 0; i < 100; i++)
		n += (size_t)snprintf(text + n, sizeof text - n, "many 60 A 192.0.2.%d\n",
				      i);
	assert_true(zone_parse(&big, text, n, wire("big."), &error));
	server = s;
	ask(ASK("many.big.", DNS_A));
	assert_true(out_len <= 512 && number(2) & 0x0200);
	ask(ASK("many.big.", DNS_A, 65535));
	assert_true(out_len <= DNS_UDP_MAX && out_len > 512 && number(2) & 0x0200);
	expect(ASK("many.big.", DNS_A, 0, true), WANT(0, 100, 0, 0, true));
	server = before;
	zone_fini(&big);
}

static void bad_zones(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
		const char *why;
	} bad[] = {
		{ "@ 1 A 192.0.2.1\n", 2, "no SOA" },
		{ "@ SOA a b 1 2 3 4 5\n", 1, "no TTL" },
		{ "$TTL 1\n@ SOA a b 1 2 3 4 5\nx A 192.0.2.256\n", 3, "no IPv4" },
		{ "$TTL 1\n@ SOA a b 1 2 3 4 5\nx AAAA 1::2::3\n", 3, "no IPv6" },
		{ "$TTL 1\n@ SOA a b 1 2 3 4 5\nx AAAA 1:2:3:4:5:6:7:8:9\n", 3,
		  "no IPv6" },
		{ "$TTL 1\n@ SOA a b 1 2 3 4\n", 2, "wants 7 values" },
		{ "$TTL 1\n@ SOA ( a b 1 2 3 4 5\n", 2, "without its ')'" },
		{ "$TTL 1\n@ SOA a b 1 2 3 4 5 )\n", 2, "without its '('" },
		{ "$TTL 1\n@ SOA a b 1 2 3 4 5\nx TXT \"open\n", 3, "does not end" },
		{ "$TTL 1\n@ SOA a b 1 2 3 4 5\nx TXT \\1\n", 3, "a bad \\" },
		{ "$TTL 1\n@ SOA a b 1 2 3 4 5\nx.y. A 192.0.2.1\n", 4, "outside" },
		{ "$TTL 1\n@ SOA a b 1 2 3 4 5\nx SOA a b 1 2 3 4 5\n", 4, "second SOA" },
		{ "$TTL 1\n@ SOA a b 1 2 3 4 5\nx CNAME a\nx A 192.0.2.1\n", 5,
		  "something else" },
		{ "$TTL 1\n@ SOA a b 1 2 3 4 5\nx WKS a\n", 3, "no type" },
		{ "$INCLUDE other\n", 1, "not known" },
		{ " A 192.0.2.1\n", 1, "no name" },
		{ "$TTL 1\na..b A 192.0.2.1\n", 2, "is no name" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct zone_error error;
		struct zone z;

		assert_false(zone_parse(&z, bad[i].text, strlen(bad[i].text),
					wire("example.org."), &error));
		if (error.line != bad[i].line || !strstr(error.text, bad[i].why))
			fail_msg("%s: %u: %s", bad[i].text, error.line, error.text);
	}
}

static void names(void **state)
{
	uint8_t a[DNS_NAME_MAX], long_name[DNS_NAME_MAX];
	char text[300];

	(void)state;
	assert_true(name_parse("a\\.b\\003.C.", 11, NULL, a));
	assert_memory_equal(a, "\4a.b\3\1C", 8);
	name_text(a, text, sizeof text);
	assert_string_equal(text, "a\\046b\\003.C.");
	assert_false(name_parse("relative", 8, NULL, a));
	memset(text, 'a', sizeof text);
	assert_false(name_parse(text, 64, (const uint8_t *)"", a));
	assert_true(name_parse(text, 63, (const uint8_t *)"", a));
	/* 255 bytes are a name, one more is none. */
	for (int i = 63; i < 252; i += 64)
		text[i] = '.';
	assert_true(name_parse(text, 253, (const uint8_t *)"", long_name));
	assert_int_equal(name_len(long_name), 255);
	assert_false(name_parse(text, 254, (const uint8_t *)"", a));
	assert_true(name_compare((const uint8_t *)"\1a\1b", (const uint8_t *)"\1b") > 0);
	assert_true(name_compare((const uint8_t *)"\1z\1a", (const uint8_t *)"\1b") < 0);
	assert_true(name_below((const uint8_t *)"\1a\1b", (const uint8_t *)"\1b"));
	assert_false(name_below((const uint8_t *)"\1a\2bb", (const uint8_t *)"\1b"));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answers),    cmocka_unit_test(nothing),
		cmocka_unit_test(wildcards),  cmocka_unit_test(referrals),
		cmocka_unit_test(edns),       cmocka_unit_test(refused_messages),
		cmocka_unit_test(truncation), cmocka_unit_test(bad_zones),
		cmocka_unit_test(names),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
