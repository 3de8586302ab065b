// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/args.c - the command line, read by the tables of the verbs
 */
#include "cli/cli.h"
#include "common/parse.h"
#include "common/util.h"

#include "config.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

/* Options and words that are offered for a misspelt one. */
#define NAMES_MAX 64

static const char *const format_names[] = {
	[BH_FORMAT_INVALID] = NULL, [BH_FORMAT_TABLE] = "table", [BH_FORMAT_JSON] = "json",
	[BH_FORMAT_YAML] = "yaml",  [BH_FORMAT_CSV] = "csv",     [BH_FORMAT_DOT] = "dot",
	[BH_FORMAT_SVG] = "svg",    [BH_FORMAT_TAP] = "tap",     [BH_FORMAT_JUNIT] = "junit",
};
BH_STATIC_ASSERT_TABLE(format_names, BH_FORMAT_COUNT);

#define AT(member) offsetof(struct bh_args, member)

static const struct bh_option help_option = { 'h',      "help",          NULL, BH_OPTION_FLAG,
					      AT(help), "show this help" };
static const struct bh_option format_option = { 'o',        "output", "FORMAT", BH_OPTION_FORMAT,
						AT(format), NULL };
static const struct bh_option socket_option = {
	0,          "socket",
	"PATH",     BH_OPTION_TEXT,
	AT(socket), "the agent's socket (default: $BULKHEAD_SOCKET, else " BH_RUNDIR "/api.sock)"
};

/* The first one only with BH_WORLD_ALL. */
static const struct bh_option world_options[] = {
	{ 0, "policy", "FILE|DIR", BH_OPTION_LIST, AT(policies),
	  "policies to ask instead of the agent's (may come again)" },
	{ 0, "endpoints", "FILE|DIR", BH_OPTION_LIST, AT(endpoints),
	  "Endpoint, Node, Namespace manifests, if they are not there too" },
	{ 0, "cluster-range", "CIDR", BH_OPTION_LIST, AT(ranges),
	  "the cluster's own addresses: not \"entity: world\" (may come again)" },
	{ 0, "resolver", "ADDRESS", BH_OPTION_LIST, AT(resolvers),
	  "who \"entity: dns\" is (may come again)" },
	{ 0, "name", "NAME=ADDR,..", BH_OPTION_LIST, AT(known),
	  "what DNS says, for \"fqdn\" (may come again)" },
	{ 0, "at", "TIME", BH_OPTION_TEXT, AT(at),
	  "as of then, 2031-03-01T18:00:00Z; default: now" },
};

void bh_args_done(struct bh_args *a)
{
	free(a->words.items);
	free(a->files.items);
	free(a->policies.items);
	free(a->endpoints.items);
	free(a->ranges.items);
	free(a->resolvers.items);
	free(a->known.items);
	*a = (struct bh_args){ .socket = NULL };
}

/* The i-th option of a verb (NULL: of the program), those that all have last; NULL past the end. */
static const struct bh_option *option_at(const struct bh_verb *v, size_t i)
{
	const struct bh_option *common[3];
	size_t n = 0, own = 0, world = 0, first = v && v->world == BH_WORLD_ALL ? 0 : 1;

	while (v && v->options && v->options[own].kind != BH_OPTION_INVALID)
		own++;
	if (i < own)
		return &v->options[i];
	if (v && v->world != BH_WORLD_NONE)
		world = BH_ARRAY_SIZE(world_options) - first;
	if (i < own + world)
		return &world_options[first + i - own];
	own += world;
	if (!v || v->formats != 0)
		common[n++] = &format_option;
	/* Accepted everywhere, so that one alias can hold it. */
	common[n++] = &socket_option;
	common[n++] = &help_option;
	return i - own < n ? common[i - own] : NULL;
}

