// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * cli/test_file.c - tests of policies, read
 */
#include "cli/test_file.h"

#include "common/file.h"
#include "common/limits.h"
#include "common/util.h"
#include "policy/spoken.h"
#include "policy/when.h"

#include <stdio.h>
#include <string.h>

#include "common/banned.h"

static const char *const expect_names[] = {
	[BH_EXPECT_INVALID] = NULL, [BH_EXPECT_ALLOW] = "allow",   [BH_EXPECT_REFUSE] = "refuse",
	[BH_EXPECT_DROP] = "drop",  [BH_EXPECT_REJECT] = "reject", [BH_EXPECT_DEPENDS] = "depends",
	[BH_EXPECT_COUNT] = NULL,
};

const char *bh_test_expect_name(enum bh_test_expect e)
{
	return expect_names[e] ? expect_names[e] : "?";
}

static const char *const direction_names[] = { "ingress", "egress", NULL };

/* ---- tables ---- */

#define LIST(n, i, h)                                                                       \
	{                                                                                   \
		.name = (n), .type = BH_FIELD_LIST, .item = BH_FIELD_STRING, .format = (i), \
		.help = (h)                                                                 \
	}
/* One value or a list of them. */
#define ONE_OR_MORE(n, i, h)                                                                  \
	{                                                                                     \
		.name = (n), .type = BH_FIELD_ANY, .flags = BH_FIELD_NOT_NULL, .format = (i), \
		.help = (h)                                                                   \
	}

enum {
	T_NAME,
	T_FROM,
	T_TO,
	T_PORT,
	T_ICMP,
	T_FAMILY,
	T_EXPECT,
	T_BY,
	T_DIRECTION,
	T_RECORDED,
	T_SAID, /* and what follows, in the order of said_names */
	T_COUNT = T_SAID + BH_TEST_SAID,
};

static const struct bh_field test_fields[T_COUNT] = {
	[T_NAME] = { .name = "name", .type = BH_FIELD_STRING, .help = "what is tested" },
	[T_FROM] = { .name = "from",
		     .type = BH_FIELD_ANY,
		     .flags = BH_FIELD_REQUIRED | BH_FIELD_NOT_NULL,
		     .help = "who connects: NAMESPACE/NAME, an address, node/NAME" },
	[T_TO] = { .name = "to",
		   .type = BH_FIELD_ANY,
		   .flags = BH_FIELD_REQUIRED | BH_FIELD_NOT_NULL,
		   .help = "to whom: the same" },
	[T_PORT] = ONE_OR_MORE("port", NULL, "80, 53/udp, icmp/8"),
	[T_ICMP] = ONE_OR_MORE("icmp", "icmp", "in place of a port"),
	[T_FAMILY] = { .name = "family",
		       .type = BH_FIELD_INT,
		       .min = 4,
		       .max = 6,
		       .help = "over IPv4 or IPv6, where both are possible" },
	[T_EXPECT] = { .name = "expect",
		       .type = BH_FIELD_STRING,
		       .flags = BH_FIELD_REQUIRED | BH_FIELD_NOT_NULL,
		       .values = expect_names + BH_EXPECT_ALLOW,
		       .help = "allow, refuse, drop, reject or depends" },
	[T_BY] = { .name = "by",
		   .type = BH_FIELD_STRING,
		   .flags = BH_FIELD_NOT_NULL,
		   .help = "the policy or rule that decides" },
	[T_DIRECTION] = { .name = "direction",
			  .type = BH_FIELD_STRING,
			  .flags = BH_FIELD_NOT_NULL,
			  .values = direction_names,
			  .help = "only the policies of this end are asked" },
	[T_RECORDED] = { .name = "recorded",
			 .type = BH_FIELD_BOOL,
			 .flags = BH_FIELD_NOT_NULL,
			 .help = "whether what is allowed is recorded" },
	[T_SAID + 0] = ONE_OR_MORE("protocol", "protocol", "what is spoken"),
	[T_SAID + 1] = ONE_OR_MORE("http", NULL, "GET /x"),
	[T_SAID + 2] = ONE_OR_MORE("host", NULL, "the host that the request names"),
	[T_SAID + 3] = ONE_OR_MORE("upgrade", "token", "what the request wants to become"),
	[T_SAID + 4] = ONE_OR_MORE("sni", NULL, "server name of TLS"),
	[T_SAID + 5] = ONE_OR_MORE("alpn", NULL, "what TLS offers: h2,http/1.1"),
	[T_SAID + 6] = ONE_OR_MORE("tlsVersion", NULL, "the highest that TLS offers"),
	[T_SAID + 7] = ONE_OR_MORE("ech", NULL, "encrypted client hello"),
	[T_SAID + 8] = ONE_OR_MORE("dns", NULL, "NAME or NAME TYPE that is asked for"),
	[T_SAID + 9] = ONE_OR_MORE("grpc", NULL, "SERVICE/METHOD that is called"),
	[T_SAID + 10] = ONE_OR_MORE("risk", "risk", "what nDPI finds in it"),
};
static const struct bh_object test_object = { "test", "one assertion", test_fields, T_COUNT, 0 };

