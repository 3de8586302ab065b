/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * policy/load/load_detail.c - what is asked beyond the protocol: http, tls, dns, grpc, risks
 *
 * Each becomes a detail of the rule: clauses that are ORed, of tests that are ANDed, of values that are ORed. `http`
 * is a list of clauses, the others are one. Which protocols go with them is settled in load_protocol.c.
 */
#include "policy/load/load_internal.h"

#include "common/util.h"
#include "policy/dnstype.h"
#include "policy/pattern.h"
#include "policy/risk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/banned.h"

#define NAMES_MAX 64

/* ---- values ---- */

void bh_load_values(struct bh_load *l, const struct bh_yaml_node *list, const struct bh_field *f,
		    const char *(*check)(const char *), bool fold, struct bh_strlist *ret)
{
	ret->items = bh_load_array(l, list->n, sizeof(char *));
	for (uint32_t i = 0; ret->items && i < list->n; i++) {
		const struct bh_yaml_node *n = list->items[i];
		size_t mark = bh_path_index(&l->rd, i);

		if (bh_read_item(&l->rd, n, f)) {
			const char *why = check(n->text);
			char *copy = bh_load_strdup(l, n->text);

			if (why)
				bh_complain(&l->rd, n, "e19", why, "\"%.80s\" cannot stand in %s",
					    n->text, bh_path(&l->rd, ""));
			if (copy && fold)
				bh_pattern_fold(copy);
			if (copy)
				ret->items[ret->n++] = copy;
		}
		bh_path_back(&l->rd, mark);
	}
}

/* A word out of a table that others know too; complains with the nearest. */
static void unknown_word(struct bh_load *l, const struct bh_yaml_node *n,
			 const char *(*nth)(size_t), const char *what, const char *otherwise)
{
	const char *names[NAMES_MAX];
	char near[128];
	size_t count = 0;
	const char *hint;

	while (count < NAMES_MAX && nth(count)) {
		names[count] = nth(count);
		count++;
	}
	hint = bh_suggest(n->text, names, count, near, sizeof(near));
	bh_complain(&l->rd, n, "e19", hint ? hint : otherwise, "unknown %s \"%.80s\" in %s", what,
		    n->text, bh_path(&l->rd, ""));
}

/* Words of a table, as it writes them. */
static void words(struct bh_load *l, const struct bh_yaml_node *list, const struct bh_field *f,
		  bool (*canonical)(struct bh_load *, const struct bh_yaml_node *, char *),
		  struct bh_strlist *ret)
{
	ret->items = bh_load_array(l, list->n, sizeof(char *));
	for (uint32_t i = 0; ret->items && i < list->n; i++) {
		const struct bh_yaml_node *n = list->items[i];
		size_t mark = bh_path_index(&l->rd, i);
		char word[64];

		if (bh_read_item(&l->rd, n, f) && canonical(l, n, word)) {
			ret->items[ret->n] = bh_load_strdup(l, word);
			if (ret->items[ret->n])
				ret->n++;
		}
		bh_path_back(&l->rd, mark);
	}
}

static bool dns_type(struct bh_load *l, const struct bh_yaml_node *n, char *word)
{
	char buf[BH_DNS_TYPE_STRLEN];
	uint16_t type = 0;

	if (bh_dns_type_parse(n->text, &type) < 0) {
		unknown_word(l, n, bh_dns_type_nth, "type of records",
			     "write A, AAAA, MX ..., or TYPE and a number");
		return false;
	}
	(void)snprintf(word, 64, "%s", bh_dns_type_name(type, buf));
	return true;
}

static bool risk(struct bh_load *l, const struct bh_yaml_node *n, char *word)
{
	if (bh_risk_by_name(n->text) == 0) {
		unknown_word(l, n, bh_risk_nth, "risk",
			     "names are those of nDPI: \"tls-obsolete-version\"");
		return false;
	}
	(void)snprintf(word, 64, "%s", n->text);
	return true;
}

/* ---- clauses ---- */

/* What the fields of a clause become, in the order of the table of fields. */
struct part {
	enum bh_attr attr;
	const char *(*check)(const char *);
	bool fold;
};

