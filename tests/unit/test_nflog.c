// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * tests/unit/test_nflog.c - reports of refused packets, as they should be and as somebody would like them to be
 *
 * What the kernel writes around a packet is its own; the packet's headers are whatever its sender wrote, cut
 * off anywhere. Run under AddressSanitizer to see reads behind the end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <stdlib.h>
#include <string.h>

#include "common/util.h"
#include "dataplane/kernel/nflog.h"
#include "policy/ruleset.h"

/* 10.1.0.5:40000 -> 10.1.0.6:80, TCP SYN */
static const uint8_t tcp4[40] = { 0x45, 0, 0, 40, 0,  0, 0x40, 0, 64,   6,    0, 0,
				  10,   1, 0, 5,  10, 1, 0,    6, 0x9c, 0x40, 0, 80,
				  0,    0, 0, 1,  0,  0, 0,    0, 0x50, 2 };
/* fd01::5:40000 -> fd01::6:53, UDP behind hop-by-hop options and a fragment header (the first) */
static const uint8_t udp6[64] = {
	0x60,        [4] = 0,  [5] = 24, [6] = 0,   [7] = 64,  [8] = 0xfd,  [9] = 1,     [23] = 5,
	[24] = 0xfd, [25] = 1, [39] = 6, [40] = 44, [48] = 17, [56] = 0x9c, [57] = 0x40, [59] = 53
};

/* A message whose packet ends exactly where its memory ends. Return: to be freed */
static uint16_t ethertype = 0x0800;
static bool by_bridge; /* the link is its port, and says who sent */

static struct nlmsghdr *message(const char *prefix, uint32_t mark, const uint8_t *packet,
				size_t len)
{
	const struct nfulnl_msg_packet_hdr ph = { .hook = 2, .hw_protocol = htons(ethertype) };
	char buf[2048];
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf), *exact;
	struct nfgenmsg *g;
	struct nlattr *a;
	size_t size;

	h->nlmsg_type = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = AF_UNSPEC;
	mnl_attr_put(h, NFULA_PACKET_HDR, sizeof(ph), &ph);
	if (prefix)
		mnl_attr_put_strz(h, NFULA_PREFIX, prefix);
	mnl_attr_put_u32(h, NFULA_MARK, htonl(mark));
	mnl_attr_put_u32(h, NFULA_IFINDEX_INDEV, htonl(3));
	mnl_attr_put_u32(h, NFULA_IFINDEX_OUTDEV, htonl(4));
	if (by_bridge) {
		const struct nfulnl_msg_packet_hw hw = { .hw_addrlen = htons(6),
							 .hw_addr = { 2, 0, 0, 0, 0, 7 } };

		mnl_attr_put_u32(h, NFULA_IFINDEX_PHYSINDEV, htonl(9));
		mnl_attr_put(h, NFULA_HWADDR, sizeof(hw), &hw);
	}
	a = mnl_nlmsg_get_payload_tail(h);
	mnl_attr_put(h, NFULA_PAYLOAD, len, packet);
	size = (size_t)((char *)a - buf) + sizeof(*a) + len;
	h->nlmsg_len = (uint32_t)size;
	exact = malloc(size);
	assert_non_null(exact);
	memcpy(exact, buf, size);
	return exact;
}

static bool parse(const char *prefix, uint32_t mark, const uint8_t *packet, size_t len,
		  struct bh_refused *ret)
{
	struct nlmsghdr *h = message(prefix, mark, packet, len);
	bool ok = bh_nflog_parse(h, ret);

	free(h);
	return ok;
}

static void is_addr(const struct bh_addr *a, const char *text)
{
	char buf[BH_ADDR_STRLEN];

	assert_string_equal(bh_addr_format(a, buf), text);
}

static void a_refused_connection(void **state)
{
	struct bh_refused r;

	(void)state;
	assert_true(parse("bh:pid", 0x2a000123, tcp4, sizeof(tcp4), &r));
	assert_int_equal(r.reason, 0x123);
	assert_int_equal(r.epoch, 42);
	assert_int_equal(r.word, BH_WORD_DROP);
	assert_int_equal(r.dir, BH_DIR_INGRESS);
	assert_int_equal(r.cause, 'p');
	assert_int_equal(r.hook, 2);
	assert_int_equal(r.iif, 3);
	assert_int_equal(r.oif, 4);
	assert_int_equal(r.l4, BH_L4_TCP);
	assert_int_equal(r.sport, 40000);
	assert_int_equal(r.dport, 80);
	assert_int_equal(r.len, 40);
	is_addr(&r.src, "10.1.0.5");
	is_addr(&r.dst, "10.1.0.6");
}