enum {
	S_POLICIES,
	S_ENDPOINTS,
	S_AT,
	S_RANGES,
	S_RESOLVERS,
	S_NAMES,
	S_TESTS,
	S_COUNT,
};

static const struct bh_field suite_fields[S_COUNT] = {
	[S_POLICIES] = LIST("policies", NULL, "files or folders"),
	[S_ENDPOINTS] = LIST("endpoints", NULL, "files or folders"),
	[S_AT] = { .name = "at",
		   .type = BH_FIELD_STRING,
		   .format = "date-time",
		   .help = "the time at which all is asked" },
	[S_RANGES] = LIST("clusterRanges", "cidr", "the cluster's own addresses"),
	[S_RESOLVERS] = LIST("resolvers", "address", "who \"entity: dns\" is"),
	[S_NAMES] = { .name = "names", .type = BH_FIELD_MAP, .help = "what DNS says" },
	[S_TESTS] = { .name = "tests",
		      .type = BH_FIELD_LIST,
		      .item = BH_FIELD_MAP,
		      .flags = BH_FIELD_REQUIRED | BH_FIELD_NOT_NULL | BH_FIELD_NOT_EMPTY,
		      .object = &test_object,
		      .help = "a list of {from, to, port, expect}" },
};
static const struct bh_object suite_object = { "suite", "tests of policies", suite_fields, S_COUNT,
					       0 };

/* ---- life ---- */

static void values_done(struct bh_test_values *v)
{
	for (size_t i = 0; i < v->n; i++)
		free(v->items[i].text);
	free(v->items);
}

static void test_done(struct bh_claim *t)
{
	free(t->name);
	free(t->by);
	values_done(&t->from);
	values_done(&t->to);
	values_done(&t->ports);
	for (unsigned i = 0; i < BH_TEST_SAID; i++)
		values_done(&t->said[i]);
}

void bh_test_suite_done(struct bh_test_suite *s)
{
	bh_strlist_done(&s->policies);
	bh_strlist_done(&s->endpoints);
	bh_strlist_done(&s->ranges);
	bh_strlist_done(&s->resolvers);
	bh_strlist_done(&s->names);
	free(s->at);
	for (size_t i = 0; i < s->n; i++)
		test_done(&s->tests[i]);
	free(s->tests);
	*s = (struct bh_test_suite){ .n = 0 };
}

int bh_test_file_open(struct bh_test_file *f, const char *path)
{
	const struct bh_diag_at at = { .file = path };
	struct bh_err err = { .code = 0 };
	size_t size = 0;
	int r;

	f->path = strdup(path);
	if (!f->path)
		return -ENOMEM;
	r = bh_file_read(path, BH_YAML_FILE_MAX, &f->data, &size, &err);
	if (r == -ENOMEM)
		return r;
	if (r < 0)
		return bh_diag_add(&f->diags, &at, BH_SEVERITY_ERROR, "e23", NULL, "%s",
				   bh_err_text(&err, r));
	return bh_yaml_open(f->path, f->data, size, &f->diags, &f->yaml);
}

void bh_test_file_done(struct bh_test_file *f)
{
	(void)bh_yaml_free(f->yaml);
	bh_diags_done(&f->diags);
	free(f->path);
	free(f->data);
	*f = (struct bh_test_file)BH_TEST_FILE_INIT;
}

