/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Shared by the files of src/server alone. */
#ifndef POLDER_SERVER_INTERNAL_H
#define POLDER_SERVER_INTERNAL_H

#include "server/server.h"

typedef int server_fn(struct spec *s, const struct genv *e, const struct binding *b,
		      const struct server_ctx *cx, struct err *err);

server_fn server_console, server_dir, server_net, server_clock, server_entropy,
	server_identity, server_socket;

/* The root that a program gets when none was asked for, but for its /etc; nothing if one
 * was. */
int server_default_root(struct spec *s, const struct genv *e, const struct server_ctx *cx,
			struct err *err);
/* The rest of it; or the root that was asked for, with what every root gets. */
int server_root(struct spec *s, const struct genv *e, const struct server_ctx *cx,
		struct err *err);
int server_etc(struct spec *s, const struct genv *e, const struct server_ctx *cx,
	       struct err *err);

/* A file or directory of the host's /etc, as it is. */
void server_etc_show(struct spec *s, const char *path);
/* Its links: text, path. */
extern const char *const server_etc_links[][2];
extern const size_t server_etc_n_links;

/* A finished /etc, mounted as a whole, if it is one like any other; made: path, NUL, text,
 * NUL, and so on, the files that Polder writes. False: it is to be put together. */
bool skeleton_use(struct spec *s, const struct genv *e, const struct server_ctx *cx,
		  const struct str *made);

/* The home directory inside, and the user's name there. */
const char *server_home(const struct spec *s);
const char *server_user_name(const struct genv *e, const struct spec *s);

/* Fills src, dev and ino of a grant; *ret_mode is the st_mode. */
int server_examine(struct spec *s, struct spec_mount *m, const char *path,
		   uint32_t *ret_mode, struct err *err);

/* True if inner is outer or lies below it. */
bool server_lies_in(const char *inner, const char *outer);

/* ---- guard.c: what a grant of src at dst must not carry ---- */

/* Polder's own places; and, where it can be written, Polder's programs. */
int guard_places(struct spec *s, const struct server_ctx *cx, const char *src,
		 const char *dst, bool writable, struct err *err);
/* at: where it is looked at, by whatever name holds while src may be swapped. */
struct guarded_tree {
	const char *src, *at, *dst;
};
/* What would let the program run code outside later, unless e grants it by name. */
int guard_planting(struct spec *s, const struct genv *e, const struct guarded_tree *t,
		   struct err *err);

/* A tree that a program with the root identity may write must not be open to everybody
 * on the host: PE_REFUSED, unless weaker is accepted. */
int server_guard_setuid(const struct spec *s, const struct server_ctx *cx,
			const char *path, struct err *err);

#endif
