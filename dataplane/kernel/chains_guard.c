// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/chains_guard.c - what may come from a link that leads to a local endpoint
 *
 * DOC: The guard
 *
 * Whoever is in a container can make up addresses, MACs, ARP, neighbour discovery, router advertisements and answers of
 * a DHCP server. What policies say of an address holds only if nobody else can use it. So each packet of a link in the
 * managed group is compared with what is known of its endpoint (guard.c): static chains, and sets to which an endpoint
 * that comes or goes adds or takes a few elements. No base chain ever comes or goes with an endpoint: removing one,
 * also one of a single device, drops every packet that waits in an NFQUEUE of the namespace.
 *
 * Who sees what:
 *
 *	ip, ip6		prerouting	IP of routed links. (Bridged IP comes here too, but from the bridge.)
 *	arp		input		ARP of routed links
 *	bridge		prerouting	everything of ports of bridges, before it is bridged
 *
 *  chain prerouting { iifgroup MANAGED goto guard_*; iifgroup QUARANTINE goto quarantine }
 *
 *  chain guard_ip {
 *	UDP jump guard_ip_udp				# { from port 67, to port 68: goto rogue_dhcp }
 *	iif . ether saddr . ip saddr @guard_ip return	# nearly every packet ends here
 *	goto guard_ip_odd }
 *  chain guard_ip_odd {				# why not?
 *	iif . 0 . ip saddr @guard_ip return		# its MAC is not known
 *	iif != @guard_link goto guard_unknown
 *	iif . ether saddr @guard_mac goto guard_ip_else
 *	iif . 0 @guard_mac goto guard_ip_else
 *	goto spoofed_mac }
 *  chain guard_ip_else { source 0.0.0.0, UDP 68 to 67 return; goto spoofed }	# a DHCP client
 *
 *  chain guard_ip6: the same with 547, 546, and before the look-up:
 *	hop limit 255 goto guard_ip6_near		# neighbour discovery is never valid with another one
 *  chain guard_ip6_near {
 *	ICMPv6 goto guard_icmp6; any other protocol goto guard_ip6_src
 *	goto spoofed_nd }				# headers that do not end in this packet hide something
 *  chain guard_icmp6 {
 *	it has a type: goto guard_nd
 *	it is a later fragment: goto guard_ip6_src
 *	goto spoofed_nd }				# a first fragment without it
 *  chain guard_nd {
 *	router advertisement, redirect: goto rogue_router
 *	advertisement: goto guard_nd_target		# { target is its own, of this MAC: goto guard_nd_src; goto spoofed_nd }
 *	solicitation from :: : goto guard_nd_dad	# { the same, return }
 *	solicitation: goto guard_nd_src
 *	router solicitation from ::, of this MAC: return;  router solicitation: goto guard_nd_src
 *	goto guard_ip6_src }
 *  chain guard_nd_src { source is its own link-local address: return; goto guard_ip6_src }
 *  chain guard_ip6_src { iif . ether saddr . ip6 saddr @guard_ip6 return; goto guard_ip6_odd }
 *  chain guard_ip6_else { link-local: DHCPv6 client return, goto guard_mld; ::  goto guard_mld; goto spoofed }
 *  chain guard_mld { reports of multicast listeners return; goto spoofed }
 *
 * A link-local address is not a policy's to judge, so nobody speaks from one but to find neighbours, groups and a DHCP
 * server. Its own is the one that its MAC gives, for any other could be a neighbour's or a router's; where the MAC is
 * not known, each is taken for its own.
 *
 *  chain guard_arp {
 *	Ethernet and IPv4 goto guard_arp_who; goto spoofed_arp }
 *  chain guard_arp_who {
 *	iif != @guard_link goto guard_unknown
 *	neither request nor reply: goto spoofed_arp
 *	sender address 0.0.0.0 goto guard_arp_probe	# { a request for its own address, of this MAC: return }
 *	iif . ether saddr . sender address @guard_ip, iif . sender MAC . sender address @guard_ip return
 *	iif . 0 . sender address @guard_ip return
 *	goto spoofed_arp }
 *
 * In the table of bridges, guard_frame asks first what the frame holds. What is neither IPv4, IPv6 nor ARP does not
 * pass, and neither does a VLAN tag: a frame with tag 0 is read by its receiver as if it had none, but br_netfilter shows
 * it to no rule of IP.
 *
 * A managed link that no set knows: in ip and ip6 it may use sources that route back to it. So it is when an agent takes
 * over the tables of a version that had no such sets, until its first apply. In arp and bridge it is in quarantine.
 */
