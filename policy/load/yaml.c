/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/yaml.c - YAML or JSON text in, trees of nodes out: the only file that knows libyaml
 *
 * libyaml cuts the text into events, policy/load/yaml_build.c makes nodes of them. libyaml cannot go on after an
 * error, so a new parser is begun at the next line that starts a document: one broken document does not hide
 * the errors of the others.
 */
#include "policy/yaml.h"

#include "common/limits.h"
#include "common/util.h"
#include "policy/diag.h"
#include "policy/load/yaml_build.h"

#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "common/banned.h"

struct bh_yaml {
	struct bh_text text;
	struct bh_diags *d;
	struct bh_build build;
	struct bh_yaml_doc doc;
	yaml_parser_t parser;
	bool running;      /* @parser is in use */
	bool ended;        /* nothing more will come */
	size_t start;      /* byte at which the parser began */
	uint32_t line0;    /* lines before it */
	uint32_t doc_line; /* where the present document began */
	size_t doc_begin;  /* end of the document before */
	unsigned restarts;
};

const struct bh_text *bh_yaml_text(const struct bh_yaml *y)
{
	return &y->text;
}

struct bh_yaml *bh_yaml_free(struct bh_yaml *y)
{
	if (!y)
		return NULL;
	if (y->running)
		yaml_parser_delete(&y->parser);
	bh_build_done(&y->build);
	bh_text_done(&y->text);
	free(y);
	return NULL;
}

int bh_yaml_open(const char *file, const char *data, size_t size, struct bh_diags *d,
		 struct bh_yaml **ret)
{
	bh_cleanup(bh_yaml_freep) struct bh_yaml *y = calloc(1, sizeof(*y));
	struct bh_diag_at at = { .file = file };
	struct bh_err err = { .code = 0 };
	int r;

	if (!y)
		return -ENOMEM;
	y->d = d;
	y->text.file = file;
	y->build.d = d;
	y->build.text = &y->text;
	if (size > BH_YAML_FILE_MAX) {
		r = bh_diag_add(d, &at, BH_SEVERITY_ERROR, "e22", "split it into several files",
				"%zu bytes: more than %u", size, BH_YAML_FILE_MAX);
		y->ended = true;
	} else {
		r = bh_text_init(&y->text, file, data, size, &at.pos, &err);
		if (r == -EINVAL) {
			at.text = &y->text;
			r = bh_diag_add(d, &at, BH_SEVERITY_ERROR, "e16", NULL, "%s", err.msg);
			y->ended = true;
		}
	}
	if (r < 0)
		return r;
	*ret = bh_take_ptr(&y);
	return 0;
}

/* ---- syntax errors ---- */

static const struct {
	const char *theirs, *ours, *hint;
} problems[] = {
	{ "mapping values are not allowed in this context", "\": \" in the middle of a value",
	  "put the value in quotes, or begin a new line with the right indentation" },
	{ "did not find expected key", "a line that fits nothing above it",
	  "look at the indentation of this line and of those above" },
	{ "could not find expected ':'", "a key without \": \" behind it",
	  "look at this line and the one above" },
	{ "did not find expected '-' indicator", "a line in a list that does not begin with \"- \"",
	  "look at the indentation of this line and of those above" },
	{ "block sequence entries are not allowed in this context",
	  "\"- \" where no list can begin", "put a list on the lines below its key" },
	{ "found unexpected end of stream", "the text ends in the middle of a value", NULL },
	{ "found undefined tag handle", "a tag that has no meaning here", NULL },
	{ "found unknown escape character", "an unknown escape in double quotes",
	  "write \\\\ for a backslash, or use single quotes" },
	{ "did not find expected ',' or '}'", "no \",\" or \"}\" where one must be", NULL },
	{ "did not find expected ',' or ']'", "no \",\" or \"]\" where one must be", NULL },
	{ "found unexpected document indicator", "a line with \"---\" in the middle of a value",
	  NULL },
	{ "did not find expected <document start>", "something behind the end of a document",
	  "separate documents by a line with \"---\"" },
};

