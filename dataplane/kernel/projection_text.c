// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/projection_text.c - maps, keys and elements as people read them
 */
#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/util.h"
#include "dataplane/kernel/projection_key.h"
#include "dataplane/marks.h"

#include "common/banned.h"

static const char *const names[] = {
	[BH_KSET_INVALID] = "?",
	[BH_KSET_PEER] = "peer",
	[BH_KSET_SUBJ_IN] = "subj_in",
	[BH_KSET_SUBJ_EG] = "subj_eg",
	[BH_KSET_CIDR] = "cidr",
	[BH_KSET_PORT_TCP] = "port_tcp",
	[BH_KSET_PORT_UDP] = "port_udp",
	[BH_KSET_PORT_SCTP] = "port_sctp",
	[BH_KSET_PORT_ICMP] = "port_icmp",
	[BH_KSET_CELL] = "cell",
	[BH_KSET_RESULT] = "contract_result",
	[BH_KSET_GUARD_LINK] = "guard_link",
	[BH_KSET_GUARD_MAC] = "guard_mac",
	[BH_KSET_GUARD_IP] = "guard_ip",
	[BH_KSET_GUARD_IP6] = "guard_ip6",
	[BH_KSET_GUARD_LL] = "guard_linklocal",
	[BH_KSET_STATE] = "state",
};
BH_STATIC_ASSERT_TABLE(names, BH_KSET_COUNT);

const char *bh_kset_name(enum bh_kset s)
{
	return s < BH_KSET_COUNT ? names[s] : "?";
}

enum bh_kset bh_kset_by_name(const char *name)
{
	for (enum bh_kset s = BH_KSET_INVALID + 1; s < BH_KSET_COUNT; s++)
		if (bh_streq(name, names[s]))
			return s;
	return BH_KSET_INVALID;
}

static void cell_text(const uint8_t *key, char *buf, size_t size)
{
	char peer[24], port[16], l4[8];

	if (bh_key_word(key, 2) == BH_PEER_ANY)
		(void)snprintf(peer, sizeof(peer), "any");
	else if (bh_key_word(key, 2) == BH_PEER_ANY_ENDPOINT)
		(void)snprintf(peer, sizeof(peer), "endpoint");
	else if (bh_key_word(key, 2) == BH_CLASS_HOST)
		(void)snprintf(peer, sizeof(peer), "host");
	else
		(void)snprintf(peer, sizeof(peer), "0x%x", bh_key_word(key, 2));
	if (bh_key_port(key) >= 0x10000)
		(void)snprintf(port, sizeof(port), "range-%u", bh_key_port(key) & 0xffff);
	else if (key[BH_KEY_CODE])
		(void)snprintf(port, sizeof(port), "%u/%u", key[BH_KEY_PORT], key[BH_KEY_PORT + 1]);
	else if (bh_key_port(key) > 0)
		(void)snprintf(port, sizeof(port), "%u", bh_key_port(key));
	else
		(void)snprintf(port, sizeof(port), "any");
	(void)snprintf(buf, size, "%s . 0x%x . %s . %s . %s",
		       bh_key_word(key, 0) == BH_DIR_INGRESS ? "in" : "eg", bh_key_word(key, 1),
		       peer, bh_l4_name(key[BH_KEY_L4], l4), port);
}

/* Interface, MAC, address: as many of them as there are. */
static void guard_text(enum bh_kset s, const uint8_t *k, char *buf, size_t size)
{
	char mac[32] = "", text[BH_ADDR_STRLEN] = "";
	struct bh_addr a;

	if (s != BH_KSET_GUARD_LINK)
		(void)snprintf(mac, sizeof(mac), " . %02x:%02x:%02x:%02x:%02x:%02x", k[4], k[5],
			       k[6], k[7], k[8], k[9]);
	if (s == BH_KSET_GUARD_IP)
		a = bh_addr_from_v4(&k[12]);
	else if (s == BH_KSET_GUARD_IP6 || s == BH_KSET_GUARD_LL)
		a = bh_addr_from_v6(&k[12]);
	if (s >= BH_KSET_GUARD_IP)
		(void)bh_addr_format(&a, text);
	(void)snprintf(buf, size, "%u%s%s%s", bh_key_word(k, 0), mac, text[0] ? " . " : "", text);
}