int bh_test_file_complain(struct bh_test_file *f, const struct bh_test_value *v, const char *hint,
			  const char *fmt, ...)
{
	const struct bh_diag_at at = {
		.text = bh_yaml_text(f->yaml),
		.pos = v->pos,
		.width = v->width,
	};
	va_list ap;
	int r;

	va_start(ap, fmt);
	r = bh_diag_addv(&f->diags, &at, BH_SEVERITY_ERROR, "e19", hint, fmt, ap);
	va_end(ap);
	return r;
}

/* ---- values ---- */

static char *text_of(struct bh_reader *rd, const struct bh_yaml_node *n)
{
	char *s = strdup(bh_node_str(n));

	if (!s)
		bh_reader_nomem(rd);
	return s;
}

static void add_string(struct bh_reader *rd, struct bh_strlist *l, char *s)
{
	char **items = s ? reallocarray(l->items, l->n + 1, sizeof(*items)) : NULL;

	if (!items) {
		bh_reader_nomem(rd);
		free(s);
		return;
	}
	l->items = items;
	items[l->n++] = s;
}

/* Beside the file, unless it begins with a '/'. */
static char *beside(struct bh_reader *rd, const char *file, const char *path)
{
	const char *slash = strrchr(file, '/');
	char *s = NULL;

	while (path[0] == '.' && path[1] == '/')
		path += 2;
	if (*path == '\0' && !slash)
		path = ".";
	if (path[0] == '/' || !slash)
		s = strdup(path);
	else if (asprintf(&s, "%.*s%s", (int)(slash + 1 - file), file, path) < 0)
		s = NULL;
	if (!s)
		bh_reader_nomem(rd);
	return s;
}

static bool looks_right(struct bh_reader *rd, const struct bh_yaml_node *n,
			const struct bh_field *f)
{
	struct bh_prefix prefix;
	struct bh_addr addr;
	const char *what = NULL;
	int64_t t;

	if (bh_streq(f->format, "cidr") && bh_prefix_parse(bh_node_str(n), &prefix) < 0)
		what = "is no CIDR like 10.0.0.0/8";
	else if (bh_streq(f->format, "address") && bh_addr_parse(bh_node_str(n), &addr) < 0)
		what = "is no address";
	else if (bh_streq(f->format, "date-time") && bh_time_parse(bh_node_str(n), &t) < 0)
		what = "is no time like 2031-03-01T18:00:00Z";
	if (what)
		bh_complain(rd, n, "e19", NULL, "\"%.80s\" in %s %s", bh_node_str(n),
			    bh_path(rd, f->name), what);
	return !what;
}

/* @file: the values are paths, relative to it; NULL: they are not. */
static void read_strings(struct bh_reader *rd, const struct bh_got *got, const struct bh_field *f,
			 const char *file, struct bh_strlist *ret)
{
	size_t mark = bh_path_key(rd, f->name);

	for (uint32_t i = 0; got->value && i < got->value->n; i++) {
		const struct bh_yaml_node *n = got->value->items[i];
		size_t at = bh_path_index(rd, i);

		if (bh_read_item(rd, n, f) && looks_right(rd, n, f))
			add_string(rd, ret,
				   file ? beside(rd, file, bh_node_str(n)) : text_of(rd, n));
		bh_path_back(rd, at);
	}
	bh_path_back(rd, mark);
}

/* "NAME=ADDRESS,ADDRESS", as --name has it. */
static void read_name(struct bh_reader *rd, const struct bh_yaml_pair *p, struct bh_strlist *ret)
{
	static const struct bh_field address = { .name = "", .type = BH_FIELD_STRING };
	const struct bh_yaml_node *v = p->value;
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	bool list = v->type == BH_YAML_LIST;
	struct bh_addr a;

	bh_buf_printf(&b, "%s=", p->name);
	for (uint32_t i = 0; i < (list ? v->n : 1); i++) {
		const struct bh_yaml_node *n = list ? v->items[i] : v;

		if (!bh_read_value(rd, n, &address))
			return;
		if (bh_addr_parse(bh_node_str(n), &a) < 0) {
			bh_complain(rd, n, "e19", NULL, "\"%.80s\" in %s is no address",
				    bh_node_str(n), bh_path(rd, "names"));
			return;
		}
		bh_buf_printf(&b, "%s%s", i > 0 ? "," : "", bh_node_str(n));
	}
	add_string(rd, ret, bh_buf_take(&b));
}