static void behind_extension_headers(void **state)
{
	struct bh_refused r;

	(void)state;
	assert_true(parse("bh:per", 1, udp6, sizeof(udp6), &r));
	assert_int_equal(r.dir, BH_DIR_EGRESS);
	assert_int_equal(r.word, BH_WORD_REJECT);
	assert_int_equal(r.l4, BH_L4_UDP);
	assert_int_equal(r.sport, 40000);
	assert_int_equal(r.dport, 53);
	assert_int_equal(r.len, 64);
	is_addr(&r.src, "fd01::5");
}

/* Types stand where ports would; those of an answer where the source's would. */
static void types_of_icmp(void **state)
{
	static const struct {
		uint8_t l4, type;
		uint16_t sport, dport;
	} all[] = {
		{ 1, 8, 0, 8 << 8 | 3 },      { 1, 0, 8 << 8 | 3, 0 },
		{ 1, 14, 13 << 8 | 3, 0 },    { 1, 3, 0, 3 << 8 | 3 },
		{ 58, 128, 0, 128 << 8 | 3 }, { 58, 129, 128 << 8 | 3, 0 },
		{ 58, 140, 139 << 8 | 3, 0 }, { 58, 0, 0, 3 },
	};
	uint8_t p[40 + 8];
	struct bh_refused r;

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(all); i++) {
		size_t head = all[i].l4 == 1 ? 20 : 40;

		memset(p, 0, sizeof(p));
		p[0] = all[i].l4 == 1 ? 0x45 : 0x60;
		p[all[i].l4 == 1 ? 9 : 6] = all[i].l4;
		p[head] = all[i].type;
		p[head + 1] = 3;
		assert_true(parse("bh:pid", 1, p, head + 8, &r));
		assert_int_equal(r.sport, all[i].sport);
		assert_int_equal(r.dport, all[i].dport);
		assert_true(parse("bh:pid", 1, p, head + 1, &r));
		assert_int_equal(r.dport, 0);
	}
}

static void no_ports_in_later_fragments(void **state)
{
	uint8_t p4[sizeof(tcp4)], p6[sizeof(udp6)];
	struct bh_refused r;

	(void)state;
	memcpy(p4, tcp4, sizeof(p4));
	p4[7] = 10;
	assert_true(parse("bh:pid", 1, p4, sizeof(p4), &r));
	assert_int_equal(r.l4, BH_L4_TCP);
	assert_int_equal(r.dport, 0);
	memcpy(p6, udp6, sizeof(p6));
	p6[50] = 1;
	assert_true(parse("bh:pid", 1, p6, sizeof(p6), &r));
	assert_int_equal(r.l4, BH_L4_UDP);
	assert_int_equal(r.dport, 0);
}

static void causes(void **state)
{
	static const struct {
		const char *prefix;
		char cause;
		uint8_t dir;
	} all[] = {
		{ "bh:ci-", 'c', BH_DIR_INGRESS },
		{ "bh:ce-", 'c', BH_DIR_EGRESS },
		{ "bh:mi-", 'm', BH_DIR_INGRESS },
		{ "bh:m--", 'm', 0 },
		{ "bh:q--", 'q', 0 },
		{ "bh:s--", 's', 0 },
		{ "bh:u--", 'u', 0 },
	};
	struct bh_refused r;

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(all); i++) {
		assert_true(parse(all[i].prefix, 0, tcp4, sizeof(tcp4), &r));
		assert_int_equal(r.cause, all[i].cause);
		assert_int_equal(r.dir, all[i].dir);
		assert_int_equal(r.word, 0);
	}
}

static void allowed_but_to_be_recorded(void **state)
{
	struct bh_refused r;

	(void)state;
	assert_true(parse("bh:u-ar", 0x01000000, tcp4, sizeof(tcp4), &r));
	assert_true(r.reply && r.cause == 'u' && r.word == (BH_WORD_ALLOW | BH_WORD_REPORT));
	assert_true(parse("bh:m-a", 0x01000000, tcp4, sizeof(tcp4), &r));
	assert_true(!r.reply && r.cause == 'm' && r.epoch == 1);
	assert_true(parse("bh:pea", 0x01000009, tcp4, sizeof(tcp4), &r));
	assert_int_equal(r.word, BH_WORD_ALLOW | BH_WORD_REPORT);
	assert_int_equal(r.dir, BH_DIR_EGRESS);
	assert_int_equal(r.reason, 9);
	assert_int_equal(r.epoch, 1);
}