#include <net/if_arp.h>
#include <netinet/icmp6.h>
#include <netinet/in.h> /* before the kernel's own, which gives way */

#include <linux/if_ether.h>
#include <linux/netfilter.h>
#include <linux/netfilter_arp.h>
#include <linux/netfilter_bridge.h>

#include "common/util.h"
#include "dataplane/kernel/chains_internal.h"

#include "common/banned.h"

/* How a chain of the guard ends; the prefixes are read by nflog.c. */
static const struct {
	const char *chain, *counter, *prefix;
} ends[] = {
	{ "spoofed", COUNT_SPOOFED, "bh:s--" },     { "spoofed_mac", COUNT_MAC, "bh:h--" },
	{ "spoofed_arp", COUNT_ARP, "bh:a--" },     { "spoofed_nd", COUNT_ND, "bh:n--" },
	{ "rogue_router", COUNT_ROUTER, "bh:r--" }, { "rogue_dhcp", COUNT_DHCP, "bh:d--" },
	{ "foreign_frame", COUNT_FRAME, "bh:f--" },
};

/* In front of everybody else. */
#define BRIDGE_PRIO (NF_BR_PRI_NAT_DST_BRIDGED - 10)
#define ARP_PRIO    (-10)

/* Offsets: of Ethernet, ARP for IPv4 (RFC 826), IPv4, IPv6, ports, neighbour discovery (RFC 4861). */
#define ETH_SADDR   6
#define ETH_TYPE    12
#define ARP_FORM    0 /* hardware, protocol */
#define ARP_LENGTHS 4
#define ARP_OP      6
#define ARP_SHA     8
#define ARP_SPA     14
#define ARP_TPA     24
#define IP_SADDR    12
#define IP6_HOPS    7
#define IP6_SADDR   8
#define ND_TARGET   8

/* Registers: a key begins here and has seven words at most, the other one seven more. */
#define KEY   0
#define OTHER 7

enum who { BY_MAC, UNKNOWN_MAC };

/* ---- keys: interface . MAC . address ---- */

static void load_link(struct maker *m, unsigned reg)
{
	bh_x_meta(&m->x, NFT_META_IIF, reg);
}

static void load_mac(struct maker *m, enum who who, unsigned reg)
{
	static const uint8_t none[8];

	if (who == BY_MAC)
		bh_x_payload(&m->x, NFT_PAYLOAD_LL_HEADER, ETH_SADDR, ETH_ALEN, reg + 1);
	else
		bh_x_imm(&m->x, reg + 1, none, sizeof(none));
	/* nft(8) shows neither by name in every family. */
	bh_x_comment(&m->x,
		     who == BY_MAC ? "by interface and MAC" : "by interface, its MAC is not known");
}

/* The rule goes on if this address in the packet is bound to interface and MAC. */
static void if_bound(struct maker *m, enum bh_kset set, enum who who, enum nft_payload_bases base,
		     unsigned off)
{
	load_link(m, KEY);
	load_mac(m, who, KEY);
	bh_x_payload(&m->x, base, off, set == BH_KSET_GUARD_IP ? 4 : 16, KEY + 3);
	bh_x_in_set(&m->x, bh_kset_name(set), KEY);
}

void bh_chain_if_own(struct maker *m, const char *chain, const char *to)
{
	enum bh_kset set = m->f->addr_len == 4 ? BH_KSET_GUARD_IP : BH_KSET_GUARD_IP6;

	for (enum who who = BY_MAC; who <= UNKNOWN_MAC; who++) {
		bh_x_rule(&m->x, chain);
		if_bound(m, set, who, NFT_PAYLOAD_NETWORK_HEADER, m->f->daddr);
		bh_x_goto(&m->x, to);
	}
}

