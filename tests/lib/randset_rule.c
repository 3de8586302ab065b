/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * tests/lib/randset_rule.c - what rules of our kinds ask for: protocols, details, time, records
 */
#include "tests/lib/randset_internal.h"

#include <stdio.h>
#include <string.h>

/* The same few, so that rules often ask for the same and often for nearly the same. Sorted. */
struct words {
	const char *patterns[5];
	const char *values[8];
};
static const struct words vocabulary[BH_ATTR_COUNT] = {
	[BH_ATTR_HTTP_METHOD] = { { "GET", "HEAD", "POST" }, { "GET", "HEAD", "POST", "PUT" } },
	[BH_ATTR_HTTP_PATH] = { { "/", "/a/*/c", "/orders/*", "/public/**", "/x**y" },
				{ "/", "/a/b/c", "/a/b/d/c", "/orders", "/orders/7", "/public",
				  "/public/x/y", "/xz/zy" } },
	[BH_ATTR_HTTP_HOST] = { { "*.example", "*.shop.example", "shop.example" },
				{ "shop.example", "www.shop.example", "a.b.shop.example", "example",
				  "elsewhere.test" } },
	[BH_ATTR_HTTP_CONNECT] = { { "*.example:*", "db.example:5432" },
				   { "db.example:5432", "db.example:22", "x.test:5432" } },
	[BH_ATTR_HTTP_UPGRADE] = { { "h2c", "websocket" }, { "websocket", "h2c", "tls/1.0" } },
	[BH_ATTR_TLS_NAME] = { { "*.bank.example", "api.pay.example" },
			       { "api.pay.example", "www.bank.example", "bank.example",
				 "other.test" } },
	[BH_ATTR_TLS_ALPN] = { { "h2", "http/1.1" }, { "h2", "http/1.1", "smtp" } },
	[BH_ATTR_TLS_VERSION] = { { "1.2", "1.3" }, { "1.0", "1.1", "1.2", "1.3", "9" } },
	[BH_ATTR_TLS_ECH] = { { "absent", "present" }, { "absent", "present" } },
	[BH_ATTR_DNS_NAME] = { { "*.bank.example", "api.pay.example" },
			       { "api.pay.example", "x.y.bank.example", "bank.example" } },
	[BH_ATTR_DNS_TYPE] = { { "A", "AAAA", "TYPE65" }, { "A", "AAAA", "TYPE65", "TXT" } },
	[BH_ATTR_GRPC_SERVICE] = { { "shop.*", "shop.**", "shop.Cart" },
				   { "shop.Cart", "shop.v1.Cart", "shop", "bank.Pay" } },
	[BH_ATTR_GRPC_METHOD] = { { "*", "Add", "Get" }, { "Add", "Get", "Remove" } },
	[BH_ATTR_RISK] = { { "obsolete_tls", "self_signed" },
			   { "obsolete_tls", "self_signed", "known_port" } },
};

const char *randset_value(enum bh_attr attr, size_t i)
{
	return i < BH_ARRAY_SIZE(vocabulary[attr].values) ? vocabulary[attr].values[i] : NULL;
}

/* ---- details ---- */

static const struct {
	enum bh_attr first, last;
	uint8_t own, more;
} kinds[BH_DETAIL_COUNT] = {
	[BH_DETAIL_HTTP] = { BH_ATTR_HTTP_METHOD, BH_ATTR_HTTP_UPGRADE, BH_PROTO_HTTP,
			     BH_PROTO_HTTP2 },
	[BH_DETAIL_TLS] = { BH_ATTR_TLS_NAME, BH_ATTR_TLS_ECH, BH_PROTO_TLS, BH_PROTO_QUIC },
	[BH_DETAIL_DNS] = { BH_ATTR_DNS_NAME, BH_ATTR_DNS_TYPE, BH_PROTO_DNS, BH_PROTO_DNS },
	[BH_DETAIL_GRPC] = { BH_ATTR_GRPC_SERVICE, BH_ATTR_GRPC_METHOD, BH_PROTO_GRPC,
			     BH_PROTO_GRPC },
	[BH_DETAIL_RISK] = { BH_ATTR_RISK, BH_ATTR_RISK, 0, 0 },
};

static void values_random(struct rnd *r, enum bh_attr attr, struct bh_strlist *l)
{
	const char *const *patterns = vocabulary[attr].patterns;
	size_t n = 0, first;

	while (n < BH_ARRAY_SIZE(vocabulary[attr].patterns) && patterns[n])
		n++;
	first = rnd_below(r, (uint32_t)n);
	l->items = rs_must(calloc(2, sizeof(*l->items)));
	l->items[l->n++] = rs_copy(patterns[first]);
	if (attr != BH_ATTR_TLS_VERSION && first + 1 < n && rnd_one_in(r, 3))
		l->items[l->n++] = rs_copy(patterns[first + 1]);
}

