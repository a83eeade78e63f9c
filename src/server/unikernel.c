/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The whole spec of one unikernel: its image, its arguments, and every device. */
#include "server/unikernel-internal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "base/fd.h"

void unikernel_free(struct unikernel *u)
{
	if (!u)
		return;
	for (size_t i = 0; i < u->n_nets; i++)
		fd_close_list((int[]){ u->net[i].fd, u->net[i].peer, u->net[i].joint },
			      3);
	fd_close_list(u->fds, u->n_fds);
	if (u->kept)
		fd_close_list(u->kept, u->spec.n_devices);
	free(u->kept);
	free(u->net);
	free(u->fds);
	free(u->cmdline);
	free(u);
}

static void keep_volumes(struct unikernel *u)
{
	uint32_t n = u->spec.n_devices;

	u->kept = u->spec.flags & USPEC_SWAPS ? calloc(n, sizeof(*u->kept)) : NULL;
	for (uint32_t i = 0; u->kept && i < n; i++) {
		const struct uspec_device *d = &u->spec.devices[i];

		u->kept[i] = d->type == USPEC_BLOCK ? fd_dup_above(d->fd, 3) : -1;
	}
}

void unikernel_given(struct unikernel *u)
{
	keep_volumes(u);
	fd_close_list(u->fds, u->n_fds);
	u->n_fds = 0;
}

int unikernel_keep(struct unikernel *u, int take_fd, struct err *err)
{
	int *room = realloc(u->fds, (u->n_fds + 1) * sizeof(*room));

	if (!room) {
		(void)close(take_fd);
		return err_oom(err);
	}
	u->fds = room;
	room[u->n_fds++] = take_fd;
	return 0;
}

/* The guest has one line and takes it apart itself; spaces join the words. */
static int plan_cmdline(struct unikernel *u, const struct genv *e, struct err *err)
{
	auto_str line = STR_INIT;

	for (size_t i = 0; i < e->n_argv; i++)
		str_addf(&line, "%s%s", i ? " " : "", e->argv[i]);
	if (line.len >= USPEC_CMDLINE_BYTES)
		return err_set(err, PE_USAGE,
			       "the unikernel's arguments are longer than %d bytes",
			       USPEC_CMDLINE_BYTES - 1);
	u->cmdline = strdup(str_text(&line));
	u->spec.cmdline = u->cmdline;
	return u->cmdline ? 0 : err_oom(err);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	return clock_gettime(CLOCK_REALTIME, &t) == 0 ?
		       (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec :
		       0;
}

static int plan_clock(struct uspec *s, const struct binding *b, struct err *err)
{
	const struct kv *offset = binding_option(b, "offset"),
			*start = binding_option(b, "start");
	const char *text = offset && offset->value ? offset->value : "0s";
	bool back = *text == '-';
	uint64_t ms = 0;

	if (b->source == SRC_PARENT)
		return 0;
	s->flags |= USPEC_CLOCK_START;
	if (b->source == SRC_FAKE && start && start->value)
		return time_parse(start->value, &s->wall_start_ns) ?
			       0 :
			       err_set(err, PE_USAGE, "clock: start=%s is no time",
				       start->value);
	if (b->source != SRC_OWN)
		return 0; /* null: 1970 */
	if (!str_to_ms(text + (back || *text == '+'), &ms) || ms > INT64_MAX / 1000000 ||
	    (back && ms * 1000000 > now_ns()))
		return err_set(err, PE_USAGE,
			       "clock: offset=%s is no duration that fits between 1970 "
			       "and 2260",
			       text);
	s->wall_start_ns = back ? now_ns() - ms * 1000000 : now_ns() + ms * 1000000;
	return 0;
}

static int plan_device(struct unikernel *u, const struct genv *e,
		       const struct gdevice *device, const struct server_ctx *cx,
		       struct err *err)
{
	struct uspec_device *d = &u->spec.devices[u->spec.n_devices++];
	auto_free char *slot = str_printf("dev:%s", device->name);
	const struct binding *b = slot ? genv_binding(e, slot) : NULL;

	*d = (struct uspec_device){ .name = device->name, .fd = -1, .base = -1 };
	if (!slot)
		return err_oom(err);
	if (!b) /* graph_check has said so before */
		return err_set(err, PE_USAGE, "nothing is bound to the device '%s'",
			       device->name);
	return device->iface == IF_NET ? server_frames(u, d, b, cx, err) :
					 server_volume(u, d, b, cx, err);
}

static int open_image(struct unikernel *u, const struct genv *e, struct err *err)
{
	u->spec.image_fd = open(e->image, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (u->spec.image_fd < 0)
		return err_sys(err, "cannot open '%s'", e->image);
	return unikernel_keep(u, u->spec.image_fd, err);
}

/* Started by root, it has a number of its own, as a Linux environment's nobody else. */
static void plan_ids(struct uspec *s, const struct server_ctx *cx)
{
	s->uid = cx->uid_base ? cx->uid_base + 1000 : cx->uid;
	s->gid = cx->uid_base ? cx->uid_base + 1000 : cx->gid;
}

static int plan_core(struct spec *s, const struct genv *e, const struct server_ctx *cx,
		     struct err *err)
{
	const struct binding *console = genv_binding(e, "console");

	s->name = spec_str(s, e->name);
	s->limit_cpu_percent = e->limits.cpu_percent;
	s->limit_time_ms = e->limits.time_ms;
	/* Its memory is what it is made with, and it cannot start a second process. */
	s->limit_mem = s->limit_pids = 0;
	if (s->failed)
		return err_oom(err);
	return console ? server_console(s, e, console, cx, err) : 0;
}

int server_plan_unikernel(struct unikernel **ret, struct spec *core, const struct genv *e,
			  const struct server_ctx *cx, struct err *err)
{
	struct unikernel *u =
		calloc(1, offsetof(struct unikernel, spec.devices) +
				  e->n_devices * sizeof(u->spec.devices[0]));
	const struct binding *clock = genv_binding(e, "clock");
	const char *why = NULL;
	int r;

	*ret = u;
	if (u)
		u->net = calloc(e->n_devices + 1, sizeof(*u->net));
	if (!u || !u->net)
		return err_oom(err);
	/* Not by USPEC_INIT, which would write all of it. */
	u->spec.report_fd = u->spec.core_fd = u->spec.alive_fd = -1;
	u->spec.kind = e->program == PROGRAM_HVT ? USPEC_HVT : USPEC_SPT;
	u->spec.name = e->name;
	u->spec.mem_bytes = genv_guest_mem(e);
	plan_ids(&u->spec, cx);
	r = plan_core(core, e, cx, err);
	if (r == 0)
		r = plan_cmdline(u, e, err);
	if (r == 0 && clock)
		r = plan_clock(&u->spec, clock, err);
	if (r == 0)
		r = open_image(u, e, err);
	for (size_t i = 0; r == 0 && i < e->n_devices; i++)
		r = plan_device(u, e, &e->devices[i], cx, err);
	if (r == 0 && uspec_check(&u->spec, &why) != 0)
		r = err_set(err, PE_USAGE, "%s", why);
	return r;
}