static void read_names(struct bh_reader *rd, const struct bh_got *got, struct bh_strlist *ret)
{
	size_t mark = bh_path_key(rd, "names");

	for (uint32_t i = 0; got->value && i < got->value->n; i++) {
		size_t at = bh_path_key(rd, got->value->pairs[i].name);

		read_name(rd, &got->value->pairs[i], ret);
		bh_path_back(rd, at);
	}
	bh_path_back(rd, mark);
}

/* ---- tests ---- */

/* A string; a whole number too if @numbers. */
static void add_value(struct bh_reader *rd, const struct bh_yaml_node *n, bool numbers,
		      struct bh_test_values *ret)
{
	static const struct bh_field string = { .name = "", .type = BH_FIELD_STRING };
	struct bh_test_value *items;
	int64_t i = 0;
	char *s = NULL;

	if (!(numbers && bh_node_int(n, &i)) && !bh_read_value(rd, n, &string))
		return;
	if (n->type != BH_YAML_STRING && asprintf(&s, "%lld", (long long)i) < 0)
		s = NULL;
	else if (n->type == BH_YAML_STRING)
		s = strdup(bh_node_str(n));
	items = s ? reallocarray(ret->items, ret->n + 1, sizeof(*items)) : NULL;
	if (!items) {
		free(s);
		bh_reader_nomem(rd);
		return;
	}
	ret->items = items;
	items[ret->n++] = (struct bh_test_value){
		.text = s,
		.pos = n->pos,
		.width = n->pos.line == n->end.line && n->end.column > n->pos.column
			     ? n->end.column - n->pos.column
			     : 1,
	};
}

static void read_values(struct bh_reader *rd, const struct bh_got *got, const char *name,
			bool numbers, struct bh_test_values *ret)
{
	const struct bh_yaml_node *v = got->value;
	size_t mark = bh_path_key(rd, name);

	if (v && v->type == BH_YAML_LIST && v->n == 0)
		bh_complain(rd, v, "e18", "write at least one", "%s is empty", bh_path(rd, name));
	for (uint32_t i = 0; v && v->type == BH_YAML_LIST && i < v->n; i++) {
		size_t at = bh_path_index(rd, i);

		add_value(rd, v->items[i], numbers, ret);
		bh_path_back(rd, at);
	}
	if (v && v->type != BH_YAML_LIST)
		add_value(rd, v, numbers, ret);
	bh_path_back(rd, mark);
}

static void read_ports(struct bh_reader *rd, const struct bh_yaml_node *n, const struct bh_got *got,
		       struct bh_claim *t)
{
	if (got[T_PORT].key && got[T_ICMP].key)
		bh_complain(rd, got[T_ICMP].key, "e13", "keep one, or write two tests",
			    "both port and icmp in %s", bh_path(rd, "a test"));
	else if (!got[T_PORT].key && !got[T_ICMP].key)
		bh_complain(rd, n, "e18", "port: 80, or icmp: echo-request", "%s has no \"port\"",
			    bh_path(rd, "the test"));
	t->icmp = got[T_ICMP].key != NULL;
	read_values(rd, &got[t->icmp ? T_ICMP : T_PORT], t->icmp ? "icmp" : "port", true,
		    &t->ports);
}

static void read_expected(struct bh_reader *rd, const struct bh_got *got, struct bh_claim *t)
{
	const struct bh_yaml_node *dir = got[T_DIRECTION].value;
	int64_t family = 0;

	for (unsigned e = BH_EXPECT_ALLOW; got[T_EXPECT].value && e < BH_EXPECT_COUNT; e++) {
		if (bh_streq(expect_names[e], bh_node_str(got[T_EXPECT].value)))
			t->expect = (enum bh_test_expect)e;
	}
	if (dir)
		t->dir = bh_streq(bh_node_str(dir), "ingress") ? BH_DIR_INGRESS : BH_DIR_EGRESS;
	if (got[T_BY].value)
		t->by = text_of(rd, got[T_BY].value);
	t->has_recorded = got[T_RECORDED].value != NULL;
	t->recorded = t->has_recorded && got[T_RECORDED].value->boolean;
	if (got[T_FAMILY].value && bh_node_int(got[T_FAMILY].value, &family)) {
		if (family == 5)
			bh_complain(rd, got[T_FAMILY].value, "e19", NULL, "%s is 4 or 6",
				    bh_path(rd, "family"));
		t->family = (uint8_t)family;
	}
	if (t->by && t->expect == BH_EXPECT_DEPENDS)
		bh_complain(rd, got[T_BY].key, "e19", NULL,
			    "nobody has decided where it depends on what is spoken");
}

