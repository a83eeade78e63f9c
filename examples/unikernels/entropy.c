/* SPDX-License-Identifier: ISC */
/*
 * entropy [BYTES]: how much is known to be good, from where, and so many random bytes in
 * hexadecimal digits. Ends with 1, and makes none, where nothing is known to be good.
 */
#include <polder/guest/guest.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	unsigned char buf[32];
	unsigned long i, left = argc > 1 ? strtoul(argv[1], NULL, 10) : 32;

	printf("%u bits from %s\n", pg_entropy_bits(), pg_entropy_source());
	while (left > 0) {
		unsigned long n = left < sizeof(buf) ? left : sizeof(buf);
		int status = pg_entropy(buf, n);

		if (status != PG_OK) {
			printf("no key can be made: %s\n", pg_strstatus(status));
			return 1;
		}
		for (i = 0; i < n; i++)
			printf("%02x", buf[i]);
		putchar('\n');
		left -= n;
	}
	return 0;
}