static void if_mac(struct maker *m, enum who who)
{
	load_link(m, KEY);
	load_mac(m, who, KEY);
	bh_x_in_set(&m->x, bh_kset_name(BH_KSET_GUARD_MAC), KEY);
}

static void unknown_links(struct maker *m, const char *chain)
{
	bh_x_rule(&m->x, chain);
	load_link(m, KEY);
	bh_x_not_in_set(&m->x, bh_kset_name(BH_KSET_GUARD_LINK), KEY);
	bh_x_goto(&m->x, "guard_unknown");
}

/* ---- parts of packets ---- */

static void if_bytes(struct maker *m, enum nft_payload_bases base, unsigned off, const void *data,
		     unsigned len)
{
	bh_x_payload(&m->x, base, off, len, OTHER);
	bh_x_cmp(&m->x, NFT_CMP_EQ, OTHER, data, len);
}

static void if_port(struct maker *m, bool source, uint16_t port)
{
	const uint8_t be[] = { (uint8_t)(port >> 8), (uint8_t)port };

	if_bytes(m, NFT_PAYLOAD_TRANSPORT_HEADER, source ? 0 : 2, be, sizeof(be));
}

static void if_type(struct maker *m, uint8_t type)
{
	if_bytes(m, NFT_PAYLOAD_TRANSPORT_HEADER, 0, &type, sizeof(type));
}

static void if_source_none(struct maker *m, bool v6)
{
	static const uint8_t none[16];

	if_bytes(m, NFT_PAYLOAD_NETWORK_HEADER, v6 ? IP6_SADDR : IP_SADDR, none, v6 ? 16 : 4);
}

static void if_link_local(struct maker *m, enum nft_payload_bases base, unsigned off)
{
	static const uint8_t prefix[] = { 0xfe, 0x80 }, mask[] = { 0xff, 0xc0 }, zero[2];
	struct bh_x *x = &m->x;

	bh_x_payload(x, base, off, sizeof(prefix), OTHER);
	bh_x_bits(x, OTHER, OTHER, mask, zero, sizeof(mask));
	bh_x_cmp(x, NFT_CMP_EQ, OTHER, prefix, sizeof(prefix));
}

static void go(struct maker *m, const char *chain, const char *to)
{
	bh_x_rule(&m->x, chain);
	bh_x_goto(&m->x, to);
}

/* To @to, or back where it is NULL. */
static void end(struct maker *m, const char *to)
{
	if (to)
		bh_x_goto(&m->x, to);
	else
		bh_x_return(&m->x);
}

/* ---- IPv4 and what both have ---- */

static void dhcp_servers(struct maker *m, const char *chain, uint16_t server, uint16_t client)
{
	bh_x_rule(&m->x, chain);
	if_port(m, true, server);
	bh_x_goto(&m->x, "rogue_dhcp");
	bh_x_rule(&m->x, chain);
	if_port(m, false, client);
	bh_x_goto(&m->x, "rogue_dhcp");
}

static void udp(struct maker *m, const char *chain, const char *to)
{
	bh_x_rule(&m->x, chain);
	bh_x_if_l4(&m->x, NFT_CMP_EQ, IPPROTO_UDP);
	bh_x_jump(&m->x, to);
}

/* Its source is not bound to its interface and MAC: why? */
static void odd(struct maker *m, const char *chain, enum bh_kset set, unsigned saddr,
		const char *known)
{
	bh_x_rule(&m->x, chain);
	if_bound(m, set, UNKNOWN_MAC, NFT_PAYLOAD_NETWORK_HEADER, saddr);
	bh_x_return(&m->x);
	unknown_links(m, chain);
	for (enum who who = BY_MAC; who <= UNKNOWN_MAC; who++) {
		bh_x_rule(&m->x, chain);
		if_mac(m, who);
		bh_x_goto(&m->x, known);
	}
	go(m, chain, "spoofed_mac");
}