static const struct {
	const char *theirs, *ours;
} contexts[] = {
	{ "while parsing a flow mapping", "the \"{\" that is not closed" },
	{ "while parsing a flow sequence", "the \"[\" that is not closed" },
	{ "while parsing a block mapping", "the map" },
	{ "while parsing a block collection", "the list" },
	{ "while scanning a quoted scalar", "the text in quotes" },
	{ "while scanning a block scalar", "the text" },
	{ "while scanning a simple key", "the key" },
};

static struct bh_pos pos_of(const struct bh_yaml *y, yaml_mark_t m)
{
	return (struct bh_pos){ .line = (uint32_t)m.line + 1 + y->line0,
				.column = (uint32_t)m.column + 1 };
}

static int report_syntax(struct bh_yaml *y, struct bh_pos pos)
{
	struct bh_diag_at at = { .text = &y->text, .pos = pos };
	size_t off = bh_text_offset(&y->text, pos);
	char c = off < y->text.size ? y->text.data[off] : '\0';
	const char *problem = y->parser.problem ? y->parser.problem : "broken text";
	const char *hint = NULL;
	char buf[96];

	if (strcmp(problem, "found character that cannot start any token") == 0) {
		if (c == '\t')
			return bh_diag_add(y->d, &at, BH_SEVERITY_ERROR, "e16", "use blanks",
					   "a tab cannot be used for indentation");
		return bh_diag_add(y->d, &at, BH_SEVERITY_ERROR, "e16", "put the value in quotes",
				   "a value cannot begin with \"%c\"", c);
	}
	for (size_t i = 0; y->parser.context && i < BH_ARRAY_SIZE(contexts); i++) {
		if (strcmp(y->parser.context, contexts[i].theirs) != 0)
			continue;
		(void)snprintf(buf, sizeof(buf), "%s begins in line %u", contexts[i].ours,
			       pos_of(y, y->parser.context_mark).line);
		hint = buf;
	}
	for (size_t i = 0; i < BH_ARRAY_SIZE(problems); i++) {
		if (strcmp(problem, problems[i].theirs) != 0)
			continue;
		problem = problems[i].ours;
		if (problems[i].hint)
			hint = problems[i].hint;
		break;
	}
	return bh_diag_add(y->d, &at, BH_SEVERITY_ERROR, "e16", hint, "not YAML: %s", problem);
}

/* The rest of this document cannot be read: go on at the next, if there is one. */
static void recover(struct bh_yaml *y, uint32_t line)
{
	if (y->running)
		yaml_parser_delete(&y->parser);
	y->running = false;
	line = bh_text_find_document(&y->text, BH_MAX(line, y->doc_line + 1));
	if (line == 0 || ++y->restarts > BH_YAML_RESTARTS_MAX) {
		y->ended = true;
		return;
	}
	y->start = bh_text_offset(&y->text, (struct bh_pos){ .line = line, .column = 1 });
	y->doc_begin = y->start;
	y->line0 = line - 1;
	y->doc_line = line;
}

static int start(struct bh_yaml *y)
{
	if (!yaml_parser_initialize(&y->parser))
		return -ENOMEM;
	y->running = true;
	yaml_parser_set_encoding(&y->parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&y->parser, (const unsigned char *)y->text.data + y->start,
				     y->text.size - y->start);
	return 0;
}

/* ---- events ---- */

/* @alone: what "!" means. */
static enum bh_tag tag_of(const yaml_char_t *tag, enum bh_tag alone)
{
	static const struct {
		const char *tag;
		enum bh_tag is;
	} known[] = {
		{ YAML_STR_TAG, BH_TAG_STR },     { YAML_INT_TAG, BH_TAG_INT },
		{ YAML_FLOAT_TAG, BH_TAG_FLOAT }, { YAML_BOOL_TAG, BH_TAG_BOOL },
		{ YAML_NULL_TAG, BH_TAG_NULL },   { YAML_SEQ_TAG, BH_TAG_LIST },
		{ YAML_MAP_TAG, BH_TAG_MAP },
	};

