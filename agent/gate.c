// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * agent/gate.c - what the language has and the dataplane of this version does not
 *
 * One table. What becomes true is taken out of it.
 */
#include "agent/gate.h"

#include <string.h>

#include "common/util.h"
#include "policy/diag.h"

#include "common/banned.h"

/* A rule that is looked at. */
struct at {
	const struct bh_policy *p;
	const struct bh_rule *r;
	enum bh_dir dir;
	size_t index;
	struct bh_pos pos; /* where a message points to; at first the rule */
};

/* ---- questions ---- */

static bool refuses(const struct bh_rule *r)
{
	return r->action == BH_ACTION_DENY || r->action == BH_ACTION_REJECT;
}

static bool records(const struct bh_rule *r)
{
	return r->action == BH_ACTION_ALERT || r->action == BH_ACTION_LOG;
}

static bool has_names(struct at *a)
{
	for (size_t i = 0; i < a->r->n_peers; i++) {
		if (a->r->peers[i].kind != BH_PEER_NAMES)
			continue;
		a->pos = a->r->peers[i].pos;
		return true;
	}
	return false;
}

/* To match nobody is safe where a match allows, and not where it refuses, or spares a rule that allows. */
static bool names_not_allowed(struct at *a)
{
	return (refuses(a->r) || a->r->action == BH_ACTION_PASS) && has_names(a);
}

static bool names_allowed(struct at *a)
{
	return !refuses(a->r) && a->r->action != BH_ACTION_PASS && has_names(a);
}

/* Protocols within which connections usually turn to TLS. */
static bool may_turn(const struct bh_rule *r, uint8_t change)
{
	static const enum bh_proto starttls[] = { BH_PROTO_SMTP, BH_PROTO_IMAP, BH_PROTO_POP3,
						  BH_PROTO_FTP,  BH_PROTO_LDAP, BH_PROTO_MYSQL };

	if (change == BH_SWITCH_SSLREQUEST)
		return bh_protoset_has(&r->protocols, BH_PROTO_POSTGRES) != r->negated;
	for (size_t i = 0; i < BH_ARRAY_SIZE(starttls); i++)
		if (bh_protoset_has(&r->protocols, starttls[i]) != r->negated)
			return true;
	return false;
}

static bool switches_forbidden(struct at *a)
{
	const struct bh_rule *r = a->r;

	if (r->action != BH_ACTION_ALLOW || !r->has_protocols || (r->switches & BH_SWITCH_USUAL))
		return false;
	return (!(r->switches & BH_SWITCH_STARTTLS) && may_turn(r, BH_SWITCH_STARTTLS)) ||
	       (!(r->switches & BH_SWITCH_SSLREQUEST) && may_turn(r, BH_SWITCH_SSLREQUEST));
}

static bool proxy_required(struct at *a)
{
	return a->r->proxy == BH_PROXY_REQUIRE;
}

static bool proxy_allowed(struct at *a)
{
	return a->r->proxy == BH_PROXY_ALLOW;
}

static bool has_detail(struct at *a, bool risk)
{
	for (size_t i = 0; i < a->r->n_details; i++) {
		if ((a->r->details[i].kind == BH_DETAIL_RISK) != risk)
			continue;
		a->pos = a->r->details[i].pos;
		return true;
	}
	return false;
}

static bool details_of_allow(struct at *a)
{
	return a->r->action == BH_ACTION_ALLOW && has_detail(a, false);
}

static bool details_of_refusal(struct at *a)
{
	return refuses(a->r) && has_detail(a, false);
}

static bool details_of_pass(struct at *a)
{
	return a->r->action == BH_ACTION_PASS && has_detail(a, false);
}

static bool details_of_record(struct at *a)
{
	return records(a->r) && has_detail(a, false);
}

static bool risks(struct at *a)
{
	return has_detail(a, true);
}

static bool evidence(struct at *a)
{
	return a->r->evidence > 0 || a->p->evidence > 0;
}

/* ---- the table ---- */