static void guard_ip(struct maker *m)
{
	struct bh_x *x = &m->x;

	udp(m, "guard_ip", "guard_ip_udp");
	bh_x_rule(x, "guard_ip");
	if_bound(m, BH_KSET_GUARD_IP, BY_MAC, NFT_PAYLOAD_NETWORK_HEADER, IP_SADDR);
	bh_x_return(x);
	go(m, "guard_ip", "guard_ip_odd");
	dhcp_servers(m, "guard_ip_udp", 67, 68);
	odd(m, "guard_ip_odd", BH_KSET_GUARD_IP, IP_SADDR, "guard_ip_else");

	bh_x_rule(x, "guard_ip_else");
	if_source_none(m, false);
	bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_UDP);
	if_port(m, true, 68);
	if_port(m, false, 67);
	bh_x_return(x);
	go(m, "guard_ip_else", "spoofed");
}

/* ---- IPv6 ---- */

/* Two rules of @chain: this address is a link-local one of the endpoint. */
static void own_link_local(struct maker *m, const char *chain, enum nft_payload_bases base,
			   unsigned off, const char *to)
{
	bh_x_rule(&m->x, chain);
	if_bound(m, BH_KSET_GUARD_LL, BY_MAC, base, off);
	end(m, to);
	bh_x_rule(&m->x, chain);
	if_mac(m, UNKNOWN_MAC);
	if_link_local(m, base, off);
	end(m, to);
}

/* Neighbour discovery about this target: it must be an address of the endpoint. */
static void own_target(struct maker *m, const char *chain, const char *to)
{
	unknown_links(m, chain);
	for (enum who who = BY_MAC; who <= UNKNOWN_MAC; who++) {
		bh_x_rule(&m->x, chain);
		if_bound(m, BH_KSET_GUARD_IP6, who, NFT_PAYLOAD_TRANSPORT_HEADER, ND_TARGET);
		end(m, to);
	}
	own_link_local(m, chain, NFT_PAYLOAD_TRANSPORT_HEADER, ND_TARGET, to);
	go(m, chain, "spoofed_nd");
}

static void guard_nd(struct maker *m)
{
	static const uint8_t routers[] = { ND_ROUTER_ADVERT, ND_REDIRECT };
	struct bh_x *x = &m->x;

	for (size_t i = 0; i < BH_ARRAY_SIZE(routers); i++) {
		bh_x_rule(x, "guard_nd");
		if_type(m, routers[i]);
		bh_x_goto(x, "rogue_router");
	}
	bh_x_rule(x, "guard_nd");
	if_type(m, ND_NEIGHBOR_ADVERT);
	bh_x_goto(x, "guard_nd_target");
	bh_x_rule(x, "guard_nd");
	if_type(m, ND_NEIGHBOR_SOLICIT);
	if_source_none(m, true);
	bh_x_goto(x, "guard_nd_dad");
	bh_x_rule(x, "guard_nd");
	if_type(m, ND_NEIGHBOR_SOLICIT);
	bh_x_goto(x, "guard_nd_src");
	for (enum who who = BY_MAC; who <= UNKNOWN_MAC; who++) {
		bh_x_rule(x, "guard_nd");
		if_type(m, ND_ROUTER_SOLICIT);
		if_source_none(m, true);
		if_mac(m, who);
		bh_x_return(x);
	}
	bh_x_rule(x, "guard_nd");
	if_type(m, ND_ROUTER_SOLICIT);
	bh_x_goto(x, "guard_nd_src");
	go(m, "guard_nd", "guard_ip6_src");

	own_target(m, "guard_nd_target", "guard_nd_src");
	own_target(m, "guard_nd_dad", NULL);
	own_link_local(m, "guard_nd_src", NFT_PAYLOAD_NETWORK_HEADER, IP6_SADDR, NULL);
	go(m, "guard_nd_src", "guard_ip6_src");
}

