// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/live.c - what stands in the kernel now, in our words, and what of it should not
 *
 * Elements are compared as lists in order, as transaction.c does it, each family by itself: a table that is gone does not
 * hide what became of the other. Names and policies come from who knows them (the agent), else from the comments that
 * stand beside the elements.
 */
#include "dataplane/kernel/live.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <stdio.h>
#include <string.h>

#include "common/json.h"
#include "common/util.h"
#include "dataplane/kernel/kernel_internal.h"
#include "dataplane/kernel/live_internal.h"
#include "dataplane/kernel/projection_key.h"
#include "dataplane/marks.h"
#include "policy/protocol.h"

#include "common/banned.h"

#define TEXT_SIZE 512U

struct member {
	uint32_t cls, elem;
};

struct live {
	struct bh_kernel *k;
	struct bh_found found;
	struct bh_projection is[BH_FAMILIES];
	bool readable[BH_FAMILIES];
	const struct bh_projection *should; /* NULL: nothing is compared */
	struct bh_projection matched;       /* what it points to, made elsewhere; with comments */
	struct bh_commenter say;
	struct member
	    *members[BH_FAMILIES]; /* endpoints by class, where nobody knows what classes mean */
	size_t n_members[BH_FAMILIES];
	struct bh_buf diffs; /* items of a JSON list */
	size_t n_diffs;
};

static const char *family_name(unsigned f)
{
	return f == 0 ? "ip" : "ip6";
}

static unsigned family_of(const struct bh_kelem *e)
{
	return e->family == 4 ? 0 : 1;
}

static void item(struct bh_buf *b, json_t *v)
{
	bh_autojson json_t *owned = v;
	bh_autofree char *text = owned ? bh_json_text(owned) : NULL;

	if (!text) {
		b->failed = true;
		return;
	}
	if (b->len > 0 && b->data[b->len - 1] != '[')
		bh_buf_putc(b, ',');
	bh_buf_puts(b, text);
}

/* ---- words ---- */

static const char *class_name(uint32_t cls, char buf[24])
{
	if (cls == BH_PEER_ANY)
		return "any";
	if (cls == BH_PEER_ANY_ENDPOINT)
		return "any endpoint";
	if (cls == BH_CLASS_HOST)
		return "own node";
	if (cls == BH_CLASS_WORLD)
		return "world";
	(void)snprintf(buf, 24, "%s%u", cls & BH_CLASS_ENDPOINT ? "e" : "",
		       cls & ~BH_CLASS_ENDPOINT);
	return buf;
}

/* What the commenter says, else what stands beside the element. */
static const char *about(const struct live *l, const struct bh_kelem *e, char *buf, size_t size)
{
	const struct bh_projection *from = &l->is[family_of(e)];
	const char *s = bh_comment_elem(&l->say, e, buf, size);

	if (*s)
		return buf;
	if (e < from->elems || e >= from->elems + from->n)
		from = &l->matched;
	return bh_comment_elem(&(struct bh_commenter){ .source = from }, e, buf, size);
}

static int cmp_member(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->cls != y->cls)
		return x->cls < y->cls ? -1 : 1;
	return x->elem < y->elem ? -1 : x->elem > y->elem;
}