static const struct {
	enum bh_severity severity;
	bool (*found)(struct at *a);
	const char *what, *hint;
} table[] = {
	{ BH_SEVERITY_ERROR, names_not_allowed,
	  "names in a rule that is no allow rule: addresses of names are not learned yet, so it "
	  "would not hold",
	  "name addresses (ipBlock)" },
	{ BH_SEVERITY_ERROR, switches_forbidden,
	  "switches that admit less than is usual: a connection is not looked at after its protocol "
	  "is known, so it could still turn to TLS",
	  "leave switches out" },
	{ BH_SEVERITY_ERROR, proxy_required,
	  "proxyHeader: require: a connection without the header would pass",
	  "leave proxyHeader out: a connection with one is refused" },
	{ BH_SEVERITY_WARNING, names_allowed,
	  "addresses of names are not learned yet: they match nobody", NULL },
	{ BH_SEVERITY_WARNING, details_of_allow,
	  "requests, names and questions are not judged yet: what only this rule allows is refused",
	  NULL },
	{ BH_SEVERITY_WARNING, details_of_refusal,
	  "requests, names and questions are not judged yet: every connection of these protocols is "
	  "refused",
	  NULL },
	{ BH_SEVERITY_WARNING, details_of_pass,
	  "requests, names and questions are not judged yet: the stricter of what follows and of what "
	  "it leads to counts",
	  NULL },
	{ BH_SEVERITY_WARNING, details_of_record,
	  "requests, names and questions are not judged yet: this rule records nothing", NULL },
	{ BH_SEVERITY_WARNING, risks, "risks are not looked for yet: this rule records nothing",
	  NULL },
	{ BH_SEVERITY_WARNING, proxy_allowed,
	  "the PROXY header is not read yet: a connection with one is refused", NULL },
	{ BH_SEVERITY_WARNING, evidence, "evidence: no packets are kept yet", NULL },
};

/* ---- looking ---- */

struct gate {
	struct bh_text text;
	struct bh_diags *d;
	bool refused;
	uint64_t said; /* of the policy at hand: bits of the table */
};
_Static_assert(BH_ARRAY_SIZE(table) <= 64, "more rows than bits");

static int say(struct gate *g, const struct at *a, size_t row)
{
	bool error = table[row].severity == BH_SEVERITY_ERROR;
	bh_cleanup(bh_buf_done) struct bh_buf path = BH_BUF_INIT;
	struct bh_diag_at at = { .text = &g->text, .pos = a->pos };

	bh_buf_printf(&path, "spec.%s[%zu]", bh_dir_name(a->dir), a->index);
	at.path = bh_buf_str(&path);
	g->refused = g->refused || error;
	return bh_diag_add(
	    g->d, &at, table[row].severity, error ? "e20" : "w13", table[row].hint, "%s%s (%s)",
	    error ? "cannot be enforced by this version: " : "in this version: ", table[row].what,
	    at.path);
}

/* Errors all, so that they are mended at once; of warnings the first of a policy is enough. */
static int look(struct gate *g, const struct at *a)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(table); i++) {
		struct at here = *a;
		int r;

		if (table[i].severity == BH_SEVERITY_WARNING && (g->said >> i & 1))
			continue;
		if (!table[i].found(&here))
			continue;
		g->said |= UINT64_C(1) << i;
		r = say(g, &here, i);
		if (r < 0)
			return r;
	}
	return 0;
}

int bh_gate_check(const struct bh_policy_set *set, const char *file, const char *text, size_t size,
		  struct bh_diags *d)
{
	struct gate g = { .d = d };
	struct bh_pos pos;
	int r = bh_text_init(&g.text, file, text, size, &pos, NULL);

	/* What is no text has no policies. */
	if (r == -EINVAL)
		r = 0;
	for (size_t i = 0; r == 0 && i < set->n_policies; i++) {
		const struct bh_policy *p = set->policies[i];

		g.said = 0;
		for (enum bh_dir dir = BH_DIR_INGRESS; r == 0 && dir < BH_DIR_COUNT; dir++) {
			for (size_t k = 0; r == 0 && k < p->n_rules[dir]; k++) {
				const struct at a = { .p = p,
						      .r = &p->rules[dir][k],
						      .dir = dir,
						      .index = k,
						      .pos = p->rules[dir][k].pos };

				r = look(&g, &a);
			}
		}
	}
	bh_text_done(&g.text);
	return r == 0 && g.refused ? -EINVAL : r;
}