static void messages_of_others(void **state)
{
	static const char *const prefixes[] = { "",       "bh",      "bh:",      "bh:pi",
						"bh:xid", "bh:pidd", "bh:u-arr", "INPUT" };
	struct bh_refused r;

	(void)state;
	for (size_t i = 0; i < BH_ARRAY_SIZE(prefixes); i++)
		assert_false(parse(prefixes[i], 1, tcp4, sizeof(tcp4), &r));
	assert_false(parse(NULL, 1, tcp4, sizeof(tcp4), &r));
}

static void cut_off_anywhere(void **state)
{
	struct bh_refused r;

	(void)state;
	for (size_t len = 0; len <= sizeof(tcp4); len++) {
		assert_int_equal(parse("bh:pid", 1, tcp4, len, &r), len >= 20);
		if (len >= 20)
			assert_int_equal(r.dport, len >= 24 ? 80 : 0);
	}
	for (size_t len = 0; len <= sizeof(udp6); len++) {
		assert_int_equal(parse("bh:pid", 1, udp6, len, &r), len >= 40);
		if (len >= 40)
			assert_int_equal(r.dport, len >= 60 ? 53 : 0);
	}
}

static void any_bytes(void **state)
{
	uint8_t p[256];
	struct bh_refused r;

	(void)state;
	srandom(71);
	for (unsigned i = 0; i < 100000; i++) {
		size_t len = (size_t)random() % sizeof(p);

		for (size_t k = 0; k < len; k++)
			p[k] = (uint8_t)random();
		/* Often enough something that is read on. */
		if (len > 6) {
			p[0] = i % 2 ? 0x60 : (uint8_t)(0x40 | (p[0] & 15));
			p[6] = i % 2 ? (uint8_t) "\0+<,3"[p[6] % 5] : p[6];
		}
		(void)parse("bh:pid", 1, p, len, &r);
	}
}

/* The guard's: who sent it is who is behind the link, and what is below IP has other addresses, or none. */
static void what_the_guard_refuses(void **state)
{
	static const uint8_t arp[28] = { 0,  1, 8, 0, 6, 4, 0, 2, 2, 0, 0,  0, 0, 7,
					 10, 1, 0, 1, 2, 0, 0, 0, 0, 8, 10, 1, 0, 6 };
	static const char causes[] = "shanrdf";
	char prefix[] = "bh:?--";
	struct bh_refused r;

	(void)state;
	for (size_t i = 0; causes[i]; i++) {
		prefix[3] = causes[i];
		assert_true(parse(prefix, 0, tcp4, sizeof(tcp4), &r));
		assert_int_equal(r.cause, causes[i]);
		assert_true(bh_refused_by_guard(&r));
		assert_int_equal(r.link, 3);
		assert_false(r.has_mac);
	}
	assert_true(parse("bh:pid", 0, tcp4, sizeof(tcp4), &r));
	assert_false(bh_refused_by_guard(&r));

	by_bridge = true;
	ethertype = 0x0806;
	assert_true(parse("bh:a--", 0, arp, sizeof(arp), &r));
	assert_int_equal(r.link, 9);
	assert_true(r.has_mac);
	assert_int_equal(r.mac[5], 7);
	assert_int_equal(r.ethertype, 0x0806);
	assert_int_equal(r.src.bytes[3], 1);
	assert_int_equal(r.dst.bytes[3], 6);
	assert_int_equal(r.l4, 0);
	for (size_t len = 1; len < sizeof(arp); len++) {
		assert_true(parse("bh:a--", 0, arp, len, &r));
		assert_int_equal(r.src.family, 0);
	}
	ethertype = 0x88b5;
	assert_true(parse("bh:f--", 0, arp, 1, &r));
	assert_int_equal(r.src.family, 0);
	assert_false(parse("bh:p--", 0, arp, sizeof(arp), &r));
	/* In a VLAN: what is in it can be said. */
	ethertype = 0x0800;
	assert_true(parse("bh:f--", 0, tcp4, sizeof(tcp4), &r));
	assert_int_equal(r.src.bytes[3], 5);
	by_bridge = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_refused_connection),
		cmocka_unit_test(behind_extension_headers),
		cmocka_unit_test(types_of_icmp),
		cmocka_unit_test(no_ports_in_later_fragments),
		cmocka_unit_test(causes),
		cmocka_unit_test(allowed_but_to_be_recorded),
		cmocka_unit_test(messages_of_others),
		cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(any_bytes),
		cmocka_unit_test(what_the_guard_refuses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