static size_t find_members(const struct live *l, unsigned f, uint32_t cls)
{
	size_t lo = 0, hi = l->n_members[f];

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (l->members[f][mid].cls < cls)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool has_members(const struct live *l, unsigned f, uint32_t cls)
{
	size_t at = find_members(l, f, cls);

	return at < l->n_members[f] && l->members[f][at].cls == cls;
}

/* "shop/web and 3 more" */
static void put_members(const struct live *l, unsigned f, uint32_t cls, char *buf, size_t size)
{
	size_t lo = find_members(l, f, cls), n = 0;
	char who[BH_COMMENT_SIZE];

	while (lo + n < l->n_members[f] && l->members[f][lo + n].cls == cls)
		n++;
	if (n == 0)
		return;
	about(l, &l->is[f].elems[l->members[f][lo].elem], who, sizeof(who));
	if (n == 1)
		(void)snprintf(buf, size, "%s", who);
	else
		(void)snprintf(buf, size, "%s and %zu more", who, n - 1);
}

/* What a class is; "" where the name says it or nobody knows. */
static const char *class_means(const struct live *l, unsigned f, uint32_t cls, char *buf,
			       size_t size)
{
	const struct bh_class *c = l->say.rs ? bh_ruleset_class(l->say.rs, cls) : NULL;

	*buf = '\0';
	if (cls == BH_PEER_ANY || cls == BH_PEER_ANY_ENDPOINT || cls == BH_CLASS_WORLD)
		return buf;
	if (c)
		(void)snprintf(buf, size, "%s", bh_ruleset_text(l->say.rs, c->text));
	else
		put_members(l, f, cls, buf, size);
	return buf;
}

static void put_port_number(char *buf, size_t size, bool icmp, unsigned lo, unsigned hi)
{
	if (!icmp && lo == hi)
		(void)snprintf(buf, size, "%u", lo);
	else if (!icmp)
		(void)snprintf(buf, size, "%u-%u", lo, hi);
	else if (lo % 256 == 0 && hi == (lo | 255U))
		(void)snprintf(buf, size, "type %u", lo >> 8);
	else if (lo == hi)
		(void)snprintf(buf, size, "%u/%u", lo >> 8, lo & 255);
	else
		(void)snprintf(buf, size, "%u/%u-%u/%u", lo >> 8, lo & 255, hi >> 8, hi & 255);
}

static unsigned be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

/* The range of a piece, as one of the port maps of @p has it; NULL: none has. */
static const struct bh_kelem *find_piece(const struct bh_projection *p, const struct bh_kelem *cell)
{
	uint32_t word;

	memcpy(&word, &cell->key[BH_KEY_PORT], sizeof(word));
	for (size_t i = 0; p && i < p->n; i++) {
		const struct bh_kelem *e = &p->elems[i];

		if (e->family == cell->family && e->set > BH_KSET_PORT_ICMP)
			return NULL;
		if (e->family == cell->family && e->set >= BH_KSET_PORT_TCP && e->data == word)
			return e;
	}
	return NULL;
}

/* "80", "8000-8099", "type 8"; "" for any. */
static const char *cell_port(const struct live *l, const struct bh_kelem *e, char *buf, size_t size)
{
	uint32_t port = bh_key_port(e->key);
	bool icmp = e->key[BH_KEY_L4] == BH_L4_ICMP || e->key[BH_KEY_L4] == BH_L4_ICMPV6;
	const struct bh_kelem *piece;

	*buf = '\0';
	if (port >= BH_PORT_PIECE_BASE) {
		piece = find_piece(&l->is[family_of(e)], e);
		if (!piece)
			piece = find_piece(l->should, e);
		if (piece)
			put_port_number(buf, size, icmp, be16(piece->key), be16(piece->key_end));
		else
			(void)snprintf(buf, size, "piece %u, which no map has",
				       port - BH_PORT_PIECE_BASE);
	} else if (port > 0 || e->key[BH_KEY_CODE]) {
		put_port_number(buf, size, icmp, port, port);
	}
	return buf;
}

static const char *decision(uint32_t word, char buf[32])
{
	switch (bh_word_verdict(word)) {
	case BH_WORD_ALLOW:
		return word & BH_WORD_REPORT ? "allow, recorded" : "allow";
	case BH_WORD_DROP:
		return "drop";
	case BH_WORD_REJECT:
		return "reject";
	case BH_WORD_CONTRACT:
		(void)snprintf(buf, 32, "contract %u%s", bh_word_number(word),
			       word & BH_WORD_OPEN ? ", recorded" : "");
		return buf;
	default:
		return "drop (no decision)";
	}
}

/* Policy and rule: what stands beside the element, without the verdict that it begins with. */
static const char *by(const struct live *l, const struct bh_kelem *e, char *buf, size_t size)
{
	static const char *const verdicts[] = { "allow: ", "drop: ", "reject: " };
	const char *s = about(l, e, buf, size);

	if (e->set == BH_KSET_RESULT && strchr(s, ' '))
		s = strchr(s, ' ') + 1;
	for (size_t i = 0; i < BH_ARRAY_SIZE(verdicts); i++)
		if (strncmp(s, verdicts[i], strlen(verdicts[i])) == 0)
			return s + strlen(verdicts[i]);
	for (size_t i = 0; i < BH_ARRAY_SIZE(verdicts); i++)
		if (strlen(s) + 2 == strlen(verdicts[i]) && strncmp(s, verdicts[i], strlen(s)) == 0)
			return "";
	return s;
}

static const char *result_name(const struct bh_kelem *e)
{
	unsigned result = bh_key_word(e->key, 2) >> BH_MARK_RESULT_SHIFT;
	const char *name = result == 0 ? "other" : bh_proto_name(result);

	return name ? name : "?";
}

/* ---- elements ---- */

static json_t *cell_json(const struct live *l, const struct bh_kelem *e)
{
	char subject[24], peer[24], means[TEXT_SIZE], other[TEXT_SIZE], l4[8], port[64], word[32],
	    text[TEXT_SIZE];
	unsigned f = family_of(e);

	return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "direction",
			 bh_key_word(e->key, 0) == BH_DIR_INGRESS ? "ingress" : "egress", "subject",
			 class_name(bh_key_word(e->key, 1), subject), "subjectMeans",
			 class_means(l, f, bh_key_word(e->key, 1), means, sizeof(means)), "peer",
			 class_name(bh_key_word(e->key, 2), peer), "peerMeans",
			 class_means(l, f, bh_key_word(e->key, 2), other, sizeof(other)),
			 "protocol", bh_l4_name(e->key[BH_KEY_L4], l4), "port",
			 cell_port(l, e, port, sizeof(port)), "decision", decision(e->data, word),
			 "by", by(l, e, text, sizeof(text)));
}

