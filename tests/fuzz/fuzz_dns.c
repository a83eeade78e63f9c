/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The DNS server of examples/unikernels. A message from the wire is asked of a zone that
 * has everything; the same bytes are also read as a zone. What comes out must be well
 * formed and within its bounds.
 */
#include "zone.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char text[] =
	"$TTL 1h\n"
	"@ SOA ns h 1 2 3 4 5\n@ NS ns\n@ NS ns.sub\nns A 192.0.2.1\n"
	"ns AAAA 2001:db8::1\nwww CNAME web\nweb A 192.0.2.2\nl CNAME l\n"
	"*.w CNAME x.w2\n*.w2 TXT a b c\na.b.c SRV 1 2 3 web\n@ MX 1 web\n"
	"sub NS ns.sub\nns.sub A 192.0.2.4\n@ CAA 0 issue x\n";

static void require(bool condition)
{
	if (!condition)
		abort();
}

static unsigned number(const uint8_t *p)
{
	return (unsigned)(p[0] << 8 | p[1]);
}

static void check_answer(const uint8_t *out, size_t len)
{
	uint8_t name[DNS_NAME_MAX];
	size_t at = 12;

	require(len >= 12 && out[2] & 0x80);
	for (unsigned n = number(out + 4); n; n--) {
		require(name_read(out, len, &at, name));
		at += 4;
	}
	for (unsigned n = number(out + 6) + number(out + 8) + number(out + 10); n; n--) {
		require(name_read(out, len, &at, name) && at + 10 <= len);
		at += 10 + number(out + at + 8);
		require(at <= len);
	}
	require(at == len);
}

static void ask(const struct zone *zone, const uint8_t *data, size_t size, bool stream)
{
	struct dns_server server = { zone, 1 };
	size_t max = stream ? DNS_TCP_MAX : DNS_UDP_MAX, n;
	uint8_t *out = malloc(max);

	if (!out)
		return;
	n = dns_answer(&server, data, size, out, max, stream);
	require(n <= max);
	if (n)
		check_answer(out, n);
	free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t origin[] = "\1z";
	static struct zone fixed;
	struct zone_error error;
	struct zone zone;

	if (!fixed.soa)
		require(zone_parse(&fixed, text, sizeof text - 1, origin, &error));
	ask(&fixed, data, size, false);
	ask(&fixed, data, size, true);
	if (!zone_parse(&zone, (const char *)data, size, origin, &error))
		return 0;
	ask(&zone, (const uint8_t *)"\0\1\1\0\0\1\0\0\0\0\0\0\1w\1z\0\0\377\0\1", 22,
	    true);
	for (size_t i = 0; i < zone.n; i++)
		require(name_below(zone.records[i].name, zone.origin));
	zone_fini(&zone);
	return 0;
}
