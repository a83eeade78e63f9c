/* SPDX-License-Identifier: ISC */
/* options.c - the words of the command line that are about the network. No lwIP here. */
#include "net-internal.h"

#include <stdio.h>
#include <string.h>

struct reader {
	const char *const *names;
	unsigned n;
	struct pg_net_options *of; /* one for each name */
	struct pg_common_options *common;
	char *why;
};

static bool wrong(struct reader *r, const char *word, const char *what)
{
	snprintf(r->why, 160, "%.60s: %s", word, what);
	return false;
}

static bool read_bool(const char *text, int *ret)
{
	*ret = strcmp(text, "true") == 0 || strcmp(text, "yes") == 0 ||
	       strcmp(text, "1") == 0;
	return *ret || strcmp(text, "false") == 0 || strcmp(text, "no") == 0 ||
	       strcmp(text, "0") == 0;
}

/* ADDRESS/PREFIX, of the wanted version. lwIP knows no other prefix of IPv6 than 64. */
static bool read_address(const char *text, unsigned version, struct pg_ip_option *ret)
{
	const char *slash = strchr(text, '/');
	unsigned prefix = 0, max = version == 4 ? 32 : 128;
	char ip[PG_IP_TEXT];

	if (!slash || (size_t)(slash - text) >= sizeof ip || !slash[1] ||
	    strlen(slash + 1) > 3)
		return false;
	for (const char *p = slash + 1; *p; p++) {
		if (*p < '0' || *p > '9')
			return false;
		prefix = prefix * 10 + (unsigned)(*p - '0');
	}
	memcpy(ip, text, (size_t)(slash - text));
	ip[slash - text] = 0;
	if (prefix > max || (version == 6 && prefix != 64) ||
	    pg_ip_parse(ip, &ret->address) != PG_OK || ret->address.version != version)
		return false;
	ret->prefix = prefix;
	ret->mode = PG_MODE_STATIC;
	return true;
}

static bool read_mode(struct reader *r, const char *word, const char *value,
		      unsigned version, struct pg_ip_option *ret)
{
	if (strcmp(value, version == 4 ? "dhcp" : "auto") == 0)
		ret->mode = PG_MODE_AUTO;
	else if (strcmp(value, "none") == 0)
		ret->mode = PG_MODE_NONE;
	else if (!read_address(value, version, ret))
		return wrong(r, word,
			     version == 4 ? "want ADDRESS/PREFIX, dhcp or none" :
					    "want ADDRESS/64, auto or none");
	return true;
}

static bool read_gateway(struct reader *r, const char *word, const char *value,
			 unsigned version, struct pg_ip *ret)
{
	if (pg_ip_parse(value, ret) != PG_OK || ret->version != version)
		return wrong(r, word,
			     version == 4 ? "want an IPv4 address" :
					    "want an IPv6 address");
	return true;
}

static bool read_common(struct reader *r, const char *word, const char *name,
			const char *value)
{
	struct pg_common_options *c = r->common;

	if (strcmp(name, "hostname") == 0) {
		if (!*value || strlen(value) >= sizeof c->hostname)
			return wrong(r, word, "want a name of 1 to 63 characters");
		snprintf(c->hostname, sizeof c->hostname, "%s", value);
		return true;
	}
	if (c->n_nameservers == 2)
		return wrong(r, word, "there are two already");
	if (pg_ip_parse(value, &c->nameservers[c->n_nameservers]) != PG_OK)
		return wrong(r, word, "want an address");
	c->n_nameservers++;
	return true;
}

static bool read_one(struct reader *r, const char *word, const char *name,
		     const char *value, struct pg_net_options *o)
{
	if (strcmp(name, "ipv4") == 0)
		return read_mode(r, word, value, 4, &o->v4);
	if (strcmp(name, "ipv6") == 0)
		return read_mode(r, word, value, 6, &o->v6);
	if (strcmp(name, "ipv4-gateway") == 0)
		return read_gateway(r, word, value, 4, &o->v4.gateway);
	if (strcmp(name, "ipv6-gateway") == 0)
		return read_gateway(r, word, value, 6, &o->v6.gateway);
	return read_bool(value, &o->accept_ra) || wrong(r, word, "want true or false");
}

static bool is_ours(const char *name)
{
	static const char *const ours[] = { "ipv4", "ipv6", "ipv4-gateway",
					    "ipv6-gateway",
					    "accept-router-advertisements" };

	for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
		if (strcmp(name, ours[i]) == 0)
			return true;
	return false;
}

/* 1: taken; 0: somebody else's; -1: wrong. */
static int read_word(struct reader *r, const char *word)
{
	const char *equals = strchr(word, '=');
	const char *name, *rest;
	char before[96];

	if (word[0] != '-' || word[1] != '-' || !equals ||
	    (size_t)(equals - word - 2) >= sizeof before)
		return 0;
	memcpy(before, word + 2, (size_t)(equals - word - 2));
	before[equals - word - 2] = 0;
	name = before;
	if (strcmp(name, "nameserver") == 0 || strcmp(name, "hostname") == 0)
		return read_common(r, word, name, equals + 1) ? 1 : -1;
	if (is_ours(name))
		return read_one(r, word, name, equals + 1, &r->of[0]) ? 1 : -1;
	for (unsigned i = 0; i < r->n; i++) {
		size_t len = strlen(r->names[i]);

		if (strncmp(name, r->names[i], len) != 0 || name[len] != '-')
			continue;
		rest = name + len + 1;
		if (is_ours(rest))
			return read_one(r, word, rest, equals + 1, &r->of[i]) ? 1 : -1;
	}
	return 0;
}

bool pg_options_read(int *argc, char **argv, const char *const *names, unsigned n,
		     struct pg_net_options *ret, struct pg_common_options *ret_common,
		     char why[160])
{
	struct reader r = {
		.names = names, .n = n, .of = ret, .common = ret_common, .why = why
	};
	int kept = 1;

	memset(ret_common, 0, sizeof *ret_common);
	for (unsigned i = 0; i < n; i++)
		ret[i] = (struct pg_net_options){ .accept_ra = -1 };
	for (int i = 1; i < *argc; i++) {
		int taken = read_word(&r, argv[i]);

		if (taken < 0)
			return false;
		if (!taken)
			argv[kept++] = argv[i];
	}
	if (*argc > 0) {
		*argc = kept;
		argv[kept] = NULL;
	}
	return true;
}