static const struct bh_option *option_by_name(const struct bh_verb *v, const char *name, size_t len)
{
	const struct bh_option *o;

	for (size_t i = 0; (o = option_at(v, i)); i++) {
		if (o->name && strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	}
	return NULL;
}

static const struct bh_option *option_by_letter(const struct bh_verb *v, char letter)
{
	const struct bh_option *o;

	for (size_t i = 0; (o = option_at(v, i)); i++) {
		if (o->letter == letter)
			return o;
	}
	return NULL;
}

static const char *verb_name(const struct bh_verb *v)
{
	return v ? v->name : "";
}

/* "bulkhead lint: " */
#define WHO_FMT "%s%s"
#define WHO(v)  verb_name(v), (v) ? ": " : ""

static int unknown_option(const struct bh_verb *v, const char *name, size_t len, struct bh_err *err)
{
	const char *names[NAMES_MAX], *near;
	const struct bh_option *o;
	char word[64];
	size_t n = 0;

	for (size_t i = 0; (o = option_at(v, i)) && n < NAMES_MAX; i++) {
		if (o->name)
			names[n++] = o->name;
	}
	len = BH_MIN(len, sizeof(word) - 1);
	memcpy(word, name, len);
	word[len] = '\0';
	near = bh_nearest(word, names, n);
	if (near)
		return bh_err_set(err, -EINVAL,
				  WHO_FMT "unknown option '--%s'; did you mean '--%s'?", WHO(v),
				  word, near);
	return bh_err_set(err, -EINVAL, WHO_FMT "unknown option '--%s'", WHO(v), word);
}

static int add_string(struct bh_strings *l, const char *s, struct bh_err *err)
{
	const char **items = reallocarray(l->items, l->n + 1, sizeof(*items));

	if (!items)
		return bh_err_set(err, -ENOMEM, "out of memory");
	l->items = items;
	items[l->n++] = s;
	return 0;
}

/* "table, json"; @first: put behind the first of them. @buf: 80 bytes are enough for all. */
static const char *format_list(unsigned legal, const char *first, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned f = BH_FORMAT_TABLE; f < BH_FORMAT_COUNT && len < size; f++) {
		if (legal & 1U << f) {
			int n = snprintf(buf + len, size - len, "%s%s%s", len > 0 ? ", " : "",
					 format_names[f], len > 0 ? "" : first);

			len += n > 0 ? (size_t)n : 0;
		}
	}
	return buf;
}

static int set_format(const struct bh_verb *v, const char *value, enum bh_format *ret,
		      struct bh_err *err)
{
	unsigned legal = v ? v->formats : (1U << BH_FORMAT_COUNT) - 1;
	const char *names[BH_FORMAT_COUNT], *near;
	char list[80];
	size_t n = 0;

	for (unsigned f = BH_FORMAT_TABLE; f < BH_FORMAT_COUNT; f++) {
		if (!(legal & 1U << f))
			continue;
		names[n++] = format_names[f];
		if (bh_streq(value, format_names[f])) {
			*ret = (enum bh_format)f;
			return 0;
		}
	}
	near = bh_nearest(value, names, n);
	if (near)
		return bh_err_set(err, -EINVAL,
				  WHO_FMT "unknown output format '%s'; did you mean '%s'?", WHO(v),
				  value, near);
	return bh_err_set(err, -EINVAL, WHO_FMT "no output format '%s' here; there are %s", WHO(v),
			  value, format_list(legal, "", list, sizeof(list)));
}

/* @shown: the option as it was written, "-o" or "--output". */
static int take_value(const struct bh_verb *v, const struct bh_option *o, const char *shown,
		      const char *value, struct bh_args *a, struct bh_err *err)
{
	void *at = (char *)a + o->offset;
	const char **text;
	int r;

	switch (o->kind) {
	case BH_OPTION_FLAG:
		*(bool *)at = true;
		return 0;
	case BH_OPTION_TEXT:
		text = at;
		if (*text)
			return bh_err_set(err, -EINVAL, WHO_FMT "%s is given twice", WHO(v), shown);
		if (*value == '\0')
			return bh_err_set(err, -EINVAL, WHO_FMT "%s is empty", WHO(v), shown);
		*text = value;
		return 0;
	case BH_OPTION_LIST:
		return add_string(at, value, err);
	case BH_OPTION_COUNT_:
		r = bh_parse_u64(value, 1000000, &a->count);
		if (r < 0)
			return bh_err_set(err, -EINVAL,
					  WHO_FMT "%s %s: a number from 0 to 1000000 is wanted",
					  WHO(v), shown, value);
		a->count_given = true;
		return 0;
	case BH_OPTION_FORMAT:
		return set_format(v, value, &a->format, err);
	case BH_OPTION_INVALID:
		break;
	}
	return bh_err_set(err, -EINVAL, "option without a kind");
}

