/* SPDX-License-Identifier: ISC */
/* The same as anybody writes it: nothing in it knows that it is a unikernel. */
#include <stdio.h>

int main(int argc, char **argv)
{
	int i;

	printf("Hello, world!\n");
	for (i = 1; i < argc; i++)
		printf("%s\n", argv[i]);
	return 0;
}