/* Members of one table's JSON that list the elements of a set. */
static json_t *elem_json(const struct live *l, const struct bh_kelem *e)
{
	char key[96], end[96], cls[24], text[TEXT_SIZE], word[32];

	bh_kset_key_text(e->set, e->family, e->key, e->key_len, key, sizeof(key));
	switch (e->set) {
	case BH_KSET_PEER:
		return json_pack("{s:s, s:s, s:s}", "address", key, "class",
				 class_name(e->data, cls), "name", about(l, e, text, sizeof(text)));
	case BH_KSET_SUBJ_IN:
	case BH_KSET_SUBJ_EG:
		return json_pack("{s:s, s:s, s:s, s:s}", "direction",
				 e->set == BH_KSET_SUBJ_IN ? "ingress" : "egress", "address", key,
				 "class", class_name(e->data, cls), "name",
				 about(l, e, text, sizeof(text)));
	case BH_KSET_CIDR:
		bh_kset_key_text(e->set, e->family, e->key_end, e->key_len, end, sizeof(end));
		return json_pack("{s:s, s:s, s:s, s:s}", "from", key, "to", end, "class",
				 class_name(e->data, cls), "means",
				 about(l, e, text, sizeof(text)));
	case BH_KSET_CELL:
		return cell_json(l, e);
	case BH_KSET_RESULT:
		return json_pack("{s:i, s:s, s:s, s:s}", "contract", (int)bh_key_word(e->key, 1),
				 "protocol", result_name(e), "decision", decision(e->data, word),
				 "by", by(l, e, text, sizeof(text)));
	default:
		put_port_number(text, sizeof(text), e->set == BH_KSET_PORT_ICMP, be16(e->key),
				be16(e->key_end));
		return json_pack("{s:s, s:s, s:i}", "protocol",
				 e->set == BH_KSET_PORT_TCP    ? "tcp"
				 : e->set == BH_KSET_PORT_UDP  ? "udp"
				 : e->set == BH_KSET_PORT_SCTP ? "sctp"
							       : "icmp",
				 "port", text, "piece", (int)(ntohl(e->data) >> 16));
	}
}

