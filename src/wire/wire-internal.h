/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef POLDER_WIRE_WIRE_INTERNAL_H
#define POLDER_WIRE_WIRE_INTERNAL_H

#include "wire/wire.h"

/* A string's length field; this value stands for NULL. */
#define NO_STRING UINT32_MAX

#endif
