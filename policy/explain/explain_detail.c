// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * policy/explain/explain_detail.c - do a rule's details hold for what is spoken; if not, which of them
 *
 * As bh_ruleset_pred() asks a compiled predicate, here for rules as they were written.
 */
#include "policy/explain/explain_internal.h"

#include "common/util.h"
#include "policy/text.h"

#include <string.h>

#include "common/banned.h"

/* What one value of an attribute is called. */
static const char *attr_word(enum bh_attr a)
{
	static const char *const words[] = {
		[BH_ATTR_INVALID] = "?",
		[BH_ATTR_HTTP_METHOD] = "method",
		[BH_ATTR_HTTP_PATH] = "path",
		[BH_ATTR_HTTP_HOST] = "host",
		[BH_ATTR_HTTP_CONNECT] = "CONNECT target",
		[BH_ATTR_HTTP_UPGRADE] = "upgrade",
		[BH_ATTR_TLS_NAME] = "server name",
		[BH_ATTR_TLS_ALPN] = "ALPN",
		[BH_ATTR_TLS_VERSION] = "TLS version",
		[BH_ATTR_TLS_ECH] = "encrypted client hello",
		[BH_ATTR_DNS_NAME] = "DNS name",
		[BH_ATTR_DNS_TYPE] = "DNS type",
		[BH_ATTR_GRPC_SERVICE] = "gRPC service",
		[BH_ATTR_GRPC_METHOD] = "gRPC method",
		[BH_ATTR_RISK] = "risk",
	};
	BH_STATIC_ASSERT_TABLE(words, BH_ATTR_COUNT);

	return (unsigned)a < BH_ATTR_COUNT ? words[a] : "?";
}

void bh_put_shown(struct bh_buf *b, const char *value)
{
	size_t left = strlen(value);

	while (left > 0) {
		uint32_t c = 0;
		size_t n = bh_utf8_next(value, left, &c);

		if (n > 0 && c >= ' ' && (c < 0x7f || c > 0x9f))
			BH_SAY(b, "%.*s", (int)n, value);
		else
			BH_SAY(b, "\\x%02x", (unsigned char)*value);
		n = n > 0 ? n : 1;
		value += n;
		left -= n;
	}
}

static void put_wanted(struct bh_buf *b, const struct bh_test *t)
{
	for (size_t i = 0; i < t->values.n && i < BH_SHOWN; i++)
		BH_SAY(b, "%s%s", i ? ", " : "", t->values.items[i]);
	if (t->values.n > BH_SHOWN)
		BH_SAY(b, ", ...");
}

static void put_test_miss(struct bh_buf *b, const struct bh_test *t, const char *value)
{
	const char *word = attr_word(t->attr);

	if (!value) {
		BH_SAY(b, "there is no %s, and it must be ", word);
		put_wanted(b, t);
		return;
	}
	BH_SAY(b, t->attr == BH_ATTR_TLS_ECH ? "%s is " : "%s ", word);
	bh_put_shown(b, value);
	BH_SAY(b, "%s",
	       t->attr == BH_ATTR_TLS_VERSION ? " is below "
	       : t->attr == BH_ATTR_TLS_ECH   ? ", not "
					      : " is not in ");
	put_wanted(b, t);
}

static bool value_is_wanted(const struct bh_test *t, const char *value)
{
	for (size_t i = 0; i < t->values.n; i++) {
		if (bh_attr_match(t->attr, t->values.items[i], value))
			return true;
	}
	return false;
}

/* All that is offered or asked for must be wanted. */
static bool wants_all(enum bh_attr a)
{
	return a == BH_ATTR_TLS_ALPN || a == BH_ATTR_DNS_NAME || a == BH_ATTR_DNS_TYPE;
}

enum bh_truth bh_test_holds(const struct bh_spoken *sp, const struct bh_test *t, struct bh_buf *b)
{
	const char *bad = NULL;
	size_t n = sp->attr[t->attr].n, hits = 0;

	if (!(sp->known >> t->attr & 1)) {
		BH_SAY(b, "%s is not said", attr_word(t->attr));
		return BH_OPEN;
	}
	for (size_t i = 0; i < n; i++) {
		const char *value = sp->attr[t->attr].v[i];

		if (value_is_wanted(t, value))
			hits++;
		else if (!bad)
			bad = value;
	}
	if (hits > 0 && (hits == n || !wants_all(t->attr)))
		return BH_TRUE;
	put_test_miss(b, t, bad);
	return BH_FALSE;
}

/* @ret_failed: tests that do not hold. Only they are said, or what is open where none fails. */
static enum bh_truth clause_holds(const struct bh_spoken *sp, const struct bh_clause *c,
				  unsigned *ret_failed, struct bh_buf *b)
{
	enum bh_truth all = BH_TRUE;
	bool first = true;

	*ret_failed = 0;
	for (size_t i = 0; i < c->n; i++) {
		enum bh_truth one = bh_test_holds(sp, &c->tests[i], NULL);

		*ret_failed += one == BH_FALSE;
		if (one == BH_FALSE || (one == BH_OPEN && all == BH_TRUE))
			all = one;
	}
	for (size_t i = 0; b && all != BH_TRUE && i < c->n; i++) {
		if (bh_test_holds(sp, &c->tests[i], NULL) != all)
			continue;
		BH_SAY(b, "%s", first ? "" : " and ");
		(void)bh_test_holds(sp, &c->tests[i], b);
		first = false;
	}
	return all;
}

static enum bh_truth detail_holds(const struct bh_spoken *sp, const struct bh_detail *d,
				  struct bh_buf *b)
{
	const struct bh_clause *near = NULL;
	enum bh_truth any = BH_FALSE;
	unsigned best = 0, failed;

	for (size_t i = 0; i < d->n; i++) {
		enum bh_truth one = clause_holds(sp, &d->clauses[i], &failed, NULL);

		if (one == BH_TRUE)
			return BH_TRUE;
		/* One that is open is nearer than one that fails. */
		if (one == BH_OPEN)
			any = BH_OPEN;
		if (!near || failed < best) {
			near = &d->clauses[i];
			best = failed;
		}
	}
	if (!near) {
		BH_SAY(b, "the rule lists no %s", bh_detail_name(d->kind));
		return BH_FALSE;
	}
	(void)clause_holds(sp, near, &failed, b);
	if (d->n > 1)
		BH_SAY(b, " (the nearest of %zu in the rule's %s)", d->n, bh_detail_name(d->kind));
	return any;
}

/* Said is what fails, else what is open. */
enum bh_truth bh_details_match(const struct bh_asked *q, const struct bh_rule *r, struct bh_buf *b)
{
	bh_cleanup(bh_buf_done) struct bh_buf why = BH_BUF_INIT;
	enum bh_truth all = BH_TRUE;

	for (size_t i = 0; i < r->n_details && all != BH_FALSE; i++) {
		const struct bh_detail *d = &r->details[i];
		bool not_said = q->spoken->proto == 0 && d->kind != BH_DETAIL_RISK;
		bh_cleanup(bh_buf_done) struct bh_buf one = BH_BUF_INIT;
		enum bh_truth t = BH_OPEN;

		if (not_said)
			bh_buf_puts(&one, "the protocol is not said");
		else if (!bh_detail_binds(d->kind, q->spoken->proto))
			continue;
		else
			t = detail_holds(q->spoken, d, b ? &one : NULL);
		if (t == BH_TRUE || t == all)
			continue;
		all = t;
		bh_buf_clear(&why);
		bh_say_buf(&why, &one);
	}
	bh_say_buf(b, &why);
	return all;
}
