// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/read.c - our tables, read back from the kernel
 *
 * The next agent takes over what stands there, and the present one looks whether it still does. Every list is
 * asked for again when it changed while it was read.
 */
#include <stdio.h> /* before expr.h, which needs it */

#include <arpa/inet.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdarg.h>
#include <string.h>

#include "common/map.h"
#include "common/util.h"
#include "dataplane/kernel/kernel_internal.h"

#include "common/banned.h"

const uint8_t bh_nfproto[BH_TABLES] = { NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_ARP, NFPROTO_BRIDGE };

#define REQUEST_SIZE 512

static struct nlmsghdr *request(void *buf, unsigned type, uint8_t family)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);
	struct nfgenmsg *g;

	h->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	return h;
}

/* ---- tables ---- */

struct tables {
	const char *name;
	struct bh_found *found;
};

static void tables_begin(void *arg)
{
	struct tables *t = arg;

	*t->found = (struct bh_found){ .exists = { false } };
}

static int tables_one(const struct nlmsghdr *h, void *arg)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	struct tables *t = arg;

	if (!bh_streq(bh_nl_str(bh_nl_attr(h, NFTA_TABLE_NAME)), t->name))
		return 0;
	for (unsigned f = 0; f < BH_TABLES; f++) {
		if (g->nfgen_family != bh_nfproto[f])
			continue;
		t->found->exists[f] = true;
		t->found->flags[f] = bh_nl_u32(bh_nl_attr(h, NFTA_TABLE_FLAGS));
	}
	return 0;
}

int bh_read_tables(struct bh_kernel *k, struct bh_found *ret, struct bh_err *err)
{
	struct tables t = { .name = k->table, .found = ret };
	char buf[REQUEST_SIZE];
	int r;

	r = bh_nl_dump(&k->nl, request(buf, NFT_MSG_GETTABLE, NFPROTO_UNSPEC), tables_begin,
		       tables_one, &t);
	return r < 0 ? bh_err_set(err, r, "cannot list the tables of nftables: %s", strerror(-r))
		     : 0;
}

/* ---- elements ---- */

struct elems {
	struct bh_kelem *v;
	size_t n, cap, begin; /* what was read before this set ends at `begin` */
	uint8_t family;       /* as an element's */
	enum bh_kset set;
	bool first;           /* of the first format */
	struct bh_buf *texts; /* comments go there; NULL: nobody asks for them */
};

static void elems_begin(void *arg)
{
	struct elems *e = arg;

	e->n = e->begin;
}

/* Marks an interval's end until intervals are put together; no projection has it. */
#define IS_END 0xff

static bool read_data(enum bh_kset set, bool first, const struct nlattr *data, uint32_t *ret)
{
	uint32_t words[2];
	size_t len = bh_kset_has_words(set) ? sizeof(words) : sizeof(words[0]);

	if (mnl_attr_get_payload_len(data) != len)
		return false;
	memcpy(words, mnl_attr_get_payload(data), len);
	/* There, no contract was open for the kernel. */
	if (first && bh_kset_has_words(set) && bh_word_verdict(words[0]) == BH_WORD_CONTRACT)
		words[0] &= ~BH_WORD_OPEN;
	if (bh_kset_has_words(set) && words[1] != bh_kset_verdict(words[0]))
		return false;
	*ret = words[0];
	return true;
}

/* Anybody may have written it: what is no comment of nft(8)'s is none. Return: offset + 1, 0 */
static uint32_t read_comment(struct bh_buf *texts, const struct nlattr *userdata)
{
	const uint8_t *p = userdata ? mnl_attr_get_payload(userdata) : NULL;
	size_t left = userdata ? mnl_attr_get_payload_len(userdata) : 0;
	size_t at = texts->len;

	while (left >= 2 && left >= 2U + p[1]) {
		if (p[0] == NFTNL_UDATA_SET_ELEM_COMMENT && p[1] > 1 && p[1 + p[1]] == '\0' &&
		    at < UINT32_MAX - UINT8_MAX) {
			bh_buf_add(texts, &p[2], p[1]);
			return bh_buf_failed(texts) ? 0 : (uint32_t)at + 1;
		}
		left -= 2U + p[1];
		p += 2 + p[1];
	}
	return 0;
}