static const struct part http_parts[] = {
	[BH_F_HTTP_METHODS] = { BH_ATTR_HTTP_METHOD, bh_pattern_method, false },
	[BH_F_HTTP_PATHS] = { BH_ATTR_HTTP_PATH, bh_pattern_path, false },
	[BH_F_HTTP_HOSTS] = { BH_ATTR_HTTP_HOST, bh_pattern_name, true },
	[BH_F_HTTP_CONNECT] = { BH_ATTR_HTTP_CONNECT, bh_pattern_connect, true },
	[BH_F_HTTP_UPGRADE] = { BH_ATTR_HTTP_UPGRADE, bh_pattern_token, false },
};
static const struct part tls_parts[] = {
	[BH_F_TLS_NAMES] = { BH_ATTR_TLS_NAME, bh_pattern_name, true },
	[BH_F_TLS_ALPN] = { BH_ATTR_TLS_ALPN, bh_pattern_alpn, false },
	[BH_F_TLS_VERSION] = { BH_ATTR_TLS_VERSION, NULL, false }, /* one value, of a few */
	[BH_F_TLS_ECH] = { BH_ATTR_TLS_ECH, NULL, false },
};
static const struct part dns_parts[] = {
	[BH_F_DNS_NAMES] = { BH_ATTR_DNS_NAME, bh_pattern_name, true },
	[BH_F_DNS_TYPES] = { BH_ATTR_DNS_TYPE, NULL, false },
};
static const struct part grpc_parts[] = {
	[BH_F_GRPC_SERVICES] = { BH_ATTR_GRPC_SERVICE, bh_pattern_service, false },
	[BH_F_GRPC_METHODS] = { BH_ATTR_GRPC_METHOD, bh_pattern_call, false },
};
#define PARTS_MAX 8

static const struct kind {
	enum bh_detail_kind kind;
	unsigned field;
	const struct bh_object *object;
	const struct part *parts;
} kinds[] = {
	{ BH_DETAIL_HTTP, BH_F_RULE_HTTP, &bh_object_http, http_parts },
	{ BH_DETAIL_TLS, BH_F_RULE_TLS, &bh_object_tls, tls_parts },
	{ BH_DETAIL_DNS, BH_F_RULE_DNS, &bh_object_dns, dns_parts },
	{ BH_DETAIL_GRPC, BH_F_RULE_GRPC, &bh_object_grpc, grpc_parts },
};

static void test(struct bh_load *l, const struct bh_yaml_node *n, const struct bh_field *f,
		 const struct part *part, struct bh_test *t)
{
	size_t mark = bh_path_key(&l->rd, f->name);

	t->attr = part->attr;
	if (f->type == BH_FIELD_STRING) {
		t->values.items = bh_load_array(l, 1, sizeof(char *));
		if (t->values.items)
			t->values.items[0] = bh_load_strdup(l, bh_node_str(n));
		t->values.n = t->values.items && t->values.items[0];
	} else if (part->attr == BH_ATTR_DNS_TYPE) {
		words(l, n, f, dns_type, &t->values);
	} else {
		bh_load_values(l, n, f, part->check, part->fold, &t->values);
	}
	bh_path_back(&l->rd, mark);
}

static bool lists(const struct bh_got *got, const char *value)
{
	for (uint32_t i = 0; got->value && i < got->value->n; i++)
		if (bh_streq(got->value->items[i]->text, value))
			return true;
	return false;
}

/* CONNECT has a target instead of a path; what asks for both never holds. */
static void check_connect(struct bh_load *l, const struct bh_got *got)
{
	const struct bh_got *connect = &got[BH_F_HTTP_CONNECT];
	size_t mark = bh_path_key(&l->rd, "connect");

	if (connect->value && got[BH_F_HTTP_PATHS].value)
		bh_complain(&l->rd, connect->key, "e25", "make it two entries of http",
			    "connect beside paths: a CONNECT request has no path");
	else if (connect->value && got[BH_F_HTTP_METHODS].value &&
		 !lists(&got[BH_F_HTTP_METHODS], "CONNECT"))
		bh_complain(&l->rd, connect->key, "e25",
			    "leave methods out, or make it two entries of http",
			    "connect beside methods without CONNECT: no request is like that");
	bh_path_back(&l->rd, mark);
}