static void clause_random(struct rnd *r, enum bh_detail_kind kind, struct bh_clause *c)
{
	enum bh_attr attr = kinds[kind].first;
	uint32_t span = kinds[kind].last - kinds[kind].first + 1U;

	c->tests = rs_must(calloc(2, sizeof(*c->tests)));
	/* In ascending order, as the loader puts them. */
	attr += rnd_below(r, span);
	c->tests[c->n].attr = attr;
	values_random(r, attr, &c->tests[c->n++].values);
	if (attr < kinds[kind].last && rnd_one_in(r, 2)) {
		attr += 1 + rnd_below(r, kinds[kind].last - attr);
		c->tests[c->n].attr = attr;
		values_random(r, attr, &c->tests[c->n++].values);
	}
}

static void detail_random(struct rnd *r, enum bh_detail_kind kind, struct bh_detail *d)
{
	/* A few details come again and again. */
	struct rnd again = { .state = rnd_below(r, 3) };

	if (rnd_one_in(r, 2))
		r = &again;
	d->kind = kind;
	d->clauses = rs_must(calloc(2, sizeof(*d->clauses)));
	do {
		clause_random(r, kind, &d->clauses[d->n++]);
	} while (d->n < 2 && rnd_one_in(r, 3));
}

static void details_random(struct rnd *r, struct bh_rule *rule, const struct bh_policy *p)
{
	bool listed = rule->has_protocols, risks;

	rule->details = rs_must(calloc(BH_DETAIL_COUNT, sizeof(*rule->details)));
	risks = p->kind == BH_KIND_CLUSTER_TRAFFIC_POLICY &&
		(rule->action == BH_ACTION_ALERT || rule->action == BH_ACTION_LOG);
	for (enum bh_detail_kind k = BH_DETAIL_HTTP; k < BH_DETAIL_RISK && !rule->negated; k++) {
		bool bound = !listed || bh_protoset_has(&rule->protocols, kinds[k].own) ||
			     bh_protoset_has(&rule->protocols, kinds[k].more);

		/* Beside protocols only where one of them is bound; else they imply their own. */
		if (!bound || !rnd_one_in(r, listed ? 2 : 6))
			continue;
		detail_random(r, k, &rule->details[rule->n_details++]);
		if (!listed) {
			rule->has_protocols = true;
			bh_protoset_add(&rule->protocols, kinds[k].own);
		}
	}
	if (risks && rnd_one_in(r, 3))
		detail_random(r, BH_DETAIL_RISK, &rule->details[rule->n_details++]);
}

/* ---- time ---- */

static void when_random(struct rnd *r, struct bh_when *w, int64_t now)
{
	static const char *const zones[] = { "UTC", "Europe/Vienna", "America/New_York" };
	static const uint16_t lengths[] = { 1, 60, 600, 1439 };
	uint32_t minute = (uint32_t)(now / 60 % 1440);

	/* Begins within an hour of now, in one of the zones. */
	minute = (minute + 1440 - 30 + rnd_below(r, 60) + 60 * rnd_below(r, 3)) % 1440;
	w->zone = rs_copy(PICK(r, zones));
	w->days = (uint8_t)(1 + rnd_below(r, 127));
	w->from = (uint16_t)minute;
	w->to = (uint16_t)((minute + PICK(r, lengths)) % 1440);
	if (rnd_one_in(r, 8)) {
		w->from = 0;
		w->to = 1440;
	}
}

static void rule_time_random(struct rnd *r, struct bh_rule *rule, int64_t now)
{
	static const int64_t near[] = { -3600, -1, 0, 1, 60, 3600, 86400 };

	if (rnd_one_in(r, 8))
		rule->expires = now + PICK(r, near);
	if (rnd_one_in(r, 6))
		when_random(r, &rule->when, now);
}

/* ---- */

static void protocols_random(struct rnd *r, struct bh_rule *rule, unsigned features)
{
	static const uint8_t protocols[] = { BH_PROTO_HTTP,  BH_PROTO_TLS,   BH_PROTO_SSH,
					     BH_PROTO_DNS,   BH_PROTO_MYSQL, BH_PROTO_UNKNOWN,
					     BH_PROTO_HTTP2, BH_PROTO_GRPC,  BH_PROTO_QUIC };
	uint32_t known = features & RANDSET_DETAIL ? 9 : 6;

	rule->has_protocols = true;
	rule->negated = rnd_one_in(r, 4);
	for (uint32_t n = 1 + rnd_below(r, 3); n > 0; n--)
		bh_protoset_add(&rule->protocols, protocols[rnd_below(r, known)]);
}

void rs_rule_random(struct rnd *r, struct bh_rule *rule, const struct bh_policy *p, enum bh_dir dir,
		    const struct randset_config *c)
{
	if (p->kind != BH_KIND_TRAFFIC_POLICY && p->kind != BH_KIND_CLUSTER_TRAFFIC_POLICY)
		return;
	if (rnd_one_in(r, 2))
		protocols_random(r, rule, c->features);
	if (c->features & RANDSET_DETAIL)
		details_random(r, rule, p);
	if (c->features & RANDSET_TIME)
		rule_time_random(r, rule, c->now);
	if ((c->features & RANDSET_LOG) && rule->action == BH_ACTION_ALLOW)
		rule->log = rnd_one_in(r, 6);
}
