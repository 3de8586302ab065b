// SPDX-License-Identifier: GPL-3.0-or-later
/*
 * dataplane/kernel/chains_l7.c - flows under inspection: queue, verdict, and the end of a connection
 *
 * DOC: Theory of operation
 *
 * A flow under a contract is INSPECT|E with a sub-state as its result (dataplane/marks.h) until the worker has
 * named its protocol.
 *
 *  chain l7 {
 *	meta mark & 0xff000000 == VMARK goto sub_state	# { ct mark sub-state = meta mark's, OPEN stays; clean the mark, accept }
 *	ct state related, ICMP, of a subject: drop; "packet too big": accept; other: drop
 *	goto inspect }
 *  chain inspect {
 *	TCP with SYN or RST goto handshake	# { SYN with payload: goto syn_data;  SYN: reset the options
 *						#   fastopen and mptcp;  accept }
 *	payload goto to_queue
 *	neither TCP nor UDP goto to_queue	# nobody can say where their payload begins
 *	START, original direction goto to_queue	# even bare: the base sequence numbers
 *	CONFIRM goto to_queue			# bare acknowledgements too
 *	accept }
 *  chain to_queue { meta mark = QMARK, flags; OPEN queue 16 numbers further, bypass;  queue }	# chains_fail.c
 *
 * The worker's answer comes back by NF_REPEAT with a result in the mark, through the same base chain:
 *
 *  chain repeat {
 *	ct mark state INSPECT goto verdict
 *	clean the mark }	# a verdict is one only for a flow under inspection
 *  chain verdict {
 *	a sub-state: jump state		# of this epoch: l7, sub_state
 *	a protocol: jump named		# ct mark result = meta mark's, bit by bit: older kernels have no "or" of two registers
 *	jump again_in, again_eg		# the same question as for any flow, now with a result
 *	a sub-state: jump state		# its contract of an earlier epoch stands in this one, too
 *	clean the mark
 *	ct mark result = ADMIT goto admitted
 *	goto allow }
 *  chain repeat_local, verdict_local: the same by again_in_host and again_eg_host, at input and output
 *
 * It names, the kernel decides: `again_*` finds the word of (contract . result), and what is refused here still wears
 * the mark and is killed at once.
 *
 * DOC: Ending a connection
 *
 * The packet that was refused is made into a reset for its receiver: its flags become RST|ACK, its source what
 * NAT would have made of it, and a copy leaves by `dup`, untracked. Then it is put back as it was, but for a plain
 * ACK, and `reject` answers its sender. So both ends know at once. A SYN is only answered.
 *
 * A reset that carried what was refused would be a way through for two ends that listen at their interfaces. So the
 * worker takes the payload off the packet that it refuses; where one has payload all the same, only its sender is
 * answered. A flow that a change of policy cuts was allowed up to then: its receiver gets one reset, whatever that
 * packet carries, and the result KILLED remembers it.
 */
#include <arpa/inet.h>
#include <netinet/icmp6.h>
#include <netinet/in.h> /* before the kernel's own, which gives way */
#include <netinet/ip_icmp.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_common.h>

#include "common/limits.h"
#include "common/util.h"
#include "dataplane/kernel/chains_internal.h"

#include "common/banned.h"

#define OPT_MPTCP    30U
#define OPT_FASTOPEN 34U
#define TCP_CSUM     16

#define LOG_MIDSTREAM "bh:m--"

void bh_chain_l7_names(struct maker *m)
{
	static const char *const names[] = {
		"l7",        "verdict",  "verdict_local", "named",  "sub_state", "inspect",
		"handshake", "syn_data", "to_queue",      "denied", "kill",      "kill_sender"
	};

	for (size_t i = 0; i < BH_ARRAY_SIZE(names); i++)
		bh_batch_chain(m->x.b, m->x.family, names[i]);
}

static void if_sub(struct maker *m, uint32_t sub)
{
	bh_x_if_ct_mark(&m->x, BH_MARK_SUB, NFT_CMP_EQ, sub << BH_MARK_RESULT_SHIFT);
}