const char *bh_kset_key_text(enum bh_kset s, uint8_t family, const void *key, size_t key_len,
			     char *buf, size_t size)
{
	char text[BH_ADDR_STRLEN];
	const uint8_t *k = key;
	struct bh_addr a;

	if (s == BH_KSET_INVALID || key_len != bh_kset_key_len(s, family)) {
		(void)snprintf(buf, size, "?");
		return buf;
	}
	switch (s) {
	case BH_KSET_PORT_TCP:
	case BH_KSET_PORT_UDP:
	case BH_KSET_PORT_SCTP:
		(void)snprintf(buf, size, "%u", (unsigned)k[0] << 8 | k[1]);
		break;
	case BH_KSET_PORT_ICMP:
		(void)snprintf(buf, size, "%u/%u", k[0], k[1]);
		break;
	case BH_KSET_CELL:
		cell_text(k, buf, size);
		break;
	case BH_KSET_RESULT:
		(void)snprintf(buf, size, "%u . %u", bh_key_word(k, 1),
			       bh_key_word(k, 2) >> BH_MARK_RESULT_SHIFT);
		break;
	case BH_KSET_STATE:
		(void)snprintf(buf, size, "%u", bh_key_word(k, 0));
		break;
	case BH_KSET_GUARD_LINK:
	case BH_KSET_GUARD_MAC:
	case BH_KSET_GUARD_IP:
	case BH_KSET_GUARD_IP6:
	case BH_KSET_GUARD_LL:
		guard_text(s, k, buf, size);
		break;
	default:
		a = family == 4 ? bh_addr_from_v4(k) : bh_addr_from_v6(k);
		(void)snprintf(buf, size, "%s", bh_addr_format(&a, text));
		break;
	}
	return buf;
}

/* ---- printing ---- */

static void print_levels(const struct bh_projection *p, uint8_t family, struct bh_buf *out)
{
	static const char *const peers[] = { "class", "endpoint", "cidr", "host", "any" };
	static const char *const ports[] = { "exact",      "code",       "tcp-range", "udp-range",
					     "sctp-range", "icmp-range", "l4",        "any" };
	BH_STATIC_ASSERT_TABLE(peers, BH_LEVEL_PEER_COUNT);
	BH_STATIC_ASSERT_TABLE(ports, BH_LEVEL_PORT_COUNT);

	for (unsigned d = 0; d < 2; d++) {
		uint64_t levels = p->levels[family == 4 ? 0 : 1][d];

		bh_buf_printf(out, "  levels %s:", d == 0 ? "in" : "eg");
		for (unsigned i = 0; i < BH_LEVEL_PEER_COUNT; i++)
			for (unsigned k = 0; k < BH_LEVEL_PORT_COUNT; k++)
				if (levels & bh_level(i, k))
					bh_buf_printf(out, " %s.%s", peers[i], ports[k]);
		bh_buf_printf(out, "%s%s\n", levels & BH_LEVEL_CONTRACT ? " contract" : "",
			      levels & BH_LEVEL_REPORT ? " report" : "");
	}
}

static void print_data(const struct bh_kelem *e, struct bh_buf *out)
{
	static const char *const verdicts[8] = {
		[1] = "allow", [2] = "drop", [3] = "reject", [4] = "contract"
	};
	const char *v = verdicts[bh_word_verdict(e->data) >> 29];

	if (!bh_kset_has_words(e->set))
		bh_buf_printf(out, "0x%x\n",
			      bh_kset_is_interval(e->set) && e->set != BH_KSET_CIDR ? ntohl(e->data)
										    : e->data);
	else
		bh_buf_printf(out, "%s %u%s%s%s%s\n", v ? v : "?", bh_word_number(e->data),
			      e->data & BH_WORD_REPORT ? " report" : "",
			      e->data & BH_WORD_OPEN ? " open" : "",
			      e->data & BH_KWORD_BLIND ? " blind" : "",
			      e->data & BH_KWORD_UNSEEN ? " unseen" : "");
}

void bh_projection_print(const struct bh_projection *p, struct bh_buf *out)
{
	char key[96];
	size_t i = 0;

	bh_buf_printf(out, "revision %llu\n", (unsigned long long)p->revision);
	for (uint8_t family = 4; family <= 6; family += 2) {
		bh_buf_printf(out, "family %u\n", family);
		print_levels(p, family, out);
		for (; i < p->n && p->elems[i].family == family; i++) {
			const struct bh_kelem *e = &p->elems[i];

			bh_buf_printf(
			    out, "  %s %s", bh_kset_name(e->set),
			    bh_kset_key_text(e->set, family, e->key, e->key_len, key, sizeof(key)));
			if (bh_kset_is_interval(e->set))
				bh_buf_printf(out, " - %s",
					      bh_kset_key_text(e->set, family, e->key_end,
							       e->key_len, key, sizeof(key)));
			if (bh_kset_is_guard(e->set)) {
				bh_buf_putc(out, '\n');
				continue;
			}
			bh_buf_puts(out, " : ");
			print_data(e, out);
		}
	}
	for (uint8_t last = 6; i < p->n; last = p->elems[i++].family) {
		const struct bh_kelem *e = &p->elems[i];

		if (e->family != last)
			bh_buf_printf(out, "family %s\n",
				      e->family == BH_FAMILY_ARP ? "arp" : "bridge");
		bh_buf_printf(
		    out, "  %s %s\n", bh_kset_name(e->set),
		    bh_kset_key_text(e->set, e->family, e->key, e->key_len, key, sizeof(key)));
	}
}