static void clause(struct bh_load *l, const struct bh_yaml_node *n, const struct kind *k,
		   struct bh_clause *c)
{
	struct bh_got got[PARTS_MAX];
	size_t errors = l->rd.d->n_errors, written = 0;

	c->pos = n->pos;
	if (!bh_read_fields(&l->rd, n, k->object, l->in, got))
		return;
	for (size_t i = 0; i < k->object->n; i++)
		written += got[i].value != NULL;
	if (written == 0 && l->rd.d->n_errors == errors) {
		char hint[96];

		(void)snprintf(hint, sizeof(hint), "to mean all of it, write \"protocols: [%s]\"",
			       bh_detail_name(k->kind));
		bh_complain(&l->rd, n, "e18", hint, "%s says nothing", bh_path(&l->rd, ""));
	}
	c->tests = bh_load_array(l, written, sizeof(*c->tests));
	for (size_t i = 0; c->tests && i < k->object->n; i++)
		if (got[i].value)
			test(l, got[i].value, &k->object->fields[i], &k->parts[i],
			     &c->tests[c->n++]);
	if (k->kind == BH_DETAIL_HTTP)
		check_connect(l, got);
}

static void clauses(struct bh_load *l, const struct bh_yaml_node *n, const struct kind *k,
		    struct bh_detail *d)
{
	uint32_t count = n->type == BH_YAML_LIST ? n->n : 1;

	d->clauses = bh_load_array(l, count, sizeof(*d->clauses));
	for (uint32_t i = 0; d->clauses && i < count; i++) {
		size_t mark = l->rd.path.len;

		if (n->type == BH_YAML_LIST)
			(void)bh_path_index(&l->rd, i);
		clause(l, n->type == BH_YAML_LIST ? n->items[i] : n, k, &d->clauses[d->n++]);
		bh_path_back(&l->rd, mark);
	}
}

/* One clause of one test. */
static void risks(struct bh_load *l, const struct bh_got *got, const struct bh_rule *r,
		  struct bh_detail *d)
{
	if (r->action != BH_ACTION_ALERT && r->action != BH_ACTION_LOG &&
	    r->action != BH_ACTION_INVALID)
		bh_complain(
		    &l->rd, got->key, "e25", "write \"action: alert\"",
		    "risks in a rule with action \"%s\": they are guesses of nDPI, good enough "
		    "to tell, not to decide",
		    bh_action_name(r->action));
	d->clauses = bh_load_array(l, 1, sizeof(*d->clauses));
	if (!d->clauses)
		return;
	d->n = 1;
	d->clauses[0].pos = got->value->pos;
	d->clauses[0].tests = bh_load_array(l, 1, sizeof(struct bh_test));
	if (!d->clauses[0].tests)
		return;
	d->clauses[0].n = 1;
	d->clauses[0].tests[0].attr = BH_ATTR_RISK;
	words(l, got->value, &bh_object_rule.fields[BH_F_RULE_RISKS], risk,
	      &d->clauses[0].tests[0].values);
}

void bh_load_details(struct bh_load *l, const struct bh_got *got, struct bh_rule *r)
{
	const struct bh_got *of_risks = &got[BH_F_RULE_RISKS];
	size_t n = of_risks->value != NULL, mark;

	for (size_t i = 0; i < BH_ARRAY_SIZE(kinds); i++)
		n += got[kinds[i].field].value != NULL;
	r->details = bh_load_array(l, n, sizeof(*r->details));
	if (!r->details)
		return;
	for (size_t i = 0; i < BH_ARRAY_SIZE(kinds); i++) {
		const struct bh_got *g = &got[kinds[i].field];
		struct bh_detail *d;

		if (!g->value)
			continue;
		d = &r->details[r->n_details++];
		d->kind = kinds[i].kind;
		d->pos = g->key->pos;
		mark = bh_path_key(&l->rd, bh_object_rule.fields[kinds[i].field].name);
		clauses(l, g->value, &kinds[i], d);
		bh_path_back(&l->rd, mark);
	}
	if (of_risks->value) {
		struct bh_detail *d = &r->details[r->n_details++];

		d->kind = BH_DETAIL_RISK;
		d->pos = of_risks->key->pos;
		mark = bh_path_key(&l->rd, "risks");
		risks(l, of_risks, r, d);
		bh_path_back(&l->rd, mark);
	}
}