static void if_error(struct maker *m)
{
	bh_x_rule(&m->x, "l7");
	bh_x_if_ct_state(&m->x, NF_CT_STATE_BIT(IP_CT_RELATED));
	bh_x_if_l4(&m->x, NFT_CMP_EQ, m->f->icmp);
}

/*
 * ICMP errors about a flow under inspection. Those that say how large a packet may be it needs, or it would stall; but a
 * container is no router, and what it quotes in one is for it to choose.
 */
static void errors(struct maker *m)
{
	const uint8_t needed[] = { ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED };
	const uint8_t too_big = ICMP6_PACKET_TOO_BIG;
	bool v4 = m->f->nfproto == NFPROTO_IPV4;
	struct bh_x *x = &m->x;

	for (unsigned dir = IN; dir <= EG; dir++) {
		if_error(m);
		bh_x_payload(x, NFT_PAYLOAD_NETWORK_HEADER, m->f->saddr, m->f->addr_len,
			     m->f->reg_addr);
		bh_x_map(x, bh_kset_name(dir == IN ? BH_KSET_SUBJ_IN : BH_KSET_SUBJ_EG),
			 m->f->reg_addr, 1);
		bh_x_cmp32(x, NFT_CMP_NEQ, 1, BH_CLASS_INVALID);
		bh_x_drop(x);
	}
	if_error(m);
	bh_x_payload(x, NFT_PAYLOAD_TRANSPORT_HEADER, 0, v4 ? 2 : 1, 0);
	bh_x_cmp(x, NFT_CMP_EQ, 0, v4 ? needed : &too_big, v4 ? 2 : 1);
	bh_x_accept(x);
	if_error(m);
	bh_x_drop(x);
}

void bh_chain_speaks(struct maker *m, const char *chain, const char *to)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, chain);
	bh_x_if_payload(x);
	bh_x_goto(x, to);
	bh_x_rule(x, chain);
	bh_x_if_l4(x, NFT_CMP_NEQ, IPPROTO_TCP);
	bh_x_cmp8(x, NFT_CMP_NEQ, 0, IPPROTO_UDP);
	bh_x_goto(x, to);
}

static void inspect(struct maker *m)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, "l7");
	bh_x_if_mark(x, BH_VMARK_MASK, NFT_CMP_EQ, BH_VMARK);
	bh_x_goto(x, "sub_state");
	errors(m);
	bh_x_rule(x, "l7");
	bh_x_goto(x, "inspect");

	bh_x_rule(x, "inspect");
	bh_x_if_tcp_flags(x, TCP_SYN | TCP_RST, NFT_CMP_NEQ, 0);
	bh_x_goto(x, "handshake");
	bh_chain_speaks(m, "inspect", "to_queue");
	bh_x_rule(x, "inspect");
	if_sub(m, BH_SUB_START);
	bh_x_if_ct_dir(x, ORIGINAL);
	bh_x_goto(x, "to_queue");
	bh_x_rule(x, "inspect");
	if_sub(m, BH_SUB_CONFIRM);
	bh_x_goto(x, "to_queue");
	bh_x_rule(x, "inspect");
	bh_x_accept(x);
}

static void no_option(struct maker *m, unsigned option)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, "handshake");
	bh_x_if_tcp_flags(x, TCP_SYN, NFT_CMP_NEQ, 0);
	if (m->c->caps->exthdr_reset) {
		bh_x_tcp_option_reset(x, option);
		bh_x_end(x);
		return;
	}
	bh_x_tcp_option(x, option, 0);
	bh_x_cmp8(x, NFT_CMP_EQ, 0, 1);
	bh_x_drop(x);
}

static void handshake(struct maker *m)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, "handshake");
	bh_x_if_tcp_flags(x, TCP_SYN, NFT_CMP_NEQ, 0);
	bh_x_if_payload(x);
	bh_x_goto(x, "syn_data");
	bh_chain_log_drop(m, "syn_data", COUNT_REFUSED, LOG_MIDSTREAM);
	no_option(m, OPT_FASTOPEN);
	no_option(m, OPT_MPTCP);
	bh_x_rule(x, "handshake");
	bh_x_accept(x);
}

