/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef POLDER_WIRE_USPEC_INTERNAL_H
#define POLDER_WIRE_USPEC_INTERNAL_H

#define USPEC_MAGIC 0x43505355u /* "USPC" */
/* With an empty name and no path. */
#define USPEC_DEVICE_BYTES_MIN (5u + 1 + 4 + 4 + 4 + 4 + 8 + 2 + 6 + 2)

#endif
