/* SPDX-License-Identifier: ISC */
#include "net-internal.h"

#include <stdio.h>
#include <string.h>

void pg_ip_from_lwip(struct pg_ip *ret, const ip_addr_t *ip)
{
	*ret = (struct pg_ip){ 0 };
	if (IP_IS_V6(ip)) {
		ret->version = 6;
		memcpy(ret->bytes, ip_2_ip6(ip)->addr, 16);
		ret->zone = ip6_addr_zone(ip_2_ip6(ip));
	} else {
		ret->version = 4;
		memcpy(ret->bytes, &ip_2_ip4(ip)->addr, 4);
	}
}

void pg_ip_to_lwip(ip_addr_t *ret, const struct pg_ip *ip)
{
	memset(ret, 0, sizeof *ret);
	if (ip->version == 6) {
		IP_SET_TYPE(ret, IPADDR_TYPE_V6);
		memcpy(ip_2_ip6(ret)->addr, ip->bytes, 16);
		ip6_addr_set_zone(ip_2_ip6(ret), ip->zone);
	} else if (ip->version == 4) {
		memcpy(&ip_2_ip4(ret)->addr, ip->bytes, 4);
	} else {
		IP_SET_TYPE(ret, IPADDR_TYPE_ANY);
	}
}

static bool parse_v4(const char *text, uint8_t ret[4])
{
	for (int i = 0; i < 4; i++) {
		unsigned v = 0, digits = 0;

		for (; *text >= '0' && *text <= '9' && digits < 3; digits++)
			v = v * 10 + (unsigned)(*text++ - '0');
		if (!digits || v > 255 || *text++ != (i < 3 ? '.' : 0))
			return false;
		ret[i] = (uint8_t)v;
	}
	return true;
}

int pg_ip_parse(const char *text, struct pg_ip *ret)
{
	struct pg_ip ip = { .version = 4 };
	ip6_addr_t v6;

	if (!parse_v4(text, ip.bytes)) {
		if (strlen(text) >= PG_IP_TEXT || strpbrk(text, "%/") ||
		    !ip6addr_aton(text, &v6))
			return PG_INVALID;
		ip.version = 6;
		memcpy(ip.bytes, v6.addr, 16);
	}
	*ret = ip;
	return PG_OK;
}

char *pg_ip_text(const struct pg_ip *ip, char ret[PG_IP_TEXT])
{
	ip_addr_t a;

	pg_ip_to_lwip(&a, ip);
	if (ip->version == 6)
		ip6addr_ntoa_r(ip_2_ip6(&a), ret, PG_IP_TEXT);
	else if (ip->version == 4)
		ip4addr_ntoa_r(ip_2_ip4(&a), ret, PG_IP_TEXT);
	else
		snprintf(ret, PG_IP_TEXT, "any");
	for (char *p = ret; *p; p++)
		if (*p >= 'A' && *p <= 'F')
			*p += 'a' - 'A';
	return ret;
}

char *pg_endpoint_text(const struct pg_endpoint *ep, char ret[PG_ENDPOINT_TEXT])
{
	char ip[PG_IP_TEXT];

	snprintf(ret, PG_ENDPOINT_TEXT, ep->ip.version == 6 ? "[%s]:%u" : "%s:%u",
		 pg_ip_text(&ep->ip, ip), ep->port);
	return ret;
}

bool pg_ip_equal(const struct pg_ip *a, const struct pg_ip *b)
{
	return a->version == b->version && a->zone == b->zone &&
	       memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}
