/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "graph/default-root.h"

#include "graph/graph-internal.h"

/* What many programs read and what is no secret. Each is one more mount in every start;
 * what one program wants is granted to that one. */
const char *const default_etc_shown[] = {
	"/etc/alternatives",    /* which awk, which editor */
	"/etc/fonts",           /* fontconfig */
	"/etc/ld.so.cache",     /* where libraries are */
	"/etc/ld.so.conf",      /* the same, for linking */
	"/etc/ld.so.conf.d",    /* the same */
	"/etc/localtime",       /* the time zone */
	"/etc/mime.types",      /* types of files by their ending */
	"/etc/protocols",       /* numbers of protocols */
	"/etc/services",        /* names of ports */
	"/etc/ssl/certs",       /* public certificates; never /etc/ssl/private */
	"/etc/ssl/openssl.cnf", /* openssl's defaults */
};
const size_t default_etc_n_shown = ARRAY_LEN(default_etc_shown);

/* Written anew for each environment (server/etc.c). */
static const char *const made[] = {
	"/etc/passwd",     "/etc/group",         "/etc/hostname",   "/etc/hosts",
	"/etc/machine-id", "/etc/nsswitch.conf", "/etc/os-release", "/etc/mtab",
};

bool default_etc_has(const char *path)
{
	if (streq(path, "/etc"))
		return true;
	for (size_t i = 0; i < ARRAY_LEN(made); i++)
		if (streq(path, made[i]))
			return true;
	for (size_t i = 0; i < default_etc_n_shown; i++)
		if (path_below(path, default_etc_shown[i]))
			return true;
	return false;
}