	if (!tag)
		return BH_TAG_NONE;
	if (strcmp((const char *)tag, "!") == 0)
		return alone;
	for (size_t i = 0; i < BH_ARRAY_SIZE(known); i++)
		if (strcmp((const char *)tag, known[i].tag) == 0)
			return known[i].is;
	return BH_TAG_INVALID;
}

static int scalar(struct bh_yaml *y, const yaml_event_t *e, struct bh_build_at *at)
{
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;

	at->anchor = (const char *)e->data.scalar.anchor;
	at->tag = tag_of(e->data.scalar.tag, BH_TAG_STR);
	return bh_build_scalar(&y->build, at, (const char *)e->data.scalar.value,
			       e->data.scalar.length, plain);
}

static void end_document(struct bh_yaml *y, const yaml_event_t *e)
{
	static const char marker[] = "---";
	const struct bh_text *t = &y->text;
	size_t begin = y->doc_begin;
	size_t end = bh_text_offset(
	    t, pos_of(y, e->data.document_end.implicit ? e->start_mark : e->end_mark));

	y->doc_begin = end;
	if (end - begin > 3 && memcmp(t->data + begin, marker, 3) == 0 &&
	    (t->data[begin + 3] == '\n' || t->data[begin + 3] == '\r'))
		begin += 4;
	y->doc = (struct bh_yaml_doc){
		.root = y->build.root, .bad = y->build.bad, .begin = begin, .end = end
	};
}

/* 1: a document is complete; 0: go on; or as bh_build_*(). */
static int handle(struct bh_yaml *y, const yaml_event_t *e)
{
	struct bh_build_at at = { .pos = pos_of(y, e->start_mark), .end = pos_of(y, e->end_mark) };

	switch (e->type) {
	case YAML_STREAM_END_EVENT:
		y->ended = true;
		return 0;
	case YAML_DOCUMENT_START_EVENT:
		bh_build_reset(&y->build);
		y->doc_line = at.pos.line;
		return 0;
	case YAML_DOCUMENT_END_EVENT:
		end_document(y, e);
		return 1;
	case YAML_ALIAS_EVENT:
		return bh_build_alias(&y->build, &at, (const char *)e->data.alias.anchor);
	case YAML_SCALAR_EVENT:
		return scalar(y, e, &at);
	case YAML_SEQUENCE_START_EVENT:
		at.anchor = (const char *)e->data.sequence_start.anchor;
		at.tag = tag_of(e->data.sequence_start.tag, BH_TAG_NONE);
		return bh_build_open(&y->build, &at, BH_YAML_LIST);
	case YAML_MAPPING_START_EVENT:
		at.anchor = (const char *)e->data.mapping_start.anchor;
		at.tag = tag_of(e->data.mapping_start.tag, BH_TAG_NONE);
		return bh_build_open(&y->build, &at, BH_YAML_MAP);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		/* In block style the mark is that of the next thing; in flow style behind the bracket. */
		return bh_build_close(&y->build, at.end);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
		break;
	}
	return 0;
}

/* One event. 1: a document is complete; 0: go on; -ENOMEM. */
static int step(struct bh_yaml *y)
{
	struct bh_pos pos;
	yaml_event_t e;
	int r;

	if (!yaml_parser_parse(&y->parser, &e)) {
		if (y->parser.error == YAML_MEMORY_ERROR)
			return -ENOMEM;
		pos = pos_of(y, y->parser.problem_mark);
		r = report_syntax(y, pos);
		if (r == 0)
			recover(y, pos.line);
		return r;
	}
	pos = pos_of(y, e.start_mark);
	r = handle(y, &e);
	yaml_event_delete(&e);
	if (r == -EINVAL) {
		recover(y, pos.line);
		return 0;
	}
	if (r == -E2BIG) {
		y->ended = true;
		return 0;
	}
	return r;
}

int bh_yaml_next(struct bh_yaml *y, const struct bh_yaml_doc **ret)
{
	while (!y->ended) {
		int r = y->running ? 0 : start(y);

		if (r == 0)
			r = step(y);
		if (r == 1)
			*ret = &y->doc;
		if (r != 0)
			return r;
	}
	return 0;
}
