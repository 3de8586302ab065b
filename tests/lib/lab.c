// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/lib/lab.c - packets, rules and captures for tests of the classifier
 */
#include "tests/lib/lab.h"

#include <linux/netfilter.h>
#include <stdio.h>
#include <string.h>

static void *must(void *p)
{
	if (!p)
		abort();
	return p;
}

static void must_be(bool ok, const char *what)
{
	if (!ok) {
		(void)fprintf(stderr, "lab: %s\n", what);
		abort();
	}
}

/* ---- rules ---- */

static struct bh_endpoint *server_endpoint(void)
{
	struct bh_endpoint *ep = must(calloc(1, sizeof(*ep)));

	ep->id = must(strdup("server"));
	ep->name = must(strdup("server"));
	ep->ns = must(strdup("default"));
	ep->local = true;
	ep->addrs = must(calloc(3, sizeof(*ep->addrs)));
	must_be(bh_addr_parse("10.9.0.2", &ep->addrs[0]) == 0, "address");
	must_be(bh_addr_parse("fd09::2", &ep->addrs[1]) == 0, "address");
	must_be(bh_addr_parse("10.77.0.2", &ep->addrs[2]) == 0, "address");
	ep->n_addrs = 3;
	return ep;
}

static void fill_rule(struct bh_rule *to, const struct lab_rule *from)
{
	size_t i;

	to->action = from->action;
	if (from->l4 != BH_L4_ANY || from->port) {
		to->ports = must(calloc(1, sizeof(*to->ports)));
		to->n_ports = 1;
		to->ports[0].l4 = from->l4;
		to->ports[0].lo = from->port;
		to->ports[0].hi = from->port ? from->port : 65535;
	}
	for (i = 0; i < sizeof(from->protos) && from->protos[i]; i++)
		bh_protoset_add(&to->protocols, from->protos[i]);
	to->has_protocols = i > 0;
	to->negated = from->negated;
	if (from->node) {
		to->peers = must(calloc(1, sizeof(*to->peers)));
		to->n_peers = 1;
		to->peers[0].kind = BH_PEER_ENTITY;
		to->peers[0].entity = BH_ENTITY_HOST;
	}
	to->on_overload = from->on_overload;
	to->midstream = from->midstream;
}

static struct bh_policy *make_policy(const struct lab_rule *rules, size_t n, bool unknown_allow)
{
	struct bh_policy *p = must(calloc(1, sizeof(*p)));
	size_t i;

	p->kind = BH_KIND_TRAFFIC_POLICY;
	p->ns = must(strdup("default"));
	p->name = must(strdup("lab"));
	p->file = must(strdup("lab.yaml"));
	p->source = must(strdup(""));
	p->tier = BH_TIER_APPLICATION;
	p->priority = -1;
	p->mode = BH_MODE_ENFORCE;
	p->isolates[BH_DIR_INGRESS] = true;
	p->unknown = unknown_allow ? BH_FAIL_ALLOW : BH_FAIL_REFUSE;
	p->rules[BH_DIR_INGRESS] = must(calloc(n, sizeof(struct bh_rule)));
	p->n_rules[BH_DIR_INGRESS] = n;
	for (i = 0; i < n; i++)
		fill_rule(&p->rules[BH_DIR_INGRESS][i], &rules[i]);
	for (i = 0; i < n; i++)
		p->rules[BH_DIR_INGRESS][i].unknown = p->unknown;
	return p;
}

void lab_rules_make(struct lab_rules *r, const struct lab_rule *rules, size_t n, bool unknown_allow)
{
	struct bh_policy_set *set = must(bh_policy_set_new());
	struct bh_endpoint *ep = server_endpoint();
	const struct bh_endpoint *eps[1] = { ep };
	struct bh_err err = { 0 };
	size_t i;

	memset(r, 0, sizeof(*r));
	set->policies = must(calloc(1, sizeof(struct bh_policy *)));
	set->policies[0] = make_policy(rules, n, unknown_allow);
	set->n_policies = 1;
	must_be(bh_compiler_new(&r->compiler) == 0, "compiler");
	const struct bh_compile_input in = { .set = set, .eps = eps, .n_eps = 1, .revision = 7 };

	if (bh_compile(r->compiler, &in, &r->compiled, &err) < 0)
		must_be(false, err.msg);
	must_be(bh_addrtable_new(64, &r->addrs, &err) == 0, "address table");
	for (i = 0; i < r->compiled.n_addrs; i++) {
		const struct bh_addr_class *a = &r->compiled.addrs[i];

		must_be(bh_addrtable_set(r->addrs, &a->addr, a->cls, a->local) == 0, "address");
	}
	bh_policy_set_free(set);
	bh_endpoint_free(ep);
}

void lab_rules_done(struct lab_rules *r)
{
	bh_addrtable_free(r->addrs);
	bh_compiled_done(&r->compiled);
	bh_compiler_free(r->compiler);
	memset(r, 0, sizeof(*r));
}

/* ---- packets ---- */

static void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

static uint32_t sum(uint32_t s, const uint8_t *p, uint32_t n)
{
	uint32_t i;

	for (i = 0; i < n; i++)
		s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return s;
}

