/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Theory of operation
 *
 * A graph keeps the names, and where it got them the texts, of the files it was made
 * from, so that a struct pos is three words and a diagnostic can show its line. Names
 * and texts are hostile: everything that is shown goes through text_show(), which lets no
 * control character reach a terminal.
 */
#include "graph/graph-internal.h"

struct text {
	struct text *next;
	char *name, *text;
	size_t *lines; /* where each line begins; lines[n_lines] is the end */
	size_t n_lines;
};

enum { SHOWN_COLUMNS = 160, LOOK_BACK = 64, MAX_DIAGS = 10000 };

void texts_free(struct text *texts)
{
	while (texts) {
		struct text *next = texts->next;

		free(texts->name);
		free(texts->text);
		free(texts->lines);
		free(texts);
		texts = next;
	}
}

static struct text *text_get(struct graph *g, const char *name)
{
	struct text *t;

	for (t = g->texts; t; t = t->next)
		if (streq(t->name, name))
			return t;
	t = calloc(1, sizeof(*t));
	if (!t)
		return NULL;
	t->name = strdup(name);
	if (!t->name) {
		free(t);
		return NULL;
	}
	t->next = g->texts;
	g->texts = t;
	return t;
}

const char *graph_file(struct graph *g, const char *name)
{
	struct text *t = text_get(g, name);

	return t ? t->name : NULL;
}

static size_t find_lines(const char *text, size_t len, size_t *lines)
{
	const char *p = text, *end = text + len;
	size_t n = 0;

	while (p < end) {
		const char *nl = memchr(p, '\n', (size_t)(end - p));

		if (lines)
			lines[n] = (size_t)(p - text);
		n++;
		p = nl ? nl + 1 : end;
	}
	if (lines)
		lines[n] = len;
	return n;
}

const char *graph_file_text(struct graph *g, const char *name, const char *text,
			    size_t len)
{
	struct text *t = text_get(g, name);
	size_t n = find_lines(text, len, NULL);
	auto_free size_t *lines = calloc(n + 1, sizeof(size_t));
	auto_free char *copy = malloc(len + 1);

	if (!t || !copy || !lines)
		return NULL;
	if (len > 0)
		memcpy(copy, text, len);
	copy[len] = '\0';
	(void)find_lines(copy, len, lines);
	free(t->text);
	free(t->lines);
	t->text = TAKE_PTR(copy);
	t->lines = TAKE_PTR(lines);
	t->n_lines = n;
	return t->name;
}

bool graph_line(const struct graph *g, struct pos pos, const char **ret, size_t *ret_len)
{
	const struct text *t;

	for (t = g->texts; t && t->name != pos.file; t = t->next)
		;
	if (!t || !t->text || pos.line == 0 || pos.line > t->n_lines)
		return false;
	*ret = t->text + t->lines[pos.line - 1];
	*ret_len = t->lines[pos.line] - t->lines[pos.line - 1];
	while (*ret_len > 0 && strchr("\r\n", (*ret)[*ret_len - 1]))
		(*ret_len)--;
	return true;
}

void pos_write(struct pos pos, struct str *out)
{
	if (!pos.file && pos.line == 0)
		str_add(out, "the command line");
	else if (pos.line == 0)
		str_add(out, pos.file);
	else
		str_addf(out, "%s%s%u:%u", pos.file ? pos.file : "", pos.file ? ":" : "",
			 pos.line, pos.column);
}

static bool same_pos(struct pos a, struct pos b)
{
	return a.file == b.file && a.line == b.line && a.column == b.column;
}

static bool is_repeated(const struct diags *d, struct pos pos, const char *text)
{
	size_t from = d->n > LOOK_BACK ? d->n - LOOK_BACK : 0;

	if (pos.line == 0)
		return false;
	for (size_t i = from; i < d->n; i++)
		if (same_pos(d->v[i].pos, pos) && d->v[i].text &&
		    streq(d->v[i].text, text))
			return true;
	return false;
}

void diags_add(struct diags *d, struct pos pos, bool warning, const char *hint,
	       const char *fmt, ...)
{
	auto_str text = STR_INIT;
	struct diag *room;
	va_list ap;

	if (d->n >= MAX_DIAGS) {
		d->n_errors += !warning;
		return;
	}
	va_start(ap, fmt);
	str_vaddf(&text, fmt, ap);
	va_end(ap);
	if (is_repeated(d, pos, str_text(&text)))
		return;
	if (!warning)
		d->n_errors++;
	room = list_room(d->v, d->n, sizeof(*room));
	if (!room)
		return; /* counted, so that it is not taken for success */
	d->v = room;
	room[d->n++] = (struct diag){ .pos = pos,
				      .warning = warning,
				      .text = str_take(&text),
				      .hint = hint ? strdup(hint) : NULL };
}