/* " (shop: app=web)", "" */
static void put_means(struct bh_buf *b, const char *text)
{
	if (*text)
		bh_buf_printf(b, " (%s)", text);
}

static void put_sentence(const struct live *l, const struct bh_kelem *e, struct bh_buf *b)
{
	char key[96], end[96], cls[24], other[24], text[TEXT_SIZE], l4[8], port[64], word[32];
	bool in = bh_key_word(e->key, 0) == BH_DIR_INGRESS;
	unsigned f = family_of(e);

	bh_kset_key_text(e->set, e->family, e->key, e->key_len, key, sizeof(key));
	switch (e->set) {
	case BH_KSET_PEER:
	case BH_KSET_SUBJ_IN:
	case BH_KSET_SUBJ_EG:
		bh_buf_printf(b, "endpoint %s", key);
		put_means(b, about(l, e, text, sizeof(text)));
		bh_buf_printf(b, "%s: class %s",
			      e->set == BH_KSET_PEER      ? ""
			      : e->set == BH_KSET_SUBJ_IN ? " as a subject for ingress"
							  : " as a subject for egress",
			      class_name(e->data, cls));
		break;
	case BH_KSET_CIDR:
		bh_buf_printf(
		    b, "addresses %s - %s", key,
		    bh_kset_key_text(e->set, e->family, e->key_end, e->key_len, end, sizeof(end)));
		put_means(b, about(l, e, text, sizeof(text)));
		bh_buf_printf(b, ": class %s", class_name(e->data, cls));
		break;
	case BH_KSET_CELL:
		bh_buf_printf(b, "%s of %s", in ? "ingress" : "egress",
			      class_name(bh_key_word(e->key, 1), cls));
		put_means(b, class_means(l, f, bh_key_word(e->key, 1), text, sizeof(text)));
		bh_buf_printf(b, " %s %s", in ? "from" : "to",
			      class_name(bh_key_word(e->key, 2), other));
		put_means(b, class_means(l, f, bh_key_word(e->key, 2), text, sizeof(text)));
		cell_port(l, e, port, sizeof(port));
		bh_buf_printf(b, ", %s%s%s: %s", bh_l4_name(e->key[BH_KEY_L4], l4),
			      *port ? " " : "", port, decision(e->data, word));
		put_means(b, by(l, e, text, sizeof(text)));
		break;
	case BH_KSET_RESULT:
		bh_buf_printf(b, "contract %u, %s: %s", bh_key_word(e->key, 1), result_name(e),
			      decision(e->data, word));
		put_means(b, by(l, e, text, sizeof(text)));
		break;
	default:
		put_port_number(text, sizeof(text), e->set == BH_KSET_PORT_ICMP, be16(e->key),
				be16(e->key_end));
		bh_buf_printf(b, "ports %s of map %s: piece %u", text, bh_kset_name(e->set),
			      ntohl(e->data) >> 16);
		break;
	}
}

/* ---- differences ---- */

static void differs(struct live *l, const char *family, const char *object, const char *what,
		    const char *text)
{
	if (l->n_diffs++ < BH_LIVE_DIFFERENCES_MAX)
		item(&l->diffs, json_pack("{s:s, s:s, s:s, s:s}", "family", family, "object",
					  object, "what", what, "text", text));
}