/* Hop limit 255. */
static void guard_near(struct maker *m)
{
	static const uint8_t offset[] = { 0xff, 0xf8 }, zero[2];
	struct bh_x *x = &m->x;

	bh_x_rule(x, "guard_ip6_near");
	bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_ICMPV6);
	bh_x_goto(x, "guard_icmp6");
	bh_x_rule(x, "guard_ip6_near");
	bh_x_if_l4(x, NFT_CMP_NEQ, IPPROTO_ICMPV6);
	bh_x_goto(x, "guard_ip6_src");
	go(m, "guard_ip6_near", "spoofed_nd");

	bh_x_rule(x, "guard_icmp6");
	bh_x_payload(x, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 1, 0);
	bh_x_cmp8(x, NFT_CMP_NEQ, 0, 0);
	bh_x_goto(x, "guard_nd");
	bh_x_rule(x, "guard_icmp6");
	bh_x_frag_offset(x, 0);
	bh_x_bits(x, 0, 0, offset, zero, sizeof(offset));
	bh_x_cmp(x, NFT_CMP_NEQ, 0, zero, sizeof(zero));
	bh_x_goto(x, "guard_ip6_src");
	go(m, "guard_icmp6", "spoofed_nd");
}

static void guard_ip6(struct maker *m)
{
	static const uint8_t mld[] = { MLD_LISTENER_REPORT, MLD_LISTENER_REDUCTION,
				       143 }; /* RFC 3810: version 2 */
	static const uint8_t hops = 255;
	struct bh_x *x = &m->x;

	udp(m, "guard_ip6", "guard_ip6_udp");
	bh_x_rule(x, "guard_ip6");
	if_bytes(m, NFT_PAYLOAD_NETWORK_HEADER, IP6_HOPS, &hops, sizeof(hops));
	bh_x_goto(x, "guard_ip6_near");
	bh_x_rule(x, "guard_ip6");
	if_bound(m, BH_KSET_GUARD_IP6, BY_MAC, NFT_PAYLOAD_NETWORK_HEADER, IP6_SADDR);
	bh_x_return(x);
	go(m, "guard_ip6", "guard_ip6_odd");
	dhcp_servers(m, "guard_ip6_udp", 547, 546);
	guard_near(m);
	guard_nd(m);
	bh_x_rule(x, "guard_ip6_src");
	if_bound(m, BH_KSET_GUARD_IP6, BY_MAC, NFT_PAYLOAD_NETWORK_HEADER, IP6_SADDR);
	bh_x_return(x);
	go(m, "guard_ip6_src", "guard_ip6_odd");
	odd(m, "guard_ip6_odd", BH_KSET_GUARD_IP6, IP6_SADDR, "guard_ip6_else");

	own_link_local(m, "guard_ip6_else", NFT_PAYLOAD_NETWORK_HEADER, IP6_SADDR,
		       "guard_ip6_local");
	bh_x_rule(x, "guard_ip6_else");
	if_source_none(m, true);
	bh_x_goto(x, "guard_mld");
	go(m, "guard_ip6_else", "spoofed");

	bh_x_rule(x, "guard_ip6_local");
	bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_UDP);
	if_port(m, true, 546);
	if_port(m, false, 547);
	bh_x_return(x);
	go(m, "guard_ip6_local", "guard_mld");
	for (size_t i = 0; i < BH_ARRAY_SIZE(mld); i++) {
		bh_x_rule(x, "guard_mld");
		bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_ICMPV6);
		if_type(m, mld[i]);
		bh_x_return(x);
	}
	go(m, "guard_mld", "spoofed");
}

/* ---- ARP ---- */