static int elem_one(struct elems *e, const struct nlattr *a)
{
	const struct nlattr *key, *data;
	struct bh_kelem *n;

	key = bh_nl_nested(bh_nl_nested(a, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE);
	data = bh_nl_nested(bh_nl_nested(a, NFTA_SET_ELEM_DATA), NFTA_DATA_VALUE);
	if (!key || mnl_attr_get_payload_len(key) != bh_kset_key_len(e->set, e->family))
		return -ESTALE;
	if (e->n == e->cap) {
		size_t more = e->cap > 0 ? e->cap * 2 : 1024;

		n = reallocarray(e->v, more, sizeof(*n));
		if (!n)
			return -ENOMEM;
		e->v = n;
		e->cap = more;
	}
	n = &e->v[e->n];
	*n = (struct bh_kelem){
		.set = (uint8_t)e->set,
		.family = e->family,
		.key_len = (uint8_t)mnl_attr_get_payload_len(key),
	};
	memcpy(n->key, mnl_attr_get_payload(key), n->key_len);
	if (bh_nl_u32(bh_nl_nested(a, NFTA_SET_ELEM_FLAGS)) & NFT_SET_ELEM_INTERVAL_END)
		n->flag = IS_END;
	else if (!bh_kset_is_guard(e->set) &&
		 (!data || !read_data(e->set, e->first, data, &n->data)))
		return -ESTALE;
	if (e->texts)
		n->comment = read_comment(e->texts, bh_nl_nested(a, NFTA_SET_ELEM_USERDATA));
	e->n++;
	return 0;
}

static int elems_some(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *list = bh_nl_attr(h, NFTA_SET_ELEM_LIST_ELEMENTS), *a;
	int r = 0;

	if (!list)
		return 0;
	bh_nl_each_attr(a, mnl_attr_get_payload(list), mnl_attr_get_payload_len(list))
	{
		r = elem_one(arg, a);
		if (r < 0)
			return r;
	}
	return 0;
}

/* By key; where an interval ends and the next one begins, the end comes first. */
static int cmp_read(const void *a, const void *b)
{
	const struct bh_kelem *x = a, *y = b;
	int r = bh_kelem_cmp(x, y);

	return r != 0 ? r : (int)y->flag - (int)x->flag;
}

/* The last address before @end. */
static void before(const struct bh_kelem *end, uint8_t *ret)
{
	memcpy(ret, end->key, end->key_len);
	for (unsigned i = end->key_len; i-- > 0;)
		if (ret[i]-- != 0)
			return;
}

/* Starts and ends in order become intervals. -ESTALE: they do not fit together. */
static int join_intervals(struct elems *e)
{
	size_t out = e->begin;

	for (size_t i = e->begin; i < e->n; i++) {
		struct bh_kelem start = e->v[i];

		if (start.flag == IS_END)
			return -ESTALE;
		if (i + 1 < e->n) {
			if (e->v[i + 1].flag != IS_END)
				return -ESTALE;
			before(&e->v[++i], start.key_end);
		} else {
			memset(start.key_end, 0xff, start.key_len);
		}
		e->v[out++] = start;
	}
	e->n = out;
	return 0;
}

/* One map, appended sorted. */
static int read_set(struct bh_kernel *k, unsigned family, enum bh_kset set, struct elems *e)
{
	char buf[REQUEST_SIZE];
	struct nlmsghdr *h = request(buf, NFT_MSG_GETSETELEM, bh_nfproto[family]);
	int r;

	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_TABLE, k->table);
	mnl_attr_put_strz(h, NFTA_SET_ELEM_LIST_SET, bh_kset_name(set));
	e->family = bh_table_family(family);
	e->set = set;
	e->begin = e->n;
	r = bh_nl_dump(&k->nl, h, elems_begin, elems_some, e);
	if (r < 0)
		return r;
	if (e->n > e->begin)
		qsort(&e->v[e->begin], e->n - e->begin, sizeof(*e->v), cmp_read);
	return bh_kset_is_interval(set) ? join_intervals(e) : 0;
}

