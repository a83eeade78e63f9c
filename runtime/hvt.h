/* SPDX-License-Identifier: ISC */
/*
 * hvt.h - between hvt.c and the processor's set-up (hvt-cpu.c).
 */
#ifndef POLDER_RUNTIME_HVT_H
#define POLDER_RUNTIME_HVT_H

/* Traps that say where, and the registers of SSE and AVX. Once, first. */
void hvt_cpu_init(void);

#endif