/* IP header of @len bytes behind it. Return: its length */
static uint32_t put_ip(uint8_t *b, const struct lab_tuple *t, bool reply, uint8_t l4, uint32_t len)
{
	if (t->v6) {
		memset(b, 0, 40);
		b[0] = 0x60;
		put16(b + 4, len);
		b[6] = l4;
		b[7] = 64;
		b[8] = b[24] = 0xfd;
		b[9] = b[25] = 0x09;
		b[23] = reply ? 2 : 1;
		b[39] = reply ? 1 : 2;
		return 40;
	}
	memset(b, 0, 20);
	b[0] = 0x45;
	put16(b + 2, 20 + len);
	b[8] = 64;
	b[9] = l4;
	b[12] = b[16] = 10;
	b[13] = b[17] = 9;
	b[15] = reply ? 2 : 1;
	b[19] = reply ? 1 : 2;
	put16(b + 10, ~sum(0, b, 20) & 0xffff);
	return 20;
}

static void put_checksum(const uint8_t *ip, uint8_t *l4, uint32_t len, bool v6, uint8_t proto,
			 uint32_t at)
{
	uint32_t s = proto + (len >> 16) + (len & 0xffff);

	s = v6 ? sum(s, ip + 8, 32) : sum(s, ip + 12, 8);
	put16(l4 + at, 0);
	put16(l4 + at, ~sum(s, l4, len) & 0xffff);
}

uint32_t lab_tcp(uint8_t *b, const struct lab_tuple *t, bool reply, uint32_t seq, uint32_t ack,
		 unsigned flags, const void *data, uint32_t len)
{
	uint32_t o = put_ip(b, t, reply, 6, 20 + len);
	uint8_t *h = b + o;

	memset(h, 0, 20);
	put16(h, reply ? t->sport : t->cport);
	put16(h + 2, reply ? t->cport : t->sport);
	put32(h + 4, seq);
	put32(h + 8, ack);
	h[12] = 0x50;
	h[13] = (uint8_t)flags;
	put16(h + 14, 0xffff);
	if (flags & LAB_URG)
		put16(h + 18, 1);
	if (len)
		memcpy(h + 20, data, len);
	put_checksum(b, h, 20 + len, t->v6, 6, 16);
	return o + 20 + len;
}

uint32_t lab_udp(uint8_t *b, const struct lab_tuple *t, bool reply, const void *data, uint32_t len)
{
	uint32_t o = put_ip(b, t, reply, 17, 8 + len);
	uint8_t *h = b + o;

	put16(h, reply ? t->sport : t->cport);
	put16(h + 2, reply ? t->cport : t->sport);
	put16(h + 4, 8 + len);
	if (len)
		memcpy(h + 8, data, len);
	put_checksum(b, h, 8 + len, t->v6, 17, 6);
	return o + 8 + len;
}

/* ---- the engine ---- */

static void on_verdict(void *arg, uint32_t id, enum bh_verdict v, unsigned result)
{
	struct lab *l = arg;

	must_be(id < l->next_id, "a verdict for a packet that never was");
	l->verdicts[id].count++;
	l->verdicts[id].verdict = (uint8_t)v;
	l->verdicts[id].result = (uint8_t)result;
}

static void on_finding(void *arg, const struct bh_finding *f)
{
	struct lab *l = arg;

	if (l->n_findings < LAB_FINDINGS)
		l->findings[l->n_findings] = *f;
	l->n_findings++;
}

struct lab *lab_new(const struct bh_engine_config *cfg, const struct lab_rules *rules)
{
	static const struct bh_engine_ops ops = { .verdict = on_verdict, .finding = on_finding };
	struct lab *l = must(calloc(1, sizeof(*l)));
	struct bh_err err = { 0 };

	if (bh_engine_new(cfg, &ops, l, &l->engine, &err) < 0)
		must_be(false, err.msg);
	if (rules)
		bh_engine_set_rules(l->engine, rules->compiled.rules, rules->addrs);
	l->now = 1000;
	return l;
}

void lab_free(struct lab *l)
{
	bh_engine_free(l->engine);
	free(l);
}

uint32_t lab_packet(struct lab *l, const void *data, uint32_t len, uint32_t wire_len,
		    uint32_t qmark)
{
	struct bh_packet p = {
		.id = l->next_id++,
		.data = data,
		.len = len,
		.wire_len = wire_len,
		.hook = l->hook ? l->hook : NF_INET_FORWARD,
		.qmark = BH_QMARK | qmark,
		.csum_unchecked = l->csum_unchecked,
		.now = l->now,
	};

	must_be(p.id < LAB_VERDICTS, "too many packets");
	bh_engine_packet(l->engine, &p);
	return p.id;
}

uint32_t lab_send_tcp(struct lab *l, const struct lab_tuple *t, bool reply, uint32_t qmark,
		      uint32_t seq, uint32_t ack, unsigned flags, const char *data, size_t len)
{
	uint32_t n = lab_tcp(l->buf, t, reply, seq, ack, flags, data, (uint32_t)len);

	return lab_packet(l, l->buf, n, n, qmark | (reply ? BH_QMARK_REPLY : 0));
}

