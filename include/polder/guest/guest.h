/* SPDX-License-Identifier: ISC */
/*
 * guest.h - everything of the guest runtime: ordinary C programs as unikernels, on the
 * Solo5 ABIs spt (a process that can make a dozen system calls) and hvt (a KVM guest).
 * One source serves both; `polder cc --target=spt|hvt` links the one or the other.
 *
 * A program begins at `int main(int argc, char **argv)` and ends when that returns, or
 * with exit(): the status (its low 8 bits) is what the tender ends with. Before main the
 * memory, the clock, the entropy generator and the C library are ready; nothing has to
 * be initialised, and nothing needs Polder to boot: any tender of the ABI will do.
 *
 * There is one thread and there are no interrupts: every call below returns to its
 * caller, and only pg_poll() waits (and what is said to be made of it, such as sleep()).
 * No function may be called from a signal handler, because there are no signals.
 *
 * Results: functions that can fail return an enum pg_status, 0 for success. Outputs
 * (ret_...) are written only then, unless it says otherwise. Sizes are bytes, times ns.
 * A pointer that is passed in is borrowed until the call returns; a pointer that comes
 * out belongs to the runtime and is good for as long as the program runs, and none has
 * to be freed.
 *
 * Parts: console.h clock.h poll.h device.h entropy.h memory.h files.h
 */
#ifndef POLDER_GUEST_GUEST_H
#define POLDER_GUEST_GUEST_H

#include <polder/guest/clock.h>
#include <polder/guest/console.h>
#include <polder/guest/device.h>
#include <polder/guest/entropy.h>
#include <polder/guest/files.h>
#include <polder/guest/memory.h>
#include <polder/guest/poll.h>
#include <polder/guest/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * argv is the command line that the tender gave, split into words at white space. A word
 * may hold white space between double quotes or after a backslash; `\"` and `\\` are
 * those characters, also between quotes; a quote that is not closed ends with the line.
 * (A tender joins its own arguments with one space each and keeps no quotes: write
 * polder run x.spt '"two words"'.) argv[0] is pg_program, argv[argc] is NULL, the words
 * may be changed. At most PG_MAX_WORDS words: a longer line ends the program with a
 * sentence before main.
 */
#define PG_MAX_WORDS 1024

/* argv[0]. "unikernel", unless the program defines it: const char pg_program[] = "x"; */
extern const char pg_program[];

/* The command line as it came, before it was split. Never NULL. */
const char *pg_command_line(void);

/* "spt" or "hvt". */
const char *pg_target(void);

/*
 * Ends now: no atexit() functions, nothing is flushed. What was written to the console
 * before has been written. The low 8 bits of status are what the tender ends with.
 * 255 is what pg_abort() and a fault end with, so a program better leaves it to them.
 */
void pg_exit(int status) __attribute__((noreturn));

/*
 * Writes "abort: ", why and a newline to the console, and ends with status 255. abort()
 * and a failing assert() end so as well.
 */
void pg_abort(const char *why) __attribute__((noreturn));

#ifdef __cplusplus
}
#endif
#endif