static void guard_arp(struct maker *m)
{
	static const uint8_t form[] = { 0, ARPHRD_ETHER, ETH_P_IP >> 8, ETH_P_IP & 255 };
	static const uint8_t lengths[] = { ETH_ALEN, 4 }, request[] = { 0, ARPOP_REQUEST },
			     reply[] = { 0, ARPOP_REPLY }, none[4];
	const enum nft_payload_bases arp = NFT_PAYLOAD_NETWORK_HEADER;
	struct bh_x *x = &m->x;

	bh_x_rule(x, "guard_arp");
	if_bytes(m, arp, ARP_FORM, form, sizeof(form));
	if_bytes(m, arp, ARP_LENGTHS, lengths, sizeof(lengths));
	bh_x_goto(x, "guard_arp_who");
	go(m, "guard_arp", "spoofed_arp");

	unknown_links(m, "guard_arp_who");
	bh_x_rule(x, "guard_arp_who");
	bh_x_payload(x, arp, ARP_OP, sizeof(reply), KEY);
	bh_x_cmp(x, NFT_CMP_GT, KEY, reply, sizeof(reply));
	bh_x_goto(x, "spoofed_arp");
	bh_x_rule(x, "guard_arp_who");
	if_bytes(m, arp, ARP_SPA, none, sizeof(none));
	bh_x_goto(x, "guard_arp_probe");
	bh_x_rule(x, "guard_arp_who");
	if_bound(m, BH_KSET_GUARD_IP, BY_MAC, arp, ARP_SPA);
	load_link(m, OTHER);
	bh_x_payload(x, arp, ARP_SHA, ETH_ALEN, OTHER + 1);
	bh_x_payload(x, arp, ARP_SPA, 4, OTHER + 3);
	bh_x_in_set(x, bh_kset_name(BH_KSET_GUARD_IP), OTHER);
	bh_x_return(x);
	bh_x_rule(x, "guard_arp_who");
	if_bound(m, BH_KSET_GUARD_IP, UNKNOWN_MAC, arp, ARP_SPA);
	bh_x_return(x);
	go(m, "guard_arp_who", "spoofed_arp");

	/* RFC 5227, section 2.1.1 */
	bh_x_rule(x, "guard_arp_probe");
	if_bytes(m, arp, ARP_OP, request, sizeof(request));
	if_bound(m, BH_KSET_GUARD_IP, BY_MAC, arp, ARP_TPA);
	load_link(m, OTHER);
	bh_x_payload(x, arp, ARP_SHA, ETH_ALEN, OTHER + 1);
	bh_x_in_set(x, bh_kset_name(BH_KSET_GUARD_MAC), OTHER);
	bh_x_return(x);
	bh_x_rule(x, "guard_arp_probe");
	if_bytes(m, arp, ARP_OP, request, sizeof(request));
	if_bound(m, BH_KSET_GUARD_IP, UNKNOWN_MAC, arp, ARP_TPA);
	bh_x_return(x);
	go(m, "guard_arp_probe", "spoofed_arp");
}

/* ---- the whole ---- */

/* In tables that know no epochs the reason of a report is its prefix alone. */
static void log_drop(struct maker *m, const char *chain, const char *counter, const char *prefix)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, chain);
	bh_x_counter(x, counter);
	bh_x_word(x, 0, 0);
	bh_x_log(x, m->c->cfg->nflog_group, prefix);
	bh_x_drop(x);
}

static void all_ends(struct maker *m)
{
	for (size_t i = 0; i < BH_ARRAY_SIZE(ends); i++) {
		if (m->f)
			bh_chain_log_drop(m, ends[i].chain, ends[i].counter, ends[i].prefix);
		else
			log_drop(m, ends[i].chain, ends[i].counter, ends[i].prefix);
	}
}

void bh_chain_guard_names(struct maker *m)
{
	static const char *const ip[] = { "guard_ip", "guard_ip_udp", "guard_ip_odd",
					  "guard_ip_else" };
	static const char *const ip6[] = { "guard_ip6",     "guard_ip6_udp",  "guard_ip6_near",
					   "guard_icmp6",   "guard_nd",       "guard_nd_target",
					   "guard_nd_dad",  "guard_nd_src",   "guard_ip6_src",
					   "guard_ip6_odd", "guard_ip6_else", "guard_ip6_local",
					   "guard_mld" };
	static const char *const arp[] = { "guard_arp", "guard_arp_who", "guard_arp_probe" };
	struct bh_batch *b = m->x.b;
	uint8_t f = m->x.family;
	bool bridge = f == NFPROTO_BRIDGE;

	for (size_t i = 0; i < BH_ARRAY_SIZE(ends); i++) {
		bh_batch_counter(b, f, ends[i].counter);
		bh_batch_chain(b, f, ends[i].chain);
	}
	bh_batch_chain(b, f, "guard_unknown");
	for (size_t i = 0; (f == NFPROTO_IPV4 || bridge) && i < BH_ARRAY_SIZE(ip); i++)
		bh_batch_chain(b, f, ip[i]);
	for (size_t i = 0; (f == NFPROTO_IPV6 || bridge) && i < BH_ARRAY_SIZE(ip6); i++)
		bh_batch_chain(b, f, ip6[i]);
	for (size_t i = 0; (f == NFPROTO_ARP || bridge) && i < BH_ARRAY_SIZE(arp); i++)
		bh_batch_chain(b, f, arp[i]);
	if (bridge)
		bh_batch_chain(b, f, "guard_frame");
}

