/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "graph/default-root.h"

#include "graph/graph-internal.h"

/* What programs read and what is no secret. */
const char *const default_etc_shown[] = {
	"/etc/alternatives",    /* which awk, which editor */
	"/etc/ca-certificates", /* what the certificates are made from */
	"/etc/debian_version",  /* which system this is */
	"/etc/fonts",           /* fontconfig */
	"/etc/gai.conf",        /* order of addresses */
	"/etc/ld.so.cache",     /* where libraries are */
	"/etc/ld.so.conf",      /* the same, for ldconfig */
	"/etc/ld.so.conf.d",    /* the same */
	"/etc/locale.alias",    /* names of locales */
	"/etc/localtime",       /* the time zone */
	"/etc/magic",           /* file(1) */
	"/etc/mime.types",      /* types of files by their ending */
	"/etc/perl",            /* perl's local modules */
	"/etc/protocols",       /* numbers of protocols */
	"/etc/python3",         /* debian's python */
	"/etc/python3.11",      /* its start-up file */
	"/etc/services",        /* names of ports */
	"/etc/ssl/certs",       /* public certificates; never /etc/ssl/private */
	"/etc/ssl/openssl.cnf", /* openssl's defaults */
	"/etc/terminfo",        /* terminals */
	"/etc/timezone",        /* the time zone's name */
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