static bool has_set(enum bh_kset s, unsigned table, uint32_t format)
{
	if (s == BH_KSET_PORT_ICMP && format == BH_STATE_FORMAT_FIRST)
		return false;
	if (bh_kset_is_guard(s) && format <= BH_STATE_FORMAT_NO_GUARD)
		return false;
	return bh_kset_is_in(s, bh_table_family(table));
}

int bh_read_elements(struct bh_kernel *k, const struct bh_found *found, uint32_t format,
		     bool comments, struct bh_projection *ret)
{
	bh_cleanup(bh_buf_done) struct bh_buf texts = BH_BUF_INIT;
	struct elems e = { .first = format == BH_STATE_FORMAT_FIRST,
			   .texts = comments ? &texts : NULL };
	int r = 0;

	for (unsigned t = 0; r == 0 && t < BH_TABLES; t++)
		for (enum bh_kset s = BH_KSET_INVALID + 1; r == 0 && s < BH_KSET_STATE; s++)
			if (bh_kernel_has(k, t) && found->exists[t] && has_set(s, t, format))
				r = read_set(k, t, s, &e);
	if (r < 0) {
		free(e.v);
		return r;
	}
	*ret = (struct bh_projection){ .elems = e.v, .n = e.n, .texts = texts };
	texts = (struct bh_buf)BH_BUF_INIT;
	bh_projection_levels(ret);
	return 0;
}

