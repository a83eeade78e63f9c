/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * spt-internal.h - the parts of polder-tender-spt. No libc: what memcpy and its like need
 * is in mem.c, and every system call goes through sandbox/sys.h.
 *
 * main-spt.c tells how it works. A part that cannot go on calls spt_refuse(), which does
 * not return: there is nothing to clean up, the process ends.
 */
#ifndef POLDER_TENDER_SPT_INTERNAL_H
#define POLDER_TENDER_SPT_INTERNAL_H

#include <linux/filter.h>

#include "sandbox/sys.h"
#include "solo5/solo5.h"
#include "wire/uspec.h"

/* The guest's descriptors. 0 and 2 are closed; devices follow, net before block. */
#define SPT_CONSOLE_FD 1
#define SPT_EPOLL_FD 3
#define SPT_TIMER_FD 4
#define SPT_DEVICE_FD USPEC_SPT_DEVICE_FD

/* Where things lie in the guest's memory, by the ABI. */
#define SPT_MEM_MIN 0x10000ull
#define SPT_BOOT_INFO 0x11000ull
#define SPT_GAP 0x10000ull /* between the guest's memory and the page of enter.S */
#define SPT_TIMER_DATA 0xfffffffeull /* of its epoll event */

#define SPT_BAD_SPEC 125
#define SPT_BAD_IMAGE 126

struct spt_device {
	const struct uspec_device *spec;
	uint32_t entry; /* of the manifest; the guest's handle */
	int fd;         /* first as given, then the guest's number */
};

struct spt {
	struct uspec spec;
	struct solo5_image image;
	int image_fd;
	struct spt_device device[USPEC_MAX_DEVICES]; /* in the order of the image */
};

/* report.c. Words that make one sentence; of the second, the reason follows. */
_Noreturn void spt_refuse_words(const struct spt *s, int code, const char *const *words);
_Noreturn void spt_refuse_words_sys(const struct spt *s, int code, long neg,
				    const char *const *words);
#define spt_refuse(s, code, ...)                                                         \
	spt_refuse_words((s), (code), (const char *const[]){ __VA_ARGS__, NULL })
#define spt_refuse_sys(s, code, neg, ...)                                                \
	spt_refuse_words_sys((s), (code), (neg),                                         \
			     (const char *const[]){ __VA_ARGS__, NULL })
/* Decimal digits of v in buf, which has room for 21 bytes; returns where they begin. */
const char *spt_number(char *buf, uint64_t v);

/* spec.c */
void spt_streams_open(void);
void spt_spec_read(struct spt *s, int argc, char **argv);

/* image.c */
void spt_image_open(struct spt *s);
void spt_image_read(struct spt *s);
/* The guest's memory, zeroed, with the segments in it. */
void spt_image_map(const struct spt *s);

/* devices.c */
/* Image and devices that the spec names by their path; with the starter's authority. */
void spt_open(struct spt *s);
void spt_devices_match(struct spt *s);
void spt_devices_check(struct spt *s);
/* Every descriptor gets the guest's number, and all that the guest has not are closed but
 * standard error and report_fd; epoll and timer are made. */
void spt_devices_place(struct spt *s);

/* privilege.c */
void spt_privilege_drop(const struct spt *s);
void spt_wait_for_starter(const struct spt *s);

/* swap.c: what the supervisor needs to exchange descriptors. address: of a system call
 * instruction that will be there. */
void spt_swap_offer(const struct spt *s, uint64_t address);

/* filter.c; pure */
struct spt_block {
	int fd;
	uint64_t capacity;
	uint32_t block_size;
	bool ro;
};
struct spt_rules {
	bool swaps;     /* USPEC_SWAP_CALL, which another filter tells of */
	uint32_t n_net; /* SPT_DEVICE_FD and as many after it */
	uint32_t n_block;
	struct spt_block block[USPEC_MAX_DEVICES];
};
#define SPT_FILTER_MAX (48u + 20u * USPEC_MAX_DEVICES)
/* ret has SPT_FILTER_MAX; returns how many were used. */
size_t spt_filter_build(const struct spt_rules *r, struct sock_filter *ret);

/* enter.S: what it is told, in the guest's memory; it wipes it. */
struct spt_enter {
	uint64_t unmap_from, unmap_to;
	struct sock_fprog filter;
	uint64_t wipe_bytes; /* from this struct on */
	uint64_t entry, stack, boot_info;
};
_Noreturn __attribute__((visibility("hidden"))) void spt_enter(const struct spt_enter *e);
/* A system call instruction in the same page, with a halt behind it. */
extern const char spt_enter_call[] __attribute__((visibility("hidden")));

#endif