static void read_test(struct bh_reader *rd, const struct bh_yaml_node *n, struct bh_claim *t)
{
	struct bh_got got[T_COUNT];

	t->pos = n->pos;
	if (!bh_read_fields(rd, n, &test_object, 0, got))
		return;
	read_values(rd, &got[T_FROM], "from", false, &t->from);
	read_values(rd, &got[T_TO], "to", false, &t->to);
	read_ports(rd, n, got, t);
	for (unsigned i = 0; i < BH_TEST_SAID; i++)
		read_values(rd, &got[T_SAID + i], test_fields[T_SAID + i].name, false, &t->said[i]);
	read_expected(rd, got, t);
	if (got[T_NAME].value)
		t->name = text_of(rd, got[T_NAME].value);
	else if (bh_reader_ok(rd) &&
		 asprintf(&t->name, "%s%s to %s%s: %s", t->from.items[0].text,
			  t->from.n > 1 ? ", ..." : "", t->to.items[0].text,
			  t->to.n > 1 ? ", ..." : "", bh_test_expect_name(t->expect)) < 0) {
		t->name = NULL;
		bh_reader_nomem(rd);
	}
}

static void read_tests(struct bh_reader *rd, const struct bh_got *got, struct bh_test_suite *s)
{
	size_t mark = bh_path_key(rd, "tests");

	if (got->value)
		s->tests = calloc(got->value->n + 1, sizeof(*s->tests));
	if (got->value && !s->tests) {
		bh_reader_nomem(rd);
		return;
	}
	for (uint32_t i = 0; got->value && i < got->value->n; i++) {
		size_t at = bh_path_index(rd, i);

		read_test(rd, got->value->items[i], &s->tests[s->n++]);
		bh_path_back(rd, at);
	}
	bh_path_back(rd, mark);
}

static void read_suite(struct bh_reader *rd, const char *file, const struct bh_yaml_node *n,
		       struct bh_test_suite *s)
{
	struct bh_got got[S_COUNT];

	rd->around = n;
	if (!bh_read_fields(rd, n, &suite_object, 0, got))
		return;
	read_strings(rd, &got[S_POLICIES], &suite_fields[S_POLICIES], file, &s->policies);
	read_strings(rd, &got[S_ENDPOINTS], &suite_fields[S_ENDPOINTS], file, &s->endpoints);
	read_strings(rd, &got[S_RANGES], &suite_fields[S_RANGES], NULL, &s->ranges);
	read_strings(rd, &got[S_RESOLVERS], &suite_fields[S_RESOLVERS], NULL, &s->resolvers);
	read_names(rd, &got[S_NAMES], &s->names);
	if (got[S_AT].value && looks_right(rd, got[S_AT].value, &suite_fields[S_AT]))
		s->at = text_of(rd, got[S_AT].value);
	read_tests(rd, &got[S_TESTS], s);
}

int bh_test_file_next(struct bh_test_file *f, struct bh_test_suite *ret)
{
	const struct bh_yaml_doc *doc = NULL;
	struct bh_reader rd;
	int r;

	*ret = (struct bh_test_suite){ .n = 0 };
	if (!f->yaml)
		return 0;
	r = bh_yaml_next(f->yaml, &doc);
	while (r == 1 && doc->root->type == BH_YAML_NULL && !doc->bad)
		r = bh_yaml_next(f->yaml, &doc);
	if (r != 1)
		return r;
	bh_reader_init(&rd, bh_yaml_text(f->yaml), &f->diags);
	read_suite(&rd, f->path, doc->root, ret);
	r = rd.r < 0 || bh_buf_failed(&rd.path) ? -ENOMEM : 1;
	bh_reader_done(&rd);
	if (r < 0)
		bh_test_suite_done(ret);
	return r;
}