static int missing_value(const struct bh_verb *v, const char *shown, const struct bh_option *o,
			 struct bh_err *err)
{
	return bh_err_set(err, -EINVAL, WHO_FMT "%s wants a value: %s %s", WHO(v), shown, shown,
			  o->arg);
}

/* "--name", "--name=value", "--name value". *i is moved over a value. */
static int long_option(const struct bh_verb *v, int argc, const char *const *argv, int *i,
		       struct bh_args *a, struct bh_err *err)
{
	const char *name = argv[*i] + 2, *eq = strchr(name, '='), *value = eq ? eq + 1 : NULL;
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	const struct bh_option *o = option_by_name(v, name, len);
	char shown[80];

	if (!o)
		return unknown_option(v, name, len, err);
	(void)snprintf(shown, sizeof(shown), "--%s", o->name);
	if (o->kind == BH_OPTION_FLAG && value)
		return bh_err_set(err, -EINVAL, WHO_FMT "%s takes no value", WHO(v), shown);
	if (o->kind != BH_OPTION_FLAG && !value) {
		if (*i + 1 >= argc)
			return missing_value(v, shown, o, err);
		value = argv[++*i];
	}
	return take_value(v, o, shown, value, a, err);
}

/* "-x", "-xyz" (flags), "-xVALUE", "-x VALUE". */
static int short_options(const struct bh_verb *v, int argc, const char *const *argv, int *i,
			 struct bh_args *a, struct bh_err *err)
{
	for (const char *p = argv[*i] + 1; *p != '\0'; p++) {
		const struct bh_option *o = option_by_letter(v, *p);
		const char *value = p + 1;
		char shown[3] = { '-', *p, '\0' };
		int r;

		if (!o)
			return bh_err_set(err, -EINVAL, WHO_FMT "unknown option '-%c'", WHO(v),
					  *p > 0x20 && *p < 0x7f ? *p : '?');
		if (o->kind == BH_OPTION_FLAG) {
			r = take_value(v, o, shown, "", a, err);
			if (r < 0)
				return r;
			continue;
		}
		if (*value == '\0') {
			if (*i + 1 >= argc)
				return missing_value(v, shown, o, err);
			value = argv[++*i];
		}
		return take_value(v, o, shown, value, a, err);
	}
	return 0;
}

static int find_verb(const char *word, const struct bh_verb **ret, struct bh_err *err)
{
	const char *names[NAMES_MAX], *near;
	size_t n = 0;

	for (size_t i = 0; bh_verbs[i]; i++) {
		if (bh_streq(bh_verbs[i]->name, word)) {
			*ret = bh_verbs[i];
			return 0;
		}
		if (n < NAMES_MAX)
			names[n++] = bh_verbs[i]->name;
	}
	near = bh_nearest(word, names, n);
	if (near)
		return bh_err_set(err, -EINVAL, "unknown verb '%s'; did you mean '%s'?", word,
				  near);
	return bh_err_set(err, -EINVAL, "unknown verb '%s'", word);
}

static int check_words(const struct bh_verb *v, const struct bh_args *a, struct bh_err *err)
{
	if (a->help)
		return 0;
	if (a->words.n < v->min_words)
		return bh_err_set(err, -EINVAL, "%s: %s is missing", v->name, v->words);
	if (a->words.n > v->max_words)
		return bh_err_set(err, -EINVAL, "%s: '%s' is one word too many", v->name,
				  a->words.items[v->max_words]);
	if (a->format != BH_FORMAT_INVALID && !(v->formats & 1U << a->format))
		return bh_err_set(err, -EINVAL, "%s: no output format '%s' here", v->name,
				  format_names[a->format]);
	return 0;
}

static int take_word(const char *word, struct bh_args *a, const struct bh_verb **v, bool *help_verb,
		     struct bh_err *err)
{
	if (*v)
		return add_string(&a->words, word, err);
	if (!*help_verb && bh_streq(word, "help")) {
		*help_verb = true;
		a->help = true;
		return 0;
	}
	return find_verb(word, v, err);
}