/* @is, @should: one of them may be NULL. */
static void elem_differs(struct live *l, const struct bh_kelem *is, const struct bh_kelem *should)
{
	bh_cleanup(bh_buf_done) struct bh_buf b = BH_BUF_INIT;
	const struct bh_kelem *e = is ? is : should;
	const char *what = is && should ? "changed" : is ? "extra" : "missing";

	if (!e)
		return;
	if (l->n_diffs < BH_LIVE_DIFFERENCES_MAX)
		put_sentence(l, e, &b);
	if (l->n_diffs < BH_LIVE_DIFFERENCES_MAX && should && should != e) {
		bh_buf_puts(&b, "; should be: ");
		put_sentence(l, should, &b);
	}
	differs(l, family_name(family_of(e)), bh_kset_name(e->set), what, bh_buf_str(&b));
}

static bool same(const struct bh_kelem *a, const struct bh_kelem *b)
{
	return a->data == b->data &&
	       (!bh_kset_is_interval(a->set) || memcmp(a->key_end, b->key_end, a->key_len) == 0);
}

/* Classes stay for a while when their last address is gone, and so do cells about them: no packet finds those. */
static bool is_idle(const struct live *l, const struct bh_kelem *e)
{
	uint32_t peer = bh_key_word(e->key, 2);

	if (e->set == BH_KSET_RESULT)
		return true; /* compared where a cell refers to it */
	if (e->set != BH_KSET_CELL || peer == BH_PEER_ANY_ENDPOINT || !(peer & BH_CLASS_ENDPOINT))
		return false;
	for (unsigned f = 0; f < BH_FAMILIES; f++)
		if (has_members(l, f, peer))
			return false;
	return true;
}

static void compare_elems(struct live *l, unsigned f)
{
	const struct bh_projection *is = &l->is[f];
	const struct bh_kelem *s = l->should->elems, *end = s + l->should->n;
	size_t i = 0;

	while (s < end && family_of(s) != f)
		s++;
	while (i < is->n || (s < end && family_of(s) == f)) {
		int r = i == is->n                      ? 1
			: s == end || family_of(s) != f ? -1
							: bh_kelem_cmp(&is->elems[i], s);

		if (r < 0 && l->should == &l->matched && is_idle(l, &is->elems[i]))
			i++;
		else if (r < 0)
			elem_differs(l, &is->elems[i++], NULL);
		else if (r > 0)
			elem_differs(l, NULL, s++);
		else {
			if (!same(&is->elems[i], s))
				elem_differs(l, &is->elems[i], s);
			i++;
			s++;
		}
	}
}

/* @text: "chain 'FAMILY NAME' ..." */
static void chain_differs(void *arg, const char *text)
{
	struct live *l = arg;

	for (unsigned t = 0; t < BH_TABLES; t++) {
		const char *name = bh_nfproto_name(bh_nfproto[t]);
		size_t len = strlen(name);

		/* Of a table that is gone nothing more has to be said. */
		if (strncmp(text, "chain '", 7) == 0 && strncmp(text + 7, name, len) == 0 &&
		    text[7 + len] == ' ' && l->found.exists[t])
			differs(l, name, "chain", "changed", text);
	}
}

/* Tables that only the guard has. */
static void compare_guard_tables(struct live *l)
{
	for (unsigned t = BH_FAMILIES; t < BH_TABLES; t++) {
		const char *name = bh_nfproto_name(bh_nfproto[t]);

		if (!bh_kernel_has(l->k, t))
			continue;
		if (!l->found.exists[t])
			differs(l, name, "table", "missing", "the table is gone");
		else if (l->found.flags[t] & NFT_TABLE_F_DORMANT)
			differs(l, name, "table", "changed",
				"the table was put to sleep (dormant): nothing is enforced");
	}
}

