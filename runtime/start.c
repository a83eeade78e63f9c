/* SPDX-License-Identifier: ISC */
/*
 * From the first instruction to main, and the end.
 *
 * Theory of operation
 *
 * There is one thread of control and nothing runs before pg_start(). It may not have a
 * stack protector itself, since it sets the canary. After abi_init() the console works,
 * so that everything later can fail with a sentence.
 *
 * The end is exit() of our own rather than the C library's: that one would put atexit()
 * and stdio into every image. The two are called only if something else linked them in,
 * which is what the weak references say.
 */
#include "internal.h"
#include "words.h"

#include <assert.h>
#include <reent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char pg_tls_image[], pg_tls_image_end[], pg_tls_block[], pg_tls_block_end[];
extern void (*const pg_init_array[])(void), (*const pg_init_array_end[])(void);
extern void (*const pg_fini_array[])(void), (*const pg_fini_array_end[])(void);

#pragma weak _global_impure_ptr
void __call_exitprocs(int status, void *object) __attribute__((weak));
int main(int argc, char **argv, char **envp);

uintptr_t __stack_chk_guard;
void __stack_chk_fail(void) __attribute__((noreturn));

const char pg_program[] __attribute__((weak)) = "unikernel";

#define COMMAND_LINE_MAX 8192 /* of the ABIs, with the NUL */
static const char *command_line = "";
static char command_words[COMMAND_LINE_MAX];
static char program_word[64];
static char *argv[PG_MAX_WORDS + 2];
static char *no_environment[] = { NULL };
char **environ = no_environment;

/* Thread-local variables of the one thread: the block lies right below the thread
 * pointer, which points to itself, as the x86-64 convention has it. */
static void thread_init(void)
{
	void **tp = (void **)(void *)pg_tls_block_end;

	memcpy(pg_tls_block, pg_tls_image, (size_t)(pg_tls_image_end - pg_tls_image));
	*tp = tp;
	abi_set_thread_pointer(tp);
}

static int arguments_init(const char *line)
{
	int n;

	if (strlen(line) >= sizeof(command_words))
		pg_abort("the command line is too long");
	command_line = line;
	strncpy(program_word, pg_program, sizeof(program_word) - 1);
	argv[0] = program_word;
	n = pg_words_split(line, command_words, argv + 1, PG_MAX_WORDS);
	if (n < 0)
		pg_abort("the command line has too many words");
	return n + 1;
}

__attribute__((no_stack_protector)) void pg_start(const void *boot_info)
{
	struct abi_boot boot;
	void (*const *init)(void);
	int argc;

	abi_init(boot_info, &boot);
	__stack_chk_guard = pg_entropy_early();
	thread_init();
	pg_memory_init(&boot);
	pg_devices_init(boot.manifest);
	argc = arguments_init(boot.cmdline);
	for (init = pg_init_array; init < pg_init_array_end; init++)
		(*init)();
	exit(main(argc, argv, environ));
}

void exit(int status)
{
	void (*const *fini)(void) = pg_fini_array_end;

	if (__call_exitprocs)
		__call_exitprocs(status, NULL);
	while (fini > pg_fini_array)
		(*--fini)();
	if (&_global_impure_ptr && _global_impure_ptr->__cleanup)
		_global_impure_ptr->__cleanup(_global_impure_ptr);
	pg_exit(status);
}

void pg_exit(int status)
{
	abi_halt(status & 0xff);
}

/* Also the C library's. */
void _exit(int status)
{
	pg_exit(status);
}

void pg_abort(const char *why)
{
	pg_print("abort: ");
	pg_println(why);
	abi_halt(255);
}

void abort(void)
{
	pg_abort("abort() was called");
}

void __stack_chk_fail(void)
{
	pg_abort("a function wrote past the end of a local array");
}

/* Not by way of stdio, as the C library's own. Here, because a file that is always linked
 * is the one place from which it is always taken. */
void __assert_func(const char *file, int line, const char *function, const char *what)
{
	pg_print(file);
	pg_print(":");
	pg_print_u64((uint64_t)line);
	pg_print(function ? ": " : "");
	pg_print(function ? function : "");
	pg_print(": failed assertion: ");
	pg_println(what);
	pg_abort("an assertion failed");
}

const char *pg_command_line(void)
{
	return command_line;
}

const char *pg_target(void)
{
	return abi_name;
}