int bh_read_state(struct bh_kernel *k, unsigned families, struct bh_found *ret)
{
	for (unsigned f = 0; f < BH_FAMILIES; f++) {
		struct elems e = { .v = NULL };
		int r = families >> f & 1 ? read_set(k, f, BH_KSET_STATE, &e) : 0;

		for (size_t i = 0; r == 0 && i < e.n; i++) {
			uint32_t key;

			memcpy(&key, e.v[i].key, sizeof(key));
			if (key < BH_STATE_COUNT)
				ret->state[f][key] = e.v[i].data;
		}
		free(e.v);
		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- chains ---- */

struct chain {
	UT_hash_handle hh;
	char name[64];    /* "4 forward"; padded with zeros, the key */
	uint32_t hook[3]; /* number + 1, priority, policy; zeros where it is at none */
	unsigned rules;
	struct bh_buf text; /* of the rules, a line for each */
	bool seen;
};

struct chains {
	const char *table;
	struct chain *should, *is; /* by name */
	bool blind;                /* what stands in rules is not compared */
	bool failed;
};

static void chain_key(char key[64], uint8_t family, const char *name)
{
	memset(key, 0, 64);
	(void)snprintf(key, 64, "%s %s", bh_nfproto_name(family), name);
}

static struct chain *chain_get(struct chains *c, struct chain **table, uint8_t family,
			       const char *name)
{
	struct chain *n = NULL;
	char key[64];

	chain_key(key, family, name);
	HASH_FIND(hh, *table, key, sizeof(key), n);
	if (n)
		return n;
	n = calloc(1, sizeof(*n));
	if (!n) {
		c->failed = true;
		return NULL;
	}
	memcpy(n->name, key, sizeof(key));
	HASH_ADD(hh, *table, name, sizeof(n->name), n);
	if (!n->hh.tbl) {
		free(n);
		c->failed = true;
		return NULL;
	}
	return n;
}

static void chains_free(struct chain **table)
{
	struct chain *n, *tmp;

	HASH_ITER(hh, *table, n, tmp) {
		HASH_DEL(*table, n);
		bh_buf_done(&n->text);
		free(n);
	}
}

static void note_chain(struct chains *c, struct chain **table, const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	const struct nlattr *hook = bh_nl_attr(h, NFTA_CHAIN_HOOK);
	struct chain *n =
	    chain_get(c, table, g->nfgen_family, bh_nl_str(bh_nl_attr(h, NFTA_CHAIN_NAME)));

	if (!n || !hook)
		return;
	n->hook[0] = bh_nl_u32(bh_nl_nested(hook, NFTA_HOOK_HOOKNUM)) + 1;
	n->hook[1] = bh_nl_u32(bh_nl_nested(hook, NFTA_HOOK_PRIORITY));
	n->hook[2] = bh_nl_u32(bh_nl_attr(h, NFTA_CHAIN_POLICY));
}

static bool is_word(const char *text, size_t n, const char *word)
{
	return strlen(word) == n && memcmp(text, word, n) == 0;
}

/*
 * An expression as libnftnl writes it, without what the kernel is free to choose: how it names a register, maps that
 * belong to one rule, what a counter has counted. Names of counters are sent without a NUL, and may be read with what
 * stands behind.
 */
static void put_expression(struct bh_buf *out, const char *text)
{
	static const char *const chosen[] = { "reg",     "dreg", "sreg_addr", "reg_key",
					      "timeout", "pkts", "bytes" };
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz_";
	bool drop = false, name = false;

	while (*text) {
		size_t n = strcspn(text, " \n"), len = name ? BH_MIN(n, strspn(text, plain)) : n;

		/* Flags that are not set are said by the kernel alone; numbers of ours have eight digits. */
		if (n > 0 && !drop && !is_word(text, n, "0x0") && !is_word(text, n, "timeout")) {
			bh_buf_add(out, text, len);
			bh_buf_putc(out, ' ');
		}
		if (n > 0) {
			drop = is_word(text, n, "set") && strncmp(text + n, " __", 3) == 0;
			for (size_t i = 0; i < BH_ARRAY_SIZE(chosen); i++)
				drop = drop || is_word(text, n, chosen[i]);
			name = is_word(text, n, "name");
		}
		text += n + (text[n] != '\0');
	}
}

static bool put_rule(struct bh_buf *out, const struct nlmsghdr *h)
{
	struct nftnl_rule *r = nftnl_rule_alloc();
	struct nftnl_expr_iter *it;
	struct nftnl_expr *e;
	char text[512];
	bool ok;

	if (!r)
		return false;
	ok = nftnl_rule_nlmsg_parse(h, r) >= 0;
	it = ok ? nftnl_expr_iter_create(r) : NULL;
	while (it && (e = nftnl_expr_iter_next(it))) {
		const char *name = nftnl_expr_get_str(e, NFTNL_EXPR_NAME);

		text[0] = '\0';
		(void)nftnl_expr_snprintf(text, sizeof(text), e, 0, 0);
		bh_buf_printf(out, "%s ", name);
		put_expression(out, text);
	}
	bh_buf_putc(out, '\n');
	if (it)
		nftnl_expr_iter_destroy(it);
	nftnl_rule_free(r);
	return it && !bh_buf_failed(out);
}

static void note_rule(struct chains *c, struct chain **table, const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = mnl_nlmsg_get_payload(h);
	struct chain *n =
	    chain_get(c, table, g->nfgen_family, bh_nl_str(bh_nl_attr(h, NFTA_RULE_CHAIN)));

	if (!n)
		return;
	n->rules++;
	if (!put_rule(&n->text, h))
		c->failed = true;
}

static void should_one(const struct nlmsghdr *h, void *arg)
{
	struct chains *c = arg;

	if ((h->nlmsg_type & 0xff) == NFT_MSG_NEWCHAIN)
		note_chain(c, &c->should, h);
	else if ((h->nlmsg_type & 0xff) == NFT_MSG_NEWRULE)
		note_rule(c, &c->should, h);
}

static void is_begin(void *arg)
{
	struct chains *c = arg;

	chains_free(&c->is);
}

static int is_chain(const struct nlmsghdr *h, void *arg)
{
	struct chains *c = arg;

	if (bh_streq(bh_nl_str(bh_nl_attr(h, NFTA_CHAIN_TABLE)), c->table))
		note_chain(c, &c->is, h);
	return c->failed ? -ENOMEM : 0;
}

static void rules_begin(void *arg)
{
	struct chains *c = arg;
	struct chain *n, *tmp;

	HASH_ITER(hh, c->is, n, tmp) {
		n->rules = 0;
		bh_buf_clear(&n->text);
	}
}

static int is_rule(const struct nlmsghdr *h, void *arg)
{
	struct chains *c = arg;

	if (bh_streq(bh_nl_str(bh_nl_attr(h, NFTA_RULE_TABLE)), c->table))
		note_rule(c, &c->is, h);
	return c->failed ? -ENOMEM : 0;
}

static int read_chains(struct bh_kernel *k, struct chains *c)
{
	char buf[REQUEST_SIZE];
	struct nlmsghdr *h;
	int r;

	r = bh_nl_dump(&k->nl, request(buf, NFT_MSG_GETCHAIN, NFPROTO_UNSPEC), is_begin, is_chain,
		       c);
	for (unsigned f = 0; r == 0 && f < BH_TABLES; f++) {
		/* Rules of the family's table alone; they are counted from nothing in the first round. */
		h = request(buf, NFT_MSG_GETRULE, bh_nfproto[f]);
		mnl_attr_put_strz(h, NFTA_RULE_TABLE, k->table);
		r = bh_nl_dump(&k->nl, h, f == 0 ? rules_begin : NULL, is_rule, c);
	}
	return r;
}

/* The number of the first rule that differs, from 1; 0: none. */
static unsigned other_rule(const struct chain *a, const struct chain *b)
{
	const char *x = bh_buf_str(&a->text), *y = bh_buf_str(&b->text);

	for (unsigned n = 1; *x && *y; n++) {
		size_t len = strcspn(x, "\n"), other = strcspn(y, "\n");

		if (len != other || memcmp(x, y, len) != 0)
			return n;
		x += len + 1;
		y += other + 1;
	}
	return 0;
}

static void say(bh_read_fn fn, void *arg, const char *fmt, ...) bh_printf(3, 4);
static void say(bh_read_fn fn, void *arg, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fn(arg, text);
}

static void compare_chain(const struct chain *s, const struct chain *i, bool blind, bh_read_fn fn,
			  void *arg)
{
	unsigned n;

	if (!i) {
		say(fn, arg, "chain '%s' is gone", s->name);
		return;
	}
	if (memcmp(i->hook, s->hook, sizeof(s->hook)) != 0)
		say(fn, arg, "chain '%s' is at another hook than ours, or lets other packets pass",
		    s->name);
	n = other_rule(s, i);
	if (i->rules != s->rules)
		say(fn, arg, "chain '%s' has %u rules, not the %u we made", s->name, i->rules,
		    s->rules);
	else if (n > 0 && !blind)
		say(fn, arg, "chain '%s': rule %u is not the one we made", s->name, n);
}

static void compare_chains(struct chains *c, bh_read_fn fn, void *arg)
{
	struct chain *s, *i, *tmp;

	HASH_ITER(hh, c->should, s, tmp) {
		HASH_FIND(hh, c->is, s->name, sizeof(s->name), i);
		/* cppcheck-suppress uninitvar ; it does not follow HASH_ITER */
		compare_chain(s, i, c->blind, fn, arg);
		if (i)
			i->seen = true;
	}
	/* Of levels that were in use once, empty chains are left. */
	HASH_ITER(hh, c->is, i, tmp)
		if (!i->seen && (i->rules > 0 || i->hook[0] > 0))
			say(fn, arg, "chain '%s' is not ours", i->name);
}

int bh_read_chains(struct bh_kernel *k, bh_read_fn fn, void *arg, struct bh_err *err)
{
	struct chains c = { .table = k->table, .blind = k->blind };
	struct bh_batch b;
	int r;

	bh_batch_init(&b, k->table);
	for (unsigned f = 0; f < BH_TABLES; f++) {
		struct bh_chains want = bh_kernel_chains(k, &b, f);

		if (bh_kernel_has(k, f))
			bh_chains_make(&want);
	}
	bh_batch_each(&b, should_one, &c);
	r = b.failed || c.failed ? -ENOMEM : read_chains(k, &c);
	if (r < 0)
		r = bh_err_set(err, r, "cannot list the chains of table %s: %s", k->table,
			       strerror(-r));
	else
		compare_chains(&c, fn, arg);
	bh_batch_done(&b);
	chains_free(&c.should);
	chains_free(&c.is);
	return r;
}

struct first {
	const char *table;
	struct bh_err *err;
	bool found;
};

static void first_one(void *arg, const char *text)
{
	struct first *f = arg;

	if (!f->found)
		(void)bh_err_set(f->err, -ESTALE, "table %s: %s", f->table, text);
	f->found = true;
}

int bh_read_chains_check(struct bh_kernel *k, struct bh_err *err)
{
	struct first f = { .table = k->table, .err = err };
	int r = bh_read_chains(k, first_one, &f, err);

	return r < 0 ? r : f.found ? -ESTALE : 0;
}