/* Its sets are not told one by one. */
static int compare_guard(struct live *l, struct bh_err *err)
{
	bh_cleanup(bh_projection_done) struct bh_projection all = { .n = 0 }, should = { .n = 0 };
	struct bh_guard_held held = { .n = 0 };
	struct bh_kernel_change change = { .changed = false };
	char text[96];
	struct bh_batch b;
	int r;

	r = bh_read_elements(l->k, &l->found, BH_STATE_FORMAT_NUMBER, false, &all);
	if (r == -ENOENT || r == -ESTALE)
		return 0; /* said already */
	if (r == 0)
		r = bh_guard_take(&all, &held);
	if (r == 0)
		r = bh_guard_held_elems(&l->k->guard, &l->k->caps, &should);
	if (r == 0) {
		bh_batch_init(&b, "");
		bh_kernel_diff(&b, &held.elems, &should, &(struct bh_commenter){ .rs = NULL },
			       &change);
		bh_batch_done(&b);
		(void)snprintf(text, sizeof(text),
			       "%zu elements are missing, %zu have no business there", change.added,
			       change.removed);
		if (change.added + change.removed > 0)
			differs(l, "guard", "guard", "changed", text);
	}
	bh_guard_held_done(&held);
	return r < 0 ? bh_err_set(err, r, "cannot read the guard's sets: %s", strerror(-r)) : 0;
}

static void compare_state(struct live *l, unsigned f)
{
	uint32_t state[BH_STATE_COUNT];

	bh_kernel_state_of(l->k, f, state);
	for (enum bh_state_key i = BH_STATE_INVALID + 1; i < BH_STATE_COUNT; i++) {
		char text[128];

		if (state[i] == l->found.state[f][i])
			continue;
		(void)snprintf(text, sizeof(text), "%s: 0x%x; should be: 0x%x", bh_comment_state(i),
			       l->found.state[f][i], state[i]);
		differs(l, family_name(f), "state", "changed", text);
	}
}

static int compare(struct live *l, struct bh_err *err)
{
	int r;

	for (unsigned f = 0; f < BH_FAMILIES; f++) {
		const char *name = family_name(f);

		if (!l->found.exists[f]) {
			differs(l, name, "table", "missing", "the table is gone");
			continue;
		}
		if (l->found.flags[f] & NFT_TABLE_F_DORMANT)
			differs(l, name, "table", "changed",
				"the table was put to sleep (dormant): nothing is enforced");
		if (!l->readable[f]) {
			differs(l, name, "map", "changed",
				"a map is gone, or holds what we never put there");
			continue;
		}
		compare_elems(l, f);
		if (l->k->started)
			compare_state(l, f);
	}
	if (!l->k->started || (!l->found.exists[0] && !l->found.exists[1]))
		return 0;
	compare_guard_tables(l);
	r = compare_guard(l, err);
	return r < 0 ? r : bh_read_chains(l->k, chain_differs, l, err);
}

/* ---- reading ---- */

static int index_members(struct live *l, unsigned f)
{
	const struct bh_projection *p = &l->is[f];
	size_t n = 0;

	if (l->say.rs)
		return 0;
	l->members[f] = calloc(p->n + 1, sizeof(*l->members[f]));
	if (!l->members[f])
		return -ENOMEM;
	for (size_t i = 0; i < p->n && i < UINT32_MAX; i++)
		if (p->elems[i].set == BH_KSET_PEER || p->elems[i].set == BH_KSET_CIDR)
			l->members[f][n++] = (struct member){ p->elems[i].data, (uint32_t)i };
	l->n_members[f] = n;
	qsort(l->members[f], n, sizeof(*l->members[f]), cmp_member);
	return 0;
}

/* The guard's sets are compared by themselves (compare_guard()). */
static int read_family(struct live *l, unsigned f)
{
	struct bh_found only = { .exists = { false } };
	struct bh_guard_held guard = { .n = 0 };
	int r;

	only.exists[f] = true;
	r = bh_read_elements(l->k, &only, l->found.state[f][BH_STATE_FORMAT], true, &l->is[f]);
	if (r == 0)
		r = bh_guard_take(&l->is[f], &guard);
	bh_guard_held_done(&guard);
	return r;
}

