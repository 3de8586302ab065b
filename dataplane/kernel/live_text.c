// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/live_text.c - elements that were read from the kernel, in our words
 *
 * Names and policies come from who knows them (the agent), else from the comments that stand beside the elements.
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dataplane/kernel/comment.h"
#include "dataplane/kernel/live_internal.h"
#include "dataplane/kernel/projection_key.h"
#include "dataplane/marks.h"

#include "common/banned.h"

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
static const char *about(const struct bh_live *l, const struct bh_kelem *e, char *buf, size_t size)
{
	const struct bh_projection *from = &l->is[bh_live_family_of(e)];
	const char *s = bh_comment_elem(&l->say, e, buf, size);

	if (*s)
		return buf;
	if (e < from->elems || e >= from->elems + from->n)
		from = &l->matched;
	return bh_comment_elem(&(struct bh_commenter){ .source = from }, e, buf, size);
}

static int cmp_member(const void *a, const void *b)
{
	const struct bh_live_member *x = a, *y = b;

	if (x->cls != y->cls)
		return x->cls < y->cls ? -1 : 1;
	return x->elem < y->elem ? -1 : x->elem > y->elem;
}

static size_t find_members(const struct bh_live *l, unsigned f, uint32_t cls)
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

bool bh_live_has_members(const struct bh_live *l, unsigned f, uint32_t cls)
{
	size_t at = find_members(l, f, cls);

	return at < l->n_members[f] && l->members[f][at].cls == cls;
}

/* "shop/web and 3 more" */
static void put_members(const struct bh_live *l, unsigned f, uint32_t cls, char *buf, size_t size)
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
static const char *class_means(const struct bh_live *l, unsigned f, uint32_t cls, char *buf,
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
static const char *cell_port(const struct bh_live *l, const struct bh_kelem *e, char *buf,
			     size_t size)
{
	uint32_t port = bh_key_port(e->key);
	bool icmp = e->key[BH_KEY_L4] == BH_L4_ICMP || e->key[BH_KEY_L4] == BH_L4_ICMPV6;
	const struct bh_kelem *piece;

	*buf = '\0';
	if (port >= BH_PORT_PIECE_BASE) {
		piece = find_piece(&l->is[bh_live_family_of(e)], e);
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
static const char *by(const struct bh_live *l, const struct bh_kelem *e, char *buf, size_t size)
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
	return bh_comment_result(bh_key_word(e->key, 2) >> BH_MARK_RESULT_SHIFT);
}

/* ---- elements ---- */

static json_t *cell_json(const struct bh_live *l, const struct bh_kelem *e)
{
	char subject[24], peer[24], means[BH_LIVE_TEXT_SIZE], other[BH_LIVE_TEXT_SIZE], l4[8],
	    port[64], word[32], text[BH_LIVE_TEXT_SIZE];
	unsigned f = bh_live_family_of(e);

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
json_t *bh_live_elem_json(const struct bh_live *l, const struct bh_kelem *e)
{
	char key[96], end[96], cls[24], text[BH_LIVE_TEXT_SIZE], word[32];

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

void bh_live_put_sentence(const struct bh_live *l, const struct bh_kelem *e, struct bh_buf *b)
{
	char key[96], end[96], cls[24], other[24], text[BH_LIVE_TEXT_SIZE], l4[8], port[64],
	    word[32];
	bool in = bh_key_word(e->key, 0) == BH_DIR_INGRESS;
	unsigned f = bh_live_family_of(e);

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

int bh_live_index_members(struct bh_live *l, unsigned f)
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
			l->members[f][n++] =
			    (struct bh_live_member){ p->elems[i].data, (uint32_t)i };
	l->n_members[f] = n;
	qsort(l->members[f], n, sizeof(*l->members[f]), cmp_member);
	return 0;
}