int bh_args_parse(int argc, const char *const *argv, struct bh_args *a,
		  const struct bh_verb **ret_verb, struct bh_err *err)
{
	const struct bh_verb *v = NULL;
	bool only_words = false, help_verb = false;
	int r;

	for (int i = 1; i < argc; i++) {
		const char *s = argv[i];

		if (only_words || s[0] != '-' || s[1] == '\0')
			r = take_word(s, a, &v, &help_verb, err);
		else if (bh_streq(s, "--"))
			r = 0;
		else if (!v && bh_streq(s, "--version"))
			r = find_verb("version", &v, err);
		else if (s[1] == '-')
			r = long_option(v, argc, argv, &i, a, err);
		else
			r = short_options(v, argc, argv, &i, a, err);
		if (r < 0)
			return r;
		only_words = only_words || bh_streq(s, "--");
	}
	if (v) {
		r = check_words(v, a, err);
		if (r < 0)
			return r;
	} else if (!a->help) {
		return bh_err_set(err, -EINVAL, "what to do? 'bulkhead --help' lists the verbs");
	}
	if (!a->socket)
		a->socket = getenv("BULKHEAD_SOCKET");
	if (!a->socket || *a->socket == '\0')
		a->socket = BH_RUNDIR "/api.sock";
	if (a->format == BH_FORMAT_INVALID)
		a->format = BH_FORMAT_TABLE;
	*ret_verb = v;
	return 0;
}

/* "-n, --namespace NS". @buf: 64 bytes. Return: its length */
static int option_text(const struct bh_option *o, char *buf)
{
	const size_t size = 64;
	int n;

	if (o->letter && o->name)
		n = snprintf(buf, size, "-%c, --%s", o->letter, o->name);
	else if (o->letter)
		n = snprintf(buf, size, "-%c", o->letter);
	else
		n = snprintf(buf, size, "    --%s", o->name);
	if (o->arg && n > 0 && (size_t)n < size)
		(void)snprintf(buf + n, size - (size_t)n, " %s", o->arg);
	return (int)strlen(buf);
}

static void print_options(const struct bh_verb *v, struct bh_buf *out)
{
	const struct bh_option *o;
	char left[64], list[80];
	int width = 22;

	for (size_t i = 0; (o = option_at(v, i)); i++)
		width = BH_MAX(width, option_text(o, left));
	for (size_t i = 0; (o = option_at(v, i)); i++) {
		if (v && o == &socket_option && !v->agent)
			continue;
		(void)option_text(o, left);
		bh_buf_printf(out, "  %-*s  %s\n", width, left,
			      o->kind == BH_OPTION_FORMAT
				  ? format_list(v ? v->formats : BH_FORMATS_ALL, " (default)", list,
						sizeof(list))
				  : o->help);
	}
}

static void print_verb_help(const struct bh_verb *v, struct bh_buf *out)
{
	bh_buf_printf(out, "Usage: bulkhead %s [OPTIONS]%s%s\n\n%s.\n", v->name,
		      *v->words ? " " : "", v->words, v->summary);
	if (v->text)
		bh_buf_printf(out, "\n%s", v->text);
	bh_buf_puts(out, "\nOptions:\n");
	print_options(v, out);
	bh_buf_printf(out, "\nExit status:\n%s  2  the command line is wrong\n", v->exits);
	bh_buf_printf(out, "\nExample:\n  %s\n", v->example);
}

void bh_help_print(const struct bh_verb *verb, struct bh_buf *out)
{
	if (verb) {
		print_verb_help(verb, out);
		return;
	}
	bh_buf_puts(
	    out, "Usage: bulkhead [--socket PATH] VERB [OPTIONS] [ARGUMENTS]\n\n"
		 "Network policy for containers, up to the protocol that is spoken.\n\nVerbs:\n");
	for (size_t i = 0; bh_verbs[i]; i++)
		bh_buf_printf(out, "  %-13s  %s\n", bh_verbs[i]->name, bh_verbs[i]->summary);
	bh_buf_puts(out, "\nOptions:\n");
	print_options(NULL, out);
	bh_buf_puts(out, "\nExit status:\n"
			 "  0  done; explain: allowed\n"
			 "  1  it could not be done, or errors were found\n"
			 "  2  the command line is wrong\n"
			 "  3  explain: refused\n"
			 "  4  explain: depends on the protocol that is spoken\n"
			 "\n'bulkhead VERB --help' tells more about a verb, with an example.\n");
}
