/* SPDX-License-Identifier: ISC */
/* The smallest: no stdio, and so a few kilobytes. Its words become its output. */
#include <polder/guest/guest.h>

int main(int argc, char **argv)
{
	int i;

	pg_println("Hello, world!");
	for (i = 1; i < argc; i++)
		pg_println(argv[i]);
	return 0;
}