uint32_t lab_send_udp(struct lab *l, const struct lab_tuple *t, bool reply, uint32_t qmark,
		      const void *data, size_t len)
{
	uint32_t n = lab_udp(l->buf, t, reply, data, (uint32_t)len);

	return lab_packet(l, l->buf, n, n, qmark | (reply ? BH_QMARK_REPLY : 0));
}

/* ---- captures: classic pcap of Ethernet or raw IP, little endian, IPv4, in order ---- */

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[3] << 24 | (uint32_t)p[2] << 16 | (uint32_t)p[1] << 8 | p[0];
}

static uint32_t be16(const uint8_t *p)
{
	return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
	return be16(p) << 16 | be16(p + 2);
}

static struct lab_flow *flow_of(struct lab_capture *c, const uint8_t *ip, const uint8_t *h,
				unsigned *ret_dir)
{
	struct lab_flow *f;
	size_t i;

	for (i = 0; i < c->n; i++) {
		f = &c->flows[i];
		if (f->l4 != ip[9])
			continue;
		*ret_dir = 0;
		if (f->cport == be16(h) && f->sport == be16(h + 2) &&
		    !memcmp(f->ends[0], ip + 12, 4) && !memcmp(f->ends[1], ip + 16, 4))
			return f;
		*ret_dir = 1;
		if (f->sport == be16(h) && f->cport == be16(h + 2) &&
		    !memcmp(f->ends[1], ip + 12, 4) && !memcmp(f->ends[0], ip + 16, 4))
			return f;
	}
	c->flows = must(realloc(c->flows, (c->n + 1) * sizeof(*c->flows)));
	f = &c->flows[c->n++];
	memset(f, 0, sizeof(*f));
	f->l4 = ip[9];
	f->cport = (uint16_t)be16(h);
	f->sport = (uint16_t)be16(h + 2);
	memcpy(f->ends[0], ip + 12, 4);
	memcpy(f->ends[1], ip + 16, 4);
	*ret_dir = 0;
	return f;
}

static void add_piece(struct lab_flow *f, unsigned dir, const uint8_t *p, uint32_t n)
{
	if (f->n_pieces == LAB_PIECES_MAX || n == 0)
		return;
	f->bytes[dir] = must(realloc(f->bytes[dir], f->n[dir] + n));
	memcpy(f->bytes[dir] + f->n[dir], p, n);
	f->n[dir] += n;
	f->pieces[f->n_pieces].dir = (uint8_t)dir;
	f->pieces[f->n_pieces++].len = n;
}

static void add_packet(struct lab_capture *c, const uint8_t *ip, uint32_t len)
{
	uint32_t hlen, total, doff;
	const uint8_t *h;
	struct lab_flow *f;
	unsigned dir;

	if (len < 28 || ip[0] >> 4 != 4 || (ip[9] != 6 && ip[9] != 17))
		return;
	hlen = (ip[0] & 15u) * 4;
	total = be16(ip + 2);
	must_be(total <= len && hlen + 8 <= total, "a capture with cut packets");
	h = ip + hlen;
	f = flow_of(c, ip, h, &dir);
	if (ip[9] == 17) {
		add_piece(f, dir, h + 8, total - hlen - 8);
		return;
	}
	doff = (h[12] >> 4) * 4u;
	if (h[13] & LAB_SYN) {
		f->next[dir] = be32(h + 4) + 1;
		f->begun[dir] = true;
		return;
	}
	if (f->begun[dir] && be32(h + 4) == f->next[dir]) {
		add_piece(f, dir, h + doff, total - hlen - doff);
		f->next[dir] += total - hlen - doff;
	}
}

void lab_capture_read(struct lab_capture *c, const char *name)
{
	const char *root = getenv("BH_SOURCE_ROOT");
	uint8_t head[24], rec[16];
	uint8_t *data = must(malloc(262144));
	char path[512];
	FILE *in;

	memset(c, 0, sizeof(*c));
	(void)snprintf(path, sizeof(path), "%s/tests/replay/%s", root ? root : ".", name);
	in = fopen(path, "rb");
	must_be(in, path);
	must_be(fread(head, 1, 24, in) == 24 && le32(head) == 0xa1b2c3d4, "no pcap");
	while (fread(rec, 1, 16, in) == 16) {
		uint32_t n = le32(rec + 8), skip = le32(head + 20) == 1 ? 14 : 0;

		must_be(n <= 262144 && fread(data, 1, n, in) == n, "a cut pcap");
		if (n > skip && (!skip || be16(data + 12) == 0x0800))
			add_packet(c, data + skip, n - skip);
	}
	(void)fclose(in);
	free(data);
}

void lab_capture_done(struct lab_capture *c)
{
	size_t i;

	for (i = 0; i < c->n; i++) {
		free(c->flows[i].bytes[0]);
		free(c->flows[i].bytes[1]);
	}
	free(c->flows);
	memset(c, 0, sizeof(*c));
}
