/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* static.c - the least that a static program with the start path's libc costs. */
int main(void)
{
	return 0;
}
