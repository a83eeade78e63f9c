/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * places.h - where Polder keeps things.
 *
 *          an ordinary user                                  root
 * run      $XDG_RUNTIME_DIR/polder, else /tmp/polder-UID     /run/polder
 * data     $XDG_DATA_HOME/polder, else ~/.local/share/polder /var/lib/polder
 * config   $XDG_CONFIG_HOME/polder, else ~/.config/polder    /etc/polder
 *
 * POLDER_RUNTIME_DIR, POLDER_DATA_DIR and POLDER_CONFIG_DIR override each.
 *
 * places_init() only looks; places_open_…() make what is missing. The run directory
 * goes away with the host's session or at boot, the others stay.
 *
 * Errors: PE_REFUSED with a sentence that names what to change.
 */
#ifndef POLDER_STATE_PLACES_H
#define POLDER_STATE_PLACES_H

#include "base/err.h"

#define PLACES_PATH_MAX 1024

struct places {
	char run[PLACES_PATH_MAX];
	char data[PLACES_PATH_MAX];
	char config[PLACES_PATH_MAX];
	bool run_is_shared; /* run lies in a directory that others write to (/tmp) */
};

int places_init(struct places *p, struct err *err);

/*
 * The run directory: ours, 0700, no symbolic link; else PE_REFUSED. Made on demand,
 * costs one open and one fstat when it is there.
 */
int places_open_run(const struct places *p, int *ret_fd, struct err *err);

/* The data directory (places.data), made with its parents on demand; the same checks. */
int places_open_data(const char *data, int *ret_fd, struct err *err);

/* The configuration, never made: PE_NOTFOUND without a sentence where there is none. */
int places_open_config(const struct places *p, int *ret_fd, struct err *err);

#endif
