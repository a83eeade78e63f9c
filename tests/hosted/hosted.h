/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* hosted.h - included before every source of a hosted program: a declaration of a device
 * makes no note of the image, and there is one device in any case. */
#include <polder/guest/device.h>
#undef PG_NET_DEVICE
#define PG_NET_DEVICE(name) extern char pg_hosted_has_one_device