void diags_fini(struct diags *d)
{
	for (size_t i = 0; i < d->n; i++) {
		free(d->v[i].text);
		free(d->v[i].hint);
	}
	free(d->v);
	*d = (struct diags){ 0 };
}

static int compare(const void *pa, const void *pb)
{
	const struct diag *a = pa, *b = pb;
	int files =
		strcmp(a->pos.file ? a->pos.file : "", b->pos.file ? b->pos.file : "");

	if (files != 0)
		return files;
	if (a->pos.line != b->pos.line)
		return a->pos.line < b->pos.line ? -1 : 1;
	if (a->pos.column != b->pos.column)
		return a->pos.column < b->pos.column ? -1 : 1;
	return a->seq < b->seq ? -1 : a->seq > b->seq;
}

void diags_sort(struct diags *d)
{
	for (size_t i = 0; i < d->n; i++)
		d->v[i].seq = i;
	if (d->n > 0)
		qsort(d->v, d->n, sizeof(*d->v), compare);
}

/* C0, DEL, and C1 as UTF-8 writes it. */
void text_show(struct str *out, const char *text, size_t n, bool keep_newline)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		bool c1 = c == 0xc2 && i + 1 < n && (unsigned char)text[i + 1] < 0xa0;

		if (c == '\n' && keep_newline)
			str_addc(out, '\n');
		else if (c == '\t')
			str_addc(out, ' ');
		else if (c < 0x20 || c == 0x7f || c1)
			str_addc(out, '?');
		else
			str_addc(out, text[i]);
		i += c1;
	}
}

static void show_line(const struct graph *g, struct pos pos, struct str *out)
{
	const char *line;
	size_t len, column = 1, from = 0, to;

	if (!graph_line(g, pos, &line, &len))
		return;
	while (from < len && column + SHOWN_COLUMNS / 2 < pos.column)
		column += ((unsigned char)line[++from] & 0xc0) != 0x80;
	while (from < len && ((unsigned char)line[from] & 0xc0) == 0x80)
		from++;
	to = MIN(len, from + SHOWN_COLUMNS);
	while (to < len && ((unsigned char)line[to] & 0xc0) == 0x80)
		to++;
	str_addf(out, "%5u | ", pos.line);
	text_show(out, line + from, to - from, false);
	str_add(out, "\n      | ");
	for (; column < pos.column; column++)
		str_addc(out, ' ');
	str_add(out, "^\n");
}

void diags_write(const struct diags *d, const struct graph *g, struct str *out)
{
	size_t errors = 0;

	for (size_t i = 0; i < d->n; i++) {
		const struct diag *diag = &d->v[i];
		const char *text = diag->text ? diag->text : "out of memory";
		auto_str at = STR_INIT;

		errors += !diag->warning;
		if (diag->pos.file || diag->pos.line) {
			pos_write(diag->pos, &at);
			str_add(&at, ": ");
		}
		text_show(out, str_text(&at), at.len, false);
		str_add(out, diag->warning ? "warning: " : "error: ");
		text_show(out, text, strlen(text), true);
		str_addc(out, '\n');
		if (g)
			show_line(g, diag->pos, out);
		if (!diag->hint)
			continue;
		str_add(out, "      = hint: ");
		text_show(out, diag->hint, strlen(diag->hint), true);
		str_addc(out, '\n');
	}
	if (errors < d->n_errors)
		str_addf(out, "error: and %zu more errors\n", d->n_errors - errors);
}

void diags_to_json(const struct diags *d, struct json *out)
{
	json_open(out, '[');
	for (size_t i = 0; i < d->n; i++) {
		json_open(out, '{');
		json_kstr(out, "level", d->v[i].warning ? "warning" : "error");
		json_kstr(out, "file", d->v[i].pos.file);
		json_kint(out, "line", d->v[i].pos.line);
		json_kint(out, "column", d->v[i].pos.column);
		json_kstr(out, "text", d->v[i].text);
		json_kstr(out, "hint", d->v[i].hint);
		json_close(out, '}');
	}
	json_close(out, ']');
}