static int read_all(struct live *l, struct bh_err *err)
{
	int r = bh_read_tables(l->k, &l->found, err);

	for (unsigned f = 0; r == 0 && f < BH_FAMILIES; f++) {
		if (!l->found.exists[f])
			continue;
		r = bh_read_state(l->k, 1U << f, &l->found);
		if (r == 0)
			r = read_family(l, f);
		l->readable[f] = r == 0;
		if (r == -ENOENT || r == -ESTALE)
			r = 0;
		else if (r == 0)
			r = index_members(l, f);
		if (r < 0)
			(void)bh_err_set(err, r, "cannot read the maps of table %s: %s",
					 l->k->table, strerror(-r));
	}
	return r;
}

/* ---- the answer ---- */

static void put_list(const struct live *l, unsigned f, const char *name, enum bh_kset first,
		     enum bh_kset last, struct bh_buf *out)
{
	const struct bh_projection *p = &l->is[f];

	bh_buf_printf(out, ",\"%s\":[", name);
	for (size_t i = 0; i < p->n; i++)
		if (p->elems[i].set >= first && p->elems[i].set <= last)
			item(out, elem_json(l, &p->elems[i]));
	bh_buf_putc(out, ']');
}

static void put_table(const struct live *l, unsigned f, struct bh_buf *out)
{
	bh_buf_printf(out, "{\"family\":\"%s\",\"state\":\"%s\",\"owner\":%s", family_name(f),
		      !l->found.exists[f]                       ? "missing"
		      : l->found.flags[f] & NFT_TABLE_F_DORMANT ? "dormant"
		      : !l->readable[f]                         ? "unreadable"
								: "present",
		      l->found.flags[f] & BH_TABLE_OWNER_PERSIST ? "true" : "false");
	put_list(l, f, "endpoints", BH_KSET_PEER, BH_KSET_PEER, out);
	put_list(l, f, "subjects", BH_KSET_SUBJ_IN, BH_KSET_SUBJ_EG, out);
	put_list(l, f, "ranges", BH_KSET_CIDR, BH_KSET_CIDR, out);
	put_list(l, f, "ports", BH_KSET_PORT_TCP, BH_KSET_PORT_ICMP, out);
	put_list(l, f, "cells", BH_KSET_CELL, BH_KSET_CELL, out);
	put_list(l, f, "contracts", BH_KSET_RESULT, BH_KSET_RESULT, out);
	bh_buf_putc(out, '}');
}

static json_t *counters_json(const struct bh_kernel_counters *c)
{
	const struct {
		const char *name;
		uint64_t n;
	} all[] = {
		{ "refused", c->refused },         { "killed", c->killed },
		{ "queued", c->queued },           { "unwatched", c->unwatched },
		{ "quarantined", c->quarantined }, { "spoofed", c->spoofed },
		{ "spoofedMac", c->spoofed_mac },  { "spoofedArp", c->spoofed_arp },
		{ "spoofedNd", c->spoofed_nd },    { "rogueRouter", c->rogue_router },
		{ "rogueDhcp", c->rogue_dhcp },    { "foreignFrame", c->foreign_frame },
	};
	json_t *v = json_object();

	for (size_t i = 0; i < BH_ARRAY_SIZE(all); i++)
		(void)json_object_set_new(v, all[i].name, json_integer((json_int_t)all[i].n));
	return v;
}

static int put_head(const struct live *l, struct bh_buf *out, struct bh_err *err)
{
	const uint32_t *s = l->found.state[l->found.exists[0] ? 0 : 1];
	uint64_t revision = (uint64_t)s[BH_STATE_REVISION_HI] << 32 | s[BH_STATE_REVISION_LO];
	struct bh_kernel_counters c = { .refused = 0 };
	int r = bh_kernel_counters(l->k, &c, err);

	if (r < 0)
		return r;
	/* The lists go in behind it. */
	item(out, json_pack("{s:s, s:I, s:i, s:b, s:b, s:b, s:o, s:I}", "table", l->k->table,
			    "revision", (json_int_t)revision, "epoch", (int)s[BH_STATE_EPOCH],
			    "applied", (int)(s[BH_STATE_APPLIED] != 0), "compared",
			    (int)(l->should != NULL), "equal", (int)(l->should && l->n_diffs == 0),
			    "counters", counters_json(&c), "differing", (json_int_t)l->n_diffs));
	return 0;
}