static void queue(struct maker *m, bool open)
{
	const struct bh_kernel_config *cfg = m->c->cfg;

	bh_x_queue(&m->x, m->c->caps->native_queue,
		   (uint16_t)(cfg->queue_base + (open ? BH_QUEUE_OPEN : 0)), cfg->n_queues, open);
	bh_x_end(&m->x);
}

static void to_queue(struct maker *m)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, "to_queue");
	bh_x_mark(x, ~BH_MARK_OURS, BH_QMARK);
	bh_x_end(x);
	bh_x_rule(x, "to_queue");
	bh_x_if_ct_dir(x, REPLY);
	bh_x_mark(x, ~BH_QMARK_REPLY, BH_QMARK_REPLY);
	bh_x_end(x);
	bh_x_rule(x, "to_queue");
	if_sub(m, BH_SUB_START);
	bh_x_mark(x, ~BH_QMARK_START, BH_QMARK_START);
	bh_x_end(x);
	bh_x_rule(x, "to_queue");
	if_sub(m, BH_SUB_CONFIRM);
	bh_x_mark(x, ~BH_QMARK_CONFIRM, BH_QMARK_CONFIRM);
	bh_x_end(x);
	bh_x_rule(x, "to_queue");
	bh_x_counter(x, COUNT_QUEUED);
	bh_x_end(x);
	bh_x_rule(x, "to_queue");
	bh_x_if_ct_mark(x, BH_MARK_OPEN, NFT_CMP_NEQ, 0);
	queue(m, true);
	bh_x_rule(x, "to_queue");
	queue(m, false);
	/* A queue expression is the end of it; should one not be, nothing passes. */
	bh_x_rule(x, "to_queue");
	bh_x_drop(x);
}

/* The bits of the packet's mark that @mask has, into the connection's. */
static void take_result(struct maker *m, const char *chain, uint32_t mask)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, chain);
	bh_x_ct_mark(x, ~mask, 0);
	bh_x_end(x);
	for (uint32_t bit = 1U << BH_MARK_RESULT_SHIFT; bit & BH_MARK_RESULT; bit <<= 1) {
		if (!(bit & mask))
			continue;
		bh_x_rule(x, chain);
		bh_x_if_mark(x, bit, NFT_CMP_NEQ, 0);
		bh_x_ct_mark(x, ~bit, bit);
		bh_x_end(x);
	}
}

static void if_named(struct maker *m, const char *chain, bool named)
{
	bh_x_rule(&m->x, chain);
	bh_x_if_mark(&m->x, BH_MARK_SUB_MASK, named ? NFT_CMP_NEQ : NFT_CMP_EQ, 0);
}

static void verdict(struct maker *m)
{
	static const struct {
		const char *repeat, *verdict;
		const struct pair *again;
	} hooks[] = { { "repeat", "verdict", &bh_chain_again },
		      { "repeat_local", "verdict_local", &bh_chain_again_host } };
	struct bh_x *x = &m->x;

	for (size_t i = 0; i < BH_ARRAY_SIZE(hooks); i++) {
		const char *chain = hooks[i].verdict;

		bh_x_rule(x, hooks[i].repeat);
		bh_x_if_ct_mark(x, BH_MARK_STATE, NFT_CMP_EQ, BH_MARK_INSPECT);
		bh_x_goto(x, chain);
		bh_x_rule(x, hooks[i].repeat);
		bh_x_mark(x, ~BH_MARK_OURS, 0);
		bh_x_end(x);

		if_named(m, chain, false);
		bh_x_jump(x, "state");
		if_named(m, chain, true);
		bh_x_jump(x, "named");
		bh_chain_ask_again(m, chain, hooks[i].again);
		if_named(m, chain, false);
		bh_x_jump(x, "state");
		bh_x_rule(x, chain);
		bh_x_mark(x, ~BH_MARK_OURS, 0);
		bh_x_end(x);
		bh_chain_not_refused(m, chain);
	}
	take_result(m, "named", BH_MARK_RESULT);
	/* Which queue it takes is not the worker's to say. */
	take_result(m, "sub_state", BH_MARK_SUB);
	bh_x_rule(x, "sub_state");
	bh_x_mark(x, ~BH_MARK_OURS, 0);
	bh_x_accept(x);
}