/* Of a link that is not known: neighbour discovery, and sources that route back to it. */
static void reverse_path(struct maker *m)
{
	struct bh_x *x = &m->x;

	if (m->f->nfproto == NFPROTO_IPV6) {
		bh_x_rule(x, "guard_unknown");
		bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_ICMPV6);
		if_source_none(m, true);
		bh_x_return(x);
		bh_x_rule(x, "guard_unknown");
		bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_ICMPV6);
		if_link_local(m, NFT_PAYLOAD_NETWORK_HEADER, IP6_SADDR);
		bh_x_return(x);
	}
	bh_x_rule(x, "guard_unknown");
	bh_x_fib_reverse(x, 0);
	bh_x_cmp32(x, NFT_CMP_EQ, 0, 0);
	bh_x_goto(x, "spoofed");
}

void bh_chain_guard(struct maker *m)
{
	all_ends(m);
	reverse_path(m);
	if (m->f->nfproto == NFPROTO_IPV4)
		guard_ip(m);
	else
		guard_ip6(m);
}

static void frames(struct maker *m)
{
	static const struct {
		uint8_t type[2];
		const char *chain;
	} known[] = {
		{ { ETH_P_IP >> 8, ETH_P_IP & 255 }, "guard_ip" },
		{ { ETH_P_IPV6 >> 8, ETH_P_IPV6 & 255 }, "guard_ip6" },
		{ { ETH_P_ARP >> 8, ETH_P_ARP & 255 }, "guard_arp" },
	};

	/* The type as it is sent: of a frame with a tag that is the tag's. */
	for (size_t i = 0; i < BH_ARRAY_SIZE(known); i++) {
		bh_x_rule(&m->x, "guard_frame");
		if_bytes(m, NFT_PAYLOAD_LL_HEADER, ETH_TYPE, known[i].type, sizeof(known[i].type));
		bh_x_goto(&m->x, known[i].chain);
	}
	go(m, "guard_frame", "foreign_frame");
}

void bh_chain_guard_table(struct maker *m)
{
	const struct bh_kernel_config *cfg = m->c->cfg;
	bool bridge = m->x.family == NFPROTO_BRIDGE;
	const char *base = bridge ? "prerouting" : "input";
	struct bh_batch *b = m->x.b;

	m->f = NULL;
	bh_batch_counter(b, m->x.family, COUNT_QUARANTINED);
	if (bridge)
		bh_batch_base_chain(b, m->x.family, base, NF_BR_PRE_ROUTING, BRIDGE_PRIO);
	else
		bh_batch_base_chain(b, m->x.family, base, NF_ARP_IN, ARP_PRIO);
	bh_batch_chain(b, m->x.family, "quarantine");
	bh_chain_guard_names(m);

	bh_chain_if_group(m, NFT_META_IIFGROUP, cfg->group_quarantine, base, "quarantine");
	bh_chain_if_group(m, NFT_META_IIFGROUP, cfg->group_managed, base,
			  bridge ? "guard_frame" : "guard_arp");
	log_drop(m, "quarantine", COUNT_QUARANTINED, "bh:q--");
	go(m, "guard_unknown", "quarantine");
	all_ends(m);
	guard_arp(m);
	if (!bridge)
		return;
	frames(m);
	guard_ip(m);
	guard_ip6(m);
}