static int put_answer(const struct live *l, struct bh_buf *out, struct bh_err *err)
{
	int r = put_head(l, out, err);

	if (r < 0)
		return r;
	if (!out->failed && out->len > 0)
		out->len--; /* its brace */
	bh_buf_puts(out, ",\"tables\":[");
	for (unsigned f = 0; f < BH_FAMILIES; f++) {
		if (f > 0)
			bh_buf_putc(out, ',');
		put_table(l, f, out);
	}
	bh_buf_printf(out, "],\"differences\":[%s]}", bh_buf_str(&l->diffs));
	return out->failed || l->diffs.failed ? bh_err_set(err, -ENOMEM, "out of memory") : 0;
}

/* What was made elsewhere, with its comments, in the kernel's numbers. */
static int match(struct live *l, const struct bh_commenter *say)
{
	const struct bh_projection *p = l->should;
	struct bh_projection *m = &l->matched;

	m->elems = calloc(p->n + 1, sizeof(*m->elems));
	if (!m->elems)
		return -ENOMEM;
	m->n = p->n;
	m->revision = p->revision;
	for (size_t i = 0; i < p->n; i++) {
		char text[BH_COMMENT_SIZE];

		m->elems[i] = p->elems[i];
		bh_comment_elem(say, &p->elems[i], text, sizeof(text));
		m->elems[i].comment = (uint32_t)m->texts.len + 1;
		bh_buf_add(&m->texts, text, strlen(text) + 1);
	}
	l->should = m;
	return bh_buf_failed(&m->texts) ? -ENOMEM : bh_live_match(m, l->is);
}

/* @made_by: says what @l->should means, which was made elsewhere; NULL: it was not. */
static int look(struct live *l, const struct bh_commenter *made_by, struct bh_buf *json,
		struct bh_err *err)
{
	int r = read_all(l, err);

	if (r == 0 && !l->k->started && !l->found.exists[0] && !l->found.exists[1])
		r = bh_err_set(err, -ENOENT, "there is no table %s: nothing is enforced here",
			       l->k->table);
	if (r == 0 && l->should && made_by && match(l, made_by) < 0)
		r = bh_err_set(err, -ENOMEM, "out of memory");
	if (r == 0 && l->should)
		r = compare(l, err);
	if (r == 0)
		r = put_answer(l, json, err);
	for (unsigned f = 0; f < BH_FAMILIES; f++) {
		bh_projection_done(&l->is[f]);
		free(l->members[f]);
	}
	bh_projection_done(&l->matched);
	bh_buf_done(&l->diffs);
	return r;
}

int bh_kernel_live(struct bh_kernel *k, struct bh_buf *json, struct bh_err *err)
{
	struct live l = { .k = k,
			  .should = &k->now,
			  .say = { .rs = k->rs, .who = k->who, .arg = k->who_arg } };

	if (!k->started)
		return bh_err_set(err, -EINVAL, "the tables were not started");
	return look(&l, NULL, json, err);
}

int bh_live_read(const char *table, const struct bh_projection *should,
		 const struct bh_commenter *say, struct bh_buf *json, struct bh_err *err)
{
	struct bh_kernel k = { .nl = BH_NL_INIT, .monitor = -1, .table = strdup(table) };
	struct live l = { .k = &k, .should = should };
	int r;

	if (!k.table)
		return bh_err_set(err, -ENOMEM, "out of memory");
	r = bh_nl_open(&k.nl, err);
	if (r == 0)
		r = look(&l, say, json, err);
	bh_nl_close(&k.nl);
	free(k.table);
	return r;
}