static void tcp_flags_set(struct maker *m, uint8_t flags)
{
	const uint16_t keep = htons(0xff00), bits = htons(flags);
	struct bh_x *x = &m->x;

	/* Two bytes, so that the checksum can follow: length of the header, and the flags. */
	bh_x_payload(x, NFT_PAYLOAD_TRANSPORT_HEADER, 12, 2, 0);
	bh_x_bits(x, 0, 0, &keep, &bits, sizeof(keep));
	bh_x_payload_set(x, NFT_PAYLOAD_TRANSPORT_HEADER, 12, 2, 0, TCP_CSUM, false);
}

/* The source: as the tuple of @tuple has it, its source or (@dst) its destination. */
static void source_set(struct maker *m, bool dst, int tuple)
{
	const struct family *f = m->f;
	struct bh_x *x = &m->x;

	bh_x_ct(x, dst ? f->ct_daddr : f->ct_saddr, f->reg_addr, tuple);
	bh_x_payload_set(x, NFT_PAYLOAD_NETWORK_HEADER, f->saddr, f->addr_len, f->reg_addr, f->csum,
			 true);
	bh_x_ct(x, dst ? NFT_CT_PROTO_DST : NFT_CT_PROTO_SRC, 0, tuple);
	bh_x_payload_set(x, NFT_PAYLOAD_TRANSPORT_HEADER, 0, 2, 0, TCP_CSUM, false);
}

static void reset_receiver(struct maker *m, unsigned dir)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, "kill");
	bh_x_if_tcp_flags(x, TCP_ACK, NFT_CMP_NEQ, 0);
	bh_x_if_ct_dir(x, (uint8_t)dir);
	tcp_flags_set(m, TCP_RST | TCP_ACK);
	/* What the other direction is sent to is what NAT shows of this one. */
	source_set(m, true, dir == ORIGINAL ? REPLY : ORIGINAL);
	bh_x_payload(x, NFT_PAYLOAD_NETWORK_HEADER, m->f->daddr, m->f->addr_len, m->f->reg_addr);
	bh_x_dup(x, m->f->reg_addr);
	source_set(m, false, (int)dir);
	tcp_flags_set(m, TCP_ACK);
	bh_x_end(x);
}

static void kill_flow(struct maker *m)
{
	struct bh_x *x = &m->x;

	bh_x_rule(x, "denied");
	bh_x_mark(x, ~BH_MARK_OURS, 0);
	bh_x_jump(x, "stamp_deny");
	bh_x_rule(x, "denied");
	bh_x_if_payload(x);
	bh_x_goto(x, "kill_sender");
	bh_x_rule(x, "denied");
	bh_x_goto(x, "kill");

	bh_x_rule(x, "kill");
	bh_x_if_ct_mark(x, BH_MARK_RESULT, NFT_CMP_EQ, BH_RESULT_KILLED << BH_MARK_RESULT_SHIFT);
	bh_x_if_payload(x);
	bh_x_goto(x, "kill_sender");
	for (unsigned dir = ORIGINAL; m->c->caps->dup && dir <= REPLY; dir++)
		reset_receiver(m, dir);
	bh_x_rule(x, "kill");
	bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_TCP);
	bh_x_ct_mark(x, ~BH_MARK_RESULT, BH_RESULT_KILLED << BH_MARK_RESULT_SHIFT);
	bh_x_end(x);
	bh_x_rule(x, "kill");
	bh_x_goto(x, "kill_sender");

	bh_x_rule(x, "kill_sender");
	bh_x_counter(x, COUNT_KILLED);
	bh_x_end(x);
	bh_x_rule(x, "kill_sender");
	bh_x_if_l4(x, NFT_CMP_EQ, IPPROTO_TCP);
	bh_x_reject_tcp(x);
	bh_x_rule(x, "kill_sender");
	bh_x_reject_icmp(x, m->f->icmp_prohibited);
}

void bh_chain_l7(struct maker *m)
{
	inspect(m);
	handshake(m);
	to_queue(m);
	verdict(m);
	kill_flow(m);
}
