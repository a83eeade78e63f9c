/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* polder inspect: what a unikernel's file says of itself, before anything runs. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "launch/launch.h"
#include "solo5/solo5.h"

static const char *target_name(const struct solo5_image *im)
{
	return im->target == SOLO5_HVT ? "hvt" : "spt";
}

static const char *device_name(uint32_t type)
{
	return type == SOLO5_NET ? "net" : "volume";
}

static void rights(const struct solo5_segment *s, char *ret)
{
	(void)snprintf(ret, 4, "%c%c%c", s->r ? 'r' : '-', s->w ? 'w' : '-',
		       s->x ? 'x' : '-');
}

static void write_text(const struct solo5_image *im, struct str *out)
{
	uint64_t needed = im->end + SOLO5_STACK_MIN;

	str_addf(out, "kind      %s, version %u of its ABI\n", target_name(im),
		 im->version);
	str_addf(out, "memory    %" PRIu64 "K at least\n", (needed + 1023) / 1024);
	str_addf(out, "entry     0x%" PRIx64 "\n", im->entry);
	for (uint32_t i = 0; i < im->n_seg; i++) {
		const struct solo5_segment *s = &im->seg[i];
		char word[4];

		rights(s, word);
		str_addf(out, "%-9s 0x%" PRIx64 "  %8" PRIu64 " bytes  %s%s\n",
			 i ? "" : "segments", s->vaddr, s->memsz, word,
			 s->filesz ? "" : "  zeroed");
	}
	for (uint32_t i = 0; i < im->n_devices; i++)
		str_addf(out, "%-9s dev:%s  %s\n", i ? "" : "devices", im->device[i].name,
			 device_name(im->device[i].type));
	if (im->n_devices == 0)
		str_add(out, "devices   none\n");
}

static void write_json(const struct solo5_image *im, struct str *out)
{
	struct json j = JSON_INIT(out);

	json_open(&j, '{');
	json_kstr(&j, "kind", target_name(im));
	json_kint(&j, "abi_version", im->version);
	json_kint(&j, "memory_needed", (int64_t)(im->end + SOLO5_STACK_MIN));
	json_kint(&j, "entry", (int64_t)im->entry);
	json_key(&j, "segments");
	json_open(&j, '[');
	for (uint32_t i = 0; i < im->n_seg; i++) {
		char word[4];

		rights(&im->seg[i], word);
		json_open(&j, '{');
		json_kint(&j, "address", (int64_t)im->seg[i].vaddr);
		json_kint(&j, "bytes", (int64_t)im->seg[i].memsz);
		json_kint(&j, "bytes_in_file", (int64_t)im->seg[i].filesz);
		json_kstr(&j, "rights", word);
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_key(&j, "devices");
	json_open(&j, '[');
	for (uint32_t i = 0; i < im->n_devices; i++) {
		json_open(&j, '{');
		json_kstr(&j, "name", im->device[i].name);
		json_kstr(&j, "interface", device_name(im->device[i].type));
		json_close(&j, '}');
	}
	json_close(&j, ']');
	json_close(&j, '}');
	str_addc(out, '\n');
}

int cmd_inspect(int argc, char **argv)
{
	static const struct cli_option options[] = { { "json", false, 1 } };
	struct err err = ERR_INIT;
	auto_str out = STR_INIT;
	auto_free struct solo5_image *im = calloc(1, sizeof(*im));
	const char *value;
	bool json = false;
	int key, at = 1;

	while ((key = cli_next_option(argc, argv, &at, options, ARRAY_LEN(options),
				      &value, &err)) > 0)
		json = true;
	if (key < 0 || at + 1 != argc)
		return key < 0 ? cli_fail(&err) : cli_usage("inspect");
	if (!im)
		(void)err_oom(&err);
	if (!im || image_parse(argv[at], im, &err) != 0)
		return cli_fail(&err);
	if (json)
		write_json(im, &out);
	else
		write_text(im, &out);
	return cli_out(&out);
}
